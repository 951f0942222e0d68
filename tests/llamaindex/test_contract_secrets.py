# mypy: disable-error-code="attr-defined"
"""Keys: in no text that an instance, its answers, its errors or what watches it can show."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_support import CHAT, COMPLETE, asked, run
from pydantic import BaseModel, PrivateAttr

from clova_studio import ClovaStudioError, ConfigurationError
from clova_studio.emulator import Fault
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"


class Person(BaseModel):
    """사람."""

    age: int


def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return location


WEATHER = FunctionTool.from_defaults(get_weather)


class Told(BaseEventHandler):
    """Keeps all that events hold, as text."""

    _texts: list[str] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Told"

    def handle(self, event: Any, **_: Any) -> None:
        self._texts += [repr(event), str(event.model_dump())]


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


def test_no_key_anywhere(server: EmulatorServer, account: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No text of the instance, its answers, errors, events, callbacks or logs holds a key."""
    told, payloads = Told(), Payloads()
    llm = ClovaX(
        api_key=KEY,
        apigw_api_key=f"{KEY}-second",
        headers={"X-Proxy-Key": f"{KEY}-third"},
        base_url=account["base_url"],
        max_retries=0,
        callback_manager=CallbackManager([payloads]),
    )
    shown = [repr(llm), str(llm), llm.to_json(), str(llm.to_dict()), str(llm.to_payload()), str(llm.model_dump())]
    root = get_dispatcher()
    root.add_event_handler(told)
    try:
        with caplog.at_level(logging.DEBUG):
            for way in [*CHAT, *COMPLETE]:
                shown += [repr(response) for response in run(llm, way, asked(way))]
            run(llm, "structured_predict", Person, PromptTemplate("나이는 27입니다."))
            run(llm, "chat_with_tools", [WEATHER], user_msg="안녕", tool_required=True)
            server.add_fault(Fault("status", status=401, code="40104"))
            for way in [*CHAT, *COMPLETE]:
                for options in ({}, {"temprature": 1}):
                    with pytest.raises(ClovaStudioError) as caught:
                        run(llm, way, asked(way), **options)
                    shown += traceback.format_exception(caught.value)
                    shown += [repr(caught.value), str(vars(caught.value))]
    finally:
        root.event_handlers.remove(told)
    for wrong in ({"region": "nowhere"}, {"temprature": 1}, {"top_k": "many"}, {"api_key": [KEY]}):
        with pytest.raises((ClovaStudioError, ValueError)) as refused:
            ClovaX(**{"api_key": KEY, **wrong})
        shown.append(f"{refused.value!r} {refused.value}")
    assert told._texts
    assert payloads.texts
    assert "/v3/chat-completions" in caplog.text
    shown += [*told._texts, *payloads.texts, caplog.text]
    assert KEY not in "".join(shown)


def test_missing_key_is_told_at_construction() -> None:
    """Without a key nothing is built, and the message says where to put one."""
    with pytest.raises(ConfigurationError, match="CLOVASTUDIO_API_KEY"):
        ClovaX()
