# mypy: disable-error-code="attr-defined"
"""Tools, classes and parameters with names that the service may not take: the caller sees only their own."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import KEY, answer, bytewise, sse
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import StructuredTool, tool
from names_support import (
    CALLS,
    TRAIN,
    TRAIN_SCHEMA,
    TRAINS,
    WEATHER,
    Box,
    Person,
    Report,
    check_sent,
    find_trains,
    is_strict,
    rates,
    weather,
)
from pydantic import BaseModel
from stream_calls import Scenario, opened, part, whole

from clova_studio import ConfigurationError, StreamInterruptedError
from clova_studio.emulator import serve
from langchain_clova import ChatClovaX, ClovaRagReasoning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

MODELS = ("HCX-005", "HCX-007", "HCX-DASH-002")
WAYS = ("invoke", "ainvoke", "stream", "astream")
METHODS = ("json_schema", "function_calling", "json_mode")
TOOLS = [
    tool(weather),
    tool(rates),
    StructuredTool(name=TRAINS, description="기차표를 찾습니다.", args_schema=TRAIN_SCHEMA, func=find_trains),
]


@pytest.fixture(params=[False, True], ids=["any", "ascii"])
def server(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """An emulator that takes any name, and one that takes ASCII names only."""
    with serve(ascii_names=request.param) as running:
        yield running


@pytest.fixture
def strict() -> Iterator[EmulatorServer]:
    """An emulator that takes ASCII names only."""
    with serve(ascii_names=True) as running:
        yield running


def model_of(server: EmulatorServer, model: str = "HCX-005", **settings: Any) -> ChatClovaX:
    """Return a model that asks an emulator."""
    return ChatClovaX(model=model, api_key=server.api_key, base_url=server.base_url, **settings)


def ask(runnable: Any, way: str, given: Any) -> Any:
    """Return the answer of a runnable in one of the four ways; a stream's is the sum of its pieces or the last one."""
    if way == "invoke":
        return runnable.invoke(given)
    if way == "ainvoke":
        return asyncio.run(runnable.ainvoke(given))

    async def collected() -> list[Any]:
        return [piece async for piece in runnable.astream(given)]

    pieces = list(runnable.stream(given)) if way == "stream" else asyncio.run(collected())
    if not hasattr(pieces[0], "tool_call_chunks"):
        return pieces[-1]
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return whole


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("question", "name", "arguments"), CALLS)
def test_calls_have_the_callers_names(
    server: EmulatorServer, model: str, way: str, question: str, name: str, arguments: Any
) -> None:
    """Whole and streamed, a call has the caller's names of tool and parameters; what is sent is acceptable."""
    found = ask(model_of(server, model).bind_tools(TOOLS), way, question)
    assert [(call["name"], call["args"]) for call in found.tool_calls] == [(name, arguments)]
    assert found.invalid_tool_calls == []
    check_sent(server)


