"""Structured answers of agents and graphs on models that call no tool, or that the service refuses tools for."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.tools import tool
from langgraph.prebuilt import create_react_agent
from pydantic import BaseModel

from clova_studio import RateLimitError, UnsupportedFunctionError
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

WAYS = ("invoke", "ainvoke", "stream", "astream")
LIMIT = {"recursion_limit": 12}
QUESTION = {"messages": [("user", "부산 날씨를 알려 주세요.")]}
BUSAN = {"location": "부산", "degrees": 21}
UNSUPPORTED = Fault("invented_tool", times=1)
FENCED = f"보고서입니다.\n```json\n{json.dumps(BUSAN, ensure_ascii=False)}\n```"
CALL = {"tool_calls": [{"name": "get_weather", "arguments": {"location": "부산"}}]}


@tool
def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음, 21도"


class Report(BaseModel):
    """날씨 보고서."""

    location: str
    degrees: int


def run(graph: Any, way: str, given: Any = QUESTION) -> tuple[Any, list[Any]]:
    """Run a graph in one of four ways, and return its structured answer and the messages of the model."""
    if way.endswith("invoke"):
        ended = graph.invoke(given, LIMIT) if way == "invoke" else asyncio.run(graph.ainvoke(given, LIMIT))
        return ended.get("structured_response"), [item for item in ended["messages"] if isinstance(item, AIMessage)]

    async def gather() -> list[Any]:
        return [event async for event in graph.astream(given, LIMIT, stream_mode=["messages", "updates"])]

    modes = ["messages", "updates"]
    events = list(graph.stream(given, LIMIT, stream_mode=modes)) if way == "stream" else asyncio.run(gather())
    answer = None
    answers: list[Any] = []
    pieces: dict[str, Any] = {}
    for mode, event in events:
        if mode == "messages":
            piece = event[0]
            if isinstance(piece, AIMessageChunk):
                pieces[piece.id] = pieces[piece.id] + piece if piece.id in pieces else piece
            continue
        for update in event.values():
            answers += [item for item in update.get("messages", ()) if isinstance(item, AIMessage)]
            answer = update.get("structured_response") or answer
    for message in answers:  # the pieces that were streamed add up to the message
        assert (pieces[message.id].text, pieces[message.id].tool_calls) == (message.text, message.tool_calls)
    return answer, answers


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WAYS)
def test_schema_alone_where_tools_are_refused(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """An agent whose only tool is its schema has its answer from JSON, marked, after 40009 to every tool."""
    server.script([UNSUPPORTED, UNSUPPORTED, FENCED])
    answer, messages = run(create_agent(chat(model="HCX-DASH-002"), [], response_format=Report), way)
    assert answer == Report(**BUSAN)
    assert [request.status for request in server.requests] == [400, 400, 200]
    assert "tools" not in server.requests[-1].body
    assert '"degrees"' in server.requests[-1].body["messages"][0]["content"]
    metadata = messages[-1].response_metadata
    assert metadata["structured_output_method"] == "json_mode"
    assert metadata["structured_output_fallback"] == ["function_calling: 40009 Unsupported function"]
    assert metadata["finish_reason"] == "tool_calls"
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WAYS)
def test_40009_after_a_tool_result(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """After a tool's result the refusal of the tools leads to the structured answer, not to text."""
    server.script([CALL, UNSUPPORTED, FENCED])
    answer, messages = run(create_agent(chat(), [get_weather], response_format=ToolStrategy(Report)), way)
    assert answer == Report(**BUSAN)
    assert messages[-1].response_metadata["tool_fallback"] is True
    assert [message["role"] for message in server.requests[-1].body["messages"]][-3:] == ["user", "assistant", "tool"]


