"""Builds the body of a chat request: options by this package's names, checked and renamed for v1 or v3.

Source: the parameter tables of the Chat Completions v1, v3, v3 thinking, v3 function calling and v3 structured outputs
pages of the API guide; for options that exclude each other, observed refusals (40001) too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, cast

from clova_studio._catalogue import ModelInfo, is_tuned, model_info
from clova_studio._errors import ConfigurationError
from clova_studio._requests.messages import check_tool_turns, to_clova_messages
from clova_studio._requests.validation import boolean, check_names, integer, number, strings

__all__ = [
    "MAX_SEED",
    "MIN_TOKENS_WITH_TOOLS",
    "ChatOptions",
    "Effort",
    "build_chat_request",
    "refuse_tools_with_format",
    "text_only_reason",
    "tools_and_format",
]

Effort: TypeAlias = Literal["none", "low", "medium", "high"]
_EFFORTS = ("none", "low", "medium", "high")
MIN_TOKENS_WITH_TOOLS = 1_024
MAX_SEED = 4_294_967_295


class ChatOptions(TypedDict, total=False):
    """Options of ``chat`` and ``stream_chat``; the service's defaults apply to what is left out.

    Source: the Chat Completions v1 and v3 pages of the API guide.

    Attributes:
        temperature: 0 to 1 (v1: above 0); service default 0.5.
        top_p: Above 0, up to 1; service default 0.8.
        top_k: 0 to 128; service default 0.
        max_tokens: Output cap in tokens, thinking included: 1 to 4,096, HCX-007 to 32,768; at least 1,024 with tools.
            Service default: 100 on v1; 512, 5,120, 10,240 or 20,480 for HCX-007, by effort; not documented for the
            other models of v3.
        max_completion_tokens: Another name of ``max_tokens``; the model decides which one is sent.
        repetition_penalty: v3 above 0, up to 2, default 1.1; v1 above 0, up to 10, default 5.
        repeat_penalty: Another name of ``repetition_penalty``, that of v1.
        stop: One string or several at which the answer ends. HCX-007 refuses them while it thinks.
        seed: 0 (random) to 4294967295.
        include_ai_filters: Whether to run the AI filter; service default False (v3 True in older pages).
        thinking: HCX-007: ``"none"``, ``"low"`` (the default), ``"medium"``, ``"high"``, or ``{"effort": ...}``.
        tools: Tools as ``{"type": "function", "function": {"name", "description", "parameters"}}``.
        tool_choice: ``"auto"``, ``"none"`` or ``{"type": "function", "function": {"name": ...}}``.
        response_format: HCX-007: ``{"type": "json", "schema": {...}}``.
    """

    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int | None
    max_completion_tokens: int | None
    repetition_penalty: float | None
    repeat_penalty: float | None
    stop: str | Sequence[str] | None
    seed: int | None
    include_ai_filters: bool | None
    thinking: Effort | Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    response_format: Mapping[str, Any] | None


_OPTION_NAMES = tuple(ChatOptions.__annotations__)


def build_chat_request(
    messages: Any,
    model: str,
    options: ChatOptions,
    *,
    task_id: str | None = None,
    api_version: Literal["v1", "v2", "v3"] | None = None,
) -> tuple[str, ModelInfo, dict[str, Any]]:
    """Return the API version, the model's catalogue entry, and the body of a chat request.

    Raises:
        ConfigurationError: An argument breaks a rule of the API.
    """
    check_names(options, _OPTION_NAMES, "chat")
    info = model_info(model)
    version = api_version or info.api
    if version not in {"v1", "v2", "v3"}:
        raise ConfigurationError(f"api_version must be 'v1', 'v2' or 'v3', got {api_version!r}")
    if version == "v2" and task_id is None:
        raise ConfigurationError("api_version='v2' is for tuned models only: give task_id=")
    v1 = version != "v3"
    if info.known and v1 != (info.api == "v1"):
        raise ConfigurationError(f"{info.name} is served by {info.api} only, not by api_version={api_version!r}")
    tools, tool_choice = _tools(options)
    response_format = _response_format(options)
    _check_abilities(info, options, tools, response_format, v1=v1, task_id=task_id)
    text_only = text_only_reason(tools=tools, response_format=response_format, tuned=is_tuned(model, task_id))
    wire = to_clova_messages(messages, info=info, v1=v1, text_only=text_only)
    check_tool_turns(wire, calls="toolCalls", call_id="toolCallId")
    effort = _effort(info, options, tools=tools, response_format=response_format, history=wire, task_id=task_id)
    body: dict[str, Any] = {"messages": wire}
    body.update(_sampling(options, v1=v1))
    cap = _output_cap(info, options, v1=v1, tools=bool(tools))
    if cap is not None:
        body[info.output_field if not v1 else "maxTokens"] = cap
    if effort is not None:
        body["thinking"] = {"effort": effort}
    body.update(_named(tools, tool_choice, response_format))
    return version, info, body


def text_only_reason(*, tools: Any, response_format: Any, tuned: bool) -> str | None:
    """Return what rules out images in a chat, whatever its model; None if nothing does."""
    if tools:
        return "tools"
    if response_format:
        return "response_format"
    return "a tuned model (task_id)" if tuned else None


def refuse_tools_with_format(tools: Any, response_format: Any, hint: str = "") -> None:
    """Refuse tools and a response format in one request.

    Args:
        tools: The tools; empty or None without any.
        response_format: The response format; None without one.
        hint: Another way out, appended to the message.

    Raises:
        ConfigurationError: Both are given.
    """
    if tools and response_format:
        raise ConfigurationError(f"tools and response_format cannot be combined: leave one of them out{hint}")


def tools_and_format(options: ChatOptions) -> dict[str, Any]:
    """Return only the body fields of tools and response format."""
    tools, tool_choice = _tools(options)
    return _named(tools, tool_choice, _response_format(options))


def _named(tools: Any, tool_choice: Any, response_format: Any) -> dict[str, Any]:
    body = {"tools": tools, "toolChoice": tool_choice, "responseFormat": response_format}
    return {name: value for name, value in body.items() if value is not None}


def _check_abilities(
    info: ModelInfo,
    options: ChatOptions,
    tools: list[dict[str, Any]] | None,
    response_format: dict[str, Any] | None,
    *,
    v1: bool,
    task_id: str | None,
) -> None:
    """Refuse features that the model, the API version or another feature rules out."""
    wanted: list[tuple[str, bool, str]] = [
        ("tools", bool(tools) and not (info.tools and not v1), "use HCX-005, HCX-007 or HCX-DASH-002"),
        ("thinking", options.get("thinking") is not None and not (info.thinking and not v1), "use HCX-007"),
        ("response_format", bool(response_format) and not (info.structured_output and not v1), "use HCX-007"),
    ]
    for name, refused, way_out in wanted:
        if refused:
            raise ConfigurationError(f"{info.name} does not take {name}: {way_out}, or leave {name} out")
    refuse_tools_with_format(tools, response_format)
    if task_id is not None:
        for name in ("tools", "thinking", "response_format"):
            if options.get(name):
                raise ConfigurationError(f"a tuned model (task_id) does not take {name}: leave {name} out")


def _effort(
    info: ModelInfo,
    options: ChatOptions,
    *,
    tools: Any,
    response_format: Any,
    history: list[dict[str, Any]],
    task_id: str | None,
) -> str | None:
    """Return the thinking effort to send, None to send none.

    A thinking model thinks by default, and then refuses tools, structured output and stop strings. With any of these,
    thinking is switched off. If the caller asked for thinking, that is an error.
    """
    given = options.get("thinking")
    effort = given.get("effort") if isinstance(given, Mapping) else given
    if given is not None and effort not in _EFFORTS:
        raise ConfigurationError(f"thinking must be one of {', '.join(_EFFORTS)}, or {{'effort': ...}}, got {given!r}")
    if isinstance(given, Mapping) and set(given) - {"effort"}:
        raise ConfigurationError(f"thinking has one field, effort; got {sorted(set(given) - {'effort'})}")
    excluded_by = [
        name
        for name, present in (
            ("tools", bool(tools)),
            ("tool messages in the history", any(m["role"] == "tool" or "toolCalls" in m for m in history)),
            ("response_format", bool(response_format)),
            ("stop", bool(options.get("stop"))),
        )
        if present
    ]
    if not excluded_by:
        return cast("str | None", effort)
    if effort in {None, "none"}:
        return "none" if info.thinking and info.known and task_id is None else cast("str | None", effort)
    raise ConfigurationError(
        f"thinking={effort!r} cannot be combined with {excluded_by[0]}: set thinking to 'none', or leave "
        f"{excluded_by[0]} out"
    )


def _sampling(options: ChatOptions, *, v1: bool) -> dict[str, Any]:
    penalty = _same("repetition_penalty", "repeat_penalty", options)
    body = {
        "temperature": number("temperature", options.get("temperature"), 0.0, 1.0, above=v1),
        "topP": number("top_p", options.get("top_p"), 0.0, 1.0, above=True),
        "topK": integer("top_k", options.get("top_k"), 0, 128),
        "repeatPenalty" if v1 else "repetitionPenalty": number(
            "repeat_penalty" if v1 else "repetition_penalty", penalty, 0.0, 10.0 if v1 else 2.0, above=True
        ),
        "stopBefore" if v1 else "stop": strings("stop", options.get("stop")),
        "seed": integer("seed", options.get("seed"), 0, MAX_SEED),
        "includeAiFilters": boolean("include_ai_filters", options.get("include_ai_filters")),
    }
    return {name: value for name, value in body.items() if value is not None}


def _output_cap(info: ModelInfo, options: ChatOptions, *, v1: bool, tools: bool) -> int | None:
    cap = _same("max_tokens", "max_completion_tokens", options)
    value = integer("max_tokens", cap, 1, info.max_output_tokens, of=info.name)
    if value is not None and tools and value < MIN_TOKENS_WITH_TOOLS and not v1:
        raise ConfigurationError(
            f"max_tokens must be at least {MIN_TOKENS_WITH_TOOLS} with tools, got {value}: raise it or leave it out"
        )
    return value


def _same(one: str, other: str, options: ChatOptions) -> Any:
    """Return the value of an option that has two names."""
    first, second = options.get(one), options.get(other)
    if first is not None and second is not None and first != second:
        raise ConfigurationError(f"{one}={first!r} and {other}={second!r} are two names of one option: give one")
    return first if first is not None else second


def _tools(options: ChatOptions) -> tuple[list[dict[str, Any]] | None, Any]:
    given, choice = options.get("tools"), options.get("tool_choice")
    if given is not None and (isinstance(given, (str, Mapping)) or not isinstance(given, Sequence)):
        raise ConfigurationError(f"tools must be a list of tools, got {type(given).__name__}")
    if not given:
        if choice is not None and choice != "none":
            raise ConfigurationError("tool_choice needs tools: give tools, or leave tool_choice out")
        return None, None
    tools = [_tool(tool, f"tools[{i}]") for i, tool in enumerate(given)]
    names = [tool["function"]["name"] for tool in tools]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"tools has two tools with the same name: {sorted(names)}")
    if choice is None or (isinstance(choice, str) and choice in {"auto", "none"}):
        return tools, choice
    wanted = choice.get("function", {}).get("name") if isinstance(choice, Mapping) else None
    if wanted is None:
        raise ConfigurationError(
            "tool_choice must be 'auto', 'none' or {'type': 'function', 'function': {'name': ...}}, got "
            f"{choice!r}: the service has no 'required'"
        )
    if wanted not in names:
        raise ConfigurationError(f"tool_choice names {wanted!r}, which is not one of the tools: {', '.join(names)}")
    return tools, {"type": "function", "function": {"name": wanted}}


def _tool(tool: Any, where: str) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or tool.get("type", "function") != "function":
        raise ConfigurationError(f"{where} must be {{'type': 'function', 'function': {{...}}}}, got {tool!r}")
    for name in ("name", "description"):
        if not isinstance(function.get(name), str) or not function[name]:
            raise ConfigurationError(f"{where}.function.{name} is missing: the service requires it")
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise ConfigurationError(f"{where}.function.parameters must be a JSON Schema object")
    unknown = set(function) - {"name", "description", "parameters"}
    if unknown:
        raise ConfigurationError(f"{where}.function has fields that the service does not know: {sorted(unknown)}")
    return {"type": "function", "function": dict(function)}


def _response_format(options: ChatOptions) -> dict[str, Any] | None:
    given = options.get("response_format")
    if given is None:
        return None
    if not isinstance(given, Mapping) or given.get("type") != "json" or not isinstance(given.get("schema"), Mapping):
        raise ConfigurationError("response_format must be {'type': 'json', 'schema': {...}} with a JSON Schema object")
    return {"type": "json", "schema": dict(given["schema"])}
