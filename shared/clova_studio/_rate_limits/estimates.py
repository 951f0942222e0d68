"""Tokens without a tokenizer: an estimate by script.

NAVER publishes no tokenizer. The estimate goes by what the service's calculator gives for text of one script: about
0.45 tokens a character of Korean, 0.2 of English and 1.25 of Chinese, 4 for the frame of a message, and about 1,600 for
an image (observed with HCX-005).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["estimate_body_tokens", "estimate_message_tokens", "estimate_tokens"]

_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
_HAN_AND_KANA = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# In hundredths of a token: sums are exact, so that the parts of a text never have fewer tokens than the whole.
_PER_HANGUL = 45
_PER_HAN = 125
_PER_OTHER = 20
_PER_MESSAGE = 4
_PER_IMAGE = 1_600


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has.

    Args:
        text: Any text.

    Returns:
        Tokens: 0.45 for each character of Korean, 1.25 of Chinese and Japanese, 0.2 of everything else, rounded up.
    """
    if text.isascii():
        return _rounded_up(len(text) * _PER_OTHER)
    hangul = len(_HANGUL.findall(text))
    han = len(_HAN_AND_KANA.findall(text))
    return _rounded_up(hangul * _PER_HANGUL + han * _PER_HAN + (len(text) - hangul - han) * _PER_OTHER)


def _rounded_up(hundredths: int) -> int:
    return -(-hundredths // 100)


def estimate_message_tokens(
    wire: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] = (),
    *,
    count: Callable[[str], int] = estimate_tokens,
) -> int:
    """Return about how many tokens a conversation and its tools have.

    Args:
        wire: Messages as the wire has them.
        tools: Tools as the wire has them.
        count: What counts the tokens of a text.
    """
    total = sum(count(_json(tool)) for tool in tools)
    for message in wire:
        content = message.get("content") or ""
        total += _PER_MESSAGE
        if isinstance(content, str):
            total += count(content)
        else:
            total += sum(count(part["text"]) if part.get("type") == "text" else _PER_IMAGE for part in content)
        calls = message.get("toolCalls") or message.get("tool_calls")
        if calls:
            total += count(_json(calls))
    return total


def estimate_body_tokens(body: Mapping[str, Any]) -> int:
    """Return about how many tokens the input of a request has.

    Args:
        body: The body of any API as the wire has it.
    """
    total = 0
    if body.get("messages"):
        total += estimate_message_tokens(body["messages"], body.get("tools") or ())
    for name in ("text", "input", "query"):
        if isinstance(body.get(name), str):
            total += estimate_tokens(body[name])
    total += sum(estimate_tokens(text) for text in body.get("texts") or ())
    total += sum(estimate_tokens(document["doc"]) for document in body.get("documents") or ())
    if body.get("responseFormat"):
        total += estimate_tokens(_json(body["responseFormat"]))
    return total


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
