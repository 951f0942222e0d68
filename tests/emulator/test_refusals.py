"""What the service refuses, as a table: request -> status, code, message."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import tool, user

if TYPE_CHECKING:
    import httpx

V1 = "/v1/chat-completions/HCX-003"
H5 = "/v3/chat-completions/HCX-005"
H7 = "/v3/chat-completions/HCX-007"
DASH2 = "/v3/chat-completions/HCX-DASH-002"
REASON = "/v1/api-tools/rag-reasoning"
EMBED_V1 = "/v1/api-tools/embedding/clir-emb-dolphin"
EMBED_V2 = "/v1/api-tools/embedding/v2"
SEGMENT = "/v1/api-tools/segmentation"
TOOLS = [tool("get_weather", "Get the weather.", location={"type": "string"})]
OFF = {"thinking": {"effort": "none"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": {"location": "Seoul"}}}


def png(width: int, height: int) -> str:
    """The header of a PNG file of some size, in base64."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    raw = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return base64.b64encode(raw).decode()


def picture(**source: Any) -> dict[str, Any]:
    """A user message with an image part."""
    return {"role": "user", "content": [{"type": "image_url", **source}, {"type": "text", "text": "무엇인가?"}]}


def url(address: str) -> dict[str, Any]:
    """A request with an image by URL."""
    return {"messages": [picture(imageUrl={"url": address})]}


def data(value: str) -> dict[str, Any]:
    """A request with an image in the body."""
    return {"messages": [picture(dataUri={"data": value})]}


def schema(**changes: Any) -> dict[str, Any]:
    """A response format with changes."""
    return {"type": "json", "schema": {"type": "object", "properties": {"a": {"type": "string"}}, **changes}}


def said(*messages: tuple[str, Any]) -> dict[str, Any]:
    """A conversation."""
    return {"messages": [{"role": role, "content": content} for role, content in messages]}


def replay(calls: Any, answer_to: str = "call_1", **more: Any) -> dict[str, Any]:
    """A conversation in which a tool was called."""
    return {
        "messages": [
            {"role": "user", "content": "날씨?"},
            {"role": "assistant", "content": "", "toolCalls": calls},
            {"role": "tool", "toolCallId": answer_to, "content": "맑음"},
        ],
        **more,
    }


PNG = "data:image/png;base64," + png(100, 80)
ONE = {"type": "image_url", "dataUri": {"data": PNG}}

