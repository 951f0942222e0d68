"""Validates a value by a JSON Schema, for the keywords that the frameworks use; ``pattern`` is ignored. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clova_studio.adapters._schema_pointers import pointed_at

__all__ = ["schema_faults"]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (float, int),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
_KINDS: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "a list",
    type(None): "null",
}
_BOUNDS: Mapping[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (operator.ge, "at least"),
    "maximum": (operator.le, "at most"),
    "exclusiveMinimum": (operator.gt, "more than"),
    "exclusiveMaximum": (operator.lt, "less than"),
}
_LENGTHS = (
    (str, "minLength", "maxLength", "characters"),
    (list, "minItems", "maxItems", "items"),
)
_DEEPEST = 100


def schema_faults(value: Any, schema: Any, *, most: int = 10) -> list[str]:
    """Return the faults of a value, each with its path, such as ``tags: must be a list, got a string``.

    Args:
        value: A value of JSON.
        schema: A JSON Schema; references point into it. Unknown keywords are ignored.
        most: The largest number of faults to return.
    """
    return _Checker(schema, most).check(value, schema, "", 0)


class _Checker:
    def __init__(self, root: Any, most: int) -> None:
        self._root = root
        self._most = most

    def check(self, value: Any, schema: Any, where: str, depth: int) -> list[str]:
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return []
        faults: list[str] = []
        if isinstance(schema.get("$ref"), str):
            faults += self.check(value, self._target(schema["$ref"]), where, depth + 1)
        for part in _list(schema.get("allOf")):
            faults += self.check(value, part, where, depth + 1)
        faults += self._union(value, schema, where, depth)
        if not faults:
            faults += _own_faults(value, schema, where)
        if not faults and isinstance(value, dict):
            faults += self._members(value, schema, where, depth)
        if not faults and isinstance(value, list):
            faults += self._items(value, schema, where, depth)
        return faults[: self._most]

    def _target(self, reference: str) -> Any:
        try:
            return pointed_at(self._root, reference)
        except LookupError:
            return None  # a target that is missing checks nothing

    def _union(self, value: Any, schema: Mapping[str, Any], where: str, depth: int) -> list[str]:
        # oneOf is checked like anyOf.
        options = [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))]
        if not options:
            return []
        tried = [self.check(value, option, where, depth + 1) for option in options]
        # The option that the value fits best: the one in which its first fault is deepest.
        return [] if not all(tried) else max(tried, key=lambda faults: (faults[0].count("."), -len(faults)))

    def _members(self, value: dict[str, Any], schema: Mapping[str, Any], where: str, depth: int) -> list[str]:
        members = schema.get("properties")
        members = members if isinstance(members, Mapping) else {}
        required = _list(schema.get("required"))
        faults = [f"{_inside(where, name)}: is missing" for name in required if name not in value]
        others = schema.get("additionalProperties")
        for name, held in value.items():
            if name not in members:
                faults += self.check(held, others, _inside(where, name), depth + 1)
            elif held is not None or name in required:
                # Frameworks make an optional member one that is not required, and leave null out of its types.
                faults += self.check(held, members[name], _inside(where, name), depth + 1)
        return faults

    def _items(self, value: list[Any], schema: Mapping[str, Any], where: str, depth: int) -> list[str]:
        first = _list(schema.get("prefixItems"))
        faults = []
        for i, item in enumerate(value):
            rule = first[i] if i < len(first) else schema.get("items")
            faults += self.check(item, rule, _inside(where, str(i)), depth + 1)
            if len(faults) >= self._most:
                break
        return faults


def _own_faults(value: Any, schema: Mapping[str, Any], where: str) -> list[str]:
    """Return the faults of a value itself, without those of its members."""
    named = where or "the answer"
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else _list(kinds)
    if kinds and not any(_is(value, kind) for kind in kinds):
        wanted = " or ".join(_KINDS[_TYPES[kind][0]] if kind in _TYPES else str(kind) for kind in kinds)
        return [f"{named}: must be {wanted}, got {_KINDS.get(type(value), type(value).__name__)}"]
    allowed = schema.get("enum")
    if "const" in schema:
        allowed = [schema["const"]]
    if isinstance(allowed, Sequence) and value not in allowed and not isinstance(allowed, str):
        return [f"{named}: must be one of {', '.join(map(repr, allowed))}"]
    return _bound_faults(value, schema, named)


def _bound_faults(value: Any, schema: Mapping[str, Any], named: str) -> list[str]:
    faults = []
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        for name, (holds, words) in _BOUNDS.items():
            bound = schema.get(name)
            if isinstance(bound, (int, float)) and not isinstance(bound, bool) and not holds(value, bound):
                faults.append(f"{named}: must be {words} {bound}")
    for kind, least, most, words in _LENGTHS:
        low, high = schema.get(least), schema.get(most)
        if isinstance(value, kind) and isinstance(low, int) and len(value) < low:
            faults.append(f"{named}: must have at least {low} {words}")
        if isinstance(value, kind) and isinstance(high, int) and len(value) > high:
            faults.append(f"{named}: must have at most {high} {words}")
    return faults


def _is(value: Any, kind: Any) -> bool:
    if not isinstance(kind, str) or kind not in _TYPES:
        return True
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _inside(where: str, name: Any) -> str:
    return f"{where}.{name}" if where else str(name)
