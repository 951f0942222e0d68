"""Turns results and chunks of the client into LangChain's messages and chunks. Pure.

Langchain-core adds up the chunks of an answer: it joins strings and sums integers and usage. So what an answer has once
(model, finish reason, seed, usage) is on its last chunk only.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCall, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from langchain_core.outputs import ChatResult as LangChainResult
from langchain_core.utils.json import parse_partial_json

from langchain_clova._blocks import PROVIDER, THINKING

if TYPE_CHECKING:
    from clova_studio import ChatChunk, ChatResult, Usage
    from clova_studio.adapters import ToolChoiceFlow

__all__ = ["AnswerMaker", "usage_of"]

# Endings that make JSON text, wherever it was cut off, impossible to repair.
_SPOILERS = ("}", "]", '"}', '"]', '\\"}', '\\"]', "}}", "]]")


def usage_of(usage: Usage | None) -> UsageMetadata | None:
    """Return the tokens of an answer in LangChain's form."""
    if usage is None:
        return None
    found = UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )
    details = usage.completion_tokens_details
    if details is not None and details.thinking_tokens is not None:
        found["output_token_details"] = OutputTokenDetails(reasoning=details.thinking_tokens)
    return found


def _metadata(result: ChatResult | ChatChunk, model: str) -> dict[str, Any]:
    metadata = {
        "model_name": model,
        "finish_reason": result.finish_reason,
        "created": result.created,
        "seed": result.seed,
        "request_id": result.request_id,
        "ai_filter": [finding.model_dump(exclude_none=True) for finding in result.ai_filter]
        if result.ai_filter
        else None,
    }
    return {name: value for name, value in metadata.items() if value is not None}


def _call_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


class AnswerMaker:
    """Turns the answer of one call, whole or streamed, into LangChain's."""

    __slots__ = ("_arguments", "_flow", "_single_call", "_with_usage")

    def __init__(self, flow: ToolChoiceFlow, *, with_usage: bool, single_call: bool) -> None:
        self._flow = flow
        self._with_usage = with_usage
        self._single_call = single_call
        self._arguments: dict[int, str] = {}

    def whole(self, result: ChatResult) -> LangChainResult:
        """Return a complete answer."""
        message = result.message
        answer = AIMessage(
            content=message.content,
            additional_kwargs={THINKING: message.thinking_content} if message.thinking_content else {},
            response_metadata={
                "model_provider": PROVIDER,
                **_metadata(result, self._flow.model),
                **self._flow.marks,
            },
            usage_metadata=usage_of(self._flow.total_usage(result.usage)),
            tool_calls=[
                ToolCall(name=call.function.name or "", args=call.function.arguments, id=call.id or _call_id())
                for call in (message.tool_calls or [])[: 1 if self._single_call else None]
            ],
        )
        return LangChainResult(generations=[ChatGeneration(message=answer)])

    def chunk(self, piece: ChatChunk, *, last: bool) -> ChatGenerationChunk:
        """Return the next chunk."""
        message = piece.message
        values: dict[str, Any] = {"content": message.content, "response_metadata": {"model_provider": PROVIDER}}
        if message.thinking_content:
            values["additional_kwargs"] = {THINKING: message.thinking_content}
        fragments = [self._fragment(call) for call in message.tool_calls or [] if self._is_wanted(call)]
        if last:
            values["chunk_position"] = "last"
            values["response_metadata"].update(_metadata(piece, self._flow.model), **self._flow.marks)
            if self._with_usage:
                values["usage_metadata"] = usage_of(self._flow.total_usage(piece.usage))
            if piece.finish_reason == "length":
                fragments += self._spoilt()
        if fragments:
            values["tool_call_chunks"] = fragments
        return ChatGenerationChunk(message=AIMessageChunk(**values))

    def _is_wanted(self, call: Any) -> bool:
        return not self._single_call or not call.index

    def _fragment(self, call: Any) -> Any:
        index = call.index or 0
        text = call.function.partial_json or ""
        is_first = index not in self._arguments
        self._arguments[index] = self._arguments.get(index, "") + text
        return tool_call_chunk(
            name=call.function.name if is_first else None,
            args=text,
            id=(call.id or _call_id()) if is_first else None,
            index=index,
        )

    def _spoilt(self) -> list[Any]:
        """Return fragments that keep a call that was cut at the output cap from looking complete.

        Langchain-core repairs truncated JSON, and an agent would run the tool with half of its arguments. With these
        fragments the call is among the ``invalid_tool_calls``.
        """
        spoilers = []
        for index, text in self._arguments.items():
            if _is_whole(text):
                continue
            ending = next((ending for ending in _SPOILERS if not _is_repaired(text + ending)), None)
            if ending is not None:
                spoilers.append(tool_call_chunk(name=None, args=ending, id=None, index=index))
        return spoilers


def _is_whole(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_repaired(text: str) -> bool:
    try:
        return isinstance(parse_partial_json(text), dict)
    except (ValueError, RecursionError):
        return False
