"""Structured output on every model: what follows when one way fails, and that a way which is chosen is the only one."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel
from pydantic import v1 as pydantic_v1

from clova_studio import (
    AuthenticationError,
    ConfigurationError,
    ContextLengthError,
    RateLimitError,
    UnsupportedFunctionError,
)
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

WAYS = ("invoke", "ainvoke", "stream", "astream")
UNSUPPORTED = Fault("invented_tool", times=1)
SEOUL = {"city": "서울", "streets": ["종로"]}
WRONG = {"city": ["서울", "부산"], "streets": "종로"}


class Address(BaseModel):
    """주소."""

    city: str
    streets: list[str]


class OldAddress(pydantic_v1.BaseModel):
    """주소."""

    city: str
    streets: list[str]


class TypedAddress(TypedDict):
    """주소."""

    city: str
    streets: list[str]


SCHEMAS: dict[str, Any] = {
    "pydantic": Address,
    "pydantic v1": OldAddress,
    "TypedDict": TypedAddress,
    "JSON Schema": Address.model_json_schema(),
    "JSON Schema without a title": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "streets": {"type": "array", "items": {"type": "string"}}},
        "required": ["city", "streets"],
    },
}


def called(arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a scripted answer with a tool call."""
    return {"tool_calls": [{"name": "Address", "arguments": arguments}], **more}


def text(value: Any) -> str:
    """Return JSON as models write it."""
    return json.dumps(value, ensure_ascii=False)


def run(runnable: Any, way: str, given: Any = "서울의 주소", **kwargs: Any) -> Any:
    """Ask in one of four ways, and return the answer; of a stream, the last."""
    if way == "invoke":
        return runnable.invoke(given, **kwargs)
    if way == "ainvoke":
        return asyncio.run(runnable.ainvoke(given, **kwargs))
    if way == "stream":
        return list(runnable.stream(given, **kwargs))[-1]

    async def gather() -> list[Any]:
        return [item async for item in runnable.astream(given, **kwargs)]

    return asyncio.run(gather())[-1]


def values(found: Any) -> dict[str, Any]:
    """Return an answer as a dict."""
    return dict(found)


def taken(server: EmulatorServer) -> list[Any]:
    """Return the requests that the service has answered: as observed, it refuses a forced tool at first."""
    return [request for request in server.requests if request.status == 200]


def field_of(request: Any) -> str:
    """Return how a request asks for a structured answer."""
    if "responseFormat" in request.body:
        return "json_schema"
    if request.body.get("tools"):
        return "function_calling"
    return "json_mode" if "JSON" in request.body["messages"][0]["content"] else "none"


@pytest.mark.each_behaviour
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("way", WAYS)
def test_model_without_function_calling(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, caplog: pytest.LogCaptureFixture, way: str, schema: Any
) -> None:
    """Where each tool is answered with 40009, JSON is asked for with the schema, and found in its fence."""
    server.script([UNSUPPORTED, UNSUPPORTED, f"네, 알려 드립니다.\n```json\n{text(SEOUL)}\n```"])
    found = run(chat(model="HCX-DASH-002").with_structured_output(schema), way)
    assert values(found) == SEOUL
    assert [request.status for request in server.requests] == [400, 400, 200]
    assert field_of(server.requests[-1]) == "json_mode"
    assert '"streets"' in server.requests[-1].body["messages"][0]["content"]
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "another request" in warning.getMessage()


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("way", WAYS)
def test_wrong_types_are_asked_for_again_with_the_words(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str, schema: Any
) -> None:
    """A list for a string goes back with the validator's words, whatever the kind of schema."""
    server.script([called(WRONG), text(WRONG), f"고쳤습니다: {text(SEOUL)}"])
    found = run(chat().with_structured_output(schema), way)
    assert values(found) == SEOUL
    assert [field_of(request) for request in taken(server)] == ["function_calling", "json_mode", "json_mode"]
    for request in taken(server)[1:]:
        *_, said, again = request.body["messages"]
        assert said["role"] == "assistant"
        assert json.loads(said["content"]) == WRONG
        assert again["role"] == "user"
        assert "city" in again["content"]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WAYS)
