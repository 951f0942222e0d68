"""Wire forms, byte by byte, of both behaviours."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import events, tool, user

if TYPE_CHECKING:
    import httpx

H5 = "/v3/chat-completions/HCX-005"
H7 = "/v3/chat-completions/HCX-007"
V1 = "/v1/chat-completions/HCX-003"
SSE = {"accept": "text/event-stream"}
WEATHER = tool("get_weather", "Get the weather at a location.", location={"type": "string"})


def streamed(client: httpx.Client, path: str, body: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream, parsed."""
    answer = client.post(path, json=body, headers=SSE)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [(name, json.loads(data)) for name, data in events(answer.text)]


def test_observed_v3_answer(observed: httpx.Client) -> None:
    """The observed v3 answer is compact, in the recorded key order, with seconds in created and no aiFilter key."""
    text = observed.post(H5, json=user("안녕", seed=7)).text
    assert re.fullmatch(
        r'\{"status":\{"code":"20000","message":"OK"\},"result":\{"message":\{"role":"assistant","content":"[^"]+"\},'
        r'"finishReason":"stop","created":\d{10},"seed":7,'
        r'"usage":\{"promptTokens":\d+,"completionTokens":\d+,"totalTokens":\d+\}\}\}',
        text,
    )


def test_documented_v3_answer(documented: httpx.Client) -> None:
    """The documented v3 text answer has milliseconds in created and the page's key order."""
    result = documented.post(H5, json=user("안녕", seed=7, includeAiFilters=True)).json()["result"]
    assert list(result) == ["created", "usage", "message", "finishReason", "seed", "aiFilter"]
    assert len(str(result["created"])) == 13
    assert all(set(item) == {"groupName", "name", "score"} for item in result["aiFilter"])


def test_observed_filters(observed: httpx.Client) -> None:
    """Observed filter items carry a result, and scores are strings."""
    result = observed.post(H5, json=user("안녕", includeAiFilters=True)).json()["result"]
    assert list(result) == ["message", "finishReason", "created", "seed", "usage", "aiFilter"]
    assert result["aiFilter"][0] == {"groupName": "curse", "name": "insult", "score": "2", "result": "OK"}


def test_observed_v1_answer(observed: httpx.Client) -> None:
    """The v1 answer has the recorded keys in their order, an empty filter list and ends with stop_before."""
    result = observed.post(V1, json=user("안녕", seed=42)).json()["result"]
    assert list(result) == ["message", "inputLength", "outputLength", "stopReason", "seed", "aiFilter"]
    assert (result["stopReason"], result["seed"], result["aiFilter"]) == ("stop_before", 42, [])


def test_refusal_bytes(observed: httpx.Client, documented: httpx.Client) -> None:
    """Recorded refusals carry a null result, documented ones have none."""
    assert observed.post(H5, json={"messages": []}).content == (
        b'{"status":{"code":"40000","message":"Bad request"},"result":null}'
    )
    assert documented.post(H5, json={"messages": []}).content == b'{"status":{"code":"40000","message":"Bad request"}}'


UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def test_observed_frames(observed: httpx.Client) -> None:
    """Observed frames have no blank after the colon, an id of their own each, explicit nulls and a final signal."""
    raw = observed.post(H5, json=user("안녕"), headers=SSE).content.decode()
    frames = raw.split("\n\n")
    assert frames[-1] == ""
    token = re.fullmatch(
        rf'id:({UUID})\nevent:token\ndata:\{{"message":\{{"role":"assistant","content":"[^"]+"\}},'
        r'"finishReason":null,"created":\d{10},"seed":\d+,"usage":null\}',
        frames[0],
    )
    assert token
    assert re.fullmatch(rf'id:{UUID}\nevent:signal\ndata:\{{"data":"\[DONE\]"\}}', frames[-2])
    ids = re.findall(r"^id:(.*)$", raw, re.MULTILINE)
    assert len(set(ids)) == len(ids) == len(frames) - 1


def test_documented_frames(documented: httpx.Client) -> None:
    """Documented frames have a blank after the colon and end at the result."""
    raw = documented.post(H5, json=user("안녕"), headers=SSE).content.decode()
    frames = raw.split("\n\n")
    assert re.match(rf"id: {UUID}\nevent: token\ndata: \{{", frames[0])
    assert re.match(rf"id: {UUID}\nevent: result\ndata: \{{", frames[-2])
    assert "signal" not in raw


