"""Turns results and chunks of the client into LlamaIndex's responses. Pure."""

from __future__ import annotations

import json
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

from clova_studio.adapters import calls_of

if TYPE_CHECKING:
    from clova_studio import ChatChunk, ChatResult, Message
    from clova_studio.adapters import ToolChoiceFlow

__all__ = ["ResponseMaker", "completion_of"]


class ResponseMaker:
    """Turns the answer of one call into LlamaIndex's responses."""

    def __init__(self, flow: ToolChoiceFlow, *, single_call: bool) -> None:
        self._flow = flow
        self._single_call = single_call
        self._text = ""
        self._thinking = ""

    def whole(self, result: ChatResult) -> ChatResponse:
        """Return the response for a complete answer."""
        message = result.message
        blocks = self._blocks(message)
        return self._response(
            self._message(message.content, message.thinking_content or "", blocks, result), result=result
        )

    def piece(self, piece: ChatChunk) -> ChatResponse | None:
        """Return the response for a chunk of a streamed answer; None if it has nothing new.

        It has no tool calls: their fragments can differ from the calls at the end of the answer. The fragments are in
        ``raw``, to show progress.
        """
        message = piece.message
        self._take(piece)
        if not (message.content or message.thinking_content or piece.tool_call_fragments):
            return None
        response = ChatResponse(
            message=self._message(self._text, self._thinking, []),
            delta=message.content,
            raw=piece,
        )
        if message.thinking_content:
            response.additional_kwargs["thinking_delta"] = message.thinking_content
        return response

    def last(self, piece: ChatChunk, result: ChatResult) -> ChatResponse:
        """Return the last response of a streamed answer: the complete answer, with its usage."""
        self._take(piece)
        message = self._message(self._text, self._thinking, self._blocks(result.message), result)
        response = self._response(message, result=result)
        response.delta = piece.message.content
        if piece.message.thinking_content:
            response.additional_kwargs["thinking_delta"] = piece.message.thinking_content
        return response

    def _blocks(self, message: Message) -> list[ToolCallBlock]:
        """Return the tool calls of an answer; the arguments of an invalid call are text."""
        return [
            ToolCallBlock(
                tool_call_id=call.id,
                tool_name=call.name,
                tool_kwargs=call.text if call.arguments is None else call.arguments,
            )
            for call in calls_of(message, single=self._single_call)
        ]

    def _take(self, piece: ChatChunk) -> None:
        self._text += piece.message.content
        self._thinking += piece.message.thinking_content or ""

    def _message(
        self, text: str, thinking: str, calls: list[ToolCallBlock], result: ChatResult | None = None
    ) -> ChatMessage:
        blocks: list[Any] = []
        # First, since core's DocumentContextExtractor takes the first block for the text. One text block: several would
        # be joined with line breaks.
        if text or not calls:
            blocks.append(TextBlock(text=text))
        if thinking:
            details = result.usage.completion_tokens_details if result is not None and result.usage else None
            blocks.append(ThinkingBlock(content=thinking, num_tokens=details.thinking_tokens if details else None))
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
