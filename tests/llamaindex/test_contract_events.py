# mypy: disable-error-code="attr-defined"
"""Events, rate limiters and token counters: each call is told once, whatever way it was asked in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, TokenCountingHandler
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.rate_limiter import BaseRateLimiter
from llama_index.core.tools import FunctionTool
from llama_support import CHAT, COMPLETE, MODELS, STREAMS, STRUCTURED, WITH_TOOLS, asked, replay, run
from pydantic import BaseModel, PrivateAttr

from clova_studio import ServerError, StreamInterruptedError
from clova_studio.emulator import Fault
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer


class Person(BaseModel):
    """사람."""

    age: int


def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return location


WEATHER = FunctionTool.from_defaults(get_weather)
PROMPT = PromptTemplate("나이는 {age}입니다.")


class Events(BaseEventHandler):
    """Keeps all events of the instrumentation."""

    _seen: list[Any] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Events"

    def handle(self, event: Any, **_: Any) -> None:
        self._seen.append(event)

    def named(self, *parts: str) -> list[str]:
        """Return the names of the events that contain one of the parts."""
        return [name for event in self._seen if any(part in (name := type(event).__name__) for part in parts)]


class Callbacks(BaseCallbackHandler):
    """Keeps the starts and ends of the older callbacks."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.starts: list[Any] = []
        self.ends: list[Any] = []

    def on_event_start(self, event_type: CBEventType, payload: Any = None, event_id: str = "", **_: Any) -> str:
        if event_type == CBEventType.LLM:
            self.starts.append((event_id, payload))
        return event_id

    def on_event_end(self, event_type: CBEventType, payload: Any = None, event_id: str = "", **_: Any) -> None:
        if event_type == CBEventType.LLM:
            self.ends.append((event_id, payload))

    def start_trace(self, trace_id: str | None = None) -> None:
        """Nothing to keep."""

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None:
        """Nothing to keep."""


