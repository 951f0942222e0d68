"""Agents and graphs that call tools run to their end: every model, every way of asking."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel

from clova_studio import ConfigurationError, UnsupportedFunctionError
from clova_studio.emulator import Fault, serve
from langchain_clova import ChatClovaX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio.emulator import EmulatorServer

MODELS = ("HCX-005", "HCX-007", "HCX-DASH-002")
WAYS = ("invoke", "ainvoke", "stream", "astream")
QUESTION = {"messages": [("user", "부산 날씨를 알려 주세요.")]}
LIMIT = {"recursion_limit": 12}


@tool
def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음, 21도"


@tool
def find_train(start: str, end: str) -> str:
    """기차표를 찾습니다."""
    return f"{start}-{end} 09:00"


class Report(BaseModel):
    """날씨 보고서."""

    location: str
    degrees: int


@pytest.fixture(scope="module")
def each(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """One emulator, or one of each behaviour."""
    with serve(behaviour=getattr(request, "param", "observed")) as running:
        yield running


def model_of(server: EmulatorServer, name: str = "HCX-005", **settings: Any) -> ChatClovaX:
    """Return a chat model that talks to an emulator."""
    return ChatClovaX(model=name, api_key=server.api_key, base_url=server.base_url, **settings)


class Run:
    """What a graph did: its messages, its structured answer, and what it streamed."""

    def __init__(self, graph: Any, way: str, question: Any = QUESTION) -> None:
        self.messages: list[Any] = []
        self.structured: Any = None
        self.pieces: list[tuple[str, AIMessageChunk]] = []
        self.nodes: list[str] = []
        if way in {"invoke", "ainvoke"}:
            ended = graph.invoke(question, LIMIT) if way == "invoke" else asyncio.run(graph.ainvoke(question, LIMIT))
            self.messages = ended["messages"][1:]
            self.structured = ended.get("structured_response")
            return
        for mode, event in self._events(graph, way, question):
            if mode == "messages":
                self.pieces.append((event[1]["langgraph_node"], event[0]))
                continue
            for node, update in event.items():
                self.nodes.append(node)
                self.messages += update["messages"]
                self.structured = update.get("structured_response") or self.structured

    @staticmethod
    def _events(graph: Any, way: str, question: Any) -> list[Any]:
        modes = ["messages", "updates"]
        if way == "stream":
            return list(graph.stream(question, LIMIT, stream_mode=modes))

        async def gather() -> list[Any]:
            return [event async for event in graph.astream(question, LIMIT, stream_mode=modes)]

        return asyncio.run(gather())

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Every tool call by name and arguments."""
        return [
            (call["name"], call["args"])
            for message in self.messages
            if isinstance(message, AIMessage)
            for call in message.tool_calls
        ]

    def check_streamed(self) -> None:
        """Assert that the pieces that were streamed add up to the messages of the model."""
        told: dict[str, AIMessageChunk] = {}
        for _, piece in self.pieces:
            if isinstance(piece, AIMessageChunk):
                told[piece.id] = told[piece.id] + piece if piece.id in told else piece
        answers = [message for message in self.messages if isinstance(message, AIMessage)]
        assert [message.text for message in told.values()] == [message.text for message in answers]
        assert [message.tool_calls for message in told.values()] == [message.tool_calls for message in answers]
        assert [message.usage_metadata for message in told.values()] == [message.usage_metadata for message in answers]


@pytest.mark.slow
@pytest.mark.each_behaviour("each")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_agent_calls_its_tool_and_answers(each: EmulatorServer, name: str, way: str) -> None:
    """create_agent picks the right one of two tools, runs it and answers from its result; pieces add up to it."""
    run = Run(create_agent(model_of(each, name), [get_weather, find_train]), way)
    assert run.calls == [("get_weather", {"location": "부산"})]
    assert [type(message) for message in run.messages] == [AIMessage, ToolMessage, AIMessage]
    assert run.messages[1].status == "success"
    assert "21도" in run.messages[2].text
    assert all(message.usage_metadata["total_tokens"] for message in (run.messages[0], run.messages[2]))
    if way.endswith("stream"):
        assert run.nodes == ["model", "tools", "model"]
        assert sum(bool(piece.text) for node, piece in run.pieces if node == "model") > 2
        run.check_streamed()


