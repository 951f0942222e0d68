"""Server-sent events from bytes. No I/O.

Bytes may be fed in any pieces. Lines end at CR, LF or CRLF and nowhere else (str.splitlines would also split at U+2028
inside a token), and data stays bytes: the JSON parser decodes it as UTF-8 whatever charset a header claims. The time is
linear in the bytes, also of an event that comes in many pieces, and no event is larger than ``MAX_EVENT_BYTES``.
"""

from __future__ import annotations

from typing import NamedTuple

from clova_studio._errors import InvalidResponseError

__all__ = ["MAX_EVENT_BYTES", "SSEDecoder", "ServerSentEvent"]

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""Bytes of the data of one event of a stream."""

_BOM = b"\xef\xbb\xbf"
_DATA, _SPACED_DATA = b"data:", b"data: "


class ServerSentEvent(NamedTuple):
    """One event: its name (``message`` where the stream gave none), its data and its id."""

    event: str
    data: bytes
    id: str = ""


class SSEDecoder:
    """Turns pieces of a byte stream into events.

    Args:
        request_id: The id of the request, for the error about an event that is too large.
    """

    __slots__ = ("_at_start", "_buffer", "_data", "_event", "_id", "_request_id", "_size", "_skip_newline")

    def __init__(self, request_id: str | None = None) -> None:
        self._request_id = request_id
        # The unfinished line, as it came.
        self._buffer: list[bytes] = []
        # Bytes of the unfinished event.
        self._size = 0
        self._data: list[bytes] = []
        self._event = ""
        self._id = ""
        self._at_start = True
        self._skip_newline = False

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Return the events that are complete with this piece.

        Raises:
            InvalidResponseError: The unfinished event is larger than ``MAX_EVENT_BYTES``.
        """
        if self._at_start or self._skip_newline or b"\r" in piece:
            piece = self._normalized(piece)
        lines = piece.split(b"\n")
        rest = lines.pop()
        events = []
        if lines and self._buffer:
            lines[0] = self._taken() + lines[0]
        for line in lines:
            if line.startswith(_DATA):
                self._data.append(line[6:] if line.startswith(_SPACED_DATA) else line[5:])
                self._size += len(line) + 1
            elif line:
                self._field(line)
            elif self._data:
                events.append(self._dispatch())
            else:
                # Extra blank lines and events without data mean nothing (an id alone is not an event).
                self._event = ""
        if rest:
            self._keep(rest)
        if self._size > MAX_EVENT_BYTES:
            raise InvalidResponseError(
                f"an event of the stream has more than {MAX_EVENT_BYTES >> 20} MB, which none of the service has",
                status_code=200,
                request_id=self._request_id,
            )
        return events

    def flush(self) -> list[ServerSentEvent]:
        """Return the event that stood unfinished when the stream ended.

        The standard discards it; a last event without its blank line is still whole if its data is, and that the JSON
        parser tells.
        """
        return self.feed(b"\n\n") if self._buffer or self._data else []

    def _normalized(self, piece: bytes) -> bytes:
        """Return a piece without byte order mark, its lines ended by LF."""
        if self._at_start:
            piece = self._taken() + piece
            if len(piece) < len(_BOM) and _BOM.startswith(piece):
                return piece
            piece = piece.removeprefix(_BOM)
            self._at_start = False
        if self._skip_newline and piece:
            # The CR that ended the piece before was the first half of a CRLF.
            piece = piece.removeprefix(b"\n")
            self._skip_newline = False
        if b"\r" in piece:
            self._skip_newline = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return piece

    def _keep(self, piece: bytes) -> None:
        self._buffer.append(piece)
        self._size += len(piece)

    def _taken(self) -> bytes:
        line = b"".join(self._buffer)
        self._buffer.clear()
        self._size -= len(line)
        return line

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            self._id = value.decode("utf-8", "replace")
        elif name == b"data":  # without a colon
            self._data.append(b"")
            self._size += len(line) + 1

    def _dispatch(self) -> ServerSentEvent:
        event = ServerSentEvent(self._event or "message", b"\n".join(self._data), self._id)
        self._data, self._event, self._size = [], "", 0
        return event
