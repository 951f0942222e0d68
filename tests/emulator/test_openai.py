"""The OpenAI-compatible paths: forms, limits, streams and errors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from emulator_support import NO_TLS, connect, tool, user

from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

CHAT = "/v1/openai/chat/completions"
EMBED = "/v1/openai/embeddings"
WEATHER = tool("get_weather", "Get the weather at a location.", location={"type": "string"})
SCHEMA = {"type": "object", "properties": {"temperature": {"type": "number"}}, "required": ["temperature"]}
IMAGE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAGQAAABQCAIAAAAA"


def ask(text: str = "안녕", model: str = "HCX-005", **more: Any) -> dict[str, Any]:
    """A request."""
    return user(text, model=model, **more)


def chunks(client: httpx.Client, body: Any) -> list[dict[str, Any]]:
    """The chunks of a stream that ends as it should."""
    answer = client.post(CHAT, json={**body, "stream": True})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = answer.text.split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    assert all(frame.startswith("data: {") for frame in frames[:-2])
    return [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]


def test_answer(observed: httpx.Client) -> None:
    """An answer has OpenAI's structure with the recorded id, milliseconds and seed."""
    body = observed.post(CHAT, json=ask(seed=1)).json()
    assert list(body) == ["id", "object", "created", "model", "usage", "seed", "choices"]
    assert re.fullmatch(r"[0-9a-f]{32}", body["id"])
    assert (body["object"], body["model"], body["seed"]) == ("chat.completion", "HCX-005", 1)
    assert len(str(body["created"])) == 13
    choice = body["choices"][0]
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    assert list(choice["message"]) == ["role", "content"]
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_documented_answer(documented: httpx.Client) -> None:
    """By the page, which refers to OpenAI, created is in seconds."""
    assert len(str(documented.post(CHAT, json=ask()).json()["created"])) == 10


@pytest.mark.parametrize("model", ["HCX-005", "HCX-003", "HCX-DASH-002"])
def test_same_answer_as_native(either: httpx.Client, model: str) -> None:
    """The text is the native API's."""
    version = 1 if model == "HCX-003" else 3
    native = either.post(f"/v{version}/chat-completions/{model}", json=user("서울은 어떤 곳인가?")).json()["result"]
    body = either.post(CHAT, json=ask("서울은 어떤 곳인가?", model)).json()
    assert body["choices"][0]["message"] == native["message"]


def test_reasoning_names(either: httpx.Client) -> None:
    """Thinking is reasoning_content as the makers' client reads it, and thinking_content as a page prints it."""
    names = ["reasoning_content", "thinking_content"]
    body = either.post(CHAT, json=ask("물은 몇 도에서 끓나?", "HCX-007")).json()
    message = body["choices"][0]["message"]
    assert list(message) == ["role", "content", *names]
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(either, ask("물은 몇 도에서 끓나?", "HCX-007"))]
    for name in names:
        assert "".join(delta.get(name, "") for delta in deltas) == message[name]


@pytest.mark.parametrize("effort", [{"reasoning_effort": "none"}, {"reasoning": {"effort": "none"}}])
def test_no_reasoning(either: httpx.Client, effort: dict[str, Any]) -> None:
    """Either field switches thinking off."""
    body = either.post(CHAT, json=ask("안녕", "HCX-007", **effort)).json()
    assert list(body["choices"][0]["message"]) == ["role", "content"]


def test_tool_call(either: httpx.Client) -> None:
    """A tool call has an empty content, never null, and its arguments are a compact JSON string."""
    choice = either.post(CHAT, json=ask("서울 날씨 알려줘", tools=[WEATHER], max_tokens=1024)).json()["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", "")
    call = choice["message"]["tool_calls"][0]
    assert re.fullmatch(r"call_[A-Za-z0-9]{24}", call["id"])
    assert (call["type"], call["function"]) == (
        "function",
        {"name": "get_weather", "arguments": '{"location":"서울"}'},
    )


def test_tool_round_trip(either: httpx.Client) -> None:
    """A call goes back with its arguments as a string, and the result is answered in text."""
    asked = ask("서울 날씨 알려줘", tools=[WEATHER])
    said = either.post(CHAT, json=asked).json()["choices"][0]["message"]
    turn = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": '{"sky": "맑음"}'}
    answer = either.post(CHAT, json={**asked, "messages": [*asked["messages"], said, turn]}).json()
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert "맑음" in answer["choices"][0]["message"]["content"]


