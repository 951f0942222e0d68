"""Schemas of any generator: the result means the same to the service, or the schema is refused by its path."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import jsonschema
import pytest
from schema_samples import schema_of, value_of

from clova_studio import ConfigurationError
from clova_studio.adapters import clean_schema, response_schema, unwrapped_root, wire_function
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.schema import check_schema


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(20))
def test_what_a_cleaned_schema_allows_the_original_allows(hundred: int) -> None:
    """The service takes a cleaned schema, and a value that fits it fits the original (2,000 schemas)."""
    refused = 0
    for seed in range(hundred * 100, hundred * 100 + 100):
        random = Random(seed)  # noqa: S311  # samples
        schema = schema_of(random)
        before = json.dumps(schema)
        try:
            cleaned = response_schema(schema, wrap_root=True)
        except ConfigurationError as error:
            refused += str(error).startswith("the schema at #")
            continue
        check_schema(cleaned, Facts("documented"))
        for found in (cleaned, wire_function({"name": "f", "parameters": schema})["function"]["parameters"]):
            for _ in range(3):
                value = value_of(found, random)
                assert _fits(value, found), (seed, schema, found, value)
                assert _fits(unwrapped_root(value, schema), schema), (seed, schema, found, value)
        assert json.dumps(schema) == before
    assert 0 < refused < 30


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def _field(schema: Any, **beside: Any) -> Any:
    """Return what becomes of a field of a response schema."""
    root = {"type": "object", "properties": {"x": schema}, **beside}
    cleaned = response_schema(root)
    check_schema(cleaned, Facts("documented"))
    return cleaned["properties"].get("x")


def test_several_references_are_joined() -> None:
    """``allOf`` of two classes has the fields and the required names of both."""
    defs = {
        "A": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        "B": {"type": "object", "properties": {"b": {"type": "integer"}, "c": {"type": "number"}}, "required": ["b"]},
    }
    found = _field({"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]}, **{"$defs": defs})
    assert found["properties"] == {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "number"}}
    assert found["required"] == ["a", "b"]


@pytest.mark.parametrize(
    "reference", ["#/$defs/a~1b", "#/$defs/c%20d", "#/properties/y/anyOf/0", "#/$defs/e~0f", "#/$defs/g/items"]
)
def test_pointers_through_lists_and_escapes(reference: str) -> None:
    """A reference is followed through lists, and with both kinds of escapes."""
    text = {"type": "string", "format": "date"}
    defs = {"a/b": text, "c d": text, "e~f": text, "g": {"type": "array", "items": text}}
    root = {
        "type": "object",
        "properties": {"x": {"$ref": reference}, "y": {"anyOf": [text, {"type": "integer"}]}},
        "$defs": defs,
    }
    assert response_schema(root)["properties"]["x"] == text


@pytest.mark.parametrize(
    "keyword",
    [
        {"patternProperties": {"^a": {"$ref": "#/$defs/A"}}},
        {"not": {"$ref": "#/$defs/A"}},
        {"propertyNames": {"$ref": "#/$defs/A"}},
        {"if": {"properties": {"k": {"const": 1}}}, "then": {"$ref": "#/$defs/A"}, "else": {"required": ["k"]}},
        {"dependentSchemas": {"k": {"$ref": "#/$defs/A"}}},
        {"additionalProperties": {"$ref": "#/$defs/A"}},
        {"discriminator": {"propertyName": "k", "mapping": {"a": "#/$defs/A"}}},
    ],
)
def test_no_reference_is_sent(keyword: dict[str, Any]) -> None:
    """References in keywords of every kind are replaced, in tools and in response formats, the rest is kept."""
    inner = {"type": "object", "properties": {"k": {"type": "integer"}}, **keyword}
    root = {"type": "object", "properties": {"x": inner}, "$defs": {"A": {"type": "string", "minLength": 77}}}
    for found in (response_schema(root), wire_function({"name": "f", "parameters": root})):
        text = json.dumps(found)
        assert "$ref" not in text
        assert "$defs" not in text
        assert "discriminator" in keyword or "77" in text


def test_a_list_of_types_gives_each_its_own_keywords() -> None:
    """Each type of a list keeps its keywords and values, and no other's."""
    assert _field({"type": ["string", "array"], "items": {"type": "string"}, "description": "둘"}) == {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "둘",
    }
    assert _field({"type": ["integer", "string", "null"], "minimum": 0}) == {
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]
    }
    assert _field({"type": ["string", "integer"], "enum": ["a", 1, None]}) == {
        "anyOf": [{"type": "string", "enum": ["a"]}, {"type": "integer", "enum": [1]}]
    }


def test_branches_that_only_constrain_keep_what_they_constrain() -> None:
    """``anyOf`` of required names asks for an object with one of them; the root stays an object."""
    properties = {"phone": {"type": "string"}, "mail": {"type": "string"}}
    either = {"type": "object", "properties": properties, "anyOf": [{"required": ["phone"]}, {"required": ["mail"]}]}
    options = [{"type": "object", "properties": properties, "required": [name]} for name in ("phone", "mail")]
    assert _field(either) == {"anyOf": options}
    assert response_schema(either) == {"type": "object", "properties": properties, "anyOf": options}


