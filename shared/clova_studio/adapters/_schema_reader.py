"""A JSON Schema -> the alternatives that it allows, without references, ``allOf`` and lists of types. Pure.

The service lists few keywords, so what combines schemas is worked out here: each ``Alternative`` is one plain type with
its own keywords, and the values of a schema are those of all its alternatives together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clova_studio._errors import ConfigurationError
from clova_studio.adapters._schema_alternatives import (
    OWN_KEYWORDS,
    SHARED_KEYWORDS,
    Alternative,
    SubSchema,
    as_text,
    typed,
)
from clova_studio.adapters._schema_pointers import pointed_at

__all__ = ["SchemaReader"]

_TYPES = ("string", "number", "boolean", "integer", "object", "array", "null")
_MAX_DEPTH = 50
_MAX_SCHEMAS = 10_000
_MAX_ALTERNATIVES = 200
_KEPT = SHARED_KEYWORDS.union(*OWN_KEYWORDS.values())


class SchemaReader:
    """Reads the alternatives of a schema and of what is inside it.

    Args:
        root: The whole schema, which its references point into.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._read = 0

    def alternatives(self, parts: Sequence[SubSchema]) -> list[Alternative]:
        """Return what all of ``parts`` allow together; empty if that is nothing.

        Raises:
            ConfigurationError: A schema is recursive, refers to what is missing, is not a schema, is nested too deep
                or has too many alternatives.
        """
        found = [Alternative()]
        for part in parts:
            found = self._product(found, self._of(part), part)
        return found

    def description(self, part: SubSchema) -> str | None:
        """Return the description that stands closest: at the schema, at what it refers to, or in its ``allOf``."""
        schema = part.schema
        if not isinstance(schema, Mapping):
            return None
        if isinstance(schema.get("description"), str) and schema["description"]:
            return str(schema["description"])
        found = [self.description(inner) for inner in self._combined(part)]
        return next((text for text in found if text), None)

    def inlined(self, part: SubSchema, value: Any) -> Any:
        """Return a keyword's value with the references inside it replaced by what they refer to."""
        if isinstance(value, Mapping):
            if isinstance(value.get("$ref"), str):
                inner = self._resolved(value["$ref"], part)
                beside = {key: held for key, held in value.items() if key != "$ref"}
                target = self.inlined(inner, inner.schema)
                return {"allOf": [target], **self.inlined(part, beside)} if beside else target
            self._count(part)
            return {
                key: self.inlined(part, held)
                for key, held in value.items()
                if key not in {"$defs", "definitions"} and not (key == "title" and isinstance(held, str))
            }
        if isinstance(value, (list, tuple)):
            return [self.inlined(part, held) for held in value]
        return value

    def _of(self, part: SubSchema) -> list[Alternative]:
        schema = part.schema
        if schema is True:
            return [Alternative()]
        if schema is False:
            return []
        if not isinstance(schema, Mapping):
            raise ConfigurationError(f"the schema at {part.path} must be an object, got {type(schema).__name__}")
        self._count(part)
        found = list(self._own(part))
        for inner in self._combined(part):
            found = self._product(found, self._of(inner), part)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                options = _listed(part, keyword)
                union = [option for inner in options for option in self._described(inner)]
                found = self._product(found, union, part)
        if schema.get("nullable") is True:
            found.append(Alternative(type="null"))
        return found

    def _described(self, part: SubSchema) -> list[Alternative]:
        """Return the alternatives of an option, each with the option's description unless it has its own."""
        found = self._of(part)
        for alternative in found:
            alternative.description = alternative.description or self.description(part)
        return found

    def _count(self, part: SubSchema) -> None:
        self._read += 1
        if part.depth > _MAX_DEPTH:
            raise ConfigurationError(
                f"the schema at {part.path} is nested deeper than {_MAX_DEPTH} schemas: flatten it"
            )
        if self._read > _MAX_SCHEMAS:
            raise ConfigurationError(
                f"the schema at {part.path} has more than {_MAX_SCHEMAS:,} schemas inside once its references are "
                "replaced: split it"
            )

    def _combined(self, part: SubSchema) -> Iterator[SubSchema]:
        """Yield what holds beside a schema's own keywords: its reference's target and its ``allOf``."""
        if isinstance(part.schema.get("$ref"), str):
            yield self._resolved(part.schema["$ref"], part)
        if "allOf" in part.schema:
            yield from _listed(part, "allOf")

    def _resolved(self, reference: str, part: SubSchema) -> SubSchema:
        if reference in part.inside:
            name = reference.rsplit("/", 1)[-1]
            raise ConfigurationError(
                f"the schema of {name} refers to itself at {part.path}: the service takes no references, so its depth "
                "must have an end"
            )
        try:
            target = pointed_at(self._root, reference)
        except LookupError:
            raise ConfigurationError(
                f"the schema at {part.path} refers to {reference}, which it does not contain: put it into $defs"
            ) from None
        return SubSchema(target, reference, (*part.inside, reference), part.depth + 1)

    def _own(self, part: SubSchema) -> Iterator[Alternative]:
        """Yield an alternative for each type that a schema's own keywords allow."""
        schema: Mapping[str, Any] = part.schema
        kinds = schema.get("type")
        for kind in kinds if isinstance(kinds, (list, tuple)) else (kinds,):
            if kind is not None and kind not in _TYPES:
                raise ConfigurationError(
                    f"the schema at {part.path} has type {kind!r}, which is not one of {', '.join(_TYPES)}"
                )
            properties = {
                name: [part.at("properties", name, schema=held)] for name, held in _mapping(part, "properties").items()
            }
            found = typed(
                Alternative(
                    type=kind,
                    enum=_enum(part),
                    properties=properties,
                    required=_names(part),
                    items=list(_items(part)),
                    keywords={name: [self.inlined(part, value)] for name, value in _kept(schema)},
                )
            )
            if found is not None:
                yield found

    def _product(self, left: list[Alternative], right: list[Alternative], part: SubSchema) -> list[Alternative]:
        if len(left) * len(right) > _MAX_ALTERNATIVES:
            raise ConfigurationError(
                f"the schema at {part.path} combines to more than {_MAX_ALTERNATIVES} alternatives: simplify it"
            )
        pairs = (one.joined(other) for one in left for other in right)
        return [pair for pair in pairs if pair is not None]


