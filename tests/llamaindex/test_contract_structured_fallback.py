"""Structured prediction on every model: what follows when one way fails, and that a mode pins its way."""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import instrumentation
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ToolCallBlock
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core.types import PydanticProgramMode
from llama_support import MODELS, STRUCTURED, run
from pydantic import BaseModel, Field, ValidationError

from clova_studio import AuthenticationError, ContextLengthError, RateLimitError, UnsupportedFunctionError
from clova_studio.emulator import Fault
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

PROMPT = PromptTemplate("주소를 적어 주세요.")
UNSUPPORTED = Fault("invented_tool", times=1)
SEOUL = {"city": "서울", "streets": ["종로"]}
WRONG = {"city": ["서울", "부산"], "streets": "종로"}


class Address(BaseModel):
    """주소."""

    city: str
    streets: list[str]


def text(value: Any) -> str:
    """Return JSON as models write it."""
    return json.dumps(value, ensure_ascii=False)


def called(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a scripted answer with a tool call."""
    return {"tool_calls": [{"name": "Address", "arguments": arguments}]}


def taken(server: EmulatorServer) -> list[str]:
    """Return how each request asked that was not refused: as observed, a forced tool is at first."""
    return [_asked(request.body) for request in server.requests if request.status == 200]


def _asked(body: dict[str, Any]) -> str:
    if "responseFormat" in body:
        return "schema"
    return "tool" if body.get("tools") else "instruction" if "JSON" in str(body["messages"][0]["content"]) else "none"


class Marks(BaseEventHandler):
    """Keeps the marks on the answers of the model."""

    seen: list[dict[str, Any]] = Field(default_factory=list)

    def handle(self, event: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Take an event."""
        if isinstance(event, LLMChatEndEvent) and event.response is not None:
            kept = event.response.additional_kwargs
            self.seen.append({name: value for name, value in kept.items() if name.startswith("structured")})


@pytest.fixture
def marks() -> Iterator[Marks]:
    """Marks on the answers that the model's events carry."""
    handler = Marks()
    dispatcher = instrumentation.get_dispatcher()  # type: ignore[attr-defined]
    dispatcher.add_event_handler(handler)
    yield handler
    dispatcher.event_handlers.remove(handler)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", STRUCTURED)
def test_model_without_function_calling(
    server: EmulatorServer, account: Any, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """Where each tool is answered with 40009, JSON is asked for with the schema, and found in its fence."""
    server.script([UNSUPPORTED, UNSUPPORTED, f"네, 알려 드립니다.\n```json\n{text(SEOUL)}\n```"])
    assert run(ClovaX(model="HCX-DASH-002", **account), way, Address, PROMPT)[-1] == Address(**SEOUL)
    assert [request.status for request in server.requests] == [400, 400, 200]
    assert '"streets"' in server.requests[-1].body["messages"][0]["content"]
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


@pytest.mark.parametrize("way", STRUCTURED)
def test_wrong_types_are_asked_for_again_with_the_words(server: EmulatorServer, account: Any, way: str) -> None:
    """A list for a string goes back with the validator's words, in streams too."""
    server.script([called(WRONG), text(WRONG), f"고쳤습니다: {text(SEOUL)}"])
    assert run(ClovaX(**account), way, Address, PROMPT)[-1] == Address(**SEOUL)
    assert taken(server) == ["tool", "instruction", "instruction"]
    for request in server.requests[-2:]:
        *_, said, again = request.body["messages"]
        assert (said["role"], json.loads(said["content"])) == ("assistant", WRONG)
        assert "city" in again["content"]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", STRUCTURED)
def test_schema_that_is_refused(server: EmulatorServer, account: Any, marks: Marks, way: str) -> None:
    """Where structured outputs refuse the schema a tool is asked, and the answer is marked in additional_kwargs."""
    server.script([Fault("status", status=400, code="40055"), called(SEOUL)])
    assert run(ClovaX(model="HCX-007", **account), way, Address, PROMPT)[-1] == Address(**SEOUL)
    assert taken(server) == ["tool"]
    assert marks.seen[-1] == {
        "structured_output_method": "function_calling",
        "structured_output_fallback": ["json_schema: 40055 Invalid response format schema"],
    }


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=401, code="40104"), AuthenticationError),
        (Fault("status", status=400, code="40003"), ContextLengthError),
        (Fault("status", status=429, code="42901", headers={"retry-after": "0"}), RateLimitError),
    ],
)
@pytest.mark.parametrize("way", STRUCTURED)
def test_other_failures_are_not_asked_around(
    server: EmulatorServer, account: Any, way: str, fault: Fault, error: type[Exception]
) -> None:
    """A failure of key, quota or length is raised as it is: another way would meet it too."""
    server.add_fault(fault)
    with pytest.raises(error):
        run(ClovaX(max_retries=0, **account), way, Address, PROMPT)
    assert len(server.requests) == 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_cut_answer_is_not_asked_for_again(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """An answer that the output cap has cut ends with an error that names max_tokens, after one request."""
    server.script([{"content": '{"city": "서', "finish_reason": "length"}] * 3)
    with pytest.raises(ValueError, match="max_tokens"):
        run(ClovaX(model=model, **account), way, Address, PROMPT)
    assert len(taken(server)) == 1


@pytest.mark.parametrize("way", STRUCTURED)
@pytest.mark.parametrize(
    ("mode", "answer", "asked"),
    [
        (PydanticProgramMode.FUNCTION, called(WRONG), "tool"),
        (PydanticProgramMode.LLM, text(WRONG), "instruction"),
    ],
)
def test_mode_pins_its_way(
    server: EmulatorServer, account: Any, mode: PydanticProgramMode, answer: Any, asked: str, way: str
) -> None:
    """A mode of structured prediction is the only way: what does not fit is pydantic's own error."""
    server.script([answer] * 3)
    with pytest.raises(ValidationError, match="city"):
        run(ClovaX(model="HCX-007", pydantic_program_mode=mode, **account), way, Address, PROMPT)
    assert taken(server) == [asked]


@pytest.mark.parametrize("way", STRUCTURED)
def test_pinned_tool_raises_its_refusal(server: EmulatorServer, account: Any, way: str) -> None:
    """Mode FUNCTION ends with 40009 where the service refuses the tool."""
    server.script([UNSUPPORTED] * 2)
    with pytest.raises(UnsupportedFunctionError):
        run(ClovaX(pydantic_program_mode=PydanticProgramMode.FUNCTION, **account), way, Address, PROMPT)
    assert taken(server) == []


HISTORY = ChatPromptTemplate(
    [
        ChatMessage("서울의 주소를 찾아 주세요."),
        ChatMessage(
            role="assistant",
            blocks=[ToolCallBlock(tool_call_id="call_1", tool_name="find", tool_kwargs={"city": "서울"})],
        ),
        ChatMessage(role="tool", content="종로, 세종대로", additional_kwargs={"tool_call_id": "call_1"}),
    ]
)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", STRUCTURED)
def test_after_a_tool_result(server: EmulatorServer, account: Any, way: str) -> None:
    """After tool messages, which structured outputs exclude, HCX-007 is asked by a tool; then with these as text."""
    llm = ClovaX(model="HCX-007", **account)
    assert isinstance(run(llm, way, Address, HISTORY)[-1], Address)
    assert taken(server) == ["tool"]
    server.script([called(WRONG), text(SEOUL)])
    assert run(llm, way, Address, HISTORY)[-1] == Address(**SEOUL)
    assert taken(server)[-1] == "schema"
    assert "tool" not in [message["role"] for message in server.requests[-1].body["messages"]]
    assert "종로, 세종대로" in str(server.requests[-1].body["messages"])


@pytest.mark.parametrize("way", STRUCTURED)
def test_picture_is_read(server: EmulatorServer, account: Any, way: str) -> None:
    """A picture, which neither tools nor schemas take, is asked about by instruction."""
    pixel = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEElEQVR4nGNgYGD4jxcMLwkAkG4/wZ6MTUcAAAAASUVORK5CYII="
    )
    server.script([text(SEOUL)])
    message = ChatMessage(role="user", blocks=[TextBlock(text="사진 속 주소는?"), ImageBlock(image=pixel)])
    assert run(ClovaX(**account), way, Address, ChatPromptTemplate([message]))[-1] == Address(**SEOUL)
    assert taken(server) == ["instruction"]


