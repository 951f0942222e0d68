"""Memories that are cut where tools were called: the service takes what is left, and the next answer is right."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware, before_model
from langchain_core.messages import RemoveMessage, trim_messages
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer, Memory
from program_support import MODELS, WAYS, WORKFLOW_WARNINGS, bodies, run_agent, run_graph, statuses

from langchain_clova import ChatClovaX
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

pytestmark = [pytest.mark.filterwarnings(f"ignore:{message}:DeprecationWarning") for message in WORKFLOW_WARNINGS]

CITIES = ("부산", "서울", "제주")
QUESTIONS = [f"{city} 날씨를 알려 주세요." for city in CITIES]


def get_weather(city: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{city}: 맑음, 21도, 바람이 조금 불고 밤에는 구름이 낍니다."


def conversations(server: EmulatorServer) -> list[list[dict[str, Any]]]:
    """Return the messages of each request with tools, without a system message, and check that calls have results."""
    found = []
    for body in bodies(server):
        if "tools" not in body:
            continue
        messages = [message for message in body["messages"] if message["role"] != "system"]
        called = [call["id"] for message in messages for call in message.get("toolCalls", [])]
        assert called == [message["toolCallId"] for message in messages if message["role"] == "tool"]
        assert messages[0]["role"] == "user"
        found.append(messages)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS)
def test_trim_messages(server: EmulatorServer, account: dict[str, Any], model: str, way: str) -> None:
    """trim_messages with the model as counter keeps the newest turns whole, in three turns with a tool each."""
    llm = ChatClovaX(model=model, **account)

    @before_model
    def trim(state: Any, runtime: Any) -> dict[str, Any]:
        kept = trim_messages(
            state["messages"],
            max_tokens=150,
            token_counter=llm,
            strategy="last",
            start_on="human",
            end_on=("human", "tool"),
        )
        return {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES), *kept]}

    agent = create_agent(
        llm, [tool(get_weather)], system_prompt="날씨를 돕습니다.", middleware=[trim], checkpointer=InMemorySaver()
    )
    for city, question in zip(CITIES, QUESTIONS, strict=True):
        run = run_graph(agent, way, {"messages": [("user", question)]}, {"configurable": {"thread_id": "1"}})
        assert f"{city}: 맑음" in run.answer
    if way.endswith("stream"):
        run.check_streamed()
    assert statuses(server) == [200] * 6
    kept = conversations(server)
    assert [len(messages) for messages in kept] == [1, 3, 5, 7, 5, 7]  # whole turns of four messages are gone
    assert [message["content"] for message in kept[-1] if message["role"] == "user"] == QUESTIONS[-2:]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS)
def test_summarization(server: EmulatorServer, account: dict[str, Any], model: str, way: str) -> None:
    """SummarizationMiddleware puts a summary in place of old turns, by a share of the model's context."""
    llm = ChatClovaX(model=model, **account)
    share = 200 / llm.profile["max_input_tokens"]
    middleware = SummarizationMiddleware(llm, trigger=("fraction", share), keep=("messages", 2))
    agent = create_agent(llm, [tool(get_weather)], middleware=[middleware], checkpointer=InMemorySaver())
    for city, question in zip(CITIES, QUESTIONS, strict=True):
        run = run_graph(agent, way, {"messages": [("user", question)]}, {"configurable": {"thread_id": "1"}})
        assert f"{city}: 맑음" in run.answer
    if way.endswith("stream"):
        run.check_streamed()
    assert set(statuses(server)) == {200}
    kept = conversations(server)
    assert len(bodies(server)) - len(kept) == 1  # the request for a summary
    assert [len(messages) for messages in kept] == [1, 3, 5, 7, 3, 5]
    told = kept[-1][0]["content"]
    assert all(f"{city}: 맑음" in told for city in CITIES[:-1])


async def converse(server: EmulatorServer, agent: FunctionAgent, memory: Any, *, streaming: bool) -> None:
    """Ask the three questions one after the other."""
    for city, question in zip(CITIES, QUESTIONS, strict=True):
        run = await run_agent(agent, question, memory=memory)
        assert f"{city}: 맑음" in run.answer
        run.check_streamed(streaming=streaming)
    assert statuses(server) == [200] * 6
    kept = conversations(server)
    assert [len(messages) for messages in kept] == [1, 3, 5, 7, 5, 7]
    assert [message["content"] for message in kept[-1] if message["role"] == "user"] == QUESTIONS[-2:]


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("model", MODELS)
def test_buffer_of_llamaindex(server: EmulatorServer, account: dict[str, Any], model: str, *, streaming: bool) -> None:
    """ChatMemoryBuffer with a small limit forgets the oldest turns, calls and results together."""
    agent = FunctionAgent(tools=[get_weather], llm=ClovaX(model=model, **account), streaming=streaming)
    memory = ChatMemoryBuffer.from_defaults(token_limit=155)
    asyncio.run(converse(server, agent, memory, streaming=streaming))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_memory_of_llamaindex(server: EmulatorServer, account: dict[str, Any], model: str) -> None:
    """Memory, which keeps its messages in a database, forgets in the same way; what was forgotten is still there."""
    agent = FunctionAgent(tools=[get_weather], llm=ClovaX(model=model, **account))

    async def main() -> None:
        memory = Memory.from_defaults("1", token_limit=300, chat_history_token_ratio=0.7, token_flush_size=50)
        await converse(server, agent, memory, streaming=True)
        assert [message.content for message in await memory.aget_all() if message.role == "user"] == QUESTIONS
        store: Any = memory.sql_store
        await store._async_engine.dispose()

    asyncio.run(main())
