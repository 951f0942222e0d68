"""The OpenAI-compatible paths. Source: the OpenAI compatibility page of the API guide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from clova_studio._catalogue import EMBEDDING_MODELS, TUNED_MODEL_PREFIX, is_tuned, model_info
from clova_studio._errors import ConfigurationError
from clova_studio._requests.call import Call, fresh_or_given, post, present
from clova_studio._requests.chat_options import MAX_SEED, MIN_TOKENS_WITH_TOOLS
from clova_studio._requests.messages import check_tool_turns
from clova_studio._requests.names import tell_of_model
from clova_studio._requests.validation import check_names, check_text, integer, number, strings
from clova_studio._requests.vectors import VectorCheck
from clova_studio._streaming.openai_assembler import OpenAIAssembler
from clova_studio.types.openai import OpenAIChatResult, OpenAIEmbeddings, OpenAIModels

__all__ = ["OpenAIChatOptions", "chat", "embed", "models"]

_PATH = "/v1/openai"
_UNSUPPORTED = frozenset(
    {
        "audio",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "metadata",
        "modalities",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "store",
        "stream_options",
        "top_logprobs",
        "user",
        "web_search_options",
    }
)


class OpenAIChatOptions(TypedDict, total=False):
    """Options of ``openai.chat`` and ``openai.stream_chat``; the service's defaults apply to what is left out.

    Source: the OpenAI compatibility page of the API guide.

    Attributes:
        temperature: 0 to 1.
        top_p: Above 0, up to 1.
        top_k: 0 to 128; an option of CLOVA Studio that OpenAI does not have.
        max_tokens: Output cap in tokens; service default 512. At least 1,024 with tools.
        max_completion_tokens: Output cap in tokens, for HCX-007; give one of the two.
        repeat_penalty: Models of v1: above 0, up to 10.
        repetition_penalty: Models of v3: above 0, up to 2.
        stop: A string or strings at which the answer ends.
        seed: 0 (random) to 4294967295.
        n: Number of answers; the service takes only 1.
        tools: Tools in OpenAI's form.
        tool_choice: ``"auto"``, ``"none"`` or ``{"type": "function", "function": {"name": ...}}``.
        parallel_tool_calls: The service takes only True.
        reasoning_effort: HCX-007: ``"none"``, ``"low"``, ``"medium"``, ``"high"``.
        response_format: HCX-007: ``{"type": "json_schema", "json_schema": {"schema": {...}}}``.
    """

    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int | None
    max_completion_tokens: int | None
    repeat_penalty: float | None
    repetition_penalty: float | None
    stop: str | Sequence[str] | None
    seed: int | None
    n: int | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    reasoning_effort: str | None
    response_format: Mapping[str, Any] | None


def chat(
    messages: Sequence[Mapping[str, Any]],
    *,
    model: str,
    stream: bool,
    request_id: str | None = None,
    timeout: Any = None,
    options: OpenAIChatOptions,
) -> Call[OpenAIChatResult]:
    """Return a chat request."""
    _check_names(options)
    info = model_info(check_text("model", model).removeprefix(TUNED_MODEL_PREFIX))
    cap = [name for name in ("max_tokens", "max_completion_tokens") if options.get(name) is not None]
    if len(cap) > 1:
        raise ConfigurationError("max_tokens and max_completion_tokens are two names of one option: give one")
    least = MIN_TOKENS_WITH_TOOLS if options.get("tools") else 1
    for name in cap:
        integer(name, options.get(name), least, info.max_output_tokens, of="requests with tools" if least > 1 else "")
    stop = options.get("stop")
    body = present(
        {
            "model": model,
            "messages": _messages(messages),
            "stream": stream or None,
            "temperature": number("temperature", options.get("temperature"), 0, 1),
            "top_p": number("top_p", options.get("top_p"), 0, 1, above=True),
            "top_k": integer("top_k", options.get("top_k"), 0, 128),
            **{name: options.get(name) for name in cap},
            "repeat_penalty": number("repeat_penalty", options.get("repeat_penalty"), 0, 10, above=True),
            "repetition_penalty": number("repetition_penalty", options.get("repetition_penalty"), 0, 2, above=True),
            "stop": stop if isinstance(stop, str) else strings("stop", stop),
            "seed": integer("seed", options.get("seed"), 0, MAX_SEED),
            "n": _only("n", options.get("n"), allowed=1),
            "tools": list(options.get("tools") or []) or None,
            "tool_choice": _tool_choice(options.get("tool_choice")),
            "parallel_tool_calls": _only("parallel_tool_calls", options.get("parallel_tool_calls"), allowed=True),
            "reasoning_effort": _effort(options.get("reasoning_effort")),
            "response_format": _response_format(options.get("response_format")),
        }
    )
    return post(
        f"{_PATH}/chat/completions",
        body,
        OpenAIChatResult,
        quota=f"task {info.name}" if is_tuned(model) else info.name,
        request_id=request_id,
        timeout=timeout,
        native=False,
        assembler=OpenAIAssembler,
        default_output=_DEFAULT_OUTPUT,
        model_hint="" if info.known or is_tuned(model) else tell_of_model(model),
    )


# Source: the OpenAI compatibility page.
_DEFAULT_OUTPUT = 512


def embed(input: str, *, model: str, request_id: str | None = None, timeout: Any = None) -> Call[OpenAIEmbeddings]:
    """Return an embedding request for one text: the API guide documents no lists."""
    if not isinstance(input, str):
        raise ConfigurationError(f"input must be one string, got {type(input).__name__}: for many use embed_many")
    body = {"model": check_text("model", model), "input": check_text("input", input), "encoding_format": "float"}
    return post(
        f"{_PATH}/embeddings",
        body,
        OpenAIEmbeddings,
        quota=model,
        request_id=request_id,
        timeout=timeout,
        native=False,
        check=VectorCheck(model),
        model_hint="" if model in EMBEDDING_MODELS else tell_of_model(model, embedding=True),
    )


def models(*, request_id: str | None = None, timeout: Any = None) -> Call[OpenAIModels]:
    """Return a request for the list of models."""
    return Call(
        "GET",
        f"{_PATH}/models",
        None,
        OpenAIModels,
        quota="models",
        native=False,
        request_id=fresh_or_given(request_id),
        timeout=timeout,
    )


def _check_names(options: Mapping[str, Any]) -> None:
    for name in options:
        if name in _UNSUPPORTED:
            raise ConfigurationError(
                f"{name} is not supported by the OpenAI-compatible API of CLOVA Studio: leave it out"
            )
    check_names(options, tuple(OpenAIChatOptions.__annotations__), "openai.chat")


def _messages(messages: Any) -> list[dict[str, Any]]:
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence) or not messages:
        raise ConfigurationError("messages must be a list of at least one message like {'role': ..., 'content': ...}")
    wire = []
    for i, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise ConfigurationError(f"messages[{i}] must be a mapping with role and content, got {message!r}")
        # The service refuses null, which the OpenAI SDK puts in turns that only call tools.
        wire.append({**message, "content": "" if message.get("content") is None else message["content"]})
    check_tool_turns(wire, calls="tool_calls", call_id="tool_call_id")
    return wire


def _only(name: str, value: Any, *, allowed: Any) -> Any:
    if value is not None and value != allowed:
        raise ConfigurationError(f"{name} must be {allowed!r} or left out, got {value!r}")
    return value


def _effort(value: Any) -> Any:
    if value is not None and value not in {"none", "low", "medium", "high"}:
        raise ConfigurationError(f"reasoning_effort must be none, low, medium or high, got {value!r}")
    return value


def _tool_choice(value: Any) -> Any:
    if value is None or isinstance(value, Mapping) or value in {"auto", "none"}:
        return value
    raise ConfigurationError(
        f"tool_choice must be 'auto', 'none' or name a tool, got {value!r}: there is no 'required'"
    )


def _response_format(value: Any) -> Any:
    if value is not None and (not isinstance(value, Mapping) or value.get("type") != "json_schema"):
        raise ConfigurationError("response_format must be {'type': 'json_schema', 'json_schema': {...}}")
    return value