@pytest.mark.parametrize("behaviour", ["observed", "documented"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("choice", ["any", "환율", TRAINS, {"type": "tool", "name": "환율"}])
def test_choices_name_the_callers_tools(behaviour: Any, way: str, choice: Any) -> None:
    """A choice is given in the caller's names, and an instruction names tools as they were sent."""
    with serve(behaviour=behaviour, ascii_names=True) as strict:
        found = ask(model_of(strict).bind_tools(TOOLS, tool_choice=choice), way, "안녕하세요.")
        name = found.tool_calls[0]["name"]
        assert name == (choice["name"] if isinstance(choice, dict) else choice) or choice == "any"
        assert "tool_choice_unmet" not in found.response_metadata
        last = strict.requests[-1].body
        said = (
            last["messages"][0]["content"] if last["toolChoice"] == "auto" else last["toolChoice"]["function"]["name"]
        )
        assert any(sent["function"]["name"] in said for sent in last["tools"])
        assert not re.search(r"환율|\[KTX\]|날씨", said)


def test_wrong_choice_speaks_of_the_callers_names(strict: EmulatorServer) -> None:
    """The error about a choice lists the tools as the caller names them."""
    with pytest.raises(ConfigurationError, match=r"날씨, 환율, trains\.find \[KTX\]"):
        model_of(strict).bind_tools(TOOLS, tool_choice="nalssi")


@pytest.mark.parametrize("way", WAYS)
def test_same_name_twice_is_refused(strict: EmulatorServer, way: str) -> None:
    """Two tools with one name are an error that says the name, and nothing is sent."""
    with pytest.raises(ConfigurationError, match="two tools have the name '환율'"):
        ask(model_of(strict).bind_tools([TOOLS[1], TOOLS[0], TOOLS[1]]), way, "안녕")
    assert strict.requests == []


@pytest.mark.parametrize("tools", [TOOLS, []], ids=["tools", "no tools"])
@pytest.mark.parametrize("way", WAYS)
def test_histories_are_sent_with_the_same_names(server: EmulatorServer, way: str, tools: list[Any]) -> None:
    """A call of an earlier turn is sent with the names of its tool, one of a tool that is gone too; none is changed."""
    calls = [
        {"id": "call_1", "name": "날씨", "args": {"도시": "부산"}},
        {"id": "call_2", "name": "옛 도구", "args": {"도시": "부산"}},
    ]
    history = [
        HumanMessage(WEATHER),
        AIMessage("", tool_calls=calls),
        ToolMessage("맑음", tool_call_id="call_1"),
        ToolMessage("흐림", tool_call_id="call_2"),
    ]
    found = ask(model_of(server).bind_tools(tools), way, history)
    assert found.text
    assert [call["name"] for call in history[1].tool_calls] == ["날씨", "옛 도구"]
    first, second = [call["function"] for call in server.requests[-1].body["messages"][1]["toolCalls"]]
    assert first["name"] == ("nalssi" if is_strict(server) else "날씨")
    assert first["arguments"] == {"dosi" if is_strict(server) and tools else "도시": "부산"}
    assert second == {"name": "yet_dogu", "arguments": {"도시": "부산"}}
    check_sent(server)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_agent_runs_the_callers_tools(server: EmulatorServer, model: str, way: str) -> None:
    """An agent finds the tool that is called, and answers with its result; names are refused once at most."""
    agent = create_agent(model_of(server, model), TOOLS)
    given = {"messages": [("user", WEATHER)]}
    if way in {"invoke", "ainvoke"}:
        turns = ask(agent, way, given)["messages"]
    else:
        stream = [*agent.stream(given)] if way == "stream" else asyncio.run(_collect(agent, given))
        turns = [turn for step in stream for held in step.values() for turn in held["messages"]]
    (result,) = [turn for turn in turns if isinstance(turn, ToolMessage)]
    assert (result.name, result.content) == ("날씨", "부산: 맑음")
    assert "부산: 맑음" in turns[-1].text
    check_sent(server)


async def _collect(agent: Any, given: Any) -> list[Any]:
    return [step async for step in agent.astream(given)]


@pytest.mark.parametrize("method", [None, *METHODS])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_structured_output_of_a_generic_class(server: EmulatorServer, model: str, method: Any, way: str) -> None:
    """A generic class with a Hangul field is filled by every method that the model has."""
    if method == "json_schema" and model != "HCX-007":
        method = "function_calling"  # HCX-007 alone has the service's structured outputs
    runnable = model_of(server, model).with_structured_output(Box[int], method=method)
    assert ask(runnable, way, "값은 3이고 name은 김철수입니다.") == Box[int](값=3, name="김철수")


@pytest.mark.parametrize("method", [None, *METHODS])
@pytest.mark.parametrize("schema", [Report, Person], ids=["class", "dict"])
@pytest.mark.parametrize("way", WAYS)
def test_structured_output_with_names_of_any_kind(server: EmulatorServer, schema: Any, method: Any, way: str) -> None:
    """Classes and TypedDicts with Hangul names and spaces are filled under the caller's names."""
    found = ask(model_of(server, "HCX-007").with_structured_output(schema, method=method), way, "이름은 김철수입니다.")
    held = found.model_dump(by_alias=True) if isinstance(found, BaseModel) else found
    assert held.keys() == {"이름", "full name"}
    assert held["이름"] == "김철수"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "text", ['{"gap": 3, "name": "김"}', '답입니다.\n```json\n{"gap": 3, "name": "김"}\n```', None]
)
def test_arguments_in_text_have_the_callers_names(strict: EmulatorServer, way: str, text: str | None) -> None:
    """A model that writes the arguments as text writes the names that it was sent; the object has the caller's."""
    strict.script([text or '{"값": 3, "name": "김"}'] * 2)
    runnable = model_of(strict).with_structured_output(Box[int])
    assert ask(runnable, way, "상자를 만들어 주세요.") == Box[int](값=3, name="김")
    assert [request.status for request in strict.requests if request.status == 200] == [200]


@pytest.mark.parametrize("model", ["HCX-005", "HCX-007"])
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_agents_answer_as_a_class_with_any_name(server: EmulatorServer, model: str, way: str) -> None:
    """The tool that carries an agent's answer may be a generic class with Hangul fields, beside Hangul tools."""
    agent = create_agent(model_of(server, model), TOOLS[:1], response_format=ToolStrategy(Box[int]))
    found = ask(agent, way, {"messages": [("user", "부산 날씨를 알려 주세요. 값은 3입니다.")]})
    assert isinstance(found["structured_response"], Box)
    assert found["structured_response"].값 == 3


def test_counting_takes_any_name(server: EmulatorServer) -> None:
    """The calculators are asked with names that they take, by every method that counts."""
    model = model_of(server, token_counting="api")
    assert model.count_chat_tokens("안녕", tools=TOOLS).tools
    assert model.get_num_tokens_from_messages([HumanMessage("안녕")], tools=TOOLS) > 10
    check_sent(server)


def test_search_tool_of_rag_reasoning(server: EmulatorServer) -> None:
    """The search tool may have any name, in every step, sync and async."""
    retriever = RunnableLambda(lambda query: [Document(f"{query}: 환불은 7일 안에 신청합니다.")])
    for name in ("문서검색", "문서 [검색]"):
        rag = ClovaRagReasoning(retriever=retriever, tool_name=name, api_key=server.api_key, base_url=server.base_url)
        for found in (rag.invoke("환불은 언제까지 되나요?"), asyncio.run(rag.ainvoke("환불은 언제까지 되나요?"))):
            assert found.searches
            assert found.answer
    check_sent(server)


def wired(body: bytes) -> ChatClovaX:
    """Return a model whose requests are answered by these bytes, streams byte by byte."""

    def respond(request: httpx.Request) -> httpx.Response:
        return sse(bytewise(body)) if request.headers["accept"] == "text/event-stream" else answer(body)

    transport = httpx.MockTransport(respond)
    return ChatClovaX(
        api_key=KEY,
        base_url="http://127.0.0.1:1",
        max_retries=0,
        http_client=httpx.Client(transport=transport),
        http_async_client=httpx.AsyncClient(transport=transport),
    )


CUT = '{"to_city": "부산", "to_ci'
TOKENS = (*[[opened("call_1", "trains_find_KTX")]], *([part(letter)] for letter in CUT))
BROKEN = Scenario(TOKENS, (whole("call_1", CUT, "trains_find_KTX"),), (), (("call_1", CUT),))


@pytest.mark.parametrize("way", WAYS)
def test_invalid_call_has_the_callers_names(way: str) -> None:
    """A call whose arguments are cut is an invalid one of the caller's tool, with the caller's names in its text."""
    body = BROKEN.stream if "stream" in way else BROKEN.whole
    (call,) = ask(wired(body).bind_tools(TOOLS), way, TRAIN).invalid_tool_calls
    assert call["name"] == TRAINS
    assert call["args"].startswith('{"to city": "부산", "to_ci')


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_what_had_arrived_of_a_broken_stream_has_the_callers_names(way: str) -> None:
    """The error about a stream that breaks off has the beginning of the call in the caller's names."""
    with pytest.raises(StreamInterruptedError) as caught:
        ask(wired(BROKEN.broken_off).bind_tools(TOOLS), way, TRAIN)
    (call,) = caught.value.partial.message.invalid_tool_calls
    assert call.function.name == TRAINS
    assert call.function.partial_json.startswith('{"to city"')
