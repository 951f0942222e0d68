"""RAG reasoning as a query engine: its searches, its sources in the order of the citations, and its events."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import open_sockets
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import PrivateAttr
from rag_support import DELIVERY, QUESTION, REFUND, TWO_QUESTIONS, Documents

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, InvalidResponseError, ServerError
from clova_studio.emulator import Fault
from llama_index_clova import ClovaRagReasoningQueryEngine, ClovaRerank

if TYPE_CHECKING:
    from collections.abc import Callable

    from llama_index.core.retrievers import BaseRetriever

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"


@pytest.fixture
def engine(account: dict[str, Any]) -> Callable[..., ClovaRagReasoningQueryEngine]:
    """Make engines that talk to the emulator."""

    def make(retriever: BaseRetriever | None = None, **settings: Any) -> ClovaRagReasoningQueryEngine:
        return ClovaRagReasoningQueryEngine(retriever or Documents(), **{**account, **settings})

    return make


@pytest.fixture(params=["sync", "async"])
def query(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Query an engine in each of the two ways."""

    def run(engine: Any, text: Any = QUESTION) -> Any:
        return engine.query(text) if request.param == "sync" else asyncio.run(engine.aquery(text))

    return run


def scripted(*contents: Any) -> tuple[dict[str, Any], list[Any]]:
    """Return the settings for a service that answers with these messages in turn, and the list of what is sent."""
    requests: list[Any] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(json.loads(request.content))
        message = {"role": "assistant", **contents[len(requests) - 1]}
        result = {"message": message, "usage": {"promptTokens": 10, "completionTokens": 2, "totalTokens": 12}}
        return httpx.Response(200, json={"status": {"code": "20000"}, "result": result})

    settings = {"api_key": KEY, "base_url": "http://127.0.0.1:1"}
    clients = {
        "http_client": httpx.Client(transport=httpx.MockTransport(respond)),
        "http_async_client": httpx.AsyncClient(transport=httpx.MockTransport(respond)),
    }
    return {**settings, **clients}, requests


def search(*queries: str) -> dict[str, Any]:
    """Return a message that asks for searches."""
    return {
        "content": "",
        "toolCalls": [
            {"id": f"c{i}", "type": "function", "function": {"name": "search_documents", "arguments": {"query": each}}}
            for i, each in enumerate(queries)
        ],
    }


@pytest.mark.each_behaviour
def test_answer_and_its_source(engine: Callable[..., Any], query: Callable[..., Any]) -> None:
    """The answer has no tags, its source is the cited node as it was found, and the metadata are plain values."""
    documents = Documents()
    before = copy.deepcopy(documents.found)
    response = query(engine(documents))
    assert isinstance(response, Response)
    assert response.response == REFUND
    assert [source is documents.found[2] for source in response.source_nodes] == [True]
    about = json.loads(json.dumps(response.metadata))
    assert about["n2"] == {"source": "2.md"}
    assert about["rag_reasoning"]["citations"] == [{"text": REFUND, "start": 0, "end": len(REFUND), "node_id": "n2"}]
    assert about["rag_reasoning"]["searches"] == [QUESTION]
    assert about["rag_reasoning"]["usage"]["total_tokens"] > 100
    assert about["rag_reasoning"]["request_id"]
    assert documents.found == before


def test_sources_are_in_the_order_of_the_citations(query: Callable[..., Any]) -> None:
    """Sources follow the citations, each once; a tag of no document is none; without a citation all found are there."""
    answer = "<doc-3>셋</doc-3>, <doc-9>?</doc-9> <doc-1>하나</doc-1>, <doc-3>또 셋</doc-3>"
    settings, _ = scripted(search("가"), {"content": answer})
    found = query(ClovaRagReasoningQueryEngine(Documents("하나", "둘", "셋"), **settings))
    assert str(found) == "셋, ? 하나, 또 셋"
    assert [source.node.node_id for source in found.source_nodes] == ["n2", "n0"]
    settings, _ = scripted(search("가"), {"content": "모르겠습니다."})
    found = query(ClovaRagReasoningQueryEngine(Documents("하나", "둘"), **settings))
    assert [source.node.node_id for source in found.source_nodes] == ["n0", "n1"]
    assert found.metadata["rag_reasoning"]["citations"] == []