@pytest.mark.parametrize("way", WAYS)
def test_text_in_place_of_a_call(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """Text, and text again, is followed by the instruction, and by one more request where that gives text too."""
    server.script([CALL, "맑고 21도입니다.", "맑고 21도입니다.", "글입니다.", FENCED])
    answer, messages = run(create_agent(chat(), [get_weather], response_format=ToolStrategy(Report)), way)
    assert answer == Report(**BUSAN)
    metadata = messages[-1].response_metadata
    assert metadata["structured_output_fallback"] == ["function_calling: the answer is text"]
    assert "tool_choice_unmet" not in metadata
    assert len(server.requests) == 5
    assert messages[-1].usage_metadata["input_tokens"] > 400  # those of all four


@pytest.mark.parametrize("way", WAYS)
def test_json_in_text_is_the_answer(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """JSON in the text is the answer, without a request of its own."""
    server.script([CALL, "맑고 21도입니다.", FENCED])
    answer, _ = run(create_agent(chat(), [get_weather], response_format=ToolStrategy(Report)), way)
    assert answer == Report(**BUSAN)
    assert len(server.requests) == 3


@pytest.mark.parametrize("way", WAYS)
def test_no_answer_is_marked(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """Where every request ends in text the last text is the answer, marked as what it is."""
    server.script([CALL, *["글입니다."] * 4])
    answer, messages = run(create_agent(chat(), [get_weather], response_format=ToolStrategy(Report)), way)
    assert answer is None
    assert messages[-1].text == "글입니다."
    assert messages[-1].response_metadata["tool_choice_unmet"] is True
    assert len(server.requests) == 5


@pytest.mark.parametrize("way", WAYS)
def test_wrong_answer_goes_back_by_the_agent(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """JSON that does not fit goes back with the agent's own words, as a call that does not fit does."""
    server.script([UNSUPPORTED, UNSUPPORTED, '{"location": ["부산"], "degrees": 21}', UNSUPPORTED, FENCED])
    answer, messages = run(create_agent(chat(model="HCX-DASH-002"), [], response_format=Report), way)
    assert answer == Report(**BUSAN)
    assert [call["args"]["location"] for message in messages for call in message.tool_calls] == [["부산"], "부산"]


@pytest.mark.parametrize("way", WAYS)
def test_no_answer_is_made_up_without_its_tools(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """Before any result of a real tool 40009 is raised; with tool_fallback="never", in any case."""
    server.add_fault(Fault("invented_tool"))
    with pytest.raises(UnsupportedFunctionError):
        run(create_agent(chat(), [get_weather], response_format=Report), way)
    with pytest.raises(UnsupportedFunctionError):
        run(create_agent(chat(tool_fallback="never"), [], response_format=Report), way)
    assert not any("JSON" in str(request.body) for request in server.requests)


def test_quota_is_not_asked_around(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A refusal for the quota ends the agent."""
    server.add_fault(Fault("status", status=429, code="42901", headers={"retry-after": "0"}))
    with pytest.raises(RateLimitError):
        run(create_agent(chat(max_retries=0), [], response_format=Report), "invoke")
    assert len(server.requests) == 1


def test_cut_answer_makes_no_call(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """JSON that the output cap has cut is no call."""
    server.script([UNSUPPORTED, UNSUPPORTED, {"content": '{"location": "부산", "deg', "finish_reason": "length"}])
    _, messages = run(create_agent(chat(), [], response_format=Report), "invoke")
    assert messages[0].tool_calls == []
    assert messages[0].response_metadata["finish_reason"] == "length"
    assert messages[0].response_metadata["tool_choice_unmet"] is True


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WAYS)
def test_provider_strategy_after_a_tool_result(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """A response format of an agent takes a history with tool turns, which go as text."""
    history = [
        ("user", "부산 날씨?"),
        AIMessage("", tool_calls=[{"name": "get_weather", "args": {"location": "부산"}, "id": "call_1"}]),
        ToolMessage("부산: 맑음, 21도", tool_call_id="call_1"),
        ("user", "보고서를 쓰세요."),
    ]
    agent = create_agent(chat(model="HCX-007"), [], response_format=ProviderStrategy(Report))
    answer, _ = run(agent, way, {"messages": history})
    assert isinstance(answer, Report)
    (request,) = server.requests
    assert "21도" in request.body["messages"][2]["content"]
    assert [message["role"] for message in request.body["messages"]] == ["user", "assistant", "user", "user"]


@pytest.mark.each_behaviour
@pytest.mark.filterwarnings("ignore::langgraph.warnings.LangGraphDeprecatedSinceV10")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["HCX-005", "HCX-007", "HCX-DASH-002"])
def test_graph_with_a_last_structured_step(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, name: str, way: str
) -> None:
    """A graph that asks for its answer in a step of its own, after tool turns, has it on every model."""
    graph = create_react_agent(chat(model=name), [get_weather], response_format=Report)
    server.script([CALL, "맑고 21도입니다.", UNSUPPORTED, UNSUPPORTED, FENCED])
    answer, _ = run(graph, way)
    assert answer == Report(**BUSAN)
    answer, _ = run(graph, way)
    assert isinstance(answer, Report)
