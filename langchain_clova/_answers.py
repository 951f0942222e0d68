"""Turns results and chunks of the client into LangChain's messages and chunks. Pure.

Langchain-core adds up the chunks of an answer: it joins strings and sums integers and usage. So what an answer has once
(model, finish reason, seed, usage) is on its last chunk only. Tool calls come at the end too, complete: what core has
added up cannot be taken back, and core repairs truncated arguments, so ``{"city":"서`` would be a call with 서.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from langchain_core.outputs import ChatResult as LangChainResult
from langchain_core.utils.json import parse_partial_json

from clova_studio.adapters import calls_of
from langchain_clova._blocks import PROVIDER, THINKING

if TYPE_CHECKING:
    from langchain_core.messages.tool import ToolCallChunk

    from clova_studio import ChatChunk, ChatResult, Usage
    from clova_studio.adapters import AnswerCall, ToolChoiceFlow

__all__ = ["AnswerMaker", "chunk_text", "usage_of"]

# One of these endings makes JSON text impossible to repair, wherever it was cut off.
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


class AnswerMaker:
    """Turns the answer of one call, whole or streamed, into LangChain's."""

    __slots__ = ("_flow", "_single_call", "_with_usage")

    def __init__(self, flow: ToolChoiceFlow, *, with_usage: bool, single_call: bool) -> None:
        self._flow = flow
        self._with_usage = with_usage
        self._single_call = single_call

    def whole(self, result: ChatResult) -> LangChainResult:
        """Return a complete answer."""
        message = result.message
        calls = calls_of(message, single=self._single_call)
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
                tool_call(name=call.name, args=call.arguments, id=call.id)
                for call in calls
                if call.arguments is not None
            ],
            invalid_tool_calls=[
                invalid_tool_call(name=call.name, args=call.text, id=call.id)
                for call in calls
                if call.arguments is None
            ],
        )
        return LangChainResult(generations=[ChatGeneration(message=answer)])

    def chunks(self, piece: ChatChunk, *, last: bool) -> list[ChatGenerationChunk]:
        """Return the next chunks: none for a fragment of a tool call, which is not certain yet, else mostly one.

        The valid calls of an answer have a chunk of their own in front of the last one: only there do the frameworks
        that read a stream take them for pieces, and show them.
        """
        message = piece.message
        values: dict[str, Any] = {"content": message.content, "response_metadata": {"model_provider": PROVIDER}}
        if message.thinking_content:
            values["additional_kwargs"] = {THINKING: message.thinking_content}
        if not last:
            if piece.tool_call_fragments is not None and not (message.content or message.thinking_content):
                return []
            return [ChatGenerationChunk(message=AIMessageChunk(**values))]
        chunks = []
        if calls := list(enumerate(calls_of(message, single=self._single_call))):
            if valid := [_chunk_of(*call) for call in calls if call[1].arguments is not None]:
                chunks.append(ChatGenerationChunk(message=AIMessageChunk(**values, tool_call_chunks=valid)))
                values = {"content": "", "response_metadata": {"model_provider": PROVIDER}}
            values["tool_call_chunks"] = [_chunk_of(*call) for call in calls if call[1].arguments is None]
        values["response_metadata"].update(_metadata(piece, self._flow.model), **self._flow.marks)
        if self._with_usage:
            values["usage_metadata"] = usage_of(self._flow.total_usage(piece.usage))
        return [*chunks, ChatGenerationChunk(message=AIMessageChunk(**values, chunk_position="last"))]


def _chunk_of(index: int, call: AnswerCall) -> ToolCallChunk:
    text = call.text if call.arguments is not None else chunk_text(call.text)
    return tool_call_chunk(name=call.name, args=text, id=call.id, index=index)


def chunk_text(text: str) -> str:
    """Return the arguments of an invalid call as they stand in a chunk, so that core too takes it for invalid.

    Core repairs JSON that is cut, and an agent would run the tool with half of its arguments. Text that it can repair
    gets an ending with which it cannot.
    """
    if text.strip() and not _is_repaired(text):
        return text
    return next(text + ending for ending in _SPOILERS if not _is_repaired(text + ending))


def _is_repaired(text: str) -> bool:
    try:
        return isinstance(parse_partial_json(text), dict)
    except (ValueError, RecursionError):
        return False