@pytest.mark.slow
@pytest.mark.each_behaviour("each")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_agent_with_tools_gives_structured_answer(each: EmulatorServer, name: str, way: str) -> None:
    """With a tool strategy the agent looks something up first and then gives an instance of the schema."""
    agent = create_agent(model_of(each, name), [get_weather, find_train], response_format=ToolStrategy(Report))
    run = Run(agent, way)
    assert run.calls == [("get_weather", {"location": "부산"}), ("Report", {"location": "부산", "degrees": 21})]
    assert run.structured == Report(location="부산", degrees=21)
    if way.endswith("stream"):
        run.check_streamed()


@pytest.mark.each_behaviour("each")
@pytest.mark.parametrize("name", MODELS)
def test_bare_schema_becomes_a_tool(each: EmulatorServer, name: str) -> None:
    """A schema without a strategy never sends tools and a response format together, with and without tools."""
    for tools in ([get_weather], []):
        each.reset()
        run = Run(create_agent(model_of(each, name), tools, response_format=Report), "invoke")
        assert run.structured.location == "부산"
        assert not any("responseFormat" in request.body for request in each.requests)


@pytest.mark.slow
def test_provider_strategy_works_without_tools(each: EmulatorServer) -> None:
    """On HCX-007 a provider strategy without tools is the service's own structured output, all four ways."""
    agent = create_agent(model_of(each, "HCX-007"), [], response_format=ProviderStrategy(Report))
    for way in WAYS:
        each.reset()
        run = Run(agent, way, {"messages": [("user", "부산은 맑고 21도입니다. 날씨 보고서를 쓰세요.")]})
        assert isinstance(run.structured, Report)
        assert json.loads(run.messages[-1].text) == run.structured.model_dump()
        (request,) = each.requests
        assert request.body["responseFormat"]["schema"]["required"] == ["location", "degrees"]


@pytest.mark.parametrize("name", MODELS)
def test_provider_strategy_with_tools_names_the_way_out(each: EmulatorServer, name: str) -> None:
    """With tools a provider strategy is refused before anything is sent, and the message says ToolStrategy."""
    each.reset()
    agent = create_agent(model_of(each, name), [get_weather], response_format=ProviderStrategy(Report))
    with pytest.raises(ConfigurationError, match=r"ToolStrategy\(Schema\)"):
        agent.invoke(QUESTION, LIMIT)
    assert each.requests == []


