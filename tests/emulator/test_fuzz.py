"""Whatever is sent, the answer is a documented envelope: nothing crashes, hangs, or fails inside."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import tool, user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clova_studio.emulator.rules.refusals import CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

TOOLS = [
    tool(
        "search",
        "문서를 찾는다.",
        query={"type": "string", "enum": ["환불", "배송"], "description": "검색어"},
        count={"type": "integer", "minimum": 1, "maximum": 9},
        tags={"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
    )
]
CALL = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": {"query": "환불"}}}
OPENAI_CALL = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"query": "환불"}'}}
FOUND = '{"search_result": [{"id": "doc-7", "doc": "환불은 7일 안에 신청합니다."}]}'
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "format": "date"},
        "list": {"type": "array", "items": {"anyOf": [{"type": "number", "minimum": 0}]}, "minItems": 1},
    },
    "required": ["name"],
}
IMAGE = {"type": "image_url", "imageUrl": {"url": "https://img.example.com/a.png"}}
DATA = {"type": "image_url", "dataUri": {"data": "data:image/png;base64,iVBORw0KGgo="}}


def replayed(call: dict[str, Any], result: str, answers: str, **more: Any) -> dict[str, Any]:
    """A conversation in which a tool was called."""
    return {
        "messages": [
            {"role": "user", "content": "환불 방법 알려줘"},
            {"role": "assistant", "content": "", ("toolCalls" if answers == "toolCallId" else "tool_calls"): [call]},
            {"role": "tool", answers: "call_1", "content": result},
        ],
        "tools": TOOLS,
        **more,
    }


# A request of every API with every field that it knows.
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat v1": (
        "/v1/chat-completions/HCX-003",
        user(
            "환불?",
            topP=0.8,
            topK=0,
            maxTokens=64,
            temperature=0.5,
            repeatPenalty=5.0,
            stopBefore=["끝"],
            seed=0,
            includeAiFilters=True,
        ),
    ),
    "chat v3": (
        "/v3/chat-completions/HCX-005",
        {
            "messages": [
                {"role": "system", "content": "a"},
                {"role": "user", "content": [IMAGE, {"type": "text", "text": "무엇?"}]},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": [DATA]},
            ],
            "topK": 1,
            "repetitionPenalty": 1.1,
            "stop": [],
        },
    ),
    "chat tools": ("/v3/chat-completions/HCX-005", user("환불 3건 search", tools=TOOLS, toolChoice="auto")),
    "chat replay": ("/v3/chat-completions/HCX-DASH-002", replayed(CALL, FOUND, "toolCallId")),
    "chat schema": (
        "/v3/chat-completions/HCX-007",
        user("서울 3도", responseFormat={"type": "json", "schema": SCHEMA}, thinking={"effort": "none"}),
    ),
    "tuned": ("/v3/tasks/t-1/chat-completions", user("환불?")),
    "completions": (
        "/v1/completions/LK-D2",
        {"text": "환불?", "start": "a", "restart": "b", "includeTokens": True, "includeProbs": True, "topK": 1},
    ),
    "tokenize": ("/v1/api-tools/tokenize/LK-B", {"text": "환불"}),
    "chat tokens v1": ("/v1/api-tools/chat-tokenize/HCX-003", user("환불")),
    "chat tokens v3": (
        "/v3/api-tools/chat-tokenize/HCX-007",
        replayed(CALL, FOUND, "toolCallId", responseFormat={"type": "json", "schema": SCHEMA}, toolChoice="none"),
    ),
    "embedding v1": ("/v1/api-tools/embedding/clir-emb-dolphin", {"text": "환불"}),
    "embedding v2": ("/v1/api-tools/embedding/v2", {"text": "환불"}),
    "embedding tokens": ("/v1/api-tools/embedding/v2/tokenize", {"text": "환불"}),
    "segmentation": (
        "/v1/api-tools/segmentation",
        {
            "text": "가. 나. 다.",
            "alpha": 0.0,
            "segCnt": -1,
            "postProcess": True,
            "postProcessMaxSize": 5,
            "postProcessMinSize": 1,
        },
    ),
    "summarization": (
        "/v1/api-tools/summarization/v2",
        {"texts": ["가. 나.", "다."], "autoSentenceSplitter": True, "segCount": -1, "segMaxSize": 9, "segMinSize": 1},
    ),
    "sliding": ("/v1/api-tools/sliding/chat-messages/HCX-003", user("환불", maxTokens=100)),
    "reranker": (
        "/v1/api-tools/reranker",
        {"documents": [{"id": "a", "doc": "환불은 7일."}], "query": "환불", "maxTokens": 1024},
    ),
    "rag first": ("/v1/api-tools/rag-reasoning", user("환불?", tools=TOOLS, toolChoice="auto", stop=["끝"])),
    "rag second": ("/v1/api-tools/rag-reasoning", replayed(CALL, FOUND, "toolCallId", includeAiFilters=True)),
    "router": (
        "/v1/routers/travel01/versions/1/route",
        {"query": "여행 일정", "chatHistory": [{"role": "user", "content": "강릉"}]},
    ),
    "skillset": (
        "/v1/skillsets/weather1/versions/1/final-answer",
        {
            "query": "부산 날씨",
            "tokenStream": True,
            "chatHistory": [{"role": "assistant", "content": "네"}],
            "requestOverride": {
                "baseOperation": {"header": {}, "query": {"a": "b"}, "requestBody": {}},
                "operations": [{"operationId": "getWeather", "query": {"c": 1}}],
            },
        },
    ),
    "tuning": (
        "/tuning/v2/tasks",
        {
            "name": "a",
            "model": "HCX-005",
            "tuningType": "PEFT",
            "taskType": "GENERATION",
            "trainEpochs": "8",
            "learningRate": 1e-4,
            "trainingDatasetFilePath": "a.csv",
            "trainingDatasetBucket": "b",
            "trainingDatasetAccessKey": "c",
            "trainingDatasetSecretKey": "d",
            "loraR": 8,
        },
    ),
    "openai chat": (
        "/v1/openai/chat/completions",
        user(
            "환불 3건 search",
            model="HCX-005",
            tools=TOOLS,
            tool_choice="auto",
            n=1,
            max_tokens=1024,
            parallel_tool_calls=True,
            stop="끝",
            top_k=1,
            stream=False,
        ),
    ),
    "openai replay": ("/v1/openai/chat/completions", replayed(OPENAI_CALL, FOUND, "tool_call_id", model="HCX-005")),
    "openai schema": (
        "/v1/openai/chat/completions",
        user(
            "서울 3도",
            model="HCX-007",
            reasoning={"effort": "none"},
            response_format={"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": SCHEMA}},
        ),
    ),
    "openai embeddings": (
        "/v1/openai/embeddings",
        {"model": "bge-m3", "input": "환불", "encoding_format": "float", "dimensions": 1024},
    ),
}

ODD_TEXTS = [
    "", " ", "\n", "null", "http://[", "https://a/.png", "data:image/png;base64,", "data:,", "system", "tool", "object",
    "array", "{}", '{"search_result": 5}', "[[", "NaN", "1e999", "=", "\u2028", "\x00", "😀", "가" * 300, "9" * 400,
]  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.sampled_from([2**31, 2**63, -(2**64), 10**30, 10**400, 1e308, -1e308, 5e-324, 0.1, 1e22]),
    st.sampled_from(ODD_TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
KEYS = st.sampled_from(
    [
        "type",
        "enum",
        "anyOf",
        "properties",
        "required",
        "items",
        "minItems",
        "maxItems",
        "minimum",
        "format",
        "role",
        "content",
        "text",
        "function",
        "name",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with something else at one place."""
    if not path:
        return new
    whole = copy.deepcopy(value)
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = new
    return whole


