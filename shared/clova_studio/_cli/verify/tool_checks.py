"""Checks of tools, forced tool choices and response schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clova_studio._cli.verify.check import (
    Check,
    UnsettledError,
    compatible,
    failed,
    is_refused,
    native,
    takes,
)

if TYPE_CHECKING:
    from clova_studio._cli.verify.wire import Reply, Request, Sender

__all__ = ["ASKED_WITH_TOOLS", "TOOL_CHECKS"]

_MODELS = ("HCX-005", "HCX-DASH-002", "HCX-007")
# With tools the service wants at least this much room for the answer.
_ROOM = 1_024
_ASKED = [{"role": "user", "content": "서울의 날씨를 알려 줘."}]
_PLACE = {"type": "object", "properties": {"city": {"type": "string", "description": "도시"}}, "required": ["city"]}
_FUNCTION = {"name": "get_weather", "description": "도시의 날씨를 알려 줍니다.", "parameters": _PLACE}
_FORCED = {"type": "function", "function": {"name": "get_weather"}}
_SCHEMA_ROOM = 64
_EITHER = ("taken", "refused")


def _tools(**changes: Any) -> list[dict[str, Any]]:
    function = {name: value for name, value in {**_FUNCTION, **changes}.items() if value is not None}
    return [{"type": "function", "function": function}]


def _asked(model: str, **fields: Any) -> Request:
    return native(model, output=_ROOM, messages=_ASKED, **{"tools": _tools(), **fields})


ASKED_WITH_TOOLS = _asked("HCX-005", toolChoice="auto")


def _has_call(reply: Reply) -> bool:
    """Return whether an answer of either form calls a tool."""
    message = reply.result.get("message") or reply.compatible_message
    return isinstance(message, dict) and bool(message.get("toolCalls") or message.get("tool_calls"))


def _forced(sender: Sender, forced: Request, auto: Request) -> str:
    """Tell whether a tool can be forced.

    One refusal says little: the same code is for a tool that the model invented, and for declarations that it does not
    like. So the same request without the force has to pass, and the refusal has to come twice.
    """
    reply = sender.ask(forced)
    if not is_refused(reply):
        return "taken" if _has_call(reply) else "ignored"
    if is_refused(sender.ask(auto)):
        raise UnsettledError(f"{failed(reply)}, also without the force")
    again = sender.ask_again(forced)
    if is_refused(again):
        return "refused"
    raise UnsettledError("once refused, once taken")


def _forced_checks() -> list[Check]:
    checks = []
    for model in _MODELS:
        checks.append(
            Check(
                f"forced-native.{model}",
                (
                    f"Can a tool be forced with {model} on the native path?",
                    f"네이티브 경로의 {model}에서 도구를 강제할 수 있는가?",
                ),
                ("taken", "refused", "ignored"),
                "taken",
                "refused",
                (_asked(model, toolChoice=_FORCED), _asked(model, toolChoice="auto")),
                _forced,
                open=True,
                repeats=1,
                not_emulated=frozenset({"ignored"}),
            )
        )
        fields: dict[str, Any] = {"output": _ROOM, "messages": _ASKED, "tools": _tools()}
        checks.append(
            Check(
                f"forced-compatible.{model}",
                (
                    f"Can a tool be forced with {model} on the compatible path?",
                    f"호환 경로의 {model}에서 도구를 강제할 수 있는가?",
                ),
                ("taken", "refused", "ignored"),
                "taken",
                "refused" if model == "HCX-DASH-002" else "taken",
                (compatible(model, tool_choice=_FORCED, **fields), compatible(model, tool_choice="auto", **fields)),
                _forced,
                repeats=1,
                not_emulated=frozenset({"ignored"}),
            )
        )
    return checks


def _schema(keyword: str) -> dict[str, Any]:
    """Return a schema with one doubtful keyword in it."""
    text: dict[str, Any] = {"type": "string"}
    root: dict[str, Any] = {"type": "object", "properties": {"name": text}, "required": ["name"]}
    if keyword == "title":
        root["title"] = text["title"] = "Name"
    elif keyword == "default":
        text["default"] = "서울"
    elif keyword == "$schema":
        root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    elif keyword == "additionalProperties":
        root["additionalProperties"] = False
    elif keyword == "$ref":
        root |= {"properties": {"name": {"$ref": "#/$defs/Name"}}, "$defs": {"Name": text}}
    elif keyword == "null":
        text["type"] = ["string", "null"]
    elif keyword == "pattern":
        text["pattern"] = "^[가-힣]+$"
    return root


_NAMED = [{"role": "user", "content": "한국의 수도는? JSON으로."}]
_KEYWORDS = {  # -> whether each behaviour takes it, and whether it is open
    "title": ("taken", "taken", False),
    "default": ("taken", "taken", False),
    "$schema": ("taken", "taken", False),
    "additionalProperties": ("taken", "taken", False),
    "$ref": ("refused", "taken", True),
    "null": ("refused", "taken", True),
    "pattern": ("refused", "refused", False),
}


def _schema_checks() -> list[Check]:
    return [
        Check(
            f"schema.{keyword}",
            (
                f"May a response schema have {'a null type' if keyword == 'null' else keyword}?",
                f"응답 스키마에 {'null 타입' if keyword == 'null' else keyword} 사용이 허용되는가?",
            ),
            _EITHER,
            documented,
            observed,
            (
                native(
                    "HCX-007",
                    output=_SCHEMA_ROOM,
                    messages=_NAMED,
                    responseFormat={"type": "json", "schema": _schema(keyword)},
                ),
            ),
            takes,
            open=is_open,
        )
        for keyword, (documented, observed, is_open) in _KEYWORDS.items()
    ]


TOOL_CHECKS = (
    *_forced_checks(),
    Check(
        "empty-description",
        ("May the description of a tool be empty?", "도구의 description이 비어 있어도 되는가?"),
        _EITHER,
        "refused",
        "refused",
        (_asked("HCX-005", tools=_tools(description="")),),
        takes,
    ),
    Check(
        "missing-description",
        ("May the description of a tool be missing?", "도구의 description이 없어도 되는가?"),
        _EITHER,
        "refused",
        "refused",
        (_asked("HCX-005", tools=_tools(description=None)),),
        takes,
    ),
    Check(
        "hangul-names",
        ("May the name of a tool be Hangul?", "도구 이름에 한글을 쓸 수 있는가?"),
        _EITHER,
        "taken",
        "taken",
        (_asked("HCX-005", tools=_tools(name="날씨_조회")),),
        takes,
        open=True,
    ),
    *_schema_checks(),
    Check(
        "compatible-schema.HCX-005",
        ("Does HCX-005 take json_schema on the compatible path?", "호환 경로의 HCX-005가 json_schema를 받는가?"),
        _EITHER,
        "refused",
        "refused",
        (
            compatible(
                "HCX-005",
                output=_SCHEMA_ROOM,
                messages=_NAMED,
                response_format={"type": "json_schema", "json_schema": {"name": "capital", "schema": _schema("")}},
            ),
        ),
        takes,
    ),
)
