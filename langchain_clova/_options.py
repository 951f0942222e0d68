"""What a call of the chat model has of its own: names of options, hints for errors, an instruction. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clova_studio.adapters import with_instruction
from langchain_clova._messages import to_clova_messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from clova_studio.adapters import ChatRequest

__all__ = ["CORE_OPTIONS", "FIXED_HINT", "OWN_OPTIONS", "TOOLS_AND_FORMAT_HINT", "messages_of_chat"]

TOOLS_AND_FORMAT_HINT = (
    ". With create_agent give response_format=ToolStrategy(Schema), which asks for the answer as a tool call"
)
FIXED_HINT = "it belongs to the instance: make another one, or use configurable_fields({name}=...)"
OWN_OPTIONS = ("stream_usage", "tool_fallback", "parallel_tool_calls", "max_retries")
"""Options of a call that the adapter itself heeds."""
CORE_OPTIONS = ("stream", "ls_structured_output_format", "structured_output_format")
"""What langchain-core hands through for itself."""

_JSON_INSTRUCTION = (
    "Answer with one JSON object and nothing else: no other text, no code fence. / "
    "다른 글이나 코드 블록 없이 JSON 객체 하나로만 답하세요."
)


def messages_of_chat(messages: Sequence[BaseMessage], chat: ChatRequest) -> list[dict[str, Any]]:
    """Return the messages of a chat, with an instruction where JSON has to be asked for in words."""
    wire = to_clova_messages(messages, no_images=chat.no_images)
    return with_instruction(wire, _JSON_INSTRUCTION) if chat.as_json else wire
