"""Secrets that are in use, and the masking of them in what leaves the client.

By value and not by pattern: whatever a key looks like, and whoever repeats it (the service, a gateway, a caller who
gave it as the wrong argument), it shows in no message.
"""

from __future__ import annotations

import json
import weakref
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Secrets", "mask", "mask_chain", "mask_parsed"]

_MASK = "***"
# Shorter ones are not secrets, and would mask words.
_SHORTEST = 6

# Weak: a secret is masked as long as what uses it lives. Keys are ids, so that copying runs no code of ours and needs
# no lock, whichever thread collects what.
_in_use: dict[int, weakref.ref[Secrets]] = {}


class Secrets:
    """Values that are masked as long as this lives. Shows none of them; all are equal."""

    __slots__ = ("__weakref__", "_forms", "_values")

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = tuple(value for value in values if isinstance(value, str) and len(value) >= _SHORTEST)
        # Longest first: one may be a part of another.
        self._forms = sorted({form for value in self._values for form in _written(value)}, key=len, reverse=True)
        if self._forms:
            key = id(self)
            _in_use[key] = weakref.ref(self, lambda _: _forget(key))

    def masked(self, text: str) -> str:
        """Return a text without them."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, _MASK)
        return text

    def cut(self, text: str) -> str:
        """Return a text that was cut off somewhere without the beginning of one of them at its end."""
        for form in self._forms:
            for length in range(len(form) - 1, 2, -1):
                if text.endswith(form[:length]):
                    return text[:-length] + _MASK
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return Secrets, (self._values,)

    def __repr__(self) -> str:
        return f"Secrets({_MASK})"


def _forget(key: int) -> None:
    _in_use.pop(key, None)


def _written(value: str) -> Iterator[str]:
    """Yield a value as it stands in text, in JSON, in a Python literal and in a URL."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value)[1:-1].replace("/", "\\/")
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    for safe in ("", "/"):
        yield quote(value, safe=safe, errors="replace")


def mask(text: str, *, cut: bool = False) -> str:
    """Return a text with every secret in use masked.

    Args:
        text: Any text.
        cut: Whether it is the beginning of a longer one, so that a secret may be cut off at its end.
    """
    for ref in list(_in_use.values()):
        secrets = ref()
        if secrets is not None:
            text = secrets.masked(text)
            if cut:
                text = secrets.cut(text)
    return text


def mask_parsed(value: Any) -> Any:
    """Return parsed JSON with every secret in use masked in its strings and names."""
    held = [value]
    pending: list[Any] = [held]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            items = list(node.items())
            node.clear()
            node.update((mask(name), mask(item) if isinstance(item, str) else item) for name, item in items)
            pending += node.values()
        elif isinstance(node, list):
            node[:] = [mask(item) if isinstance(item, str) else item for item in node]
            pending += node
    return held[0]


def mask_chain(error: BaseException) -> None:
    """Mask every secret in use in the texts of an exception and of those that led to it."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        masked = tuple(_masked_argument(argument) for argument in one.args)
        if masked != one.args:
            one.args = masked
        pending += [one.__cause__, one.__context__]


def _masked_argument(argument: Any) -> Any:
    if isinstance(argument, (bytes, bytearray)):
        text = argument.decode("utf-8", "replace")
        masked = mask(text)
        return argument if masked == text else masked
    return mask(argument) if isinstance(argument, str) else argument
