# mypy: disable-error-code="attr-defined"
"""Tools: what is sent for each kind of tool and choice, and what becomes of 40009."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from clova_studio import ConfigurationError, UnsupportedFunctionError
from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX


@tool
def get_weather(location: str) -> str:
    """날씨를 알려 줍니다."""
    return f"{location}: 맑음"


@tool
def find_train(start: str, end: str) -> str:
    """기차표를 찾습니다."""
    return f"{start} {end}"


@tool
def now() -> str:
    """지금 몇 시인지 알려 줍니다."""
    return "12:00"


CALLED = AIMessage("", tool_calls=[{"id": "call_1", "name": "get_weather", "args": {"location": "서울"}}])
RESULT = ToolMessage("맑음", tool_call_id="call_1")
HISTORY = [HumanMessage("서울 날씨는?"), CALLED, RESULT]


@pytest.fixture
def documented() -> Any:
    """An emulator that takes a forced choice, as the guide has it."""
    with serve(behaviour="documented") as running:
        yield running


def sent(server: EmulatorServer) -> list[Any]:
    """Return the tool choices that arrived."""
    return [request.body.get("toolChoice") for request in server.requests]


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_plain_choices_are_sent_as_they_are(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, choice: str | None
) -> None:
    """No choice, auto and none reach the wire unchanged."""
    chat().bind_tools([get_weather, find_train], tool_choice=choice).invoke("안녕")
    assert sent(server) == [choice]


@pytest.mark.parametrize("choice", [False, "", {}, {"type": "auto"}, {"type": "none"}])
@pytest.mark.parametrize("way", ["bound", "per call"])
def test_empty_choices_have_no_effect(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, choice: Any, way: str
) -> None:
    """False and what is empty leave the choice to the model, with and without tools; Anthropic's dicts are read."""
    kind = choice["type"] if choice else None
    if way == "bound":
        chat().bind_tools([get_weather, find_train], tool_choice=choice).invoke("안녕")
    else:
        chat().invoke("안녕", tools=[get_weather], tool_choice=choice)
    assert sent(server) == [kind]
    if not choice:
        chat().bind_tools([], tool_choice=choice).invoke("안녕")
        chat().invoke("안녕", tool_choice=choice)
        assert sent(server) == [None] * 3


def test_choice_that_forbids_parallel_calls(chat: Callable[..., ChatClovaX]) -> None:
    """Anthropic's ``disable_parallel_tool_use`` keeps the first call alone, as ``parallel_tool_calls=False`` does."""
    question = "서울 날씨와 부산 날씨를 알려 줘"
    counts = []
    for disable in (False, True):
        choice = {"type": "auto", "disable_parallel_tool_use": disable}
        counts.append(len(chat().bind_tools([get_weather], tool_choice=choice).invoke(question).tool_calls))
    assert counts[0] > counts[1] == 1


@pytest.mark.each_behaviour
@pytest.mark.parametrize(
    ("tools", "choice"),
    [
        ([get_weather], "any"),
        ([get_weather], "required"),
        ([get_weather], True),
        ([get_weather, find_train], "get_weather"),
        ([get_weather, find_train], {"type": "function", "function": {"name": "get_weather"}}),
        ([get_weather, find_train], {"type": "tool", "name": "get_weather"}),
    ],
)
def test_certain_tool_is_forced_by_name(
    chat: Callable[..., ChatClovaX], documented: EmulatorServer, tools: list[Any], choice: Any
) -> None:
    """Every way to demand one certain tool becomes the service's forced choice."""
    model = chat(base_url=documented.base_url, api_key=documented.api_key)
    answer = model.bind_tools(tools, tool_choice=choice).invoke("안녕")
    assert sent(documented) == [{"type": "function", "function": {"name": "get_weather"}}]
    assert answer.tool_calls[0]["name"] == "get_weather"


