"""Reranker and reranking retriever: what is kept, in which order, and what is not made up."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_tests.integration_tests import RetrieversIntegrationTests

from clova_studio import ConfigurationError
from clova_studio.emulator import serve
from langchain_clova import ClovaReranker, ClovaRerankRetriever

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio.emulator import EmulatorServer

QUERY = "환불은 언제까지 되나요?"
REFUND = "환불은 구매 후 7일 안에 신청할 수 있습니다."
FOUND = [
    Document("고양이는 하루에 열여섯 시간을 잔다.", metadata={"source": "cat", "rank": 9}),
    Document(REFUND, metadata={"source": "refund", "tags": ["a"]}, id="r-1"),
    Document(" \n"),
    Document("배송 조회는 주문 내역에서 할 수 있습니다.", metadata={"source": "delivery"}),
    Document(REFUND, metadata={"source": "refund-copy"}),
]


class Documents(BaseRetriever):
    """A retriever that finds the same documents for every query."""

    found: list[Document] = FOUND
    limit: int = 100

    def _get_relevant_documents(self, query: str, *, limit: int | None = None, **_: Any) -> list[Document]:  # noqa: ARG002
        return self.found[: limit or self.limit]

    async def _aget_relevant_documents(self, query: str, *, limit: int | None = None, **_: Any) -> list[Document]:  # noqa: ARG002
        return self.found[: limit or self.limit]


def sources(documents: Any) -> list[Any]:
    """Return where documents are from."""
    return [document.metadata.get("source") for document in documents]


def test_cited_documents_come_in_order(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """What is cited comes back marked and ranked from 1, also of two documents with the same text."""
    kept = ask(ClovaReranker(**account).as_runnable(), {"query": QUERY, "documents": FOUND})
    assert [document.metadata for document in kept] == [
        {"source": "refund", "tags": ["a"], "cited": True, "rank": 1},
        {"source": "refund-copy", "cited": True, "rank": 2},
    ]
    assert kept[0].id == "r-1"


def test_documents_given_are_not_changed(account: dict[str, Any]) -> None:
    """Results are copies: neither the call nor a change of a result reaches the documents given."""
    before = copy.deepcopy(FOUND)
    kept = ClovaReranker(keep_uncited=True, **account).compress_documents(FOUND, QUERY)
    kept[0].metadata["tags"].append("b")
    assert before == FOUND


def test_uncited_documents_follow(account: dict[str, Any]) -> None:
    """keep_uncited appends the rest in input order, marked and without rank or score; top_n cuts behind that."""
    reranker = ClovaReranker(keep_uncited=True, **account)
    kept = reranker.compress_documents(FOUND, QUERY)
    assert sources(kept) == ["refund", "refund-copy", "cat", None, "delivery"]
    assert [document.metadata["cited"] for document in kept] == [True, True, False, False, False]
    assert all("rank" not in document.metadata for document in kept[2:])
    assert not any("score" in name for document in kept for name in document.metadata)
    shorter = ClovaReranker(keep_uncited=True, top_n=3, **account)
    assert sources(asyncio.run(shorter.acompress_documents(FOUND, QUERY))) == ["refund", "refund-copy", "cat"]


def test_answer_and_citations_are_there(account: dict[str, Any]) -> None:
    """rerank() and arerank() give the answer without tags, with the passages and their documents."""
    reranker = ClovaReranker(**account)
    result = reranker.rerank(FOUND, QUERY)
    assert result.answer == f"{REFUND} {REFUND}"
    assert result.raw == f"답변: <doc2>{REFUND}</doc2> <doc4>{REFUND}</doc4>"
    assert [result.answer[item.start : item.end] for item in result.citations] == [REFUND, REFUND]
    assert result.citations[0].document is FOUND[1]
    assert result.citations[1].document is FOUND[4]
    assert result.suggested_queries == []
    assert result.usage is not None
    assert result.usage["total_tokens"] > 0
    assert asyncio.run(reranker.arerank(FOUND, QUERY)).answer == result.answer


UNANSWERED = "양자 컴퓨터의 큐비트는 몇 개인가?"


@pytest.mark.parametrize("keep", ["if_none_cited", False, True])
def test_nothing_cited_is_not_nothing_found(account: dict[str, Any], ask: Callable[..., Any], keep: Any) -> None:
    """Without a citation the default leaves the documents that were sent, in order; False leaves none, True all."""
    reranker = ClovaReranker(**account) if keep == "if_none_cited" else ClovaReranker(keep_uncited=keep, **account)
    given = {"query": UNANSWERED, "documents": FOUND}
    with pytest.warns(UserWarning, match="cited none of 4 documents"):
        kept = ask(reranker.as_runnable(), given)
    expected = {"if_none_cited": [FOUND[0], FOUND[1], FOUND[3], FOUND[4]], False: [], True: FOUND}[keep]
    assert [document.page_content for document in kept] == [document.page_content for document in expected]
    assert all(document.metadata["cited"] is False and "rank" not in document.metadata for document in kept)
    assert ask(reranker.as_runnable(), given) == kept  # without a second warning


def test_retriever_keeps_a_chain_supplied(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """A retriever whose reranker cites nothing gives the first k documents of its base retriever."""
    retriever = ClovaRerankRetriever(base_retriever=Documents(), reranker=ClovaReranker(**account), k=2)
    with pytest.warns(UserWarning, match="short"):
        assert sources(ask(retriever, UNANSWERED)) == ["cat", "refund"]


def test_no_answer_suggests_other_queries(account: dict[str, Any]) -> None:
    """When nothing is cited there are suggestions, and a hint if documents are short, as the warning says."""
    with pytest.warns(UserWarning, match="several hundred characters") as caught:
        result = ClovaReranker(**account).rerank(FOUND, UNANSWERED)
    assert result.suggested_queries
    assert result.hint == str(caught[0].message)
    long = [Document("고양이는 하루에 열여섯 시간을 잔다. " * 20)]
    assert ClovaReranker(**account).rerank(long, UNANSWERED).hint is None
    assert ClovaReranker(**account).rerank(FOUND, QUERY).hint is None


def test_longest_answer_is_4096_tokens(account: dict[str, Any]) -> None:
    """The reranker takes an output cap of 4,096, as clients that send it have seen, and no more."""
    sent: list[Any] = []

    def wire(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content)["maxTokens"])
        result = {"result": "", "citedDocuments": [{"id": "doc1", "doc": REFUND}], "suggestedQueries": []}
        return httpx.Response(200, json={"status": {"code": "20000"}, "result": result})

    with httpx.Client(transport=httpx.MockTransport(wire)) as http:
        ClovaReranker(max_tokens=4_096, http_client=http, **account).rerank(FOUND, QUERY)
    assert sent == [4_096]
    with pytest.raises(ValueError, match="4096"):
        ClovaReranker(max_tokens=4_097, **account)


def test_nothing_to_rank_is_not_sent(account: dict[str, Any], server: EmulatorServer) -> None:
    """No documents, or blank ones alone, need no request; blank ones still count as uncited."""
    reranker = ClovaReranker(keep_uncited=True, **account)
    assert reranker.compress_documents([], QUERY) == []
    assert asyncio.run(reranker.acompress_documents([], QUERY)) == []
    assert [d.metadata for d in reranker.compress_documents([Document(" ")], QUERY)] == [{"cited": False}]
    assert server.requests == []


def test_only_texts_are_sent_with_unique_ids(account: dict[str, Any], server: EmulatorServer) -> None:
    """Blank documents stay here, and each other one goes under an id of its own."""
    ClovaReranker(max_tokens=99, **account).compress_documents(FOUND, QUERY)
    body = server.requests[0].body
    assert [document["id"] for document in body["documents"]] == ["doc1", "doc2", "doc3", "doc4"]
    assert all(document["doc"].strip() for document in body["documents"])
    assert body["maxTokens"] == 99


@pytest.mark.parametrize("given", [{"query": QUERY}, {"query": 1, "documents": []}, {"query": "a", "documents": ["b"]}])
def test_wrong_input_is_named(account: dict[str, Any], server: EmulatorServer, given: Any) -> None:
    """An input of the wrong shape is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match=r"query|documents"):
        ClovaReranker(**account).as_runnable().invoke(given)
    assert server.requests == []


