# mypy: disable-error-code="attr-defined"
"""Headers and time limits of one call: sent, kept, and masked where LlamaIndex records what a call was given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document, PromptTemplate
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.extractors import DocumentContextExtractor
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span import SimpleSpan
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.tools import FunctionTool
from llama_support import CHAT, COMPLETE, MODELS, asked, kinds, run
from pydantic import BaseModel, PrivateAttr, SecretStr

from clova_studio import APITimeoutError, ConfigurationError, Timeouts
from clova_studio.emulator import Fault
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

SECRET = "gateway-secret-0123456789"
HEADERS = {"X-Gateway-Key": SECRET, "anthropic-beta": "prompt-caching-2024-07-31"}


def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return location


WEATHER = FunctionTool.from_defaults(get_weather)


class Person(BaseModel):
    """사람."""

    age: int


class Told(BaseEventHandler):
    """Keeps all that events hold, as text."""

    _texts: list[str] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Told"

    def handle(self, event: Any, **_: Any) -> None:
        self._texts += [repr(event), str(event.model_dump())]


class Spans(BaseSpanHandler[SimpleSpan]):
    """Keeps the arguments that spans are opened with, as text."""

    _names: list[str] = PrivateAttr(default_factory=list)
    _texts: list[str] = PrivateAttr(default_factory=list)

    def new_span(self, id_: str, bound_args: Any, instance: Any = None, **_: Any) -> SimpleSpan:
        self._names.append(id_.split("-", maxsplit=1)[0])
        self._texts += [repr(bound_args), repr(instance)]
        return SimpleSpan(id_=id_)

    def prepare_to_exit_span(self, id_: str, bound_args: Any, **_: Any) -> Any:
        self._texts.append(repr(bound_args))
        return self.open_spans.get(id_)

    def prepare_to_drop_span(self, id_: str, bound_args: Any, **_: Any) -> Any:
        self._texts.append(repr(bound_args))
        return self.open_spans.get(id_)


class Payloads(BaseCallbackHandler):
    """Keeps all that callbacks are told, as text."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.texts: list[str] = []

    def on_event_start(self, *given: Any, **named: Any) -> str:
        self.texts.append(repr((given, named)))
        return ""

    def on_event_end(self, *given: Any, **named: Any) -> None:
        self.texts.append(repr((given, named)))

    start_trace = end_trace = on_event_end


@pytest.mark.parametrize("model", MODELS)
def test_context_of_documents(server: EmulatorServer, account: Any, model: str) -> None:
    """DocumentContextExtractor gives each node its context: it sends headers, and reads the first block."""
    document = Document(text="환불은 7일 안에 신청할 수 있다. 포장을 뜯으면 환불할 수 없다.", doc_id="d1")
    store = SimpleDocumentStore()
    store.add_documents([document])
    nodes = SentenceSplitter(chunk_size=64, chunk_overlap=0).get_nodes_from_documents([document])
    llm = ClovaX(model=model, **account)
    # Its extract() leaves an event loop open, with the connections in it.
    found = asyncio.run(DocumentContextExtractor(docstore=store, llm=llm, show_progress=False).aextract(nodes))
    thoughts = [llm.chat([message]).message for message in asked("chat", "안녕")]
    assert [bool(entry["context"]) for entry in found] == [True] * len(nodes)
    assert server.requests[0].headers["anthropic-beta"]
    assert kinds(thoughts[0]) == (["text", "thinking"] if model == "HCX-007" else ["text"])


@pytest.mark.parametrize("name", ["headers", "extra_headers"])
@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_headers_of_a_call_are_sent(server: EmulatorServer, account: Any, way: str, name: str) -> None:
    """They go with this call alone, before the constructor's of the same name."""
    llm = ClovaX(headers={"X-Gateway-Key": "the constructor's", "X-Team": "all"}, **account)
    run(llm, way, asked(way), **{name: HEADERS})
    run(llm, way, asked(way))
    assert [request.headers["x-gateway-key"] for request in server.requests] == [SECRET, "the constructor's"]
    assert [request.headers["x-team"] for request in server.requests] == ["all", "all"]
    with pytest.raises(ConfigurationError, match="two names of one option"):
        run(llm, way, asked(way), headers=HEADERS, extra_headers={"X-A": "b"})
    with pytest.raises(ConfigurationError, match="must not set Authorization"):
        run(llm, way, asked(way), **{name: {"Authorization": "Bearer x"}})


def test_headers_of_a_call_reach_tools_and_structured_prediction(server: EmulatorServer, account: Any) -> None:
    """What LlamaIndex builds on a chat passes them on."""
    llm = ClovaX(**account)
    run(llm, "chat_with_tools", [WEATHER], user_msg="서울 날씨는?", extra_headers=HEADERS)
    run(llm, "structured_predict", Person, PromptTemplate("나이는 27입니다."), llm_kwargs={"headers": HEADERS})
    assert len(server.requests) >= 2
    assert {request.headers["x-gateway-key"] for request in server.requests} == {SECRET}


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_headers_of_a_call_are_masked(account: Any, way: str) -> None:
    """No event, callback or span of a call shows a header's value, and each call still has one span."""
    told, spans, payloads = Told(), Spans(), Payloads()
    llm = ClovaX(callback_manager=CallbackManager([payloads]), **account)
    root = get_dispatcher()
    root.add_event_handler(told)
    root.add_span_handler(spans)
    try:
        for given in (HEADERS, {"X-Gateway-Key": SecretStr(SECRET)}):
            shown = [repr(response) for response in run(llm, way, asked(way), extra_headers=given)]
    finally:
        root.event_handlers.remove(told)
        root.span_handlers.remove(spans)
    assert spans._names == [f"ClovaX.{way}"] * 2
    assert "extra_headers" in "".join(payloads.texts)
    assert SECRET not in "".join([*shown, *told._texts, *spans._texts, *payloads.texts])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timeout", "request_timeout"])
@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_time_limits_of_a_call_hold(server: EmulatorServer, account: Any, way: str, name: str) -> None:
    """A call's own limit ends it, whole and streamed; the next call has the constructor's."""
    llm = ClovaX(max_retries=0, **account)
    server.add_fault(Fault("hang", times=1))
    with pytest.raises(APITimeoutError):
        run(llm, way, asked(way), **{name: Timeouts(read=0.1, stream=0.1)})
    assert run(llm, way, asked(way))
