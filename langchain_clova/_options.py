"""Options of the constructor and of the call -> the arguments of one call of the client. Pure."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from clova_studio import model_info
from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._fields import refuse_unknown
from langchain_clova._messages import wire_messages, with_instruction
from langchain_clova._schemas import wire_response_format, wire_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

__all__ = ["OPTIONS", "TUNED", "Prepared", "prepare", "tool_choice_of"]

MIN_TOKENS_WITH_TOOLS = 1_024
# The native API's own default is 100 for the models that do not think, so that nearly every answer would be cut. This
# is the default of its OpenAI-compatible API, which programs that come from langchain-naver had.
DEFAULT_TOKENS = 512
# What stands in front of a task's id where a tuned model is named like any other.
TUNED = "ft:"

OPTIONS = (
    "model",
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "repetition_penalty",
    "stop",
    "seed",
    "include_ai_filters",
    "thinking",
    "task_id",
    "base_model",
    "api_version",
)
"""Options of a request that are fields of the chat model and can be given per call."""

_OTHER_NAMES = {
    "model_name": "model",
    "max_completion_tokens": "max_tokens",
    "repeat_penalty": "repetition_penalty",
    "stop_sequences": "stop",
}
# Options of a call that are no fields, or fields that are no options of the request.
_CALL_ONLY = ("tools", "tool_choice", "response_format", "timeout", "request_id")
_OURS = ("stream_usage", "tool_fallback", "parallel_tool_calls", "max_retries")
# What langchain-core hands through for itself.
_CORES = ("stream", "ls_structured_output_format", "structured_output_format")
_NAMES = (*OPTIONS, *_OTHER_NAMES, *_CALL_ONLY, *_OURS)
_FIXED = {
    name: f"it belongs to the instance: make another one, or use configurable_fields({name}=...)"
    for name in ("api_key", "apigw_api_key", "base_url", "region", "path_prefix", "client", "async_client", "streaming")
}

_JSON_INSTRUCTION = (
    "Answer with one JSON object and nothing else: no other text, no code fence. / "
    "다른 글이나 코드 블록 없이 JSON 객체 하나로만 답하세요."
)


class Prepared(NamedTuple):
    """A call, ready to be sent.

    Attributes:
        request: Arguments for ``chat`` and ``stream_chat``, without tool choice.
        choice: None, ``"auto"``, ``"none"``, ``"any"``, or ``"="`` and the name of a tool.
        ours: Options of the call that the adapter itself heeds.
        raised_cap: The output cap of the constructor if it had to be raised, None otherwise.
    """

    request: dict[str, Any]
    choice: str | None
    ours: dict[str, Any]
    raised_cap: int | None


def prepare(
    messages: Sequence[BaseMessage], defaults: Mapping[str, Any], given: Mapping[str, Any], what: str
) -> Prepared:
    """Return a call of a chat model.

    Args:
        messages: The conversation.
        defaults: The options of the constructor that are set.
        given: The options of the call; they go before those of the constructor.
        what: The name of the chat model's class.

    Raises:
        ConfigurationError: An option does not exist or contradicts another one.
    """
    options = _by_one_name(given, what)
    ours = {name: options.pop(name) for name in _OURS if name in options}
    tools = [wire_tool(tool) for tool in options.pop("tools", None) or ()]
    choice = tool_choice_of(options.pop("tool_choice", None), [tool["function"]["name"] for tool in tools])
    response_format = options.pop("response_format", None)
    request = {**defaults, **options}
    tuned = request["model"].startswith(TUNED)
    if tuned:
        _name_task(request)
    raised_cap = None
    info = model_info(request["model"])
    if tools:
        request["tools"] = tools
        cap = defaults.get("max_tokens")
        if "max_tokens" not in options and isinstance(cap, int) and cap < MIN_TOKENS_WITH_TOOLS and info.api == "v3":
            request["max_tokens"], raised_cap = MIN_TOKENS_WITH_TOOLS, cap
    elif "max_tokens" not in request and (tuned or (info.known and not info.thinking)):
        request["max_tokens"] = DEFAULT_TOKENS
    as_json = isinstance(response_format, Mapping) and response_format.get("type") == "json_object"
    if response_format is not None and not as_json and response_format != {"type": "text"}:
        if tools:
            raise ClovaConfigurationError(
                "tools and response_format cannot go together: leave one of them out. With create_agent give "
                "response_format=ToolStrategy(Schema), which asks for the answer as a tool call"
            )
        request["response_format"] = wire_response_format(response_format)
    no_images = (
        "tools"
        if tools
        else "response_format"
        if "response_format" in request
        else "a tuned model (task_id)"
        if request.get("task_id")
        else f"{info.name}, which takes text only (use HCX-005)"
        if not info.images
        else None
    )
    wire = wire_messages(messages, no_images=no_images)
    request["messages"] = with_instruction(wire, _JSON_INSTRUCTION) if as_json else wire
    return Prepared(request, choice, ours, raised_cap)


def _name_task(request: dict[str, Any]) -> None:
    """Read langchain-naver's name of a tuned model, which is ``ft:`` and the id of its task."""
    task_id = request["model"].removeprefix(TUNED)
    if request.get("task_id") not in {None, task_id}:
        raise ClovaConfigurationError(
            f"model={request['model']!r} and task_id={request['task_id']!r} name two tuned models: give one"
        )
    request["task_id"] = task_id


def warn_of_raised_cap(cap: int) -> None:
    """Say that an output cap of the constructor was too small for tools."""
    warnings.warn(
        f"max_tokens={cap} raised to {MIN_TOKENS_WITH_TOOLS}: with tools the service takes no smaller output cap",
        stacklevel=2,
    )


def _by_one_name(given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return the options of a call, each by its first name, without what is langchain-core's."""
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name in _CORES:
            continue
        if name in _FIXED:
            raise ClovaConfigurationError(f"{name} cannot be given per call: {_FIXED[name]}")
        own = _OTHER_NAMES.get(name, name)
        if own in options and options[own] != value:
            raise ClovaConfigurationError(f"{own} and {name} are two names of one option: give one")
        options[own] = value
    refuse_unknown(options, _NAMES, f"a call of {what}")
    return options


def tool_choice_of(given: Any, names: Sequence[str]) -> str | None:
    """Return a tool choice in this package's words.

    Args:
        given: None, ``"auto"``, ``"none"``, ``"any"``, ``"required"``, True, a tool's name, or a dict of OpenAI's or
            Anthropic's form.
        names: The names of the tools.

    Returns:
        None, ``"auto"``, ``"none"``, ``"any"`` (for several tools only), or ``"="`` and a name.

    Raises:
        ConfigurationError: It names no tool, or is no tool choice.
    """
    if not names:
        if given in (None, "auto", "none"):
            return None
        raise ClovaConfigurationError(f"tool_choice={given!r} needs tools: give tools, or leave tool_choice out")
    if given is None:
        return None
    if given in ("auto", "none"):
        return str(given)
    if given is True or given in ("any", "required"):
        return "any" if len(names) > 1 else f"={names[0]}"
    name = given
    if isinstance(given, Mapping):
        function = given.get("function")
        name = function.get("name") if isinstance(function, Mapping) else given.get("name")
        if name is None and given.get("type") in {"auto", "none", "any"}:  # Anthropic's form
            return tool_choice_of(given["type"], names)
    if name not in names:
        raise ClovaConfigurationError(
            f"tool_choice={given!r} is none of 'auto', 'none', 'any' and the tools: {', '.join(names)}"
        )
    return f"={name}"
