"""Schemas: everything that pydantic and JSON Schema can say, in the keywords that the service has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from langchain_core.tools import tool
from pydantic import BaseModel, Field, RootModel
from typing_extensions import TypedDict

from clova_studio import ConfigurationError
from clova_studio.adapters import clean_schema, response_schema
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.schema import check_schema
from langchain_clova._schemas import wire_tool

if TYPE_CHECKING:
    from langchain_clova import ChatClovaX


class Colour(Enum):
    """색."""

    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    """부분."""

    size: int = Field(gt=0, le=9, description="크기")


class Everything(BaseModel):
    """모두."""

    colour: Colour
    maybe: int | None
    either: int | str | None = None
    kind: Literal["a"]
    kinds: Literal["a", "b"]
    day: date
    table: dict[str, int]
    pair: tuple[int, str]
    anything: Any
    part: Part = Field(description="안쪽")
    parts: list[Part] = Field(min_length=1)


def test_everything_is_acceptable() -> None:
    """A class with enums, unions, constants, dates, tables, tuples and nested classes passes the service's rules."""
    found = response_schema(Everything.model_json_schema())
    check_schema(found, Facts("documented"))
    properties = found["properties"]
    assert properties["colour"] == {"type": "string", "enum": ["red", "blue"], "description": "색."}
    assert properties["maybe"] == {"type": "integer"}
    assert properties["either"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert properties["kind"]["enum"] == ["a"]
    assert properties["day"] == {"type": "string", "format": "date"}
    assert properties["table"] == {"type": "object", "description": 'additionalProperties: {"type": "integer"}'}
    assert properties["part"]["description"] == "안쪽"
    assert properties["parts"]["minItems"] == 1
    assert "$" not in str(found)


def test_types_as_lists_and_joined_schemas() -> None:
    """Lists of types, allOf and oneOf, as other generators write them, are folded."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"]},
            "b": {"type": ["string", "integer"]},
            "c": {"allOf": [{"$ref": "#/definitions/d"}], "description": "밖"},
            "e": {"oneOf": [{"type": "null"}, {"type": "number"}]},
        },
        "definitions": {"d": {"type": "string", "description": "안", "pattern": "x"}},
        "required": ["a", "gone"],
    }
    before = str(schema)
    found = response_schema(schema)
    check_schema(found, Facts("documented"))
    assert found["properties"]["a"] == {"type": "string"}
    assert found["properties"]["b"] == {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    assert found["properties"]["c"] == {"type": "string", "description": '밖\npattern: "x"'}
    assert found["properties"]["e"] == {"type": "number"}
    assert found["required"] == ["a"]
    assert str(schema) == before


def test_tools_keep_what_a_model_can_read() -> None:
    """Tool parameters keep keywords that tell a model something, and names that look like keywords."""

    class Query(BaseModel):
        """질문."""

        title: str = Field(pattern="^a", default="a")

    parameters = wire_tool(Query)["function"]["parameters"]
    assert parameters == {"type": "object", "properties": {"title": {"type": "string", "pattern": "^a"}}}


def test_recursion_is_refused() -> None:
    """A schema that refers to itself, or to nothing, is refused: the service takes no references."""

    class Node(BaseModel):
        """마디."""

        children: list[Node]

    Node.model_rebuild(_types_namespace={"Node": Node})
    with pytest.raises(ConfigurationError, match="refers to itself"):
        clean_schema(Node.model_json_schema(), supported_only=True)
    with pytest.raises(ConfigurationError, match="does not contain"):
        clean_schema({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, supported_only=True)


class Node(BaseModel):
    """마디."""

    children: list[Node]


class Leaf(TypedDict):
    """잎."""

    inner: list[Leaf]


def _walk(node: Node) -> str:
    """Walk."""
    return str(node)


@pytest.mark.parametrize("schema", [Node, Leaf, _walk, tool(_walk)], ids=["class", "dict", "function", "tool"])
def test_recursion_is_named_through_every_door(chat: Callable[..., ChatClovaX], schema: Any) -> None:
    """A class that refers to itself is refused by name as a tool and, where it is one, as a response schema."""
    with pytest.raises(ConfigurationError, match=r"the schema of (Node|Leaf) refers to itself"):
        chat().bind_tools([schema])
    if isinstance(schema, type):
        methods: tuple[Any, ...] = (None, "json_schema", "function_calling")
        for method in methods:  # an instruction (json_mode) can contain references
            with pytest.raises(ConfigurationError, match=r"the schema of (Node|Leaf) refers to itself"):
                chat(model="HCX-007").with_structured_output(schema, method=method)


def test_a_type_that_has_no_json_schema_is_named() -> None:
    """A field that JSON Schema cannot describe is a typed error that names the class."""

    class Odd(BaseModel):
        """이상."""

        call: Callable[[], int]

    with pytest.raises(ConfigurationError, match="Odd has no JSON Schema"):
        wire_tool(Odd)


def test_a_discriminated_union_points_at_nothing() -> None:
    """The mapping of a discriminator, whose targets are put in place, is left out."""

    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]

    class Adopt(BaseModel):
        """입양."""

        pet: Annotated[Cat | Dog, Field(discriminator="kind")]

    pets = wire_tool(Adopt)["function"]["parameters"]["properties"]["pet"]
    assert [option["properties"]["kind"]["enum"] for option in pets["anyOf"]] == [["cat"], ["dog"]]
    assert "$defs" not in str(pets)


class Tags(RootModel[list[str]]):
    """태그."""


@pytest.mark.parametrize("method", [None, "function_calling", "json_mode"])
@pytest.mark.parametrize("model", ["HCX-007", "HCX-005", "HCX-DASH-002"])
def test_a_list_at_the_root_is_answered_on_every_model(
    chat: Callable[..., ChatClovaX], model: str, method: Any
) -> None:
    """A class or a schema whose root is a list gives that class or a list, although the service takes objects only."""
    asking = chat(model=model)
    found = asking.with_structured_output(Tags, method=method).invoke("태그: 서울")
    assert isinstance(found, Tags)
    assert found.root
    bare = {"type": "array", "items": {"type": "string"}}
    for schema in (bare, {"title": "Tags", **bare}):
        listed = asking.with_structured_output(schema, method=method).invoke("태그: 서울")
        assert isinstance(listed, list)
        assert listed
