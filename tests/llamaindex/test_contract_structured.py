"""Structured prediction: objects from all ways of asking and each model, natively where the service can do it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core.types import PydanticProgramMode
from llama_support import MODELS, STRUCTURED, replay, run
from pydantic import BaseModel, Field, RootModel

from clova_studio import ClovaStudioError, ConfigurationError
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

PROMPT = PromptTemplate("이름은 '{name}'이고 나이는 {age}입니다.")
KIM = {"name": "김철수", "age": 27}


class Person(BaseModel):
    """사람."""

    name: str = Field(description="이름")
    age: int


class Item(BaseModel):
    """물건."""

    product: str
    count: int = 1


class Order(BaseModel):
    """주문."""

    customer: Person
    items: list[Item]
    note: str | None = None
    tags: list[str] = []


class Opinion(BaseModel):
    """의견."""

    text: str = ""
    score: int | None = None


def answer_of(model: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a scripted answer with an object, as this model gives objects."""
    if model == "HCX-007":
        return {"content": json.dumps(values, ensure_ascii=False), **more}
    return {"tool_calls": [{"name": "any", "arguments": values}], **more}


def words(value: Any) -> Iterator[str]:
    """Yield the names of all members, at any depth."""
    if isinstance(value, dict):
        yield from value
        for member in value.values():
            yield from words(member)
    elif isinstance(value, list):
        for member in value:
            yield from words(member)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_object_is_the_wires(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """The object has the wire's values; HCX-007 is given the schema, the others are made to call one tool."""
    person = run(ClovaX(model=model, seed=7, **account), way, Person, PROMPT, **KIM)[-1]
    assert type(person) is Person
    body, message = server.requests[-1].body, replay(server)["message"]
    if model == "HCX-007":
        assert json.loads(message["content"]) == person.model_dump() == KIM
        assert body["responseFormat"]["type"] == "json"
        assert body["thinking"] == {"effort": "none"}
        assert "tools" not in body
        schema = body["responseFormat"]["schema"]
    else:
        assert message["toolCalls"][0]["function"]["arguments"] == person.model_dump()
        assert person.age == 27
        (tool,) = body["tools"]
        assert "responseFormat" not in body
        assert "Person" in tool["function"]["name"]
        assert "사람" in tool["function"]["description"]
        schema = tool["function"]["parameters"]
    assert {name: value["type"] for name, value in schema["properties"].items()} == {"name": "string", "age": "integer"}
    assert schema["required"] == ["name", "age"]
    assert schema["properties"]["name"]["description"] == "이름"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_system_prompt_is_kept(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """The system prompt goes with every form, joined with the prompt's own system message."""
    prompt = ChatPromptTemplate([ChatMessage("{role}로서.", role="system"), ChatMessage("나이는 {age}입니다.")])
    llm = ClovaX(model=model, system_prompt="항상 존댓말로.", **account)
    assert run(llm, way, Person, prompt, role="서기", age=27)[-1].age == 27
    for request in server.requests:
        first, *rest = request.body["messages"]
        assert first["role"] == "system"
        assert 0 <= first["content"].find("항상 존댓말로.") < first["content"].find("서기로서.")
        assert rest == [{"role": "user", "content": "나이는 27입니다."}]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_nested_and_optional(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """Nested models, lists and optional fields are sent without references and come back whole."""
    values = {"customer": KIM, "items": [{"product": "사과 🍎", "count": 3}, {"product": "배"}], "tags": ["급함"]}
    server.script([answer_of(model, values)])
    order = run(ClovaX(model=model, **account), way, Order, PromptTemplate("주문을 적어 주세요."))[-1]
    assert type(order) is Order
    assert order == Order.model_validate(values)
    body = server.requests[-1].body
    sent = body["responseFormat"]["schema"] if model == "HCX-007" else body["tools"][0]["function"]["parameters"]
    assert not {"$ref", "$defs", "default", "title", "additionalProperties"} & set(words(sent))
    assert sent["required"] == ["customer", "items"]
    assert sent["properties"]["items"]["items"]["properties"]["product"]["type"] == "string"
    assert sent["properties"]["note"]["type"] == "string"
    computed = run(ClovaX(model=model, **account), way, Order, PromptTemplate("김철수의 주문: 사과 3개"))[-1]
    assert type(computed) is Order


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", ["stream_structured_predict", "astream_structured_predict"])
def test_partial_objects(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """A stream gives objects that fill up: every field once known stays, and the last is whole."""
    server.script([answer_of(model, {"customer": KIM, "items": [{"product": "사과", "count": 3}], "note": "빨리"})])
    objects = run(ClovaX(model=model, **account), way, Order, PROMPT, **KIM)
    assert len(objects) > 3
    assert all(isinstance(item, BaseModel) for item in objects)
    assert type(objects[-1]) is Order
    filled = [sum(value not in (None, []) for value in dict(item).values()) for item in objects]
    assert filled == sorted(filled)
    assert filled[0] < filled[-1] == 3
    assert any(0 < number < 3 for number in filled)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("form", ["_structured_stream_call", "_structured_astream_call"])
def test_inner_streams(account: Any, model: str, form: str) -> None:
    """The two methods that core's own streams stand on give the same objects."""
    llm = ClovaX(model=model, seed=7, **account)

    async def main() -> list[Any]:
        return [item async for item in await llm._structured_astream_call(Person, PROMPT, None, **KIM)]

    given = asyncio.run(main()) if "astream" in form else None
    objects = list(llm._structured_stream_call(Person, PROMPT, None, **KIM)) if given is None else given
    assert objects[-1] == llm.structured_predict(Person, PROMPT, **KIM)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_options_for_the_request(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """llm_kwargs reach the wire and stay as they were; None is none, and an unknown one is refused by name."""
    llm = ClovaX(model=model, temperature=0.9, **account)
    options = {"temperature": 0.1, "seed": 3}
    run(llm, way, Person, PROMPT, llm_kwargs=options, **KIM)
    assert options == {"temperature": 0.1, "seed": 3}
    assert {name: server.requests[-1].body[name] for name in options} == options
    run(llm, way, Person, PROMPT, llm_kwargs=None, **KIM)
    assert server.requests[-1].body["temperature"] == 0.9
    count = len(server.requests)
    with pytest.raises(ConfigurationError, match="temprature"):
        run(llm, way, Person, PROMPT, llm_kwargs={"temprature": 1}, **KIM)
    assert len(server.requests) == count


@pytest.mark.parametrize("name", ["model", "model_name"])
@pytest.mark.parametrize("way", STRUCTURED)
def test_model_of_the_call_decides(server: EmulatorServer, account: Any, way: str, name: str) -> None:
    """Whether a schema or a tool is sent follows the model of the call, under both of its names."""
    for own, other, field in (("HCX-007", "HCX-005", "tools"), ("HCX-005", "HCX-007", "responseFormat")):
        person = run(ClovaX(model=own, **account), way, Person, PROMPT, llm_kwargs={name: other}, **KIM)[-1]
        assert person.age == 27
        assert server.requests[-1].path.endswith(other)
        assert field in server.requests[-1].body


@pytest.mark.parametrize("way", STRUCTURED)
def test_explicit_thinking_contradicts(server: EmulatorServer, account: Any, way: str) -> None:
    """Thinking that was asked for excludes an object, and that is told before sending."""
    with pytest.raises(ConfigurationError, match="thinking"):
        run(ClovaX(model="HCX-007", thinking={"effort": "low"}, **account), way, Person, PROMPT, **KIM)
    assert server.requests == []


@pytest.mark.parametrize("model", [*MODELS, "HCX-003"])
@pytest.mark.parametrize("way", STRUCTURED)
def test_text_mode(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """Mode LLM, and a model that can do neither tools nor schemas, asks in words and reads the text."""
    mode = {} if model == "HCX-003" else {"pydantic_program_mode": PydanticProgramMode.LLM}
    server.script([json.dumps(KIM, ensure_ascii=False)])
    person = run(ClovaX(model=model, **mode, **account), way, Person, PROMPT, **KIM)[-1]
    assert type(person) is Person
    assert person.model_dump() == KIM
    (request,) = server.requests
    assert not {"tools", "responseFormat"} & set(request.body)
    # Core's program puts the schema into the prompt, except in its streams.
    assert "stream" in way or '"age"' in str(request.body["messages"])


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", STRUCTURED)
def test_function_mode_on_the_native_model(server: EmulatorServer, account: Any, way: str) -> None:
    """Mode FUNCTION uses a tool on HCX-007 too, with thinking off."""
    llm = ClovaX(model="HCX-007", pydantic_program_mode=PydanticProgramMode.FUNCTION, **account)
    assert run(llm, way, Person, PROMPT, **KIM)[-1].age == 27
    body = server.requests[-1].body
    assert "responseFormat" not in body
    assert (len(body["tools"]), body["thinking"]) == (1, {"effort": "none"})


@pytest.mark.each_behaviour
# LlamaIndex's own streams of a structured model use a deprecated method of pydantic's.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", ["chat", "achat", "stream_chat", "astream_chat", "complete", "acomplete"])
def test_structured_llm(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """as_structured_llm answers with the object, as JSON text and as raw, options included."""
    structured = ClovaX(model=model, **account).as_structured_llm(Person)
    text = PROMPT.format(**KIM)
    last = run(structured, way, text if "complete" in way else [ChatMessage(text)], seed=3)[-1]
    assert type(last.raw) is Person
    assert last.raw.age == 27
    said = last.text if "complete" in way else last.message.content
    assert json.loads(said) == last.raw.model_dump()
    assert server.requests[-1].body["seed"] == 3


# What the model can answer instead of a whole object; each is given to every request that follows.
NO_OBJECT: dict[str, Any] = {
    "nothing": {"content": ""},
    "cut before anything": {"content": "", "finish_reason": "length"},
    "cut text": {"content": '{"text": "반', "finish_reason": "length"},
    "prose": {"content": "글로 답합니다."},
    "a list": {"content": "[1, 2]"},
}


@pytest.mark.slow
@pytest.mark.each_behaviour
@pytest.mark.parametrize("answer", NO_OBJECT.values(), ids=NO_OBJECT)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_no_object_is_an_error(
    server: EmulatorServer, account: Any, model: str, way: str, answer: dict[str, Any]
) -> None:
    """An answer that is cut or no object is an error in every form, never an object of defaults."""
    server.script([answer] * 6)
    with pytest.raises((ValueError, TypeError, ClovaStudioError)):
        run(ClovaX(model=model, **account), way, Opinion, PROMPT, **KIM)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_wrong_values_are_an_error(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """Values that do not fit the model are an error that names the field, in streams too."""
    wrong = {"name": "김철수", "age": "많음"}
    in_words = {"content": json.dumps(wrong, ensure_ascii=False)}
    called = {"tool_calls": [{"name": "any", "arguments": wrong}]}
    server.script([in_words, called, in_words, in_words] if model == "HCX-007" else [called, in_words, in_words])
    with pytest.raises((ValueError, ClovaStudioError), match="age"):
        run(ClovaX(model=model, **account), way, Person, PROMPT, **KIM)


class Tags(RootModel[list[str]]):
    """태그."""


@pytest.mark.parametrize("mode", [None, PydanticProgramMode.FUNCTION, PydanticProgramMode.LLM])
@pytest.mark.parametrize("model", MODELS)
def test_a_list_at_the_root(account: Any, model: str, mode: PydanticProgramMode | None) -> None:
    """A class whose root is a list is predicted on every model, although the service takes objects only."""
    settings = {} if mode is None else {"pydantic_program_mode": mode}
    found = ClovaX(model=model, **account, **settings).structured_predict(Tags, PromptTemplate("태그: 서울"))
    assert isinstance(found, Tags)
    assert found.root
