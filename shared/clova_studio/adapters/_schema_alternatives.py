"""One of the plain types that a JSON Schema allows, and what two of them allow together. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["OWN_KEYWORDS", "SHARED_KEYWORDS", "Alternative", "SubSchema", "as_text", "typed"]

# What only one type can violate: a list of types gives each its own.
OWN_KEYWORDS = {
    "string": frozenset({"format", "minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    "array": frozenset(
        {"minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems"}
    ),
    "object": frozenset(
        {"patternProperties", "additionalProperties", "propertyNames", "minProperties", "maxProperties"}
        | {"dependentRequired", "dependentSchemas", "dependencies"}
    ),
}
SHARED_KEYWORDS = frozenset({"not", "if"})
_LARGER = frozenset({"minimum", "exclusiveMinimum", "minItems", "minLength", "minProperties", "minContains"})
_SMALLER = frozenset({"maximum", "exclusiveMaximum", "maxItems", "maxLength", "maxProperties", "maxContains"})


@dataclass(frozen=True)
class SubSchema:
    """A schema inside the caller's: its path, and the references on the way to it."""

    schema: Any
    path: str
    inside: tuple[str, ...] = ()
    depth: int = 0

    def at(self, *steps: str | int, schema: Any) -> SubSchema:
        """Return the schema at ``steps`` below this one."""
        below = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)
        return SubSchema(schema, self.path + below, self.inside, self.depth + 1)


@dataclass
class Alternative:
    """One plain type with its keywords; ``type`` is None where any type is allowed."""

    type: str | None = None
    enum: list[Any] | None = None
    properties: dict[str, list[SubSchema]] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    items: list[SubSchema] = field(default_factory=list)
    keywords: dict[str, list[Any]] = field(default_factory=dict)
    description: str | None = None

    @property
    def is_null(self) -> bool:
        """Whether only null is allowed."""
        return self.type == "null" or (self.enum is not None and all(value is None for value in self.enum))

    def joined(self, other: Alternative) -> Alternative | None:
        """Return what both allow; None if that is nothing."""
        kind = _common_type(self.type, other.type)
        if kind == "":
            return None
        enum = other.enum if self.enum is None else self.enum
        if self.enum is not None and other.enum is not None:
            allowed = {as_text(value) for value in other.enum}
            enum = [value for value in self.enum if as_text(value) in allowed]
        properties = {name: list(parts) for name, parts in self.properties.items()}
        for name, parts in other.properties.items():
            properties[name] = [*properties.get(name, ()), *parts]
        return typed(
            Alternative(
                type=kind,
                enum=enum,
                properties=properties,
                required=list(dict.fromkeys([*self.required, *other.required])),
                items=[*self.items, *other.items],
                keywords=_joined_keywords(self.keywords, other.keywords),
                description=self.description or other.description,
            )
        )


def typed(found: Alternative) -> Alternative | None:
    """Return an alternative without what its type cannot violate; None if no value is left."""
    if found.enum is not None:
        found.enum = [value for value in found.enum if _is_of(value, found.type) and _is_within(value, found.keywords)]
        if not found.enum:
            return None
    if found.type is None:
        return found
    kind = "number" if found.type == "integer" else found.type
    own = OWN_KEYWORDS.get(kind, frozenset()) | SHARED_KEYWORDS
    found.keywords = {name: values for name, values in found.keywords.items() if name in own}
    if kind != "object":
        found.properties, found.required = {}, []
    if kind != "array":
        found.items = []
    bounds = ("minItems", "maxItems") if kind == "array" else ("minimum", "maximum")
    low, high = (found.keywords.get(name, [None])[0] for name in bounds)
    return None if _is_number(low) and _is_number(high) and low > high else found


def _joined_keywords(left: Mapping[str, list[Any]], right: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    joined = {name: list(values) for name, values in left.items()}
    for name, values in right.items():
        both = _different([*joined.get(name, ()), *values])
        if name in _LARGER and all(_is_number(value) for value in both):
            both = [max(both)]
        elif name in _SMALLER and all(_is_number(value) for value in both):
            both = [min(both)]
        joined[name] = both
    return joined


def _common_type(left: str | None, right: str | None) -> str | None:
    """Return the type that is both; an empty string if there is none."""
    if left is None or right is None or left == right:
        return right if left is None else left
    return "integer" if {left, right} == {"integer", "number"} else ""


def _different(values: Iterable[Any]) -> list[Any]:
    return list({as_text(value): value for value in values}.values())


def _is_of(value: Any, kind: str | None) -> bool:
    if kind is None:
        return True
    if kind in {"number", "integer"}:
        return _is_number(value) and (kind == "number" or float(value).is_integer())
    types: dict[str, Any] = {
        "string": str,
        "boolean": bool,
        "object": Mapping,
        "array": (list, tuple),
        "null": type(None),
    }
    return isinstance(value, types[kind])


def _is_within(value: Any, keywords: Mapping[str, list[Any]]) -> bool:
    if not _is_number(value):
        return True
    low, high = (keywords.get(name, [value])[0] for name in ("minimum", "maximum"))
    return (not _is_number(low) or low <= value) and (not _is_number(high) or value <= high)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_text(value: Any) -> str:
    """Return a value as JSON: Python takes 1, 1.0 and True for equal, JSON does not take 1 for true."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