def test_null_is_left_out_or_refused() -> None:
    """A field that can only be null is left out; refused by its path where it is required."""
    for schema in ({"type": "null"}, {"enum": [None]}, {"const": None}, {"anyOf": [{"type": "null"}]}):
        assert _field(schema) is None
        with pytest.raises(ConfigurationError, match="the schema at #/properties/x allows no value but null"):
            _field(schema, required=["x"])
    assert _field({"enum": ["a", None]}) == {"enum": ["a"]}
    assert _field({"const": "a"}) == {"enum": ["a"]}
    assert _field({"anyOf": [{"const": "a"}, {"const": "b"}, {"type": "null"}]}) == {"enum": ["a", "b"]}
    assert _field({"type": "object"}) == {"type": "object"}
    assert _field({"type": "array", "items": {"type": "null"}}) == {"type": "array", "maxItems": 0}


def test_what_the_service_has_no_keyword_for_is_said_in_words() -> None:
    """Constraints that a response format cannot have stand in the description; tools keep them as keywords."""
    schema = {"type": "string", "pattern": "^a", "description": "이름"}
    assert _field(schema) == {"type": "string", "description": '이름\npattern: "^a"'}
    assert clean_schema(schema, supported_only=False) == schema
    assert _field({"type": "integer", "exclusiveMinimum": 0, "minimum": -3, "exclusiveMaximum": 9.5}) == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
    }
    assert _field({"type": "number", "exclusiveMinimum": 0}) == {"type": "number", "description": "exclusiveMinimum: 0"}
    assert _field({"type": "number", "minimum": 0, "exclusiveMinimum": True})["description"] == "exclusiveMinimum: 0"
    pair = _field({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2})
    assert pair["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert pair["description"] == 'prefixItems: [{"type": "integer"}, {"type": "string"}]'


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"$ref": "#/$defs/Node"}, "the schema of Node refers to itself at #/\\$defs/Node/properties/kids/items"),
        ({"$ref": "#"}, "refers to itself"),
        ({"$ref": "#/$defs/Gone"}, "#/properties/x refers to #/\\$defs/Gone, which it does not contain"),
        ({"$ref": "https://example.com/a.json"}, "#/properties/x refers to https"),
        ({"type": "float"}, "#/properties/x has type 'float', which is not one of"),
        ({"enum": []}, "#/properties/x has an enum that is not a list"),
        ({"anyOf": {"type": "string"}}, "#/properties/x has anyOf that is not a list"),
        ({"required": "a"}, "#/properties/x has a required that is not"),
        ({"properties": ["a"]}, "#/properties/x has properties that are not"),
        ({"items": 3}, "#/properties/x/items must be an object, got int"),
        ("string", "#/properties/x must be an object, got str"),
        ({"not": {"$ref": "#/$defs/Node"}}, "Node refers to itself"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_path(schema: Any, reason: str) -> None:
    """A schema that the service cannot be asked for names its path and the reason before anything is sent."""
    node = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}
    with pytest.raises(ConfigurationError, match=reason):
        _field(schema, **{"$defs": {"Node": node}})


def test_what_would_grow_without_end_is_refused() -> None:
    """Schemas nested 2,000 deep, doubled 40 times by references, or with 9^9 alternatives end at once, by name."""
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(2_000):
        deep = {"type": "array", "items": deep}
    with pytest.raises(ConfigurationError, match="nested deeper than 50"):
        _field(deep)
    doubled: dict[str, Any] = {"d0": {"type": "string"}}
    for level in range(1, 40):
        reference = {"$ref": f"#/$defs/d{level - 1}"}
        doubled[f"d{level}"] = {"type": "object", "properties": {"l": reference, "r": reference}}
    with pytest.raises(ConfigurationError, match=r"more than 10,000 schemas|deeper"):
        _field({"$ref": "#/$defs/d39"}, **{"$defs": doubled})
    nine = {"anyOf": [{"properties": {f"p{n}": {"const": n}}} for n in range(9)]}
    with pytest.raises(ConfigurationError, match="more than 200 alternatives"):
        _field({"allOf": [nine] * 9})


def test_a_root_that_is_no_object_is_wrapped_and_unwrapped() -> None:
    """A list or a scalar at the root becomes a field of an object, and the answer is the list again."""
    for schema, value in (
        ({"type": "array", "items": {"type": "string"}}, ["a"]),
        ({"type": "string", "enum": ["a", "b"]}, "a"),
        ({"anyOf": [{"type": "object", "properties": {"root": {"type": "string"}}}, {"type": "string"}]}, "a"),
    ):
        tool = wire_function({"name": "f", "parameters": schema})["function"]["parameters"]
        for sent in (response_schema(schema, wrap_root=True), tool):
            assert sent["type"] == "object"
            assert sent["required"] == ["root"]
            assert unwrapped_root({"root": value}, schema) == value
    own = {"type": "object", "properties": {"root": {"type": "string"}}}
    assert unwrapped_root({"root": "a"}, own) == {"root": "a"}
