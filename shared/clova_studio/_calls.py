"""Every API as a pure function that returns one ``Call``: what to send, and what comes back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from urllib.parse import quote

from clova_studio._catalogue import EMBEDDING_MODELS, model_info
from clova_studio._chat_body import ChatOptions, chat_request, tools_and_format
from clova_studio._config import check_request_id, make_request_id
from clova_studio._errors import ConfigurationError
from clova_studio._messages import wire_messages
from clova_studio.types._base import Result
from clova_studio.types.chat import ChatResult
from clova_studio.types.embeddings import Embedding
from clova_studio.types.segmentation import Segmentation
from clova_studio.types.tokens import TokenCount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_SEGMENTATION_CHARACTERS",
    "Call",
    "chat",
    "count_chat_tokens",
    "embed",
    "segment",
]

ResultT = TypeVar("ResultT", bound=Result)

MAX_BODY_BYTES = 50 * 1024 * 1024
MAX_SEGMENTATION_CHARACTERS = 120_000


@dataclass(frozen=True, slots=True)
class Call(Generic[ResultT]):
    """One request to one API, without address and key.

    Attributes:
        method: The HTTP method.
        path: The path without prefix, percent-encoded.
        body: The body, None for none.
        result_type: What the ``result`` of the answer is.
        quota: The name of the quota that it counts on: the model, or the tool.
        idempotent: Whether it can be repeated when it may have reached the service.
        prefixed: Whether the path takes the ``testapp``/``serviceapp`` prefix.
        request_id: The id that goes with it and its repetitions.
        timeout: Time limits of this call, None for the client's.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    body: Mapping[str, Any] | None
    result_type: type[ResultT]
    quota: str
    idempotent: bool = True
    prefixed: bool = True
    request_id: str = field(default_factory=make_request_id)
    timeout: Any = None

    def content(self) -> bytes | None:
        """Return the body as JSON in UTF-8.

        Raises:
            ConfigurationError: It is no JSON, not encodable, or over 50 MB.
        """
        if self.body is None:
            return None
        try:
            content = json.dumps(self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except UnicodeEncodeError as exc:
            raise ConfigurationError(
                "the request holds half of a surrogate pair, which is no text: decode the source with errors='replace'"
            ) from exc
        except (TypeError, ValueError) as exc:
            raise ConfigurationError(f"the request cannot be written as JSON: {exc}") from exc
        if len(content) > MAX_BODY_BYTES:
            raise ConfigurationError(
                f"the request has {len(content) >> 20} MB, the service takes 50: send images as URLs, or fewer of them"
            )
        return content


def _request_id(given: str | None) -> str:
    return make_request_id() if given is None else check_request_id(given)


def chat(
    messages: Sequence[Any],
    *,
    model: str,
    task_id: str | None = None,
    base_model: str | None = None,
    api_version: Literal["v1", "v2", "v3"] | None = None,
    request_id: str | None = None,
    timeout: Any = None,
    options: ChatOptions,
) -> Call[ChatResult]:
    """Return a chat request: v1 or v3 by the model, a base model or a tuned one (``task_id``).

    Source: the Chat Completions v1 and v3 pages of the API guide.
    """
    version, info, body = chat_request(messages, model, options, task_id=task_id, api_version=api_version)
    if task_id is None:
        path = f"/{version}/chat-completions/{quote(info.name, safe='')}"
        counted_on = info.name
    else:
        path = f"/{version}/tasks/{quote(task_id, safe='')}/chat-completions"
        counted_on = base_model or f"task {task_id}"
    return Call(
        "POST",
        path,
        body,
        ChatResult,
        quota=counted_on,
        request_id=_request_id(request_id),
        timeout=timeout,
    )


def embed(text: str, *, model: str, request_id: str | None = None, timeout: Any = None) -> Call[Embedding]:
    """Return an embedding request: v2 for ``bge-m3``, v1 for the others.

    Source: the embedding and embedding v2 pages of the API guide.
    """
    info = EMBEDDING_MODELS.get(model)
    if not isinstance(model, str) or not model:
        raise ConfigurationError(f"model must be the name of an embedding model, got {model!r}")
    # v1 has the model in its path, so a model that this version does not know goes there.
    path = info.path if info else f"/v1/api-tools/embedding/{quote(model, safe='')}"
    return Call(
        "POST",
        path,
        {"text": check_text("text", text)},
        Embedding,
        quota=model,
        request_id=_request_id(request_id),
        timeout=timeout,
    )


def segment(
    text: str,
    *,
    alpha: float = -100.0,
    seg_cnt: int = -1,
    post_process: bool = False,
    post_process_max_size: int = 1_000,
    post_process_min_size: int = 300,
    request_id: str | None = None,
    timeout: Any = None,
) -> Call[Segmentation]:
    """Return a paragraph splitting request. Source: the segmentation page of the API guide."""
    check_text("text", text)
    if len(text) > MAX_SEGMENTATION_CHARACTERS:
        raise ConfigurationError(
            f"text has {len(text):,} characters, segmentation takes {MAX_SEGMENTATION_CHARACTERS:,}: split it with "
            "segmentation_windows() first"
        )
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not (alpha == -100 or -1.5 <= alpha <= 1.5):  # noqa: PLR2004
        raise ConfigurationError(f"alpha must be -100 (the model chooses) or from -1.5 up to 1.5, got {alpha!r}")
    if not _is_whole(seg_cnt) or not (seg_cnt == -1 or seg_cnt >= 1):
        raise ConfigurationError(f"seg_cnt must be -1 (automatic) or a whole number from 1, got {seg_cnt!r}")
    if not isinstance(post_process, bool):
        raise ConfigurationError(f"post_process must be True or False, got {post_process!r}")
    if not _is_whole(post_process_max_size) or post_process_max_size < 1:
        raise ConfigurationError(f"post_process_max_size must be a whole number from 1, got {post_process_max_size!r}")
    if not _is_whole(post_process_min_size) or not -1 <= post_process_min_size <= post_process_max_size:
        raise ConfigurationError(
            "post_process_min_size must be -1 (automatic) or from 0 up to post_process_max_size="
            f"{post_process_max_size}, got {post_process_min_size!r}"
        )
    body = {
        "text": text,
        "alpha": alpha,
        "segCnt": seg_cnt,
        "postProcess": post_process,
        "postProcessMaxSize": post_process_max_size,
        "postProcessMinSize": post_process_min_size,
    }
    return Call(
        "POST",
        "/v1/api-tools/segmentation",
        body,
        Segmentation,
        quota="segmentation",
        request_id=_request_id(request_id),
        timeout=timeout,
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
    """Return a token count request for a chat: v1 or v3 by the model.

    Source: the chat v1 and chat v3 token calculator pages of the API guide.
    """
    info = model_info(model)
    v1 = info.api == "v1"
    options: ChatOptions = {"tools": tools, "response_format": response_format}
    if v1 and (tools or response_format):
        raise ConfigurationError(
            f"{info.name} is served by v1, which has no tools and no response_format: leave them out"
        )
    # Counting is not sending: what the chat API refuses to combine is counted side by side all the same.
    body: dict[str, Any] = {"messages": wire_messages(messages, info=info, v1=v1, text_only=None)}
    body.update(tools_and_format(options))
    return Call(
        "POST",
        f"/{info.api}/api-tools/chat-tokenize/{quote(info.name, safe='')}",
        body,
        TokenCount,
        quota="chat-tokenize",
        request_id=_request_id(request_id),
        timeout=timeout,
    )


def check_text(name: str, text: Any) -> str:
    """Return a text that is not empty, or refuse it by name."""
    if not isinstance(text, str):
        raise ConfigurationError(f"{name} must be a string, got {type(text).__name__}")
    if not text.strip():
        raise ConfigurationError(f"{name} is empty: the service refuses empty text")
    return text


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
