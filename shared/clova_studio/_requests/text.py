"""Embeddings, paragraph splitting, summarization, the sliding window, and the embedding token calculator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clova_studio._catalogue import EMBEDDING_MODELS, model_info
from clova_studio._errors import ConfigurationError
from clova_studio._requests.call import Call, post
from clova_studio._requests.messages import to_clova_messages
from clova_studio._requests.names import tell_of_model
from clova_studio._requests.validation import boolean, check_text, integer, listed, path_segment
from clova_studio._requests.vectors import VectorCheck
from clova_studio.types.embeddings import Embedding
from clova_studio.types.segmentation import Segmentation
from clova_studio.types.sliding import SlidingWindow
from clova_studio.types.summarization import Summary
from clova_studio.types.tokens import TokenCount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "MAX_SEGMENTATION_CHARACTERS",
    "MAX_SUMMARIZATION_CHARACTERS",
    "count_embedding_tokens",
    "embed",
    "segment",
    "slide",
    "summarize",
]

MAX_SEGMENTATION_CHARACTERS = 120_000
"""Characters that one request to segmentation takes. Source: the segmentation page of the API guide."""
MAX_SUMMARIZATION_CHARACTERS = 35_000
"""Characters that one request to summarization takes. Source: the summarization page of the API guide."""
_MAX_COUNTED_CHARACTERS = 10_000
_MAX_SLIDING_TOKENS = 4_096


def embed(
    text: str,
    *,
    model: str,
    check: VectorCheck | None = None,
    request_id: str | None = None,
    timeout: Any = None,
) -> Call[Embedding]:
    """Return an embedding request: v2 for ``bge-m3``, v1 for the others.

    Source: the embedding and embedding v2 pages of the API guide.

    Args:
        text: The text.
        model: The model.
        check: The check that the requests of a batch share, so that all their vectors have the same length.
        request_id: The caller's id, None for a fresh one.
        timeout: The time limits of this call, None for the client's.
    """
    if not isinstance(model, str) or not model:
        raise ConfigurationError(f"model must be the name of an embedding model, got {model!r}")
    info = EMBEDDING_MODELS.get(model)
    # v1 has the model in its path, so a model that this package does not know is sent there.
    path = info.path if info else f"/v1/api-tools/embedding/{path_segment('model', model)}"
    body, checked = {"text": check_text("text", text)}, check or VectorCheck(model)
    hint = "" if info else tell_of_model(model, embedding=True)
    return post(
        path, body, Embedding, quota=model, request_id=request_id, timeout=timeout, check=checked, model_hint=hint
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
    integer("seg_cnt", seg_cnt, 1, also=-1)
    boolean("post_process", post_process)
    integer("post_process_max_size", post_process_max_size, 1)
    integer("post_process_min_size", post_process_min_size, 0, post_process_max_size, also=-1)
    body = {
        "text": text,
        "alpha": alpha,
        "segCnt": seg_cnt,
        "postProcess": post_process,
        "postProcessMaxSize": post_process_max_size,
        "postProcessMinSize": post_process_min_size,
    }
    path = "/v1/api-tools/segmentation"
    return post(path, body, Segmentation, quota="segmentation", request_id=request_id, timeout=timeout)


def summarize(
    texts: Iterable[str] | str,
    *,
    auto_sentence_splitter: bool = True,
    seg_count: int = -1,
    seg_max_size: int = 1_000,
    seg_min_size: int = 300,
    include_ai_filters: bool = False,
    request_id: str | None = None,
    timeout: Any = None,
) -> Call[Summary]:
    """Return a summarization request. Source: the summarization page of the API guide."""
    given = [texts] if isinstance(texts, str) else listed("texts", texts, "strings")
    if not given:
        raise ConfigurationError("texts is empty: give at least one text")
    checked = [check_text(f"texts[{i}]", text) for i, text in enumerate(given)]
    total = sum(map(len, checked))
    if total > MAX_SUMMARIZATION_CHARACTERS:
        raise ConfigurationError(
            f"texts has {total:,} characters, summarization takes {MAX_SUMMARIZATION_CHARACTERS:,}: summarize the "
            "parts, then their summaries"
        )
    boolean("auto_sentence_splitter", auto_sentence_splitter)
    boolean("include_ai_filters", include_ai_filters)
    integer("seg_count", seg_count, 1, also=-1)
    integer("seg_max_size", seg_max_size, 1, 3_000)
    integer("seg_min_size", seg_min_size, 0, seg_max_size)
    body = {
        "texts": checked,
        "autoSentenceSplitter": auto_sentence_splitter,
        "segCount": seg_count,
        "segMaxSize": seg_max_size,
        "segMinSize": seg_min_size,
        "includeAiFilters": include_ai_filters,
    }
    path = "/v1/api-tools/summarization/v2"
    return post(path, body, Summary, quota="summarization", request_id=request_id, timeout=timeout)


def slide(
    messages: Sequence[Any],
    *,
    model: str,
    max_tokens: int,
    request_id: str | None = None,
    timeout: Any = None,
) -> Call[SlidingWindow]:
    """Return a sliding window request. Source: the sliding window page of the API guide."""
    info = model_info(model)
    if info.known and info.api != "v1":
        raise ConfigurationError(
            f"the sliding window is for v1 models (HCX-003, HCX-DASH-001), not {info.name}: drop the oldest turns "
            "until count_chat_tokens(), which takes v3 models, shows that the rest fits"
        )
    if integer("max_tokens", max_tokens, 1, _MAX_SLIDING_TOKENS) is None:
        raise ConfigurationError("max_tokens is required: the output cap of the chat that follows")
    body = {"maxTokens": max_tokens, "messages": to_clova_messages(messages, info=info, v1=True, text_only=None)}
    path = f"/v1/api-tools/sliding/chat-messages/{path_segment('model', info.name)}"
    hint = "" if info.known else tell_of_model(info.name)
    return post(path, body, SlidingWindow, quota="sliding", request_id=request_id, timeout=timeout, model_hint=hint)


def count_embedding_tokens(text: str, *, request_id: str | None = None, timeout: Any = None) -> Call[TokenCount]:
    """Return a token count request for an embedding v2 text.

    Source: the embedding v2 token calculator page of the API guide.
    """
    check_text("text", text)
    if len(text) > _MAX_COUNTED_CHARACTERS:
        raise ConfigurationError(
            f"text has {len(text):,} characters, the calculator takes {_MAX_COUNTED_CHARACTERS:,}: count it in parts"
        )
    path, body = "/v1/api-tools/embedding/v2/tokenize", {"text": text}
    return post(path, body, TokenCount, quota="embedding-tokenize", request_id=request_id, timeout=timeout)