def test_schema_that_is_refused(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """Where structured outputs refuse the schema the same is asked for by a tool, and the answer is marked."""
    server.script([Fault("status", status=400, code="40055"), called(SEOUL)])
    found = run(chat(model="HCX-007").with_structured_output(Address, include_raw=True), way)
    assert found["parsed"] == Address(**SEOUL)
    assert [field_of(request) for request in server.requests][:2] == ["json_schema", "function_calling"]
    assert len(taken(server)) == 1
    metadata = found["raw"].response_metadata
    assert metadata["structured_output_method"] == "function_calling"
    assert metadata["structured_output_fallback"] == ["json_schema: 40055 Invalid response format schema"]


def test_first_way_leaves_no_mark_of_a_failure(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """An answer that came at once is one request, marked with its way alone."""
    raw = chat(model="HCX-007").with_structured_output(Address, include_raw=True).invoke("서울의 주소")["raw"]
    assert raw.response_metadata["structured_output_method"] == "json_schema"
    assert "structured_output_fallback" not in raw.response_metadata
    assert len(server.requests) == 1


@pytest.mark.parametrize("way", WAYS)
def test_json_in_text_is_the_answer(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """JSON that fits is taken where a tool call was asked for, without another request."""
    server.script([f"네: {text(SEOUL)}"])
    assert run(chat().with_structured_output(Address), way) == Address(**SEOUL)
    assert len(taken(server)) == 1


FINAL = [
    (Fault("status", status=401, code="40104"), AuthenticationError),
    (Fault("status", status=400, code="40003"), ContextLengthError),
    (Fault("status", status=429, code="42901", headers={"retry-after": "0"}), RateLimitError),
]


@pytest.mark.parametrize(("fault", "error"), FINAL)
@pytest.mark.parametrize("way", WAYS)
def test_other_failures_are_not_asked_around(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str, fault: Fault, error: type[Exception]
) -> None:
    """A failure of key, quota or length is raised as it is: another way would meet it too."""
    server.add_fault(fault)
    with pytest.raises(error):
        run(chat(max_retries=0).with_structured_output(Address), way)
    assert len(server.requests) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["HCX-005", "HCX-007"])
def test_cut_answer_is_not_asked_for_again(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, name: str, way: str
) -> None:
    """An answer that the output cap has cut ends with an error that names max_tokens, after one request."""
    server.script([{"content": '{"city": "서', "finish_reason": "length"}] * 3)
    with pytest.raises(OutputParserException, match="max_tokens"):
        run(chat(model=name).with_structured_output(Address), way)
    assert len(taken(server)) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("method", "answer"),
    [("json_schema", text(WRONG)), ("function_calling", called(WRONG)), ("json_mode", text(WRONG))],
)
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_chosen_way_is_the_only_one(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, method: Any, answer: Any, schema: Any, way: str
) -> None:
    """method= pins one way: an answer that does not fit is an error with the validator's words, after one request."""
    server.script([answer] * 3)
    with pytest.raises(OutputParserException, match="city"):
        run(chat(model="HCX-007").with_structured_output(schema, method=method), way)
    assert len(taken(server)) == 1


@pytest.mark.parametrize("way", WAYS)
def test_chosen_way_raises_its_refusal(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """A pinned tool call that is answered with 40009 ends with that error, after a tool result too."""
    server.script([UNSUPPORTED] * 2)
    with pytest.raises(UnsupportedFunctionError):
        run(chat().with_structured_output(Address, method="function_calling"), way, HISTORY)
    assert {field_of(request) for request in server.requests} == {"function_calling"}


@pytest.mark.parametrize("way", WAYS)
def test_include_raw_never_raises_for_what_was_said(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """After every way has failed include_raw has the last message, the error, and why the others failed."""
    server.script(["모르겠습니다."] * 3 + ["여전히 모르겠습니다."])  # the tool is demanded twice
    found = run(chat().with_structured_output(Address, include_raw=True), way)
    assert found["raw"].text == "여전히 모르겠습니다."
    assert found["parsed"] is None
    assert isinstance(found["parsing_error"], OutputParserException)
    assert len(found["raw"].response_metadata["structured_output_fallback"]) == 2
    assert [field_of(request) for request in taken(server)] == ["function_calling"] * 2 + ["json_mode"] * 2


HISTORY = [
    HumanMessage("서울의 주소를 찾아 주세요."),
    AIMessage("", tool_calls=[{"name": "find", "args": {"city": "서울"}, "id": "call_1"}]),
    ToolMessage("종로, 세종대로", tool_call_id="call_1"),
]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WAYS)
def test_after_a_tool_result(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """After tool messages, which structured outputs exclude, HCX-007 is asked by a tool."""
    assert isinstance(run(chat(model="HCX-007").with_structured_output(Address), way, HISTORY), Address)
    (request,) = taken(server)
    assert field_of(request) == "function_calling"
    assert [message["role"] for message in request.body["messages"]][-3:] == ["user", "assistant", "tool"]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WAYS)
def test_chosen_schema_after_a_tool_result(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """A pinned response format takes the same conversation, its tool turns as text."""
    model = chat(model="HCX-007").with_structured_output(Address, method="json_schema")
    assert isinstance(run(model, way, HISTORY), Address)
    (request,) = server.requests
    assert request.status == 200
    assert field_of(request) == "json_schema"
    assert [message["role"] for message in request.body["messages"]] == ["user", "assistant", "user"]
    assert "종로, 세종대로" in request.body["messages"][-1]["content"]


@pytest.mark.parametrize("way", WAYS)
def test_picture_is_read(chat: Callable[..., ChatClovaX], server: EmulatorServer, png: bytes, way: str) -> None:
    """A picture, which neither tools nor schemas take, is asked about by instruction."""
    import base64

    server.script([text(SEOUL)])
    block = {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}
    given = [HumanMessage([{"type": "text", "text": "사진 속 주소는?"}, block])]
    assert run(chat().with_structured_output(Address), way, given) == Address(**SEOUL)
    (request,) = server.requests
    assert field_of(request) == "json_mode"
    assert any(part["type"] == "image_url" for part in request.body["messages"][-1]["content"])


def test_streams_fill_up_and_start_again(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A stream gives what has arrived of each way; the last is the answer, whole."""
    server.script([text({**WRONG, "city": 1}), called(SEOUL)])
    pieces = list(chat(model="HCX-007").with_structured_output(TypedAddress).stream("서울의 주소"))
    assert {"city": 1} in pieces
    assert pieces[-1] == SEOUL
    assert all(isinstance(piece, dict) for piece in pieces)


class Runs(BaseCallbackHandler):
    """Keeps the options and the answers of the model's runs."""

    def __init__(self) -> None:
        self.options: list[dict[str, Any]] = []
        self.marks: list[Any] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self.options.append(kwargs["options"])

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self.marks.append(response.generations[0][0].message.response_metadata["structured_output_method"])


@pytest.mark.parametrize("way", WAYS)
def test_each_request_is_a_run_of_its_own(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """Traces see every request with its schema and way, and the mark on each answer."""
    server.script([called(WRONG), text(SEOUL)])
    runs = Runs()
    run(chat().with_structured_output(Address), way, config={"callbacks": [runs]})
    recorded = [options["ls_structured_output_format"] for options in runs.options]
    assert [record["kwargs"]["method"] for record in recorded] == ["function_calling", "json_mode"]
    assert all(record["schema"]["title"] == "Address" for record in recorded)
    assert runs.marks == ["function_calling", "json_mode"]


@pytest.mark.parametrize("way", WAYS)
def test_options_follow_every_request(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """Options of the call, bound ones and configured ones go with each request, and the model decides the way."""
    server.script([called(WRONG), text(SEOUL)] * 2)
    structured = chat().bind(temperature=0.2).with_structured_output(Address)
    run(structured.bind(top_k=3), way, seed=7)
    run(chat().with_structured_output(Address), way, temperature=0.2, top_k=3, seed=7)
    for request in server.requests:
        assert {name: request.body[name] for name in ("temperature", "topK", "seed")} == {
            "temperature": 0.2,
            "topK": 3,
            "seed": 7,
        }


@pytest.mark.parametrize("way", WAYS)
def test_way_is_that_of_the_model_that_is_asked(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """A model given per call, bound or configured decides the way, not the one of the constructor."""
    run(chat().with_structured_output(Address), way, model="HCX-007")
    configurable: Any = chat().configurable_fields(model=ConfigurableField(id="model"))
    run(configurable.with_structured_output(Address), way, config={"configurable": {"model": "HCX-007"}})
    run(chat().bind(model="HCX-007").with_structured_output(Address), way)
    assert [(request.path[-7:], field_of(request)) for request in server.requests] == [("HCX-007", "json_schema")] * 3


def test_cap_of_a_call_that_excludes_the_tool(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A cap below what tools need passes that way over; where it is the first way, it is refused unsent."""
    server.script(["글", text(SEOUL)])
    found = chat(model="HCX-007").with_structured_output(Address).invoke("주소", max_tokens=500)
    assert found == Address(**SEOUL)
    assert [field_of(request) for request in server.requests] == ["json_schema", "json_mode"]
    server.reset()
    with pytest.raises(ConfigurationError, match="1024"):
        chat().with_structured_output(Address).invoke("주소", max_tokens=500)
    assert server.requests == []


@pytest.mark.parametrize("name", ["HCX-003", "HCX-DASH-001"])
def test_old_models(chat: Callable[..., ChatClovaX], server: EmulatorServer, name: str) -> None:
    """Models without tools are asked by instruction, with the schema, and once more."""
    server.script(["글", f"답: {text(SEOUL)}"])
    assert chat(model=name).with_structured_output(Address).invoke("주소") == Address(**SEOUL)
    assert '"streets"' in server.requests[0].body["messages"][0]["content"]
    assert len(server.requests) == 2


@pytest.mark.parametrize("form", ["chat", "ft"])
def test_tuned_models(chat: Callable[..., ChatClovaX], server: EmulatorServer, form: str) -> None:
    """Tuned models, which take neither tools nor schemas, are asked by instruction."""
    server.script([text(SEOUL)])
    tuned = chat(model="ft:bjlkpn9s") if form == "ft" else chat(task_id="bjlkpn9s")
    assert tuned.with_structured_output(Address).invoke("주소") == Address(**SEOUL)
    assert field_of(server.requests[0]) == "json_mode"


def test_recursive_schema_by_instruction(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """json_mode takes a schema that refers to itself: an instruction can say it."""
    node = {
        "title": "Node",
        "type": "object",
        "properties": {"name": {"type": "string"}, "next": {"$ref": "#"}},
        "required": ["name"],
    }
    server.script(['{"name": "a", "next": {"name": "b"}}'])
    found = chat().with_structured_output(node, method="json_mode").invoke("목록")
    assert found == {"name": "a", "next": {"name": "b"}}
    assert '"$ref"' in server.requests[0].body["messages"][0]["content"]
