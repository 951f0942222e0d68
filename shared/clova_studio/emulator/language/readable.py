"""Writes JSON values as readable text."""

import json
from typing import Any


def readable(content: str) -> str:
    """A tool result as text; of JSON, its keys and values."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return content.strip()
    return flatten(value)


def flatten(value: Any) -> str:
    """A value as text: ``key: value`` pairs on one line, list items on a line each."""
    try:
        return _flatten(value)
    except RecursionError:
        return ""


def _flatten(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_flatten(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "\n".join(_flatten(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
