"""Secrets that are in use: where a key is found, and the masking of keys in what leaves the client.

By value and not by pattern: whatever a key looks like, and whoever repeats it (the service, a gateway, a caller who
gave it as the wrong argument), it shows in no message.
"""

from __future__ import annotations

import json
import os
import re
import warnings
import weakref
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "KEY_VARIABLES",
    "Secrets",
    "clean_key",
    "key_variable",
    "mask",
    "mask_chain",
    "mask_parsed",
    "no_key_message",
    "similar_key_words",
    "tidied",
]

KEY_VARIABLES = ("CLOVASTUDIO_API_KEY", "NCP_CLOVASTUDIO_API_KEY")
"""Where a key is looked for, in this order."""

_AROUND = " \t\r\n\"'`\u201c\u201d\u2018\u2019\ufeff"
# Names that programs for this service use: CLOVA_STUDIO_API_KEY, CLOVA_API_KEY, HCX_API_KEY, CLOVASTUDIO_KEY and so on;
# not those of its sisters, such as CLOVA_OCR_SECRET_KEY.
_SIMILAR = re.compile(
    r"(NCP|NCLOUD|NAVER|MY)?_?(HYPER_?CLOVA(_?X)?|CLOVA(_?X)?|HCX(_?[0-9]{3})?)_?(STUDIO)?_?(API)?_?(KEY|TOKEN)S?",
    re.IGNORECASE,
)
_NEARLY = 0.9
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


def tidied(text: str) -> str:
    """Return a key without the quotes and blanks around it.

    Args:
        text: The key as it was given.
    """
    return text.strip(_AROUND).strip()


def clean_key(name: str, text: str) -> str:
    """Return a key without the quotes and blanks around it; warn if there were any.

    Args:
        name: The parameter or variable that it comes from.
        text: The key as it was given.
    """
    clean = tidied(text)
    if clean and clean != text:
        warnings.warn(
            f"{name}: quotes and blanks around the key are taken off; give the key alone / "
            "키 앞뒤의 따옴표와 공백을 뺐습니다. 키만 넣으세요.",
            stacklevel=2,
        )
    return clean


def key_variable() -> str | None:
    """Return the name of the variable that holds the key, None if none does."""
    return next((name for name in KEY_VARIABLES if tidied(os.environ.get(name, ""))), None)


def _similar_variables() -> list[str]:
    """Return the names of variables that probably hold a key under a name that is not read."""
    from difflib import get_close_matches

    return sorted(
        name
        for name, value in os.environ.items()
        if name not in KEY_VARIABLES
        and tidied(value)
        and (_SIMILAR.fullmatch(name) or get_close_matches(name.upper(), KEY_VARIABLES, n=1, cutoff=_NEARLY))
    )


def no_key_message(way_out: str, way_out_ko: str) -> str:
    """Return the message for a missing key: which variable was probably meant, and the way out.

    Args:
        way_out: How to give the key, in English.
        way_out_ko: The same in Korean.
    """
    english, korean = similar_key_words()
    if english:
        english, korean = f"{english}: rename the variable, or ", f"{korean}. 변수 이름을 바꾸거나 "
    return f"no API key: {english}{way_out} / API 키가 없습니다. {korean}{way_out_ko}"


def similar_key_words() -> tuple[str, str]:
    """Return what to say, in English and Korean, if a key is set under a name that is not read but similar.

    Returns:
        Two sentences without a full stop that name the variables, not what is in them; empty texts if there are none.
    """
    names = _similar_variables()
    if not names:
        return "", ""
    wanted = KEY_VARIABLES[0]
    english = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} set, {wanted} is not"
    return english, f"{', '.join(names)}은(는) 설정되어 있지만 {wanted}는 없습니다"
