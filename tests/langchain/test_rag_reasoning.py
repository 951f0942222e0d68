"""RAG reasoning: searches side by side, an end to them, and citations that lead to documents."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import ConfigurableField, RunnableLambda

from clova_studio import ConfigurationError
from clova_studio.adapters import Cited, parse_citations
from langchain_clova import ClovaRagReasoning
from langchain_clova.rag_reasoning import _result

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

REFUND = "환불은 구매 후 7일 안에 신청할 수 있습니다."
DELIVERY = "배송 조회는 주문 내역에서 할 수 있습니다."
FOUND = [
    Document(REFUND, metadata={"source": "한글/<b>.md"}, id="<tag>"),
    Document("  "),
    Document(DELIVERY, metadata={"source": "delivery"}),
]
QUESTION = "환불은 언제까지 되나요?"
TWO_QUESTIONS = "환불은 언제까지 되나요? 배송 조회는 어디서 하나요?"


class Documents(BaseRetriever):
    """A retriever that finds the same documents for every query."""

    limit: int = 100

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:  # noqa: ARG002
        return FOUND[: self.limit]


@pytest.mark.each_behaviour
def test_answer_cites_documents(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """The answer has no tags, and each cited passage leads to the document that the retriever found."""
    before = copy.deepcopy(FOUND)
    found = ask(ClovaRagReasoning(retriever=Documents(), **account), QUESTION)
    assert found.answer == REFUND
    assert found.raw == f"<doc-1>{REFUND}</doc-1>"
    assert [(item.text, item.start, item.end) for item in found.citations] == [(REFUND, 0, len(REFUND))]
    assert found.citations[0].document is FOUND[0]
    assert found.documents == [FOUND[0], FOUND[2]]
    assert found.searches == [QUESTION]
    assert before == FOUND


@pytest.mark.each_behaviour
def test_two_steps_with_the_tool_in_both(account: dict[str, Any], server: EmulatorServer) -> None:
    """Each step has the tool; the second has the calls and one result for each, with tag-safe ids."""
    found = ClovaRagReasoning(retriever=Documents(), tool_name="cs_search", temperature=0.3, **account).invoke(QUESTION)
    first, second = (request.body for request in server.requests)
    assert first["tools"] == second["tools"]
    assert first["tools"][0]["function"]["name"] == "cs_search"
    assert first["temperature"] == 0.3
    call, result = second["messages"][1:]
    assert result["toolCallId"] == call["toolCalls"][0]["id"]
    assert json.loads(result["content"]) == {
        "search_result": [{"id": "doc-1", "doc": REFUND}, {"id": "doc-2", "doc": DELIVERY}]
    }
    assert found.usage is not None
    assert found.usage["total_tokens"] == found.usage["input_tokens"] + found.usage["output_tokens"] > 100


def test_searches_run_side_by_side(account: dict[str, Any], server: EmulatorServer) -> None:
    """Several searches of one step meet in the retriever, and a document found twice is in the result once."""
    together = threading.Barrier(2, timeout=20)

    def search(query: str) -> list[Document]:
        together.wait()
        return FOUND

    rag = ClovaRagReasoning(retriever=RunnableLambda(search), **account)
    for found in (rag.invoke(TWO_QUESTIONS), asyncio.run(rag.ainvoke(TWO_QUESTIONS))):
        assert found.searches == [QUESTION, "배송 조회는 어디서 하나요?"]
        assert found.documents == [FOUND[0], FOUND[2]]
    results = [message for message in server.requests[-1].body["messages"] if message["role"] == "tool"]
    assert [json.loads(result["content"])["search_result"][0]["id"] for result in results] == ["doc-1", "doc-1"]


def test_searches_are_bounded(account: dict[str, Any], server: EmulatorServer) -> None:
    """max_searches cuts the calls of a step, and after them the model has to answer."""
    found = ClovaRagReasoning(retriever=Documents(), max_searches=1, **account).invoke(TWO_QUESTIONS)
    assert found.searches == [QUESTION]
    assert [request.body["toolChoice"] for request in server.requests] == ["auto", "none"]
    assert len(server.requests[1].body["messages"][1]["toolCalls"]) == 1
    with pytest.raises(ConfigurationError, match="max_searches"):
        ClovaRagReasoning(retriever=Documents(), **account).invoke(QUESTION, max_searches=0)


def test_a_model_that_never_answers_is_an_error(account: dict[str, Any]) -> None:
    """A call where an answer is due is a typed error, not an endless loop."""
    from clova_studio import InvalidResponseError, ReasoningResult

    rag = ClovaRagReasoning(retriever=Documents(), max_searches=1, **account)
    loop = rag._loop(QUESTION, {"max_searches": 1})
    call = {"id": "call_1", "type": "function", "function": {"name": "x", "arguments": {"query": "환불"}}}
    step = ReasoningResult.model_validate({"message": {"content": "", "toolCalls": [call]}})
    assert loop.add(step)
    loop.found([FOUND])
    with pytest.raises(InvalidResponseError, match="max_searches"):
        loop.add(step)


def test_usage_is_that_of_all_steps(account: dict[str, Any]) -> None:
    """Tokens of the steps are added up."""
    from clova_studio import ReasoningResult

    loop = ClovaRagReasoning(retriever=Documents(), **account)._loop(QUESTION, {"max_searches": 1})
    call = {"id": "call_1", "type": "function", "function": {"name": "x", "arguments": {"query": "환불"}}}
    usage = {"promptTokens": 10, "completionTokens": 2, "totalTokens": 12}
    loop.add(ReasoningResult.model_validate({"message": {"content": "", "toolCalls": [call]}, "usage": usage}))
    loop.found([FOUND])
    loop.add(ReasoningResult.model_validate({"message": {"content": REFUND}, "usage": usage}))
    assert _result(loop.answer()).usage == {"input_tokens": 20, "output_tokens": 4, "total_tokens": 24}


def test_nothing_found_is_no_answer(account: dict[str, Any]) -> None:
    """A search without results is told to the model, and the answer cites nothing."""
    found = ClovaRagReasoning(retriever=RunnableLambda(lambda _: []), **account).invoke(QUESTION)
    assert found.answer
    assert found.citations == found.documents == []


def test_conversations_go_along_as_text(account: dict[str, Any], server: EmulatorServer) -> None:
    """Of messages, system, human and AI texts are sent; calls and results of other tools are not."""
    call = {"name": "f", "args": {}, "id": "call_1"}
    messages = [
        SystemMessage("짧게 답한다."),
        HumanMessage("안녕"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("plain text", tool_call_id="call_1"),
        AIMessage("안녕하세요."),
        HumanMessage(QUESTION),
    ]
    before = copy.deepcopy(messages)
    rag = ClovaRagReasoning(retriever=Documents(), **account)
    assert rag.invoke(messages).answer == REFUND
    said = [(message["role"], message["content"]) for message in server.requests[0].body["messages"]]
    assert said == [("system", "짧게 답한다."), ("user", "안녕"), ("assistant", "안녕하세요."), ("user", QUESTION)]
    assert messages == before
    assert rag.invoke({"query": QUESTION, "chat_history": messages[:-1]}).answer == REFUND
    assert server.requests[2].body == server.requests[0].body


def test_no_question_is_refused(account: dict[str, Any], server: EmulatorServer) -> None:
    """An input without a question of the user is refused, and nothing is sent."""
    rag = ClovaRagReasoning(retriever=Documents(), **account)
    for given in ("", [], [AIMessage("예")], {"question": "?"}, [HumanMessage("가"), HumanMessage(" ")]):
        with pytest.raises(ConfigurationError):
            rag.invoke(given)
    assert server.requests == []


def test_retriever_runs_inside_with_the_config(account: dict[str, Any], ask: Callable[..., Any], recorder: Any) -> None:
    """Callbacks see the retriever inside the run, and configurable fields of the retriever work from outside."""
    base = Documents().configurable_fields(limit=ConfigurableField(id="limit"))
    rag = ClovaRagReasoning(retriever=base, **account)
    found = ask(rag, QUESTION, {"callbacks": [recorder], "configurable": {"limit": 1}})
    assert found.documents == FOUND[:1]
    assert recorder.parents["ClovaRagReasoning"] is None
    assert recorder.parents["Documents"] == "ClovaRagReasoning"
    assert recorder.outputs["ClovaRagReasoning"].answer == found.answer


def test_errors_of_the_retriever_are_its_own(account: dict[str, Any]) -> None:
    """What the retriever raises arrives unchanged."""

    def fail(query: str) -> list[Document]:
        raise KeyError("index")

    with pytest.raises(KeyError, match="index"):
        ClovaRagReasoning(retriever=RunnableLambda(fail), **account).invoke(QUESTION)


@pytest.mark.parametrize(
    ("raw", "answer", "cited"),
    [
        ("아무것도 없다", "아무것도 없다", []),
        ("<doc-1>가</doc-1> 나 <doc-2>다</doc-2>", "가 나 다", [("doc-1", 0, 1), ("doc-2", 4, 5)]),
        ("<doc-1><doc-2>가</doc-2>나</doc-1>", "가나", [("doc-1", 0, 2), ("doc-2", 0, 1)]),
        ("<doc-1>가<doc-2>나</doc-1>다</doc-2>", "가나다", [("doc-1", 0, 2), ("doc-2", 1, 3)]),
        ("가<doc-1>나", "가나", [("doc-1", 1, 2)]),
        ("가</doc-1>나<doc-2></doc-2>", "가나", []),
        ("<b>굵게</b> 1 < 2", "<b>굵게</b> 1 < 2", []),
    ],
)
def test_tags_are_taken_out(raw: str, answer: str, cited: list[Any]) -> None:
    """Tags leave no trace in the answer, also nested, crossed, cut or alone; other markup stays."""
    text, found = parse_citations(raw)
    assert text == answer
    assert found == [Cited(*item) for item in cited]


@pytest.mark.parametrize("arguments", ["{'query': '환불'", [1], None])
def test_a_garbled_search_is_made_with_the_question(arguments: Any) -> None:
    """Arguments that the model garbled are no failure: the question itself is searched for instead."""
    requests: list[Any] = []
    call = {"id": "c1", "type": "function", "function": {"name": "search_documents", "arguments": arguments}}

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(json.loads(request.content))
        message = {"role": "assistant", "content": "", "toolCalls": [call]}
        if len(requests) > 1:
            message = {"role": "assistant", "content": f"<doc-1>{REFUND}</doc-1>"}
        return httpx.Response(200, json={"status": {"code": "20000"}, "result": {"message": message}})

    client = httpx.Client(transport=httpx.MockTransport(respond))
    rag = ClovaRagReasoning(retriever=Documents(), api_key="nv-x", base_url="http://127.0.0.1:1", http_client=client)
    found = rag.invoke(QUESTION)
    assert (found.answer, found.searches, len(requests)) == (REFUND, [QUESTION], 2)
    assert requests[-1]["messages"][-2]["toolCalls"][0]["function"] == {"name": "search_documents", "arguments": {}}
