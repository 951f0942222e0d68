# mypy: disable-error-code="attr-defined"
"""The reranker: what is kept, in which order, what is not made up, and how the answer gets out."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import pickle
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import IndexNode, MetadataMode, NodeWithScore, QueryBundle, TextNode

from clova_studio import AsyncClovaStudio, BadRequestError, ClovaStudio, ClovaStudioError, ConfigurationError
from clova_studio.emulator import Fault
from llama_index_clova import ClovaRerank, ClovaRerankResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio.emulator import EmulatorServer

QUERY = "환불은 언제까지 되나요?"
REFUND = "환불은 구매 후 7일 안에 신청할 수 있습니다."


class Lock:
    """An object that cannot be copied, as query engines are."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("cannot be copied")


def found() -> list[NodeWithScore]:
    """Return what a retriever has found."""
    return [
        NodeWithScore(node=TextNode(text="고양이는 하루에 열여섯 시간을 잔다.", metadata={"rank": 9}), score=0.9),
        NodeWithScore(node=TextNode(text=REFUND, metadata={"tags": ["a"]}, id_="r-1"), score=0.4),
        NodeWithScore(node=TextNode(text=" \n"), score=0.3),
        NodeWithScore(node=Document(text="배송 조회는 주문 내역에서 할 수 있습니다."), score=None),
        NodeWithScore(node=IndexNode(text=REFUND, index_id="i", obj=Lock(), id_="r-2"), score=0.2),
    ]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., list[NodeWithScore]]:
    """Postprocess nodes, in each of the two ways."""

    def run(rerank: ClovaRerank, nodes: list[NodeWithScore], **query: Any) -> list[NodeWithScore]:
        query = query or {"query_str": QUERY}
        if request.param == "sync":
            return rerank.postprocess_nodes(nodes, **query)
        return asyncio.run(rerank.apostprocess_nodes(nodes, **query))

    return run


@contextmanager
def events() -> Iterator[list[Any]]:
    """Collect the instrumentation's events of rerankers."""
    seen: list[Any] = []

    class Handler(BaseEventHandler):
        def handle(self, event: Any, **_: Any) -> None:
            if isinstance(event, (ReRankStartEvent, ReRankEndEvent)):
                seen.append(event)

    root = get_dispatcher()
    handler = Handler()
    root.add_event_handler(handler)
    try:
        yield seen
    finally:
        root.event_handlers.remove(handler)


def ids(nodes: list[NodeWithScore]) -> list[str]:
    """Return the ids of nodes."""
    return [node.node.node_id for node in nodes]