def judge(answer: httpx.Response, path: str) -> None:
    """Fail unless an answer is a success or a documented refusal in the form of its path."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        assert answer.status_code == 200
        return
    body = answer.json()
    if path.startswith("/v1/openai"):
        if answer.status_code == 200:
            assert "error" not in body
            return
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
        code, message = body["error"]["code"], body["error"]["message"]
    else:
        assert set(body) <= {"status", "result"}
        code, message = body["status"]["code"], body["status"]["message"]
    assert code in CODES, body
    assert isinstance(message, str)
    assert answer.status_code == CODES[code][0]
    assert answer.status_code < 500, body


def send(client: httpx.Client, path: str, content: bytes, **headers: str) -> None:
    """Send a body and judge the answer; that it comes within the client's timeout is part of the promise."""
    judge(client.post(path, content=content, headers={"content-type": "application/json", **headers}), path)


BOUNDED = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
}


@pytest.mark.parametrize("name", REQUESTS)
def test_any_value_anywhere(observed: httpx.Client, documented: httpx.Client, name: str) -> None:
    """Any JSON value in the place of any field is answered or refused in a documented form."""
    path, body = REQUESTS[name]
    spots = list(places(body))

    @settings(max_examples=50, **BOUNDED)
    @given(st.sampled_from(spots), VALUES, st.sampled_from([observed, documented]), st.booleans())
    def check(spot: tuple[Any, ...], value: Any, client: httpx.Client, streamed: bool) -> None:  # noqa: FBT001
        accept = "text/event-stream, application/json" if streamed else "*/*"
        send(client, path, json.dumps(replaced(body, spot, value)).encode(), accept=accept)

    for spot in spots:  # each place once with what trips most
        for value in ([], {"a": 1}, "http://[", 10**400):
            send(observed, path, json.dumps(replaced(body, spot, value)).encode())
    check()


