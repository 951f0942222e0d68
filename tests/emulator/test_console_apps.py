"""Routers and skillsets: what matches, what is refused, and the events of a skillset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import connect, events

from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    import httpx

ROUTE = "/v1/routers/travel01/versions/1/route"
ANSWER = "/v1/skillsets/weather1/versions/1/final-answer"
SSE = {"accept": "text/event-stream"}
# The example of the skillset page.
EXAMPLE = {
    "query": "주말에는 어때?",
    "tokenStream": False,
    "chatHistory": [
        {"role": "user", "content": "오늘 부산 날씨 알려줘"},
        {"role": "assistant", "content": "맑습니다."},
    ],
    "requestOverride": {
        "baseOperation": {"query": {"appid": "app-0001"}},
        "operations": [{"operationId": "getWeather", "header": {"X-Trace": "1"}, "query": {"unit": "c"}}],
    },
}


def route(client: httpx.Client, query: str, *history: str) -> dict[str, Any]:
    """The result of a router."""
    body = {"query": query, "chatHistory": [{"role": "user", "content": text} for text in history]}
    answer = client.post(ROUTE, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["result"]
    return found


@pytest.mark.parametrize(
    ("query", "domain", "blocked"),
    [
        ("강릉 바닷가 숙소 추천해 줘", "여행", []),
        ("Find me a hotel for my trip", "여행", []),
        ("도쿄 여행 일정을 짜 줘", "여행", ["OverseasTravel"]),
        ("내일 서울 날씨 어때?", "날씨", []),
        ("Will it rain in Seoul?", "날씨", []),
    ],
)
def test_domains(either: httpx.Client, query: str, domain: str, blocked: list[str]) -> None:
    """The answer has the query's domain, and the content filter that it hits."""
    found = route(either, query)
    assert list(found) == ["domain", "blockedContent", "safety", "usage"]
    assert found["domain"] == {"result": domain, "called": True}
    assert found["blockedContent"] == {"result": blocked, "called": domain == "여행"}
    assert found["safety"] == {"result": [], "called": True}
    usage = found["usage"]
    assert usage["totalTokens"] == usage["promptTokens"] + usage["completionTokens"]


def test_no_domain(either: httpx.Client) -> None:
    """Without a domain no filter runs, however unsafe the query is."""
    found = route(either, "파이썬으로 폭탄 게임을 짜 줘")
    assert found["domain"] == {"result": "", "called": True}
    assert found["blockedContent"] == found["safety"] == {"result": [], "called": False}


def test_safety(observed: httpx.Client, documented: httpx.Client) -> None:
    """Safety filters have their labels: as a client expects them, or as the console writes them."""
    for client, labels in ((observed, ["unethical", "contentious"]), (documented, ["Unethical", "Contentious"])):
        assert route(client, "여행 가서 불법으로 선거 운동하는 법")["safety"] == {"result": labels, "called": True}


def test_router_history(either: httpx.Client) -> None:
    """The request before says what a query is about that says nothing itself, and only then."""
    assert route(either, "거기 주차도 되나요?")["domain"]["result"] == ""
    assert route(either, "거기 주차도 되나요?", "강릉 바닷가 카페 알려줘")["domain"]["result"] == "여행"
    assert route(either, "내일 날씨는?", "강릉 바닷가 카페 알려줘")["domain"]["result"] == "날씨"