def test_streams_hold_the_one_answer(engine: Callable[..., Any], server: EmulatorServer) -> None:
    """With streaming, sync and async, a response is a stream of the whole answer, with sources from the start."""
    streaming = engine(streaming=True, max_retries=0)
    response = streaming.query(QUESTION)
    assert isinstance(response, StreamingResponse)
    assert [source.node.node_id for source in response.source_nodes] == ["n2"]
    assert list(response.response_gen) == [REFUND]

    async def main() -> list[str]:
        response = await streaming.aquery(QUESTION)
        assert isinstance(response, AsyncStreamingResponse)
        assert [source.node.node_id for source in response.source_nodes] == ["n2"]
        return [piece async for piece in response.async_response_gen()]

    assert asyncio.run(main()) == [REFUND]
    server.add_fault(Fault("status", status=500, code="50000"))
    with pytest.raises(ServerError):
        streaming.query(QUESTION)


def test_searches_run_side_by_side(engine: Callable[..., Any], query: Callable[..., Any]) -> None:
    """Several searches of one step meet in the retriever, and a node found twice is sent under one id."""
    together = threading.Barrier(2, timeout=20)

    class Meeting(Documents):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            together.wait()
            return super()._retrieve(query_bundle)

        async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            return await asyncio.to_thread(self._retrieve, query_bundle)

    found = query(engine(Meeting(REFUND, DELIVERY)), TWO_QUESTIONS)
    assert found.metadata["rag_reasoning"]["searches"] == [QUESTION, "배송 조회는 어디서 하나요?"]
    assert len({source.node.node_id for source in found.source_nodes}) == len(found.source_nodes)


def test_what_is_sent(engine: Callable[..., Any], server: EmulatorServer, query: Callable[..., Any]) -> None:
    """Options, system prompt and tool are sent in each step; results have the text for LLMs under tag-safe ids."""
    documents = Documents(REFUND)
    documents.found[0].node.excluded_llm_metadata_keys = []
    options = {"temperature": 0.3, "top_k": 3, "max_tokens": 2_000, "seed": 7, "include_ai_filters": False}
    asking = engine(documents, system_prompt="짧게 답한다.", tool_name="find", tool_description="고객 문서", **options)
    query(asking)
    first, second = (request.body for request in server.requests)
    assert first["messages"] == [
        {"role": "system", "content": "짧게 답한다."},
        {"role": "user", "content": QUESTION},
    ]
    assert first["tools"] == second["tools"]
    assert first["tools"][0]["function"]["name"] == "find"
    assert first["tools"][0]["function"]["description"] == "고객 문서"
    assert first["includeAiFilters"] is False
    assert (first["temperature"], first["topK"], first["maxTokens"], first["seed"]) == (0.3, 3, 2_000, 7)
    call, result = second["messages"][2:]
    assert result["toolCallId"] == call["toolCalls"][0]["id"]
    sent = json.loads(result["content"])["search_result"]
    assert sent == [{"id": "doc-1", "doc": f"source: 0.md\n\n{REFUND}"}]


def test_the_bundle_serves_a_search_for_the_question(engine: Callable[..., Any], query: Callable[..., Any]) -> None:
    """A search for the very question gets the caller's bundle with its embedding; another one a bundle of its own."""
    documents = Documents()
    bundle = QueryBundle(QUESTION, embedding=[1.0, 2.0])
    query(engine(documents), bundle)
    assert documents.asked[0] is bundle
    documents = Documents()
    query(engine(documents), QueryBundle(TWO_QUESTIONS, embedding=[1.0, 2.0]))
    assert [asked.embedding for asked in documents.asked] == [None, None]


