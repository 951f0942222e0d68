"""Structured output: every way of asking, every kind of schema, and no half answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field

from clova_studio import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX


class Street(BaseModel):
    """거리."""

    name: str = Field(description="이름", pattern="^.+$")


class Address(BaseModel):
    """주소."""

    title: str = Field(default="", max_length=40)
    city: str | None = None
    streets: list[Street] = []


class Typed(TypedDict):
    """주소."""

    city: str


JSON = {"title": "Typed", "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.each_behaviour
@pytest.mark.parametrize(("name", "field"), [("HCX-007", "responseFormat"), ("HCX-005", "tools")])
def test_default_follows_the_model(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, name: str, field: str
) -> None:
    """A model with schemas of its own is asked by schema, others by a tool."""
    assert isinstance(chat(model=name).with_structured_output(Address).invoke("서울시의 주소"), Address)
    assert field in server.requests[-1].body


def test_schema_on_the_wire_is_what_the_service_takes(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """References are inlined, null unions folded, pydantic's words left out; a property named title stays."""
    chat(model="HCX-007").with_structured_output(Address).invoke("서울시의 주소")
    assert server.requests[-1].body["responseFormat"] == {
        "type": "json",
        "schema": {
            "type": "object",
            "description": "주소.",
            "properties": {
                "title": {"type": "string", "description": "maxLength: 40"},
                "city": {"type": "string"},
                "streets": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "description": "거리.",
                        "properties": {"name": {"type": "string", "description": '이름\npattern: "^.+$"'}},
                        "required": ["name"],
                    },
                },
            },
        },
    }


@pytest.mark.each_behaviour
@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize(("schema", "kind"), [(Address, Address), (Typed, dict), (JSON, dict)])
def test_every_method_and_schema(chat: Callable[..., ChatClovaX], method: Any, schema: Any, kind: type) -> None:
    """Pydantic classes give instances, other schemas dicts; invoke, ainvoke and stream agree."""
    model = chat(model="HCX-007", seed=1).with_structured_output(schema, method=method)
    found = model.invoke("부산시의 주소")
    assert isinstance(found, kind)
    assert asyncio.run(model.ainvoke("부산시의 주소")) == found
    assert list(model.stream("부산시의 주소"))[-1] == found


@pytest.mark.each_behaviour
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_strict_asks_for_every_property(chat: Callable[..., ChatClovaX], server: EmulatorServer, method: Any) -> None:
    """strict=True makes all properties required."""
    chat(model="HCX-007").with_structured_output(Address, method=method, strict=True).invoke("서울시의 주소")
    body = server.requests[-1].body
    schema = (
        body["responseFormat"]["schema"] if "responseFormat" in body else body["tools"][0]["function"]["parameters"]
    )
    assert schema["required"] == ["title", "city", "streets"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_text_instead_of_the_answer_is_an_error(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, method: Any, way: str
) -> None:
    """An answer that does not fit is an error that says so, never None and never an empty stream."""
    server.script(["모르겠습니다."] * 3)
    model = chat(model="HCX-007").with_structured_output(Typed, method=method)
    with pytest.raises(OutputParserException):
        _run(model, way)


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_cut_answer_is_an_error(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """An answer that ended at the output cap is refused although it could be repaired."""
    server.script([{"content": '{"city": "서', "finish_reason": "length"}])
    with pytest.raises(OutputParserException, match="cut at the output cap"):
        _run(chat(model="HCX-007").with_structured_output(Typed), way)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_include_raw_reports_instead_of_raising(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, method: Any
) -> None:
    """include_raw gives the message beside what was parsed, or beside the error."""
    model = chat(model="HCX-007").with_structured_output(Typed, method=method, include_raw=True)
    good = model.invoke("서울시의 주소")
    assert good["parsed"]["city"]
    assert good["parsing_error"] is None
    server.script(["모르겠습니다."] * 2)
    bad = model.invoke("서울시의 주소")
    assert bad["raw"].text == "모르겠습니다."
    assert bad["parsed"] is None
    assert isinstance(bad["parsing_error"], OutputParserException)


def test_json_mode_is_an_instruction_where_there_is_none(
    chat: Callable[..., ChatClovaX], server: EmulatorServer
) -> None:
    """A model without JSON mode is told in words, and a fenced answer is read."""
    server.script(['```json\n{"city": "서울"}\n```'])
    assert chat().with_structured_output(Typed, method="json_mode").invoke("주소") == {"city": "서울"}
    body = server.requests[-1].body
    assert "JSON" in body["messages"][0]["content"]
    assert "responseFormat" not in body


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_json_is_found_among_words(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """Words around the JSON, as these models like to write them, do no harm."""
    server.script(['네, 알려 드립니다. {"city": "서울"} 도움이 되었기를 바랍니다.'])
    found = _run(chat().with_structured_output(Typed, method="json_mode"), way)
    assert (found if way == "invoke" else found[-1]) == {"city": "서울"}


def test_openai_form_of_response_format(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """What create_agent's provider strategy binds arrives in the service's form."""
    given = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": JSON}}
    chat(model="HCX-007").bind_tools([], response_format=given).invoke("주소")
    assert server.requests[-1].body["responseFormat"]["schema"]["properties"] == {"city": {"type": "string"}}


def test_impossible_wishes_are_refused(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A schema for a model without schemas, one that is not an object, and unknown arguments are refused unsent."""
    with pytest.raises(ConfigurationError, match="HCX-007"):
        chat().with_structured_output(Typed, method="json_schema").invoke("주소")
    with pytest.raises(ConfigurationError, match="object at its root"):
        chat().bind(response_format={"type": "json", "schema": {"type": "array"}}).invoke("주소")
    with pytest.raises(ConfigurationError, match="method"):
        chat().with_structured_output(Typed, method="magic")
    with pytest.raises(ValueError, match="tolerance"):
        chat().with_structured_output(Typed, tolerance=1)
    assert server.requests == []


def _run(model: Any, way: str) -> Any:
    return model.invoke("주소") if way == "invoke" else list(model.stream("주소"))
