"""The APIs beyond chat, embeddings and segmentation, with the reference's own examples."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import tool, user

if TYPE_CHECKING:
    import httpx

SUMMARIZE = "/v1/api-tools/summarization/v2"
SLIDE = "/v1/api-tools/sliding/chat-messages/HCX-003"
RERANK = "/v1/api-tools/reranker"
REASON = "/v1/api-tools/rag-reasoning"
SEARCH = tool("cs_search", "고객센터 문서를 찾는다", query={"type": "string", "description": "검색어"})
DOCUMENTS = [
    {"id": "a1", "doc": "환불은 구매 후 7일 안에 신청할 수 있습니다."},
    {"id": "b2", "doc": "배송 조회는 주문 내역에서 할 수 있습니다."},
    {"id": "c3", "doc": "적립금은 구매 금액의 1%입니다. 환불한 금액의 적립금은 사라집니다."},
]


def result(client: httpx.Client, path: str, body: Any) -> dict[str, Any]:
    """The result of a successful answer."""
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    envelope = answer.json()
    assert envelope["status"] == {"code": "20000", "message": "OK"}
    found: dict[str, Any] = envelope["result"]
    return found


def test_summary(either: httpx.Client) -> None:
    """A summary is made of sentences of the text, as lines that begin with a dash, and counts the input."""
    text = "이 제품은 사진을 올리면 배경을 지워 준다. 한 번에 여러 장을 처리할 수 있고, 결과는 PNG로 저장된다."
    found = result(either, SUMMARIZE, {"texts": [text], "segCount": -1, "includeAiFilters": False})
    assert list(found) == ["text", "inputTokens"]
    lines = found["text"].splitlines()
    assert lines
    assert all(line.startswith("- ") and line[2:] in text for line in lines)
    assert found["inputTokens"] > 20


def test_long_summary(either: httpx.Client, constitution: str) -> None:
    """The summary of a long text has few lines, in its order; ``segCount`` sets their number."""
    text = result(either, SUMMARIZE, {"texts": [constitution]})["text"]
    lines = [line[2:] for line in text.splitlines()]
    assert 3 <= len(lines) <= 12
    source = " ".join(constitution.split())
    positions = [source.find(line) for line in lines]
    assert positions == sorted(positions)
    assert min(positions) >= 0
    five = result(either, SUMMARIZE, {"texts": [constitution], "segCount": 5})["text"]
    assert len(five.splitlines()) == 5
    whole = result(either, SUMMARIZE, {"texts": [constitution], "autoSentenceSplitter": False})["text"]
    assert len(whole.splitlines()) == 3


def test_summary_of_several(either: httpx.Client) -> None:
    """Several texts give one summary."""
    found = result(either, SUMMARIZE, {"texts": ["하늘은 파랗다. 바다도 파랗다.", "", "눈은 하얗다."]})
    assert isinstance(found["text"], str)


def conversation(*sizes: int) -> list[dict[str, str]]:
    """A system message and turns of a question and an answer, each of so many tokens."""
    messages = [{"role": "system", "content": "짧게 답한다."}]
    for number, size in enumerate(sizes):
        messages.append({"role": "user", "content": " ".join([f"{number}"] + ["hello"] * size)})
        messages.append({"role": "assistant", "content": "네"})
    return [*messages, {"role": "user", "content": "끝"}]


def test_sliding_window(either: httpx.Client) -> None:
    """What fits comes back as it is; else the oldest turns go, right behind the system message."""
    small = conversation(10, 10)
    assert result(either, SLIDE, {"maxTokens": 200, "messages": small}) == {"messages": small}
    large = conversation(1_500, 1_500, 1_500)
    kept = result(either, SLIDE, {"maxTokens": 100, "messages": large})["messages"]
    assert kept == [large[0], *large[3:]]
    assert result(either, SLIDE, {"maxTokens": 2_000, "messages": large})["messages"] == [large[0], *large[5:]]


def test_sliding_window_fits_the_chat(observed: httpx.Client) -> None:
    """What is left, with the same maxTokens, is taken by the smallest v1 model."""
    messages = result(observed, SLIDE, {"maxTokens": 600, "messages": conversation(*[700] * 9)})["messages"]
    path = "/v1/chat-completions/HCX-DASH-001"
    assert observed.post(path, json={"messages": messages, "maxTokens": 600}).status_code == 200


def test_reranker(either: httpx.Client) -> None:
    """A query is answered with tags named by position, and the cited documents come back verbatim."""
    found = result(either, RERANK, {"documents": DOCUMENTS[:2], "query": "환불은 언제까지 되나요", "maxTokens": 1024})
    assert list(found) == ["result", "citedDocuments", "suggestedQueries", "usage"]
    assert found["result"] == "답변: <doc1>환불은 구매 후 7일 안에 신청할 수 있습니다.</doc1>"
    assert found["citedDocuments"] == [DOCUMENTS[0]]
    assert found["suggestedQueries"] == []
    usage = found["usage"]
    assert usage["totalTokens"] == usage["promptTokens"] + usage["completionTokens"]


def test_reranker_order(either: httpx.Client) -> None:
    """The best document comes first, wherever it stood, and its tag is its position in the request."""
    found = result(either, RERANK, {"documents": DOCUMENTS[::-1], "query": "환불 신청 기간은 며칠인가요?"})
    assert found["citedDocuments"][0]["id"] == "a1"
    tags = re.findall(r"<doc(\d)>.*?</doc\1>", found["result"])
    assert tags[0] == "3"
    assert [DOCUMENTS[::-1][int(tag) - 1] for tag in tags] == found["citedDocuments"]


def test_reranker_finds_nothing(either: httpx.Client) -> None:
    """Without an answer nothing is cited, and other queries are suggested."""
    found = result(either, RERANK, {"documents": DOCUMENTS, "query": "세종대왕의 생일"})
    assert found["citedDocuments"] == []
    assert found["result"].startswith("답변: ")
    assert found["suggestedQueries"]


def test_reranker_cap(either: httpx.Client) -> None:
    """The answer is cut at maxTokens."""
    found = result(either, RERANK, {"documents": DOCUMENTS, "query": "환불은 언제까지 되나요", "maxTokens": 4})
    assert found["usage"]["completionTokens"] == 4


def test_reasoning_searches_first(either: httpx.Client) -> None:
    """The first step is a tool call with a decision, an empty content and an object of arguments."""
    found = result(either, REASON, user("환불 방법 알려줘", tools=[SEARCH], toolChoice="auto", maxTokens=1024))
    assert list(found) == ["message", "usage"]
    message = found["message"]
    assert list(message) == ["role", "content", "thinkingContent", "toolCalls"]
    assert (message["role"], message["content"]) == ("assistant", "")
    call = message["toolCalls"][0]
    assert re.fullmatch(r"call_[A-Za-z0-9]+", call["id"])
    assert call["function"] == {"name": "cs_search", "arguments": {"query": "환불 방법 알려줘"}}


@pytest.mark.parametrize("as_list", [False, True])
def test_reasoning_answers(either: httpx.Client, as_list: bool) -> None:  # noqa: FBT001
    """With what was found, in either documented form, it answers with tags named by document, and does not think."""
    first = result(either, REASON, user("환불 방법 알려줘", tools=[SEARCH]))["message"]
    search_result = {"search_result": [{"id": "doc-7", "doc": "환불은 7일 안에 신청합니다."}]}
    content = json.dumps([search_result] if as_list else search_result, ensure_ascii=False)
    messages = [
        {"role": "user", "content": "환불 방법 알려줘"},
        first,
        {"role": "tool", "toolCallId": first["toolCalls"][0]["id"], "content": content},
    ]
    found = result(either, REASON, {"messages": messages, "tools": [SEARCH]})
    assert found["message"] == {"role": "assistant", "content": "<doc-7>환불은 7일 안에 신청합니다.</doc-7>"}


def test_reasoning_splits_questions(either: httpx.Client) -> None:
    """Two questions are two searches, and both results are answered from."""
    asked = "환불 기간은 며칠인가요? 배송 조회는 어디서 하나요?"
    first = result(either, REASON, user(asked, tools=[SEARCH]))["message"]
    queries = [call["function"]["arguments"]["query"] for call in first["toolCalls"]]
    assert queries == ["환불 기간은 며칠인가요?", "배송 조회는 어디서 하나요?"]
    turns = [
        {"role": "tool", "toolCallId": call["id"], "content": json.dumps({"search_result": [document]})}
        for call, document in zip(first["toolCalls"], DOCUMENTS, strict=False)
    ]
    body = {"messages": [{"role": "user", "content": asked}, first, *turns], "tools": [SEARCH]}
    assert "<b2>" in result(either, REASON, body)["message"]["content"]


def test_reasoning_without_results(either: httpx.Client) -> None:
    """An empty result is answered without tags and without another search, and so is toolChoice none."""
    first = result(either, REASON, user("환불 방법 알려줘", tools=[SEARCH]))["message"]
    turn = {"role": "tool", "toolCallId": first["toolCalls"][0]["id"], "content": '{"search_result": []}'}
    body = {"messages": [{"role": "user", "content": "환불 방법 알려줘"}, first, turn], "tools": [SEARCH]}
    for request in (body, user("환불 방법 알려줘", tools=[SEARCH], toolChoice="none")):
        message = result(either, REASON, request)["message"]
        assert list(message) == ["role", "content"]
        assert "<" not in message["content"]


def test_reasoning_is_forced(either: httpx.Client) -> None:
    """A tool choice that names a tool calls that tool, in both behaviours."""
    other = tool("other", "다른 것", query={"type": "string"})
    choice = {"type": "function", "function": {"name": "other"}}
    found = result(either, REASON, user("환불 방법 알려줘", tools=[SEARCH, other], toolChoice=choice))
    assert found["message"]["toolCalls"][0]["function"]["name"] == "other"


def test_reasoning_without_tools(observed: httpx.Client, documented: httpx.Client) -> None:
    """The last step may leave the tools out with toolChoice none as clients do, but not by the page."""
    body = user("환불 방법 알려줘", toolChoice="none")
    assert observed.post(REASON, json=body).status_code == 200
    assert documented.post(REASON, json=body).json()["status"]["message"] == "Invalid parameter: tools"


def test_completion(either: httpx.Client) -> None:
    """A completion gives the output alone and behind the prompt, with the older names of lengths and reasons."""
    prompt = "서울은 대한민국의 수도이다. 대한민국의 수도는?"
    found = result(either, "/v1/completions/LK-D2", {"text": prompt, "start": "\n답:", "restart": "\n질문:"})
    assert found["text"] == f"{prompt}\n답:{found['outputText']}\n질문:"
    assert "서울" in found["outputText"]
    assert found["stopReason"] == "stop_before"
    assert isinstance(found["inputLength"], int)
    assert "inputTokens" not in found
    assert len(found["aiFilter"]) == 3


def test_completion_options(either: httpx.Client) -> None:
    """Tokens come on request, the limit cuts with reason "length", filters can be left out."""
    body = {"text": "안녕하세요?", "maxTokens": 3, "includeTokens": True, "includeAiFilters": False}
    found = result(either, "/v1/tasks/t-1/completions", body)
    assert (found["stopReason"], found["outputLength"], found["aiFilter"]) == ("length", 3, [])
    assert "".join(found["inputTokens"]) == "안녕하세요?"
    assert "".join(found["outputTokens"]) == found["outputText"]


def test_completion_tokens(either: httpx.Client) -> None:
    """The old tokeniser counts as the completion does."""
    text = "서울은 대한민국의 수도이다."
    count = result(either, "/v1/api-tools/tokenize/LK-D2", {"text": text})
    assert count == {"numTokens": result(either, "/v1/completions/LK-D2", {"text": text})["inputLength"]}


NAMELESS = {"type": "function", "function": {"name": "a", "description": "b"}}
TEXTS = {"texts": ["가. 나."]}
ASKED = {"documents": DOCUMENTS, "query": "환불"}


def replay(content: str) -> dict[str, Any]:
    """A reasoning request with a tool turn."""
    call = {"id": "call_1", "type": "function", "function": {"name": "cs_search", "arguments": {}}}
    return {
        "messages": [
            {"role": "user", "content": "환불?"},
            {"role": "assistant", "content": "", "toolCalls": [call]},
            {"role": "tool", "toolCallId": "call_1", "content": content},
        ],
        "tools": [SEARCH],
    }


REFUSED: list[tuple[str, Any, str, str]] = [
    (SUMMARIZE, {}, "40001", "Invalid parameter: texts"),
    (SUMMARIZE, {"texts": "가"}, "40001", "Invalid parameter: texts"),
    (SUMMARIZE, {"texts": [1]}, "40001", "Invalid parameter: texts"),
    (SUMMARIZE, {"texts": []}, "40004", "Text empty"),
    (SUMMARIZE, {"texts": ["", " "]}, "40004", "Text empty"),
    (SUMMARIZE, {"texts": ["가" * 20_000, "나" * 15_001]}, "40003", "Context length exceeded"),
    (SUMMARIZE, {**TEXTS, "segCount": 0}, "40001", "Invalid parameter: segCount"),
    (SUMMARIZE, {**TEXTS, "segCount": -2}, "40001", "Invalid parameter: segCount"),
    (SUMMARIZE, {**TEXTS, "segMaxSize": 3_001}, "40001", "Invalid parameter: segMaxSize"),
    (SUMMARIZE, {**TEXTS, "segMaxSize": 0}, "40001", "Invalid parameter: segMaxSize"),
    (SUMMARIZE, {**TEXTS, "segMaxSize": 10, "segMinSize": 11}, "40001", "Invalid parameter: segMinSize"),
    (SUMMARIZE, {**TEXTS, "segMinSize": -1}, "40001", "Invalid parameter: segMinSize"),
    (SUMMARIZE, {**TEXTS, "autoSentenceSplitter": 1}, "40001", "Invalid parameter: autoSentenceSplitter"),
    (SUMMARIZE, {**TEXTS, "includeAiFilters": "no"}, "40001", "Invalid parameter: includeAiFilters"),
    (SLIDE, user("a"), "40001", "Invalid parameter: maxTokens"),
    (SLIDE, user("a", maxTokens=0), "40001", "Invalid parameter: maxTokens"),
    (SLIDE, user("a", maxTokens=4_097), "40001", "Invalid parameter: maxTokens"),
    (SLIDE, {"maxTokens": 10, "messages": []}, "40000", "Bad request"),
    (SLIDE, user("hello " * 4_096, maxTokens=10), "40003", "Context length exceeded"),
    (
        SLIDE,
        {"maxTokens": 1, "messages": [{"role": "tool", "content": "a"}]},
        "40001",
        "Invalid parameter: messages[0].role",
    ),
    (SLIDE.replace("003", "005"), user("a", maxTokens=1), "40084", "Unsupported API for model"),
    (SLIDE.replace("003", "000"), user("a", maxTokens=1), "40080", "Model not found"),
    (RERANK, {"query": "a"}, "40001", "Invalid parameter: documents"),
    (RERANK, {**ASKED, "documents": []}, "40001", "Invalid parameter: documents"),
    (RERANK, {**ASKED, "documents": ["a"]}, "40001", "Invalid parameter: documents[0]"),
    (RERANK, {**ASKED, "documents": [{"doc": "a"}]}, "40001", "Invalid parameter: documents[0].id"),
    (RERANK, {**ASKED, "documents": [{"id": 1, "doc": "a"}]}, "40001", "Invalid parameter: documents[0].id"),
    (RERANK, {**ASKED, "documents": [{"id": "1"}]}, "40001", "Invalid parameter: documents[0].doc"),
    (RERANK, {**ASKED, "documents": [{"id": "1", "doc": " "}]}, "40004", "Text empty"),
    (RERANK, {"documents": DOCUMENTS}, "40001", "Invalid parameter: query"),
    (RERANK, {**ASKED, "query": ""}, "40004", "Text empty"),
    (RERANK, {**ASKED, "maxTokens": 4_097}, "40001", "Invalid parameter: maxTokens"),
    (RERANK, {**ASKED, "maxTokens": 0}, "40001", "Invalid parameter: maxTokens"),
    (RERANK, {**ASKED, "documents": [{"id": "1", "doc": "hello " * 128_001}]}, "40003", "Context length exceeded"),
    (REASON, user("a"), "40001", "Invalid parameter: tools"),
    (REASON, user("a", tools=[]), "40001", "Invalid parameter: tools"),
    (REASON, user("a", tools=[NAMELESS]), "40001", "Invalid parameter: tools[].function.parameters"),
    (REASON, user("a", tools=[SEARCH], toolChoice="required"), "40001", "Invalid parameter: toolChoice"),
    (REASON, user("a", tools=[SEARCH], maxTokens=1_023), "40001", "Invalid parameter: maxTokens"),
    (REASON, user("a", tools=[SEARCH], maxTokens=4_096), "40001", "Invalid parameter: maxTokens"),
    (REASON, user("a", tools=[SEARCH], temperature=0), "40001", "Invalid parameter: temperature"),
    (REASON, user("a", tools=[SEARCH], topP=0), "40001", "Invalid parameter: topP"),
    (REASON, user("a", tools=[SEARCH], topK=129), "40001", "Invalid parameter: topK"),
    (REASON, user("a", tools=[SEARCH], repetitionPenalty=2.1), "40001", "Invalid parameter: repetitionPenalty"),
    (REASON, user("a", tools=[SEARCH], seed=-1), "40001", "Invalid parameter: seed"),
    (REASON, user("a", tools=[SEARCH], stop="끝"), "40001", "Invalid parameter: stop"),
    (REASON, user("a", tools=[SEARCH], includeAiFilters=0), "40001", "Invalid parameter: includeAiFilters"),
    (REASON, {"messages": [], "tools": [SEARCH]}, "40000", "Bad request"),
    (REASON, replay("환불은 7일"), "40001", "Invalid parameter: messages[2].content"),
    (REASON, replay("{}"), "40001", "Invalid parameter: messages[2].content"),
    (REASON, replay('{"search_result": "a"}'), "40001", "Invalid parameter: messages[2].content"),
    (REASON, replay('{"search_result": ["a"]}'), "40001", "Invalid parameter: messages[2].content[0]"),
    ("/v1/completions/LK-D2", {}, "40001", "Invalid parameter: text"),
    ("/v1/completions/LK-D2", {"text": ""}, "40004", "Text empty"),
    ("/v1/completions/LK-D2", {"text": "a", "maxTokens": 2_049}, "40001", "Invalid parameter: maxTokens"),
    ("/v1/completions/LK-D2", {"text": "a", "temperature": 0}, "40001", "Invalid parameter: temperature"),
    ("/v1/completions/LK-D2", {"text": "a", "repeatPenalty": 11}, "40001", "Invalid parameter: repeatPenalty"),
    ("/v1/completions/LK-D2", {"text": "a", "start": 1}, "40001", "Invalid parameter: start"),
    ("/v1/completions/LK-D2", {"text": "hello " * 4_096}, "40003", "Context length exceeded"),
    ("/v1/completions/LK-D", {"text": "a"}, "40082", "Model fade out"),
    ("/v1/completions/LK-X", {"text": "a"}, "40080", "Model not found"),
    ("/v1/completions/HCX-003", {"text": "a"}, "40084", "Unsupported API for model"),
    ("/v1/api-tools/tokenize/HCX-003", {"text": "a"}, "40084", "Unsupported API for model"),
]


@pytest.mark.parametrize(("path", "body", "code", "message"), REFUSED)
def test_refusals(either: httpx.Client, path: str, body: Any, code: str, message: str) -> None:
    """What the pages exclude is refused with the documented code and the field's name."""
    answer = either.post(path, json=body)
    assert answer.json()["status"] == {"code": code, "message": message}
    assert answer.status_code == int(code[:3])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SUMMARIZE, {"texts": ["가" * 35_000], "segMaxSize": 3_000, "segMinSize": 3_000, "segCount": 1}),
        (SUMMARIZE, {**TEXTS, "segMaxSize": 1, "segMinSize": 0, "postProcess": True, "autoSentenceSplitter": None}),
        (SLIDE, user("a", maxTokens=4_000)),
        (RERANK, {**ASKED, "maxTokens": 4_096}),
        (RERANK, {**ASKED, "maxTokens": 1}),
        (
            REASON,
            user("a", tools=[SEARCH], maxTokens=4_095, temperature=1, topP=1, topK=0, repetitionPenalty=2, seed=0),
        ),
        ("/v1/completions/LK-B", {"text": "a", "maxTokens": 2_048, "topK": 128, "repeatPenalty": 10}),
        ("/testapp/v1/api-tools/summarization/v2/app1", TEXTS),
        ("/testapp/v1/api-tools/sliding/chat-messages/HCX-003/app1", user("a", maxTokens=1)),
        ("/serviceapp/v1/api-tools/tokenize/LK-D2/app1", {"text": "a"}),
    ],
)
def test_acceptance(either: httpx.Client, path: str, body: Any) -> None:
    """The ends of the documented ranges and the older forms of the paths are accepted."""
    assert either.post(path, json=body).json()["status"]["code"] == "20000"
