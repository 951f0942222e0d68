"""What a history may have and the service does not take: files, sounds, films, and base64 inside a text. Pure.

The service takes texts and images. A file as base64 among the texts would be read letter by letter, at about a token
for three of its bytes, and mean nothing to the model. So its place is kept, with what can be said of it in a line.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

__all__ = ["Attachment", "attachment", "json_text", "without_base64"]

_LONGEST_WORD = 100
_LONGEST_URL = 500
_KILO, _MEGA = 1_000, 1_000_000
# The first letters of files as base64, by which a short one too is known for a file.
_SIGNATURES = {
    "JVBERi0": "application/pdf",
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "",
    "UEsDB": "application/zip",
    "H4sIA": "application/gzip",
    "T2dnUw": "audio/ogg",
    "SUQzB": "audio/mpeg",
    "SUQzA": "audio/mpeg",
    "AAAAGGZ0eX": "video/mp4",
    "AAAAIGZ0eX": "video/mp4",
}
_SHORTEST_FILE = 64
_SHORTEST_RUN = 1_024
_LINE_END = r"(?:\r?\n|\\r\\n|\\n)"
_LIKE_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{48}")
_BASE64 = re.compile(
    r"(?:data:(?P<mime>[\w.+-]{1,60}/[\w.+-]{1,80})?[^\s,\"']{0,200};base64,)?+"
    rf"(?P<run>[A-Za-z0-9+/_-]{{48,}}+(?:{_LINE_END}[A-Za-z0-9+/_-]{{48,}}+)*+"
    rf"(?:{_LINE_END}[A-Za-z0-9+/_-]{{1,75}}={{1,2}})?={{0,2}})"
)


class Attachment(NamedTuple):
    """A part of a message that the service does not take.

    Attributes:
        kind: What it is, such as ``file``, ``audio`` or ``video``.
        mime_type: Its MIME type, None if it is not known.
        size: Its size in bytes, None if it is not known.
        name: Its name or title, None without one.
        url: Its public address, None without one.
        label: What errors call it, such as ``messages[0].content[1] has type 'audio'``.
    """

    kind: str
    mime_type: str | None = None
    size: int | None = None
    name: str | None = None
    url: str | None = None
    label: str = ""

    @property
    def placeholder(self) -> str:
        """The text that is sent in its place, such as ``[file: report.pdf, application/pdf, 307 kB]``."""
        facts = (
            _line(self.name, _LONGEST_WORD),
            _line(self.mime_type, _LONGEST_WORD),
            "" if self.size is None else _size(self.size),
            _line(self.url, _LONGEST_URL),
        )
        known = ", ".join(fact for fact in facts if fact)
        kind = _line(self.kind, _LONGEST_WORD) or "file"
        return f"[{kind}: {known}]" if known else f"[{kind}]"


def attachment(
    kind: str,
    *,
    data: Any = None,
    mime_type: Any = None,
    name: Any = None,
    url: Any = None,
    size: int | None = None,
    label: str = "",
) -> Attachment:
    """Return what can be said of a part of a message that the service does not take.

    Args:
        kind: What it is, such as ``file``.
        data: Its bytes, or base64 or a data URI; None if it is elsewhere.
        mime_type: Its MIME type; None to take it from the data.
        name: Its name.
        url: Its address; a data URI is taken for the data.
        size: Its size in bytes; None to take it from the data.
        label: What errors call it.
    """
    if isinstance(url, str) and url.startswith("data:"):
        data, url = (url if data is None else data), None
    mime = mime_type if isinstance(mime_type, str) and mime_type else None
    if isinstance(data, str):
        head, comma, encoded = data.partition(",") if data.startswith("data:") else ("", "", data)
        if comma:
            mime = mime or head[len("data:") :].partition(";")[0] or None
        mime = mime or _mime_of(encoded)
        size = _decoded_size(encoded) if size is None else size
    elif isinstance(data, (bytes, bytearray, memoryview)):
        size = len(data) if size is None else size
    family = (mime or "").partition("/")[0]
    kind = family if kind == "file" and family in {"audio", "video"} else kind
    return Attachment(
        kind, mime, size, name if isinstance(name, str) else None, url if isinstance(url, str) else None, label
    )


def without_base64(text: str) -> tuple[str, list[Attachment]]:
    """Return a text with a placeholder for each file in it that stands there as base64, and these files.

    A file is a data URI, base64 that begins as files of common types do, or more than 1,024 characters of base64.

    Args:
        text: Any text, such as the result of a tool.
    """
    if _LIKE_BASE64.search(text) is None:
        return text, []
    found: list[Attachment] = []

    def replaced(match: re.Match[str]) -> str:
        whole, run = match[0], match["run"]
        is_uri = whole.startswith("data:")
        mime = match["mime"] or _mime_of(run)
        is_file = is_uri or any(run.startswith(letters) for letters in _SIGNATURES)
        if len(run) < (_SHORTEST_FILE if is_file else _SHORTEST_RUN) or not (is_file or _is_mixed(run)):
            return whole
        found.append(Attachment("file", mime, _decoded_size(run)))
        return found[-1].placeholder

    return _BASE64.sub(replaced, text), found


def json_text(value: Any) -> str:
    """Return a value as readable JSON: Hangul is not escaped, and what JSON cannot represent becomes a string.

    Args:
        value: Any value.
    """
    try:
        return json.dumps(value, ensure_ascii=False, default=_as_text)
    except (TypeError, ValueError, RecursionError):  # keys of other types, a circle, too many levels
        try:
            return str(value)
        except RecursionError:
            return f"[{type(value).__name__}]"


def _as_text(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Attachment("bytes", size=len(value)).placeholder
    return str(value)


def _is_mixed(run: str) -> bool:
    """Return whether a text has letters of both cases and digits, as base64 of any length has and hex has not."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(kind(letter) for letter in run) for kind in kinds)


def _mime_of(encoded: str) -> str | None:
    return next((mime or None for letters, mime in _SIGNATURES.items() if encoded.startswith(letters)), None)


def _decoded_size(encoded: str) -> int:
    """Return the number of bytes that base64 stands for."""
    letters = len(encoded) - sum(encoded.count(other) for other in ("\n", "\r", " ", "=", "\\n", "\\r"))
    return letters * 3 // 4


def _line(text: str | None, longest: int) -> str:
    """Return a text of the caller's or of a tool's on one line, cut."""
    line = " ".join((text or "").split())
    return line if len(line) <= longest else f"{line[:longest]}..."


def _size(size: int) -> str:
    if size < _KILO:
        return f"{size} bytes"
    return f"{size / _KILO:.0f} kB" if size < _MEGA else f"{size / _MEGA:.1f} MB"