class Limiter(BaseRateLimiter):
    """Counts how often it was asked, and in which way."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002  core's signature
        self.asked.append("sync")

    async def async_acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002  core's signature
        self.asked.append("async")


@pytest.fixture
def events() -> Iterator[Events]:
    """All that the instrumentation tells."""
    root, handler = get_dispatcher(), Events()
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_one_start_and_one_end(server: EmulatorServer, account: Any, events: Events, way: str) -> None:
    """A call is one request, one start and one end of its kind, the limiter is asked once, callbacks likewise."""
    callbacks, limiter = Callbacks(), Limiter()
    llm = ClovaX(callback_manager=CallbackManager([callbacks]), rate_limiter=limiter, **account)
    responses = run(llm, way, asked(way))
    kind = "LLMCompletion" if "complete" in way else "LLMChat"
    assert events.named("Start", "End") == [f"{kind}StartEvent", f"{kind}EndEvent"]
    assert len(events.named("InProgress")) == (len(responses) if way in STREAMS else 0)
    assert limiter.asked == ["async" if way.startswith("a") else "sync"]
    assert len(server.requests) == 1
    ((started, _),), ((ended, payload),) = callbacks.starts, callbacks.ends
    assert started == ended
    told = payload[EventPayload.COMPLETION if "complete" in way else EventPayload.RESPONSE]
    assert told == responses[-1]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_calls_with_tools_are_one_call(account: Any, events: Events, way: str) -> None:
    """A demand that takes two requests is still one call to tracers and limiters."""
    callbacks, limiter = Callbacks(), Limiter()
    llm = ClovaX(callback_manager=CallbackManager([callbacks]), rate_limiter=limiter, **account)
    run(llm, way, [WEATHER], user_msg="안녕", tool_required=True)
    assert events.named("LLMChatStart", "LLMChatEnd") == ["LLMChatStartEvent", "LLMChatEndEvent"]
    assert (len(callbacks.starts), len(callbacks.ends), len(limiter.asked)) == (1, 1, 1)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_structured_prediction_is_told(account: Any, events: Events, model: str, way: str) -> None:
    """Structured prediction has its own start and end around those of its one chat, natively too."""
    callbacks, limiter = Callbacks(), Limiter()
    llm = ClovaX(model=model, callback_manager=CallbackManager([callbacks]), rate_limiter=limiter, **account)
    objects = run(llm, way, Person, PROMPT, age=27)
    assert sorted(events.named("LLMChatStart", "LLMChatEnd")) == ["LLMChatEndEvent", "LLMChatStartEvent"]
    told = events.named("LLMStructuredPredictStart", "LLMStructuredPredictEnd")
    assert told == ["LLMStructuredPredictStartEvent", "LLMStructuredPredictEndEvent"]
    assert len(events.named("LLMStructuredPredictInProgress")) == (len(objects) if "stream" in way else 0)
    assert (len(callbacks.starts), len(callbacks.ends), len(limiter.asked)) == (1, 1, 1)


@pytest.mark.parametrize("model", [*MODELS, "HCX-003"])
@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_tokens_are_counted_as_the_service_counts(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """LlamaIndex's token counter has the service's numbers, not an estimate."""
    counter = TokenCountingHandler(tokenizer=list)
    run(ClovaX(model=model, seed=7, callback_manager=CallbackManager([counter]), **account), way, asked(way))
    wire = replay(server)
    usage = wire.get("usage") or {"promptTokens": wire["inputLength"], "completionTokens": wire["outputLength"]}
    (count,) = counter.llm_token_counts
    assert count.prompt_token_count == usage["promptTokens"]
    assert count.completion_token_count == usage["completionTokens"]


@pytest.mark.parametrize("server", ["documented"], indirect=True)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_tokens_of_objects_are_counted(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """The counter has the service's numbers for structured prediction too."""
    counter = TokenCountingHandler(tokenizer=list)
    run(ClovaX(model=model, callback_manager=CallbackManager([counter]), **account), way, Person, PROMPT, age=27)
    usage = replay(server)["usage"]
    (count,) = counter.llm_token_counts
    assert (count.prompt_token_count, count.completion_token_count) == (
        usage["promptTokens"],
        usage["completionTokens"],
    )


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_errors_end_the_event(server: EmulatorServer, account: Any, events: Events, way: str) -> None:
    """A call that fails is started once and ended once, with the error, and is not told as done."""
    server.add_fault(Fault("status", status=500, code="50000"))
    callbacks = Callbacks()
    llm = ClovaX(callback_manager=CallbackManager([callbacks]), max_retries=0, **account)
    with pytest.raises(ServerError) as caught:
        run(llm, way, asked(way))
    ((started, _),), ((ended, payload),) = callbacks.starts, callbacks.ends
    assert started == ended
    assert payload[EventPayload.EXCEPTION] is caught.value
    assert events.named("ChatEnd", "CompletionEnd") == []
    assert len(events.named("ChatStart", "CompletionStart")) == 1


@pytest.mark.parametrize("way", STREAMS)
def test_broken_streams_end_the_event(server: EmulatorServer, account: Any, events: Events, way: str) -> None:
    """A stream that breaks is ended once, with the error, after what had arrived."""
    server.add_fault(Fault("cut_abrupt", after=2))
    callbacks = Callbacks()
    with pytest.raises(StreamInterruptedError) as caught:
        run(ClovaX(callback_manager=CallbackManager([callbacks]), **account), way, asked(way))
    ((_, payload),) = callbacks.ends
    assert payload[EventPayload.EXCEPTION] is caught.value
    assert len(events.named("InProgress")) == 2
    assert len(events.named("ExceptionEvent")) == 1
    assert events.named("ChatEnd", "CompletionEnd") == []


def test_callbacks_can_be_set_later(server: EmulatorServer, account: Any) -> None:
    """A callback manager that is set afterwards is used, as LlamaIndex's settings do it."""
    callbacks = Callbacks()
    llm = ClovaX(**account)
    llm.callback_manager = CallbackManager([callbacks])
    llm.chat([ChatMessage("안녕")])
    assert (len(callbacks.starts), len(callbacks.ends), len(server.requests)) == (1, 1, 1)
