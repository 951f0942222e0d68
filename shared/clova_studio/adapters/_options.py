"""Options of a chat: their names, and how they affect one another. Pure.

Source: the Chat Completions v3, function calling and structured outputs pages of the API guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr

from clova_studio._catalogue import DEFAULT_OUTPUT_BY_EFFORT, is_tuned, model_info
from clova_studio._errors import ConfigurationError
from clova_studio._requests.chat_options import (
    MIN_TOKENS_WITH_TOOLS,
    refuse_tools_with_format,
    text_only_reason,
)
from clova_studio._requests.names import task_of
from clova_studio.adapters._fields import refuse_unknown
from clova_studio.adapters._schemas import wire_response_format
from clova_studio.adapters._structured_flow import json_instruction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clova_studio.adapters._warn_once import WarnOnce

__all__ = [
    "CHAT_OPTIONS",
    "ChatRequest",
    "chat_options",
    "default_output_tokens",
    "mask_headers",
    "options_of_call",
    "warn_of_raised_cap",
]

# The native API's own default is 100 for the models that do not think, which would cut nearly every answer. This is the
# default of the OpenAI-compatible API, so programs that come from there keep it.
DEFAULT_TOKENS = 512

CHAT_OPTIONS = (
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
"""Options of a request that are fields of a chat model and can be given per call."""

_OTHER_NAMES = {
    "model_name": "model",
    "max_completion_tokens": "max_tokens",
    "repeat_penalty": "repetition_penalty",
    "stop_sequences": "stop",
    "request_timeout": "timeout",
    "extra_headers": "headers",
}
# Options of a call that are not fields.
_CALL_ONLY = ("tools", "tool_choice", "response_format", "timeout", "headers", "request_id")
_HEADERS = ("headers", "extra_headers")
_FIXED = ("api_key", "apigw_api_key", "base_url", "region", "path_prefix", "client", "async_client", "streaming")


class ChatRequest(NamedTuple):
    """A chat request without its messages.

    Attributes:
        request: Arguments for ``chat`` and ``stream_chat``, without messages and tool choice.
        no_images: What rules out images, None if nothing does.
        instruction: The instruction that asks for an answer in JSON, None for none.
        raised_cap: The output cap of the constructor if it had to be raised, None otherwise.
    """

    request: dict[str, Any]
    no_images: str | None
    instruction: str | None
    raised_cap: int | None


def mask_headers(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call with ``SecretStr`` in its headers: they may be keys, and frameworks record options.

    Args:
        options: The options as the caller gave them; not changed.
    """
    masked = dict(options)
    for name in _HEADERS:
        if isinstance(headers := options.get(name), Mapping):
            masked[name] = {
                header: SecretStr(value) if isinstance(value, str) else value for header, value in headers.items()
            }
    return masked


def options_of_call(
    given: Mapping[str, Any],
    *,
    own: Sequence[str],
    ignored: Sequence[str],
    what: str,
    fixed_hint: str,
) -> dict[str, Any]:
    """Return the options of a call, each under its main name.

    Args:
        given: The options as the caller and the framework gave them.
        own: Names that the adapter has in addition to those of a chat.
        ignored: Names that the framework passes through for its own use.
        what: The name of the chat model's class.
        fixed_hint: What to do instead if an option that belongs to the instance is given per call; ``{name}`` is
            replaced by its name.

    Raises:
        ConfigurationError: An option does not exist, belongs to the instance, or is given under two names.
    """
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name in ignored:
            continue
        if name in _FIXED:
            raise ConfigurationError(f"{name} cannot be given per call: {fixed_hint.format(name=name)}")
        first = _OTHER_NAMES.get(name, name)
        if first in options and options[first] != value:
            raise ConfigurationError(f"{first} and {name} are two names of one option: give one")
        options[first] = value
    refuse_unknown(options, (*CHAT_OPTIONS, *_OTHER_NAMES, *_CALL_ONLY, *own), f"a call of {what}")
    return options


def chat_options(
    defaults: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    tools: list[dict[str, Any]],
    response_format: Any,
    tools_and_format_hint: str = "",
) -> ChatRequest:
    """Return a chat request without its messages.

    Args:
        defaults: The options of the constructor that are not None.
        options: The options of the call; they take precedence over those of the constructor.
        tools: Tools in the wire's form, empty for none.
        response_format: OpenAI's or the service's, None for none. ``{"type": "json_object"}``, which the service does
            not have, becomes an ``instruction``; a ``schema`` beside the type goes into it.
        tools_and_format_hint: What to do instead of giving both tools and a response format.

    Raises:
        ConfigurationError: Options contradict one another.
    """
    request = {**defaults, **options}
    tuned = is_tuned(request["model"])
    if tuned:
        request["task_id"] = task_of(request["model"], request.get("task_id"))
    raised_cap = None
    info = model_info(request["model"])
    if tools:
        request["tools"] = tools
        cap = defaults.get("max_tokens")
        if "max_tokens" not in options and isinstance(cap, int) and cap < MIN_TOKENS_WITH_TOOLS and info.api == "v3":
            request["max_tokens"], raised_cap = MIN_TOKENS_WITH_TOOLS, cap
    elif "max_tokens" not in request and (tuned or (info.known and not info.thinking)):
        request["max_tokens"] = DEFAULT_TOKENS
    instruction = None
    if isinstance(response_format, Mapping) and response_format.get("type") == "json_object":
        instruction = json_instruction(response_format.get("schema"))
    elif response_format is not None and response_format != {"type": "text"}:
        refuse_tools_with_format(tools, response_format, tools_and_format_hint)
        request["response_format"] = wire_response_format(response_format)
    no_images = text_only_reason(
        tools=tools,
        response_format=request.get("response_format"),
        tuned=is_tuned(request["model"], request.get("task_id")),
    )
    if no_images is None and not info.images:
        no_images = f"{info.name}, which takes text only (use HCX-005)"
    return ChatRequest(request, no_images, instruction, raised_cap)


def default_output_tokens(model: str, thinking: Any = None) -> int:
    """Return the output cap in tokens of a chat that sets none.

    Args:
        model: A model's name.
        thinking: The effort, or a mapping with it; None for the model's default.

    Returns:
        512 if the model does not think; otherwise the service's default for the effort: 5,120 for low, 10,240 for
        medium, 20,480 for high.
    """
    info = model_info(model)
    if not (info.known and info.thinking):
        return DEFAULT_TOKENS
    effort = thinking.get("effort") if isinstance(thinking, Mapping) else thinking
    return DEFAULT_OUTPUT_BY_EFFORT.get(effort or "low", DEFAULT_TOKENS)


def warn_of_raised_cap(cap: int, once: WarnOnce) -> None:
    """Warn once that an output cap of the constructor was too small for tools, and was raised to 1,024 tokens.

    Args:
        cap: The cap that was given, in tokens.
        once: The component's ``WarnOnce``.
    """
    once.warn(
        "raised cap",
        f"max_tokens={cap} raised to {MIN_TOKENS_WITH_TOOLS}: with tools the service refuses a smaller output cap",
    )