@pytest.mark.parametrize("way", ["stream_structured_predict", "astream_structured_predict"])
def test_streams_start_again(server: EmulatorServer, account: Any, way: str) -> None:
    """A stream gives what has arrived of each way; the last object is whole and of the class."""
    server.script([text({"city": "부산", "streets": 1}), called(SEOUL)])
    objects = run(ClovaX(model="HCX-007", **account), way, Address, PROMPT)
    assert any(getattr(item, "city", None) == "부산" for item in objects)
    assert type(objects[-1]) is Address
    assert objects[-1] == Address(**SEOUL)


@pytest.mark.parametrize("model", ["HCX-003", "ft:bjlkpn9s"])
@pytest.mark.parametrize("way", STRUCTURED)
def test_models_without_tools(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """Models that take neither tools nor schemas are asked by instruction, and once more, streams included."""
    server.script(["글입니다.", f"답: {text(SEOUL)}"])
    assert run(ClovaX(model=model, **account), way, Address, PROMPT)[-1] == Address(**SEOUL)
    assert taken(server) == ["instruction", "instruction"]


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
async def test_agent_with_an_output_class(server: EmulatorServer, account: Any) -> None:
    """An agent's output class is filled on a model that calls no tool for it."""
    agent = FunctionAgent(llm=ClovaX(**account), output_cls=Address, streaming=False)
    server.script(["서울 종로입니다.", UNSUPPORTED, UNSUPPORTED, f"```\n{text(SEOUL)}\n```"])
    response: Any = await agent.run(user_msg="주소?")
    assert response.get_pydantic_model(Address) == Address(**SEOUL)


def test_json_object_is_an_instruction(server: EmulatorServer, account: Any) -> None:
    """response_format json_object, which the service does not have, is asked for in words here too."""
    ClovaX(**account).chat([ChatMessage("주소?")], response_format={"type": "json_object"})
    assert "JSON" in server.requests[0].body["messages"][0]["content"]
