"""The schema of a structured answer, in the form that each method needs, and the validation of answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from langchain_core.utils.pydantic import is_basemodel_subclass

from clova_studio import ConfigurationError
from clova_studio.adapters import (
    UnfitAnswerError,
    fitting,
    json_values,
    read_json,
    response_schema,
    unwrapped_root,
    validation_words,
)
from langchain_clova._errors import langchain_errors
from langchain_clova._schemas import json_schema_of, wire_tool

__all__ = ["AnswerSchema"]

_NAME = "Answer"


class AnswerSchema:
    """The schema of a structured answer, in the form that each method needs, and its validation.

    ``schema`` is a pydantic class of version 1 or 2, a TypedDict, a JSON Schema (bare or in OpenAI's frame), or None
    for any JSON.
    """

    def __init__(self, schema: Any, *, strict: bool | None) -> None:
        self.given = _unwrapped(schema)
        self.is_pydantic = isinstance(self.given, type) and is_basemodel_subclass(self.given)
        self._strict = strict
        self._json: dict[str, Any] | None = None if self.given is None else self._json_schema()
        properties = None if self._json is None else self._json.get("properties")
        self.names = tuple(properties) if isinstance(properties, Mapping) else ()

    def __repr__(self) -> str:
        return f"AnswerSchema({self.given!r})"

    def _json_schema(self) -> dict[str, Any]:
        return json_schema_of(self._titled, strict=self._strict)

    @property
    def _titled(self) -> Any:
        """The schema with a title, which langchain-core needs for the name of a function."""
        return {"title": _NAME, **self.given} if _is_bare(self.given) else self.given

    def check(self, method: str | None) -> None:
        """Raise the error in a schema that a method, None for the default ones, cannot ask for."""
        if method == "json_schema":
            _ = self.response_format
        elif method != "json_mode":
            _ = self.tool

    @cached_property
    def tool(self) -> dict[str, Any]:
        """The tool that carries the answer."""
        return wire_tool(self._titled, strict=self._strict)

    @cached_property
    def response_format(self) -> dict[str, Any]:
        """The response format of the service's structured outputs."""
        with langchain_errors:
            return {"type": "json", "schema": response_schema(self._json or {}, wrap_root=True)}

    @cached_property
    def instruction(self) -> dict[str, Any]:
        """The response format that stands for an instruction, with the schema if there is one."""
        if self._json is None:
            return {"type": "json_object"}
        try:
            function = self.tool["function"]
        except ConfigurationError:  # a recursive schema, which an instruction can contain
            return {"type": "json_object", "schema": self._json}
        return {"type": "json_object", "schema": {"description": function["description"], **function["parameters"]}}

    def value_of(self, found: dict[str, Any]) -> Any:
        """Return the instance for an object, or the object itself if the schema is no class; it must fit."""
        if self._json is None:
            return found
        value = unwrapped_root(found, self._json)
        if not self.is_pydantic:
            return fitting(value, self._json)
        parse = getattr(self.given, "model_validate", None) or self.given.parse_obj
        try:
            return parse(value)
        except ValueError as error:
            if not hasattr(error, "errors"):
                raise UnfitAnswerError("invalid", str(error)) from error
            raise validation_words(error, found) from error

    def read(self, text: str) -> Any:
        """Return the value of the JSON in a text; it must fit."""
        if self.given is None:
            values = json_values(text)
            if not values:
                raise UnfitAnswerError("not_json", said=text)
            return values[0]
        return read_json(text, self.value_of, self.names)


def _is_bare(schema: Any) -> bool:
    """Return whether a schema is a JSON Schema without a title, and not a tool in some provider's form."""
    return isinstance(schema, dict) and not schema.keys() & {"title", "name", "function", "toolSpec"}


def _unwrapped(schema: Any) -> Any:
    """Return a JSON Schema without the frame that OpenAI puts around it, under the name that stands in the frame."""
    if not isinstance(schema, dict):
        return schema
    held = schema.get("json_schema") if schema.get("type") == "json_schema" else schema
    if not isinstance(held, dict) or not isinstance(held.get("schema"), dict) or "properties" in held:
        return schema
    named = {"title": held.get("name"), "description": held.get("description")}
    return {**{name: value for name, value in named.items() if value is not None}, **held["schema"]}