# (path, body, code, message); the HTTP status is the code's.
REFUSED: list[tuple[str, Any, str, str]] = [
    # models
    ("/v1/chat-completions/HCX-005", user("안녕"), "40084", "Unsupported API for model"),
    ("/v3/chat-completions/HCX-003", user("안녕"), "40084", "Unsupported API for model"),
    ("/v3/chat-completions/HCX-999", user("안녕"), "40080", "Model not found"),
    ("/v1/chat-completions/hcx-003", user("안녕"), "40080", "Model not found"),
    ("/v1/api-tools/embedding/bge-m4", {"text": "안녕"}, "40080", "Model not found"),
    ("/v1/api-tools/embedding/bge-m3", {"text": "안녕"}, "40080", "Model not found"),
    # bodies and messages
    (H5, [], "40000", "Bad request"),
    (H5, {}, "40000", "Bad request"),
    (H5, {"messages": []}, "40000", "Bad request"),
    (H5, {"messages": "안녕"}, "40001", "Invalid parameter: messages"),
    (H5, said(("user", "")), "40004", "Text empty"),
    (V1, said(("user", "")), "40004", "Text empty"),
    (H5, said(("user", None)), "40001", "Invalid parameter: messages[0].content"),
    (H5, said(("user", [])), "40001", "Invalid parameter: messages[0].content"),
    (V1, said(("user", [{"type": "text", "text": "a"}])), "40001", "Invalid parameter: messages[0].content"),
    (H5, said(("user", [{"type": "text", "text": ""}])), "40004", "Text empty"),
    (H5, said(("user", [{"type": "text"}])), "40001", "Invalid parameter: messages[0].content[0].text"),
    (H5, said(("user", [{"type": "video"}])), "40001", "Invalid parameter: messages[0].content[0].type"),
    (H5, said(("robot", "안녕")), "40001", "Invalid parameter: messages[0].role"),
    (V1, said(("tool", "안녕")), "40001", "Invalid parameter: messages[0].role"),
    (H5, said(("system", "a"), ("system", "b"), ("user", "c")), "40001", "Invalid parameter: messages"),
    (
        H7,
        {"messages": [{"role": "assistant", "content": "a", "thinkingContent": "b"}, {"role": "user", "content": "c"}]},
        "40001",
        "Invalid parameter: thinkingContent",
    ),
    # ranges of v1
    (V1, user("a", temperature=0), "40001", "Invalid parameter: temperature"),
    (V1, user("a", temperature=1.01), "40001", "Invalid parameter: temperature"),
    (V1, user("a", temperature="0.5"), "40001", "Invalid parameter: temperature"),
    (V1, user("a", topP=0), "40001", "Invalid parameter: topP"),
    (V1, user("a", topK=129), "40001", "Invalid parameter: topK"),
    (V1, user("a", topK=1.5), "40001", "Invalid parameter: topK"),
    (V1, user("a", repeatPenalty=0), "40001", "Invalid parameter: repeatPenalty"),
    (V1, user("a", repeatPenalty=10.1), "40001", "Invalid parameter: repeatPenalty"),
    (V1, user("a", maxTokens=0), "40001", "Invalid parameter: maxTokens"),
    (V1, user("a", maxTokens=4097), "40001", "Invalid parameter: maxTokens"),
    (V1, user("a", seed=4294967296), "40001", "Invalid parameter: seed"),
    (V1, user("a", seed=-1), "40001", "Invalid parameter: seed"),
    (V1, user("a", stopBefore="끝"), "40001", "Invalid parameter: stopBefore"),
    (V1, user("a", includeAiFilters="yes"), "40001", "Invalid parameter: includeAiFilters"),
    (V1, user("a", tools=TOOLS), "40001", "Invalid parameter: tools"),
    # ranges of v3
    (H5, user("a", temperature=-0.01), "40001", "Invalid parameter: temperature"),
    (H5, user("a", temperature=True), "40001", "Invalid parameter: temperature"),
    (H5, user("a", topP=1.01), "40001", "Invalid parameter: topP"),
    (H5, user("a", topK=-1), "40001", "Invalid parameter: topK"),
    (H5, user("a", repetitionPenalty=0), "40001", "Invalid parameter: repetitionPenalty"),
    (H5, user("a", repetitionPenalty=2.01), "40001", "Invalid parameter: repetitionPenalty"),
    (H5, user("a", maxTokens=4097), "40001", "Invalid parameter: maxTokens"),
    (H5, user("a", maxTokens=True), "40001", "Invalid parameter: maxTokens"),
    (H5, user("a", maxCompletionTokens=4097), "40001", "Invalid parameter: maxCompletionTokens"),
    (H7, user("a", maxCompletionTokens=32769), "40001", "Invalid parameter: maxCompletionTokens"),
    (H5, user("a", stop=[1]), "40001", "Invalid parameter: stop"),
    # features that exclude each other
    (H5, user("a", maxTokens=5, maxCompletionTokens=5), "40001", "Invalid parameter: maxTokens, maxCompletionTokens"),
    (H7, user("a", maxTokens=100), "40001", "Invalid parameter: maxTokens"),
    (H5, user("a", **OFF), "40001", "Invalid parameter: thinking"),
    (DASH2, user("a", **OFF), "40001", "Invalid parameter: thinking"),
    (H7, user("a", thinking={"effort": "max"}), "40001", "Invalid parameter: thinking.effort"),
    (H7, user("a", stop=["끝"]), "40001", "Invalid parameter: stop, thinking"),
    (H7, user("a", tools=TOOLS), "40001", "Invalid parameter: tools, thinking"),
    (H5, user("a", tools=TOOLS, maxTokens=1023), "40001", "Invalid parameter: tools, maxTokens"),
    (
        H7,
        user("a", tools=TOOLS, maxCompletionTokens=1023, **OFF),
        "40001",
        "Invalid parameter: tools, maxCompletionTokens",
    ),
    (H7, user("a", responseFormat=schema()), "40001", "Invalid parameter: responseFormat, thinking"),
    (H7, user("a", responseFormat=schema(), tools=TOOLS, **OFF), "40001", "Invalid parameter: tools, responseFormat"),
    (H5, user("a", responseFormat=schema()), "40001", "Invalid parameter: responseFormat"),
    (H7, user("a", responseFormat={"type": "text"}, **OFF), "40001", "Invalid parameter: responseFormat.type"),
    # tools
    (H5, user("a", tools=[]), "40001", "Invalid parameter: tools"),
    (
        H5,
        user("a", tools=[{"type": "function", "function": {"name": "f"}}]),
        "40001",
        "Invalid parameter: tools[].function.description",
    ),
    (H5, user("a", tools=[tool("f", "")]), "40001", "Invalid parameter: tools[].function.description"),
    (H5, user("a", tools=[tool("", "d")]), "40001", "Invalid parameter: tools[].function.name"),
    (H5, user("a", tools=[{**TOOLS[0], "type": "tool"}]), "40001", "Invalid parameter: tools[].type"),
    (REASON, user("a", tools=[{"function": TOOLS[0]["function"]}]), "40001", "Invalid parameter: tools[].type"),
    (H5, user("a", tools=TOOLS, toolChoice="required"), "40001", "Invalid parameter: toolChoice"),
    (
        H5,
        {**said(("user", [{"type": "text", "text": "a"}])), "tools": TOOLS},
        "40001",
        "Invalid parameter: messages[0].content",
    ),
    (
        H5,
        {"messages": [picture(dataUri={"data": PNG})], "tools": TOOLS},
        "40001",
        "Invalid parameter: tools, image_url",
    ),
    (H5, replay([CALL], "call_2"), "40001", "Invalid parameter: messages[2].toolCallId"),
    (
        H5,
        replay([{**CALL, "function": {"name": "get_weather", "arguments": '{"location":"Seoul"}'}}]),
        "40001",
        "Invalid parameter: messages[1].toolCalls[0]",
    ),
    (H7, replay([CALL]), "40001", "Invalid parameter: messages, thinking"),
    # response formats
    (
        H7,
        user("a", responseFormat=schema(properties={"a": {"type": "string", "pattern": "x"}}), **OFF),
        "40055",
        "Invalid response format schema",
    ),
    (
        H7,
        user("a", responseFormat=schema(additionalProperties={"type": "string"}), **OFF),
        "40055",
        "Invalid response format schema",
    ),
    (
        H7,
        user("a", responseFormat=schema(properties={"a": {"$ref": "#/$defs/A"}}), **OFF),
        "40055",
        "Invalid response format schema",
    ),
    (H7, user("a", responseFormat=schema(required=["b"]), **OFF), "40055", "Invalid response format schema"),
    (
        H7,
        user("a", responseFormat={"type": "json", "schema": {"type": "array"}}, **OFF),
        "40055",
        "Invalid response format schema",
    ),
    # images
    (DASH2, url("https://img.example.com/a.png"), "40009", "Unsupported input format"),
    (H7, url("https://img.example.com/a.png"), "40009", "Unsupported input format"),
    ("/v3/tasks/t1/chat-completions", url("https://img.example.com/a.png"), "40009", "Unsupported input format"),
    (H5, said(("user", [ONE, ONE])), "40000", "Each user message can contain only one image"),
    (H5, said(*[("user", [ONE])] * 6), "40003", "Image limit exceeded"),
    (H5, url("https://img.example.com/a.gif"), "40060", "Unsupported image format"),
    (H5, url("https://img.example.com/a"), "40063", "Invalid image url"),
    (H5, url(PNG), "40063", "Invalid image url"),
    (H5, data("data:image/gif;base64,R0lGODlh"), "40060", "Unsupported image format"),
    (H5, data("data:image/png;base64,aGVsbG8="), "40063", "Invalid image file"),
    (H5, data("data:image/png;base64,"), "40061", "File size error"),
    (H5, data("data:image/png;base64," + png(2241, 900)), "40063", "Invalid image size"),
    (H5, data("data:image/png;base64," + png(3, 3)), "40063", "Invalid image size"),
    (H5, data("data:image/png;base64," + png(600, 100)), "40063", "Invalid image ratio"),
    (
        H5,
        {"messages": [picture(dataUri={"data": PNG}, imageUrl={"url": "https://a.example/a.png"})]},
        "40001",
        "Invalid parameter: imageUrl, dataUri",
    ),
    # tuned models
    ("/v3/tasks/t1/chat-completions", user("a", tools=TOOLS), "40009", "Unsupported function"),
    ("/v3/tasks/t1/chat-completions", user("a", **OFF), "40001", "Invalid parameter: thinking"),
    # lengths
    (V1, user("hello " * 8_000), "40003", "Context length exceeded"),
    (V1, user("hello " * 5_000, maxTokens=4096), "40003", "Context length exceeded"),
    (DASH2, user("hello " * 32_000), "40003", "Context length exceeded"),
    # tools of the explorer
    (EMBED_V1, {"text": ""}, "40004", "Text empty"),
    (EMBED_V1, {"text": ["a"]}, "40001", "Invalid parameter: text"),
    (EMBED_V1, {"text": "hello " * 501}, "40003", "Context length exceeded"),
    (EMBED_V2, {"text": "hello " * 8_193}, "40003", "Context length exceeded"),
    (EMBED_V2, {}, "40001", "Invalid parameter: text"),
    (EMBED_V2 + "/tokenize", {"text": "가" * 10_001}, "40003", "Context length exceeded"),
    (SEGMENT, {"text": "가" * 120_001}, "40003", "Context length exceeded"),
    (SEGMENT, {"text": " \n"}, "40004", "Text empty"),
    (SEGMENT, {"text": "가.", "alpha": -1.6}, "40001", "Invalid parameter: alpha"),
    (SEGMENT, {"text": "가.", "alpha": 1.6}, "40001", "Invalid parameter: alpha"),
    (SEGMENT, {"text": "가.", "segCnt": 0}, "40001", "Invalid parameter: segCnt"),
    (SEGMENT, {"text": "가.", "postProcessMaxSize": 0}, "40001", "Invalid parameter: postProcessMaxSize"),
    (
        SEGMENT,
        {"text": "가.", "postProcessMaxSize": 10, "postProcessMinSize": 11},
        "40001",
        "Invalid parameter: postProcessMinSize",
    ),
    ("/v1/api-tools/chat-tokenize/HCX-005", user("a"), "40084", "Unsupported API for model"),
    ("/v3/api-tools/chat-tokenize/HCX-005", {"messages": []}, "40000", "Bad request"),
]


