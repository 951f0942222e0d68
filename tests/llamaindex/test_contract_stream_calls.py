"""Tool calls of streams, at the wire: the last response has the calls of the result, whatever the fragments said."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from client_support import KEY, answer, bytewise, sse, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_support import run
from pydantic import BaseModel
from stream_calls import SCENARIO_NAMES, SCENARIOS, SEOUL, Scenario, are, opened, part, text_of
from stream_calls import whole as whole_call

from llama_index_clova import ClovaX

# LlamaIndex's workflows use deprecated attributes of pydantic's.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The `__fields_set__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

STREAMS = ["stream_chat", "astream_chat", "stream_chat_with_tools", "astream_chat_with_tools"]
ANSWER = Scenario(("맑", "습니다."), None, (), finish="stop", content="맑습니다.")


def get_weather(city: str = "어디든") -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{city}: 맑음"


WEATHER = FunctionTool.from_defaults(get_weather)


class Weather(BaseModel):
    """날씨."""

    city: str = "어디든"


def model_of(*answers: bytes, feed: Any = whole) -> ClovaX:
    """Return a model whose requests are answered by these bytes, one after the other."""
    left = list(answers)

    def respond(request: httpx.Request) -> httpx.Response:
        body = left.pop(0) if len(left) > 1 else left[0]
        return sse(feed(body)) if request.headers["accept"] == "text/event-stream" else answer(body)

    transport = httpx.MockTransport(respond)
    clients = {
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }
    return ClovaX(**{"api_key": KEY, "base_url": "http://127.0.0.1:1", "max_retries": 0, **clients})


def ask(llm: ClovaX, way: str) -> list[Any]:
    """Return the responses to a question."""
    if way.endswith("_with_tools"):
        return run(llm, way, [WEATHER], user_msg="날씨는?", allow_parallel_tool_calls=True)
    return run(llm, way, [ChatMessage("날씨는?")])


def blocks_of(response: Any) -> list[Any]:
    """Return the calls in the blocks of a response."""
    blocks = [block for block in response.message.blocks if block.block_type == "tool_call"]
    return [(block.tool_call_id, block.tool_name, block.tool_kwargs) for block in blocks]


def check(scenario: Scenario, llm: ClovaX, response: Any) -> None:
    """Check that a response has the calls of a scenario, and that nothing invalid can be carried out."""
    blocks = blocks_of(response)
    assert are(scenario.true, [block for block in blocks if isinstance(block[2], dict)])
    assert are(scenario.invalid, [(block[0], block[2]) for block in blocks if isinstance(block[2], str)])
    places = response.message.additional_kwargs.get("tool_calls", [])
    assert [(call["id"], call["function"]["name"]) for call in places] == [block[:2] for block in blocks]
    if scenario.invalid:
        for strict in (True, False):
            with pytest.raises(ValueError, match=r"not a JSON object|max_tokens|name"):
                llm.get_tool_calls_from_response(response, error_on_no_tool_call=strict)
        return
    picked = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    assert [(item.tool_id, item.tool_name, item.tool_kwargs) for item in picked] == blocks


@pytest.mark.parametrize("feed", [whole, bytewise])
@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("name", SCENARIO_NAMES)
def test_the_last_response_has_the_results_calls(name: str, way: str, feed: Any) -> None:
    """The last response has the calls of the result and no other; none before it has any."""
    scenario = SCENARIOS[name]
    llm = model_of(scenario.stream, feed=feed)
    *before, last = ask(llm, way)
    check(scenario, llm, last)
    for response in before:
        assert blocks_of(response) == []
        assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    assert "".join(response.delta or "" for response in [*before, last]) == scenario.content
    assert (last.message.content or "") == scenario.content


@pytest.mark.parametrize("way", ["chat", "achat", "chat_with_tools", "achat_with_tools"])
@pytest.mark.parametrize("name", [name for name in SCENARIO_NAMES if not SCENARIOS[name].knows_more])
def test_a_whole_answer_says_the_same(name: str, way: str) -> None:
    """Asked for at once, the answer has the calls of the stream, the invalid ones too."""
    llm = model_of(SCENARIOS[name].whole)
    (response,) = ask(llm, way)
    check(SCENARIOS[name], llm, response)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "as observed",
        "cut in the middle",
        "id in the result only",
        "id with each fragment",
        "in turns",
        "other arguments",
    ],
)
def test_an_agent_runs_each_call_once(name: str, streaming: bool) -> None:  # noqa: FBT001
    """An agent runs the tool once for each call of the result, with its arguments."""
    scenario = SCENARIOS[name]
    ran: list[str] = []

    def weather(city: str = "어디든") -> str:
        """도시의 날씨를 알려 줍니다."""
        ran.append(city)
        return "맑음"

    tool = FunctionTool.from_defaults(weather, name="get_weather")
    sent = [item.stream if streaming else item.whole for item in (scenario, ANSWER)]

    async def main() -> Any:
        agent = FunctionAgent(tools=[tool], llm=model_of(*sent), streaming=streaming)
        return await agent.run("날씨는?", max_iterations=4)

    response = asyncio.run(main())
    assert str(response) == "맑습니다."
    assert sorted(ran) == sorted(args["city"] for _, _, args in scenario.true)


@pytest.mark.parametrize("streaming", [True, False])
def test_an_agent_runs_no_invalid_call(streaming: bool) -> None:  # noqa: FBT001
    """Arguments that the model garbled run no tool; the agent's error says so."""
    scenario = SCENARIOS["arguments that are cut"]
    ran: list[str] = []

    def weather(city: str = "어디든") -> str:
        """도시의 날씨를 알려 줍니다."""
        ran.append(city)
        return "맑음"

    tool = FunctionTool.from_defaults(weather, name="get_weather")

    async def main() -> Any:
        llm = model_of(scenario.stream if streaming else scenario.whole)
        return await FunctionAgent(tools=[tool], llm=llm, streaming=streaming).run("날씨는?", max_iterations=4)

    with pytest.raises(ValueError, match="not a JSON object"):
        asyncio.run(main())
    assert ran == []


