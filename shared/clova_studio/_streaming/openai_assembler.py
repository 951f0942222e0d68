"""Chunks of an OpenAI-compatible stream -> typed chunks -> the final result. Pure.

The service's chunks are documented only as "like OpenAI's" and none is recorded: a chunk may lack anything, tool
fragments may lack their index or repeat their id, and ``[DONE]`` may be missing after the finish reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._responses import parse_payload, refuse_error_event
from clova_studio.types.openai import (
    OpenAIChatChunk,
    OpenAIChatResult,
    OpenAIChoice,
    OpenAIFunction,
    OpenAIMessage,
    OpenAIToolCall,
)

if TYPE_CHECKING:
    from clova_studio._streaming.sse import ServerSentEvent

__all__ = ["OpenAIAssembler"]


class OpenAIAssembler:
    """Collects one streamed answer."""

    __slots__ = (
        "_arguments",
        "_calls",
        "_finish_reason",
        "_head",
        "_last",
        "_request_id",
        "_text",
        "_thinking",
        "result",
    )

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: dict[int, OpenAIToolCall] = {}
        self._arguments: dict[int, list[str]] = {}
        self._finish_reason: str | None = None
        self._head: OpenAIChatChunk | None = None
        self._last: OpenAIChatChunk | None = None
        self.result: OpenAIChatResult | None = None

    def feed(self, event: ServerSentEvent) -> OpenAIChatChunk | None:
        """Return the chunk of an event, or None for an event that carries nothing for the caller.

        Raises:
            APIStatusError: The event is an error.
            InvalidResponseError: The event is not readable.
        """
        if event.data.strip() == b"[DONE]":
            self._complete()
            return None
        if event.event not in {"message", "token", "result"}:
            refuse_error_event(event, self._request_id)
            return None
        refuse_error_event(event, self._request_id)
        chunk = parse_payload(OpenAIChatChunk, event.data, self._request_id)
        chunk.request_id = self._request_id
        self._head = self._head or chunk
        if chunk.usage is not None or self._last is None:
            self._last = chunk
        delta = chunk.delta
        if delta.content:
            self._text.append(delta.content)
        if delta.reasoning_content:
            self._thinking.append(delta.reasoning_content)
        for call in delta.tool_calls or ():
            self._take(call)
        self._finish_reason = chunk.finish_reason or self._finish_reason
        return chunk

    def says(self, chunk: OpenAIChatChunk) -> bool:
        """Return whether a chunk has something for the caller: text or a part of a tool call."""
        delta = chunk.delta
        return bool(delta.content or delta.reasoning_content) or any(
            call.function.name or call.function.arguments for call in delta.tool_calls or ()
        )

    def finish(self, result: OpenAIChatResult) -> OpenAIChatChunk:
        """Take an answer that came whole and return its one chunk."""
        result.request_id = self._request_id
        self.result = result
        values = {name: value for name, value in result.__dict__.items() if name != "choices"}
        choice = OpenAIChoice(delta=result.message, finish_reason=result.finish_reason)
        return OpenAIChatChunk.model_construct(choices=[choice], **values)

    def partial(self) -> OpenAIChatResult | None:
        """Return what has arrived so far, None for nothing."""
        if self.result is not None:
            return self.result
        return self._assembled() if self._head is not None else None

    def end(self) -> None:
        """Set the result if the answer is whole without ``[DONE]``."""
        if self._finish_reason is not None:
            self._complete()

    def _complete(self) -> None:
        if self._head is not None:
            self.result = self._assembled()

    def _assembled(self) -> OpenAIChatResult:
        message = OpenAIMessage(
            role="assistant",
            content="".join(self._text),
            reasoning_content="".join(self._thinking) or None,
            tool_calls=[self._assembled_call(index) for index in sorted(self._calls)] or None,
        )
        head, last = self._head or OpenAIChatChunk(), self._last or OpenAIChatChunk()
        return OpenAIChatResult(
            id=head.id,
            object="chat.completion",
            created=head.created,
            model=head.model,
            seed=head.seed,
            usage=last.usage,
            choices=[OpenAIChoice(message=message, finish_reason=self._finish_reason)],
            request_id=self._request_id,
        )

    def _take(self, fragment: OpenAIToolCall) -> None:
        index = fragment.index
        if index is None:
            # By id, like the native stream: a new id opens a call, what has none belongs to the latest one.
            latest = max(self._calls, default=-1)
            known = latest >= 0 and fragment.id in {None, self._calls[latest].id}
            index = fragment.index = latest if known else latest + 1
        call = self._calls.get(index)
        if call is None:
            self._calls[index] = fragment.model_copy(deep=True)
            self._arguments[index] = [fragment.function.arguments]
            return
        self._arguments[index].append(fragment.function.arguments)
        function = OpenAIFunction(name=call.function.name or fragment.function.name)
        self._calls[index] = OpenAIToolCall(id=call.id or fragment.id, index=index, function=function)

    def _assembled_call(self, index: int) -> OpenAIToolCall:
        call = self._calls[index].model_copy(deep=True)
        call.function.arguments = "".join(self._arguments[index])
        return call
