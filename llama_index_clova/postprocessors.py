"""A node postprocessor that reranks nodes and answers the query, by the reranker API of CLOVA Studio."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable  # noqa: TC003  pydantic reads the annotations
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from pydantic import BaseModel, Field, PrivateAttr, field_validator

from clova_studio import ConfigurationError, Usage
from clova_studio.adapters import RerankRequest, WarnOnce, in_thread
from llama_index_clova._decorators import dispatcher
from llama_index_clova._fields import ConnectionFields

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clova_studio import RerankResult

__all__ = ["ClovaRerank", "ClovaRerankCitation", "ClovaRerankEndEvent", "ClovaRerankResult"]

# The model's name in events: the service has one reranker, whose model has no name.
_MODEL = "clova-reranker"
_MARKS = ("cited", "rank")


class ClovaRerankCitation(BaseModel):
    """A passage of the answer and the node that it cites.

    Attributes:
        text: The passage, ``answer[start:end]``.
        start: Index of its first character in the answer.
        end: Index after its last character.
        node: The given node, not the copy.
    """

    text: str
    start: int
    end: int
    node: NodeWithScore


class ClovaRerankResult(BaseModel):
    """The reranker's result for a query and its nodes.

    Attributes:
        nodes: What ``postprocess_nodes`` returns.
        answer: The answer written from the nodes, without citation tags; ``""`` without nodes.
        raw: The answer as received, with ``<doc1>...</doc1>`` around what cites the first text sent, and so on.
        citations: The passages of the answer that cite a node, with the given nodes, not the copies.
        suggested_queries: Other queries to try if the nodes do not answer this one.
        usage: Tokens; None if nothing was sent.
        request_id: The id of the request; None if nothing was sent.
        hint: What may have kept nodes from being cited, such as their being short; None if there is nothing to say.
    """

    nodes: list[NodeWithScore]
    answer: str = ""
    raw: str = ""
    citations: list[ClovaRerankCitation] = Field(default_factory=list)
    suggested_queries: list[str] = Field(default_factory=list)
    usage: Usage | None = None
    request_id: str | None = None
    hint: str | None = None


class ClovaRerankEndEvent(ReRankEndEvent):
    """LlamaIndex's event at the end of a reranking, with the whole result.

    Attributes:
        result: The result; None after an error.
    """

    result: ClovaRerankResult | None = None


class _MissingQueryError(ConfigurationError, ValueError):
    """There is no query; also a ``ValueError``, as LlamaIndex's other rerankers raise."""


class ClovaRerank(BaseNodePostprocessor, ConnectionFields):
    """Keeps the nodes that answer a query. Source: the reranker page of the API guide.

        >>> from llama_index_clova import ClovaRerank
        >>> answers = []
        >>> rerank = ClovaRerank(top_n=3, on_result=lambda result: answers.append(result.answer))  # doctest: +SKIP
        >>> engine = index.as_query_engine(similarity_top_k=20, node_postprocessors=[rerank])  # doctest: +SKIP

    The service cites nodes, best first, and returns **no scores**. Each node keeps the score that it had, even though
    the order changes. Nodes are returned as copies with ``metadata["cited"]`` and, if cited, ``metadata["rank"]`` from
    1; both are left out of the texts for LLMs and embedding models. The text sent is the one for embedding models.

    The service writes an answer in the same request. ``rerank()`` and ``arerank()`` return it with its citations or, if
    there is no answer, with suggested queries. A query engine uses the nodes only; there, ``on_result`` receives the
    whole result, and so do handlers of LlamaIndex's events: as ``result`` of the ``ReRankEndEvent``, and callbacks as
    ``payload[EventPayload.ADDITIONAL_KWARGS]["result"]``.

    **Nothing cited is not nothing found**: by default (``keep_uncited="if_none_cited"``) a query engine is then left
    with the nodes given, in their order, with ``metadata["cited"]`` False and no rank; where something is cited, only
    that is kept. About one node of four is cited, and nodes of one line often are not although they hold the answer: if
    none is cited and some are short, one warning and the result's ``hint`` say so.

    The given nodes are not changed. Blank nodes are never sent and count as not cited; without other nodes no request
    is made.

    Attributes:
        top_n: Maximum nodes to return, from 1; None for all.
        keep_uncited: Whether nodes that were not cited follow the cited ones, in their given order: True for always,
            False for never, ``"if_none_cited"`` for only if no node was cited.
        max_tokens: Maximum tokens of the answer, 1 to 4,096; service default 1,024. Input may have 128,000.
        on_result: A plain function that receives the ``ClovaRerankResult`` of each call, in the thread or event loop of
            the call, even if nothing was sent; not after an error. Its exceptions reach the caller. Not part of dumps.
        callback_manager: Callbacks; each call is one event.

    Raises:
        ConfigurationError: An argument does not exist, or there is no key. Values out of range raise pydantic's
            ``ValidationError``. Calls raise the errors of ``clova_studio``; the error for a missing query is also a
            ``ValueError``.

    See ``ConnectionFields`` for how to reach the service.
    """

    top_n: int | None = Field(default=None, ge=1)
    keep_uncited: bool | Literal["if_none_cited"] = "if_none_cited"
    max_tokens: int | None = Field(default=None, ge=1, le=4_096)
    on_result: Callable[[ClovaRerankResult], Any] | None = Field(default=None, exclude=True, repr=False)

    _warn_once: WarnOnce = PrivateAttr(default_factory=WarnOnce)

    @field_validator("on_result")
    @classmethod
    def _check_on_result(cls, value: Any) -> Any:
        if inspect.iscoroutinefunction(value):
            raise ConfigurationError("on_result must be a plain function: synchronous calls cannot await it")
        return value

    @classmethod
    def class_name(cls) -> str:
        """Return the class name that dumps use."""
        return "ClovaRerank"

    def rerank(self, nodes: Sequence[NodeWithScore], query: str | QueryBundle) -> ClovaRerankResult:
        """Return the nodes that answer a query, and the answer.

        Args:
            nodes: The retrieved nodes; not changed.
            query: The query.

        Raises:
            ConfigurationError: There is no query, or an item is not a ``NodeWithScore``; nothing was sent.
            ClovaStudioError: The request failed.
        """
        asked = _Asked(self, nodes, query)
        with self._events(asked):
            documents = asked.request.documents
            if documents:
                client = self._connection.sync
                asked.take(client.rerank(asked.query, documents, max_tokens=self.max_tokens))
        return self._delivered(asked.result)

    async def arerank(self, nodes: Sequence[NodeWithScore], query: str | QueryBundle) -> ClovaRerankResult:
        """Async variant of ``rerank``."""
        asked = _Asked(self, nodes, query)
        with self._events(asked):
            documents = asked.request.documents
            if documents:
                client = self._connection.asynchronous
                if client is None:
                    sync = self._connection.sync
                    asked.take(await in_thread(sync.rerank, asked.query, documents, max_tokens=self.max_tokens))
                else:
                    asked.take(await client.rerank(asked.query, documents, max_tokens=self.max_tokens))
        return self._delivered(asked.result)

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return self.rerank(nodes, _given(query_bundle)).nodes

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return (await self.arerank(nodes, _given(query_bundle))).nodes

    def _delivered(self, result: ClovaRerankResult) -> ClovaRerankResult:
        if result.hint is not None:
            self._warn_once.warn("short nodes", result.hint)
        if self.on_result is not None:
            self.on_result(result)
        return result

    @contextmanager
    def _events(self, asked: _Asked) -> Iterator[None]:
        """Report the start of a call to callbacks and instrumentation, and its end, also after an error."""
        top_n = len(asked.nodes) if self.top_n is None else self.top_n
        dispatcher.event(ReRankStartEvent(query=asked.query, nodes=asked.nodes, top_n=top_n, model_name=_MODEL))
        end = ClovaRerankEndEvent(nodes=[])
        payload: dict[str, Any] = {
            EventPayload.NODES: asked.nodes,
            EventPayload.MODEL_NAME: _MODEL,
            EventPayload.QUERY_STR: asked.query,
            EventPayload.TOP_K: top_n,
        }
        try:
            with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
                yield
                result = asked.result
                end = ClovaRerankEndEvent(nodes=result.nodes, result=result)
                event.on_end(
                    payload={EventPayload.NODES: result.nodes, EventPayload.ADDITIONAL_KWARGS: {"result": result}}
                )
        finally:
            dispatcher.event(end)


