"""A supervisor with two workers, whose conversation is in SQLite and is taken up by another instance of the graph."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph_supervisor import create_supervisor
from program_support import MODELS, WAYS, GraphRun, arun_graph, bodies, run_graph, statuses

from langchain_clova import ChatClovaX

if TYPE_CHECKING:
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

# langgraph-supervisor still builds on what langgraph has moved.
pytestmark = pytest.mark.filterwarnings("ignore:create_react_agent has been moved")

PROMPT = "두 상담원을 거느립니다. 날씨는 weather_expert, 기차는 train_expert에게 맡기세요."
NAMES = ("supervisor", "weather_expert", "train_expert")
THREAD = {"configurable": {"thread_id": "여행"}}


@tool
def get_weather(city: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{city}: 맑음, 21도"


@tool
def find_train(destination: str) -> str:
    """기차표를 찾습니다."""
    return f"{destination}행 09:00"


def team(account: dict[str, Any], model: str, **settings: Any) -> Any:
    """Return a supervisor and two workers, not yet compiled."""
    llm = ChatClovaX(model=model, **account)
    workers = [
        create_agent(llm, [get_weather], name="weather_expert", system_prompt="날씨를 압니다."),
        create_agent(llm, [find_train], name="train_expert", system_prompt="기차를 압니다."),
    ]
    return create_supervisor(workers, model=llm, prompt=PROMPT, **settings)


async def in_a_loop(path: Path, way: str, turns: list[Any], account: dict[str, Any], model: str) -> list[GraphRun]:
    """Run each turn in an instance of the graph of its own, over the same file, in an event loop."""
    runs = []
    for given, compiled in turns:
        async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
            graph = team(account, model).compile(checkpointer=saver, **compiled)
            runs.append(await arun_graph(graph, way, given, THREAD))
    return runs


def in_threads(path: Path, way: str, turns: list[Any], account: dict[str, Any], model: str) -> list[GraphRun]:
    """Run each turn in an instance of the graph of its own, over the same file, without an event loop."""
    runs = []
    for given, compiled in turns:
        with SqliteSaver.from_conn_string(str(path)) as saver:
            graph = team(account, model).compile(checkpointer=saver, **compiled)
            runs.append(run_graph(graph, way, given, THREAD))
    return runs


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS)
def test_another_instance_goes_on(
    server: EmulatorServer, account: dict[str, Any], tmp_path: Path, model: str, way: str
) -> None:
    """Stopped before its worker, a team goes on in a second instance from the file, and in a third with a new question.

    Each question reaches the right worker, the supervisor answers with what the worker found, and every request of the
    long history of handovers is accepted.
    """
    turns = [
        ({"messages": [("user", "부산 날씨를 알려 주세요.")]}, {"interrupt_before": ["weather_expert"]}),
        (None, {}),
        ({"messages": [("user", "서울 가는 기차표를 찾아 주세요.")]}, {}),
    ]
    path = tmp_path / "team.sqlite"
    if way.startswith("a"):
        stopped, resumed, asked = asyncio.run(in_a_loop(path, way, turns, account, model))
    else:
        stopped, resumed, asked = in_threads(path, way, turns, account, model)
    assert stopped.results == ["Successfully transferred to weather_expert"]
    assert "부산: 맑음, 21도" in resumed.answer
    assert resumed.messages[: len(stopped.messages)] == stopped.messages
    assert "서울행 09:00" in asked.answer
    assert "부산" not in asked.answer
    assert [each.name for each in asked.messages if isinstance(each, AIMessage) and not each.tool_calls] == [
        *("weather_expert", "supervisor"),
        *("train_expert", "supervisor"),
    ]
    if way.endswith("stream"):
        resumed.check_streamed()
        asked.check_streamed()
    assert statuses(server) == [200] * 8
    tools = [[tool["function"]["name"] for tool in body["tools"]] for body in bodies(server)]
    assert tools[1] == tools[2] == ["get_weather"]
    assert tools[5] == tools[6] == ["find_train"]
    worker = [message["content"] for message in bodies(server)[5]["messages"] if message["role"] == "system"]
    assert worker == ["기차를 압니다."]


@pytest.mark.slow
@pytest.mark.parametrize("output", ["last_message", "full_history"])
@pytest.mark.parametrize("model", MODELS)
def test_two_workers_at_once(server: EmulatorServer, account: dict[str, Any], model: str, output: str) -> None:
    """Two handovers in one answer run both workers beside each other; their merged histories are accepted.

    The model reads in the texts whose they are, and the supervisor's answer has what both found.
    """
    server.script([{"tool_calls": [{"name": f"transfer_to_{name}_expert"} for name in ("weather", "train")]}])
    graph = team(account, model, output_mode=output, include_agent_name="inline").compile()
    run = run_graph(graph, "stream", {"messages": [("user", "부산 날씨와 부산 가는 기차표를 찾아 주세요.")]})
    assert "부산: 맑음, 21도" in run.answer
    assert "부산행 09:00" in run.answer
    assert "<name>" not in run.answer
    assert set(statuses(server)) == {200}
    said = [message["content"] for message in bodies(server)[-1]["messages"] if message["role"] == "assistant"]
    assert {text.split("</name>")[0] for text in said} == {f"<name>{name}" for name in NAMES}
