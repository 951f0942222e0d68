"""Sends requests with names that the service takes, and gives out answers with the caller's.

Names with Hangul are sent as they are until they are refused. Then the same request is sent once more with names of
ours, and if it is accepted, the process remembers that for the place.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Self, TypeVar

from clova_studio._errors import BadRequestError, StreamError
from clova_studio.adapters._tool_names import RESPONSE_FORMAT, Fragments, ToolNames

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from types import TracebackType

    from clova_studio._streaming.streams import AsyncChatStream, ChatStream
    from clova_studio.types import ChatChunk, ChatResult

__all__ = ["NamedRequests", "arequest_named", "request_named"]

logger = logging.getLogger("clova_studio")

T = TypeVar("T")

# A refusal of a name: the field that it is about stands in the message, or the code says that it is the schema.
_FIELD = re.compile(
    r"(tools|tool_?calls)\W*\d*\W*function\.(name|parameters|arguments)|response_?format\W*schema", re.IGNORECASE
)
_SCHEMA_REFUSED = "40055"
_MOST_PLACES = 1_000
# The places that refuse names with Hangul, the newest last. Used as an ordered set.
_refusing: dict[str | None, None] = {}


def forget_refused_names() -> None:
    """Forget which places refuse names with Hangul."""
    _refusing.clear()


def _remember(place: str | None) -> None:
    if place in _refusing:
        return
    while len(_refusing) >= _MOST_PLACES:
        _refusing.pop(next(iter(list(_refusing))), None)
    _refusing[place] = None


def _has_calls(messages: Sequence[Mapping[str, Any]]) -> bool:
    return any("toolCalls" in message or "tool_calls" in message for message in messages)


class NamedRequests:
    """The requests of one call, in the names that are sent.

    Args:
        request: Arguments of a method of the client, with all tools that the call may declare, and its history.
        place: Where the requests go: the base URL, or another name for it.
    """

    def __init__(self, request: Mapping[str, Any], place: str | None) -> None:
        self._request = request
        self._place = place
        self._is_doubted = False
        self._names = self._made(ascii_only=place in _refusing)

    def _made(self, *, ascii_only: bool) -> ToolNames | None:
        """Return the names; None if every one is sent as it is."""
        request = self._request
        if not (request.get("tools") or request.get("response_format") or _has_calls(request.get("messages") or ())):
            return None
        names = ToolNames(self._request, ascii_only=ascii_only)
        return None if names.is_plain else names

    def name(self, name: str) -> str:
        """Return the name that is sent for a tool.

        Args:
            name: The caller's name.
        """
        return name if self._names is None else self._names.sent(name)

    def sent(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a request in the names that are sent.

        Args:
            request: A request of this call in the caller's names.
        """
        return request if self._names is None else self._names.request(request)

    def text_of(self, request: Mapping[str, Any], *, takes_text: bool) -> str | None:
        """Return what an answer in text may have as JSON, as ``ToolNames.answer`` takes it.

        Args:
            request: The request, in the caller's names.
            takes_text: Whether a text is as good as a call of the only tool.
        """
        if request.get("response_format"):
            return RESPONSE_FORMAT
        tools = request.get("tools")
        if not takes_text or not tools or len(tools) > 1:
            return None
        return str(tools[0]["function"]["name"])

    def refused(self, error: BadRequestError) -> bool:
        """Handle a refusal.

        Args:
            error: The refusal of a request.

        Returns:
            Whether the names may be the reason, and the same request is to be sent again: it has other names now.
        """
        if error.code != _SCHEMA_REFUSED and _FIELD.search(error.message) is None:
            return False
        names = self._made(ascii_only=True)
        if names == self._names:
            return False
        self._names = names
        self._is_doubted = True
        return True

    def accepted(self) -> None:
        """Take an answer: if other names were refused before, this place is known to refuse them."""
        if self._is_doubted:
            self._is_doubted = False
            _remember(self._place)
            logger.info("tools and parameters are sent with ASCII names from now on: others are refused")

    def result(self, result: T, *, text_of: str | None = None) -> T:
        """Return the answer to a request in the caller's names.

        Args:
            result: The answer; without a ``message`` it is returned as it is.
            text_of: As in ``ToolNames.answer``.
        """
        self.accepted()
        message = getattr(result, "message", None)
        if self._names is None or message is None:
            return result
        named: T = result.model_copy(update={"message": self._names.answer(message, text_of=text_of)})  # type: ignore[attr-defined]  # it has a message
        return named

    def stream(self, stream: ChatStream, *, text_of: str | None = None) -> ChatStream:
        """Return the open stream of an answer in the caller's names.

        Args:
            stream: The stream.
            text_of: As in ``ToolNames.answer``.
        """
        self.accepted()
        if self._names is None:
            return stream
        return _NamedStream(stream, _StreamNames(self, self._names, text_of))  # type: ignore[return-value]  # as far as it is used

    def astream(self, stream: AsyncChatStream, *, text_of: str | None = None) -> AsyncChatStream:
        """Async variant of ``stream``; not awaited."""
        self.accepted()
        if self._names is None:
            return stream
        return _AsyncNamedStream(stream, _StreamNames(self, self._names, text_of))  # type: ignore[return-value]  # as far as it is used


