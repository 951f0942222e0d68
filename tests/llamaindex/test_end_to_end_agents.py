"""Agents that call tools run to their end: streamed and not, alone and handing over, with a memory and a schema."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.agent.workflow import AgentStream, AgentWorkflow, FunctionAgent, ToolCallResult
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from pydantic import BaseModel

from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

# LlamaIndex's workflows look at every attribute of an agent, those that pydantic deprecated included.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The `__fields_set__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

MODELS = ("HCX-005", "HCX-007", "HCX-DASH-002")
QUESTION = "부산 날씨를 알려 주세요."
TRAIN = "서울에서 부산 가는 기차표를 찾아 주세요."
CALLED = ("get_weather", {"location": "부산"})


def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음, 21도"


def find_train(start: str, end: str) -> str:
    """기차표를 찾습니다."""
    return f"{start}-{end} 09:00"


class Report(BaseModel):
    """날씨 보고서."""

    location: str
    degrees: int


@pytest.fixture(params=[True, False], ids=["streamed", "whole"])
def mode(request: pytest.FixtureRequest) -> dict[str, bool]:
    """Whether the agent streams."""
    return {"streaming": request.param}


class Run:
    """What one run of an agent did: its answer, its events, its tool calls."""

    def __init__(self, agent: Any, question: str = QUESTION, **options: Any) -> None:
        async def main() -> None:
            # Within the loop: a context belongs to it.
            handler = agent.run(question, max_iterations=5, **options)
            self.events = [event async for event in handler.stream_events()]
            self.output = await handler

        asyncio.run(main())

    @property
    def text(self) -> str:
        """The answer."""
        return str(self.output)

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Every tool call by name and arguments."""
        return [(call.tool_name, call.tool_kwargs) for call in self.output.tool_calls]

    def check_streamed(self, *, streaming: bool) -> None:
        """Assert that the pieces add up to the answer, or that there are none."""
        pieces = [event for event in self.events if isinstance(event, AgentStream)]
        if not streaming:
            assert pieces == []
            return
        assert "".join(piece.delta for piece in pieces) == self.text
        assert len([piece for piece in pieces if piece.delta]) > 3
        assert pieces[-1].response == self.text


def agent_of(llm: ClovaX, **settings: Any) -> FunctionAgent:
    """Return an agent with two tools."""
    return FunctionAgent(**{"tools": [get_weather, find_train], "llm": llm, **settings})


def call_of(name: str, **arguments: Any) -> dict[str, Any]:
    """Return a scripted tool call."""
    return {"name": name, "arguments": arguments}


@pytest.mark.parametrize("model", MODELS)
def test_agent_calls_its_tool_and_answers(
    server: EmulatorServer, account: dict[str, Any], model: str, mode: dict[str, bool]
) -> None:
    """An agent picks the right one of two tools and answers from its result, in two requests; pieces add up to it."""
    run = Run(agent_of(ClovaX(model=model, **account), system_prompt="날씨를 돕습니다.", **mode))
    assert run.calls == [CALLED]
    assert run.text.endswith("부산: 맑음, 21도")
    run.check_streamed(**mode)
    assert [request.status for request in server.requests] == [200, 200]
    first, second = (request.body for request in server.requests)
    assert first["messages"][0] == {"role": "system", "content": "날씨를 돕습니다."}
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "tool"]
    assert second["messages"][3]["toolCallId"] == second["messages"][2]["toolCalls"][0]["id"]
    assert run.output.raw["usage"]["total_tokens"] > 0


def test_several_calls_of_one_answer_are_all_run(
    server: EmulatorServer, account: dict[str, Any], mode: dict[str, bool]
) -> None:
    """Calls that come together are each run with their own id, and the results go back in one request."""
    cities = ["서울", "부산", "제주"]
    server.script([{"tool_calls": [call_of("get_weather", location=city) for city in cities]}])
    run = Run(agent_of(ClovaX(**account), **mode))
    assert sorted(kwargs["location"] for _, kwargs in run.calls) == sorted(cities)
    assert all(f"{city}: 맑음" in run.text for city in cities)
    assert len(server.requests) == 2
    _, called, *results = server.requests[-1].body["messages"]
    by_id = {call["id"]: call["function"]["arguments"]["location"] for call in called["toolCalls"]}
    assert len(by_id) == 3
    assert {result["toolCallId"]: result["content"] for result in results} == {
        call_id: get_weather(city) for call_id, city in by_id.items()
    }


def test_calls_one_after_the_other(server: EmulatorServer, account: dict[str, Any], mode: dict[str, bool]) -> None:
    """An agent may call again after a result; each answer sees all results so far."""
    server.script([{"tool_calls": [call_of("get_weather", location=city)]} for city in ("서울", "부산")])
    run = Run(agent_of(ClovaX(**account), **mode))
    assert [kwargs["location"] for _, kwargs in run.calls] == ["서울", "부산"]
    assert [len(request.body["messages"]) for request in server.requests] == [1, 3, 5]


