"""The body of an answer, up to a cap: the HTTP library decodes without one, and a few kilobytes can be gigabytes."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clova_studio._errors import InvalidResponseError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator

    from clova_studio._deadlines import Deadline

__all__ = [
    "ACCEPTED_ENCODINGS",
    "MAX_ANSWER_BYTES",
    "apieces_of",
    "aread_body",
    "aread_out",
    "pieces_of",
    "read_body",
    "read_out",
]

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Bytes of a whole answer after decoding."""

ACCEPTED_ENCODINGS = "gzip, deflate"
"""What requests ask for, and what is decoded."""

_STEP = 1024 * 1024
_FRAME = 2
# Of a stream, after its result.
_LAST_SECONDS = 0.1
_LAST_BYTES = 65_536
_WINDOW = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class _Decoder:
    """Decodes a body piece by piece, each piece in steps of bounded size."""

    def __init__(self, response: Any, request_id: str) -> None:
        self._status_code: int = response.status_code
        self._request_id = request_id
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in {"", "identity", *_WINDOW}:
            raise self._error(f"the answer is encoded as {encoding[:100]!r}, which was not asked for")
        self._encoding = encoding
        self._inflater = zlib.decompressobj(_WINDOW[encoding]) if encoding in _WINDOW else None
        self.is_plain = self._inflater is None
        # The first bytes of the body, until a zlib frame would have been recognized by them.
        self._frame = b""
        self._begun = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield what a piece decodes to, at least once: with each piece time is counted."""
        if self._inflater is None:
            yield piece
            return
        part, empty = b"", True
        # After a full step there may be more in the inflater, although it has taken the whole piece.
        while (piece or len(part) == _STEP) and not self._inflater.eof:
            try:
                part = self._inflater.decompress(piece, _STEP)
            except zlib.error as exc:
                if self._begun or self._encoding != "deflate":
                    raise self._error(f"the answer is not valid {self._encoding}") from exc
                # Some servers leave out the zlib frame.
                self._begun, self._inflater = True, zlib.decompressobj(-zlib.MAX_WBITS)
                piece = self._frame + piece
                continue
            if not self._begun:
                self._frame += piece
                self._begun = len(self._frame) >= _FRAME
            piece = self._inflater.unconsumed_tail
            if part:
                empty = False
                yield part
        if empty:
            yield b""

    def check(self, size: int) -> None:
        """Refuse a whole answer that is too large."""
        if size > MAX_ANSWER_BYTES:
            raise self._error(f"the answer has more than {MAX_ANSWER_BYTES >> 20} MB, which none of the service has")

    def _error(self, message: str) -> InvalidResponseError:
        return InvalidResponseError(message, status_code=self._status_code, request_id=self._request_id)


def pieces_of(response: Any, request_id: str) -> Iterator[bytes]:
    """Yield the body of a streamed answer as it comes, decoded.

    Args:
        response: An httpx (or httpx2) response that was sent for with ``stream=True``.
        request_id: The id of the request.

    Raises:
        InvalidResponseError: The body is encoded wrongly.
    """
    if response.is_stream_consumed:  # a transport that had the whole body at once
        yield response.content
        return
    decoder = _Decoder(response, request_id)
    if decoder.is_plain:  # as streams are: no generator for each token, and no rechunking
        yield from response.stream
        return
    for piece in response.iter_raw():
        yield from decoder.feed(piece)


async def apieces_of(response: Any, request_id: str) -> AsyncGenerator[bytes, None]:
    """Async variant of ``pieces_of``."""
    if response.is_stream_consumed:
        yield response.content
        return
    decoder = _Decoder(response, request_id)
    if decoder.is_plain:
        async for piece in response.stream:
            yield piece
        return
    async for piece in response.aiter_raw():
        for part in decoder.feed(piece):
            yield part


def read_out(pieces: Iterable[bytes], deadline: Deadline) -> None:
    """Read what follows the result of a stream, so that its connection can be used again.

    Mostly the end has come with the result. What takes longer than a tenth of a second, or goes on and on, is given up.

    Args:
        pieces: The rest of the body.
        deadline: The stream's.
    """
    deadline.shorten(_LAST_SECONDS)
    size = 0
    # The answer is whole already: whatever breaks now takes nothing from it.
    with suppress(Exception):
        for piece in pieces:
            size += len(piece)
            if size > _LAST_BYTES:
                return


async def aread_out(pieces: AsyncIterable[bytes], deadline: Deadline) -> None:
    """Async variant of ``read_out``."""
    deadline.shorten(_LAST_SECONDS)
    size = 0
    with suppress(Exception):
        async for piece in pieces:
            size += len(piece)
            if size > _LAST_BYTES:
                return


def read_body(response: Any, request_id: str, deadline: Deadline) -> bytes:
    """Return the whole body of an answer, decoded, and close it.

    Args:
        response: An httpx (or httpx2) response that was sent for with ``stream=True``.
        request_id: The id of the request.
        deadline: How long it may take, for HTTP clients that do not keep it themselves.

    Raises:
        APITimeoutError: The time is over.
        InvalidResponseError: The body is encoded wrongly, or larger than ``MAX_ANSWER_BYTES``.
    """
    try:
        if response.is_stream_consumed:
            return bytes(response.content)
        decoder = _Decoder(response, request_id)
        parts, size = [], 0
        for piece in response.iter_raw():
            for part in decoder.feed(piece):
                parts.append(part)
                size += len(part)
                decoder.check(size)
                deadline.check()
        return b"".join(parts)
    finally:
        response.close()


async def aread_body(response: Any, request_id: str, deadline: Deadline) -> bytes:
    """Async variant of ``read_body``."""
    try:
        if response.is_stream_consumed:
            return bytes(response.content)
        decoder = _Decoder(response, request_id)
        parts, size = [], 0
        async for piece in response.aiter_raw():
            for part in decoder.feed(piece):
                parts.append(part)
                size += len(part)
                decoder.check(size)
                deadline.check()
        return b"".join(parts)
    finally:
        await response.aclose()