def test_cited_nodes_come_in_order(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """What is cited comes back ranked from 1, also of two nodes with one text, each with the score that it had."""
    kept = ask(ClovaRerank(**account), found())
    assert ids(kept) == ["r-1", "r-2"]
    assert [node.metadata for node in kept] == [{"tags": ["a"], "cited": True, "rank": 1}, {"cited": True, "rank": 2}]
    assert [node.score for node in kept] == [0.4, 0.2]
    assert type(kept[1].node) is IndexNode


def test_marks_stay_out_of_prompts_and_vectors(account: dict[str, Any]) -> None:
    """Neither an LLM nor an embedding model is given what the reranker has noted, cited or not."""
    given = found()
    kept = ClovaRerank(keep_uncited=True, **account).postprocess_nodes(given, query_str=QUERY)
    assert len(kept) == 5
    by_id = {node.node.node_id: node for node in given}
    for node in kept:
        assert "cited" in node.metadata
        for mode in (MetadataMode.LLM, MetadataMode.EMBED):
            text = node.node.get_content(metadata_mode=mode)
            assert "cited" not in text
            assert "rank" not in text
        assert node.get_content() == by_id[node.node.node_id].get_content()


def test_nodes_given_are_not_changed(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """Results are copies: neither the call nor a change of a result reaches the nodes given."""
    given = found()
    before = [copy.deepcopy(node.node.metadata) for node in given]
    excluded = [list(node.node.excluded_llm_metadata_keys) for node in given]
    order = ids(given)
    kept = ask(ClovaRerank(keep_uncited=True, **account), given)
    for node in kept:
        node.node.metadata.setdefault("tags", []).append("b")
        node.node.excluded_llm_metadata_keys.append("x")
        node.score = 7.0
    assert ids(given) == order
    assert [node.node.metadata for node in given] == before
    assert [node.node.excluded_llm_metadata_keys for node in given] == excluded
    assert [node.score for node in given] == [0.9, 0.4, 0.3, None, 0.2]


def test_uncited_nodes_follow(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """keep_uncited appends the rest in input order, without a rank of an earlier run; top_n cuts behind that."""
    given = found()
    kept = ask(ClovaRerank(keep_uncited=True, **account), given)
    assert ids(kept) == ["r-1", "r-2", *(ids(given)[i] for i in (0, 2, 3))]
    assert [node.metadata["cited"] for node in kept] == [True, True, False, False, False]
    assert not any("rank" in node.metadata for node in kept[2:])
    assert [node.score for node in kept] == [0.4, 0.2, 0.9, 0.3, None]
    assert ids(ask(ClovaRerank(keep_uncited=True, top_n=3, **account), given)) == ["r-1", "r-2", ids(given)[0]]
    assert ids(ask(ClovaRerank(top_n=1, **account), given)) == ["r-1"]


def test_answer_and_citations_are_there(account: dict[str, Any]) -> None:
    """rerank() and arerank() give the answer without tags, with the passages and the nodes given."""
    rerank, given = ClovaRerank(**account), found()
    result = rerank.rerank(given, QUERY)
    assert result.answer == f"{REFUND} {REFUND}"
    assert result.raw == f"답변: <doc2>{REFUND}</doc2> <doc4>{REFUND}</doc4>"
    assert [result.answer[item.start : item.end] for item in result.citations] == [REFUND, REFUND]
    assert [item.text for item in result.citations] == [REFUND, REFUND]
    assert result.citations[0].node is given[1]
    assert result.citations[1].node is given[4]
    assert result.suggested_queries == []
    assert result.usage is not None
    assert result.usage.total_tokens > 0
    assert result.request_id
    again = asyncio.run(rerank.arerank(given, QueryBundle(QUERY)))
    assert (again.answer, ids(again.nodes)) == (result.answer, ids(result.nodes))


UNANSWERED = "양자 컴퓨터의 큐비트는 몇 개인가?"


@pytest.mark.parametrize("keep", ["if_none_cited", False, True])
def test_nothing_cited_is_not_nothing_found(account: dict[str, Any], ask: Callable[..., Any], keep: Any) -> None:
    """Without a citation the default leaves the nodes that were sent, in order; False leaves none, True all."""
    rerank = ClovaRerank(**account) if keep == "if_none_cited" else ClovaRerank(keep_uncited=keep, **account)
    given = found()
    with pytest.warns(UserWarning, match="cited none of 4 documents"):
        kept = ask(rerank, given, query_str=UNANSWERED)
    texts = [node.node.get_content() for node in given]
    expected = {"if_none_cited": [text for text in texts if text.strip()], False: [], True: texts}[keep]
    assert [node.node.get_content() for node in kept] == expected
    assert all(node.node.metadata["cited"] is False and "rank" not in node.node.metadata for node in kept)
    assert ask(rerank, given, query_str=UNANSWERED) == kept  # without a second warning
    shorter = ClovaRerank(top_n=2, **account)
    with pytest.warns(UserWarning, match="short"):
        assert ids(ask(shorter, given, query_str=UNANSWERED)) == ids(given)[:2]


def test_no_answer_suggests_other_queries(account: dict[str, Any]) -> None:
    """When nothing is cited there are suggestions, and a hint if documents are short, as the warning says."""
    with pytest.warns(UserWarning, match="several hundred characters") as caught:
        result = ClovaRerank(**account).rerank(found(), UNANSWERED)
    assert result.suggested_queries
    assert result.hint == str(caught[0].message)
    nodes = [NodeWithScore(node=TextNode(text="고양이는 하루에 열여섯 시간을 잔다. " * 20))]
    assert ClovaRerank(**account).rerank(nodes, UNANSWERED).hint is None
    assert ClovaRerank(**account).rerank(found(), QUERY).hint is None


def test_longest_answer_is_4096_tokens(account: dict[str, Any]) -> None:
    """The reranker takes an output cap of 4,096, as clients that send it have seen."""
    sent: list[Any] = []

    def wire(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content)["maxTokens"])
        result = {"result": "", "citedDocuments": [{"id": "doc1", "doc": REFUND}], "suggestedQueries": []}
        return httpx.Response(200, json={"status": {"code": "20000"}, "result": result})

    with httpx.Client(transport=httpx.MockTransport(wire)) as http:
        ClovaRerank(max_tokens=4_096, http_client=http, **account).rerank(found(), QUERY)
    assert sent == [4_096]


def test_what_is_sent(account: dict[str, Any], ask: Callable[..., Any], server: EmulatorServer) -> None:
    """The text that embedding models are given goes, blank nodes stay; max_tokens and the query go with it."""
    given = [
        NodeWithScore(node=TextNode(text="가", metadata={"a": 1, "b": 2}, excluded_embed_metadata_keys=["b"])),
        NodeWithScore(node=TextNode(text=" ")),
        NodeWithScore(node=TextNode(text="나")),
    ]
    with pytest.warns(UserWarning, match="short"):
        ask(ClovaRerank(max_tokens=99, **account), given, query_bundle=QueryBundle(QUERY))
    (request,) = server.requests
    assert request.body == {
        "documents": [{"id": "doc1", "doc": "a: 1\n\n가"}, {"id": "doc2", "doc": "나"}],
        "query": QUERY,
        "maxTokens": 99,
    }


def test_nothing_to_rank_is_not_sent(account: dict[str, Any], ask: Callable[..., Any], server: EmulatorServer) -> None:
    """No nodes, or blank ones alone, need no request; blank ones still count as uncited."""
    rerank = ClovaRerank(keep_uncited=True, **account)
    assert ask(rerank, []) == []
    kept = ask(rerank, [NodeWithScore(node=TextNode(text=" "), score=0.5)])
    assert [(node.metadata, node.score) for node in kept] == [({"cited": False}, 0.5)]
    assert server.requests == []


@pytest.mark.parametrize("nodes", [[], found()])
def test_missing_query_is_refused(account: dict[str, Any], server: EmulatorServer, nodes: list[NodeWithScore]) -> None:
    """Without a query there is nothing to rank by: the client's error, and the ValueError of other rerankers."""
    rerank = ClovaRerank(**account)
    with events() as seen:
        for kind in (ConfigurationError, ValueError):
            with pytest.raises(kind, match="query_str"):
                rerank.postprocess_nodes(nodes)
            with pytest.raises(kind, match="query_str"):
                asyncio.run(rerank.apostprocess_nodes(nodes))
    with pytest.raises(ConfigurationError, match="query must be"):
        rerank.rerank(nodes, 7)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"nodes\[0\] must be a NodeWithScore"):
        rerank.rerank([TextNode(text="가")], QUERY)  # type: ignore[list-item]
    assert seen == []
    assert server.requests == []


@pytest.mark.usefixtures("busy")
def test_busy_service_is_waited_for(account: dict[str, Any], ask: Callable[..., Any], server: EmulatorServer) -> None:
    """429 and 429 again cost two requests, not the result."""
    assert ids(ask(ClovaRerank(**account), found())) == ["r-1", "r-2"]
    assert len(server.requests) == 3


@pytest.mark.parametrize("nodes", [[], found()])
def test_events_come_in_pairs(account: dict[str, Any], ask: Callable[..., Any], nodes: list[NodeWithScore]) -> None:
    """Each call is one start and one end, for instrumentation and callbacks, with what came in and what came out."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    rerank = ClovaRerank(top_n=1, callback_manager=CallbackManager([debug]), **account)
    with events() as seen:
        kept = ask(rerank, nodes)
    start, end = seen
    assert isinstance(start, ReRankStartEvent)
    assert isinstance(end, ReRankEndEvent)
    assert (start.query, start.top_n, ids(start.nodes)) == (QUERY, 1, ids(nodes))
    assert ids(end.nodes) == ids(kept)
    assert [id(node) for node in end.nodes] == [id(node) for node in kept]
    assert end.result.nodes == kept
    ((first, last),) = debug.get_event_pairs(CBEventType.RERANKING)
    assert first.payload["query_str"] == QUERY
    assert first.payload["top_k"] == 1
    assert ids(last.payload["nodes"]) == ids(kept)
    assert last.payload["additional_kwargs"]["result"] is end.result
    with events() as seen:
        ask(ClovaRerank(**account), nodes)
    assert seen[0].top_n == len(nodes)


def test_events_end_after_errors(account: dict[str, Any], ask: Callable[..., Any], server: EmulatorServer) -> None:
    """A failed call ends its events, once, without nodes; the error is the client's and on_result is not called."""
    server.add_fault(Fault("status", status=400, code="40000"))
    debug = LlamaDebugHandler(print_trace_on_end=False)
    results: list[ClovaRerankResult] = []
    rerank = ClovaRerank(on_result=results.append, callback_manager=CallbackManager([debug]), **account)
    with events() as seen, pytest.raises(BadRequestError):
        ask(rerank, found())
    assert [isinstance(event, ReRankEndEvent) for event in seen] == [False, True]
    assert (seen[1].nodes, seen[1].result) == ([], None)
    ((_, last),) = debug.get_event_pairs(CBEventType.RERANKING)
    assert isinstance(last.payload["exception"], ClovaStudioError)
    assert results == []


def test_on_result_is_told(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """on_result gets the result of each call, with the very nodes that go on, also where nothing was sent."""
    results: list[ClovaRerankResult] = []
    rerank = ClovaRerank(on_result=results.append, **account)
    kept = ask(rerank, found())
    assert results[0].answer
    assert results[0].nodes[0] is kept[0]
    ask(rerank, [])
    assert results[1].answer == ""
    assert len(results) == 2

    async def late(result: Any) -> None:
        pass

    with pytest.raises(ConfigurationError, match="plain function"):
        ClovaRerank(on_result=late, **account)


async def test_results_of_concurrent_calls_are_not_mixed(account: dict[str, Any]) -> None:
    """Calls side by side each get their own answer."""
    rerank = ClovaRerank(**account)
    texts = [
        f"{name}의 수도는 {city}이다." for name, city in (("프랑스", "파리"), ("독일", "베를린"), ("일본", "도쿄"))
    ]
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in texts]
    results = await asyncio.gather(
        *(rerank.arerank(nodes, f"{name}의 수도는?") for name in ("프랑스", "독일", "일본") * 4)
    )
    for place, result in enumerate(results):
        assert result.nodes[0].get_content() == texts[place % 3]
        assert texts[place % 3] in result.answer


@pytest.mark.parametrize("use_async", [False, True])
def test_inside_a_query_engine(account: dict[str, Any], use_async: bool) -> None:  # noqa: FBT001
    """A query engine answers from the cited nodes alone, and the service's answer can be had beside it."""
    texts = [node.node.get_content() for node in found() if node.node.get_content().strip()]
    index = VectorStoreIndex.from_documents(
        [Document(text=text) for text in dict.fromkeys(texts)], embed_model=MockEmbedding(embed_dim=8)
    )
    answers: list[str] = []
    engine = RetrieverQueryEngine.from_args(
        index.as_retriever(similarity_top_k=10),
        llm=MockLLM(),
        node_postprocessors=[ClovaRerank(on_result=lambda result: answers.append(result.answer), **account)],
    )
    response = asyncio.run(engine.aquery(QUERY)) if use_async else engine.query(QUERY)
    assert [node.get_content() for node in response.source_nodes] == [REFUND]
    assert REFUND in str(response)  # MockLLM says what it was given
    assert "rank" not in str(response)
    assert "고양이" not in str(response)
    assert answers == [REFUND]


def test_several_event_loops(account: dict[str, Any]) -> None:
    """One instance works in one asyncio.run after the other."""
    rerank = ClovaRerank(**account)
    kept = [asyncio.run(rerank.apostprocess_nodes(found(), query_str=QUERY)) for _ in range(3)]
    assert [ids(nodes) for nodes in kept] == [["r-1", "r-2"]] * 3


async def test_sync_call_inside_a_running_loop(account: dict[str, Any]) -> None:
    """The synchronous call works where a loop runs, as in a notebook."""
    assert ids(ClovaRerank(**account).postprocess_nodes(found(), query_str=QUERY)) == ["r-1", "r-2"]


def test_given_clients_are_used(server: EmulatorServer) -> None:
    """client= and async_client= do the work; with client= alone, async calls run it in a thread."""
    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        alone = ClovaRerank(client=client)
        assert len(alone.postprocess_nodes(found(), query_str=QUERY)) == 2
        assert len(asyncio.run(alone.apostprocess_nodes(found(), query_str=QUERY))) == 2

        async def main() -> None:
            async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as other:
                rerank = ClovaRerank(async_client=other)
                assert len(await rerank.apostprocess_nodes(found(), query_str=QUERY)) == 2
                with pytest.raises(ConfigurationError, match="client="):
                    rerank.postprocess_nodes(found(), query_str=QUERY)

        asyncio.run(main())
    assert [request.headers["x-who"] for request in server.requests] == ["sync"] * 2 + ["async"]


@pytest.mark.parametrize("name", ["model", "top_k", "keep_retrieval_score", "device"])
def test_unknown_arguments_are_refused(name: str) -> None:
    """Arguments that would be ignored are refused by name."""
    with pytest.raises(ConfigurationError, match=f"'{name}'"):
        ClovaRerank(api_key="nv-x", **{name: 1})


@pytest.mark.parametrize("settings", [{"top_n": 0}, {"max_tokens": 0}, {"max_tokens": 4097}])
def test_values_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    """A value that cannot be is refused when the reranker is made."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        ClovaRerank(api_key="nv-x", **settings)


def test_dumps_hold_no_key_and_rebuild(account: dict[str, Any], server: EmulatorServer) -> None:
    """to_dict, to_json and repr hold no key or header; from_dict with a key gives the same reranker."""
    rerank = ClovaRerank(
        top_n=1, keep_uncited=True, max_tokens=50, headers={"X-Secret": "hidden"}, on_result=print, **account
    )
    dumps = f"{rerank.to_dict()} {rerank.to_json()} {rerank!r} {rerank}"
    assert server.api_key not in dumps
    assert "hidden" not in dumps
    assert rerank.class_name() == rerank.to_dict()["class_name"] == "ClovaRerank"
    again = ClovaRerank.from_dict(json.loads(rerank.to_json()), api_key=server.api_key)
    assert again.to_dict() == rerank.to_dict()
    assert ids(again.postprocess_nodes(found(), query_str=QUERY)) == ["r-1"]


def test_copies_and_pickles_work(account: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """A used instance can be pickled, with its key and nothing dropped, and copied."""
    rerank = ClovaRerank(top_n=1, **account)
    kept = ids(rerank.postprocess_nodes(found(), query_str=QUERY))
    with caplog.at_level(logging.WARNING):
        others = pickle.loads(pickle.dumps(rerank)), copy.deepcopy(rerank), copy.copy(rerank)  # noqa: S301
    assert caplog.records == []
    for other in others:
        assert ids(other.postprocess_nodes(found(), query_str=QUERY)) == kept
        assert ids(asyncio.run(other.apostprocess_nodes(found(), query_str=QUERY))) == kept
