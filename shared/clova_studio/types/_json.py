"""Parses JSON from outside. JSON that is nested too deep is a ValueError, like text that is not JSON."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["deeper_than", "parse_json"]

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


def deeper_than(levels: int, value: Any) -> bool:
    """Return whether a parsed value has lists and objects nested deeper than ``levels``."""
    held = [value]
    for _ in range(levels + 1):
        held = [part for outer in held if isinstance(outer, (dict, list))
                for part in (outer.values() if isinstance(outer, dict) else outer)]  # fmt: skip
        if not held:
            return False
    return True
