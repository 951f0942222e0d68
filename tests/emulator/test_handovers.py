"""Programs of several agents: a result that only names the agent that goes on leaves the question open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import tool, user

if TYPE_CHECKING:
    import httpx

PATH = "/v3/chat-completions/HCX-005"
TEXT = {"type": "string"}
WEATHER = tool("get_weather", "도시의 날씨를 알려 줍니다.", city=TEXT)
TRAIN = tool("find_train", "기차표를 찾습니다.", destination=TEXT)
ASK_WEATHER = tool("transfer_to_weather_expert", "Ask agent 'weather_expert' for help")
ASK_TRAIN = tool("transfer_to_train_expert", "Ask agent 'train_expert' for help")
HANDOFF = tool(
    "handoff",
    "Useful for handing off to another agent.\n\nCurrently available agents:\n"
    "{'환율 상담원': '환율을 압니다.', '날씨 상담원': \"사람들의 '날씨' 질문에 답합니다.\"}\n",
    to_agent=TEXT,
    reason=TEXT,
)
QUESTION = "부산 날씨를 알려 주세요."
FOUND = "부산은 맑고 21도입니다."
RESULTS = [
    "Successfully transferred to weather_expert",
    "Agent weather is now handling the request due to the following reason: 날씨.\nPlease continue with it.",
    '{"assistant": "Weather agent"}',
    "날씨 상담원에게 넘겼습니다.",
]


def answer(client: httpx.Client, turns: list[dict[str, Any]], *tools: dict[str, Any]) -> tuple[list[Any], str]:
    """Return the tool calls and the text that answer a conversation."""
    body = {**user(QUESTION, tools=list(tools)), "maxTokens": 1_024}
    message = client.post(PATH, json={**body, "messages": [*body["messages"], *turns]}).json()["result"]["message"]
    calls = [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("toolCalls", [])]
    return calls, message["content"]


def called(name: str, result: str, text: str = "") -> list[dict[str, Any]]:
    """Return a call of a tool and its result."""
    call = {"id": name, "type": "function", "function": {"name": name, "arguments": {}}}
    return [
        {"role": "assistant", "content": text, "toolCalls": [call]},
        {"role": "tool", "toolCallId": name, "content": result},
    ]


@pytest.mark.parametrize("result", RESULTS)
def test_the_next_agent_uses_its_own_tool(either: httpx.Client, result: str) -> None:
    """The agent that goes on calls the tool of its own that fits the question, and none that does not fit."""
    turns = called("transfer_to_weather_expert", result)
    assert answer(either, turns, WEATHER, TRAIN) == ([("get_weather", {"city": "부산"})], "")
    calls, text = answer(either, turns, TRAIN)
    assert calls == []
    assert text


@pytest.mark.parametrize("said", [FOUND, f"<name>weather_expert</name><content>{FOUND}</content>"])
def test_what_a_worker_found_is_repeated(either: httpx.Client, said: str) -> None:
    """When the work comes back, the supervisor answers with what the worker said, and asks nobody else."""
    turns = [
        *called("transfer_to_weather_expert", "Successfully transferred to weather_expert"),
        {"role": "assistant", "content": said},
        *called("transfer_back_to_supervisor", "Successfully transferred back to supervisor", "Transferring back"),
    ]
    assert answer(either, turns, ASK_WEATHER, ASK_TRAIN) == ([], FOUND)


def test_work_that_comes_back_and_forth_ends(either: httpx.Client) -> None:
    """A tool that was called since the question is not called again, so agents do not hand over for ever."""
    turns = [
        *called("transfer_to_weather_expert", RESULTS[0]),
        *called("get_weather", "부산: 맑음"),
        *called("transfer_back_to_supervisor", "Successfully transferred back to supervisor"),
    ]
    assert answer(either, turns, ASK_WEATHER, WEATHER)[0] == []


@pytest.mark.parametrize("told", ["Transferred 30,000 won to Kim.", f"30,000 won. {'가' * 400} transferred to Kim"])
def test_a_result_that_speaks_of_a_transfer_is_a_result(either: httpx.Client, told: str) -> None:
    """A result with facts in it is answered from, also where money was transferred."""
    calls, text = answer(either, called("transfer_money", told), WEATHER)
    assert calls == []
    assert "30,000 won" in text


def test_the_right_agent_is_named(either: httpx.Client) -> None:
    """Of the agents that the description of a tool lists, the one that fits the question is handed over to."""
    (name, arguments), *others = answer(either, [], HANDOFF)[0]
    assert (name, arguments["to_agent"], others) == ("handoff", "날씨 상담원", [])
    turns = called("handoff", "Agent 날씨 상담원 is now handling the request due to the following reason: 날씨.")
    assert answer(either, turns, WEATHER, HANDOFF)[0] == [("get_weather", {"city": "부산"})]
