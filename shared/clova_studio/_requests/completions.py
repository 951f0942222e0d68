"""Legacy completions and their token calculator. The API and its pages were withdrawn at the end of 2025."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from clova_studio._errors import ConfigurationError
from clova_studio._requests.call import Call, post, present
from clova_studio._requests.chat_options import MAX_SEED
from clova_studio._requests.names import check_task_id
from clova_studio._requests.validation import boolean, check_names, check_text, integer, number, path_segment, strings
from clova_studio.types.completions import CompletionResult
from clova_studio.types.tokens import TokenCount

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CompletionOptions", "complete", "count_completion_tokens"]


class CompletionOptions(TypedDict, total=False):
    """Options of ``complete``; the service's defaults apply to what is left out.

    Source: the Completions page of the API guide, withdrawn with its models at the end of 2025.

    Attributes:
        temperature: Above 0, up to 1; service default 0.5.
        top_p: Above 0, up to 1; service default 0.8.
        top_k: 0 to 128; service default 0.
        repeat_penalty: Above 0, up to 10; service default 5.
        stop: One string or several at which the text ends.
        start: Text to put before the output.
        restart: Text to put before the next input.
        max_tokens: Output cap in tokens, 1 to 2,048; service default 100.
        seed: 0 (random) to 4294967295.
        include_tokens: Whether to return the tokens themselves.
        include_ai_filters: Whether to run the AI filter; service default True, according to an old page.
        include_probs: Whether to return probabilities.
    """

    temperature: float | None
    top_p: float | None
    top_k: int | None
    repeat_penalty: float | None
    stop: str | Sequence[str] | None
    start: str | None
    restart: str | None
    max_tokens: int | None
    seed: int | None
    include_tokens: bool | None
    include_ai_filters: bool | None
    include_probs: bool | None


def complete(
    text: str,
    *,
    model: str,
    task_id: str | None = None,
    request_id: str | None = None,
    timeout: Any = None,
    options: CompletionOptions,
) -> Call[CompletionResult]:
    """Return a completion request. Source: the Completions page of the API guide."""
    check_names(options, tuple(CompletionOptions.__annotations__), "complete")
    if not isinstance(model, str) or not model:
        raise ConfigurationError(f"model must be the name of a model such as 'LK-D2', got {model!r}")
    for name in ("start", "restart"):
        if not isinstance(options.get(name), (str, type(None))):
            raise ConfigurationError(f"{name} must be a string, got {options.get(name)!r}")
    body = present(
        {
            "text": check_text("text", text),
            "topK": integer("top_k", options.get("top_k"), 0, 128),
            "topP": number("top_p", options.get("top_p"), 0, 1, above=True),
            "temperature": number("temperature", options.get("temperature"), 0, 1, above=True),
            "repeatPenalty": number("repeat_penalty", options.get("repeat_penalty"), 0, 10, above=True),
            "stopBefore": strings("stop", options.get("stop")),
            "start": options.get("start"),
            "restart": options.get("restart"),
            "maxTokens": integer("max_tokens", options.get("max_tokens"), 1, 2_048),
            "seed": integer("seed", options.get("seed"), 0, MAX_SEED),
            "includeTokens": boolean("include_tokens", options.get("include_tokens")),
            "includeAiFilters": boolean("include_ai_filters", options.get("include_ai_filters")),
            "includeProbs": boolean("include_probs", options.get("include_probs")),
        }
    )
    path, quota = f"/v1/completions/{path_segment('model', model)}", model
    if task_id is not None:
        task_id = check_task_id(task_id)
        path, quota = f"/v1/tasks/{path_segment('task_id', task_id)}/completions", f"task {task_id}"
    return post(
        path,
        body,
        CompletionResult,
        quota=quota,
        request_id=request_id,
        timeout=timeout,
        default_output=_DEFAULT_OUTPUT,
    )


# Source: the Completions page.
_DEFAULT_OUTPUT = 100


def count_completion_tokens(
    text: str, *, model: str, request_id: str | None = None, timeout: Any = None
) -> Call[TokenCount]:
    """Return a token count request for a completion. No current page has it; the path is taken from public code."""
    path, body = f"/v1/api-tools/tokenize/{path_segment('model', model)}", {"text": check_text("text", text)}
    return post(path, body, TokenCount, quota="tokenize", request_id=request_id, timeout=timeout)