class _StreamNames:
    """Gives the chunks, the result and the errors of one stream the caller's names."""

    def __init__(self, requests: NamedRequests, names: ToolNames, text_of: str | None) -> None:
        self._requests = requests
        self._names = names
        self._text_of = text_of
        self._fragments = Fragments(names)
        self._text = None if text_of is None else names.replacer(text_of)

    def chunk(self, chunk: ChatChunk) -> ChatChunk:
        message = chunk.message
        if not (message.content or chunk.tool_call_fragments or chunk.is_last):
            return chunk
        changed: dict[str, Any] = {}
        if chunk.tool_call_fragments:
            changed["tool_call_fragments"] = self._fragments.named(chunk.tool_call_fragments)
        message = self._names.answer(message)
        if self._text is not None:
            text = self._text.feed(message.content) + (self._text.rest() if chunk.is_last else "")
            if text != message.content:
                message = message.model_copy(update={"content": text})
        if message is not chunk.message:
            changed["message"] = message
        return chunk.model_copy(update=changed) if changed else chunk

    def result(self, result: ChatResult) -> ChatResult:
        return self._requests.result(result, text_of=self._text_of)

    def error(self, error: StreamError) -> None:
        if error.partial is not None:
            error.partial = self.result(error.partial)


class _NamedStream:
    def __init__(self, stream: ChatStream, names: _StreamNames) -> None:
        self._stream = stream
        self._names = names

    def __enter__(self) -> Self:
        return self  # the stream inside is open

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.__exit__(kind, error, trace)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChatChunk:
        try:
            return self._names.chunk(next(self._stream))
        except StreamError as error:
            self._names.error(error)
            raise

    def result(self) -> ChatResult:
        return self._names.result(self._stream.result())


class _AsyncNamedStream:
    def __init__(self, stream: AsyncChatStream, names: _StreamNames) -> None:
        self._stream = stream
        self._names = names

    async def __aenter__(self) -> Self:
        return self  # the stream inside is open

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stream.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatChunk:
        try:
            return self._names.chunk(await anext(self._stream))
        except StreamError as error:
            self._names.error(error)
            raise

    def result(self) -> ChatResult:
        return self._names.result(self._stream.result())


def request_named(send: Callable[..., T], request: dict[str, Any], *, place: str | None) -> T:
    """Return the answer to one request in the caller's names; it is sent in names that the service takes.

    Args:
        send: The client's method.
        request: Its arguments by name, in the caller's names.
        place: Where the request goes: the base URL, or another name for it.

    Raises:
        ClovaStudioError: The request failed, or was wrong and not sent.
    """
    requests = NamedRequests(request, place)
    while True:
        try:
            return requests.result(send(**requests.sent(request)))
        except BadRequestError as error:
            if not requests.refused(error):
                raise


async def arequest_named(send: Callable[..., Awaitable[T]], request: dict[str, Any], *, place: str | None) -> T:
    """Async variant of ``request_named``."""
    requests = NamedRequests(request, place)
    while True:
        try:
            return requests.result(await send(**requests.sent(request)))
        except BadRequestError as error:
            if not requests.refused(error):
                raise
