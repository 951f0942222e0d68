"""Chat completions of v1 and v3, and their token calculators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from clova_studio._catalogue import DEFAULT_OUTPUT_BY_EFFORT, ModelInfo, is_tuned, model_info
from clova_studio._errors import ConfigurationError
from clova_studio._requests.call import Call, post
from clova_studio._requests.chat_options import ChatOptions, build_chat_request, tools_and_format
from clova_studio._requests.messages import to_clova_messages
from clova_studio._requests.names import task_of, tell_of_model
from clova_studio._requests.validation import path_segment
from clova_studio._streaming.chat_assembler import ChatAssembler
from clova_studio.types.chat import ChatResult
from clova_studio.types.tokens import TokenCount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["chat", "count_chat_tokens"]

# Source: the Chat Completions v1 page, and an older version of the v3 page; the current one names no default.
_DEFAULT_OUTPUT = 100
_DEFAULT_OUTPUT_WITH_TOOLS = 1_024


def default_output_tokens(info: ModelInfo, body: Mapping[str, Any]) -> int:
    """Return the output cap in tokens that the service applies when a request sets none."""
    if info.known and info.thinking:
        thinking = body.get("thinking") or {}
        plain = "none" if body.get("tools") or body.get("responseFormat") else "low"
        return DEFAULT_OUTPUT_BY_EFFORT.get(thinking.get("effort", plain), DEFAULT_OUTPUT_BY_EFFORT["low"])
    return _DEFAULT_OUTPUT_WITH_TOOLS if body.get("tools") else _DEFAULT_OUTPUT


def chat(
    messages: Sequence[Any],
    *,
    model: str,
    task_id: str | None = None,
    base_model: str | None = None,
    api_version: Literal["v1", "v2", "v3"] | None = None,
    request_id: str | None = None,
    timeout: Any = None,
    headers: Mapping[str, Any] | None = None,
    options: ChatOptions,
) -> Call[ChatResult]:
    """Return a chat request, to v1 or v3 by the model; ``task_id`` names a tuned model.

    Source: the Chat Completions v1 and v3 pages of the API guide.
    """
    task_id = task_of(model, task_id)
    version, info, body = build_chat_request(messages, model, options, task_id=task_id, api_version=api_version)
    if task_id is None:
        path = f"/{version}/chat-completions/{path_segment('model', info.name)}"
        counted_on = info.name
    else:
        path = f"/{version}/tasks/{path_segment('task_id', task_id)}/chat-completions"
        counted_on = base_model or f"task {task_id}"
    return post(
        path,
        body,
        ChatResult,
        quota=counted_on,
        request_id=request_id,
        timeout=timeout,
        headers=headers,
        assembler=ChatAssembler,
        default_output=default_output_tokens(info, body),
        model_hint="" if info.known or task_id is not None else tell_of_model(info.name),
    )


def count_chat_tokens(
    messages: Sequence[Any],
    *,
    model: str,
    tools: Sequence[Mapping[str, Any]] | None = None,
    response_format: Mapping[str, Any] | None = None,
    request_id: str | None = None,
    timeout: Any = None,
) -> Call[TokenCount]:
    """Return a token count request for a chat, to v1 or v3 by the model.

    Source: the chat v1 and chat v3 token calculator pages of the API guide.
    """
    info = model_info(model)
    if is_tuned(model):
        raise ConfigurationError(
            f"model={model!r} is a tuned model, which the token calculator does not have: give its base model's name"
        )
    v1 = info.api == "v1"
    options: ChatOptions = {"tools": tools, "response_format": response_format}
    if v1 and (tools or response_format):
        raise ConfigurationError(
            f"{info.name} is served by v1, which has no tools and no response_format: leave them out"
        )
    # Tools and response_format, which a chat cannot combine, can be counted together.
    body: dict[str, Any] = {"messages": to_clova_messages(messages, info=info, v1=v1, text_only=None)}
    body.update(tools_and_format(options))
    path = f"/{info.api}/api-tools/chat-tokenize/{path_segment('model', info.name)}"
    hint = "" if info.known else tell_of_model(info.name)
    return post(path, body, TokenCount, quota="chat-tokenize", request_id=request_id, timeout=timeout, model_hint=hint)
