"""What the whole programs share: the models, and what a run of a LangGraph graph or a LlamaIndex agent gave."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

MODELS = ("HCX-005", "HCX-007", "HCX-DASH-002")
WAYS = ("invoke", "ainvoke", "stream", "astream")
# LlamaIndex's workflows look at every attribute of an agent, those that pydantic deprecated included.
WORKFLOW_WARNINGS = ("The `__fields__` attribute", "The `__fields_set__` attribute", "Accessing the 'model_")


@dataclass
class GraphRun:
    """What a graph gave: its last state, and the pieces of answers in the order of their arrival."""

    state: dict[str, Any] = field(default_factory=dict)
    pieces: list[Any] = field(default_factory=list)

    def take(self, event: tuple[Any, ...]) -> None:
        """Take what a stream gave: a state of the outer graph, or a piece of a message of any graph."""
        *outer, mode, data = event
        if mode == "messages":
            self.pieces.append(data[0])
        elif not any(outer):
            self.state = {**self.state, **data}

    @property
    def messages(self) -> list[Any]:
        """The conversation at the end."""
        return list(self.state["messages"])

    @property
    def answer(self) -> str:
        """The text of the last message."""
        return str(self.messages[-1].text)

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Every tool call of the conversation by name and arguments."""
        return [(call["name"], call["args"]) for each in self.messages for call in getattr(each, "tool_calls", [])]

    @property
    def results(self) -> list[str]:
        """The text of every tool result of the conversation."""
        return [str(each.text) for each in self.messages if each.type == "tool"]

    def check_streamed(self) -> None:
        """Assert that the answer of the end arrived in several pieces, which add up to it."""
        told = [piece.text for piece in self.pieces if piece.id == self.messages[-1].id and piece.text]
        assert "".join(told) == self.answer
        assert len(told) > 2


def run_graph(graph: Any, way: str, given: Any, config: Any = None) -> GraphRun:
    """Run a graph in one of ``WAYS``, the async ones in a loop of their own."""
    if way.startswith("a"):
        return asyncio.run(arun_graph(graph, way, given, config))
    run = GraphRun()
    if way == "invoke":
        run.state = graph.invoke(given, config)
    else:
        for event in graph.stream(given, config, stream_mode=["messages", "values"], subgraphs=True):
            run.take(event)
    return run


async def arun_graph(graph: Any, way: str, given: Any, config: Any = None) -> GraphRun:
    """Run a graph in one of the async ways."""
    run = GraphRun()
    if way == "ainvoke":
        run.state = await graph.ainvoke(given, config)
    else:
        async for event in graph.astream(given, config, stream_mode=["messages", "values"], subgraphs=True):
            run.take(event)
    return run


@dataclass
class AgentRun:
    """What a LlamaIndex agent or workflow gave: its events, and its output."""

    events: list[Any]
    output: Any

    @property
    def answer(self) -> str:
        """The text of the answer."""
        return str(self.output)

    @property
    def results(self) -> list[tuple[str, dict[str, Any], str]]:
        """Every tool that was run: name, arguments and result."""
        return [
            (event.tool_name, event.tool_kwargs, str(event.tool_output.content))
            for event in self.events
            if type(event).__name__ == "ToolCallResult"
        ]

    def check_streamed(self, *, streaming: bool) -> None:
        """Assert that the pieces of the last answer add up to it, or that there are none."""
        told = [event.delta for event in self.events if type(event).__name__ == "AgentStream" and event.delta]
        assert bool(told) == streaming
        if streaming:
            assert "".join(told).endswith(self.answer)
            assert len(told) > 2


async def run_agent(agent: Any, question: str, **options: Any) -> AgentRun:
    """Run an agent and take all its events."""
    handler = agent.run(question, max_iterations=8, **options)
    events = [event async for event in handler.stream_events()]
    return AgentRun(events, await handler)


def statuses(server: EmulatorServer) -> list[int]:
    """Return the HTTP status of every chat request so far."""
    return [request.status for request in server.requests if "/chat-completions/" in request.path]


def bodies(server: EmulatorServer) -> list[dict[str, Any]]:
    """Return the body of every chat request so far."""
    return [request.body for request in server.requests if "/chat-completions/" in request.path]
