"""JSON Schemas as generators write them, and values that a cleaned schema allows, from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

SCALARS = ("string", "number", "boolean", "integer", "null")
NAMES = ("phone", "mail", "age", "title", "$ref", "이름")
DEFINITIONS = ("Part", "Side/Piece", "Nul%l")
STRINGS = ("", "a", "서울", "2024-01-02")
VALUES = (*STRINGS, *range(-5, 6), True, False, None)


def schema_of(random: Random) -> dict[str, Any]:
    """Return a schema in the keywords that the service has, in the frames that generators put around them."""
    definitions = {name: _schema(random, 1, ()) for name in DEFINITIONS}
    root = _combined(random, 3, DEFINITIONS) if random.random() < 0.9 else _leaf(random, DEFINITIONS)
    return {**(root if isinstance(root, dict) else {}), "$defs": definitions}


def value_of(cleaned: Mapping[str, Any], random: Random) -> Any:
    """Return a value that a model can write for a cleaned schema: declared properties only, never null."""
    if "anyOf" in cleaned:
        return value_of(random.choice(cleaned["anyOf"]), random)
    if "enum" in cleaned:
        return random.choice(cleaned["enum"])
    kind = cleaned.get("type") or random.choice(("string", "integer", "boolean"))
    if kind == "object":
        properties, required = cleaned.get("properties", {}), cleaned.get("required", ())
        written = [name for name in properties if name in required or random.random() < 0.5]
        return {name: value_of(properties[name], random) for name in written}
    if kind == "array":
        least = cleaned.get("minItems", 0)
        size = random.randint(least, max(least, cleaned.get("maxItems", least + 2)))
        return [value_of(cleaned.get("items", {}), random) for _ in range(size)]
    if kind == "boolean":
        return random.random() < 0.5
    if kind == "string":
        return random.choice(STRINGS)
    low = cleaned.get("minimum", min(-9, cleaned.get("maximum", 0)))
    return random.randint(low, max(low, cleaned.get("maximum", 9)))


def _schema(random: Random, depth: int, definitions: tuple[str, ...]) -> Any:
    return _combined(random, depth, definitions) if depth and random.random() < 0.6 else _leaf(random, definitions)


def _leaf(random: Random, definitions: tuple[str, ...]) -> Any:
    kinds = random.sample((*SCALARS, "array"), random.randint(1, 3))
    leaves: list[Any] = [
        {"type": random.choice(SCALARS)},
        {"type": kinds, "items": {"type": "string"}, **_bounds(random)},
        {"enum": random.sample(VALUES, random.randint(1, 3))},
        {"const": random.choice(VALUES)},
        {"type": "integer", **_bounds(random)},
        {"type": "string", "nullable": True},
        {"type": "object"},
        {},
        True,
    ]
    if definitions:
        reference = {"$ref": _pointer(random.choice(definitions))}
        leaves += [reference, reference, {**reference, "description": "곁"}]
    return random.choice(leaves)


def _combined(random: Random, depth: int, definitions: tuple[str, ...]) -> dict[str, Any]:
    inner = [_schema(random, depth - 1, definitions) for _ in range(random.randint(1, 3))]
    base = _object(random, depth, definitions)
    either: list[Any] = [{"required": [name]} for name in base["properties"]]
    forms: list[dict[str, Any]] = [
        base,
        base,
        {"type": "array", "items": inner[0], **_bounds(random)},
        {"anyOf": inner},
        {"allOf": inner},
        {"allOf": [base, _object(random, depth, definitions)]},
        {**base, "anyOf": inner},
        {**base, "anyOf": either or [True]},
        {"oneOf": [{"type": "null"}, {**base, "type": "object"}]},
    ]
    return random.choice(forms)


def _object(random: Random, depth: int, definitions: tuple[str, ...]) -> dict[str, Any]:
    names = random.sample(NAMES, random.randint(0, 3))
    required = [name for name in names if random.random() < 0.5]
    return {
        **({"type": "object"} if random.random() < 0.7 else {}),
        "properties": {name: _schema(random, depth - 1, definitions) for name in names},
        **({"required": required} if required else {}),
    }


def _bounds(random: Random) -> dict[str, Any]:
    given = {
        "minimum": random.randint(-5, 5),
        "maximum": random.randint(-5, 5),
        "minItems": random.randint(0, 2),
        "maxItems": random.randint(0, 3),
    }
    return {name: value for name, value in given.items() if random.random() < 0.4}


def _pointer(name: str) -> str:
    return "#/$defs/" + name.replace("~", "~0").replace("/", "~1").replace("%", "%25")
