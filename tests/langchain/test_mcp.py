"""Tools of an MCP server over stdio, through langchain-mcp-adapters: listed, sent, called, and their results read."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

from langchain_clova import ChatClovaX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from clova_studio.emulator import EmulatorServer

PROGRAM = Path(__file__).parents[1] / "support" / "mcp_server.py"
SCHEMAS = {
    "get_weather": {
        "type": "object",
        "properties": {"location": {"type": "string", "minLength": 1}, "unit": {"type": "string", "enum": ["C", "F"]}},
        "required": ["location"],
    },
    "plan_trip": {
        "type": "object",
        "properties": {
            "start": {"type": "string"},
            "stops": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "minutes": {"type": "integer"}},
                    "required": ["name"],
                },
            },
            "by": {"type": "string"},
        },
        "required": ["start", "stops"],
    },
    "now": {"type": "object", "properties": {}},
    "take_picture": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}

pytestmark = pytest.mark.slow


def with_tools(work: Callable[[list[Any]], Awaitable[Any]]) -> Any:
    """Start the server, list its tools, and do some work with them."""

    async def main() -> Any:
        client = MultiServerMCPClient(
            {"travel": {"transport": "stdio", "command": sys.executable, "args": [str(PROGRAM)]}}
        )
        async with client.session("travel") as session:
            return await work(await load_mcp_tools(session))

    return asyncio.run(main())


def without_descriptions(schema: Any) -> Any:
    """Return a schema without what is only for reading: the keyword, not a property of that name."""
    if isinstance(schema, dict):
        return {key: without_descriptions(value) for key, value in schema.items() if key != "description"}
    return [without_descriptions(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", ["HCX-005", "HCX-007", "HCX-DASH-002"])
def test_agent_calls_a_tool_of_a_server(server: EmulatorServer, account: dict[str, Any], model: str) -> None:
    """Schemas arrive without references and null types; the call comes back with its result, which is answered."""

    async def work(tools: list[Any]) -> Any:
        agent = create_agent(ChatClovaX(model=model, **account), tools)
        asked = {"messages": [("user", "부산 날씨를 알려 주세요.")]}
        whole = await agent.ainvoke(asked)
        parts = [part async for part in agent.astream(asked, stream_mode="updates")]
        return whole["messages"], [message for part in parts for node in part.values() for message in node["messages"]]

    for messages in with_tools(work):
        call, result, answer = messages[-3:]
        assert [(one["name"], one["args"]) for one in call.tool_calls] == [("get_weather", {"location": "부산"})]
        assert result.text == "부산: 맑음, 21 C"
        assert "맑음, 21 C" in answer.text
    sent = {tool["function"]["name"]: tool["function"] for tool in server.requests[0].body["tools"]}
    assert {name: without_descriptions(function["parameters"]) for name, function in sent.items()} == SCHEMAS
    assert sent["get_weather"]["parameters"]["properties"]["location"]["description"] == "도시"
    told = server.requests[1].body["messages"][-1]
    assert (told["role"], told["content"]) == ("tool", "부산: 맑음, 21 C")


def test_nested_arguments_and_pictures(server: EmulatorServer, account: dict[str, Any]) -> None:
    """Nested arguments reach the server; a picture in a result goes on as a placeholder, with a warning."""
    stops = [{"name": "대전", "minutes": 5}, {"name": "대구"}]
    calls = [
        {"name": "plan_trip", "arguments": {"start": "서울", "stops": stops}},
        {"name": "take_picture", "arguments": {"place": "해운대"}},
        {"name": "now", "arguments": {}},
    ]
    server.script([{"content": "", "tool_calls": calls}, {"content": "다 했습니다."}])

    async def work(tools: list[Any]) -> Any:
        agent = create_agent(ChatClovaX(**account), tools)
        return (await agent.ainvoke({"messages": [("user", "여행을 준비해 주세요.")]}))["messages"]

    with pytest.warns(UserWarning, match="image"):
        messages = with_tools(work)
    results = {message.name: message for message in messages if isinstance(message, ToolMessage)}
    assert '"stops": 2' in results["plan_trip"].text
    assert results["now"].text == "12:00"
    assert messages[-1].text == "다 했습니다."
    told = [message["content"] for message in server.requests[1].body["messages"] if message["role"] == "tool"]
    assert ["해운대 사진" in content for content in told] == [False, True, False]
    assert all(len(content) < 200 for content in told)