def test_constant_fields(either: httpx.Client) -> None:
    """Creation time and seed are the same in every frame of a stream, and created is in seconds."""
    found = [data for name, data in streamed(either, H5, user("안녕")) if name != "signal"]
    assert len({(data["created"], data["seed"]) for data in found}) == 1
    assert abs(found[0]["created"] - time.time()) < 60


def test_random_seed(observed: httpx.Client) -> None:
    """A seed of 0 or none gives one that follows from the request; a given seed is echoed."""
    first, again, zero = (
        observed.post(H5, json=body).json()["result"]["seed"] for body in (user("가"), user("가"), user("가", seed=0))
    )
    assert first == again
    assert 1 <= first <= 4_294_967_295
    assert 1 <= zero <= 4_294_967_295
    assert observed.post(H5, json=user("가", seed=4_294_967_295)).json()["result"]["seed"] == 4_294_967_295


def test_v1_tokens(observed: httpx.Client, documented: httpx.Client) -> None:
    """v1 token events have the recorded form, or the message alone as on the page."""
    _, token = streamed(observed, V1, user("안녕"))[0]
    assert list(token) == ["index", "inputLength", "outputLength", "message"]
    assert (token["index"], token["outputLength"], list(token["message"])) == (0, 1, ["content", "role"])
    _, token = streamed(documented, V1, user("안녕"))[0]
    assert list(token) == ["message"]


