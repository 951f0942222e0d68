# ruff: noqa: N802, N803, PLC2401 - a Korean program may name its functions and parameters so
"""Agents with Hangul names hand over to each other, and use tools with Hangul names and parameters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph_supervisor import create_supervisor
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from program_support import MODELS, WAYS, WORKFLOW_WARNINGS, bodies, run_agent, run_graph, statuses

from clova_studio.emulator import serve
from langchain_clova import ChatClovaX
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

pytestmark = [
    # langgraph-supervisor still builds on what langgraph has moved.
    pytest.mark.filterwarnings("ignore:create_react_agent has been moved"),
    *(pytest.mark.filterwarnings(f"ignore:{message}:DeprecationWarning") for message in WORKFLOW_WARNINGS),
]

WEATHER = "부산 날씨를 알려 주세요."
RATES = "달러 환율을 알려 주세요."


def 날씨_조회(도시: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{도시}: 맑음, 21도"


def 환율_조회(통화: str) -> str:
    """통화의 환율을 알려 줍니다."""
    return f"{통화}: 1,380원"


def workflow(account: dict[str, Any], model: str, *, streaming: bool) -> AgentWorkflow:
    """Build a desk that hands over to two agents, who can hand over to each other."""
    shared = {"llm": ClovaX(model=model, **account), "streaming": streaming}
    desk = FunctionAgent(
        name="안내 데스크",
        description="상담을 나누어 줍니다.",
        system_prompt="알맞은 상담원에게 넘기세요.",
        can_handoff_to=["날씨 상담원", "환율 상담원"],
        **shared,
    )
    weather = FunctionAgent(name="날씨 상담원", description="날씨를 압니다.", tools=[날씨_조회], **shared)
    rates = FunctionAgent(name="환율 상담원", description="환율을 압니다.", tools=[환율_조회], **shared)
    return AgentWorkflow(agents=[desk, weather, rates], root_agent="안내 데스크")


def team(account: dict[str, Any], model: str) -> Any:
    """Build a supervisor of two workers."""
    llm = ChatClovaX(model=model, **account)
    workers = [
        create_agent(llm, [tool(날씨_조회)], name="날씨 상담원"),
        create_agent(llm, [tool(환율_조회)], name="환율 상담원"),
    ]
    return create_supervisor(workers, model=llm, prompt="알맞은 상담원에게 넘기세요.").compile()


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("model", MODELS)
def test_workflow_hands_over(server: EmulatorServer, account: dict[str, Any], model: str, *, streaming: bool) -> None:
    """The desk hands each question to the right agent, whose own tool is called and answered from."""
    for question, agent, call, found in (
        (WEATHER, "날씨 상담원", ("날씨_조회", {"도시": "부산"}), "부산: 맑음, 21도"),
        (RATES, "환율 상담원", ("환율_조회", {"통화": "달러"}), "달러: 1,380원"),
    ):
        server.reset()
        run = asyncio.run(run_agent(workflow(account, model, streaming=streaming), question))
        (handoff, arguments, _), answered = run.results
        assert (handoff, arguments["to_agent"]) == ("handoff", agent)
        assert answered == (*call, found)
        assert run.output.current_agent_name == agent
        assert found in run.answer
        run.check_streamed(streaming=streaming)
        assert statuses(server) == [200] * 3
        assert [message["role"] for message in bodies(server)[-1]["messages"]] == [
            *("user", "assistant", "tool"),
            *("assistant", "tool"),
        ]


def test_workflow_hands_on(server: EmulatorServer, account: dict[str, Any]) -> None:
    """An agent that has answered its part hands on to another one, which sees all calls and results before its own."""
    hand = [{"to_agent": name, "reason": "질문"} for name in ("날씨 상담원", "환율 상담원")]
    script = [
        ("handoff", hand[0]),
        ("날씨_조회", {"도시": "부산"}),
        ("handoff", hand[1]),
        ("환율_조회", {"통화": "달러"}),
    ]
    server.script([{"tool_calls": [{"name": name, "arguments": arguments}]} for name, arguments in script])
    run = asyncio.run(run_agent(workflow(account, "HCX-007", streaming=True), f"{WEATHER} {RATES}"))
    assert [made[:2] for made in run.results] == script
    assert "달러: 1,380원" in run.answer
    assert statuses(server) == [200] * 5
    results = [message["content"] for message in bodies(server)[-1]["messages"] if message["role"] == "tool"]
    assert results[1::2] == ["부산: 맑음, 21도", "달러: 1,380원"]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS)
def test_supervisor_hands_over(server: EmulatorServer, account: dict[str, Any], model: str, way: str) -> None:
    """A LangGraph supervisor does the same, with a tool for each worker that is named after it."""
    run = run_graph(team(account, model), way, {"messages": [("user", RATES)]})
    assert run.calls[0] == ("transfer_to_환율_상담원", {})
    assert "달러: 1,380원" in run.answer
    if way.endswith("stream"):
        run.check_streamed()
    assert statuses(server) == [200] * 4


@pytest.mark.slow
def test_a_service_that_wants_other_names() -> None:
    """Where Hangul names are refused, both programs run all the same, and one request is refused in all."""
    with serve(ascii_names=True) as server:
        account = {"api_key": server.api_key, "base_url": server.base_url}
        run = asyncio.run(run_agent(workflow(account, "HCX-005", streaming=True), WEATHER))
        assert run.results[1] == ("날씨_조회", {"도시": "부산"}, "부산: 맑음, 21도")
        run.check_streamed(streaming=True)
        for way in WAYS:
            given = run_graph(team(account, "HCX-005"), way, {"messages": [("user", RATES)]})
            assert given.calls[0] == ("transfer_to_환율_상담원", {})
            assert "달러: 1,380원" in given.answer
        assert statuses(server).count(400) == 1
        assert set(statuses(server)) == {200, 400}