@pytest.mark.parametrize("way", WAYS)
def test_invented_tool_after_a_result_ends_with_a_marked_answer(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """An agent whose model invents a tool after a result answers without tools, and the answer says so."""
    called = {"tool_calls": [{"name": "get_weather", "arguments": {"location": "부산"}}]}
    server.script([called, Fault("invented_tool", times=1)])
    run = Run(create_agent(chat(), [get_weather, find_train]), way)
    assert run.calls == [("get_weather", {"location": "부산"})]
    assert run.messages[-1].response_metadata["tool_fallback"] is True
    assert "tool_fallback" not in run.messages[0].response_metadata
    assert "21도" in run.messages[-1].text
    assert [request.status for request in server.requests] == [200, 400, 200]
    assert server.requests[-1].body["toolChoice"] == "none"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("policy", ["after_tool_result", "always", "never"])
def test_invented_tool_at_once_goes_by_the_policy(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, policy: str, way: str
) -> None:
    """Before any result only "always" lets an agent go on without tools; else it is the typed error and its hint."""
    server.add_fault(Fault("invented_tool", times=1))
    agent = create_agent(chat(tool_fallback=policy), [get_weather])
    if policy == "always":
        assert Run(agent, way).messages[-1].response_metadata["tool_fallback"] is True
        return
    with pytest.raises(UnsupportedFunctionError) as caught:
        Run(agent, way)
    assert caught.value.code == "40009"
    assert "tool_choice='none'" in caught.value.hint
    assert len(server.requests) == 1


def test_invented_tool_after_a_result_is_raised_if_wanted(
    chat: Callable[..., ChatClovaX], server: EmulatorServer
) -> None:
    """With "never" an agent ends with the typed error after a result too."""
    server.script(
        [{"tool_calls": [{"name": "get_weather", "arguments": {"location": "부산"}}]}, Fault("invented_tool", times=1)]
    )
    with pytest.raises(UnsupportedFunctionError):
        create_agent(chat(tool_fallback="never"), [get_weather]).invoke(QUESTION, LIMIT)


@pytest.mark.parametrize("way", WAYS)
def test_several_calls_of_one_answer_are_all_run(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """Calls that come together are run each with its own id, and their results go back as one history."""
    cities = ["서울", "부산", "제주"]
    server.script([{"tool_calls": [{"name": "get_weather", "arguments": {"location": city}} for city in cities]}])
    run = Run(create_agent(chat(), [get_weather]), way)
    results = [message for message in run.messages if isinstance(message, ToolMessage)]
    assert sorted(result.content for result in results) == sorted(f"{city}: 맑음, 21도" for city in cities)
    _, called, *rest = server.requests[-1].body["messages"]
    ids = [call["id"] for call in called["toolCalls"]]
    assert len(set(ids)) == 3
    assert sorted(message["toolCallId"] for message in rest) == sorted(ids)


def test_wrong_arguments_come_back_to_the_model(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A call that does not fit its tool is answered with an error that the service takes, and the agent goes on."""
    server.script([{"tool_calls": [{"name": "get_weather", "arguments": {"place": 1}}]}])
    run = Run(create_agent(chat(), [get_weather]), "invoke")
    assert run.messages[1].status == "error"
    assert [request.status for request in server.requests] == [200, 200]
    assert "location" in server.requests[-1].body["messages"][-1]["content"]


def test_schema_that_does_not_fit_is_asked_for_again(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A structured answer that does not fit goes back to the model with the error, whose next one is taken."""
    answers = [{"location": "부산", "degrees": "맑음"}, {"location": "부산", "degrees": 21}]
    server.script([{"tool_calls": [{"name": "Report", "arguments": answer}]} for answer in answers])
    run = Run(create_agent(chat(), [get_weather], response_format=ToolStrategy(Report)), "invoke")
    assert run.structured == Report(location="부산", degrees=21)
    results = [message for message in run.messages if isinstance(message, ToolMessage)]
    assert "degrees" in results[0].content
    assert server.requests[-1].body["messages"][-1]["content"] == results[0].content


def graph_of(model: Any, tools: list[Any]) -> Any:
    """Return the graph of langgraph's own documentation: a model, and its tools as long as it calls any."""
    bound = model.bind_tools(tools)

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [bound.invoke(state["messages"])]}

    async def aask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", RunnableLambda(ask, afunc=aask))
    builder.add_node("tools", ToolNode(tools))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", tools_condition)
    builder.add_edge("tools", "model")
    return builder.compile()


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_graph_with_tool_node(each: EmulatorServer, name: str, way: str) -> None:
    """A langgraph graph with ToolNode and tools_condition ends with an answer from the tool's result."""
    run = Run(graph_of(model_of(each, name), [get_weather, find_train]), way)
    assert run.calls == [("get_weather", {"location": "부산"})]
    assert "21도" in run.messages[-1].text
    if way.endswith("stream"):
        assert run.nodes == ["model", "tools", "model"]
        assert sum(bool(piece.text) for node, piece in run.pieces if node == "model") > 2
        run.check_streamed()


def test_invented_tool_in_a_graph(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A graph too ends with the marked answer."""
    server.script(
        [{"tool_calls": [{"name": "get_weather", "arguments": {"location": "부산"}}]}, Fault("invented_tool", times=1)]
    )
    run = Run(graph_of(chat(), [get_weather]), "stream")
    assert run.messages[-1].response_metadata["tool_fallback"] is True