@pytest.mark.parametrize(("path", "body", "code", "message"), REFUSED)
def test_refusal(either: httpx.Client, path: str, body: Any, code: str, message: str) -> None:
    """Each wrong request is refused with the service's status, code and message, in both behaviours."""
    answer = either.post(path, json=body)
    assert answer.status_code == int(code[:3]), answer.text
    assert answer.json()["status"] == {"code": code, "message": message}


ANNOTATIONS = {"title": "A", "$schema": "https://json-schema.org/draft/2020-12/schema", "examples": [{}], "default": {}}

ACCEPTED: list[tuple[str, Any]] = [
    (V1, user("a", temperature=0.01, topP=1.0, topK=128, repeatPenalty=10, maxTokens=4096, seed=4294967295)),
    (V1, user("a", unknown=1, repetitionPenalty=99)),
    (H5, user("a", temperature=0, topP=1, topK=0, repetitionPenalty=2, maxTokens=1, seed=0, stop=[])),
    (H5, user("a", repeatPenalty=99, stopBefore=[], unknown={})),
    (H5, user("a", max_tokens=-1, top_k="x", tool_choice="required", response_format={"type": "json_object"})),
    (H7, user("a", responseFormat=schema(**ANNOTATIONS, properties={"a": {"type": "string", "default": "b"}}), **OFF)),
    (H7, user("a", responseFormat=schema(additionalProperties=False), **OFF)),
    (H5, user("a", maxCompletionTokens=4096)),
    (H5, url("https://img.example.com/a.JPG?size=1")),
    (H5, data(PNG)),
    (H7, user("a", stop=["끝"], **OFF)),
    (H7, user("a", stop=[], maxCompletionTokens=32768)),
    (H7, replay([CALL], **OFF)),
    (H5, replay([CALL])),
    (H5, user("a", tools=TOOLS, maxTokens=1024, toolChoice="none")),
    (H5, said(("user", "a"), ("assistant", ""), ("user", "b"), ("user", "c"))),
    ("/v1/tasks/t-1/chat-completions", user("a")),
    ("/v2/tasks/t-1/chat-completions", user("a")),
    ("/v3/tasks/t-1/chat-completions", user("a")),
    (EMBED_V2 + "/", {"text": "a"}),
    (EMBED_V2 + "/app1", {"text": "a"}),
    (SEGMENT + "/app1", {"text": "가."}),
    ("/v1/api-tools/summarization/v2/app1", {"texts": ["가."]}),
    (EMBED_V1, {"text": "hello " * 499}),
    (SEGMENT, {"text": "가.", "alpha": -100, "segCnt": -1, "postProcessMinSize": -1}),
]


