"""The body of a streamed answer -> chunks: when it is complete, and what a wrong end means. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from clova_studio._errors import ClovaStudioError, InvalidResponseError, StreamInterruptedError
from clova_studio._rate_limits.headers import parse_rate_limit
from clova_studio._responses import parse_response, transport_error, unreadable
from clova_studio._streaming.sse import SSEDecoder
from clova_studio.types._base import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clova_studio._deadlines import Deadline
    from clova_studio._requests.call import Call
    from clova_studio._streaming.sse import ServerSentEvent
    from clova_studio.types._base import RateLimit

__all__ = ["Assembler", "EventReader"]

ChunkT = TypeVar("ChunkT", bound=Result)
ChunkT_co = TypeVar("ChunkT_co", bound=Result, covariant=True)
ResultT = TypeVar("ResultT", bound=Result)


class Assembler(Protocol[ChunkT_co, ResultT]):
    """What turns the events of one kind of stream into chunks and a result."""

    result: ResultT | None

    def feed(self, event: ServerSentEvent) -> ChunkT_co | None:
        """Return the chunk of an event, None for none."""
        ...

    def says(self, chunk: Any) -> bool:
        """Return whether a chunk has something for the caller: text or a part of a tool call."""
        ...

    def finish(self, result: ResultT) -> ChunkT_co:
        """Take the whole answer and return the last chunk."""
        ...

    def partial(self) -> ResultT | None:
        """Return what has arrived so far, None for nothing."""
        ...

    def end(self) -> None:
        """Set the result if the events so far make a whole answer although none said so."""
        ...


class EventReader(Generic[ChunkT, ResultT]):
    """Reads one streamed answer: ``feed`` it, then ``take`` a chunk each time that it can ``advance``.

    No frame holds a chunk that the caller may be done with: an open stream takes little more memory than its bytes.

    Args:
        call: What was asked.
        deadline: How long to wait for the next chunk that says something.
    """

    __slots__ = (
        "_assembler",
        "_call",
        "_deadline",
        "_decoder",
        "_events",
        "_rate_limit",
        "_ready",
        "_request_id",
        "_started",
    )

    def __init__(self, call: Call[ResultT], deadline: Deadline) -> None:
        if call.assembler is None:
            raise TypeError(f"{call.path} is not streamed")
        self._assembler: Assembler[ChunkT, ResultT] = call.assembler(call.request_id)
        self._call = call
        self._request_id = call.request_id
        self._deadline = deadline
        self._decoder = SSEDecoder(call.request_id)
        # The next one last.
        self._events: list[ServerSentEvent] = []
        self._ready: list[ChunkT] = []
        self._rate_limit: RateLimit | None = None
        self._started = False

    @property
    def result(self) -> ResultT | None:
        """The whole answer once it is there."""
        return self._assembler.result

    @property
    def partial(self) -> ResultT | None:
        """What has arrived so far, None for nothing."""
        return self._assembler.partial()

    def is_stream(self, status_code: int, headers: Mapping[str, str]) -> bool:
        """Return whether the body is to be read as events; otherwise it goes whole to ``whole``.

        The service answers wrong requests with an ordinary JSON body, a gateway with HTML.
        """
        self._rate_limit = parse_rate_limit(headers)
        kind = headers.get("content-type", "").lower()
        return status_code == 200 and "json" not in kind and "html" not in kind  # noqa: PLR2004

    def whole(self, status_code: int, headers: Mapping[str, str], body: bytes) -> ChunkT:
        """Return the one chunk of an answer that came whole.

        Raises:
            ClovaStudioError: It is an error.
        """
        result = parse_response(status_code, headers, body, self._call)
        try:
            return self._assembler.finish(result)
        except Exception as exc:
            raise unreadable(exc, self._request_id, status_code) from exc

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body, when there is nothing left to take of the one before."""
        events = self._decoder.feed(piece)
        events.reverse()
        self._events = events

    def advance(self) -> bool:
        """Read on to the next chunk of what was fed, no further; return whether there is one to take."""
        assembler, events = self._assembler, self._events
        while events:
            try:
                chunk = assembler.feed(events.pop())
            except ClovaStudioError:
                raise
            except Exception as exc:
                raise unreadable(exc, self._request_id) from exc
            complete = assembler.result
            if complete is not None:
                events.clear()
                complete.rate_limit = self._rate_limit
                if chunk is not None:
                    chunk.rate_limit = self._rate_limit
            if chunk is not None:
                self._started = True
                self._ready.append(chunk)
                if assembler.says(chunk):
                    self._deadline.restart()
                else:
                    self._deadline.pause()
                return True
        if assembler.result is None:
            self._deadline.resume()
        return False

    def take(self) -> ChunkT:
        """Return the chunk that was read."""
        return self._ready.pop()

    def end(self) -> Iterator[ChunkT]:
        """Yield what the end of the body completes, and refuse an answer that is not whole."""
        self._events = self._decoder.flush()
        while self.advance():
            yield self.take()
        if self.result is None:
            self._assembler.end()
        if self.result is None:
            raise InvalidResponseError(
                "the stream ended before its result", status_code=200, request_id=self._request_id
            )

    def failure(self, exc: Exception) -> ClovaStudioError | None:
        """Return the error for what broke the stream, None if it is none of the connection or the service.

        Before the first chunk it is the error itself, so that the call can be repeated; after it, it is a
        ``StreamInterruptedError`` with what had arrived.
        """
        error = exc if isinstance(exc, ClovaStudioError) else transport_error(exc, self._request_id)
        if error is None or not self._started or isinstance(error, StreamInterruptedError):
            return error
        if error is not exc:
            error.__cause__ = exc
        interrupted = StreamInterruptedError(
            f"the stream broke after its first event: {error.message}",
            code=getattr(error, "code", None),
            request_id=self._request_id,
            partial=self.partial,
        )
        interrupted.__cause__ = error
        return interrupted
