"""Agents whose tools are on an MCP server, which runs as a process of its own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from program_support import MODELS, WORKFLOW_WARNINGS, arun_graph, bodies, run_agent, statuses

from langchain_clova import ChatClovaX
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

pytestmark = [pytest.mark.filterwarnings(f"ignore:{message}:DeprecationWarning") for message in WORKFLOW_WARNINGS]

SERVER = str(Path(__file__).parents[1] / "support" / "mcp_travel_server.py")
COMMAND = StdioServerParameters(command=sys.executable, args=[SERVER])
WEATHER = "부산 날씨를 알려 주세요."
BOOKING = "기차표를 예매해 주세요. destination: 부산, 승객 이름: 김민수, 좌석 수: 2"
BOOKED = ("book_train", {"destination": "부산", "passenger": {"name": "김민수", "seats": 2}})
FESTIVALS = "이번 달 축제 목록을 보여 주세요."
REFUND = "refund: A-17"


def check_tools(body: dict[str, Any]) -> None:
    """Assert that a request offers the four tools, each described, with nothing that the service does not know."""
    tools = {tool["function"]["name"]: tool["function"] for tool in body["tools"]}
    assert list(tools) == ["get_weather", "book_train", "list_festivals", "refund"]
    assert all(tool["description"] for tool in tools.values())
    weather = tools["get_weather"]["parameters"]
    assert weather["properties"]["unit"]["enum"] == ["celsius", "fahrenheit"]
    assert weather["required"] == ["city"]
    passenger = tools["book_train"]["parameters"]["properties"]["passenger"]
    assert passenger["required"] == ["name"]
    assert passenger["properties"]["name"] == {"type": "string", "description": "탑승객 이름"}
    assert not any(word in str(body["tools"]) for word in ("$ref", "$defs", "'null'", "'title'"))


@pytest.mark.slow
def test_langchain_agent_in_one_session(server: EmulatorServer, account: dict[str, Any]) -> None:
    """create_agent runs the right one of a server's four tools with the right arguments, on every model.

    What it answers is what the tool found: a text, an object, a list of texts, or an error that the tool reported.
    """

    async def main() -> None:
        async with stdio_client(COMMAND) as streams, ClientSession(*streams) as session:
            await session.initialize()
            tools = await load_mcp_tools(session)
            for model in MODELS:
                agent = create_agent(ChatClovaX(model=model, **account), tools)
                for way in ("ainvoke", "astream"):
                    run = await arun_graph(agent, way, {"messages": [("user", WEATHER)]})
                    assert run.calls == [("get_weather", {"city": "부산"})]
                    assert "부산: 맑음, 21도 (celsius)" in run.answer
                run.check_streamed()
            run = await arun_graph(agent, "ainvoke", {"messages": [("user", BOOKING)]})
            assert run.calls == [BOOKED]
            assert "김민수" in run.answer
            run = await arun_graph(agent, "ainvoke", {"messages": [("user", FESTIVALS)]})
            assert run.calls == [("list_festivals", {})]
            assert "유등축제\n강릉" in run.answer
            run = await arun_graph(agent, "ainvoke", {"messages": [("user", REFUND)]})
            assert run.calls == [("refund", {"ticket": "A-17"})]
            assert run.messages[2].status == "error"
            assert "환불할 수 없는 표" in run.answer

    asyncio.run(main())
    assert statuses(server) == [200] * 18
    check_tools(bodies(server)[0])


@pytest.mark.slow
def test_langchain_agent_with_a_client(server: EmulatorServer, account: dict[str, Any]) -> None:
    """So does an agent with the tools of MultiServerMCPClient, which starts the server anew for each call."""

    async def main() -> None:
        client = MultiServerMCPClient({"travel": {"transport": "stdio", "command": sys.executable, "args": [SERVER]}})
        agent = create_agent(ChatClovaX(**account), await client.get_tools())
        run = await arun_graph(agent, "astream", {"messages": [("user", WEATHER)]})
        assert run.results == ["부산: 맑음, 21도 (celsius)"]
        run.check_streamed()

    asyncio.run(main())
    assert statuses(server) == [200, 200]


@pytest.mark.slow
def test_llamaindex_agent_in_one_session(server: EmulatorServer, account: dict[str, Any]) -> None:
    """FunctionAgent runs the right one of a server's four tools with the right arguments, on every model."""

    async def main() -> None:
        async with stdio_client(COMMAND) as streams, ClientSession(*streams) as session:
            await session.initialize()
            tools = await McpToolSpec(session).to_tool_list_async()
            for model in MODELS:
                for streaming in (True, False):
                    agent = FunctionAgent(tools=tools, llm=ClovaX(model=model, **account), streaming=streaming)
                    run = await run_agent(agent, WEATHER)
                    assert [made[:2] for made in run.results] == [("get_weather", {"city": "부산"})]
                    assert "부산: 맑음, 21도 (celsius)" in run.answer
                    run.check_streamed(streaming=streaming)
            for question, call, found in (
                (BOOKING, BOOKED, "김민수"),
                (FESTIVALS, ("list_festivals", {}), "강릉 커피축제"),
                (REFUND, ("refund", {"ticket": "A-17"}), "환불할 수 없는 표"),
            ):
                run = await run_agent(agent, question)
                assert [made[:2] for made in run.results] == [call]
                assert found in run.answer

    asyncio.run(main())
    assert statuses(server) == [200] * 18
    check_tools(bodies(server)[0])


@pytest.mark.slow
def test_llamaindex_agent_with_a_client(server: EmulatorServer, account: dict[str, Any]) -> None:
    """So does an agent with the tools of BasicMCPClient, listed without a loop, each call in a process of its own."""
    tools = McpToolSpec(BasicMCPClient(sys.executable, args=[SERVER]), allowed_tools=["get_weather"]).to_tool_list()
    run = asyncio.run(run_agent(FunctionAgent(tools=tools, llm=ClovaX(**account)), WEATHER))
    assert "부산: 맑음, 21도 (celsius)" in run.answer
    run.check_streamed(streaming=True)
    assert statuses(server) == [200, 200]
