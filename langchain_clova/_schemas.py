"""Turns LangChain's tools into the form that the service takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.utils.function_calling import convert_to_openai_tool

from clova_studio.adapters import wire_function
from langchain_clova._errors import ClovaConfigurationError, langchain_errors

__all__ = ["wire_tool"]


def wire_tool(tool: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return a tool in the form that the service takes; ``strict`` makes all properties required."""
    function = convert_to_openai_tool(tool, strict=strict).get("function")
    if not isinstance(function, Mapping):
        raise ClovaConfigurationError(f"tools must be functions, not tools that a provider runs itself: {tool!r}")
    with langchain_errors:
        return wire_function(function)