@pytest.mark.parametrize("model", ["HCX-005", "HCX-007"])
def test_structured_answer(server: EmulatorServer, account: dict[str, Any], model: str, mode: dict[str, bool]) -> None:
    """With output_cls the run ends with an instance: by the model's own structured output, else by a tool call."""
    values = {"location": "부산", "degrees": 21}
    native = model == "HCX-007"
    last = json.dumps(values) if native else {"tool_calls": [call_of("Report", **values)]}
    server.script([{"tool_calls": [call_of(*CALLED[:1], **CALLED[1])]}, "부산은 21도입니다.", last])
    run = Run(agent_of(ClovaX(model=model, **account), output_cls=Report, **mode))
    assert run.output.get_pydantic_model(Report) == Report(**values)
    assert run.text == "부산은 21도입니다."
    good = [request.body for request in server.requests if request.status == 200]
    assert ["responseFormat" in body for body in good] == [False, False, native]
    assert not any("responseFormat" in body and "tools" in body for body in good)


@pytest.mark.parametrize("model", ["HCX-005", "HCX-007"])
def test_structured_answer_without_a_script(account: dict[str, Any], model: str) -> None:
    """The same from what the emulator makes of tool results."""
    run = Run(agent_of(ClovaX(model=model, **account), output_cls=Report))
    found = run.output.get_pydantic_model(Report)
    assert found is not None
    assert found.degrees == 21


def test_initial_tool_choice_goes_to_the_first_request_only(
    server: EmulatorServer, account: dict[str, Any], mode: dict[str, bool]
) -> None:
    """The tool that the first answer has to call is demanded once, and the agent still ends with an answer."""
    run = Run(agent_of(ClovaX(**account), initial_tool_choice="find_train", **mode))
    assert [name for name, _ in run.calls] == ["find_train"]
    assert "09:00" in run.text
    good = [request.body for request in server.requests if request.status == 200]
    assert len(good) == 2
    assert "toolChoice" in good[0]
    assert "toolChoice" not in good[1]


def test_memory_over_two_runs(server: EmulatorServer, account: dict[str, Any], mode: dict[str, bool]) -> None:
    """A second run sends what was said in the first, tool calls and results included, and given messages stay."""
    agent = agent_of(ClovaX(**account), **mode)
    history = [ChatMessage("저는 부산에 삽니다."), ChatMessage("그렇군요.", role="assistant")]
    given = copy.deepcopy(history)
    # A buffer writes into the list that it is given.
    memory = ChatMemoryBuffer.from_defaults(chat_history=list(history), token_limit=4_000)
    Run(agent, memory=memory)
    Run(agent, "고마워요.", memory=memory)
    messages = server.requests[-1].body["messages"]
    roles = [message["role"] for message in messages]
    assert roles == ["user", "assistant", "user", "assistant", "tool", "assistant", "user"]
    assert messages[4]["content"] == "부산: 맑음, 21도"
    assert history == given


def test_agents_hand_over(server: EmulatorServer, account: dict[str, Any], mode: dict[str, bool]) -> None:
    """An agent hands over to another one, which has its own tools and the conversation so far, and answers."""
    llm = ClovaX(**account)
    weather = agent_of(
        llm,
        name="weather",
        description="날씨를 아는 상담원",
        tools=[get_weather],
        can_handoff_to=["train"],
        **mode,
    )
    train = agent_of(llm, name="train", description="기차를 아는 상담원", tools=[find_train], **mode)
    server.script(
        [
            {"tool_calls": [call_of("handoff", to_agent="train", reason="기차표")]},
            {"tool_calls": [call_of("find_train", start="서울", end="부산")]},
        ]
    )
    run = Run(AgentWorkflow(agents=[weather, train], root_agent="weather"), TRAIN)
    assert run.output.current_agent_name == "train"
    assert [name for name, _ in run.calls] == ["handoff", "find_train"]
    assert "서울-부산 09:00" in run.text
    assert [event.tool_name for event in run.events if isinstance(event, ToolCallResult)] == ["handoff", "find_train"]
    run.check_streamed(**mode)
    offered = [[tool["function"]["name"] for tool in request.body["tools"]] for request in server.requests]
    assert [names[0] for names in offered] == ["get_weather", "find_train", "find_train"]


def test_workflow_from_functions(server: EmulatorServer, account: dict[str, Any]) -> None:
    """AgentWorkflow.from_tools_or_functions makes an agent that calls tools, as the model can."""
    run = Run(AgentWorkflow.from_tools_or_functions([get_weather, find_train], llm=ClovaX(**account)))
    assert run.calls == [CALLED]
    run.check_streamed(streaming=True)
    assert len(server.requests) == 2


@pytest.mark.usefixtures("busy")
def test_a_full_quota_delays_an_agent_and_breaks_nothing(
    server: EmulatorServer, account: dict[str, Any], mode: dict[str, bool]
) -> None:
    """An agent whose first requests are refused with 429 ends well, with one good request for each answer."""
    run = Run(agent_of(ClovaX(**account), **mode))
    assert run.calls == [CALLED]
    run.check_streamed(**mode)
    assert [request.status for request in server.requests] == [429, 429, 200, 200]


def test_one_agent_in_several_event_loops(
    server: EmulatorServer, account: dict[str, Any], mode: dict[str, bool]
) -> None:
    """One agent runs in three asyncio.run calls, and beside itself in the last one, each time to the same answer."""
    agent = agent_of(ClovaX(**account), **mode)

    async def twice() -> list[str]:
        return [str(each) for each in await asyncio.gather(*(agent.run(QUESTION, max_iterations=5) for _ in range(2)))]

    answers = [Run(agent).text, Run(agent).text, *asyncio.run(twice())]
    assert len(set(answers)) == 1
    assert len(server.requests) == 8
