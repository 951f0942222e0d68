"""LangChain agents that ask a person before they act: what is rejected does not happen, and they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from program_support import MODELS, WAYS, bodies, run_graph, statuses

from langchain_clova import ChatClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

QUESTION = "haneul@example.com 주소로 메일을 보내 주세요."
TO = "haneul@example.com"
REASON = "아직 보내지 마세요. 초안을 먼저 보여 주세요."


def deleting(*names: str) -> dict[str, Any]:
    """Return a scripted answer that deletes files."""
    return {"tool_calls": [{"name": "delete_file", "arguments": {"file": name}} for name in names]}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS)
def test_rejected_call(server: EmulatorServer, account: dict[str, Any], model: str, way: str) -> None:
    """A rejected call is not executed, the model hears why and answers; asked again and approved, it is executed."""
    sent: list[str] = []

    @tool
    def send_mail(to: str) -> str:
        """메일을 보냅니다."""
        sent.append(to)
        return f"{to}: 보냈습니다."

    agent = create_agent(
        ChatClovaX(model=model, **account),
        [send_mail],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"send_mail": True})],
        checkpointer=InMemorySaver(),
    )
    thread = {"configurable": {"thread_id": "1"}}
    run = run_graph(agent, way, {"messages": [("user", QUESTION)]}, thread)
    assert run.calls == [("send_mail", {"to": TO})]
    assert agent.get_state(thread).interrupts[0].value["action_requests"][0]["args"] == {"to": TO}
    run = run_graph(agent, way, Command(resume={"decisions": [{"type": "reject", "message": REASON}]}), thread)
    assert sent == []
    assert run.results[0].endswith(REASON)
    assert "초안을 먼저" in run.answer
    if way.endswith("stream"):
        run.check_streamed()
    run_graph(agent, way, {"messages": [("user", QUESTION)]}, thread)
    run = run_graph(agent, way, Command(resume={"decisions": [{"type": "approve"}]}), thread)
    assert sent == [TO]
    assert "보냈습니다" in run.answer
    assert statuses(server) == [200] * 4


@pytest.mark.parametrize("model", MODELS)
def test_each_call_of_an_answer_is_decided(server: EmulatorServer, account: dict[str, Any], model: str) -> None:
    """Of three calls in one answer one is approved, one rejected and one edited; the model hears of each by its id."""
    deleted: list[str] = []

    @tool
    def delete_file(file: str) -> str:
        """파일을 지웁니다."""
        deleted.append(file)
        return f"{file} 삭제됨"

    agent = create_agent(
        ChatClovaX(model=model, **account),
        [delete_file],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"delete_file": True})],
        checkpointer=InMemorySaver(),
    )
    thread = {"configurable": {"thread_id": "1"}}
    server.script([deleting("가.txt", "나.txt", "다.txt")])
    run_graph(agent, "invoke", {"messages": [("user", "파일을 지워 주세요.")]}, thread)
    edited = {"name": "delete_file", "args": {"file": "라.txt"}}
    decisions = [{"type": "approve"}, {"type": "reject"}, {"type": "edit", "edited_action": edited}]
    run_graph(agent, "stream", Command(resume={"decisions": decisions}), thread)
    assert sorted(deleted) == ["가.txt", "라.txt"]
    _, called, *results = bodies(server)[-1]["messages"]
    files = {call["id"]: call["function"]["arguments"]["file"] for call in called["toolCalls"]}
    told = {files[result["toolCallId"]]: result["content"] for result in results}
    assert told["가.txt"] == "가.txt 삭제됨"
    assert "rejected" in told["나.txt"]
    assert "라.txt 삭제됨" in told["다.txt"]
    assert statuses(server) == [200, 200]


@pytest.mark.parametrize("way", WAYS)
def test_tool_that_asks_by_itself(server: EmulatorServer, account: dict[str, Any], way: str) -> None:
    """A tool that interrupts its graph gets the person's answer, and its result is what the model answers from."""

    @tool
    def send_mail(to: str) -> str:
        """메일을 보냅니다."""
        answer = interrupt({"question": f"{to} 주소로 보낼까요?"})
        return f"{to}: 보냈습니다." if answer == "예" else f"{to}: 사용자가 거절했습니다."

    agent = create_agent(ChatClovaX(**account), [send_mail], checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    run_graph(agent, way, {"messages": [("user", QUESTION)]}, thread)
    (asked,) = agent.get_state(thread).interrupts
    assert asked.value == {"question": f"{TO} 주소로 보낼까요?"}
    run = run_graph(agent, way, Command(resume="아니요"), thread)
    assert "거절했습니다" in run.answer
    assert statuses(server) == [200, 200]
