"""Turns tools and JSON Schemas of frameworks into the form that the service takes. Pure.

Source: the structured outputs page of the API guide lists the keywords it supports and excludes ``pattern``. What the
service does with others is not documented, so annotations are left out, references are replaced by their targets, and
constraints that a response format cannot have are part of the description.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from clova_studio._errors import ConfigurationError
from clova_studio.adapters._schema_alternatives import OWN_KEYWORDS, Alternative, SubSchema
from clova_studio.adapters._schema_reader import SchemaReader

__all__ = ["clean_schema", "response_schema", "unwrapped_root", "wire_function", "wire_response_format"]

# The name of the one field around a root that is not an object; pydantic's root models take it.
_ROOT = "root"
# What the structured outputs page lists for each type.
_SUPPORTED = {
    "string": frozenset({"format"}),
    "number": frozenset({"minimum", "maximum"}),
    "integer": frozenset({"minimum", "maximum"}),
    "array": frozenset({"minItems", "maxItems"}),
}
_TIGHTER = {"minimum": max, "minItems": max, "maximum": min, "maxItems": min}
_FORMATS = frozenset({"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_ANYTHING: list[dict[str, Any]] = [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]


def wire_function(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool in the form that the service takes.

    Args:
        function: ``name``, ``description`` and ``parameters`` (a JSON Schema), in OpenAI's form; it is not changed. A
            root that is not an object becomes the field ``root`` of one: see ``unwrapped_root``.

    Raises:
        ConfigurationError: See ``clean_schema``.
    """
    name = function["name"]
    parameters = _with_object_root(clean_schema(function.get("parameters") or {}, supported_only=False))
    return {
        "type": "function",
        "function": {
            "name": name,
            # The service requires a description.
            "description": function.get("description") or name,
            "parameters": parameters,
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


def response_schema(schema: Mapping[str, Any], *, wrap_root: bool = False) -> dict[str, Any]:
    """Return a JSON Schema with only the keywords that structured outputs supports, and an object at its root.

    Source: the Chat Completions v3 structured outputs page of the API guide.

    Args:
        schema: A JSON Schema; it is not changed.
        wrap_root: Whether a root that is not an object becomes the field ``root`` of one (see ``unwrapped_root``); else
            it is refused.

    Raises:
        ConfigurationError: The root is not an object; and see ``clean_schema``.
    """
    cleaned = clean_schema(schema, supported_only=True)
    if not wrap_root and not _is_object(cleaned):
        raise ConfigurationError(
            f"a response schema must be an object at its root, got {cleaned.get('type') or 'a union'!r}: put it in a "
            "field of an object"
        )
    return _with_object_root(cleaned)


def unwrapped_root(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return an answer as ``schema`` has it: without the object that was put around a root that is not one.

    Args:
        value: The parsed answer, or the arguments of a tool call.
        schema: The JSON Schema as it was given to ``response_schema`` or ``wire_function``.
    """
    if not (isinstance(value, Mapping) and set(value) == {_ROOT}):
        return value
    return value if _is_object(clean_schema(schema, supported_only=False)) else value[_ROOT]


def clean_schema(schema: Mapping[str, Any], *, supported_only: bool) -> dict[str, Any]:
    """Return a JSON Schema that means the same without references, null, ``allOf``, ``oneOf`` and lists of types.

    Every value that the result allows is allowed by ``schema`` as far as the service has keywords for it: no property
    but the declared ones is written, null is never written, ``oneOf`` is read as ``anyOf``. Constraints that a response
    format cannot have (``pattern``, ``not``, the order of a tuple, ...) are in the description for the model to read.

    Args:
        schema: A JSON Schema of any draft, as pydantic, zod and others write them; it is not changed.
        supported_only: Whether to keep only keywords that the structured outputs page lists; else the constraints of
            strings, numbers, arrays and objects stay as well.

    Raises:
        ConfigurationError: The schema refers to itself or to what it does not contain, is not a schema, allows nothing
            but null, or is too deep or too large. The error names the path in the schema and the reason.
    """
    cleaner = _Cleaner(schema, supported_only=supported_only)
    found = cleaner.cleaned([SubSchema(schema, "#")])
    if found is None:
        raise ConfigurationError(
            f"the schema at {cleaner.empty_at or '#'} allows no value but null, which the service does not have: "
            "leave it out, or give it a type"
        )
    return found


class _Cleaner:
    def __init__(self, root: Mapping[str, Any], *, supported_only: bool) -> None:
        self._reader = SchemaReader(root)
        self._supported_only = supported_only
        self.empty_at: str | None = None  # the path of the first required schema without a value

    def cleaned(self, parts: Sequence[SubSchema]) -> dict[str, Any] | None:
        """Return what the service is sent for a schema; None if it allows nothing but null."""
        allowed = [option for option in self._reader.alternatives(parts) if not option.is_null]
        described = (self._reader.description(part) for part in parts)
        description = next((text for text in described if text), None)
        if len(allowed) == 1 and description:
            allowed[0].description, description = description, None
        options = [plain for plain in map(self._plain, allowed) if plain is not None]
        if not options:
            self.empty_at = self.empty_at or parts[0].path
            return None
        return _union(options, description=description)

    def _plain(self, found: Alternative) -> dict[str, Any] | None:
        kind = found.type or _implied_type(found)
        plain: dict[str, Any] = {} if kind is None else {"type": kind}
        if found.enum is not None:
            plain["enum"] = [value for value in found.enum if value is not None]
        if kind is None and found.enum is None and self._supported_only:
            plain["anyOf"] = [dict(option) for option in _ANYTHING]
        notes = self._keywords(found, kind, plain)
        if kind == "object" and not self._object(found, plain):
            return None
        if kind == "array" and not self._array(found, plain):
            return None
        text = "\n".join(filter(None, [found.description, *notes]))
        return {**plain, "description": text} if text else plain

    def _object(self, found: Alternative, plain: dict[str, Any]) -> bool:
        properties: dict[str, Any] = {}
        for name, parts in found.properties.items():
            held = self.cleaned(parts)
            if held is not None:
                properties[name] = held
            elif name in found.required:
                return False
        if properties or found.properties:
            plain["properties"] = properties
        required = [name for name in found.required if name in properties]
        if required:
            plain["required"] = required
        return True

    def _array(self, found: Alternative, plain: dict[str, Any]) -> bool:
        if not found.items:
            return True
        held = self.cleaned(found.items)
        if held is not None:
            plain["items"] = held
            return True
        plain["maxItems"] = 0
        return not plain.get("minItems")

    def _keywords(self, found: Alternative, kind: str | None, plain: dict[str, Any]) -> list[str]:
        """Put the keywords that are sent into ``plain``; return the others as notes for the description."""
        notes = []
        for keyword, values in found.keywords.items():
            for given in values:
                name, value = keyword, given
                if kind == "integer" and self._supported_only and _is_exclusive(name, value):
                    name, value = _inclusive(name, value)
                if not self._is_sent(name, value, kind):
                    notes.append(f"{keyword}: {json.dumps(given, ensure_ascii=False, default=str)}")
                elif name in _TIGHTER and name in plain:
                    plain[name] = _TIGHTER[name](plain[name], value)
                elif name not in plain:
                    plain[name] = value
                else:
                    notes.append(f"{keyword}: {json.dumps(given, ensure_ascii=False, default=str)}")
        return notes

    def _is_sent(self, name: str, value: Any, kind: str | None) -> bool:
        if name in {"additionalProperties", "prefixItems"}:
            return False
        if not self._supported_only:
            return True
        return name in _SUPPORTED.get(kind or "", ()) and (name != "format" or value in _FORMATS)


def _is_exclusive(name: str, value: Any) -> bool:
    return name in {"exclusiveMinimum", "exclusiveMaximum"} and isinstance(value, (int, float)) and math.isfinite(value)


def _inclusive(name: str, value: float) -> tuple[str, int]:
    """Return an exclusive bound of an integer as an inclusive one."""
    return ("minimum", math.floor(value) + 1) if name == "exclusiveMinimum" else ("maximum", math.ceil(value) - 1)


def _implied_type(found: Alternative) -> str | None:
    """Return the type that the keywords of a schema without one are about."""
    if found.enum is not None:
        return None
    if found.properties or found.required:
        return "object"
    if found.items:
        return "array"
    kinds = [kind for kind, own in OWN_KEYWORDS.items() if not own.isdisjoint(found.keywords)]
    return kinds[0] if len(kinds) == 1 else None


def _union(options: Sequence[dict[str, Any]], *, description: str | None = None) -> dict[str, Any]:
    """Return one schema for all options; ``description`` stands above those of the options."""
    flat: list[dict[str, Any]] = []
    for option in options:
        for one in option["anyOf"] if set(option) == {"anyOf"} else (option,):
            _add(flat, one)
    joined: dict[str, Any] = {}
    if {} not in flat:
        joined = flat[0] if len(flat) == 1 else {"anyOf": flat}
    if description:
        joined["description"] = "\n".join(filter(None, [description, joined.get("description")]))
    return joined


def _add(flat: list[dict[str, Any]], option: dict[str, Any]) -> None:
    """Add an option that is new; values of one type, as TypeScript's unions of literals have them, become one enum."""
    if "enum" in option and set(option) <= {"type", "enum"}:
        for other in flat:
            if set(other) == set(option) and other.get("type") == option.get("type"):
                known = {json.dumps(value) for value in other["enum"]}
                other["enum"] = other["enum"] + [value for value in option["enum"] if json.dumps(value) not in known]
                return
    text = json.dumps(option, sort_keys=True, default=str)
    if all(json.dumps(other, sort_keys=True, default=str) != text for other in flat):
        flat.append(dict(option))


def _is_object(schema: Mapping[str, Any]) -> bool:
    """Whether a cleaned schema allows objects only."""
    if not schema or schema.get("type") == "object":
        return True
    options = schema.get("anyOf", ())
    return bool(options) and all(_is_object(option) and option for option in options)


def _with_object_root(cleaned: dict[str, Any]) -> dict[str, Any]:
    """Return a cleaned schema with ``type: object`` at its root, as the service requires it."""
    if not _is_object(cleaned):
        return {"type": "object", "properties": {_ROOT: cleaned}, "required": [_ROOT]}
    if "anyOf" not in cleaned:
        return {"type": "object", "properties": {}, **cleaned}
    options = cleaned["anyOf"]
    properties: dict[str, list[dict[str, Any]]] = {}
    for option in options:
        for name, held in option.get("properties", {}).items():
            properties.setdefault(name, []).append(held)
    always = [name for name in options[0].get("required", ()) if all(name in o.get("required", ()) for o in options)]
    return {
        "type": "object",
        "properties": {name: _union(held) for name, held in properties.items()},
        **({"required": always} if always else {}),
        **cleaned,
    }
