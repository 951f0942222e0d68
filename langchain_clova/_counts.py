"""What a chat model remembers: the service's own counts of tokens, and what it has said once."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import Any

__all__ = ["Memory"]

_CACHED = 4_096


class Memory:
    """What a chat model remembers: the service's counts, the oldest forgotten first, and what it has said once."""

    def __init__(self) -> None:
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        self._said: set[str] = set()

    def __eq__(self, other: object) -> bool:
        # What a chat model remembers does not make it another model.
        return isinstance(other, Memory)

    __hash__ = None  # type: ignore[assignment]  # as anything that changes

    def is_first(self, what: str) -> bool:
        """Return whether something is said for the first time."""
        before = len(self._said)
        self._said.add(what)
        return len(self._said) > before

    @staticmethod
    def key(model: str, counted: Any) -> bytes:
        """Return the key of a message, or of a list of tools."""
        text = json.dumps(counted, ensure_ascii=False, sort_keys=True, default=str)
        return hashlib.sha256(f"{model}\n{text}".encode()).digest()

    def get(self, key: bytes) -> int | None:
        """Return a count, None if it is not known."""
        return self._counts.get(key)

    def put(self, key: bytes, count: int) -> None:
        """Keep a count."""
        self._counts[key] = count
        while len(self._counts) > _CACHED:
            self._counts.popitem(last=False)
