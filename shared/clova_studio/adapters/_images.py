"""Turns images given as URLs, data URIs, base64 or files into image parts of the wire. Fetches nothing.

Source: the Chat Completions v3 page of the API guide, and observed traffic for the data URI.
"""

from __future__ import annotations

import base64
from typing import Any

from clova_studio._errors import ConfigurationError
from clova_studio._requests.messages import MAX_IMAGE_BYTES

__all__ = ["IMAGE_PLACEHOLDER", "data_uri", "image_part", "read_image"]

IMAGE_PLACEHOLDER = "[image]"
"""The text that is sent in place of an image that the request cannot carry."""

_LOOKED_AT = 24


def image_part(value: Any) -> dict[str, Any]:
    """Return the wire's part for an image.

    Args:
        value: A public http(s) URL, which is passed on and not fetched, a data URI, or base64.

    Raises:
        ConfigurationError: It is none of these.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError("an image must be a URL or a data URI, as a non-empty string")
    if value.startswith(("http://", "https://")):
        return {"type": "image_url", "imageUrl": {"url": value}}
    return {"type": "image_url", "dataUri": {"data": data_uri(value, None)}}


def data_uri(encoded: Any, mime_type: Any) -> str:
    """Return an image as a data URI; the live service refuses bare base64.

    The first bytes must be those of an image: messages may come from anywhere, and a block may name any file of this
    machine as an image.

    Args:
        encoded: An image in base64; a data URI is returned unchanged.
        mime_type: Its type; None to detect it from the first bytes.

    Raises:
        ConfigurationError: It is not a string, or not an image that the service takes.
    """
    if not isinstance(encoded, str):
        raise ConfigurationError("an image's base64 must be a string")
    if encoded.startswith("data:"):
        head, _, data = encoded.partition(",")
        if not head.lower().endswith(";base64"):
            raise ConfigurationError("an image's data URI must look like data:image/png;base64,...")
        _kind_of(data)
        return encoded
    kind = _kind_of(encoded)
    return f"data:{mime_type if isinstance(mime_type, str) and mime_type else kind};base64,{encoded}"


def read_image(file: Any, mime_type: Any) -> str:
    """Return the data URI of an image in a file; what is not an image is not read further than its first bytes.

    Args:
        file: A file, opened for reading bytes, at the beginning of the image.
        mime_type: Its type; None to tell it by its first bytes.

    Raises:
        ConfigurationError: It cannot be read, is not an image that the service takes, or has more than 20 MB.
    """
    try:
        content = _read(file, _LOOKED_AT)
        _kind_of(base64.b64encode(content).decode("ascii"))
        content += _read(file, MAX_IMAGE_BYTES + 1 - len(content))
    except (OSError, TypeError, ValueError) as exc:
        raise ConfigurationError(f"an image cannot be read: {exc}") from exc
    if len(content) > MAX_IMAGE_BYTES:
        raise ConfigurationError(f"an image may have up to {MAX_IMAGE_BYTES >> 20} MB, this file has more")
    return data_uri(base64.b64encode(content).decode("ascii"), mime_type)


def _read(file: Any, size: int) -> bytes:
    """Return so many bytes of a file, or as many as there are."""
    content = bytearray()
    # A file may give fewer at a time than it is asked for.
    while len(content) < size and (piece := file.read(size - len(content))):
        content += piece
    return bytes(content)


def _kind_of(encoded: str) -> str:
    """Return the MIME type of an image in base64, detected from its first bytes.

    Raises:
        ConfigurationError: They are not those of an image that the service takes.
    """
    letters = "".join(encoded[: 4 * _LOOKED_AT].split())[:_LOOKED_AT]
    try:
        start = base64.b64decode(letters + "=" * (-len(letters) % 4))
    except ValueError:
        start = b""
    if start.startswith(b"\x89PNG"):
        return "image/png"
    if start.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "image/webp"
    if start.startswith(b"BM"):
        return "image/bmp"
    found = "it is a GIF" if start.startswith(b"GIF8") else "its first bytes are not those of an image"
    raise ConfigurationError(
        f"an image must be a public http(s) URL, or a PNG, JPEG, WEBP or BMP as base64 or a data URI, but {found}"
    )
