"""JSON in the answers of models: found where it stands, never in part, and checked by its schema."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic import v1 as pydantic_v1

from clova_studio.adapters import UnfitAnswerError, fitting, json_values, read_json, validation_words
from clova_studio.adapters._schema_faults import schema_faults

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.parametrize(
    "text",
    [
        '{"city": "서울"}',
        '```json\n{"city": "서울"}\n```',
        '네, 알려 드립니다.\n\n```\n{"city": "서울"}\n```\n도움이 되었기를 바랍니다.',
        '요청하신 {도시}의 답입니다: {"city": "서울"} 참고 [1].',
        '형식은 {"city"} 입니다. {"city": "서울"}',
        '[{"city": "서울"}]',
        '예: {"other": 1} 답: {"city": "서울"}',
        '{"city":\n"서울"}\n',
    ],
)
def test_object_is_found(text: str) -> None:
    """An object is found bare, fenced, among words, and as the only item of a list."""
    assert read_json(text, lambda found: fitting(found, CITY), ("city",)) == {"city": "서울"}


def test_line_breaks_in_strings_are_read() -> None:
    """Models write line breaks into strings as they are."""
    assert json_values('{"city": "서\n울"}') == [{"city": "서\n울"}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "모르겠습니다.",
        '{"a": {"city": "서울"}',
        '{"a": 1, // note\n "b": {"city": "서울"}}',
        '[{"city": "서울"}, {"city": "부산"}]',
        '[{"city": "서울"}, {"city": "부',
        '"{" * 3',
    ],
)
def test_part_of_an_answer_is_not_the_answer(text: str) -> None:
    """What is inside of something cut, broken or longer is not taken for the answer."""
    with pytest.raises(UnfitAnswerError) as caught:
        read_json(text, lambda found: fitting(found, CITY), ("city",))
    assert caught.value.fault == "not_json"
    assert caught.value.said == text


@pytest.mark.parametrize("text", ["{" * 100_000, "[" * 100_000, '{"a":' * 50_000, '{"a": "' * 1_000, "9" * 5_000])
def test_hostile_text_is_no_answer(text: str) -> None:
    """Text that is nested too deep or never ends raises nothing but the typed error."""
    with pytest.raises(UnfitAnswerError):
        read_json(text, lambda found: found)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "$defs": {"Street": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
    "properties": {
        "city": {"type": "string", "minLength": 2},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "note": {"type": "string"},
        "kind": {"enum": ["a", "b"]},
        "maybe": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "streets": {"type": "array", "items": {"$ref": "#/$defs/Street"}, "maxItems": 2},
    },
    "required": ["city", "maybe"],
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"note": None, "size": 3.0, "other": 1}, ""),
        ({"maybe": None}, ""),
        ({"city": ["서울"]}, "city: must be a string, got a list"),
        ({"city": "서"}, "city: must have at least 2 characters"),
        ({"city": None}, "city: must be a string, got null"),
        ({"size": True}, "size: must be an integer, got a boolean"),
        ({"size": 10}, "size: must be at most 9"),
        ({"kind": "c"}, "kind: must be one of 'a', 'b'"),
        ({"maybe": "x"}, "maybe: must be a number, got a string"),
        ({"streets": [{"name": "종로"}, {}]}, "streets.1.name: is missing"),
        ({"streets": [{"name": 1}]}, "streets.0.name: must be a string, got an integer"),
        ({"streets": [{"name": "a"}] * 3}, "streets: must have at most 2 items"),
        ({"streets": "종로"}, "streets: must be a list, got a string"),
    ],
)
def test_faults_are_named_by_place(changes: dict[str, Any], words: str) -> None:
    """Each fault says where it is and what the rule is; an optional member may be null."""
    faults = schema_faults({"city": "서울", "maybe": 1.5, **changes}, SCHEMA)
    assert "; ".join(faults) == words


def test_what_is_missing_is_named() -> None:
    """A required member that is not there is named, and a recursive schema ends."""
    assert schema_faults({}, CITY) == ["city: is missing"]
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert schema_faults({"next": {"next": {"next": 1}}}, node) == ["next.next.next: must be an object, got an integer"]


@pytest.mark.parametrize("reference", ["#/$defs/c%20d", "#/properties/y/anyOf/0", "#/$defs/a~1b"])
def test_references_through_lists_and_escapes_are_followed(reference: str) -> None:
    """A value is held to what its reference points at, through lists and with both kinds of escapes."""
    text = {"type": "string"}
    schema = {
        "properties": {"x": {"$ref": reference}, "y": {"anyOf": [text]}},
        "$defs": {"c d": text, "a/b": text},
    }
    assert schema_faults({"x": 1}, schema) == ["x: must be a string, got an integer"]


@pytest.mark.parametrize("base", [BaseModel, pydantic_v1.BaseModel])
def test_words_of_both_pydantics(base: Any) -> None:
    """The words name the member and the rule, for classes of either version."""

    class Place(base):  # type: ignore[misc]
        city: str

    parse = getattr(Place, "model_validate", None) or Place.parse_obj
    with pytest.raises((ValidationError, pydantic_v1.ValidationError)) as caught:
        parse({"city": ["서울"]})
    error = validation_words(caught.value, {"city": ["서울"]})
    assert error.fault == "invalid"
    assert "city: " in error.words
    assert error.said == '{"city": ["서울"]}'
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert (again.fault, again.words, again.said) == (error.fault, error.words, error.said)