def test_searches_are_bounded(engine: Callable[..., Any], server: EmulatorServer, query: Callable[..., Any]) -> None:
    """max_searches cuts the calls of a step, after them the model has to answer, and a further call is an error."""
    found = query(engine(max_searches=1), TWO_QUESTIONS)
    assert found.metadata["rag_reasoning"]["searches"] == [QUESTION]
    assert [request.body["toolChoice"] for request in server.requests] == ["auto", "none"]
    settings, requests = scripted(search("가"), search("나"))
    with pytest.raises(InvalidResponseError, match="max_searches"):
        query(ClovaRagReasoningQueryEngine(Documents(), max_searches=1, **settings))
    assert len(requests) == 2


def test_postprocessors_see_each_search(engine: Callable[..., Any], query: Callable[..., Any]) -> None:
    """Nodes go through the postprocessors in order with the search as their query, with the engine's callbacks."""

    class Marked(BaseNodePostprocessor):
        _asked: list[str] = PrivateAttr(default_factory=list)

        def _postprocess_nodes(self, nodes: Any, query_bundle: Any = None) -> Any:
            self._asked.append(query_bundle.query_str)
            return [node for node in nodes if "환불" in node.text]

    marked, manager = Marked(), CallbackManager([])
    found = query(engine(node_postprocessors=[marked], callback_manager=manager), TWO_QUESTIONS)
    assert sorted(marked._asked) == sorted(found.metadata["rag_reasoning"]["searches"])
    assert {source.node.node_id for source in found.source_nodes} == {"n2"}
    assert marked.callback_manager is manager


def test_the_reranker_inside(engine: Callable[..., Any], account: dict[str, Any], query: Callable[..., Any]) -> None:
    """ClovaRerank among the postprocessors leaves what it cites, for the model and among the sources."""
    documents = Documents(REFUND * 20, DELIVERY * 20)
    found = query(engine(documents, node_postprocessors=[ClovaRerank(keep_uncited=False, **account)]))
    assert [(source.node.node_id, source.metadata["rank"]) for source in found.source_nodes] == [("n0", 1)]


def test_retrieve_is_one_search(engine: Callable[..., Any], server: EmulatorServer) -> None:
    """Retrieve and aretrieve give what a search gives, and ask the service nothing."""
    documents = Documents()
    assert engine(documents).retrieve(QueryBundle("가")) == documents.found
    assert asyncio.run(engine(documents).aretrieve(QueryBundle("가"))) == documents.found
    assert engine(documents).retriever is documents
    assert server.requests == []


def test_reason_has_all_of_it(engine: Callable[..., Any]) -> None:
    """reason() and areason() give raw answer, citations with their nodes, all nodes, searches and tokens."""
    documents = Documents()
    for found in (engine(documents).reason(QUESTION), asyncio.run(engine(documents).areason(QUESTION))):
        assert (found.answer, found.raw) == (REFUND, f"<doc-2>{REFUND}</doc-2>")
        assert found.citations[0].node is documents.found[2]
        assert found.nodes == [documents.found[0], documents.found[2]]
        assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
        assert found.source_nodes == [documents.found[2]]


def test_an_empty_answer_is_said(query: Callable[..., Any]) -> None:
    """An answer without text has LlamaIndex's words for that, whole and streamed, not 'None'."""
    for streaming in (False, True):
        settings, _ = scripted({"content": ""})
        engine = ClovaRagReasoningQueryEngine(Documents(), streaming=streaming, **settings)
        assert str(query(engine)) == "Empty Response"


def test_errors_pass_unchanged(engine: Callable[..., Any], query: Callable[..., Any]) -> None:
    """What the retriever raises arrives as it is, also from one of two searches, and its event has the error."""

    class Failing(Documents):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            raise KeyError(query_bundle.query_str)

    debug = LlamaDebugHandler(print_trace_on_end=False)
    for text in (QUESTION, TWO_QUESTIONS):
        with pytest.raises(KeyError, match="환불"):
            query(engine(Failing(), callback_manager=CallbackManager([debug])), text)
    assert all("exception" in end.payload for _, end in debug.get_event_pairs(CBEventType.QUERY) if end.payload)


