"""Events of a chat stream -> chunks -> the final result. Pure.

Tokens are deltas, ``result`` repeats the whole answer: it gives usage, finish reason and the tool calls, and of its
text only what no token brought is passed on, so that nothing is doubled and nothing is missing. After ``result`` the
stream is complete; ``signal`` may or may not follow.

No tool call is passed on before ``result``. The fragments of calls can differ from it (observed), they do not say to
which call they belong, and what was passed on cannot be taken back: half an argument, repaired by whoever reads it,
runs a tool. They are there for those who show progress, apart from the calls.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from clova_studio._responses import parse_payload, refuse_error_event
from clova_studio._streaming.call_fragments import CallFragments
from clova_studio.types.chat import ChatChunk, ChatResult, Message, ToolCall, ToolCallFunction

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio._streaming.sse import ServerSentEvent

__all__ = ["ChatAssembler"]


class _LastChatChunk(ChatChunk):
    """The chunk that ends an answer."""

    is_last: ClassVar[bool] = True


class ChatAssembler:
    """Collects one streamed answer."""

    __slots__ = ("_fragments", "_request_id", "_text", "_thinking", "_validate", "result")

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        # What model_validate_json calls in the end; this is done for every token of a stream.
        self._validate: Callable[[bytes], ChatChunk] = ChatChunk.__pydantic_validator__.validate_json
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._fragments = CallFragments()
        self.result: ChatResult | None = None

    def feed(self, event: ServerSentEvent) -> ChatChunk | None:
        """Return the chunk of an event, or None for an event that carries nothing for the caller.

        Raises:
            APIStatusError: The event is an error.
            InvalidResponseError: The event is not readable.
        """
        if event.event == "token":
            try:
                chunk = self._validate(event.data)
            except ValidationError:
                chunk = self._without_fragments(event.data)
            # Past __setattr__, which would check what needs no check.
            vars(chunk)["request_id"] = self._request_id
            chunk.__pydantic_fields_set__.add("request_id")
            message = chunk.message
            if message.content:
                self._text.append(message.content)
            if message.thinking_content:
                self._thinking.append(message.thinking_content)
            if message.tool_calls:
                self._take_fragments(chunk)
            return chunk
        if event.event == "result":
            result = parse_payload(ChatResult, event.data, self._request_id)
            return self.finish(result)
        refuse_error_event(event, self._request_id)
        return None

    def says(self, chunk: ChatChunk) -> bool:
        """Return whether a chunk has something for the caller: text or a part of a tool call."""
        message = chunk.message
        return bool(message.content or message.thinking_content) or any(
            call.id or call.function.name or call.function.partial_json for call in chunk.tool_call_fragments or ()
        )

    def finish(self, result: ChatResult) -> ChatChunk:
        """Take the whole answer and return the last chunk: what no token brought, and what comes only at the end."""
        result.request_id = self._request_id
        self.result = result
        message = result.message
        if result.finish_reason == "length":
            message.invalid_tool_calls = [*(message.invalid_tool_calls or ()), *self._cut_calls(message)] or None
        delta = Message(
            role=message.role,
            content=_rest("".join(self._text), message.content),
            thinking_content=_rest("".join(self._thinking), message.thinking_content or "") or None,
            tool_calls=[_with_text(call) for call in message.tool_calls or ()] or None,
            invalid_tool_calls=message.invalid_tool_calls,
        )
        values = {name: value for name, value in result.__dict__.items() if name != "message"}
        return _LastChatChunk.model_construct(message=delta, **values)

    def partial(self) -> ChatResult | None:
        """Return what has arrived so far as a result without finish reason, or None if nothing has.

        Its tool calls are invalid ones: without a result none of them is certain.
        """
        if self.result is not None:
            return self.result
        calls = self._unsettled_calls()
        if not (self._text or self._thinking or calls):
            return None
        message = Message(
            content="".join(self._text),
            thinking_content="".join(self._thinking) or None,
            invalid_tool_calls=calls or None,
        )
        return ChatResult(message=message, request_id=self._request_id)

    def end(self) -> None:
        """Do nothing: without its result event an answer is not whole."""

    def _take_fragments(self, chunk: ChatChunk) -> None:
        """Move what a token brought of tool calls to where it cannot be taken for calls."""
        message = chunk.message
        fragments = message.tool_calls or []
        for call in fragments:
            function = call.function
            if function.partial_json is None and function.arguments:
                function.partial_json = json.dumps(function.arguments, ensure_ascii=False)
                function.arguments = {}
            call.index = self._fragments.take(call.id, call.index, function.name, function.partial_json or "")
        message.tool_calls = None
        chunk.tool_call_fragments = fragments

    def _without_fragments(self, data: bytes) -> ChatChunk:
        """Return the chunk of a token that does not fit; its tool calls may be odd, as ``result`` has them once more.

        Raises:
            APIStatusError: The payload is an error envelope.
            InvalidResponseError: It is not readable without its tool calls either.
        """
        with suppress(ValueError, LookupError, TypeError, RecursionError):
            parsed = json.loads(data)
            del parsed["message"]["toolCalls"]
            return ChatChunk.model_validate(parsed)
        # Outside of any handler: the error of another parser would hold what was sent, and be this one's context.
        return parse_payload(ChatChunk, data, self._request_id)

    def _cut_calls(self, message: Message) -> list[ToolCall]:
        """Return the calls that had begun when the answer was cut at the output cap, and that it has no more."""
        known = [*(message.tool_calls or ()), *(message.invalid_tool_calls or ())]
        ids = {call.id for call in known}
        begun = self._unsettled_calls()
        missing = len(begun) - len(known)
        cut = [call for call in begun if call.id not in ids][-missing:] if missing > 0 else []
        for index, call in enumerate(cut, len(known)):
            call.index = index
        return cut

    def _unsettled_calls(self) -> list[ToolCall]:
        """Return the calls as their fragments have them, as text."""
        return [
            ToolCall(id=call.id, index=index, function=ToolCallFunction(name=call.name, partial_json=call.text))
            for index, call in enumerate(self._fragments.calls)
        ]


def _with_text(call: ToolCall) -> ToolCall:
    """Return a call with its arguments as JSON text too, for those who join the pieces of a stream."""
    function = call.function
    text = json.dumps(function.arguments, ensure_ascii=False)
    whole = ToolCallFunction(name=function.name, arguments=function.arguments, partial_json=text)
    return ToolCall(id=call.id, index=call.index, function=whole)


def _rest(seen: str, whole: str) -> str:
    """Return the end of the whole text that the tokens have not brought; nothing if the two differ otherwise."""
    return whole[len(seen) :] if whole.startswith(seen) else ""
