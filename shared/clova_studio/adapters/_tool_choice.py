"""Tool choices: which tool a model has to call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ForcedTool", "ToolChoice", "tool_choice_of"]


@dataclass(frozen=True, slots=True)
class ForcedTool:
    """A tool choice that demands one specific tool.

    Attributes:
        name: The tool's name.
    """

    name: str


ToolChoice: TypeAlias = Literal["auto", "none", "any"] | ForcedTool
"""What ``ToolChoiceFlow`` takes: the service's own choices, ``"any"`` of several tools, or one specific tool."""


def tool_choice_of(given: Any, names: Sequence[str]) -> ToolChoice | None:
    """Return a tool choice in one of the forms that ``ToolChoiceFlow`` takes.

    Args:
        given: None, ``"auto"``, ``"none"``, ``"any"``, ``"required"``, True, a tool's name, or a dict in OpenAI's or
            Anthropic's form. False and what is empty mean None.
        names: The names of the tools.

    Returns:
        None, ``"auto"``, ``"none"``, ``"any"`` (for several tools only), or a ``ForcedTool``.

    Raises:
        ConfigurationError: It is not a tool choice, names a tool that is not there, or there are no tools.
    """
    if not given:
        return None
    if not names:
        if given in ("auto", "none"):
            return None
        raise ConfigurationError(f"tool_choice={given!r} needs tools: give tools, or leave tool_choice out")
    if given in ("auto", "none"):
        return cast("ToolChoice", given)
    if given is True or given in ("any", "required"):
        return "any" if len(names) > 1 else ForcedTool(names[0])
    name = given
    if isinstance(given, Mapping):
        function = given.get("function")
        name = function.get("name") if isinstance(function, Mapping) else given.get("name")
        if name is None and given.get("type") in {"auto", "none", "any", "required"}:  # Anthropic's form
            return tool_choice_of(given["type"], names)
    if name not in names:
        raise ConfigurationError(
            f"tool_choice={given!r} is not 'auto', 'none', 'any' or one of the tools: {', '.join(names)}"
        )
    return ForcedTool(str(name))