@pytest.mark.usefixtures("busy")
def test_full_quota_is_waited_for(
    engine: Callable[..., Any], server: EmulatorServer, query: Callable[..., Any]
) -> None:
    """429, 429, 200 is a step like any other."""
    assert str(query(engine())) == REFUND
    assert [request.status for request in server.requests] == [429, 429, 200, 200]


def test_three_event_loops_leave_no_socket(engine: Callable[..., Any], server: EmulatorServer) -> None:
    """One engine in three asyncio.run calls works in each, and no socket is left open."""
    asking = engine()
    for _ in range(3):
        assert str(asyncio.run(asking.aquery(QUESTION))) == REFUND
        assert open_sockets(server.base_url) == 0


def test_given_clients_answer(server: EmulatorServer) -> None:
    """client= and async_client= do the work, with client= alone in a thread; settings beside them are refused."""

    async def main() -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as client:
            engine = ClovaRagReasoningQueryEngine(Documents(), async_client=client)
            assert str(await engine.aquery(QUESTION)) == REFUND
            with pytest.raises(ConfigurationError, match="client="):
                engine.query(QUESTION)

    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        engine = ClovaRagReasoningQueryEngine(Documents(), client=client)
        assert str(asyncio.run(engine.aquery(QUESTION))) == REFUND
        with pytest.raises(ConfigurationError, match="timeout belongs"):
            ClovaRagReasoningQueryEngine(Documents(), client=client, timeout=1)
    asyncio.run(main())
    assert [request.headers["x-who"] for request in server.requests] == ["sync", "sync", "async", "async"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_search": 1}, "did you mean 'max_searches'"),
        ({"llm": None}, "'llm': RAG reasoning has a model of its own"),
        ({"similarity_top_k": 3}, "'similarity_top_k': it belongs to the retriever"),
        ({"max_searches": 0}, "max_searches must be a whole number from 1, got 0"),
        ({"tool_name": " "}, "tool_name must be a string that is not blank"),
        ({"tool_description": ""}, "tool_description"),
        ({"system_prompt": ""}, "system_prompt"),
        ({"api_key": None}, "no API key"),
    ],
)
def test_wrong_arguments_are_refused(engine: Callable[..., Any], options: dict[str, Any], message: str) -> None:
    """An argument that does not exist or is wrong, or no key, is refused by name."""
    with pytest.raises(ConfigurationError, match=message):
        engine(**options)


def test_wrong_queries_are_refused(
    engine: Callable[..., Any], server: EmulatorServer, query: Callable[..., Any], account: dict[str, Any]
) -> None:
    """A blank query, an option out of range, what is no retriever, and prompts are refused; nothing is sent."""
    with pytest.raises(ConfigurationError, match="the query is empty"):
        query(engine(), " \n")
    with pytest.raises(ConfigurationError, match="max_tokens"):
        query(engine(max_tokens=100))
    wrong: Any = "index"
    with pytest.raises(ConfigurationError, match=r"retriever must be .* index.as_retriever"):
        ClovaRagReasoningQueryEngine(wrong, **account)
    assert engine().get_prompts() == {}
    with pytest.raises(ConfigurationError, match="has no prompts"):
        engine().update_prompts({"text_qa_template": PromptTemplate("{context_str}")})
    assert server.requests == []


def test_no_key_in_any_text() -> None:
    """Repr shows the options and no key, nor the headers."""
    secrets: dict[str, Any] = {"api_key": KEY, "apigw_api_key": KEY, "headers": {"X-Key": KEY}}
    shown = repr(ClovaRagReasoningQueryEngine(Documents(), top_k=3, **secrets))
    assert "top_k=3" in shown
    assert KEY not in shown


def test_copies_and_pickles_answer(engine: Callable[..., Any]) -> None:
    """Copies of an engine, and one from another process, answer as it does, also when it has been used."""
    asking = engine(max_searches=2)
    assert str(asking.query(QUESTION)) == REFUND
    for other in (copy.copy(asking), copy.deepcopy(asking), pickle.loads(pickle.dumps(asking))):  # noqa: S301
        assert repr(other) == repr(asking)
        assert str(other.query(QUESTION)) == REFUND
