"""Events of a chat stream -> chunks -> the final result. Pure.

Tokens are deltas, ``result`` repeats the whole answer: it gives usage, finish reason and the truth about tool calls,
and only what no token brought is passed on from it, so that nothing is doubled and nothing is missing. After ``result``
the stream is complete; ``signal`` may or may not follow.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from clova_studio._responses import parse_payload, refuse_error_event
from clova_studio.types._json import parse_json
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

    __slots__ = ("_calls", "_fragments", "_request_id", "_text", "_thinking", "_validate", "result")

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        # What model_validate_json calls in the end; this is done for every token of a stream.
        self._validate: Callable[[bytes], ChatChunk] = ChatChunk.__pydantic_validator__.validate_json
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[ToolCall] = []
        self._fragments: list[list[str]] = []
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
                chunk = parse_payload(ChatChunk, event.data, self._request_id)
            # Past __setattr__, which would check what needs no check.
            vars(chunk)["request_id"] = self._request_id
            chunk.__pydantic_fields_set__.add("request_id")
            message = chunk.message
            if message.content:
                self._text.append(message.content)
            if message.thinking_content:
                self._thinking.append(message.thinking_content)
            if message.tool_calls:
                for call in message.tool_calls:
                    self._take_fragment(call)
            return chunk
        if event.event == "result":
            result = parse_payload(ChatResult, event.data, self._request_id)
            return self.finish(result)
        refuse_error_event(event, self._request_id)
        return None

    def finish(self, result: ChatResult) -> ChatChunk:
        """Take the whole answer and return the last chunk: what no token brought, and what comes only at the end."""
        result.request_id = self._request_id
        self.result = result
        message = result.message
        delta = Message(
            role=message.role,
            content=_rest("".join(self._text), message.content),
            thinking_content=_rest("".join(self._thinking), message.thinking_content or "") or None,
            tool_calls=self._missing_calls(message.tool_calls or []) or None,
        )
        values = {name: value for name, value in result.__dict__.items() if name != "message"}
        return _LastChatChunk.model_construct(message=delta, **values)

    def partial(self) -> ChatResult | None:
        """Return what has arrived so far as a result without finish reason, or None if nothing has.

        The arguments of a tool call that is not complete stand as text in ``function.partial_json``.
        """
        if self.result is not None:
            return self.result
        if not (self._text or self._thinking or self._calls):
            return None
        calls = [self._partial_call(i) for i in range(len(self._calls))]
        message = Message(
            content="".join(self._text),
            thinking_content="".join(self._thinking) or None,
            tool_calls=calls or None,
        )
        return ChatResult(message=message, request_id=self._request_id)

    def end(self) -> None:
        """Do nothing: without its result event an answer is not whole."""

    def _take_fragment(self, call: ToolCall) -> None:
        """Count a fragment to its call: an id opens a call, what has none belongs to the latest one."""
        if call.id is not None or not self._calls:
            self._calls.append(call)
            self._fragments.append([])
        call.index = len(self._calls) - 1
        if call.function.partial_json:
            self._fragments[-1].append(call.function.partial_json)

    def _missing_calls(self, calls: list[ToolCall]) -> list[ToolCall]:
        """Return, as fragments, the calls of the whole answer that no token opened, or that got no arguments."""
        opened = {call.id: index for index, call in enumerate(self._calls)}
        missing = []
        for call in calls:
            index = opened.get(call.id)
            if index is not None and "".join(self._fragments[index]).strip():
                continue
            arguments = json.dumps(call.function.arguments, ensure_ascii=False)
            if index is not None:
                function = ToolCallFunction(partial_json=arguments)
                missing.append(ToolCall(index=index, function=function))
                continue
            function = ToolCallFunction(name=call.function.name, partial_json=arguments)
            missing.append(ToolCall(id=call.id, index=len(self._calls), function=function))
            self._calls.append(missing[-1])
            self._fragments.append([arguments])
        return missing

    def _partial_call(self, i: int) -> ToolCall:
        opened, text = self._calls[i], "".join(self._fragments[i])
        function = ToolCallFunction(name=opened.function.name, partial_json=text)
        try:
            arguments = parse_json(text)
        except ValueError:
            arguments = None
        if isinstance(arguments, dict):
            function = ToolCallFunction(name=opened.function.name, arguments=arguments, partial_json=text)
        return ToolCall(id=opened.id, index=i, function=function)


def _rest(seen: str, whole: str) -> str:
    """Return the end of the whole text that the tokens have not brought; nothing if the two differ otherwise."""
    return whole[len(seen) :] if whole.startswith(seen) else ""
