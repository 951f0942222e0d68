"""Turns LangChain's tools and schemas into the forms that the service takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeGuard

from langchain_core.tools import StructuredTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from clova_studio import ConfigurationError
from clova_studio.adapters import (
    UnfitAnswerError,
    clean_schema,
    fitting,
    json_values,
    read_json,
    response_schema,
    validation_words,
    wire_function,
)
from langchain_clova._errors import ClovaConfigurationError, langchain_errors

__all__ = ["AnswerSchema", "is_answer_tool", "wire_tool"]

_NAME = "Answer"


def wire_tool(tool: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return a tool in the form that the service takes; ``strict`` makes all properties required."""
    function = convert_to_openai_tool(tool, strict=strict).get("function")
    if not isinstance(function, Mapping):
        raise ClovaConfigurationError(f"tools must be functions, not tools that a provider runs itself: {tool!r}")
    with langchain_errors:
        return wire_function(function)


def is_answer_tool(tool: Any) -> TypeGuard[StructuredTool]:
    """Return whether a tool only carries an answer: agents make one of a schema, with no function to run."""
    return isinstance(tool, StructuredTool) and tool.func is None and tool.coroutine is None


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
        properties = self._json.get("properties") if self._json is not None else None
        self.names = tuple(properties) if isinstance(properties, Mapping) else ()

    def __repr__(self) -> str:
        return f"AnswerSchema({self.given!r})"

    def _json_schema(self) -> dict[str, Any]:
        if isinstance(self.given, dict) and "title" not in self.given and "properties" in self.given:
            # Langchain-core wants a title, for the name of a function.
            return convert_to_json_schema({"title": _NAME, **self.given}, strict=self._strict)
        return convert_to_json_schema(self.given, strict=self._strict)

    def check(self, method: str | None) -> None:
        """Raise the error in a schema that a method, None for the default ones, cannot ask for."""
        if method == "json_schema":
            _ = self.response_format
        elif method != "json_mode":
            _ = self.tool

    @cached_property
    def tool(self) -> dict[str, Any]:
        """The tool that carries the answer."""
        titled = isinstance(self.given, dict) and "title" not in self.given and "properties" in self.given
        return wire_tool({"title": _NAME, **self.given} if titled else self.given, strict=self._strict)

    @cached_property
    def response_format(self) -> dict[str, Any]:
        """The response format of the service's structured outputs."""
        with langchain_errors:
            return {"type": "json", "schema": response_schema(self._json or {})}

    @cached_property
    def instruction(self) -> dict[str, Any]:
        """The response format that stands for an instruction, with the schema if there is one."""
        if self._json is None:
            return {"type": "json_object"}
        try:
            schema = clean_schema(self._json, supported_only=False)
        except ConfigurationError:  # a recursive schema, which an instruction can contain
            schema = self._json
        return {"type": "json_object", "schema": schema}

    def value_of(self, found: dict[str, Any]) -> Any:
        """Return the instance for an object, or the object itself if the schema is no class; it must fit."""
        if not self.is_pydantic:
            return found if self._json is None else fitting(found, self._json)
        parse = getattr(self.given, "model_validate", None) or self.given.parse_obj
        try:
            return parse(found)
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


def _unwrapped(schema: Any) -> Any:
    """Return a JSON Schema without the frame that OpenAI puts around it, under the name that stands in the frame."""
    if not isinstance(schema, dict):
        return schema
    held = schema.get("json_schema") if schema.get("type") == "json_schema" else schema
    if not isinstance(held, dict) or not isinstance(held.get("schema"), dict) or "properties" in held:
        return schema
    named = {"title": held.get("name"), "description": held.get("description")}
    return {**{name: value for name, value in named.items() if value is not None}, **held["schema"]}
