# mypy: disable-error-code="attr-defined"
"""The events of RAG reasoning as a query engine: those of core's engines, each inside of the one it belongs to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler, TokenCountingHandler
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from pydantic import PrivateAttr
from rag_support import QUESTION, TWO_QUESTIONS, Documents

from clova_studio import ServerError
from clova_studio.emulator import Fault
from llama_index_clova import ClovaRagReasoningQueryEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer


@pytest.fixture
def engine(account: dict[str, Any]) -> Callable[..., ClovaRagReasoningQueryEngine]:
    """Make engines that talk to the emulator."""
    return lambda retriever, **settings: ClovaRagReasoningQueryEngine(retriever, **{**account, **settings})


@pytest.fixture(params=["sync", "async"])
def query(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Query an engine in each of the two ways."""

    def run(engine: Any, text: str) -> Any:
        return engine.query(text) if request.param == "sync" else asyncio.run(engine.aquery(text))

    return run


class Told(BaseEventHandler):
    """Keeps all events."""

    _events: list[Any] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Told"

    def handle(self, event: Any, **_: Any) -> None:
        self._events.append(event)


class Parents(BaseCallbackHandler):
    """Keeps the type of each event with that of the event around it."""

    def __init__(self) -> None:
        super().__init__([], [])
        self._types: dict[str, str] = {}
        self.pairs: list[tuple[str, str | None]] = []

    def on_event_start(
        self,
        event_type: CBEventType,
        payload: Any = None,  # noqa: ARG002  core's signature
        event_id: str = "",
        parent_id: str = "",
        **_: Any,
    ) -> str:
        self._types[event_id] = event_type.value
        self.pairs.append((event_type.value, self._types.get(parent_id)))
        return event_id

    def on_event_end(self, event_type: CBEventType, payload: Any = None, event_id: str = "", **_: Any) -> None:
        pass

    def start_trace(self, trace_id: str | None = None) -> None:
        pass

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None:
        pass


def test_searches_are_inside_of_their_query(engine: Callable[..., Any], query: Callable[..., Any]) -> None:
    """Steps and concurrent searches are children of the query's event, in whatever thread they run."""
    parents = Parents()
    manager = CallbackManager([parents])
    documents = Documents()
    documents.callback_manager = manager
    query(engine(documents, callback_manager=manager), TWO_QUESTIONS)
    assert sorted(parents.pairs, key=str) == [
        ("llm", "query"),
        ("llm", "query"),
        ("query", None),
        ("retrieve", "query"),
        ("retrieve", "query"),
    ]


def test_events_are_those_of_an_engine(engine: Callable[..., Any], query: Callable[..., Any]) -> None:
    """Callbacks get query, retrieval and a chat for each step, with tokens; instrumentation likewise, with spans."""
    debug, tokens, told = LlamaDebugHandler(print_trace_on_end=False), TokenCountingHandler(tokenizer=list), Told()
    manager = CallbackManager([debug, tokens])
    documents = Documents()
    documents.callback_manager = manager
    root = get_dispatcher()
    root.add_event_handler(told)
    try:
        response = query(engine(documents, callback_manager=manager), TWO_QUESTIONS)
    finally:
        root.event_handlers.remove(told)
    ((_, end),) = debug.get_event_pairs(CBEventType.QUERY)
    assert end.payload is not None
    assert end.payload["response"] is response
    assert len(debug.get_event_pairs(CBEventType.RETRIEVE)) == 2
    steps = debug.get_event_pairs(CBEventType.LLM)
    assert len(steps) == 2
    assert tokens.total_llm_token_count == response.metadata["rag_reasoning"]["usage"]["total_tokens"]
    names = [event.class_name() for event in told._events]
    assert (names[0], names[-1]) == ("QueryStartEvent", "QueryEndEvent")
    assert names.count("LLMChatStartEvent") == names.count("LLMChatEndEvent") == 2
    assert names.count("RetrievalStartEvent") == names.count("RetrievalEndEvent") == 2
    spans = {event.span_id.split("-")[0] for event in told._events}
    assert any("_step" in span or "_astep" in span for span in spans)


def test_a_failed_step_ends_its_events(
    engine: Callable[..., Any], query: Callable[..., Any], server: EmulatorServer
) -> None:
    """An error of the service is in the events of the step or the query around it, and none stays open."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    server.add_fault(Fault("status", status=500, code="50000", times=9))
    with pytest.raises(ServerError):
        query(engine(Documents(), max_retries=0, callback_manager=CallbackManager([debug])), QUESTION)
    ((_, step),) = debug.get_event_pairs(CBEventType.LLM)
    assert step.payload is not None
    assert isinstance(step.payload["exception"], ServerError)
    assert len(debug.get_event_pairs(CBEventType.QUERY)) == 1
