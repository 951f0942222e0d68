"""Tools, classes and parameters with names that the service may not take: the caller sees only their own."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import KEY, answer, bytewise, sse
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool, ToolMetadata
from llama_index.core.types import PydanticProgramMode
from llama_support import MODELS, STRUCTURED, WITH_TOOLS, calls_of, run
from names_support import (
    CALLS,
    TRAIN,
    TRAINS,
    WEATHER,
    Box,
    Report,
    check_sent,
    find_trains,
    is_strict,
    rates,
    weather,
)
from pydantic import BaseModel, Field, RootModel, create_model
from stream_calls import Scenario, opened, part, whole

from clova_studio import ConfigurationError, StreamInterruptedError
from clova_studio.emulator import serve
from llama_index_clova import ClovaX
from llama_index_clova._tools import wire_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

BOX = "값은 3이고 name은 김철수입니다. 도구를 호출하세요."
TRAIN_INPUT: Any = create_model("Train", **{"to city": (str, Field())})  # type: ignore[call-overload]  # no identifier
TOOLS = [
    FunctionTool.from_defaults(weather),
    FunctionTool.from_defaults(rates),
    FunctionTool.from_defaults(find_trains, name=TRAINS, fn_schema=TRAIN_INPUT),
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


def model_of(server: EmulatorServer, model: str = "HCX-005", **settings: Any) -> ClovaX:
    """Return a model that asks an emulator."""
    return ClovaX(model=model, api_key=server.api_key, base_url=server.base_url, **settings)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WITH_TOOLS)
@pytest.mark.parametrize(("question", "name", "arguments"), CALLS)
def test_calls_have_the_callers_names(
    server: EmulatorServer, model: str, way: str, question: str, name: str, arguments: Any
) -> None:
    """In the blocks, the kwargs and the selection a call has the caller's names; what is sent is acceptable."""
    llm = model_of(server, model)
    response = run(llm, way, TOOLS, user_msg=question)[-1]
    (selected,) = llm.get_tool_calls_from_response(response)
    assert calls_of(response.message) == [(selected.tool_name, selected.tool_kwargs)] == [(name, arguments)]
    (call,) = response.message.additional_kwargs["tool_calls"]
    assert call["function"]["name"] == name
    assert json.loads(call["function"]["arguments"]) == arguments
    assert response.raw["message"]["tool_calls"][0]["function"]["name"] == name
    check_sent(server)


@pytest.mark.parametrize("way", ["stream_chat_with_tools", "astream_chat_with_tools"])
def test_fragments_have_the_callers_names(server: EmulatorServer, way: str) -> None:
    """The fragments in the raw responses of a stream add up to the call in the caller's names."""
    responses = run(model_of(server), way, TOOLS, user_msg=TRAIN)
    fragments = [call.function for response in responses[:-1] for call in response.raw.tool_call_fragments]
    assert [fragment.name for fragment in fragments if fragment.name] == [TRAINS]
    assert json.loads("".join(fragment.partial_json or "" for fragment in fragments)) == {"to city": "부산"}


@pytest.mark.parametrize("behaviour", ["observed", "documented"])
@pytest.mark.parametrize("way", WITH_TOOLS)
@pytest.mark.parametrize("choice", ["any", "환율", TRAINS])
def test_choices_name_the_callers_tools(behaviour: Any, way: str, choice: str) -> None:
    """A choice is given in the caller's names, and an instruction names tools as they were sent."""
    with serve(behaviour=behaviour, ascii_names=True) as strict:
        response = run(model_of(strict), way, TOOLS, user_msg="안녕하세요.", tool_choice=choice)[-1]
        ((name, _),) = calls_of(response.message)
        assert choice in {"any", name}
        assert "tool_choice_unmet" not in response.additional_kwargs
        last = strict.requests[-1].body
        forced = last["toolChoice"]
        said = last["messages"][0]["content"] if forced == "auto" else forced["function"]["name"]
        assert any(sent["function"]["name"] in said for sent in last["tools"])
        assert not re.search(r"환율|\[KTX\]|날씨", said)


