"""Turns tools and JSON Schemas of frameworks into the form that the service takes. Pure.

Source: the structured outputs page of the API guide lists the keywords it supports and excludes ``pattern``. What the
service does with others is not documented, so those that pydantic adds are left out and references are inlined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clova_studio._errors import ConfigurationError

__all__ = ["clean_schema", "response_schema", "wire_function", "wire_response_format"]

# Of no use to a model, or unproven with the service.
_DROPPED = frozenset(
    {"$schema", "$id", "$defs", "$comment", "definitions", "title", "default", "additionalProperties", "examples"}
)
# What the structured outputs page lists.
_SUPPORTED = frozenset(
    {"type", "description", "enum", "anyOf", "format", "minimum", "maximum", "items", "minItems", "maxItems"}
    | {"properties", "required"}
)
_FORMATS = frozenset({"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_ANYTHING: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}


def wire_function(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool in the form that the service takes.

    Args:
        function: ``name``, ``description`` and ``parameters`` (a JSON Schema), in OpenAI's form; it is not changed.

    Raises:
        ConfigurationError: The schema is recursive.
    """
    name = function["name"]
    parameters = clean_schema(function.get("parameters") or {}, supported_only=False)
    return {
        "type": "function",
        "function": {
            "name": name,
            # The service requires a description.
            "description": function.get("description") or name,
            "parameters": {"type": "object", "properties": {}, **parameters},
        },
    }


def wire_response_format(given: Any) -> dict[str, Any]:
    """Return a response format in the form that the service takes.

    Args:
        given: OpenAI's ``{"type": "json_schema", "json_schema": {"schema": ...}}`` or the service's
            ``{"type": "json", "schema": ...}``.

    Raises:
        ConfigurationError: It is neither.
    """
    schema = None
    if isinstance(given, Mapping):
        if given.get("type") == "json_schema" and isinstance(given.get("json_schema"), Mapping):
            schema = given["json_schema"].get("schema")
        elif given.get("type") == "json":
            schema = given.get("schema")
    if not isinstance(schema, Mapping):
        raise ConfigurationError(
            "response_format must be {'type': 'json_schema', 'json_schema': {'schema': {...}}} or {'type': 'json', "
            f"'schema': {{...}}}}, got {given!r}"
        )
    return {"type": "json", "schema": response_schema(schema)}


def response_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema with only the keywords that structured outputs supports.

    Source: the Chat Completions v3 structured outputs page of the API guide.

    Args:
        schema: A JSON Schema with an object at its root; it is not changed.

    Raises:
        ConfigurationError: Its root is not an object, or it is recursive.
    """
    cleaned = clean_schema(schema, supported_only=True)
    if cleaned.get("type") != "object":
        raise ConfigurationError(
            f"a response schema must be an object at its root, got {cleaned.get('type') or 'a union'!r}: put it in a "
            "field of an object"
        )
    return {"type": "object", "properties": {}, **cleaned}


def clean_schema(schema: Mapping[str, Any], *, supported_only: bool) -> dict[str, Any]:
    """Return a JSON Schema with references inlined, null unions folded and pydantic's own keywords left out.

    Args:
        schema: A JSON Schema; it is not changed.
        supported_only: Whether to keep only keywords that the structured outputs page lists.

    Raises:
        ConfigurationError: The schema refers to itself, or to something that it does not contain.
    """
    return _Cleaner(schema, supported_only=supported_only).clean(schema, ())


class _Cleaner:
    def __init__(self, root: Mapping[str, Any], *, supported_only: bool) -> None:
        self._root = root
        self._supported_only = supported_only

    def clean(self, schema: Any, inside: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(schema, Mapping):
            return dict(_ANYTHING)  # True: anything goes
        schema, inside = self._inlined(schema, inside)
        found: dict[str, Any] = {}
        for name, value in schema.items():
            if name in _DROPPED or name in {"anyOf", "oneOf", "const", "prefixItems"}:
                continue
            if self._supported_only and name not in _SUPPORTED:
                continue
            found[name] = self._value(name, value, inside)
        self._fold(schema, found, inside)
        if self._supported_only:
            if found.get("format") not in _FORMATS:
                found.pop("format", None)
            if not found.get("type") and not found.get("enum") and not found.get("anyOf"):
                found.update(_ANYTHING)
        return found

    def _value(self, name: str, value: Any, inside: tuple[str, ...]) -> Any:
        if name == "properties" and isinstance(value, Mapping):
            return {key: self.clean(held, inside) for key, held in value.items()}
        if name == "items":
            return self.clean(value, inside)
        if name == "enum" and isinstance(value, Sequence):
            return [item for item in value if item is not None]
        if isinstance(value, (list, tuple)):
            return list(value)
        return value

    def _inlined(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return a schema with the contents of its ``$ref`` and its ``allOf``, and the references that led here."""
        merged: dict[str, Any] = {}
        while True:
            parts = [part for part in schema.get("allOf", ()) if isinstance(part, Mapping)]
            reference = schema.get("$ref")
            merged = _joined([merged, {key: value for key, value in schema.items() if key not in {"allOf", "$ref"}}])
            if isinstance(reference, str):
                if reference in inside:
                    raise ConfigurationError(
                        f"the schema refers to itself at {reference}: the service takes no references, limit its depth"
                    )
                inside = (*inside, reference)
                parts.append(self._lookup(reference))
            if not parts:
                return merged, inside
            # A keyword beside a reference (a description) takes precedence over that of its target.
            schema = _joined(parts)

    def _lookup(self, reference: str) -> Mapping[str, Any]:
        target: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, Mapping) or key not in target:
                raise ConfigurationError(f"the schema refers to {reference}, which it does not contain")
            target = target[key]
        return target if isinstance(target, Mapping) else {}

    def _fold(self, schema: Mapping[str, Any], found: dict[str, Any], inside: tuple[str, ...]) -> None:
        """Express unions, constants, tuples and lists of types in keywords that the service has."""
        kinds = found.get("type")
        options = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        if isinstance(kinds, list):
            kinds = [kind for kind in kinds if kind != "null"]
            if len(kinds) == 1:
                found["type"] = kinds[0]
            else:
                del found["type"]
                options += [{"type": kind} for kind in kinds]
        if "const" in schema and schema["const"] is not None:
            found["enum"] = [schema["const"]]
        if schema.get("prefixItems"):
            found["items"] = _union([self.clean(item, inside) for item in schema["prefixItems"]])
        options = [option for option in options if not (isinstance(option, Mapping) and option.get("type") == "null")]
        if options:
            union = _union([self.clean(option, inside) for option in options])
            for name, value in union.items():
                found.setdefault(name, value)
        if isinstance(found.get("required"), list):
            found["required"] = [name for name in found["required"] if name in found.get("properties", {})]
            if not found["required"]:
                del found["required"]


def _union(options: list[dict[str, Any]]) -> dict[str, Any]:
    different = [option for i, option in enumerate(options) if option not in options[:i]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            if name == "properties" and isinstance(value, Mapping):
                joined[name] = {**joined.get(name, {}), **value}
            elif name in {"required", "allOf"} and isinstance(value, Sequence):
                joined[name] = [*joined.get(name, ()), *value]
            else:
                joined.setdefault(name, value)
    return joined
