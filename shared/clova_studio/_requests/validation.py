"""Checks of arguments. Each error names the parameter, the rule and, where there is one, the way out."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from clova_studio._errors import ConfigurationError

__all__ = [
    "boolean",
    "check_names",
    "check_text",
    "check_texts",
    "embeddable",
    "integer",
    "listed",
    "number",
    "path_segment",
    "shown",
    "strings",
]

# A vector of zeros would cost no request, but several stores refuse it, and its cosine with anything is not a number.
_PLACEHOLDER = "."


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


def check_text(name: str, text: Any, way_out: str = "") -> str:
    """Return a text that is not blank as a plain ``str``, or refuse it by name.

    Args:
        name: The parameter.
        text: What was given.
        way_out: What to do with a blank one, for the message; empty for nothing.

    Raises:
        ConfigurationError: It is no text, or it is blank.
    """
    plain = _plain(name, text)
    if not plain.strip():
        raise ConfigurationError(f"{name} is empty: the service refuses empty text{way_out}")
    return plain


def _plain(name: str, text: Any) -> str:
    if not isinstance(text, str):
        raise ConfigurationError(f"{name} must be a string, got {type(text).__name__}")
    # A subclass (numpy's, an enum) may print as something else than it is.
    return text if type(text) is str else str.__str__(text)


def check_texts(name: str, given: Any, hint: str = "") -> list[str]:
    """Return several texts, blank ones among them, as a list of plain ``str``, or refuse what is no text by its index.

    Args:
        name: The parameter.
        given: As in ``listed``.
        hint: As in ``listed``.

    Raises:
        ConfigurationError: It is no list of texts.
    """
    return [_plain(f"{name}[{i}]", text) for i, text in enumerate(listed(name, given, "strings", hint))]


def listed(name: str, given: Any, of: str, hint: str = "") -> list[Any]:
    """Return several things as a list, or refuse what has no order or is one thing alone.

    Args:
        name: The parameter.
        given: A list, tuple, generator or other iterable, a one-dimensional array, or a column of a table.
        of: What is in it, for the message.
        hint: What to do with one thing alone; empty for nothing.

    Raises:
        ConfigurationError: It is no list.
    """
    # A table would give the names of its columns.
    flat = len(getattr(given, "shape", (0,))) == 1
    if isinstance(given, (str, bytes, Mapping, set, frozenset)) or not isinstance(given, Iterable) or not flat:
        raise ConfigurationError(f"{name} must be a list of {of}, got {type(given).__name__}{hint}")
    return list(given)


def embeddable(name: str, text: Any, on_blank: str = "error") -> str:
    """Return what to embed for one of several texts: a full stop for a blank one with ``on_blank="placeholder"``.

    Args:
        name: The parameter, with the text's index.
        text: What was given.
        on_blank: ``"error"`` or ``"placeholder"``.

    Raises:
        ConfigurationError: It is no text, or it is blank and that is an error.
    """
    plain = _plain(name, text)
    if on_blank == "placeholder" and not plain.strip():
        return _PLACEHOLDER
    return check_text(name, plain, ": leave it out, or give on_blank='placeholder'")


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
    """Return a list of non-empty strings, None for None or an empty list, or refuse it by name.

    A string alone is a list of one.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, Sequence) or not all(isinstance(s, str) and s for s in value):
        raise ConfigurationError(f"{name} must be a string or a list of non-empty strings, got {value!r}")
    return list(value) or None
