"""Reads the JSON of a request: strict and bounded, so that no handler meets a value that it cannot process."""

import json
import math
import re
from typing import Any

_DEEPEST = 100  # ten times deeper than any documented body
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def parse(raw: bytes) -> Any:
    """The JSON value of a body, or None when it is not valid.

    JSON is UTF-8. ``NaN`` and ``Infinity``, numbers too large for a double, lone surrogates and nesting deeper than 100
    levels are rejected too.
    """
    if not raw:
        return None
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse, parse_float=_number)
    except (ValueError, RecursionError):
        return None
    # Only a suspect body is walked: for most, the text alone shows that it is sound.
    suspect = _ESCAPED_SURROGATE.search(text) is not None or text.count("[") + text.count("{") > _DEEPEST
    return None if suspect and not _is_sound(value) else value


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _number(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError(written)
    return value


def _is_sound(value: Any) -> bool:
    """Whether a value is not too deep and has no lone surrogates; iterative, since the value may be deep."""
    open_values = [(value, 0)]
    while open_values:
        item, depth = open_values.pop()
        if isinstance(item, str):
            if not item.isascii() and _SURROGATE.search(item):
                return False
        elif isinstance(item, dict | list):
            if depth >= _DEEPEST:
                return False
            if isinstance(item, dict):
                open_values.extend((key, depth) for key in item)
                open_values.extend((child, depth + 1) for child in item.values())
            else:
                open_values.extend((child, depth + 1) for child in item)
    return True