BYTES = [
    b"",
    b"\x00",
    b"{",
    b"null",
    b"[]",
    b'"a"',
    b"NaN",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"\xed\xa0\x80",
    b"[" * 90_000,
    b'{"a":' * 90_000,
    b'{"text": NaN}',
    b'{"text": Infinity}',
    b'{"query": 1e999}',
    b'{"text": "\\ud800"}',
    b'{"query": "\\udfff"}',
    b'{"texts": ["\\ud83d"]}',
    b'{"\\ud800": 1}',
    b"1" * 9_000,
    b'{"maxTokens": ' + b"9" * 9_000 + b"}",
    b'{"messages": [{"role": "user", "content": "\xff"}]}',
    b'{"a": "\\ud800"}\x00',
    '{"text": "환불"}'.encode("cp949"),
    '{"text": "환불", "query": "환불"}'.encode("utf-16"),
    '{"text": "환불"}'.encode("utf-32-le"),
]


@pytest.mark.parametrize("name", REQUESTS)
def test_any_bytes(observed: httpx.Client, documented: httpx.Client, name: str) -> None:
    """Bytes that are not valid JSON, and JSON that is out of bounds, are refused in a documented form."""
    path, body = REQUESTS[name]
    raw = json.dumps(body).encode()
    for content in [*BYTES, raw[:-1], raw + b"}", raw.replace(b":", b":\xff", 1)]:
        send(observed, path, content)

    @settings(max_examples=15, **BOUNDED)
    @given(st.binary(max_size=40), st.integers(0, len(raw)))
    def check(junk: bytes, at: int) -> None:
        send(documented, path, raw[:at] + junk + raw[at:])

    check()


def deep(levels: int, key: str) -> dict[str, Any]:
    """A value of some depth, of which each level is a schema and a list by turns."""
    value: Any = {"type": "object"}
    for _ in range(levels):
        value = {"type": "object", "properties": {key: value}, "items": [value], "anyOf": [value]} if levels < 5 else {
            "type": "object", "properties": {key: value}
        }  # fmt: skip
    whole: dict[str, Any] = value
    return whole


@pytest.mark.parametrize("levels", [3, 20, 40, 60, 300])
def test_deep_schemas(observed: httpx.Client, levels: int) -> None:
    """Schemas of any depth are filled or refused."""
    schema = deep(levels, "a")
    for path, body in (
        ("/v3/chat-completions/HCX-005", user("search", tools=[tool("search", "찾는다.", a=schema)])),
        (
            "/v3/chat-completions/HCX-007",
            user("a", thinking={"effort": "none"}, responseFormat={"type": "json", "schema": schema}),
        ),
        ("/v1/api-tools/rag-reasoning", user("a", tools=[tool("search", "찾는다.", a=schema)])),
    ):
        send(observed, path, json.dumps(body).encode())


@pytest.mark.parametrize("size", [10**3, 10**6, 10**18, 10**400])
def test_greedy_schemas(observed: httpx.Client, size: int) -> None:
    """A schema that asks for endless arrays, one in another, is answered in bounded time."""
    inner: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": size}
    for _ in range(4):
        inner = {"type": "array", "items": inner, "minItems": size, "maxItems": size}
    body = user("search", tools=[tool("search", "찾는다.", a=inner, n={"type": "integer", "minimum": size})])
    send(observed, "/v3/chat-completions/HCX-005", json.dumps(body).encode())
    shape = {"type": "object", "properties": {"a": inner}}
    body = user("a", thinking={"effort": "none"}, responseFormat={"type": "json", "schema": shape})
    send(observed, "/v3/chat-completions/HCX-007", json.dumps(body).encode())


SEGMENT = st.text(st.sampled_from("ab1-_.%/é가 ~:;@\\"), min_size=1, max_size=6)


@settings(max_examples=150, **BOUNDED)
@given(
    st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]),
    st.sampled_from(
        [
            "/v1/routers/{}/versions/{}/route",
            "/v1/skillsets/{}/versions/{}/final-answer",
            "/tuning/v2/tasks/{}?page={}",
            "/tuning/v2/tasks?page={}&size={}",
            "/v3/tasks/{}/chat-completions",
            "/v1/chat-completions/{}{}",
            "/testapp/v1/api-tools/sliding/chat-messages/{}/{}",
            "/v1/openai/{}/{}",
            "/{}/{}",
        ]
    ),
    SEGMENT,
    SEGMENT,
)
def test_any_path(observed: httpx.Client, method: str, pattern: str, first: str, second: str) -> None:
    """Any id, version, model name or query is answered or refused in a documented form."""
    path = pattern.format(first, second)
    judge(observed.request(method, path, json={}), str(path if path.startswith("/v1/openai/") else "/"))
