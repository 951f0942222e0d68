"""Chunks of an OpenAI-compatible stream -> typed chunks -> the final result. Pure.

The service's chunks are documented only as "like OpenAI's" and none is recorded: a chunk may lack anything, fragments
of tool calls may lack their index or repeat their id, a whole message may come at the end as in the native API, and
``[DONE]`` may be missing after the finish reason.

As in the native stream no tool call is passed on before the end: there are all calls of the answer, each once and
whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._responses import parse_payload, refuse_error_event
from clova_studio._streaming.call_fragments import CallFragments
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
        "_ended",
        "_finish_reason",
        "_fragments",
        "_head",
        "_last",
        "_passed_on",
        "_request_id",
        "_text",
        "_thinking",
        "_whole",
        "result",
    )

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._fragments = CallFragments()
        # The text of the arguments of each call that the caller has got.
        self._passed_on: list[str] = []
        self._whole: OpenAIMessage | None = None
        self._ended = False
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
            self._ended = True
            chunk = self._left_over()
            self._complete()
            return chunk
        if event.event not in {"message", "token", "result"}:
            refuse_error_event(event, self._request_id)
            return None
        refuse_error_event(event, self._request_id)
        chunk = parse_payload(OpenAIChatChunk, event.data, self._request_id)
        chunk.request_id = self._request_id
        self._head = self._head or chunk
        if chunk.usage is not None or self._last is None:
            self._last = chunk
        if chunk.choices:
            self._take(chunk, chunk.choices[0])
        return chunk

    def says(self, chunk: OpenAIChatChunk) -> bool:
        """Return whether a chunk has something for the caller: text or a part of a tool call."""
        delta = chunk.delta
        return bool(delta.content or delta.reasoning_content) or any(
            call.function.name or call.function.arguments for call in chunk.tool_call_fragments or ()
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
        if self._whole is not None:
            message = self._whole
        else:
            message = OpenAIMessage(
                role="assistant",
                content="".join(self._text),
                reasoning_content="".join(self._thinking) or None,
                tool_calls=self._calls() or None,
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

    def _take(self, chunk: OpenAIChatChunk, choice: OpenAIChoice) -> None:
        """Take a chunk's choice, and leave in its delta what can be passed on."""
        delta, whole = choice.delta, choice.message
        self._finish_reason = choice.finish_reason or self._finish_reason
        if whole.content or whole.reasoning_content or whole.tool_calls:
            self._whole = whole
            delta.content = delta.content or _rest("".join(self._text), whole.content)
            thinking = whole.reasoning_content or ""
            delta.reasoning_content = delta.reasoning_content or _rest("".join(self._thinking), thinking) or None
        if delta.content:
            self._text.append(delta.content)
        if delta.reasoning_content:
            self._thinking.append(delta.reasoning_content)
        if delta.tool_calls is not None:
            chunk.tool_call_fragments, delta.tool_calls = delta.tool_calls or None, None
            for call in chunk.tool_call_fragments or ():
                function = call.function
                call.index = self._fragments.take(call.id, call.index, function.name, function.arguments)
        if self._finish_reason is not None or self._whole is not None:
            delta.tool_calls = self._to_pass_on() or None

    def _calls(self) -> list[OpenAIToolCall]:
        """Return the calls of the answer as far as it is there."""
        if self._whole is not None:
            calls = self._whole.tool_calls or []
            return [call.model_copy(update={"index": index}, deep=True) for index, call in enumerate(calls)]
        found = []
        # A call that was cut keeps its text as it came: it must not become a whole one.
        is_cut = self._finish_reason == "length" or (self._finish_reason is None and not self._ended)
        for index, call in enumerate(self._fragments.calls):
            text = call.text if is_cut else call.whole_text()
            if index < len(self._passed_on) and not text.startswith(self._passed_on[index]):
                text = self._passed_on[index]
            if is_cut and not text.strip() and call is self._fragments.calls[-1]:
                continue  # nothing but its name has arrived, which would look like a call without arguments
            function = OpenAIFunction(name=call.name, arguments=text)
            found.append(OpenAIToolCall(id=call.id, index=index, function=function))
        return found

    def _to_pass_on(self) -> list[OpenAIToolCall]:
        """Return what the caller has not got of the calls; more can come after a finish reason."""
        deltas = []
        for index, call in enumerate(self._calls()):
            text = call.function.arguments
            if index == len(self._passed_on):
                self._passed_on.append(text)
                deltas.append(call)
            elif (rest := _rest(self._passed_on[index], text)) != "":
                self._passed_on[index] = text
                deltas.append(OpenAIToolCall(index=index, function=OpenAIFunction(arguments=rest)))
        return deltas

    def _left_over(self) -> OpenAIChatChunk | None:
        """Return a chunk with the calls of an answer that ends without a finish reason, None if there are none."""
        deltas = self._to_pass_on()
        if not deltas:
            return None
        head = self._head or OpenAIChatChunk()
        choice = OpenAIChoice(delta=OpenAIMessage(role="assistant", tool_calls=deltas))
        return OpenAIChatChunk(
            id=head.id,
            object=head.object,
            created=head.created,
            model=head.model,
            choices=[choice],
            request_id=self._request_id,
        )


def _rest(seen: str, whole: str) -> str:
    """Return the end of the whole text that the tokens have not brought; nothing if the two differ otherwise."""
    return whole[len(seen) :] if whole.startswith(seen) else ""
