"""Checks of single fields: those that foreign clients send by default, and those that exclude each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._cli.verify.check import HELLO, Check, compatible, native, post, takes
from clova_studio._cli.verify.tool_checks import ASKED_WITH_TOOLS

if TYPE_CHECKING:
    from clova_studio._cli.verify.wire import Request

__all__ = ["FIELD_CHECKS"]

_TOOLS = ASKED_WITH_TOOLS.words()["body"]["tools"]
_ROOM = 1_024
_CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"서울"}'}}
_LOOP = [
    *HELLO,
    {"role": "assistant", "content": None, "tool_calls": [_CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "맑음, 20도"},
]
_SYSTEM = [{"role": "system", "content": "짧게 답해."}]
_EITHER = ("taken", "refused")


def _check(name: str, what: str, request: Request, expected: str, *, is_emulated: bool = False) -> Check:
    return Check(
        name,
        (f"Is {what} taken?", f"{what} 사용이 허용되는가?"),
        _EITHER,
        expected,
        expected,
        (request,),
        takes,
        is_emulated=is_emulated,
    )


def _sent(name: str, what: str, request: Request) -> Check:
    """Return the check of a field that clients of OpenAI's API send by default."""
    return _check(f"compatible-field.{name}", f"{what} (OpenAI)", request, "refused", is_emulated=True)


FIELD_CHECKS = (
    _sent(
        "encoding_format",
        "encoding_format base64",
        post("/v1/openai/embeddings", {"model": "bge-m3", "input": "서울", "encoding_format": "base64"}),
    ),
    _sent(
        "content-null",
        "content null + tool_calls",
        compatible("HCX-005", output=_ROOM, messages=_LOOP, tools=_TOOLS),
    ),
    _sent(
        "stream_options", "stream_options", compatible("HCX-005", stream=True, stream_options={"include_usage": True})
    ),
    _sent(
        "parallel_tool_calls",
        "parallel_tool_calls false",
        compatible("HCX-005", output=_ROOM, tools=_TOOLS, parallel_tool_calls=False),
    ),
    _sent(
        "tool_choice", "tool_choice required", compatible("HCX-005", output=_ROOM, tools=_TOOLS, tool_choice="required")
    ),
    _check(
        "compatible-json-object",
        "response_format json_object (OpenAI)",
        compatible("HCX-005", output=64, response_format={"type": "json_object"}),
        "refused",
    ),
    _check(
        "little-room-for-tools",
        "maxTokens 512 + tools",
        native("HCX-005", output=512, messages=HELLO, tools=_TOOLS),
        "refused",
    ),
    _check(
        "max-completion-tokens",
        "maxCompletionTokens (HCX-005)",
        native("HCX-005", output=None, maxCompletionTokens=1),
        "taken",
    ),
    _check("thinking-without-thinking", "thinking (HCX-005)", native("HCX-005", thinking={"effort": "low"}), "refused"),
    _check(
        "thinking-with-tools",
        "thinking + tools (HCX-007)",
        native("HCX-007", output=_ROOM, thinking={"effort": "low"}, tools=_TOOLS),
        "refused",
    ),
    _check(
        "thinking-with-stop",
        "thinking + stop (HCX-007)",
        native("HCX-007", output=_ROOM, thinking={"effort": "low"}, stop=["끝"]),
        "refused",
    ),
    _check(
        "max-tokens-of-thinking",
        "maxTokens (HCX-007)",
        native("HCX-007", output=None, thinking={"effort": "none"}, maxTokens=1),
        "refused",
    ),
    _check("two-system-messages", "system x 2", native("HCX-005", messages=[*_SYSTEM, *_SYSTEM, *HELLO]), "refused"),
    _check("empty-content", "content []", native("HCX-005", messages=[{"role": "user", "content": []}]), "refused"),
)
