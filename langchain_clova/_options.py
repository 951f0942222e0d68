"""Options of the constructor and of the call -> the arguments of one call of the client. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from clova_studio.adapters import chat_options, options_of_call, tool_choice_of, with_instruction
from langchain_clova._messages import to_clova_messages
from langchain_clova._schemas import wire_tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from clova_studio.adapters import ForcedTool

__all__ = ["TOOLS_AND_FORMAT_HINT", "Prepared", "prepare"]

TOOLS_AND_FORMAT_HINT = (
    ". With create_agent give response_format=ToolStrategy(Schema), which asks for the answer as a tool call"
)
# Options of a call that the adapter itself heeds.
_OURS = ("stream_usage", "tool_fallback", "parallel_tool_calls", "max_retries")
# What langchain-core hands through for itself.
_CORES = ("stream", "ls_structured_output_format", "structured_output_format")
_FIXED_HINT = "it belongs to the instance: make another one, or use configurable_fields({name}=...)"

_JSON_INSTRUCTION = (
    "Answer with one JSON object and nothing else: no other text, no code fence. / "
    "다른 글이나 코드 블록 없이 JSON 객체 하나로만 답하세요."
)


class Prepared(NamedTuple):
    """A call, ready to be sent."""

    request: dict[str, Any]
    choice: Literal["auto", "none", "any"] | ForcedTool | None
    ours: dict[str, Any]
    raised_cap: int | None


def prepare(
    messages: Sequence[BaseMessage], defaults: Mapping[str, Any], given: Mapping[str, Any], what: str
) -> Prepared:
    """Return a call of a chat model."""
    options = options_of_call(given, own=_OURS, ignored=_CORES, what=what, fixed_hint=_FIXED_HINT)
    ours = {name: options.pop(name) for name in _OURS if name in options}
    tools = [wire_tool(tool) for tool in options.pop("tools", None) or ()]
    choice = tool_choice_of(options.pop("tool_choice", None), [tool["function"]["name"] for tool in tools])
    response_format = options.pop("response_format", None)
    chat = chat_options(
        defaults,
        options,
        tools=tools,
        response_format=response_format,
        tools_and_format_hint=TOOLS_AND_FORMAT_HINT,
    )
    wire = to_clova_messages(messages, no_images=chat.no_images)
    chat.request["messages"] = with_instruction(wire, _JSON_INSTRUCTION) if chat.as_json else wire
    return Prepared(chat.request, choice, ours, chat.raised_cap)
