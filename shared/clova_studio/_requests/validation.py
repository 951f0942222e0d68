"""Checks of arguments. Each error names the parameter, the rule and, where there is one, the way out."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from clova_studio._errors import ConfigurationError

__all__ = ["boolean", "check_names", "check_text", "integer", "number", "path_segment", "shown", "strings"]


def shown(value: Any) -> str:
    """Return the repr of a value for a message; Python has none for an integer with thousands of digits."""
    try:
        return repr(value)
    except ValueError:
        return "a number of thousands of digits"


def check_names(given: Mapping[str, Any], allowed: Sequence[str], what: str) -> None:
    """Refuse an argument that does not exist, by name, and suggest the nearest name that does."""
    for name in given:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (there are: {', '.join(sorted(allowed))})"
            raise ConfigurationError(f"{what} has no argument {name!r}{hint}")


def check_text(name: str, text: Any) -> str:
    """Return a text that is not blank, or refuse it by name."""
    if not isinstance(text, str):
        raise ConfigurationError(f"{name} must be a string, got {type(text).__name__}")
    if not text.strip():
        raise ConfigurationError(f"{name} is empty: the service refuses empty text")
    return text


def path_segment(name: str, value: Any) -> str:
    """Return a name as one percent-encoded segment of a path, or refuse it by name.

    Every name in a path passes through here. ``.`` and ``..`` are refused: HTTP libraries resolve them in any encoding.
    """
    text = check_text(name, value)
    if text in {".", ".."}:
        raise ConfigurationError(f"{name} must be a name or an id, got {text!r}, which leads to another path")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        pass
    raise ConfigurationError(f"{name} holds half of a surrogate pair, which is not text: {text!a}")


def number(name: str, value: Any, low: float, high: float, *, above: bool = False) -> float | None:
    """Return a number in its range (``above`` excludes the low end), None for None, or refuse it by name."""
    if value is None:
        return None
    # An integer is always finite, and one with 400 digits cannot be converted to a float.
    endless = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or endless:
        raise ConfigurationError(f"{name} must be a number, got {shown(value)}")
    if not low <= value <= high or (above and value == low):
        rule = f"{'above' if above else 'from'} {low:g} up to {high:g}"
        raise ConfigurationError(f"{name} must be {rule}, got {shown(value)}")
    return value


def integer(
    name: str, value: Any, low: int, high: int | None = None, *, of: str = "", also: int | None = None
) -> int | None:
    """Return a whole number that is in its range or equal to ``also``, None for None, or refuse it by name."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name} must be a whole number, got {shown(value)}")
    if value != also and (value < low or (high is not None and value > high)):
        allowed = f"from {low}" if high is None else f"from {low} up to {high}"
        other = "" if also is None else f"{also} (automatic) or "
        raise ConfigurationError(f"{name} must be {other}{allowed}{f' for {of}' if of else ''}, got {shown(value)}")
    return value


def boolean(name: str, value: Any) -> bool | None:
    """Return True, False or None, or refuse the value by name."""
    if value is not None and not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, got {value!r}")
    return value


def strings(name: str, value: Any) -> list[str] | None:
    """Return a list of non-empty strings, None for None or an empty list, or refuse it by name."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(s, str) and s for s in value):
        raise ConfigurationError(f"{name} must be a list of non-empty strings, got {value!r}")
    return list(value) or None