def test_response_format(either: httpx.Client) -> None:
    """A JSON schema is obeyed; its name and strict mean nothing."""
    wanted = {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": SCHEMA}}
    body = ask("서울은 32도다.", "HCX-007", reasoning_effort="none", response_format=wanted)
    content = either.post(CHAT, json=body).json()["choices"][0]["message"]["content"]
    assert json.loads(content) == {"temperature": 32}


def test_images(either: httpx.Client) -> None:
    """Images come as OpenAI's parts, by address or as data."""
    for address in ("https://img.example.com/a.png", IMAGE):
        parts = [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": "무엇인가?"}]
        body = {"model": "HCX-005", "messages": [{"role": "user", "content": parts}]}
        assert either.post(CHAT, json=body).json()["usage"]["prompt_tokens"] > 1_478


def test_text_stream(either: httpx.Client) -> None:
    """A stream opens with the role, goes on in pieces of the text and ends with the reason and [DONE]."""
    whole = either.post(CHAT, json=ask()).json()
    found = chunks(either, ask())
    assert {(chunk["object"], chunk["model"]) for chunk in found} == {("chat.completion.chunk", "HCX-005")}
    assert len({(chunk["id"], chunk["created"]) for chunk in found}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in found]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == whole["choices"][0]["message"]["content"]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in found]
    assert reasons == [None] * (len(found) - 1) + ["stop"]
    assert deltas[-1] == {}


def test_tool_stream(either: httpx.Client) -> None:
    """A streamed call has an index in every piece, id and name in the first, and arguments that join to JSON."""
    found = chunks(either, ask("서울 날씨 알려줘", tools=[WEATHER]))
    calls = [call for chunk in found for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert all(call["index"] == 0 for call in calls)
    assert list(calls[0]) == ["index", "id", "type", "function"]
    assert calls[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert all(list(call["function"]) == ["arguments"] for call in calls[1:])
    assert "".join(call["function"]["arguments"] for call in calls) == '{"location":"서울"}'
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_accept_does_not_matter(observed: httpx.Client) -> None:
    """The body decides whether to stream: the SDK accepts JSON only, even then."""
    headers = {"accept": "application/json"}
    answer = observed.post(CHAT, json=ask(stream=True), headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    answer = observed.post(CHAT, json=ask(), headers={"accept": "text/event-stream"})
    assert answer.headers["content-type"] == "application/json"


def test_defaults(either: httpx.Client) -> None:
    """Without a cap it is 512 tokens; tools without one have the 1,024 that they need."""
    with serve(rate_limits={"*": (None, 10_000)}) as server, connect(server) as client:
        for body, cap in ((ask(), 512), (ask("안녕", "HCX-007"), 512), (ask(tools=[WEATHER]), 1_024)):
            server.reset()
            answer = client.post(CHAT, json=body)
            charged = 10_000 - int(answer.headers["x-ratelimit-remaining-tokens"])
            assert charged == answer.json()["usage"]["prompt_tokens"] + cap


def test_tuned_model(either: httpx.Client) -> None:
    """A tuned model is ft: and its task or its long name, which is no task; the answer names its base."""
    for name in ("ft:abcd1234", "ft:tuning-1883-250519-181221-ab1cd"):
        assert either.post(CHAT, json=ask(model=name)).json()["model"] == "HCX-005"
        path = f"/v3/tasks/{name.removeprefix('ft:')}/chat-completions"
        assert either.post(path, json=user("안녕")).status_code == (200 if "tuning" not in name else 400)


def test_embedding(either: httpx.Client) -> None:
    """An embedding is the native one in OpenAI's list."""
    body = {"model": "bge-m3", "input": "배송이 늦어요", "encoding_format": "float", "dimensions": 1024}
    answer = either.post(EMBED, json=body).json()
    assert list(answer) == ["object", "model", "data", "usage"]
    native = either.post("/v1/api-tools/embedding/v2", json={"text": "배송이 늦어요"}).json()["result"]
    assert answer["data"] == [{"object": "embedding", "index": 0, "embedding": native["embedding"]}]
    assert answer["usage"] == {"prompt_tokens": native["inputTokens"], "total_tokens": native["inputTokens"]}
    assert either.post(EMBED, json={"model": "clir-sts-dolphin", "input": "a"}).json()["model"] == "clir-sts-dolphin"


def test_models(either: httpx.Client) -> None:
    """The models are listed in OpenAI's form."""
    listed = either.get("/v1/openai/models").json()
    assert listed["object"] == "list"
    assert {"HCX-005", "HCX-007", "HCX-003", "bge-m3"} <= {item["id"] for item in listed["data"]}
    assert all(set(item) == {"id", "object", "created", "owned_by"} for item in listed["data"])


UNSUPPORTED = [
    "audio",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "metadata",
    "modalities",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "top_logprobs",
    "user",
    "web_search_options",
    "functions",
    "maxTokens",
]


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported(either: httpx.Client, name: str) -> None:
    """A field that is not supported is 40002 with its name; null is as if it were missing."""
    answer = either.post(CHAT, json=ask(**{name: 1}))
    message = f"Unsupported parameter: {name}"
    assert answer.status_code == 400
    assert answer.json() == {"error": {"message": message, "type": None, "param": None, "code": "40002"}}
    assert either.post(CHAT, json=ask(**{name: None})).status_code == 200


def said(content: Any, **more: Any) -> dict[str, Any]:
    """A request with an answer in its history."""
    return {
        "model": "HCX-005",
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": content, **more},
            {"role": "user", "content": "b"},
        ],
    }


CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}

REFUSED: list[tuple[str, Any, str, str]] = [
    (CHAT, [], "40000", "Bad request"),
    (CHAT, user("a"), "40001", "Invalid parameter: model"),
    (CHAT, ask(model="gpt-4o"), "40080", "Model not found"),
    (CHAT, ask(model="bge-m3"), "40080", "Model not found"),
    (CHAT, {"model": "HCX-005"}, "40000", "Bad request"),
    (CHAT, ask(""), "40004", "Text empty"),
    (CHAT, ask(n=2), "40001", "Invalid parameter: n"),
    (CHAT, ask(stream="yes"), "40001", "Invalid parameter: stream"),
    (CHAT, ask(parallel_tool_calls=False, tools=[WEATHER]), "40001", "Invalid parameter: parallel_tool_calls"),
    (CHAT, ask(max_tokens=9, max_completion_tokens=9), "40001", "Invalid parameter: max_tokens, max_completion_tokens"),
    (CHAT, ask(max_tokens=0), "40001", "Invalid parameter: max_tokens"),
    (CHAT, ask(max_completion_tokens=4_097), "40001", "Invalid parameter: max_completion_tokens"),
    (CHAT, ask(model="HCX-007", max_tokens=32_769), "40001", "Invalid parameter: max_tokens"),
    (CHAT, ask(temperature=1.5), "40001", "Invalid parameter: temperature"),
    (CHAT, ask(top_p=0), "40001", "Invalid parameter: top_p"),
    (CHAT, ask(top_k=129), "40001", "Invalid parameter: top_k"),
    (CHAT, ask(repetition_penalty=3), "40001", "Invalid parameter: repetition_penalty"),
    (CHAT, ask(model="HCX-003", repeat_penalty=11), "40001", "Invalid parameter: repeat_penalty"),
    (CHAT, ask(model="HCX-003", tools=[WEATHER]), "40001", "Invalid parameter: tools"),
    (CHAT, ask(seed=-1), "40001", "Invalid parameter: seed"),
    (CHAT, ask(stop=[1]), "40001", "Invalid parameter: stop"),
    (CHAT, ask(model="HCX-003", stop=[1]), "40001", "Invalid parameter: stop"),
    (CHAT, ask(reasoning_effort="low"), "40001", "Invalid parameter: reasoning_effort"),
    (CHAT, ask(model="HCX-007", reasoning_effort="extreme"), "40001", "Invalid parameter: reasoning_effort"),
    (CHAT, ask(model="HCX-007", reasoning={"effort": 1}), "40001", "Invalid parameter: reasoning.effort"),
    (CHAT, ask(model="HCX-007", tools=[WEATHER]), "40001", "Invalid parameter: tools, reasoning"),
    (CHAT, ask(model="HCX-007", stop="a"), "40001", "Invalid parameter: stop, reasoning"),
    (CHAT, ask(tools=[WEATHER], max_tokens=1_023), "40001", "Invalid parameter: tools, max_tokens"),
    (CHAT, ask(tools=[WEATHER], max_completion_tokens=9), "40001", "Invalid parameter: tools, max_completion_tokens"),
    (CHAT, ask(tools=[WEATHER], tool_choice="required"), "40001", "Invalid parameter: tool_choice"),
    (
        CHAT,
        ask(model="HCX-007", response_format={"type": "json_object"}),
        "40001",
        "Invalid parameter: response_format.type",
    ),
    (
        CHAT,
        ask(model="HCX-007", response_format=FORMAT),
        "40001",
        "Invalid parameter: response_format, reasoning",
    ),
    (CHAT, ask(response_format=FORMAT), "40001", "Invalid parameter: response_format"),
    (CHAT, ask(model="ft:a", tools=[WEATHER]), "40009", "Unsupported function"),
    (CHAT, said(None), "40001", "Invalid parameter: messages[1].content"),
    (CHAT, said(None, tool_calls=[CALL]), "40001", "Invalid parameter: messages[1].content"),
    (CHAT, said("", tool_calls=[{**CALL, "id": 1}]), "40001", "Invalid parameter: messages[1].tool_calls[0]"),
    (
        CHAT,
        said("", tool_calls=[{**CALL, "function": {"name": "a", "arguments": {}}}]),
        "40001",
        "Invalid parameter: messages[1].tool_calls[0].function.arguments",
    ),
    (
        CHAT,
        {"model": "HCX-005", "messages": [{"role": "developer", "content": "a"}]},
        "40001",
        "Invalid parameter: messages[0].role",
    ),
    (EMBED, {"input": "a"}, "40001", "Invalid parameter: model"),
    (EMBED, {"model": "text-embedding-3-small", "input": "a"}, "40080", "Model not found"),
    (EMBED, {"model": "HCX-005", "input": "a"}, "40084", "Unsupported API for model"),
    (
        EMBED,
        {"model": "bge-m3", "input": "a", "encoding_format": "base64"},
        "40001",
        "Invalid parameter: encoding_format",
    ),
    (EMBED, {"model": "bge-m3", "input": "a", "dimensions": 512}, "40001", "Invalid parameter: dimensions"),
    (EMBED, {"model": "bge-m3", "input": "a", "user": "u"}, "40002", "Unsupported parameter: user"),
    (EMBED, {"model": "bge-m3", "input": ["a"]}, "40001", "Invalid parameter: input"),
    (EMBED, {"model": "bge-m3", "input": ""}, "40004", "Text empty"),
    (EMBED, {"model": "clir-emb-dolphin", "input": "hello " * 501}, "40003", "Context length exceeded"),
]


@pytest.mark.parametrize(("path", "body", "code", "message"), REFUSED)
def test_refusals(either: httpx.Client, path: str, body: Any, code: str, message: str) -> None:
    """Refusals have OpenAI's envelope, NAVER's code as a string, and the names that were sent."""
    answer = either.post(path, json=body)
    assert answer.json() == {"error": {"message": message, "type": None, "param": None, "code": code}}
    assert answer.status_code == int(code[:3])


@pytest.mark.parametrize(
    ("model", "more"),
    [("HCX-005", {"max_tokens": 1_024}), ("HCX-007", {"reasoning_effort": "none"}), ("HCX-DASH-002", {})],
)
def test_forced_tool(observed: httpx.Client, documented: httpx.Client, model: str, more: dict[str, Any]) -> None:
    """A tool choice that names a tool is a call, but in the observed behaviour not on HCX-DASH-002."""
    choice = {"type": "function", "function": {"name": "get_weather"}}
    body = ask("안녕", model, tools=[WEATHER], tool_choice=choice, **more)
    assert documented.post(CHAT, json=body).json()["choices"][0]["finish_reason"] == "tool_calls"
    seen = observed.post(CHAT, json=body)
    if model == "HCX-DASH-002":
        assert seen.json()["error"]["code"] == "40009"
    else:
        assert seen.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_weather"


def test_names_of_models(observed: httpx.Client, documented: httpx.Client) -> None:
    """A name in lower case is taken as NAVER's own demo sends it; by the pages names are in upper case."""
    body = ask(model="hcx-dash-002")
    assert observed.post(CHAT, json=body).json()["model"] == "HCX-DASH-002"
    assert documented.post(CHAT, json=body).json()["error"]["code"] == "40080"
    for client in (observed, documented):
        assert client.post(CHAT, json=ask(model="Hcx-005")).json()["error"]["code"] == "40080"


PAIR = {"x-ncp-clovastudio-api-key": "k1", "x-ncp-apigw-api-key": "k2"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "40100"),
        (PAIR, "40100"),
        ({"authorization": "Bearer sk-1"}, "40104"),
        ({"authorization": "Basic a"}, "40102"),
    ],
)
def test_keys(observed_server: EmulatorServer, headers: dict[str, str], code: str) -> None:
    """Only new keys as Bearer tokens open these paths, never the old pair."""
    for method, path in (("POST", CHAT), ("POST", EMBED), ("GET", "/v1/openai/models")):
        answer = httpx.request(method, observed_server.base_url + path, json=ask(), headers=headers, verify=NO_TLS)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


