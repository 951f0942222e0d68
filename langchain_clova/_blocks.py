"""Turns this package's messages into LangChain's standard content blocks. Importing it registers provider ``clova``.

Langchain-core joins the pieces of a streamed block by their index: an integer or a string that starts with ``lc_``.
With ``output_version="v1"`` it numbers blocks without an index from 0, so a tool call at index 0 would be joined to a
text or reasoning block. Each kind of block therefore has an index of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages.block_translators import register_translator

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.messages.content import ContentBlock

__all__ = ["PROVIDER", "THINKING", "translate_content", "translate_content_chunk"]

PROVIDER = "clova"
THINKING = "thinking_content"
"""The key of the thinking text in ``additional_kwargs`` of a message, as in langchain-naver."""


def translate_content(message: AIMessage) -> list[ContentBlock]:
    """Return the blocks of a complete message: reasoning, text, tool calls. Never raises."""
    blocks = _reasoning_and_text(message, indexed=False)
    blocks += _calls(message, blocks)
    return cast("list[ContentBlock]", blocks)


def translate_content_chunk(message: AIMessageChunk) -> list[ContentBlock]:
    """Return the blocks of a piece of a message, or of the sum of all pieces. Never raises."""
    blocks = _reasoning_and_text(message, indexed=True)
    if message.chunk_position == "last":
        blocks += _calls(message, blocks)
        return cast("list[ContentBlock]", blocks)
    for call in message.tool_call_chunks:
        index = call.get("index")
        block = {"type": "tool_call_chunk", "id": call.get("id"), "name": call.get("name"), "args": call.get("args")}
        if index is not None:
            block["index"] = f"lc_tc_{index}"
        blocks.append(block)
    return cast("list[ContentBlock]", blocks)


def _reasoning_and_text(message: AIMessage, *, indexed: bool) -> list[dict[str, Any]]:
    content = message.content
    if isinstance(content, list):
        # These are blocks already: output_version="v1" stores them so.
        return [block if isinstance(block, dict) else {"type": "text", "text": block} for block in content]
    blocks: list[dict[str, Any]] = []
    thinking = message.additional_kwargs.get(THINKING)
    if isinstance(thinking, str) and thinking:
        blocks.append({"type": "reasoning", "reasoning": thinking})
        if indexed:
            blocks[-1]["index"] = "lc_rs_0"
    if content:
        blocks.append({"type": "text", "text": content})
        if indexed:
            blocks[-1]["index"] = "lc_txt_0"
    return blocks


def _calls(message: AIMessage, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    present = {block.get("id") for block in blocks if block.get("type") in {"tool_call", "invalid_tool_call"}}
    calls: list[dict[str, Any]] = [
        {"type": "tool_call", "id": call.get("id"), "name": call["name"], "args": call["args"]}
        for call in message.tool_calls
        if call.get("id") not in present
    ]
    calls += [
        {
            "type": "invalid_tool_call",
            "id": call.get("id"),
            "name": call.get("name"),
            "args": call.get("args"),
            "error": call.get("error"),
        }
        for call in message.invalid_tool_calls
        if call.get("id") not in present
    ]
    return calls


register_translator(PROVIDER, translate_content, translate_content_chunk)