BODIES = [
    (H5, user("대한민국의 수도는 어디인가? 이모지 😀 도 보자.")),
    (
        H5,
        {
            "messages": [
                {"role": "system", "content": "물은 100도에서 끓는다. 얼음은 0도에서 녹는다."},
                {"role": "user", "content": "물은 몇 도에서 끓는가?"},
            ]
        },
    ),
    (H5, user("긴 답을 자르면 어떻게 되나?", maxTokens=3)),
    (V1, user("Hello")),
    (H7, user("생각하고 답하라.")),
    (H7, user("생각하고 답하라.", maxCompletionTokens=5)),
    (
        H7,
        user(
            "서울은 32도다.",
            thinking={"effort": "none"},
            responseFormat={
                "type": "json",
                "schema": {"type": "object", "properties": {"t": {"type": "number"}}, "required": ["t"]},
            },
        ),
    ),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_streams_equal_answers(either: httpx.Client, path: str, body: Any) -> None:
    """Joined tokens, the result event and the whole answer say the same, and usage adds up."""
    whole = either.post(path, json=body).json()["result"]
    found = streamed(either, path, body)
    assert [name for name, _ in found].count("result") == 1
    final = next(data for name, data in found if name == "result")
    tokens = [data["message"] for name, data in found if name == "token"]
    assert "".join(token.get("content", "") for token in tokens) == final["message"]["content"]
    assert "".join(token.get("thinkingContent", "") for token in tokens) == final["message"].get("thinkingContent", "")
    assert {**final, "created": 0} == {**whole, "created": 0}
    if "usage" in final:
        usage = final["usage"]
        assert usage["totalTokens"] == usage["promptTokens"] + usage["completionTokens"]
        assert usage["completionTokens"] == len(tokens)


def test_caps_and_stops(either: httpx.Client) -> None:
    """The cap cuts the answer with length, a stop string ends it with stop."""
    result = either.post(H5, json=user("무엇이든 말해 보라.", maxTokens=3)).json()["result"]
    assert (result["finishReason"], result["usage"]["completionTokens"]) == ("length", 3)
    whole = either.post(H5, json=user("안녕")).json()["result"]["message"]["content"]
    cut = either.post(H5, json=user("안녕", stop=[whole[4:6]])).json()["result"]
    assert (cut["message"]["content"], cut["finishReason"]) == (whole[:4], "stop")
    result = either.post(V1, json=user("무엇이든 말해 보라.", maxTokens=3)).json()["result"]
    assert (result["stopReason"], result["outputLength"]) == ("length", 3)


def test_thinking(either: httpx.Client) -> None:
    """HCX-007 thinks by default: thinking tokens come first, without a content key, and are part of the usage."""
    found = streamed(either, H7, user("국회의원은 누가 뽑나?"))
    tokens = [data["message"] for name, data in found if name == "token"]
    kinds = ["thinkingContent" if "thinkingContent" in token else "content" for token in tokens]
    assert kinds == sorted(kinds, reverse=True)
    assert all(("content" in token) != ("thinkingContent" in token) for token in tokens)
    usage = next(data for name, data in found if name == "result")["usage"]
    assert usage["completionTokensDetails"]["thinkingTokens"] == kinds.count("thinkingContent") > 0


def test_spent_thinking(either: httpx.Client) -> None:
    """A budget that thinking uses up leaves an empty content and length."""
    result = either.post(H7, json=user("국회의원은 누가 뽑나?", maxCompletionTokens=4)).json()["result"]
    assert (result["message"]["content"], result["finishReason"]) == ("", "length")
    assert result["usage"]["completionTokens"] == result["usage"]["completionTokensDetails"]["thinkingTokens"] == 4


def test_no_thinking(either: httpx.Client) -> None:
    """With effort none there is no thinking text and no detail of it."""
    result = either.post(H7, json=user("안녕", thinking={"effort": "none"})).json()["result"]
    assert "thinkingContent" not in result["message"]
    assert "completionTokensDetails" not in result["usage"]


def test_more_effort_thinks_longer(observed: httpx.Client) -> None:
    """More effort means more thinking tokens."""
    spent = [
        observed.post(H7, json=user("안녕하세요?", thinking={"effort": effort})).json()["result"]["usage"][
            "completionTokensDetails"
        ]["thinkingTokens"]
        for effort in ("low", "medium", "high")
    ]
    assert spent == sorted(set(spent))


def test_tool_stream(either: httpx.Client) -> None:
    """A tool call opens with id and name, goes on in fragments without either, and ends whole in the result."""
    found = streamed(either, H5, user("서울 날씨 알려줘", tools=[WEATHER]))
    tokens = [data for name, data in found if name == "token"]
    final = next(data for name, data in found if name == "result")
    calls = [token["message"]["toolCalls"][0] for token in tokens]
    assert list(calls[0]) == ["id", "type", "function"]
    assert calls[0]["function"] == {"name": "get_weather"}
    assert re.fullmatch(r"call_[A-Za-z0-9]{24}", calls[0]["id"])
    assert all(list(call) == ["type", "function"] and list(call["function"]) == ["partialJson"] for call in calls[1:])
    pieces = [call["function"]["partialJson"] for call in calls[1:]]
    assert pieces[:4] == ['{"', "location", '":', ' "']
    arguments = {"location": "서울"}
    assert json.loads("".join(pieces)) == arguments
    assert all(token["message"]["content"] == "" and token["usage"] is None for token in tokens)
    assert final["finishReason"] == "tool_calls"
    assert final["message"]["toolCalls"] == [
        {"id": calls[0]["id"], "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
    ]


def test_tool_answer(either: httpx.Client) -> None:
    """A tool call that is not streamed has an empty content, an object as arguments and seconds in created."""
    result = either.post(H5, json=user("서울 날씨 알려줘", tools=[WEATHER])).json()["result"]
    assert list(result) == ["message", "finishReason", "created", "seed", "usage"]
    assert (result["message"]["content"], result["finishReason"]) == ("", "tool_calls")
    assert result["message"]["toolCalls"][0]["function"]["arguments"] == {"location": "서울"}
    assert len(str(result["created"])) == 10


def test_usage_counts_everything(observed: httpx.Client) -> None:
    """Images and tools are part of the prompt's tokens."""
    plain = observed.post(H5, json=user("a")).json()["result"]["usage"]["promptTokens"]
    tools = observed.post(H5, json=user("a", tools=[WEATHER])).json()["result"]["usage"]["promptTokens"]
    image = {"type": "image_url", "imageUrl": {"url": "https://img.example.com/a.png"}}
    pictured = {"messages": [{"role": "user", "content": [image, {"type": "text", "text": "a"}]}]}
    assert observed.post(H5, json=pictured).json()["result"]["usage"]["promptTokens"] == plain + 1_478
    assert tools > plain + 20
