"""Reranker and RAG reasoning."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from clova_studio._catalogue import ModelInfo
from clova_studio._errors import ConfigurationError
from clova_studio._requests.call import Call, post, present
from clova_studio._requests.chat_options import MAX_SEED, ChatOptions, tools_and_format
from clova_studio._requests.messages import check_tool_turns, to_clova_messages
from clova_studio._requests.validation import boolean, check_names, check_text, integer, listed, number, strings
from clova_studio.types.reasoning import ReasoningResult
from clova_studio.types.reranking import RerankResult

__all__ = ["ReasoningOptions", "reason", "rerank"]

# Both pages say "less than 4096"; clients of the reranker send 4096 and get answers (observed).
_MAX_RERANK_TOKENS = 4_096
_MAX_REASONING_TOKENS = 4_095
_MIN_REASONING_TOKENS = 1_024
_REASONER = ModelInfo("RAG reasoning", tools=True)


class ReasoningOptions(TypedDict, total=False):
    """Options of ``reason``; the service's defaults apply to what is left out.

    Source: the RAG reasoning page of the API guide.

    Attributes:
        tool_choice: ``"auto"``, ``"none"`` or ``{"type": "function", "function": {"name": ...}}``.
        temperature: Above 0, up to 1; service default 0.5.
        top_p: Above 0, up to 1; service default 0.8.
        top_k: 0 to 128; service default 0.
        max_tokens: Output cap in tokens, 1,024 to 4,095; service default 1,024.
        repetition_penalty: Above 0, up to 2; service default 1.1.
        stop: One string or several at which the answer ends.
        seed: 0 (random) to 4294967295.
        include_ai_filters: Whether to run the AI filter; service default True, unlike chat.
    """

    tool_choice: str | Mapping[str, Any] | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int | None
    repetition_penalty: float | None
    stop: str | Sequence[str] | None
    seed: int | None
    include_ai_filters: bool | None


def rerank(
    query: str,
    documents: Iterable[str | Mapping[str, Any]],
    *,
    max_tokens: int | None = None,
    request_id: str | None = None,
    timeout: Any = None,
) -> Call[RerankResult]:
    """Return a reranker request. Source: the reranker page of the API guide."""
    body = present(
        {
            "documents": _documents(documents),
            "query": check_text("query", query),
            "maxTokens": integer("max_tokens", max_tokens, 1, _MAX_RERANK_TOKENS),
        }
    )
    return post(
        "/v1/api-tools/reranker",
        body,
        RerankResult,
        quota="reranker",
        request_id=request_id,
        timeout=timeout,
        default_output=_DEFAULT_OUTPUT,
    )


def reason(
    messages: Sequence[Any],
    *,
    tools: Sequence[Mapping[str, Any]],
    request_id: str | None = None,
    timeout: Any = None,
    options: ReasoningOptions,
) -> Call[ReasoningResult]:
    """Return a RAG reasoning request. Source: the RAG reasoning page of the API guide."""
    check_names(options, tuple(ReasoningOptions.__annotations__), "reason")
    if not tools:
        raise ConfigurationError("tools is empty: RAG reasoning needs the search tool in every step")
    chat_options: ChatOptions = {"tools": tools, "tool_choice": options.get("tool_choice")}
    named = tools_and_format(chat_options)
    for i, tool in enumerate(named["tools"]):
        if not isinstance(tool["function"].get("parameters"), Mapping):
            raise ConfigurationError(f"tools[{i}].function.parameters is missing: RAG reasoning requires it")
    wire = to_clova_messages(_with_search_results(messages), info=_REASONER, v1=False, text_only="tools")
    check_tool_turns(wire, calls="toolCalls", call_id="toolCallId")
    body = present(
        {
            "messages": wire,
            **named,
            "topP": number("top_p", options.get("top_p"), 0, 1, above=True),
            "topK": integer("top_k", options.get("top_k"), 0, 128),
            "maxTokens": integer("max_tokens", options.get("max_tokens"), _MIN_REASONING_TOKENS, _MAX_REASONING_TOKENS),
            "temperature": number("temperature", options.get("temperature"), 0, 1, above=True),
            "repetitionPenalty": number("repetition_penalty", options.get("repetition_penalty"), 0, 2, above=True),
            "stop": strings("stop", options.get("stop")),
            "seed": integer("seed", options.get("seed"), 0, MAX_SEED),
            "includeAiFilters": boolean("include_ai_filters", options.get("include_ai_filters")),
        }
    )
    return post(
        "/v1/api-tools/rag-reasoning",
        body,
        ReasoningResult,
        quota="rag-reasoning",
        request_id=request_id,
        timeout=timeout,
        default_output=_DEFAULT_OUTPUT,
    )


# Source: the reranker and RAG reasoning pages.
_DEFAULT_OUTPUT = 1_024


def _documents(documents: Any) -> list[dict[str, str]]:
    given = listed("documents", documents, "strings or documents")
    if not given:
        raise ConfigurationError("documents is empty: give at least one document")
    wire = []
    for i, document in enumerate(given):
        where = f"documents[{i}]"
        if isinstance(document, str):
            # The answer cites documents as doc1, doc2 and so on, counted from 1: this id is the same.
            wire.append({"id": f"doc{i + 1}", "doc": check_text(where, document)})
            continue
        if not isinstance(document, Mapping) or set(document) != {"id", "doc"}:
            raise ConfigurationError(f"{where} must be a string or {{'id': ..., 'doc': ...}}, got {document!r}")
        wire.append(
            {"id": check_text(f"{where}.id", document["id"]), "doc": check_text(f"{where}.doc", document["doc"])}
        )
    return wire


def _with_search_results(messages: Any) -> Any:
    """Return the messages with the search results in tool messages as JSON text, which the wire requires.

    The pages show ``{"search_result": [{"id", "doc"}]}`` and the same in a list. Both are accepted, as objects or as
    text, and a plain list of documents is put into the first form.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence):
        return messages
    return [_with_search_result(message, f"messages[{i}]") for i, message in enumerate(messages)]


def _with_search_result(message: Any, where: str) -> Any:
    if not isinstance(message, Mapping) or message.get("role") != "tool" or isinstance(message.get("content"), str):
        return message
    content = message.get("content")
    if isinstance(content, Sequence) and not any(
        isinstance(item, Mapping) and "search_result" in item for item in content
    ):
        content = {"search_result": content}
    results = content[0] if isinstance(content, Sequence) and content else content
    found = results.get("search_result") if isinstance(results, Mapping) else None
    if not isinstance(found, Sequence) or not all(isinstance(d, Mapping) and {"id", "doc"} <= set(d) for d in found):
        raise ConfigurationError(
            f"{where}.content must be JSON text or {{'search_result': [{{'id': ..., 'doc': ...}}]}}, got {content!r}"
        )
    return {**message, "content": json.dumps(content, ensure_ascii=False)}