def test_unknown_paths(either: httpx.Client) -> None:
    """An unknown path under the root is 404 in OpenAI's form; with a prefix it is 404 in the native form."""
    for method, path in (("POST", "/v1/openai/completions"), ("GET", CHAT), ("POST", "/v1/openai/models")):
        answer = either.request(method, path, json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "40400")
    for prefix in ("/testapp", "/serviceapp"):
        answer = either.post(prefix + CHAT, json=ask())
        assert (answer.status_code, answer.json()["status"]["code"]) == (404, "40400")


def test_rate_limit() -> None:
    """The quota is the model's, shared with the native API, and its refusal has OpenAI's form and the headers."""
    with serve(rate_limits={"HCX-005": (2, None), "bge-m3": (1, None)}) as server, connect(server) as client:
        assert client.post("/v3/chat-completions/HCX-005", json=user("a")).status_code == 200
        assert client.post(CHAT, json=ask()).headers["x-ratelimit-remaining-requests"] == "0"
        for body in (ask(), ask(stream=True)):
            refused = client.post(CHAT, json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "42901")
            assert refused.headers["x-ratelimit-reset-requests"].endswith("s")
        codes = [client.post(EMBED, json={"model": "bge-m3", "input": "a"}).status_code for _ in range(2)]
        assert codes == [200, 429]