# The documentation allows a forced choice; only recorded traffic refuses it.
@pytest.mark.parametrize("server", ["observed"], indirect=True)
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_refused_force_is_asked_for_otherwise_and_remembered(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """A forced choice that is answered 40009 goes on as auto with that tool alone, after two such calls at once."""
    model = chat().bind_tools([get_weather, find_train], tool_choice="get_weather")
    for _ in range(3):
        assert _run(model, way, "안녕").tool_calls[0]["name"] == "get_weather"
    assert [request.status for request in server.requests] == [400, 200, 400, 200, 200]
    assert [sent(server)[i] for i in (1, 3, 4)] == ["auto"] * 3
    declared = [[item["function"]["name"] for item in request.body["tools"]] for request in server.requests]
    assert declared == [["get_weather"]] * 5


@pytest.mark.parametrize("server", ["documented"], indirect=True)
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_force_refused_once_is_tried_again(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """One 40009 says nothing lasting: the next call forces its tool again."""
    model = chat().bind_tools([get_weather, find_train], tool_choice="get_weather")
    server.add_fault(Fault("status", code="40009", times=1))
    for _ in range(2):
        assert _run(model, way, "안녕").tool_calls[0]["name"] == "get_weather"
    forced = {"type": "function", "function": {"name": "get_weather"}}
    assert sent(server) == [forced, "auto", forced]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_any_of_several_is_asked_once_more(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """A text where a tool call was demanded is not given out: the model is asked again, and both are paid for."""
    call = {"name": "find_train", "arguments": {"start": "서울", "end": "부산"}}
    server.script(["글로 답합니다.", {"tool_calls": [call]}])
    answer = _run(chat().bind_tools([get_weather, find_train], tool_choice="any"), way, "안녕")
    assert answer.text == ""
    assert answer.tool_calls[0]["args"] == call["arguments"]
    assert "tool_choice_unmet" not in answer.response_metadata
    first, second = (request.body for request in server.requests)
    assert (first["toolChoice"], second["toolChoice"]) == ("auto", "auto")
    assert "get_weather, find_train" in first["messages"][0]["content"]
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "user"]
    alone = chat().bind_tools([get_weather, find_train]).invoke("안녕")
    assert answer.usage_metadata["input_tokens"] > alone.usage_metadata["input_tokens"] * 2


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_unmet_demand_is_marked(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """When the second answer is text too, it is given out and says so."""
    server.script(["하나", "둘"])
    answer = _run(chat().bind_tools([get_weather, find_train], tool_choice="any"), way, "안녕")
    assert answer.text == "둘"
    assert answer.response_metadata["tool_choice_unmet"] is True
    assert len(server.requests) == 2


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_invented_tool_after_a_result_goes_on_without_tools(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """40009 after a tool's result is answered by the same request with tool choice none, logged and marked."""
    server.add_fault(Fault("invented_tool", times=1))
    with caplog.at_level(logging.WARNING, "langchain_clova"):
        answer = _run(chat().bind_tools([get_weather]), way, HISTORY)
    assert answer.text
    assert answer.response_metadata["tool_fallback"] is True
    assert sent(server) == [None, "none"]
    assert "40009" in caplog.text


@pytest.mark.parametrize(
    ("policy", "messages", "recovers"),
    [
        ("after_tool_result", "안녕", False),
        ("never", HISTORY, False),
        ("always", "안녕", True),
        ("always", HISTORY, True),
    ],
)
def test_tool_fallback_policies(
    chat: Callable[..., ChatClovaX],
    server: EmulatorServer,
    policy: str,
    messages: Any,
    recovers: bool,  # noqa: FBT001
) -> None:
    """Where the policy does not allow it, an answer is never made up without the tool."""
    server.add_fault(Fault("invented_tool", times=1))
    model = chat(tool_fallback=policy).bind_tools([get_weather])
    if recovers:
        assert model.invoke(messages).response_metadata["tool_fallback"] is True
    else:
        with pytest.raises(UnsupportedFunctionError) as caught:
            model.invoke(messages)
        assert caught.value.hint
        assert len(server.requests) == 1


def test_small_cap_is_raised_once_with_a_warning(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A constructor's cap under 1,024 is raised for tools, with one warning; without tools it stays."""
    model = chat(max_tokens=100)
    bound = model.bind_tools([get_weather])
    with pytest.warns(UserWarning, match="max_tokens=100 raised to 1024"):
        bound.invoke("안녕")
    bound.invoke("안녕")  # a second warning would be an error here
    model.invoke("안녕")
    assert [request.body["maxTokens"] for request in server.requests] == [1024, 1024, 100]


def test_small_cap_of_a_call_is_refused(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A cap that a call asks for is never changed silently."""
    with pytest.raises(ConfigurationError, match="1024"):
        chat().bind_tools([get_weather]).invoke("안녕", max_tokens=100)
    assert server.requests == []


def test_thinking_gives_way_unless_asked_for(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """HCX-007 is told not to think with tools or their results; thinking that was asked for is a contradiction."""
    chat(model="HCX-007").bind_tools([get_weather]).invoke("안녕")
    chat(model="HCX-007").invoke(HISTORY)
    assert [request.body["thinking"] for request in server.requests] == [{"effort": "none"}] * 2
    with pytest.raises(ConfigurationError, match="thinking"):
        chat(model="HCX-007", thinking={"effort": "low"}).bind_tools([get_weather]).invoke("안녕")


def test_parallel_calls_can_be_cut_to_one(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """parallel_tool_calls=False keeps the first call of an answer, streamed too."""
    calls = [{"name": "get_weather", "arguments": {"location": city}} for city in ("서울", "부산")]
    model = chat().bind_tools([get_weather], parallel_tool_calls=False)
    for way in ("invoke", "stream"):
        server.script([{"tool_calls": calls}])
        assert [call["args"] for call in _run(model, way, "안녕").tool_calls] == [{"location": "서울"}]


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_call_without_arguments(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """A tool without arguments has an empty object on the wire, and its call {} as arguments."""
    server.script([{"tool_calls": [{"name": "now", "arguments": {}}]}])
    answer = _run(chat().bind_tools([now]), way, "지금 몇 시?")
    assert answer.tool_calls[0]["args"] == {}
    assert answer.tool_calls[0]["id"]
    parameters = server.requests[-1].body["tools"][0]["function"]["parameters"]
    assert parameters == {"type": "object", "properties": {}}


class Query(BaseModel):
    """질문."""

    text: str


class Typed(TypedDict):
    """질문."""

    text: str


def plain(text: str) -> str:
    """질문."""
    return text


@pytest.mark.each_behaviour
@pytest.mark.parametrize(
    "given",
    [
        Query,
        Typed,
        plain,
        {"title": "Query", "description": "질문.", "type": "object", "properties": {"text": {"type": "string"}}},
        {"type": "function", "function": {"name": "q", "parameters": {"properties": {"text": {"type": "string"}}}}},
        {"name": "q", "description": "질문.", "input_schema": {"properties": {"text": {"type": "string"}}}},
    ],
)
def test_every_kind_of_tool_is_accepted(chat: Callable[..., ChatClovaX], server: EmulatorServer, given: Any) -> None:
    """Whatever LangChain takes as a tool, the service gets a name, a description and clean parameters."""
    chat().bind_tools([given]).invoke("안녕")
    function = server.requests[-1].body["tools"][0]["function"]
    assert function["description"]
    assert function["parameters"]["type"] == "object"
    assert function["parameters"]["properties"] == {"text": {"type": "string"}}


def test_wrong_choices_and_pairs_are_refused(chat: Callable[..., ChatClovaX]) -> None:
    """A choice that names no tool, and tools with a response format, are refused when they are bound."""
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {}}}}
    with pytest.raises(ConfigurationError, match="is not 'auto'"):
        chat().bind_tools([get_weather], tool_choice="other")
    with pytest.raises(ConfigurationError, match="needs tools"):
        chat().bind_tools([], tool_choice="any")
    with pytest.raises(ConfigurationError, match="ToolStrategy"):
        chat(model="HCX-007").bind_tools([get_weather], response_format=schema)


def _run(model: Any, way: str, question: Any) -> Any:
    if way == "invoke":
        return model.invoke(question)
    if way == "ainvoke":
        return asyncio.run(model.ainvoke(question))

    async def gather() -> list[Any]:
        return [chunk async for chunk in model.astream(question)]

    first, *rest = asyncio.run(gather()) if way == "astream" else list(model.stream(question))
    for chunk in rest:
        first += chunk
    return first
