"""Turns results and chunks of the client into LlamaIndex's responses. Pure."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

if TYPE_CHECKING:
    from clova_studio import ChatChunk, ChatResult, ToolCall
    from clova_studio.adapters import ToolChoiceFlow

__all__ = ["ResponseMaker", "completion_of"]


class ResponseMaker:
    """Turns the answer of one call into LlamaIndex's responses."""

    def __init__(self, flow: ToolChoiceFlow, *, single_call: bool) -> None:
        self._flow = flow
        self._single_call = single_call
        self._text = ""
        self._thinking = ""
        self._calls: dict[int, _PartialCall] = {}

    def whole(self, result: ChatResult) -> ChatResponse:
        """Return the response for a complete answer."""
        message = result.message
        blocks = self._blocks(message.tool_calls or [])
        return self._response(
            self._message(message.content, message.thinking_content or "", blocks, result), result=result
        )

    def piece(self, piece: ChatChunk) -> ChatResponse | None:
        """Return the response for a chunk of a streamed answer; None if it has nothing new."""
        message = piece.message
        self._take(piece)
        if not (message.content or message.thinking_content or message.tool_calls):
            return None
        response = ChatResponse(
            message=self._message(self._text, self._thinking, [call.block() for call in self._calls.values()]),
            delta=message.content,
            raw=piece,
        )
        if message.thinking_content:
            response.additional_kwargs["thinking_delta"] = message.thinking_content
        return response

    def last(self, piece: ChatChunk, result: ChatResult) -> ChatResponse:
        """Return the last response of a streamed answer: the complete answer, with its usage."""
        self._take(piece)
        called = result.message.tool_calls or []
        if called and result.finish_reason != "length":
            # Fragments may be broken or of uncertain order; the calls of the complete answer are reliable.
            blocks = self._blocks(called)
        else:
            blocks = [call.block() for call in self._calls.values()]
        message = self._message(self._text, self._thinking, blocks, result)
        response = self._response(message, result=result)
        response.delta = piece.message.content
        if piece.message.thinking_content:
            response.additional_kwargs["thinking_delta"] = piece.message.thinking_content
        return response

    def _blocks(self, calls: list[ToolCall]) -> list[ToolCallBlock]:
        """Return complete calls; a call without an id gets that of the call with the same index in the stream."""
        return [
            ToolCallBlock(
                tool_call_id=call.id or (self._calls[i].id if i in self._calls else _call_id()),
                tool_name=call.function.name or "",
                tool_kwargs=call.function.arguments,
            )
            for i, call in enumerate(calls[:1] if self._single_call else calls)
        ]

    def _take(self, piece: ChatChunk) -> None:
        message = piece.message
        self._text += message.content
        self._thinking += message.thinking_content or ""
        for fragment in message.tool_calls or ():
            index = fragment.index or 0
            if index and self._single_call:
                continue
            if index not in self._calls:
                self._calls[index] = _PartialCall(fragment)
            self._calls[index].arguments += fragment.function.partial_json or ""

    def _message(
        self, text: str, thinking: str, calls: list[ToolCallBlock], result: ChatResult | None = None
    ) -> ChatMessage:
        blocks: list[Any] = []
        if thinking:
            details = result.usage.completion_tokens_details if result is not None and result.usage else None
            blocks.append(ThinkingBlock(content=thinking, num_tokens=details.thinking_tokens if details else None))
        # One text block: several would be joined with line breaks.
        if text or not calls:
            blocks.append(TextBlock(text=text))
        # Core's streamed structured prediction reads only the kwargs, its memories and agents the blocks.
        return ChatMessage(
            role=MessageRole.ASSISTANT,
            blocks=[*blocks, *calls],
            additional_kwargs={"tool_calls": [_openai_call(call) for call in calls]} if calls else {},
        )

    def _response(self, message: ChatMessage, *, result: ChatResult) -> ChatResponse:
        usage = self._flow.total_usage(result.usage)
        counts = usage.model_dump(exclude_none=True) if usage is not None else None
        kwargs: dict[str, Any] = {"finish_reason": result.finish_reason, "request_id": result.request_id}
        if usage is not None:
            kwargs |= {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
            }
        return ChatResponse(
            message=message,
            # Core's TokenCountingHandler reads raw["usage"].
            raw={**result.model_dump(exclude_none=True), "model": self._flow.model, "usage": counts},
            additional_kwargs={**kwargs, **self._flow.marks},
        )


class _PartialCall:
    """A tool call of a stream, as far as it has arrived."""

    def __init__(self, opened: ToolCall) -> None:
        self.id = opened.id or _call_id()
        self._name = opened.function.name or ""
        self.arguments = ""

    def block(self) -> ToolCallBlock:
        """Return the call with its arguments as text."""
        return ToolCallBlock(tool_call_id=self.id, tool_name=self._name, tool_kwargs=self.arguments)


def completion_of(response: ChatResponse) -> CompletionResponse:
    """Return a chat's response as that of a completion; core's own conversion would change the message."""
    return CompletionResponse(
        text=response.message.content or "",
        additional_kwargs={**response.message.additional_kwargs, **response.additional_kwargs},
        raw=response.raw,
        delta=response.delta,
    )


def _openai_call(block: ToolCallBlock) -> dict[str, Any]:
    arguments = block.tool_kwargs
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return {
        "id": block.tool_call_id,
        "type": "function",
        "function": {"name": block.tool_name, "arguments": arguments},
    }


def _call_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"
