"""Tool calls of streams, at the wire: the sum of the chunks is what invoke gives, whatever the fragments said."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from client_support import KEY, answer, bytewise, sse, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.utils.json import parse_partial_json
from pydantic import BaseModel
from stream_calls import SCENARIO_NAMES, SCENARIOS, SEOUL, Scenario, are, opened, part, text_of
from stream_calls import whole as whole_call

from langchain_clova import ChatClovaX
from langchain_clova._answers import chunk_text

# Of its newest form of streams LangChain says that it may change, of its oldest that it is old.
pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
    pytest.mark.filterwarnings("ignore::langchain_core._api.deprecation.LangChainDeprecationWarning"),
]


@tool
def get_weather(city: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{city}: 맑음"


def model_of(*answers: bytes, feed: Any = whole, **more: Any) -> ChatClovaX:
    """Return a model whose requests are answered by these bytes, one after the other."""
    left = list(answers)

    def respond(request: httpx.Request) -> httpx.Response:
        body = left.pop(0) if len(left) > 1 else left[0]
        if request.headers["accept"] == "text/event-stream":
            return sse(feed(body))
        return answer(body)

    transport = httpx.MockTransport(respond)
    clients = {
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }
    return ChatClovaX(**{"api_key": KEY, "base_url": "http://127.0.0.1:1", "max_retries": 0, **clients, **more})


def calls_of(message: Any) -> list[Any]:
    """Return the calls of a message that an agent would carry out."""
    return [(call["id"], call["name"], call["args"]) for call in message.tool_calls]


def invalid_of(message: Any) -> list[Any]:
    """Return the invalid calls of a message."""
    return [(call["id"], call["args"]) for call in message.invalid_tool_calls]


def said(message: Any) -> dict[str, Any]:
    """Return what a message says, without what is made for each."""
    metadata = {**message.response_metadata}
    metadata.pop("request_id")
    metadata.pop("output_version", None)
    return {
        "content": [{k: v for k, v in block.items() if k != "index"} for block in message.content_blocks],
        "calls": [item[1:] for item in calls_of(message)],
        "kwargs": message.additional_kwargs,
        "metadata": metadata,
        "usage": message.usage_metadata,
    }


def collect(model: Any, way: str) -> list[Any]:
    """Return the chunks of a stream."""
    if way == "stream":
        return list(model.stream("서울 날씨"))

    async def main() -> list[Any]:
        return [chunk async for chunk in model.astream("서울 날씨")]

    return asyncio.run(main())


def added(chunks: list[Any]) -> Any:
    """Return the sum of chunks."""
    total, *rest = chunks
    for chunk in rest:
        total = total + chunk
    return total


@pytest.mark.parametrize("feed", [whole, bytewise])
@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("name", SCENARIO_NAMES)
def test_the_sum_has_the_results_calls(name: str, way: str, feed: Any) -> None:
    """The sum of the chunks has the calls of the result; no sum on the way has one that it has not."""
    scenario = SCENARIOS[name]
    chunks = collect(model_of(scenario.stream, feed=feed), way)
    total = added(chunks)
    assert are(scenario.true, calls_of(total))
    assert [call["id"] for call in total.invalid_tool_calls] == [
        item[0] or call["id"] for item, call in zip(scenario.invalid, total.invalid_tool_calls, strict=True)
    ]
    for n in range(1, len(chunks)):
        assert calls_of(added(chunks[:n])) in ([], calls_of(total))
        assert invalid_of(added(chunks[:n])) == []
    assert total.text == scenario.content


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("name", SCENARIO_NAMES)
def test_stream_and_invoke_say_the_same(name: str, version: str) -> None:
    """In both forms of content the sum of a stream is the message of invoke, and so is invoke that streams."""
    scenario = SCENARIOS[name]
    invoked = model_of(scenario.whole, output_version=version).invoke("서울 날씨")
    assert isinstance(invoked, AIMessage)
    assert are(scenario.true, calls_of(invoked))
    if not scenario.knows_more:
        assert are(scenario.invalid, invalid_of(invoked))
    if scenario.invalid or not all(item[0] for item in scenario.true):
        return  # ids of ours differ each time; test_invalid_calls_are_the_same has the invalid ones
    for total in (
        added(collect(model_of(scenario.stream, output_version=version), "stream")),
        model_of(scenario.stream, output_version=version, streaming=True).invoke("서울 날씨"),
    ):
        assert said(total) == said(invoked)
        assert type(total.content) is type(invoked.content)


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("name", [name for name in SCENARIO_NAMES if SCENARIOS[name].invalid])
def test_invalid_calls_are_the_same(name: str, version: str) -> None:
    """An invalid call of a stream is that of invoke; its text may end in a way that langchain-core cannot repair."""
    scenario = SCENARIOS[name]
    total = added(collect(model_of(scenario.stream, output_version=version), "stream"))
    found = invalid_of(total)
    assert [item[0] for item in found] == [item[0] for item in scenario.invalid]
    for (_, text), (_, expected) in zip(found, scenario.invalid, strict=True):
        assert text.startswith(expected)
        assert len(text) <= len(expected) + 3
    kinds = [block["type"] for block in total.content_blocks if "tool" in block["type"]]
    assert kinds == ["tool_call"] * len(scenario.true) + ["invalid_tool_call"] * len(scenario.invalid)


@pytest.mark.parametrize("form", ["v1", "v2"])
@pytest.mark.parametrize(
    "name", ["as observed", "cut in the middle", "in turns", "between words", "arguments that are cut"]
)
def test_events_have_the_results_calls(name: str, form: Any) -> None:
    """The chunks of the event stream add up to the calls of the result, and the event at the end has them."""
    scenario = SCENARIOS[name]

    async def main() -> list[Any]:
        return [event async for event in model_of(scenario.stream).astream_events("서울 날씨", version=form)]

    events = asyncio.run(main())
    total = added([event["data"]["chunk"] for event in events if event["event"] == "on_chat_model_stream"])
    (end,) = [event["data"]["output"] for event in events if event["event"] == "on_chat_model_end"]
    for message in (total, end):
        assert are(scenario.true, calls_of(message))


@pytest.mark.parametrize(
    "name", ["as observed", "cut in the middle", "in turns", "between words", "arguments that are a list"]
)
def test_protocol_events_have_the_results_calls(name: str) -> None:
    """The third form of streams gives the calls as pieces, as whole blocks and in its output, each once."""
    scenario = SCENARIOS[name]

    async def main() -> Any:
        streamed = await model_of(scenario.stream).astream_events("서울 날씨", version="v3")
        return [call async for call in streamed.tool_calls], await streamed.output

    streamed = model_of(scenario.stream).stream_events("서울 날씨", version="v3")
    for pieces, output in ((list(streamed.tool_calls), streamed.output), asyncio.run(main())):
        assert are(scenario.true, [(item["id"], item["name"], json.loads(item["args"])) for item in pieces])
        assert are(scenario.true, calls_of(output))
        assert [call["id"] for call in output.invalid_tool_calls] == [item[0] for item in scenario.invalid]
        assert output.text == scenario.content
    finished = [
        event["content"]
        for event in model_of(scenario.stream).stream_events("서울 날씨", version="v3")
        if event["event"] == "content-block-finish"
    ]
    blocks = [block for block in finished if block["type"] == "tool_call"]
    assert are(scenario.true, [(block["id"], block["name"], block["args"]) for block in blocks])


ANSWER = Scenario(("맑", "습니다."), None, (), finish="stop", content="맑습니다.")


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize(
    "name", ["cut in the middle", "id in the result only", "id with each fragment", "in turns", "other arguments"]
)
def test_an_agent_runs_each_call_once(name: str, way: str) -> None:
    """An agent whose messages are streamed runs the tool once for each call of the result, with its arguments."""
    scenario = SCENARIOS[name]
    ran: list[str] = []

    @tool("get_weather")
    def weather(city: str) -> str:
        """도시의 날씨를 알려 줍니다."""
        ran.append(city)
        return "맑음"

    agent = create_agent(model_of(scenario.stream, ANSWER.stream), [weather])
    question = {"messages": [("user", "날씨는?")]}

    async def main() -> list[Any]:
        return [item async for item in agent.astream(question, stream_mode="messages")]

    items = list(agent.stream(question, stream_mode="messages")) if way == "stream" else asyncio.run(main())
    chunks = [message for message, _ in items if isinstance(message, AIMessageChunk)]
    assert sorted(ran) == sorted(args["city"] for _, _, args in scenario.true)
    seen = [call for chunk in chunks for call in calls_of(chunk)]
    assert are(scenario.true, seen)


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_an_agent_runs_no_invalid_call(way: str) -> None:
    """What the model garbled is not run, and the conversation can go on: each call that is sent has its answer."""
    scenario = SCENARIOS["arguments that are cut"]
    requests: list[Any] = []
    body = scenario.stream if way == "stream" else scenario.whole

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(json.loads(request.content))
        text = ANSWER.stream if way == "stream" else ANSWER.whole
        sent = body if len(requests) == 1 else text
        return sse(sent) if way == "stream" else answer(sent)

    client = httpx.Client(transport=httpx.MockTransport(respond))
    model = ChatClovaX(api_key=KEY, base_url="http://127.0.0.1:1", http_client=client, streaming=way == "stream")
    agent = create_agent(model, [get_weather])
    messages = agent.invoke({"messages": [("user", "날씨는?")]})["messages"]
    assert len(requests) == 1
    assert not any(isinstance(message, ToolMessage) for message in messages)
    assert agent.invoke({"messages": [*messages, HumanMessage("다시")]})["messages"][-1].text == "맑습니다."
    sent = requests[-1]["messages"]
    ids = [call["id"] for message in sent for call in message.get("toolCalls", [])]
    assert ids == [message["toolCallId"] for message in sent if message["role"] == "tool"]
    model.invoke([*messages, HumanMessage("다시")])
    assert [message["role"] for message in requests[-1]["messages"]] == ["user", "user"]


def test_structured_output_is_the_results() -> None:
    """A streamed object of a tool call is that of the result, and the arguments of a cut one are none."""

    class Weather(BaseModel):
        """날씨."""

        city: str = "어디든"

    def stream_of(scenario: Scenario) -> bytes:
        return scenario.stream.replace(b"get_weather", b"Weather")

    wanted = model_of(stream_of(SCENARIOS["cut in the middle"])).with_structured_output(
        Weather, method="function_calling"
    )
    assert list(wanted.stream("서울"))[-1] == Weather(city="서울특별시")
    for name in ("cut at the cap", "cut at the cap, with what could be read", "arguments that are cut"):
        cut = model_of(stream_of(SCENARIOS[name])).with_structured_output(Weather, method="function_calling")
        with pytest.raises(ValueError, match=r"cut|not a JSON object"):
            list(cut.stream("서울"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON, st.data())
def test_cut_arguments_cannot_be_repaired(value: Any, data: st.DataObject) -> None:
    """Whatever text an invalid call has, langchain-core does not make an object of what stands in the chunk."""
    text = text_of(value)[: data.draw(st.integers(0, 40))] + data.draw(st.sampled_from(["", "\\", '"', " ", "{", "]"]))
    spoilt = chunk_text(text)
    assert spoilt.startswith(text)
    try:
        assert not isinstance(parse_partial_json(spoilt), dict)
    except ValueError:
        assert spoilt


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3), min_size=1, max_size=3), st.data())
@pytest.mark.slow
def test_any_fragments_end_in_the_results_calls(values: list[dict[str, Any]], data: st.DataObject) -> None:
    """However the fragments are cut, shuffled and named, the sum of the chunks is invoke's message."""
    fragments = []
    for value in values:
        text = text_of(value)
        cut = data.draw(st.integers(0, len(text)))
        fragments += [
            [opened(data.draw(st.sampled_from([None, "", "a", "b"])))],
            [part(text[:cut])],
            [part(text[cut:])],
        ]
    kept = data.draw(st.lists(st.sampled_from(fragments), max_size=9))
    calls = tuple(whole_call(f"call_{i}", value) for i, value in enumerate(values))
    scenario = Scenario(
        tuple(kept), calls, tuple((f"call_{i}", "get_weather", value) for i, value in enumerate(values))
    )
    total = added(collect(model_of(scenario.stream), "stream"))
    assert are(scenario.true, calls_of(total))
    assert said(total) == said(model_of(scenario.whole).invoke("서울 날씨"))


def test_one_call_where_one_is_wanted() -> None:
    """parallel_tool_calls=False keeps the first call of the result, not the first that a fragment opened."""
    model = model_of(SCENARIOS["the second one first"].stream).bind_tools([get_weather], parallel_tool_calls=False)
    assert calls_of(added(collect(model, "stream"))) == [("a", "get_weather", SEOUL)]


def test_text_comes_token_by_token() -> None:
    """Words between fragments are passed on as they come, one chunk each."""
    tokens = ("잠시만 ", [opened("a")], "기다려 ", [part(text_of(SEOUL))], "주세요.")
    scenario = Scenario(tokens, (whole_call("a", SEOUL),), (), content="잠시만 기다려 주세요.")
    assert [chunk.text for chunk in collect(model_of(scenario.stream), "stream") if chunk.text] == [
        token for token in tokens if isinstance(token, str)
    ]