@pytest.mark.parametrize("way", WITH_TOOLS)
def test_wrong_names_are_refused_in_the_callers_names(strict: EmulatorServer, way: str) -> None:
    """Two tools with one name, and a choice of none of them, are errors that speak of the caller's names."""
    with pytest.raises(ConfigurationError, match="two tools have the name '환율'"):
        run(model_of(strict), way, [TOOLS[1], TOOLS[0], TOOLS[1]], user_msg="안녕")
    with pytest.raises(ConfigurationError, match=r"날씨, 환율, trains\.find \[KTX\]"):
        run(model_of(strict), way, TOOLS, user_msg="안녕", tool_choice="nalssi")
    assert strict.requests == []


@pytest.mark.parametrize("way", WITH_TOOLS)
def test_histories_are_sent_with_the_same_names(server: EmulatorServer, way: str) -> None:
    """A call of an earlier turn is sent with the names of its tool, one of a tool that is gone too; none is changed."""
    calls = [
        ToolCallBlock(tool_call_id=f"call_{i}", tool_name=name, tool_kwargs={"도시": "부산"})
        for i, name in enumerate(["날씨", "옛 도구"])
    ]
    history = [ChatMessage(WEATHER), ChatMessage(role="assistant", blocks=calls)] + [
        ChatMessage(role="tool", content="맑음", additional_kwargs={"tool_call_id": call.tool_call_id})
        for call in calls
    ]
    response = run(model_of(server), way, TOOLS, chat_history=history)[-1]
    assert response.message.content
    assert calls_of(history[1]) == [("날씨", {"도시": "부산"}), ("옛 도구", {"도시": "부산"})]
    first, second = [call["function"] for call in server.requests[-1].body["messages"][1]["toolCalls"]]
    if is_strict(server):
        assert first == {"name": "nalssi", "arguments": {"dosi": "부산"}}
    else:
        assert first == {"name": "날씨", "arguments": {"도시": "부산"}}
    assert second == {"name": "yet_dogu", "arguments": {"도시": "부산"}}
    check_sent(server)


@pytest.mark.parametrize("way", ["__call__", "acall", "stream_call", "astream_call"])
@pytest.mark.parametrize("model", MODELS)
def test_program_of_a_generic_class(server: EmulatorServer, model: str, way: str) -> None:
    """A program of function calling fills a generic class with a Hangul field, whole and streamed, sync and async."""
    program = FunctionCallingProgram.from_defaults(Box[int], prompt_template_str=BOX, llm=model_of(server, model))
    if way in {"__call__", "acall"}:
        found = program() if way == "__call__" else asyncio.run(program.acall())
    else:
        found = _streamed(program, way)
    assert found == Box[int](값=3, name="김철수")


def _streamed(program: Any, way: str) -> Any:
    """Return the last object of a program's stream; core's has the fields so far, as a class of its own."""
    if way == "stream_call":
        found = list(program.stream_call())[-1]
    else:

        async def main() -> list[Any]:
            return [item async for item in await program.astream_call()]

        found = asyncio.run(main())[-1]
    return Box[int](**found.model_dump())


