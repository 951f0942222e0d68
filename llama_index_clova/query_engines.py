"""A query engine that searches with a retriever until it can answer, by the RAG reasoning API of CLOVA Studio."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks.schema import EventPayload
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from pydantic import BaseModel, Field

from clova_studio import AiFilter, ConfigurationError, Usage
from clova_studio.adapters import SEARCH_TOOL_DESCRIPTION, ReasoningLoop, arequest_named, in_thread, request_named
from llama_index_clova._decorators import span
from llama_index_clova._engines import ClovaQueryEngine, astream_of, checked_text, query_text, stream_of
from llama_index_clova._reasoning_events import step_events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llama_index.core.base.response.schema import RESPONSE_TYPE
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import QueryType

    from clova_studio import ReasoningResult

__all__ = ["ClovaRagCitation", "ClovaRagReasoningQueryEngine", "ClovaRagResult"]

_MOST_THREADS = 8
_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "llm": "RAG reasoning has a model of its own",
        "response_synthesizer": "the service writes the answer",
        "response_mode": "the service writes the answer",
        "output_cls": "the service returns plain text",
        "text_qa_template": "the service takes no prompt: see system_prompt and tool_description",
        "refine_template": "the service takes no prompt: see system_prompt and tool_description",
        "similarity_top_k": "it belongs to the retriever",
        "use_async": "searches always run concurrently",
        "verbose": "there is nothing to print: see callback_manager",
    }
)


class ClovaRagCitation(BaseModel):
    """A passage of an answer and the node that it cites.

    Attributes:
        text: The passage, ``answer[start:end]``.
        start: Index of its first character in the answer.
        end: Index after its last character.
        node: The node, as the retriever and the postprocessors gave it.
    """

    text: str
    start: int
    end: int
    node: NodeWithScore


class ClovaRagResult(BaseModel):
    """An answer from nodes that were searched for.

    Attributes:
        answer: The answer without citation tags.
        raw: The answer as received, with ``<doc-1>...</doc-1>`` around what cites the first node, and so on.
        citations: The cited passages of the answer with their nodes, in order of their start.
        nodes: All nodes found, each once, in the order in which they were found.
        searches: The queries that were searched for, in order.
        usage: Tokens of all steps together; None if the service reported none.
        ai_filter: Findings of the AI filter about the answer, None without any.
        request_id: The id of the last request.
    """

    answer: str
    raw: str
    citations: list[ClovaRagCitation] = Field(default_factory=list)
    nodes: list[NodeWithScore] = Field(default_factory=list)
    searches: list[str] = Field(default_factory=list)
    usage: Usage | None = None
    ai_filter: list[AiFilter] | None = None
    request_id: str | None = None

    @property
    def source_nodes(self) -> list[NodeWithScore]:
        """The cited nodes, each once, in the order of their first citation; all nodes found if none is cited."""
        return list({id(citation.node): citation.node for citation in self.citations}.values()) or list(self.nodes)


class ClovaRagReasoningQueryEngine(ClovaQueryEngine):
    """Answers a question and searches for what it needs. Source: the RAG reasoning page of the API guide.

        >>> from llama_index_clova import ClovaRagReasoningQueryEngine
        >>> engine = ClovaRagReasoningQueryEngine(index.as_retriever())  # doctest: +SKIP
        >>> response = engine.query("환불은 언제까지 되나요?")  # doctest: +SKIP
        >>> str(response), response.source_nodes[0].metadata["source"]  # doctest: +SKIP
        ('구매 후 7일 안에 환불할 수 있습니다.', 'refund.md')

    The model asks for one or several searches, which the retriever runs concurrently, and then answers or searches
    again. Each search goes through the postprocessors with its own query: ``ClovaRerank`` there is NAVER's advice. The
    text of a node that is sent is the one for LLMs. Nodes are sent as ``doc-1``, ``doc-2`` and so on; one that is found
    twice counts once, and blank ones are not sent.

    ``source_nodes`` of a response are the cited nodes, each once, in the order of their first citation; if nothing is
    cited, they are all nodes found. Its ``metadata`` has the metadata of each source node by its id, as with core's
    engines, and under ``"rag_reasoning"`` the ``citations`` (``text``, ``start``, ``end``, ``node_id``), ``searches``,
    ``usage`` and ``request_id``, all plain values. ``reason()`` returns everything as an object.

    It works in ``QueryEngineTool``, ``RouterQueryEngine`` and ``SubQuestionQueryEngine``. Callbacks get a ``QUERY``
    event, the retriever's and postprocessors' own, and an ``LLM`` event with messages and tokens for each step.

    This class uses no model and takes none from ``Settings``. A query engine knows no earlier messages: use a chat
    engine that condenses the question first (``CondenseQuestionChatEngine``).

    Args:
        retriever: Any retriever of LlamaIndex.
        node_postprocessors: What is done with the nodes of each search, in order; they get the callback manager.
        system_prompt: A system message for the model, None for none.
        max_searches: Maximum number of searches, from 1; then the model has to answer.
        tool_name: The name of the search tool for the model.
        tool_description: The description of the search tool for the model; say what your documents are about.
        temperature: Above 0, up to 1; service default 0.5.
        top_p: Above 0, up to 1; service default 0.8.
        top_k: 0 to 128; service default 0.
        max_tokens: Output cap of a step in tokens, 1,024 to 4,095; service default 1,024. Input may have 128,000.
        repetition_penalty: Above 0, up to 2; service default 1.1.
        stop: One string or several at which the answer ends.
        seed: 0 (random) to 4294967295.
        include_ai_filters: Whether to run the AI filter; on by default here.
        streaming: Whether responses are streams, for programs that expect those. The service does not stream: the
            stream holds the whole answer as one piece, and errors are raised before the stream is returned.
        callback_manager: Callbacks; None for the manager of ``Settings``.
        **connection: ``client``, ``async_client``, or the client's settings by name: ``api_key``, ``base_url``,
            ``region``, ``path_prefix``, ``apigw_api_key``, ``timeout``, ``max_retries``, ``retry``, ``rate_limits``,
            ``max_wait``, ``quota_group``, ``headers``, ``http_client``, ``http_async_client``. With ``client`` alone,
            asynchronous calls run it in a thread.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key; in a call also if the query is
            blank.
        InvalidResponseError: In a call: the model asked for another search when it had to answer. Calls raise the other
            errors of ``clova_studio`` too; errors of retriever and postprocessors are passed on unchanged.
    """

    def __init__(
        self,
        retriever: BaseRetriever,
        *,
        node_postprocessors: Sequence[BaseNodePostprocessor] | None = None,
        system_prompt: str | None = None,
        max_searches: int = 5,
        tool_name: str = "search_documents",
        tool_description: str = SEARCH_TOOL_DESCRIPTION,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        max_tokens: int | None = None,
        repetition_penalty: float | None = None,
        stop: str | list[str] | None = None,
        seed: int | None = None,
        include_ai_filters: bool | None = None,
        streaming: bool = False,
        callback_manager: CallbackManager | None = None,
        **connection: Any,
    ) -> None:
        own = ("retriever", *(ClovaRagReasoningQueryEngine.__init__.__kwdefaults__ or ()))
        super().__init__(connection, own, hints=_HINTS, streaming=streaming, callback_manager=callback_manager)
        if not isinstance(retriever, BaseRetriever):
            raise ConfigurationError(
                f"retriever must be a retriever of LlamaIndex, got {type(retriever).__name__}: for an index it is "
                "index.as_retriever()"
            )
        if system_prompt is not None:
            checked_text("system_prompt", system_prompt)
        self._retriever = retriever
        self._node_postprocessors = list(node_postprocessors or ())
        for postprocessor in self._node_postprocessors:
            postprocessor.callback_manager = self.callback_manager
        self._system_prompt = system_prompt
        self._search: dict[str, Any] = {
            "max_searches": max_searches,
            "tool_name": checked_text("tool_name", tool_name),
            "tool_description": checked_text("tool_description", tool_description),
        }
        self._options = {
            "temperature": temperature,
            "top_p": top_p,
            "top_k": top_k,
            "max_tokens": max_tokens,
            "repetition_penalty": repetition_penalty,
            "stop": stop,
            "seed": seed,
            "include_ai_filters": include_ai_filters,
        }
        self._loop("?")  # max_searches is checked now, not in the first call

    def __repr__(self) -> str:
        shown = {**self._search, **self._options, "streaming": self._streaming, "base_url": self._connection.base_url}
        parts = [f"{name}={value!r}" for name, value in shown.items() if value is not None]
        return f"{type(self).__name__}({type(self._retriever).__name__}(...), {', '.join(parts)})"

    @property
    def retriever(self) -> BaseRetriever:
        """The retriever."""
        return self._retriever

    def reason(self, query: QueryType) -> ClovaRagResult:
        """Return the answer to a question with all that led to it.

        Args:
            query: A string, or a ``QueryBundle`` whose ``query_str`` is the question.

        Raises:
            ConfigurationError: The query is blank, an option is out of range, or only ``async_client`` was given.
            ClovaStudioError: A request failed.
        """
        loop = self._loop(query_text(query))
        while loop.add(self._step(loop.request())):
            loop.found(self._found([_bundle(each, query) for each in loop.queries]))
        return _result(loop)

    async def areason(self, query: QueryType) -> ClovaRagResult:
        """Async variant of ``reason``."""
        loop = self._loop(query_text(query))
        while loop.add(await self._astep(loop.request())):
            loop.found(await self._afound([_bundle(each, query) for each in loop.queries]))
        return _result(loop)

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return what one search finds, after the postprocessors.

        Args:
            query_bundle: What to search for.
        """
        nodes = self._retriever.retrieve(query_bundle)
        for postprocessor in self._node_postprocessors:
            nodes = postprocessor.postprocess_nodes(nodes, query_bundle=query_bundle)
        return nodes

    async def aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Async variant of ``retrieve``."""
        nodes = await self._retriever.aretrieve(query_bundle)
        for postprocessor in self._node_postprocessors:
            nodes = await postprocessor.apostprocess_nodes(nodes, query_bundle=query_bundle)
        return nodes

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        with self._query_event(query_bundle) as event:
            found = self.reason(query_bundle)
            about = (found.source_nodes, _metadata(found))
            response: RESPONSE_TYPE = Response(found.answer or self._empty_response, *about)
            if self._streaming:
                response = StreamingResponse(stream_of(str(response)), *about)
            event.on_end(payload={EventPayload.RESPONSE: response})
        return response

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        with self._query_event(query_bundle) as event:
            found = await self.areason(query_bundle)
            about = (found.source_nodes, _metadata(found))
            response: RESPONSE_TYPE = Response(found.answer or self._empty_response, *about)
            if self._streaming:
                response = AsyncStreamingResponse(astream_of(str(response)), *about)
            event.on_end(payload={EventPayload.RESPONSE: response})
        return response

    def _loop(self, question: str) -> ReasoningLoop[NodeWithScore]:
        messages = [{"role": "user", "content": question}]
        if self._system_prompt is not None:
            messages.insert(0, {"role": "system", "content": self._system_prompt})
        return ReasoningLoop(
            question,
            messages,
            **self._search,
            options=self._options,
            text_of=_text,
            key_of=lambda found: (found.node.node_id, _text(found)),
        )

    @span
    def _step(self, request: dict[str, Any]) -> ReasoningResult:
        client = self._connection.sync
        with step_events(self.callback_manager, request) as done:
            step = request_named(client.reason, request, place=self._connection.place)
            done(step)
        return step

    @span
    async def _astep(self, request: dict[str, Any]) -> ReasoningResult:
        client = self._connection.asynchronous
        with step_events(self.callback_manager, request) as done:
            if client is None:
                sync, place = self._connection.sync, self._connection.place
                step = await in_thread(request_named, sync.reason, request, place=place)
            else:
                step = await arequest_named(client.reason, request, place=self._connection.place)
            done(step)
        return step

    def _found(self, searches: list[QueryBundle]) -> list[list[NodeWithScore]]:
        if len(searches) == 1:
            return [self.retrieve(searches[0])]
        with ThreadPoolExecutor(min(len(searches), _MOST_THREADS), "clova-search") as threads:
            # Each in a copy of the context, where callbacks and traces have their parents.
            running = [threads.submit(copy_context().run, self.retrieve, each) for each in searches]
            return [each.result() for each in running]

    async def _afound(self, searches: list[QueryBundle]) -> list[list[NodeWithScore]]:
        tasks = [asyncio.ensure_future(self.aretrieve(each)) for each in searches]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            # After a failure the other searches are of no use.
            for task in tasks:
                task.cancel()


def _bundle(search: str, query: QueryType) -> QueryBundle:
    # A search for the very question may use what the bundle has for it, such as its embedding.
    return query if isinstance(query, QueryBundle) and query.query_str == search else QueryBundle(search)


def _text(found: NodeWithScore) -> str:
    return found.node.get_content(metadata_mode=MetadataMode.LLM)


def _result(loop: ReasoningLoop[NodeWithScore]) -> ClovaRagResult:
    found = loop.answer()
    # Without validation, which would copy the nodes.
    return ClovaRagResult.model_construct(
        answer=found.answer,
        raw=found.raw,
        citations=[
            ClovaRagCitation.model_construct(
                text=found.answer[passage.start : passage.end],
                start=passage.start,
                end=passage.end,
                node=found.documents[passage.id],
            )
            for passage in found.cited
        ],
        nodes=list(found.documents.values()),
        searches=found.searches,
        usage=found.usage,
        ai_filter=found.ai_filter,
        request_id=found.request_id,
    )


def _metadata(found: ClovaRagResult) -> dict[str, Any]:
    """Return a response's metadata: core's, which is that of each source node by its id, and that of the answer."""
    return {
        **{source.node.node_id: source.node.metadata for source in found.source_nodes},
        "rag_reasoning": {
            "citations": [
                {
                    "text": citation.text,
                    "start": citation.start,
                    "end": citation.end,
                    "node_id": citation.node.node.node_id,
                }
                for citation in found.citations
            ],
            "searches": found.searches,
            "usage": None if found.usage is None else found.usage.model_dump(exclude_none=True),
            "request_id": found.request_id,
        },
    }