def _kept(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in schema.items():
        if name in {"exclusiveMinimum", "exclusiveMaximum"} and isinstance(value, bool):
            continue  # draft 4: it says how to read the bound beside it
        if name in {"minimum", "maximum"} and schema.get(f"exclusive{name.capitalize()}") is True:
            yield f"exclusive{name.capitalize()}", value
        elif name == "items" and isinstance(value, (list, tuple)):
            yield "prefixItems", value  # drafts before 2020-12
        elif name == "if":
            yield name, {key: schema[key] for key in ("if", "then", "else") if key in schema}
        elif name == "additionalProperties" and not (isinstance(value, Mapping) and value):
            continue  # a model writes what is declared
        elif name in _KEPT:
            yield name, value


def _items(part: SubSchema) -> Iterator[SubSchema]:
    """Yield the schema of an array's items; that of a tuple is the union of its places."""
    schema = part.schema
    rest = schema.get("items")
    places = schema.get("prefixItems", rest if isinstance(rest, (list, tuple)) else None)
    if isinstance(places, (list, tuple)) and places:
        more = schema.get("items") if "prefixItems" in schema else schema.get("additionalItems")
        options = [*places, *([more] if isinstance(more, Mapping) else [])]
        yield part.at("prefixItems" if "prefixItems" in schema else "items", schema={"anyOf": options})
    elif rest is not None and not isinstance(rest, (list, tuple)):
        yield part.at("items", schema=rest)


def _enum(part: SubSchema) -> list[Any] | None:
    values = part.schema.get("enum")
    if values is not None and (not isinstance(values, (list, tuple)) or not values):
        raise ConfigurationError(f"the schema at {part.path} has an enum that is not a list of values")
    if "const" not in part.schema:
        return None if values is None else list(values)
    const = part.schema["const"]
    return [const] if values is None else [value for value in values if as_text(value) == as_text(const)]


def _names(part: SubSchema) -> list[str]:
    names = part.schema.get("required")
    if names is None or isinstance(names, bool):  # draft 3 and OpenAPI put a flag at a property
        return []
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"the schema at {part.path} has a required that is not a list of names")
    return list(names)


def _mapping(part: SubSchema, keyword: str) -> Mapping[str, Any]:
    held = part.schema.get(keyword)
    if held is None:
        return {}
    if not isinstance(held, Mapping):
        raise ConfigurationError(f"the schema at {part.path} has {keyword} that are not an object of schemas")
    return held


def _listed(part: SubSchema, keyword: str) -> list[SubSchema]:
    held = part.schema[keyword]
    if not isinstance(held, (list, tuple)) or not held:
        raise ConfigurationError(f"the schema at {part.path} has {keyword} that is not a list of schemas")
    return [part.at(keyword, index, schema=option) for index, option in enumerate(held)]
