"""Tools of an MCP server over stdio, through llama-index-tools-mcp: listed, sent, called, and their results read."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec

from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

PROGRAM = Path(__file__).parents[1] / "support" / "mcp_server.py"
# LlamaIndex's workflows look at every attribute of an agent, those that pydantic deprecated included.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The `__fields_set__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]


async def ask(question: str, llm: ClovaX, *, streaming: bool = True) -> tuple[list[ToolCallResult], str]:
    """Start the server, give its tools to an agent, and return the results of its calls and its answer."""
    client = BasicMCPClient(sys.executable, args=[str(PROGRAM)])
    tools = await McpToolSpec(client=client).to_tool_list_async()
    handler = FunctionAgent(tools=tools, llm=llm, streaming=streaming).run(question)
    results = [event async for event in handler.stream_events() if isinstance(event, ToolCallResult)]
    return results, str(await handler)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("model", ["HCX-005", "HCX-007", "HCX-DASH-002"])
def test_agent_calls_a_tool_of_a_server(
    server: EmulatorServer,
    account: dict[str, Any],
    model: str,
    streaming: bool,  # noqa: FBT001
) -> None:
    """Schemas arrive without references and null types; the call comes back with its result, which is answered."""
    llm = ClovaX(model=model, **account)
    results, answer = asyncio.run(ask("부산 날씨를 알려 주세요.", llm, streaming=streaming))
    assert [(result.tool_name, result.tool_kwargs) for result in results] == [("get_weather", {"location": "부산"})]
    assert results[0].tool_output.raw_output.content[0].text == "부산: 맑음, 21 C"
    assert "맑음, 21 C" in answer
    sent = {tool["function"]["name"]: tool["function"]["parameters"] for tool in server.requests[0].body["tools"]}
    assert sent["now"] == {"type": "object", "properties": {}}
    assert sent["get_weather"]["properties"]["unit"] == {"type": "string", "enum": ["C", "F"]}
    stop = {"name": {"type": "string"}, "minutes": {"type": "integer"}}
    assert sent["plan_trip"]["properties"] == {
        "start": {"type": "string"},
        "stops": {"type": "array", "items": {"type": "object", "properties": stop, "required": ["name"]}},
        "by": {"type": "string"},
    }
    told = server.requests[1].body["messages"][-1]
    assert told["role"] == "tool"
    assert "부산: 맑음, 21 C" in told["content"]


def test_nested_arguments(server: EmulatorServer, account: dict[str, Any]) -> None:
    """A call with nested arguments reaches the server, and several calls of one answer have a result each."""
    stops = [{"name": "대전", "minutes": 5}, {"name": "대구"}]
    calls = [
        {"name": "plan_trip", "arguments": {"start": "서울", "stops": stops}},
        {"name": "now", "arguments": {}},
    ]
    server.script([{"content": "", "tool_calls": calls}, {"content": "다 했습니다."}])
    results, answer = asyncio.run(ask("여행을 준비해 주세요.", ClovaX(**account)))
    outputs = {result.tool_name: result.tool_output.raw_output.structuredContent for result in results}
    assert outputs == {"plan_trip": {"stops": 2, "by": 0, "start": 2}, "now": {"result": "12:00"}}
    assert answer == "다 했습니다."


def test_pictures_are_no_prompt_text(server: EmulatorServer, account: dict[str, Any]) -> None:
    """Of a picture in a result the text beside it goes on, and not its base64."""
    calls = [{"name": "take_picture", "arguments": {"place": "해운대"}}]
    server.script([{"content": "", "tool_calls": calls}, {"content": "다 했습니다."}])
    with pytest.warns(UserWarning, match="image/png"):
        results, _ = asyncio.run(ask("사진을 찍어 주세요.", ClovaX(**account)))
    assert results[0].tool_output.raw_output.content[1].mimeType == "image/png"
    told = server.requests[1].body["messages"][-1]["content"]
    assert "해운대 사진" in told
    assert len(told) < 500