def test_scripts() -> None:
    """Scripted answers and faults serve these requests too."""
    with serve() as server, connect(server) as client:
        server.script(["하나", {"tool_calls": [{"name": "f", "arguments": {"a": 1}}]}, Fault("status", code="50000")])
        assert client.post(CHAT, json=ask()).json()["choices"][0]["message"]["content"] == "하나"
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks(client, ask())]
        assert deltas[1]["tool_calls"][0]["function"]["name"] == "f"
        failed = client.post(CHAT, json=ask())
        assert failed.status_code == 500
        assert failed.json()["error"] == {
            "message": "Internal server error",
            "type": None,
            "param": None,
            "code": "50000",
        }


def test_stream_faults() -> None:
    """Streams break as the native ones do, with errors in OpenAI's form."""
    with serve() as server, connect(server) as client:
        server.add_fault(Fault("error_event", after=2, code="42902", times=1))
        assert client.post(CHAT, json=ask()).status_code == 200  # no stream: the fault waits
        frames = client.post(CHAT, json=ask(stream=True)).text.split("\n\n")
        assert len(frames) == 4
        assert json.loads(frames[2].removeprefix("data: ")) == {
            "error": {"message": "Too many requests - overloaded", "type": None, "param": None, "code": "42902"}
        }
        server.add_fault(Fault("cut", after=1, times=1))
        assert client.post(CHAT, json=ask(stream=True)).text.count("data:") == 1
        server.add_fault(Fault("no_signal", times=1))
        assert "[DONE]" not in client.post(CHAT, json=ask(stream=True)).text
        server.add_fault(Fault("invented_tool", times=1))
        body = ask(tools=[WEATHER], tool_choice="none")
        assert client.post(CHAT, json=body).status_code == 200
        assert client.post(CHAT, json={**body, "tool_choice": "auto"}).json()["error"]["code"] == "40009"
