"""Tools that others name: handoffs between agents with Hangul names, and the tools of an MCP server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph_supervisor import create_supervisor
from mcp.server.fastmcp import FastMCP
from mcp.shared.memory import create_connected_server_and_client_session as connected
from names_support import WEATHER, as_sent, check_sent, weather

from clova_studio.emulator import serve
from langchain_clova import ChatClovaX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

pytestmark = pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
WAYS = ("invoke", "ainvoke", "stream", "astream")
ASKED = {"messages": [("user", WEATHER)]}


@pytest.fixture(params=[False, True], ids=["any", "ascii"])
def server(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """An emulator that takes any name, and one that takes ASCII names only."""
    with serve(ascii_names=request.param) as running:
        yield running


def model_of(server: EmulatorServer) -> ChatClovaX:
    """Return a model that asks an emulator."""
    return ChatClovaX(api_key=server.api_key, base_url=server.base_url)


def turns_of(graph: Any, way: str) -> list[Any]:
    """Return the messages of a run, asked in one of the four ways."""

    async def asynchronous() -> Any:
        if way == "ainvoke":
            return await graph.ainvoke(ASKED)
        return [state async for state in graph.astream(ASKED, stream_mode="values")][-1]

    if way.startswith("a"):
        found = asyncio.run(asynchronous())
    else:
        found = graph.invoke(ASKED) if way == "invoke" else list(graph.stream(ASKED, stream_mode="values"))[-1]
    return list(found["messages"])


@pytest.mark.parametrize("way", WAYS)
def test_supervisor_hands_over_to_a_hangul_agent(server: EmulatorServer, way: str) -> None:
    """The tool that hands over has the agent's Hangul name; it is found, and the worker answers with its own tool."""
    model = model_of(server)
    worker = create_agent(model, [weather], name="날씨_담당")
    graph = create_supervisor([worker], model=model, prompt="날씨는 날씨_담당에게 넘기세요.").compile()
    handoff = {"name": as_sent(server, "transfer_to_날씨_담당"), "arguments": {}}
    called = {"name": as_sent(server, "날씨"), "arguments": {as_sent(server, "도시"): "부산"}}
    server.script([{"tool_calls": [handoff]}, {"tool_calls": [called]}])
    turns = turns_of(graph, way)
    results = [turn for turn in turns if isinstance(turn, ToolMessage)]
    assert results[0].name == "transfer_to_날씨_담당"
    assert any("부산: 맑음" in turn.text for turn in turns)
    check_sent(server)


def mcp_server() -> FastMCP:
    """Return a server whose tool and parameter have names of every kind."""
    made = FastMCP("기상청")
    made.tool(name="기상청.날씨/오늘", description="도시의 날씨를 알려 줍니다.")(weather)
    return made


@pytest.mark.parametrize("streamed", [False, True])
def test_mcp_tool_is_called_by_its_name(server: EmulatorServer, streamed: bool) -> None:  # noqa: FBT001
    """An agent calls the tool of an MCP server whose name has Hangul, a dot and a slash, with its own parameters."""

    async def main() -> list[Any]:
        async with connected(mcp_server()._mcp_server) as session:
            agent = create_agent(model_of(server), await load_mcp_tools(session))
            if not streamed:
                return list((await agent.ainvoke(ASKED))["messages"])  # type: ignore[arg-type]  # what it takes
            return [state async for state in agent.astream(ASKED, stream_mode="values")][-1]["messages"]  # type: ignore[arg-type]

    turns = asyncio.run(main())
    (result,) = [turn for turn in turns if isinstance(turn, ToolMessage)]
    assert result.name == "기상청.날씨/오늘"
    assert "부산: 맑음" in str(result.content)
    assert "부산: 맑음" in turns[-1].text
    check_sent(server)
