"""Streams: an iterator of chunks that is a context manager and ends in a result.

A stream sends its request when it is entered or first iterated, is repeated like any call until its first chunk is
there, and never after. The connection is closed however the stream ends: at its last event, on ``break``, on an
exception, on cancellation.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

from clova_studio._errors import StreamError
from clova_studio.types._base import Result
from clova_studio.types.chat import ChatChunk, ChatResult
from clova_studio.types.openai import OpenAIChatChunk, OpenAIChatResult
from clova_studio.types.skillsets import SkillsetChunk, SkillsetResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from types import TracebackType

    from clova_studio._streaming.reader import EventReader

__all__ = [
    "AsyncChatStream",
    "AsyncOpenAIChatStream",
    "AsyncOpened",
    "AsyncSkillsetStream",
    "AsyncStream",
    "ChatStream",
    "OpenAIChatStream",
    "Opened",
    "SkillsetStream",
    "Stream",
    "first_of",
]

ChunkT = TypeVar("ChunkT", bound=Result)
ResultT = TypeVar("ResultT", bound=Result)


class Opened(NamedTuple, Generic[ChunkT, ResultT]):
    """A stream whose first chunk is there."""

    first: ChunkT
    rest: Generator[ChunkT, None, None]
    reader: EventReader[ChunkT, ResultT]


class AsyncOpened(NamedTuple, Generic[ChunkT, ResultT]):
    """A stream whose first chunk is there."""

    first: ChunkT
    rest: AsyncGenerator[ChunkT, None]
    reader: EventReader[ChunkT, ResultT]


async def first_of(chunks: AsyncGenerator[ChunkT, None]) -> ChunkT:
    """Return the first chunk of a generator that its stream alone closes.

    A loop that ends closes all generators that it knows of at once, this one and those around it that close this one in
    turn, which asyncio then complains of. The connection is closed with the loop's others in any case.
    """
    known, dropped = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, dropped)
    try:
        first = anext(chunks)
    finally:
        sys.set_asyncgen_hooks(known, dropped)
    return await first


class _StreamState(Generic[ChunkT, ResultT]):
    """What both kinds of stream know."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._reader: EventReader[ChunkT, ResultT] | None = None
        self._first: ChunkT | None = None
        self._closed = False

    @property
    def request_id(self) -> str:
        """The id that goes with the request."""
        return self._request_id

    @property
    def partial(self) -> ResultT | None:
        """What has arrived so far as a result, None if nothing has."""
        return self._reader.partial if self._reader is not None else None

    def result(self) -> ResultT:
        """Return the final result: the whole message, usage, finish reason.

        Raises:
            StreamError: The stream is not at its end; iterate it to its end first. What has arrived is on ``partial``.
        """
        result = self._reader.result if self._reader is not None else None
        if result is None:
            raise StreamError(
                "the stream has no result yet: iterate it to its end first",
                request_id=self._request_id,
                partial=self.partial,
            )
        return result

    def _take_first(self, opened: Opened[ChunkT, ResultT] | AsyncOpened[ChunkT, ResultT]) -> None:
        self._first = opened.first
        self._reader = opened.reader

    def _check_open(self) -> None:
        if self._closed:
            raise StreamError(
                "the stream is closed: make a new one to send the request again",
                request_id=self._request_id,
                partial=self.partial,
            )


class Stream(_StreamState[ChunkT, ResultT]):
    """A streamed answer: iterate it for its chunks, then ask for ``result()``.

    ``with client.stream_chat(...) as stream: ...`` closes the connection whatever happens.
    """

    def __init__(self, start: Callable[[], Opened[ChunkT, ResultT]], request_id: str) -> None:
        super().__init__(request_id)
        self._start = start
        self._chunks: Generator[ChunkT, None, None] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChunkT:
        chunks = self._chunks
        if chunks is None:
            chunks = self._open()
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(chunks)

    def __enter__(self) -> Self:
        if self._chunks is None:
            self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what has arrived stays on ``partial``."""
        self._closed = True
        if self._chunks is not None:
            self._first = None
            self._chunks.close()

    def _open(self) -> Generator[ChunkT, None, None]:
        self._check_open()
        opened = self._start()
        self._take_first(opened)
        self._chunks = opened.rest
        return opened.rest


class AsyncStream(_StreamState[ChunkT, ResultT]):
    """A streamed answer: iterate it for its chunks, then ask for ``result()`` (not awaited).

    ``async with client.stream_chat(...) as stream: ...`` closes the connection whatever happens.
    """

    def __init__(self, start: Callable[[], Awaitable[AsyncOpened[ChunkT, ResultT]]], request_id: str) -> None:
        super().__init__(request_id)
        self._start = start
        self._chunks: AsyncGenerator[ChunkT, None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChunkT:
        chunks = self._chunks
        if chunks is None:
            chunks = await self._open()
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await chunks.__anext__()

    async def __aenter__(self) -> Self:
        if self._chunks is None:
            await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Async variant of ``close``."""
        self._closed = True
        if self._chunks is not None:
            self._first = None
            await self._chunks.aclose()

    async def _open(self) -> AsyncGenerator[ChunkT, None]:
        self._check_open()
        opened = await self._start()
        self._take_first(opened)
        self._chunks = opened.rest
        return opened.rest


class ChatStream(Stream[ChatChunk, ChatResult]):
    """A streamed chat: ``ChatChunk`` by ``ChatChunk``, then ``result()`` is the ``ChatResult``.

    A stream that breaks off is a ``StreamInterruptedError``; what had arrived is on its ``partial``.
    """


class AsyncChatStream(AsyncStream[ChatChunk, ChatResult]):
    """A streamed chat: ``ChatChunk`` by ``ChatChunk``, then ``result()`` is the ``ChatResult``.

    A stream that breaks off is a ``StreamInterruptedError``; what had arrived is on its ``partial``.
    """


class SkillsetStream(Stream[SkillsetChunk, SkillsetResult]):
    """A streamed skillset: ``SkillsetChunk`` by ``SkillsetChunk``, then ``result()`` is the ``SkillsetResult``.

    A stream that breaks off is a ``StreamInterruptedError``; what had arrived is on its ``partial``.
    """


class AsyncSkillsetStream(AsyncStream[SkillsetChunk, SkillsetResult]):
    """A streamed skillset: ``SkillsetChunk`` by ``SkillsetChunk``, then ``result()`` is the ``SkillsetResult``.

    A stream that breaks off is a ``StreamInterruptedError``; what had arrived is on its ``partial``.
    """


class OpenAIChatStream(Stream[OpenAIChatChunk, OpenAIChatResult]):
    """A streamed chat of the OpenAI-compatible API; ``result()`` is the ``OpenAIChatResult``.

    A stream that breaks off is a ``StreamInterruptedError``; what had arrived is on its ``partial``.
    """


class AsyncOpenAIChatStream(AsyncStream[OpenAIChatChunk, OpenAIChatResult]):
    """A streamed chat of the OpenAI-compatible API; ``result()`` is the ``OpenAIChatResult``.

    A stream that breaks off is a ``StreamInterruptedError``; what had arrived is on its ``partial``.
    """
