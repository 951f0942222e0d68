"""The names of tools and parameters that are sent in place of the caller's. Pure.

Nothing documents which names the service takes. Its pages have ASCII letters, digits and ``_``; OpenAI's API, which it
is compatible with, takes 64 of these and ``-``. Hangul is sent as well until it is refused. Any other name is replaced
by one that can be read: Hangul in Latin letters, accents left out, ``_`` for the rest.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["wire_names"]

_LONGEST = 64
_ASCII = re.compile(rf"[A-Za-z0-9_-]{{1,{_LONGEST}}}")
# Whole syllables and single letters. What is composed of parts, as in the names of files, comes back whole.
_WITH_HANGUL = re.compile(rf"[A-Za-z0-9_\-가-힣ㄱ-ㅎㅏ-ㅣ]{{1,{_LONGEST}}}")

_FIRST_SYLLABLE, _LAST_SYLLABLE = ord("가"), ord("힣")
# The letters of a syllable as they are read, by their index in the syllable's code.
_LATIN_INITIALS = "g kk n d tt r m b pp s ss - j jj ch k t p h"
_LATIN_VOWELS = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i"
_LATIN_FINALS = "- k k k n n n t l k m l l l p l m p p t t ng t t k t p t"
_NOT_ASCII = re.compile(r"[^A-Za-z0-9_-]+")
_MARK_DIGITS = 6


def _letters(listed: str) -> list[str]:
    return [letters.strip("-") for letters in listed.split()]


_INITIALS, _VOWELS, _FINALS = _letters(_LATIN_INITIALS), _letters(_LATIN_VOWELS), _letters(_LATIN_FINALS)


def wire_names(names: Iterable[str], *, ascii_only: bool) -> dict[str, str]:
    """Return the name to send for each name of the caller's.

    Names of up to 64 ASCII letters, digits, ``_`` and ``-`` are sent as they are, and so are those with Hangul unless
    ``ascii_only``. The others get a name of ours, which no other name of ``names`` has. It depends on which names there
    are, not on their order.

    Args:
        names: All names that are sent together.
        ascii_only: Whether names with Hangul get a name of ours too.
    """
    given = dict.fromkeys(names)
    kept = (_ASCII if ascii_only else _WITH_HANGUL).fullmatch
    sent = {name: name for name in given if kept(name)}
    if len(sent) == len(given):
        return sent
    readable = {name: _readable(name) for name in sorted(given) if name not in sent}
    wanted = Counter(readable.values())
    taken = {*sent, *(name for name, count in wanted.items() if count == 1)}
    for name, ours in readable.items():
        if ours in sent or wanted[ours] > 1 or len(ours) > _LONGEST:
            ours = _marked(ours, name, taken)  # noqa: PLW2901  the name that is sent
            taken.add(ours)
        sent[name] = ours
    return sent


def _marked(ours: str, name: str, taken: set[str]) -> str:
    """Return one of our names with a mark that belongs to the caller's, so that nothing else has it."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    digits = _MARK_DIGITS
    while True:
        found = f"{ours[: _LONGEST - digits - 1]}_{digest[:digits]}"
        if found not in taken or digits >= _LONGEST // 2:
            return found
        digits += 1


def _readable(name: str) -> str:
    """Return a name in ASCII letters, digits, ``_`` and ``-``; it may be longer than is allowed."""
    latin = "".join(map(_latin, unicodedata.normalize("NFC", name)))
    return re.sub("_{2,}", "_", _NOT_ASCII.sub("_", latin)).strip("_-") or "name"


def _latin(letter: str) -> str:
    code = ord(letter)
    if letter.isascii():
        return letter
    if _FIRST_SYLLABLE <= code <= _LAST_SYLLABLE:
        initial, rest = divmod(code - _FIRST_SYLLABLE, len(_VOWELS) * len(_FINALS))
        vowel, final = divmod(rest, len(_FINALS))
        return _INITIALS[initial] + _VOWELS[vowel] + _FINALS[final]
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    if plain or not letter.isalnum():
        return plain or "_"
    return f"u{code:x}"
