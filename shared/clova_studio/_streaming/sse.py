"""Server-sent events from bytes. No I/O.

Bytes may be fed in any pieces. Lines end at CR, LF or CRLF and nowhere else (str.splitlines would also split at U+2028
inside a token), and data stays bytes: the JSON parser decodes it as UTF-8 whatever charset a header claims.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SSEDecoder", "ServerSentEvent"]

_BOM = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One event: its name (``message`` where the stream gave none), its data and its id."""

    event: str
    data: bytes
    id: str = ""


class SSEDecoder:
    """Turns pieces of a byte stream into events."""

    __slots__ = ("_at_start", "_buffer", "_data", "_event", "_id", "_skip_newline")

    def __init__(self) -> None:
        self._buffer = b""
        self._data: list[bytes] = []
        self._event = ""
        self._id = ""
        self._at_start = True
        self._skip_newline = False

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Return the events that are complete with this piece."""
        buffer = self._buffer + piece
        if self._at_start:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                self._buffer = buffer
                return []
            buffer = buffer.removeprefix(_BOM)
            self._at_start = False
        if self._skip_newline and buffer:
            # The CR that ended the piece before was the first half of a CRLF.
            buffer = buffer.removeprefix(b"\n")
            self._skip_newline = False
        if b"\r" in buffer:
            self._skip_newline = buffer.endswith(b"\r")
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = buffer.split(b"\n")
        self._buffer = lines.pop()
        events = []
        for line in lines:
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        return events

    def flush(self) -> list[ServerSentEvent]:
        """Return the event that stood unfinished when the stream ended.

        The standard discards it; a last event without its blank line is still whole if its data is, and that the JSON
        parser tells.
        """
        if self._buffer:
            line, self._buffer = self._buffer, b""
            self._field(line)
        event = self._dispatch()
        return [event] if event is not None else []

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            self._id = value.decode("utf-8", "replace")

    def _dispatch(self) -> ServerSentEvent | None:
        data, self._data = self._data, []
        name, self._event = self._event, ""
        # Extra blank lines and events without data mean nothing (an id alone is not an event).
        return ServerSentEvent(name or "message", b"\n".join(data), self._id) if data else None
