"""Which JSON schemas a response format may use.

Source: the "Structured Outputs" reference page lists the supported keywords and excludes ``pattern``. Whether the
service accepts keywords that the page does not list (``$ref``, ``additionalProperties``, ``title``, type arrays, ...)
is unknown. The emulator refuses them, so that a client that works here also works with the service.
"""

from collections.abc import Mapping
from typing import Any

from clova_studio.emulator.rules.checks import is_one_of
from clova_studio.emulator.rules.refusals import Refusal, invalid

_TYPES = frozenset({"string", "number", "boolean", "integer", "object", "array"})
_FORMATS = frozenset({"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_ANY = frozenset({"type", "description", "enum", "anyOf"})
_KEYWORDS = {
    "string": _ANY | {"format"},
    "number": _ANY | {"minimum", "maximum"},
    "integer": _ANY | {"minimum", "maximum"},
    "boolean": _ANY,
    "array": _ANY | {"items", "minItems", "maxItems"},
    "object": _ANY | {"properties", "required"},
}


def check_response_format(body: Mapping[str, Any], *, structured: bool = True) -> dict[str, Any] | None:
    """Check the response format of a request and return its schema; None when no format was sent."""
    response_format = body.get("responseFormat")
    if response_format is None:
        return None
    if not structured or not isinstance(response_format, dict):
        raise invalid("responseFormat")
    if response_format.get("type") != "json":
        raise invalid("responseFormat.type")
    return check_schema(response_format.get("schema"))


def check_schema(schema: Any) -> dict[str, Any]:
    """Check the schema of a response format and return it."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Refusal("40055")  # "JSON Schema(object)": the root is an object
    _check(schema)
    return schema


def _check(schema: Any) -> None:
    if not isinstance(schema, dict):
        raise Refusal("40055")
    kind = schema.get("type")
    if kind is None and ("anyOf" in schema or "enum" in schema):
        allowed = _ANY
    elif isinstance(kind, str) and kind in _TYPES:
        allowed = _KEYWORDS[kind]
    else:
        raise Refusal("40055")
    if set(schema) - allowed or not is_one_of(schema.get("format", "date"), _FORMATS):
        raise Refusal("40055")
    _check_lists(schema)
    _check_bounds(schema)
    for option in schema.get("anyOf", []):
        _check(option)
    if "items" in schema:
        _check(schema["items"])
    _check_properties(schema)


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


def _check_properties(schema: dict[str, Any]) -> None:
    properties = schema.get("properties", {})
    if not isinstance(properties, dict) or not all(is_one_of(name, properties) for name in schema.get("required", [])):
        raise Refusal("40055")
    for item in properties.values():
        _check(item)
