"""Replaces the keys of JSON text while it arrives. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KeyReplacer"]


class KeyReplacer:
    """Gives JSON text on with some keys replaced, whole or broken, in pieces of any size.

    A key is held back until it is complete; everything else passes as it comes, and so does text around the JSON.

    Args:
        names: The keys to replace, with what replaces them.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._open: list[str] = []  # the brackets around the place
        self._at_key = False  # a string that begins here is a key
        self._in_string = False
        self._escaped = False
        self._key: list[str] | None = None  # the key that is arriving, with its first quote

    def feed(self, text: str) -> str:
        """Return what can be passed on of the next piece.

        Args:
            text: The piece.
        """
        out: list[str] = []
        for letter in text:
            if self._in_string:
                self._string(letter, out)
            else:
                self._between(letter, out)
        return "".join(out)

    def rest(self) -> str:
        """Return what is held back, at the end of the text: a key that was cut."""
        held, self._key = self._key, None
        return "".join(held or ())

    def _string(self, letter: str, out: list[str]) -> None:
        (out if self._key is None else self._key).append(letter)
        if self._escaped:
            self._escaped = False
        elif letter == "\\":
            self._escaped = True
        elif letter == '"':
            self._in_string = False
            if self._key is not None:
                out.append(self._replaced("".join(self._key)))
                self._key = None

    def _between(self, letter: str, out: list[str]) -> None:
        if letter == '"' and self._open:
            self._in_string = True
            if self._at_key:
                self._key = [letter]
                self._at_key = False
                return
        elif letter in "{[":
            self._open.append(letter)
            self._at_key = letter == "{"
        elif letter in "}]":
            if self._open:
                self._open.pop()
            self._at_key = False
        elif letter == ",":
            self._at_key = bool(self._open) and self._open[-1] == "{"
        out.append(letter)

    def _replaced(self, text: str) -> str:
        try:
            name = self._names.get(json.loads(text, strict=False))
        except ValueError:
            return text
        return text if name is None else json.dumps(name, ensure_ascii=False)
