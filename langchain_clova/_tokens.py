"""Tokens without a tokenizer: an estimate by script, and a memory of the service's own counts.

NAVER publishes no tokenizer. The estimate goes by what the service's calculator gives for text of one script: about
0.45 tokens a character of Korean, 0.2 of English and 1.25 of Chinese, 4 for the frame of a message, and about 1,600 for
an image (observed with HCX-005).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Memory", "estimate", "estimate_messages"]

_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
_HAN_AND_KANA = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_PER_HANGUL = 0.45
_PER_HAN = 1.25
_PER_OTHER = 0.2
_PER_MESSAGE = 4
_PER_IMAGE = 1_600
_CACHED = 4_096


def estimate(text: str) -> int:
    """Return about how many tokens a text has."""
    if text.isascii():
        return math.ceil(len(text) * _PER_OTHER)
    hangul = len(_HANGUL.findall(text))
    han = len(_HAN_AND_KANA.findall(text))
    return math.ceil(hangul * _PER_HANGUL + han * _PER_HAN + (len(text) - hangul - han) * _PER_OTHER)


def estimate_messages(
    wire: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], *, count: Callable[[str], int] = estimate
) -> int:
    """Return about how many tokens a conversation and its tools have.

    Args:
        wire: Messages as the wire has them.
        tools: Tools as the wire has them.
        count: What counts the tokens of a text.
    """
    total = sum(count(_json(tool)) for tool in tools)
    for message in wire:
        content = message["content"]
        total += _PER_MESSAGE
        if isinstance(content, str):
            total += count(content)
        else:
            total += sum(count(part["text"]) if part["type"] == "text" else _PER_IMAGE for part in content)
        if message.get("toolCalls"):
            total += count(_json(message["toolCalls"]))
    return total


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
        return hashlib.sha256(f"{model}\n{_json(counted)}".encode()).digest()

    def get(self, key: bytes) -> int | None:
        """Return a count, None if it is not known."""
        return self._counts.get(key)

    def put(self, key: bytes, count: int) -> None:
        """Keep a count."""
        self._counts[key] = count
        while len(self._counts) > _CACHED:
            self._counts.popitem(last=False)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