@pytest.mark.parametrize(("path", "body"), ACCEPTED)
def test_acceptance(either: httpx.Client, path: str, body: Any) -> None:
    """The ends of the documented ranges are accepted, and unknown fields are ignored."""
    answer = either.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == {"code": "20000", "message": "OK"}


FORCED = user("a", tools=TOOLS, toolChoice={"type": "function", "function": {"name": "get_weather"}})


def test_observed_refuses_what_only_the_pages_allow(observed: httpx.Client) -> None:
    """The observed behaviour refuses a forced tool with 40009 and a bare base64 image with a plain 40001."""
    assert observed.post(H5, json=FORCED).json()["status"] == {"code": "40009", "message": "Unsupported function"}
    bare = observed.post(H5, json=data(png(100, 80)))
    assert bare.json()["status"] == {"code": "40001", "message": "Invalid parameter"}


def test_documented_allows_it(documented: httpx.Client) -> None:
    """The documented behaviour calls the forced tool and takes a bare base64 image."""
    calls = documented.post(H5, json=FORCED).json()["result"]["message"]["toolCalls"]
    assert calls[0]["function"]["name"] == "get_weather"
    assert documented.post(H5, json=data(png(100, 80))).status_code == 200


OPEN_SCHEMAS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {
            "type": "object",
            "properties": {"who": {"$ref": "#/$defs/Person"}, "note": {"type": ["string", "null"]}},
            "required": ["who"],
            "$defs": {"Person": {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}},
        },
        {"who": {"age": 32}, "note": "살입니다"},
    ),
    (
        {
            "type": "object",
            "properties": {"age": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "none": {"type": "null"}},
        },
        {"age": 32, "none": None},
    ),
    (
        {
            "$ref": "#/$defs/Node",
            "$defs": {
                "Node": {
                    "type": "object",
                    "properties": {
                        "size": {"type": "integer"},
                        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                        "all": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                    },
                }
            },
        },
        {"size": 32, "next": {"size": 0, "next": None, "all": []}, "all": [{"size": 0, "next": None, "all": []}]},
    ),
]