class _Asked:
    """One call: the query, its nodes, and the result that the answer gives."""

    def __init__(self, rerank: ClovaRerank, nodes: Sequence[NodeWithScore], query: Any) -> None:
        self.query = query.query_str if isinstance(query, QueryBundle) else query
        if not isinstance(self.query, str):
            raise ConfigurationError(f"query must be a string or a QueryBundle, got {type(query).__name__}")
        self.nodes = list(nodes)
        for i, node in enumerate(self.nodes):
            if not isinstance(node, NodeWithScore):
                raise ConfigurationError(f"nodes[{i}] must be a NodeWithScore, got {type(node).__name__}")
        self.request = RerankRequest([node.node.get_content(MetadataMode.EMBED) for node in self.nodes])
        self._rerank = rerank
        self._result: RerankResult | None = None

    def take(self, result: RerankResult) -> None:
        """Keep the answer of the service; it is None while nothing was sent."""
        self._result = result

    @cached_property
    def result(self) -> ClovaRerankResult:
        """The answer in terms of nodes; callbacks, events and the caller get the same object."""
        answer = self.request.answer(self._result)
        rerank = self._rerank
        return ClovaRerankResult(
            nodes=answer.kept(
                lambda i, marks: _marked(self.nodes[i], marks), keep_uncited=rerank.keep_uncited, top_n=rerank.top_n
            ),
            citations=[ClovaRerankCitation(node=self.nodes[i], **passage) for i, passage in answer.citations()],
            usage=answer.usage,
            **answer.fields(),
        )


def _given(query_bundle: QueryBundle | None) -> QueryBundle:
    if query_bundle is None:
        raise _MissingQueryError("the reranker needs a query: pass query_str= or query_bundle=")
    return query_bundle


def _marked(found: NodeWithScore, marks: dict[str, Any]) -> NodeWithScore:
    node = found.node
    # Only these fields are copied deeply: an IndexNode may hold a whole query engine.
    copied = node.model_copy(
        update={
            name: copy.deepcopy(getattr(node, name))
            for name in ("metadata", "relationships", "excluded_embed_metadata_keys", "excluded_llm_metadata_keys")
        }
    )
    for mark in _MARKS:
        # The marks of an earlier reranker no longer hold.
        copied.metadata.pop(mark, None)
        for excluded in (copied.excluded_embed_metadata_keys, copied.excluded_llm_metadata_keys):
            if mark not in excluded:
                excluded.append(mark)
    copied.metadata.update(marks)
    return NodeWithScore(node=copied, score=found.score)
