"""Turns LangChain's tools and schemas into the form that the service takes. Pure.

Langchain-core replaces references itself, breaks those of recursive classes without a word and leaves some dangling, so
it is given classes and tools as JSON Schemas, which it takes as they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeGuard

from langchain_core.tools import BaseTool, StructuredTool, Tool, create_schema_from_function
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic.errors import PydanticUserError

from clova_studio.adapters import wire_function
from langchain_clova._errors import ClovaConfigurationError, langchain_errors

__all__ = ["is_answer_tool", "json_schema_of", "wire_tool"]


def wire_tool(tool: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return a tool in the form that the service takes; ``strict`` makes all properties required."""
    with _named_recursion(tool):
        function = convert_to_openai_tool(_with_schema(tool), strict=strict).get("function")
    if not isinstance(function, Mapping):
        raise ClovaConfigurationError(f"tools must be functions, not tools that a provider runs itself: {tool!r}")
    with langchain_errors:
        return wire_function(function)


def is_answer_tool(tool: Any) -> TypeGuard[StructuredTool]:
    """Return whether a tool only carries an answer: agents make one of a schema, with no function to run."""
    return isinstance(tool, StructuredTool) and tool.func is None and tool.coroutine is None


def json_schema_of(schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return the JSON Schema of a class, a function or a dict; ``strict`` makes all properties required."""
    with _named_recursion(schema):
        return convert_to_json_schema(_with_schema(schema), strict=strict)


def _with_schema(tool: Any) -> Any:
    """Return a tool or a schema as a dict in OpenAI's form, with its references; what has no schema as it is."""
    if isinstance(tool, dict) and "title" in tool and not tool.keys() & {"name", "function", "toolSpec"}:
        return _function(tool["title"], tool.get("description", ""), tool)
    if isinstance(tool, BaseTool):
        if isinstance(tool, Tool) and not tool.args_schema:
            return tool  # of one string
        given = tool.tool_call_schema
        parameters = dict(given) if isinstance(given, dict) else _schema_of_class(given)
        return _function(tool.name, tool.description, parameters)
    if isinstance(tool, type) and is_basemodel_subclass(tool):
        parameters = _schema_of_class(tool)
        return _function(parameters.get("title", tool.__name__), parameters.get("description", ""), parameters)
    if inspect.isroutine(tool):
        model = create_schema_from_function(
            tool.__name__, tool, filter_args=(), parse_docstring=True, include_injected=False
        )
        return _function(tool.__name__, model.__doc__ or "", _schema_of_class(model))
    return tool


def _function(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    beside = {"title", "description"}
    return {
        "name": name,
        "description": description,
        "parameters": {key: value for key, value in parameters.items() if key not in beside},
    }


def _schema_of_class(model: Any) -> dict[str, Any]:
    try:
        return dict(model.model_json_schema() if hasattr(model, "model_json_schema") else model.schema())
    except PydanticUserError as error:
        raise ClovaConfigurationError(
            f"{model.__name__} has no JSON Schema ({error.message}): give its fields types that pydantic can describe"
        ) from None


@contextmanager
def _named_recursion(schema: Any) -> Iterator[None]:
    """Name a TypedDict that refers to itself, which langchain-core follows without end."""
    try:
        yield
    except RecursionError:
        name = getattr(schema, "__name__", type(schema).__name__)
        raise ClovaConfigurationError(
            f"the schema of {name} refers to itself or is nested too deep: the service takes no references, so its "
            "depth must have an end"
        ) from None