@pytest.mark.parametrize(("wanted", "filled"), OPEN_SCHEMAS)
def test_references_and_nulls(
    observed: httpx.Client, documented: httpx.Client, wanted: dict[str, Any], filled: dict[str, Any]
) -> None:
    """References and null types, which the page does not list, are refused by the pages and else obeyed."""
    body = user("32살입니다", responseFormat={"type": "json", "schema": wanted}, **OFF)
    assert documented.post(H7, json=body).json()["status"]["code"] == "40055"
    assert json.loads(observed.post(H7, json=body).json()["result"]["message"]["content"]) == filled


def test_snake_case_means_the_default(either: httpx.Client) -> None:
    """On the native path ``max_tokens`` is an unknown field, so an answer of v3 ends at its default of 100 tokens."""
    long = " ".join(f"{number}번째 문장은 항구 도시 이야기입니다." for number in range(60))
    body = user(f"다음 글을 요약해줘.\n\n{long}", max_tokens=9)
    result = either.post(H5, json=body).json()["result"]
    assert result["usage"]["completionTokens"] > 9
    assert either.post(H5, json=user("a" * 9, max_tokens=10**9)).status_code == 200


def test_refusals_of_streams_are_json(observed: httpx.Client) -> None:
    """A wrong request in streaming mode is answered with an ordinary JSON refusal."""
    answer = observed.post(H5, json=user("a", topK=999), headers={"accept": "text/event-stream"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