@pytest.mark.parametrize("mode", ["default", "function", "llm"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_structured_prediction(server: EmulatorServer, model: str, mode: str, way: str) -> None:
    """Every mode and model fills a generic class, and a Hangul class with an alias that has a space."""
    llm = model_of(server, model, pydantic_program_mode=PydanticProgramMode(mode))
    assert run(llm, way, Box[int], PromptTemplate(BOX))[-1] == Box[int](값=3, name="김철수")
    found = run(llm, way, Report, PromptTemplate("이름은 김철수입니다."))[-1]
    assert isinstance(found, Report)
    assert found.이름 == "김철수"


class Item(BaseModel):
    """물건."""

    이름: str  # noqa: PLC2401  a name of the caller's


class Items(RootModel[list[Item]]):
    """물건들."""


class Either(RootModel[Item | Box[int]]):
    """물건이거나 상자."""


@pytest.mark.parametrize("root", [Items, Either])
def test_schema_of_a_root_is_whole(root: Any) -> None:
    """A class whose root is a list or a union is sent with its items, options and definitions."""
    tool = FunctionTool.from_defaults(lambda **given: str(given), name="f", description="d", fn_schema=root)
    sent = wire_tool(tool)["function"]["parameters"]
    assert "이름" in json.dumps(sent, ensure_ascii=False)
    assert "$ref" not in json.dumps(sent)
    if root is Items:
        assert sent["properties"]["root"]["items"]["properties"] == {"이름": {"type": "string"}}
    else:
        assert [[*option["properties"]] for option in sent["anyOf"]] == [["이름"], ["값", "name"]]


def test_tool_of_one_string_and_one_with_its_own_schema() -> None:
    """A tool without a class takes a string; one that overrides its schema is believed."""

    class Own(ToolMetadata):
        def get_parameters_dict(self) -> dict[str, Any]:
            return {"type": "object", "properties": {"도시": {"type": "string"}}}

    assert wire_tool(ToolMetadata("d", name="f", fn_schema=None))["function"]["parameters"]["required"] == ["input"]
    assert [*wire_tool(Own("d", name="f"))["function"]["parameters"]["properties"]] == ["도시"]


@pytest.mark.parametrize("way", STRUCTURED)
def test_prediction_of_a_list(server: EmulatorServer, way: str) -> None:
    """A class whose root is a list is filled by a tool call, under the caller's names."""
    llm = model_of(server, pydantic_program_mode=PydanticProgramMode.FUNCTION)
    found = run(llm, way, Items, PromptTemplate("물건의 이름은 사과입니다."))[-1]
    assert isinstance(found, Items)
    assert found.root


def wired(body: bytes) -> ClovaX:
    """Return a model whose requests are answered by these bytes, streams byte by byte."""

    def respond(request: httpx.Request) -> httpx.Response:
        return sse(bytewise(body)) if request.headers["accept"] == "text/event-stream" else answer(body)

    transport = httpx.MockTransport(respond)
    return ClovaX(
        api_key=KEY,
        base_url="http://127.0.0.1:1",
        max_retries=0,
        http_client=httpx.Client(transport=transport),
        http_async_client=httpx.AsyncClient(transport=transport),
    )


CUT = '{"to_city": "부산", "to_ci'
TOKENS = (*[[opened("call_1", "trains_find_KTX")]], *([part(letter)] for letter in CUT))
BROKEN = Scenario(TOKENS, (whole("call_1", CUT, "trains_find_KTX"),), (), (("call_1", CUT),))


@pytest.mark.parametrize("way", WITH_TOOLS)
def test_invalid_call_has_the_callers_names(way: str) -> None:
    """A call whose arguments are cut is text with the caller's names, and so is the error about it."""
    llm = wired(BROKEN.stream if "stream" in way else BROKEN.whole)
    response = run(llm, way, TOOLS, user_msg=TRAIN)[-1]
    assert calls_of(response.message) == [(TRAINS, '{"to city": "부산", "to_ci')]
    with pytest.raises(ValueError, match=r"called trains\.find \[KTX\] with .*to city"):
        llm.get_tool_calls_from_response(response)


@pytest.mark.parametrize("way", [way for way in WITH_TOOLS if "stream" in way])
def test_what_had_arrived_of_a_broken_stream_has_the_callers_names(way: str) -> None:
    """The error about a stream that breaks off has the beginning of the call in the caller's names."""
    with pytest.raises(StreamInterruptedError) as caught:
        run(wired(BROKEN.broken_off), way, TOOLS, user_msg=TRAIN)
    (call,) = caught.value.partial.message.invalid_tool_calls
    assert call.function.name == TRAINS
    assert call.function.partial_json.startswith('{"to city"')
