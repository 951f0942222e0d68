"""Which JSON schemas a response format may use.

Source: the "Structured Outputs" reference page lists the supported keywords and excludes ``pattern``. NAVER's own live
test sends annotations that the page does not list (``title``, ``default``, ``$schema``, and ``additionalProperties`` as
a boolean), so these are ignored. References and null types are open: the documented behaviour refuses them because the
page does not list them, the observed one takes them. Each of these is a fact that can be set. What else the page does
not list is refused, so that a client that works here also works with the service.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from clova_studio.emulator.rules.checks import is_one_of
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.refusals import Refusal, invalid

_TYPES = frozenset({"string", "number", "boolean", "integer", "object", "array"})
_FORMATS = frozenset({"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_ANNOTATIONS = frozenset(
    {"$comment", "$id", "$schema", "default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"}
)
_ANY = frozenset({"type", "enum", "anyOf"}) | _ANNOTATIONS
_KEYWORDS = {
    "string": _ANY | {"format", "pattern"},  # whether the last is taken is a fact
    "number": _ANY | {"minimum", "maximum"},
    "integer": _ANY | {"minimum", "maximum"},
    "boolean": _ANY,
    "null": _ANY,
    "array": _ANY | {"items", "minItems", "maxItems"},
    "object": _ANY | {"properties", "required", "additionalProperties"},
}
_DEFINITIONS = ("$defs", "definitions")


class _Rules(NamedTuple):
    """What decides about the parts of one schema."""

    facts: Facts
    definitions: Mapping[str, Any] | None  # None where references are refused


def check_response_format(body: Mapping[str, Any], facts: Facts, *, structured: bool = True) -> dict[str, Any] | None:
    """Check the response format of a request and return its schema; None when no format was sent."""
    response_format = body.get("responseFormat")
    if response_format is None:
        return None
    if not structured or not isinstance(response_format, dict):
        raise invalid("responseFormat")
    if response_format.get("type") != "json":
        raise invalid("responseFormat.type")
    return check_schema(response_format.get("schema"), facts)


def check_schema(schema: Any, facts: Facts) -> dict[str, Any]:
    """Check the schema of a response format and return it."""
    if not isinstance(schema, dict):
        raise Refusal("40055")
    root, definitions = schema, None
    if facts.takes("schema.$ref"):
        definitions = _definitions(schema)
        root = {name: value for name, value in schema.items() if name not in _DEFINITIONS}
        if "$ref" in root:
            root = definitions.get(str(root["$ref"]), {})
    rules = _Rules(facts, definitions)
    for item in (definitions or {}).values():
        _check(item, rules)
    if root.get("type") != "object":
        raise Refusal("40055")  # "JSON Schema(object)": the root is an object
    _check(root, rules)
    return schema


def _definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """The definitions of a schema by the references that name them."""
    found: dict[str, Any] = {}
    for place in _DEFINITIONS:
        items = schema.get(place, {})
        if not isinstance(items, dict):
            raise Refusal("40055")
        found |= {f"#/{place}/{name}": item for name, item in items.items()}
    return found


def _check(schema: Any, rules: _Rules) -> None:
    """Check a schema and those inside it."""
    if not isinstance(schema, dict) or not all(rules.facts.takes(f"schema.{name}") for name in schema):
        raise Refusal("40055")
    if rules.definitions is not None and "$ref" in schema:
        if set(schema) - _ANNOTATIONS - {"$ref"} or not is_one_of(schema["$ref"], rules.definitions):
            raise Refusal("40055")
        return
    if set(schema) - _allowed(schema, nullable=rules.facts.takes("schema.null")):
        raise Refusal("40055")
    if not is_one_of(schema.get("format", "date"), _FORMATS):
        raise Refusal("40055")
    if not isinstance(schema.get("additionalProperties", False), bool):  # a schema is no annotation
        raise Refusal("40055")
    _check_lists(schema)
    _check_bounds(schema)
    for option in schema.get("anyOf", []):
        _check(option, rules)
    if "items" in schema:
        _check(schema["items"], rules)
    _check_properties(schema, rules)


def _allowed(schema: Mapping[str, Any], *, nullable: bool) -> frozenset[str]:
    """The keywords that a schema may have, by its type or types."""
    kind = schema.get("type")
    if kind is None and ("anyOf" in schema or "enum" in schema):
        return _ANY
    kinds: list[Any] = kind if nullable and isinstance(kind, list) and kind else [kind]
    types = _TYPES | {"null"} if nullable else _TYPES
    if not all(is_one_of(item, types) for item in kinds):
        raise Refusal("40055")
    return frozenset[str]().union(*(_KEYWORDS[item] for item in kinds))


def _check_lists(schema: dict[str, Any]) -> None:
    for name in ("enum", "anyOf", "required"):
        if name in schema and not isinstance(schema[name], list):
            raise Refusal("40055")
    if schema.get("enum") == [] or schema.get("anyOf") == []:
        raise Refusal("40055")


def _check_bounds(schema: dict[str, Any]) -> None:
    for name, kinds in (("minimum", int | float), ("maximum", int | float), ("minItems", int), ("maxItems", int)):
        value = schema.get(name, 0)
        if not isinstance(value, kinds) or isinstance(value, bool) or (kinds is int and value < 0):
            raise Refusal("40055")


def _check_properties(schema: dict[str, Any], rules: _Rules) -> None:
    properties = schema.get("properties", {})
    if not isinstance(properties, dict) or not all(is_one_of(name, properties) for name in schema.get("required", [])):
        raise Refusal("40055")
    for item in properties.values():
        _check(item, rules)
