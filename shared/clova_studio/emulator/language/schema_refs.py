"""Replaces the references of a JSON schema by what they name, so that the schema can be filled."""

from typing import Any

_DEFINITIONS = ("$defs", "definitions")
_DEEPEST = 2  # how often a definition may contain itself
_MOST_SCHEMAS = 5_000  # more than any answer needs, however often definitions use each other


def inline(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without references; an unknown or endless one becomes null."""
    named = {
        f"#/{place}/{name}": item
        for place in _DEFINITIONS
        if isinstance(schema.get(place), dict)
        for name, item in schema[place].items()
    }
    if not named:
        return schema
    found = _Inliner(named).replace({name: value for name, value in schema.items() if name not in _DEFINITIONS}, ())
    return found if isinstance(found, dict) else {}


class _Inliner:
    """The definitions of one schema, and how many schemas were made from them."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self._made = 0

    def replace(self, value: Any, open_names: tuple[str, ...]) -> Any:
        """A part of the schema without references, inside the definitions that are being replaced."""
        if isinstance(value, list):
            return [self.replace(item, open_names) for item in value]
        if not isinstance(value, dict):
            return value
        self._made += 1
        name = value.get("$ref")
        if not isinstance(name, str):
            return {key: self.replace(item, open_names) for key, item in value.items()}
        if name not in self._named or open_names.count(name) >= _DEEPEST or self._made > _MOST_SCHEMAS:
            return {"type": "null"}
        beside = {key: item for key, item in value.items() if key != "$ref"}
        found = self.replace(self._named[name], (*open_names, name))
        return {**found, **beside} if isinstance(found, dict) else beside