@pytest.mark.parametrize("way", ["stream_structured_predict", "astream_structured_predict"])
def test_structured_prediction_ends_in_the_result(way: str) -> None:
    """Objects fill up with what arrives of the call, and the last is the result's, also where they differ."""
    for name, city in (("as observed", "서울"), ("cut in the middle", "서울특별시"), ("other arguments", "서울")):
        body = SCENARIOS[name].stream.replace(b"get_weather", b"Weather")
        objects = run(model_of(body), way, Weather, PromptTemplate("날씨"))
        assert objects[-1] == Weather(city=city)
        assert len(objects) > 1
    for name in ("cut at the cap", "arguments that are cut", "no calls in the result"):
        body = SCENARIOS[name].stream.replace(b"get_weather", b"Weather")
        with pytest.raises(ValueError, match=r"max_tokens|not a JSON object|tool call"):
            run(model_of(body), way, Weather, PromptTemplate("날씨"))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.dictionaries(st.text(max_size=4), st.text(max_size=6) | st.integers(), max_size=3), min_size=1, max_size=3
    ),
    st.data(),
)
def test_any_fragments_end_in_the_results_calls(values: list[dict[str, Any]], data: st.DataObject) -> None:
    """However the fragments are cut, shuffled and named, the last response has the calls of the result."""
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
    llm = model_of(scenario.stream)
    check(scenario, llm, ask(llm, data.draw(st.sampled_from(STREAMS)))[-1])


def test_one_call_where_one_is_wanted() -> None:
    """Without parallel calls the first call of the result is kept, not the first that a fragment opened."""
    llm = model_of(SCENARIOS["the second one first"].stream)
    last = run(llm, "stream_chat_with_tools", [WEATHER], user_msg="날씨는?")[-1]
    assert blocks_of(last) == [("a", "get_weather", SEOUL)]
    assert json.loads(last.message.additional_kwargs["tool_calls"][0]["function"]["arguments"]) == SEOUL
