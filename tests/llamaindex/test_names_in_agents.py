"""Tools that others name: agents with Hangul names, query engines as tools, and the tools of an MCP server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.tools import QueryEngineTool
from llama_index.tools.mcp import McpToolSpec
from mcp.server.fastmcp import FastMCP
from mcp.shared.memory import create_connected_server_and_client_session as connected
from names_support import WEATHER, as_sent, check_sent, rates, weather

from clova_studio.emulator import serve
from llama_index_clova import ClovaEmbedding, ClovaX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

# LlamaIndex's workflows look at every attribute of an agent, those that pydantic deprecated included.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The `__fields_set__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]


@pytest.fixture(params=[False, True], ids=["any", "ascii"])
def server(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """An emulator that takes any name, and one that takes ASCII names only."""
    with serve(ascii_names=request.param) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["streamed", "whole"])
def streaming(request: pytest.FixtureRequest) -> bool:
    """Whether the agent streams."""
    return bool(request.param)


def account(server: EmulatorServer) -> dict[str, Any]:
    """Return key and address of an emulator."""
    return {"api_key": server.api_key, "base_url": server.base_url}


def run(agent: Any, question: str) -> tuple[list[tuple[str, dict[str, Any], str]], str]:
    """Return the calls of an agent with what they gave, and its answer."""

    async def main() -> Any:
        return await agent.run(question, max_iterations=5)

    output = asyncio.run(main())
    calls = [(call.tool_name, call.tool_kwargs, str(call.tool_output.content)) for call in output.tool_calls]
    return calls, str(output)


@pytest.mark.parametrize("model", ["HCX-005", "HCX-007", "HCX-DASH-002"])
def test_agent_finds_its_hangul_tool(server: EmulatorServer, model: str, streaming: bool) -> None:  # noqa: FBT001
    """Of two tools with Hangul names the right one is called with its Hangul parameter."""
    agent = FunctionAgent(tools=[weather, rates], llm=ClovaX(model=model, **account(server)), streaming=streaming)
    calls, text = run(agent, WEATHER)
    assert calls == [("날씨", {"도시": "부산"}, "부산: 맑음")]
    assert "부산: 맑음" in text
    check_sent(server)


def test_hangul_agents_hand_over(server: EmulatorServer, streaming: bool) -> None:  # noqa: FBT001
    """An agent hands over to one with a Hangul name, which answers with its own Hangul tool."""
    llm = ClovaX(**account(server))
    first = FunctionAgent(
        name="안내 담당",
        description="손님을 안내한다.",
        tools=[rates],
        can_handoff_to=["날씨 담당"],
        llm=llm,
        streaming=streaming,
    )
    second = FunctionAgent(name="날씨 담당", description="날씨를 안다.", tools=[weather], llm=llm, streaming=streaming)
    handoff = {"name": "handoff", "arguments": {"to_agent": "날씨 담당", "reason": "날씨를 물었다"}}
    called = {"name": as_sent(server, "날씨"), "arguments": {as_sent(server, "도시"): "부산"}}
    server.script([{"tool_calls": [handoff]}, {"tool_calls": [called]}])
    calls, text = run(AgentWorkflow(agents=[first, second], root_agent="안내 담당"), WEATHER)
    assert [(name, arguments) for name, arguments, _ in calls][1:] == [("날씨", {"도시": "부산"})]
    assert "부산: 맑음" in text
    check_sent(server)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["환불 규정", "환불[규정]", "환불규정"])
def test_query_engine_as_a_tool(server: EmulatorServer, name: str, streaming: bool) -> None:  # noqa: FBT001
    """A query engine with a name of any kind is a tool that the agent finds and asks."""
    llm = ClovaX(**account(server))
    index = VectorStoreIndex.from_documents(
        [Document(text="환불은 구매 후 7일 안에 신청합니다.")], embed_model=ClovaEmbedding(**account(server))
    )
    tool = QueryEngineTool.from_defaults(index.as_query_engine(llm=llm), name=name, description="환불 규정을 찾는다.")
    question = "환불은 며칠 안에 신청하나요? 환불 규정을 찾아 주세요."
    calls, text = run(FunctionAgent(tools=[tool, weather], llm=llm, streaming=streaming), question)
    assert [called for called, _, _ in calls] == [name]
    assert "7일" in text


def test_mcp_tool_is_called_by_its_name(server: EmulatorServer, streaming: bool) -> None:  # noqa: FBT001
    """An agent calls the tool of an MCP server whose name has Hangul, a dot and a slash, with its own parameters."""
    made = FastMCP("기상청")
    made.tool(name="기상청.날씨/오늘", description="도시의 날씨를 알려 줍니다.")(weather)

    async def main() -> Any:
        async with connected(made._mcp_server) as session:
            tools = await McpToolSpec(session).to_tool_list_async()
            agent = FunctionAgent(tools=tools, llm=ClovaX(**account(server)), streaming=streaming)
            return await agent.run(WEATHER, max_iterations=5)

    output = asyncio.run(main())
    assert [(call.tool_name, call.tool_kwargs) for call in output.tool_calls] == [
        ("기상청.날씨/오늘", {"도시": "부산"})
    ]
    assert "부산: 맑음" in str(output)
    check_sent(server)
