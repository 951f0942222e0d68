"""What a reference in a JSON Schema points at. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["pointed_at"]


def pointed_at(root: Any, reference: str) -> Any:
    """Return what a JSON pointer in a URI fragment points at.

    Raises:
        LookupError: It is not such a pointer, or there is nothing.
    """
    start, *steps = reference.split("/")
    if start != "#":
        raise LookupError(reference)
    value = root
    for step in steps:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = value[key]
        elif isinstance(value, (list, tuple)) and key in map(str, range(len(value))):
            value = value[int(key)]
        else:
            raise LookupError(reference)
    return value
