"""What the service accepts as an image part.

Source: the image rules of the "Chat Completions v3" reference page and codes 40060 to 40063 of the troubleshooting
pages. Images are not downloaded: only the form of an image URL is checked.
"""

import base64
import binascii
import re
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.refusals import Refusal, invalid

MAX_BYTES = 20 * 1024 * 1024
MAX_SIDE = 2_240
MIN_SIDE = 4
MAX_RATIO = 5

_EXTENSIONS = frozenset({"bmp", "png", "jpg", "jpeg", "webp"})
_DATA_URI = re.compile(r"data:(?P<type>[^;,]*)(?:;[^,]*)?,(?P<data>.*)\Z", re.DOTALL)


def check_image(part: Mapping[str, Any], where: str, facts: Facts) -> None:
    """Check one image part; bare base64 was refused in recorded traffic, although the page documents it."""
    url, data = part.get("imageUrl"), part.get("dataUri")
    if url is not None and data is not None:
        raise invalid("imageUrl", "dataUri")
    if isinstance(url, Mapping) and isinstance(url.get("url"), str):
        _check_url(url["url"])
    elif isinstance(data, Mapping) and isinstance(data.get("data"), str):
        _check_data(data["data"], facts)
    else:
        raise invalid(where)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets without an IP address
        raise Refusal("40063", "Invalid image url") from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise Refusal("40063", "Invalid image url")
    name = parts.path.rpartition("/")[2]
    if "." not in name:
        raise Refusal("40063", "Invalid image url")
    if name.rpartition(".")[2].lower() not in _EXTENSIONS:
        raise Refusal("40060")


def _check_data(value: str, facts: Facts) -> None:
    found = _DATA_URI.match(value)
    if found is None:
        if not facts.takes("bare-base64"):
            raise invalid()
        encoded = value
    else:
        kind, _, subtype = found["type"].lower().partition("/")
        if kind != "image" or subtype not in _EXTENSIONS:
            raise Refusal("40060")
        encoded = found["data"]
    if len(encoded) * 3 // 4 > MAX_BYTES + 3:
        raise Refusal("40061")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("40063") from None
    if not raw or len(raw) > MAX_BYTES:
        raise Refusal("40061")
    size = image_size(raw)
    if size is not None:
        _check_size(*size)


def _check_size(width: int, height: int) -> None:
    long, short = max(width, height), min(width, height)
    if long > MAX_SIDE or short < MIN_SIDE:
        raise Refusal("40063", "Invalid image size")
    if long > MAX_RATIO * short:
        raise Refusal("40063", "Invalid image ratio")


def image_size(raw: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from the header of a PNG, BMP, WEBP or JPEG file; None where it does not have them."""
    if raw.startswith((b"GIF8", b"II*\0", b"MM\0*", b"%PDF")):
        raise Refusal("40060")
    try:
        if raw.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", raw, 16)
            return width, height
        if raw.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", raw, 18)
            return width, abs(height)
        if raw.startswith(b"RIFF") and raw[8:12] == b"WEBP":
            return _webp_size(raw)
        if raw.startswith(b"\xff\xd8"):
            return _jpeg_size(raw)
    except struct.error:
        raise Refusal("40063") from None
    raise Refusal("40063")


def _webp_size(raw: bytes) -> tuple[int, int] | None:
    kind = raw[12:16]
    if kind == b"VP8X":
        return int.from_bytes(raw[24:27], "little") + 1, int.from_bytes(raw[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(raw[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", raw, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg_size(raw: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(raw) and raw[at] == 0xFF:  # noqa: PLR2004 - every JPEG marker begins with this byte
        marker = raw[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # noqa: PLR2004 - the frame headers
            height, width = struct.unpack_from(">HH", raw, at + 5)
            return width, height
        at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
    return None
