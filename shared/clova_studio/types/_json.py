"""Parses JSON from outside. JSON that is nested too deep is a ValueError, like text that is not JSON."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["deeper_than", "parse_json", "parse_object"]

# The depth that pydantic's parser, which reads the rest of an answer, and its serializer can handle.
_DEEPEST = 200


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: The text is not JSON, or is nested deeper than 200 levels.
    """
    try:
        value = json.loads(text)
    except RecursionError as exc:
        raise ValueError("the JSON text is nested too deep") from exc
    if text.count("[") + text.count("{") > _DEEPEST and deeper_than(_DEEPEST, value):
        raise ValueError("the JSON text is nested too deep")
    return value


def parse_object(text: str) -> dict[str, Any] | None:
    """Return the object of a JSON text; None if the text is not JSON, is nested too deep, or holds something else.

    A text of white space and ``null`` stand for an empty object, as ``null`` itself does where arguments are none.
    """
    try:
        value = parse_json(text) if text.strip() else {}
    except ValueError:
        return None
    if value is None:
        return {}
    return value if isinstance(value, dict) else None


def deeper_than(levels: int, value: Any) -> bool:
    """Return whether a parsed value has lists and objects nested deeper than ``levels``."""
    held = [value]
    for _ in range(levels + 1):
        held = [part for outer in held if isinstance(outer, (dict, list))
                for part in (outer.values() if isinstance(outer, dict) else outer)]  # fmt: skip
        if not held:
            return False
    return True