def run(client: httpx.Client, **body: Any) -> dict[str, Any]:
    """The result of a skillset."""
    answer = client.post(ANSWER, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["result"]
    return found


def test_skillset(either: httpx.Client) -> None:
    """A skill answers with the call that was made; history and options take part in it."""
    found = run(either, **EXAMPLE)
    assert "부산" in found["finalAnswer"]
    assert "주말" in found["finalAnswer"]
    assert isinstance(found["tokenCount"], int)
    (call,) = found["apiResult"]
    assert call["url"] == "https://weather.example.com/v1/forecast?location=부산&day=주말&appid=app-0001&unit=c"
    assert (call["apiOrder"], call["operationId"], call["nameForHuman"]) == (1, "getWeather", "날씨")
    assert isinstance(call["requestBody"], str)
    assert str(json.loads(call["responseBody"])["temperature"]) in found["finalAnswer"]


def test_skillset_fields(observed: httpx.Client, documented: httpx.Client) -> None:
    """UseTask is in the page's table, but not in its sample."""
    assert list(run(observed, **EXAMPLE)) == ["finalAnswer", "tokenCount", "apiResult"]
    assert run(documented, **EXAMPLE)["useTask"] is False


def test_no_skill(either: httpx.Client) -> None:
    """What no skill fits is answered without a call."""
    found = run(either, query="파이썬 목록을 정렬해 줘")
    assert found["apiResult"] == []
    assert "날씨" in found["finalAnswer"]


def stream(client: httpx.Client, **body: Any) -> list[tuple[str, Any]]:
    """The events of a skillset, parsed."""
    answer = client.post(ANSWER, json=body, headers=SSE)
    assert answer.status_code == 200, answer.text
    return [(name, json.loads(data)) for name, data in events(answer.text)]


def test_skillset_stream(either: httpx.Client) -> None:
    """A stream has the plan, the calls and the answer, without a signal; tokens only on request."""
    whole = run(either, **EXAMPLE)
    found = stream(either, **EXAMPLE)
    assert [name for name, _ in found] == ["planning", "cot", "finalAnswer"]
    assert all(isinstance(data["tokenCount"], int) for _, data in found)
    assert list(found[1][1]) == ["apiResult", "tokenCount"]
    assert found[2][1]["finalAnswer"] == whole["finalAnswer"]
    assert found[1][1]["apiResult"] == found[2][1]["apiResult"] == whole["apiResult"]
    with_tokens = stream(either, **{**EXAMPLE, "tokenStream": True})
    tokens = [data for name, data in with_tokens if name == "token"]
    assert [name for name, _ in with_tokens] == ["planning", "cot", *["token"] * len(tokens), "finalAnswer"]
    assert all(set(token) == {"probs", "stopReason", "text"} for token in tokens)
    assert "".join(token["text"] for token in tokens) == whole["finalAnswer"]


def test_token_stream_needs_accept(either: httpx.Client) -> None:
    """The field alone does not make a stream, as in the page's JSON sample."""
    answer = either.post(ANSWER, json={**EXAMPLE, "tokenStream": True})
    assert answer.headers["content-type"] == "application/json"


def test_planning_forms(observed: httpx.Client, documented: httpx.Client) -> None:
    """The page's broken sample is read as a list of skills, or as an object with a list of names."""
    assert stream(documented, **EXAMPLE)[0][1]["selectedSkill"] == [{"nameForHuman": "날씨"}]
    assert stream(observed, **EXAMPLE)[0][1]["selectedSkill"] == {"nameForHuman": ["날씨"]}


def test_spacing(observed: httpx.Client, documented: httpx.Client) -> None:
    """The events are written as the chat's are, with or without a blank after the colon."""
    assert "\nevent:cot\ndata:{" in observed.post(ANSWER, json=EXAMPLE, headers=SSE).text
    assert "\nevent: cot\ndata: {" in documented.post(ANSWER, json=EXAMPLE, headers=SSE).text


LONG = "여행 " * 4_096
OVER = "requestOverride"

REFUSED: list[tuple[str, Any, str, str]] = [
    (ROUTE, {}, "61002", "Missing input value"),
    (ROUTE, {"query": " "}, "61002", "Missing input value"),
    (ROUTE, {"query": 1}, "40001", "Invalid parameter: query"),
    (ROUTE, {"query": LONG}, "65400", "Context length exceeded"),
    (ROUTE, {"query": "a", "chatHistory": "a"}, "40001", "Invalid parameter: chatHistory"),
    (ROUTE, {"query": "a", "chatHistory": ["a"]}, "40001", "Invalid parameter: chatHistory[0]"),
    (
        ROUTE,
        {"query": "a", "chatHistory": [{"role": "assistant", "content": "a"}]},
        "40001",
        "Invalid parameter: chatHistory[0].role",
    ),
    (ROUTE, {"query": "a", "chatHistory": [{"role": "user"}]}, "40001", "Invalid parameter: chatHistory[0].content"),
    (ROUTE.replace("/1/", "/0/"), {"query": "a"}, "40001", "Invalid parameter: version"),
    (ROUTE.replace("/1/", "/latest/"), {"query": "a"}, "40001", "Invalid parameter: version"),
    (ROUTE.replace("/1/", "/2/"), {"query": "a"}, "40400", "Not found"),
    (ROUTE.replace("travel01", "nonsense"), {"query": "a"}, "40400", "Not found"),
    (ANSWER, {}, "61002", "Missing input value"),
    (ANSWER, {"query": "?!"}, "62001", "Invalid input value"),
    (ANSWER, {"query": []}, "40001", "Invalid parameter: query"),
    (ANSWER, {"query": LONG}, "64400", "Context length exceeded"),
    (ANSWER, {"query": "a", "tokenStream": "yes"}, "40001", "Invalid parameter: tokenStream"),
    (
        ANSWER,
        {"query": "a", "chatHistory": [{"role": "system", "content": ""}]},
        "40001",
        "Invalid parameter: chatHistory[0].role",
    ),
    (ANSWER, {"query": "a", OVER: []}, "40001", f"Invalid parameter: {OVER}"),
    (ANSWER, {"query": "a", OVER: {"baseOperation": 1}}, "40001", f"Invalid parameter: {OVER}.baseOperation"),
    (
        ANSWER,
        {"query": "a", OVER: {"baseOperation": {"header": []}}},
        "40001",
        f"Invalid parameter: {OVER}.baseOperation.header",
    ),
    (ANSWER, {"query": "a", OVER: {"operations": {}}}, "40001", f"Invalid parameter: {OVER}.operations"),
    (
        ANSWER,
        {"query": "a", OVER: {"operations": [{"query": {}}]}},
        "40001",
        f"Invalid parameter: {OVER}.operations[0].operationId",
    ),
    (ANSWER.replace("/1/", "/latest/"), {"query": "a"}, "40001", "Invalid parameter: version"),
    (ANSWER.replace("weather1", "travel01"), {"query": "a"}, "40400", "Not found"),
]


@pytest.mark.parametrize(("path", "body", "code", "message"), REFUSED)
def test_refusals(either: httpx.Client, path: str, body: Any, code: str, message: str) -> None:
    """Refusals have the codes of the skill pages, whose first digits are not the HTTP status."""
    answer = either.post(path, json=body)
    assert answer.json()["status"] == {"code": code, "message": message}
    assert answer.status_code == (404 if code == "40400" else 400)


def test_shared_quota() -> None:
    """Routers and skillsets are counted together."""
    with serve(rate_limits={"skill-trainer": (2, None)}) as server, connect(server) as client:
        codes = [client.post(path, json={"query": "날씨"}).status_code for path in (ROUTE, ANSWER, ROUTE)]
        assert codes == [200, 200, 429]


def test_stream_faults() -> None:
    """A skillset's stream breaks after the number of events that the fault names."""
    with serve() as server, connect(server) as client:
        for fault, names in (
            (Fault("error_event", after=1, code="64500", times=1), ["planning", "error"]),
            (Fault("cut", after=2, times=1), ["planning", "cot"]),
            (Fault("no_signal", times=1), ["planning", "cot", "finalAnswer"]),
        ):
            server.add_fault(fault)
            found = stream(client, query="서울 날씨")
            assert [name for name, _ in found] == names
        server.add_fault(Fault("status", code="65001", path="/route", times=1))
        answer = client.post(ROUTE, json={"query": "날씨"})
        assert (answer.status_code, answer.json()["status"]["message"]) == (400, "Invalid labels detected")