def test_traces_show_the_answer(account: dict[str, Any], recorder: Any) -> None:
    """Callbacks given to compress_documents see a run with the reranker's name and the whole result."""
    ClovaReranker(**account).compress_documents(FOUND, QUERY, callbacks=[recorder])
    assert recorder.outputs["ClovaReranker"].answer
    asyncio.run(ClovaReranker(**account).acompress_documents([], QUERY, callbacks=[recorder]))
    assert recorder.outputs["ClovaReranker"].documents == []


def test_retriever_reranks_what_is_found(account: dict[str, Any], ask: Callable[..., Any], recorder: Any) -> None:
    """The retriever gives the reranked documents, at most k of them, and its parts run inside it."""
    retriever = ClovaRerankRetriever(base_retriever=Documents(), reranker=ClovaReranker(**account), k=1)
    assert sources(ask(retriever, QUERY, {"callbacks": [recorder]})) == ["refund"]
    assert sources(ask(retriever, QUERY, k=2)) == ["refund", "refund-copy"]
    assert recorder.parents == {
        "ClovaRerankRetriever": None,
        "Documents": "ClovaRerankRetriever",
        "ClovaReranker": "ClovaRerankRetriever",
    }
    assert "base_retriever" in recorder.tags["Documents"]
    assert "reranker" in recorder.tags["ClovaReranker"]


def test_retriever_hands_config_and_arguments_on(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """The base retriever gets the call's configuration, and every argument but k."""
    base = Documents().configurable_fields(limit=ConfigurableField(id="limit"))
    reranker = ClovaReranker(keep_uncited=True, **account)
    retriever = ClovaRerankRetriever(base_retriever=base, reranker=reranker)
    assert len(ask(retriever, QUERY, {"configurable": {"limit": 2}})) == 2
    with pytest.warns(UserWarning, match="short"):
        assert len(ask(retriever, QUERY, limit=1)) == 1
    assert len(ask(retriever, QUERY)) == len(FOUND)


def test_retriever_refuses_what_it_does_not_know(account: dict[str, Any]) -> None:
    """Unknown constructor arguments and a k that is no count are refused by name."""
    parts = {"base_retriever": RunnableLambda(lambda _: FOUND), "reranker": ClovaReranker(**account)}
    with pytest.raises(ConfigurationError, match="'top_n'"):
        ClovaRerankRetriever(**parts, top_n=1)
    with pytest.raises(ConfigurationError, match="k must be"):
        ClovaRerankRetriever(**parts).invoke(QUERY, k=0)


class TestStandard(RetrieversIntegrationTests):
    """LangChain's own suite."""

    server: ClassVar[EmulatorServer]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _running(cls) -> Iterator[None]:
        with serve() as server:
            cls.server = server
            yield

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return ClovaRerankRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        reranker = ClovaReranker(api_key=self.server.api_key, base_url=self.server.base_url, keep_uncited=True)
        return {"base_retriever": Documents(), "reranker": reranker}

    @property
    def retriever_query_example(self) -> str:
        return QUERY
