# ruff: noqa: RUF001 - full-width marks and curly quotes are meant here
"""A text as a source of values: each is taken once, by the names of the property that wants it."""

import re
from collections.abc import Iterable
from typing import Any

from clova_studio.emulator.language.lexicon import mentions
from clova_studio.emulator.language.listings import order_items
from clova_studio.emulator.language.spans import find_spans, without_contractions
from clova_studio.emulator.language.text import content_words, words
from clova_studio.emulator.language.values import find_expression, find_values, without_values

_NUMBER = re.compile(r"(?<![\d.])[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])-\d+(?:\.\d+)?|\d+(?:\.\d+)?")
_VALUE_AFTER_PARTICLE = (
    r"(?:은|는|이|가)\s+[\"'“]?([^\n,;.\"'”]{1,40}?)[\"'”]?"
    r"(?:이고|이며|이라고|라고|입니다|이다|이에요|예요|이야|야|고요|이고요|(?=[,.!]|$))"
)
_VALUE_AFTER_VERB = r"\s+(?:is|was)\s+([A-Z][\w.-]*(?:\s+[A-Z][\w.-]*)*)"
_CALLED = re.compile(r"\b(?:named|called|I am|I'm|I’m|this is)\s+([A-Z][\w-]*(?:\s+[A-Z][\w-]*)*)")
_SURNAMES = "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민나진지엄채원천"
_KOREAN_PERSON = re.compile(
    rf"(?<![가-힣])([{_SURNAMES}][가-힣]{{1,3}}?)(?:\s?(?:님|씨)|이고|이며|입니다|이라고|라고|이에요|예요)(?![가-힣]{{2}})"
)
_EMPTY = re.compile(r"[a-z]|saying|says|said")  # words that are no value
_NEAR = 24
_LONGEST_NUMBER = 300  # digits of the largest double
_MOST_VALUES = 2_000  # more than any answer has, whatever the schema requires


class Source:
    """A text, and the values in it that are not used yet."""

    def __init__(self, text: str, known: Iterable[str] = ()) -> None:
        self.text = text
        self._found = find_values(text)
        self._plain = without_values(text, self._found)
        self._numbers = [
            (found.start(), found.group())
            for found in _NUMBER.finditer(self._plain)
            if len(found.group()) < _LONGEST_NUMBER
        ]
        self._spans = find_spans(self._plain)
        self._known = {word.lower() for word in known}
        self._values_left = _MOST_VALUES
        self._chosen: list[tuple[list[Any], Any]] = []

    def spend(self) -> bool:
        """Count a value of an array, and return whether the array may have it."""
        self._values_left -= 1
        return self._values_left >= 0

    def take_number(self, names: list[str], low: float | None, high: float | None) -> float:
        """Take the number next to one of the names, else the first one in range, else the value nearest to zero."""
        usable = []
        for order, (start, written) in enumerate(self._numbers):
            value = float(written.replace(",", ""))
            if (low is None or value >= low) and (high is None or value <= high):
                usable.append((self._rank(start, written, names), order, value))
        if not usable:
            least = 0.0 if low is None else max(0.0, low)
            return least if high is None else min(least, high)
        _, order, value = min(usable)
        del self._numbers[order]
        return value

    def has_near_number(self, names: list[str]) -> bool:
        """Whether a number is next to one of the names."""
        return any(self._rank(start, written, names)[0] < 0 for start, written in self._numbers)

    def _rank(self, start: int, written: str, names: list[str]) -> tuple[int, int]:
        """How near a number is to some names: the negated number of names, and the characters between.

        A name counts between the previous number and this one, or directly after this one ("4 people").
        """
        before = re.split(r"\d", self.text[max(0, start - _NEAR) : start].lower())[-1]
        behind = self.text[start + len(written) : start + len(written) + _NEAR].lower().removeprefix(" ")
        gaps = [len(before) - before.rfind(name) - len(name) for name in names if name in before]
        gaps += [1 for name in names if behind.startswith(name)]
        return -len(gaps), sum(gaps)

    def take_date_part(self, part: str) -> int | None:
        """The year, month or day of the first date that has it."""
        return next((dict(value.parts)[part] for value in self._found if part in dict(value.parts)), None)

    def take_value(self, kind: str) -> str | None:
        """Take the next value of a kind with a form of its own; an expression can be taken again."""
        if kind == "expression":
            return find_expression(self.text)
        for index, value in enumerate(self._found):
            if value.kind == kind:
                del self._found[index]
                return value.text
        return None

    def has_value(self, kind: str) -> bool:
        """Whether a value of a kind is left."""
        return any(value.kind == kind for value in self._found)

    def take_orders(self) -> list["Source"]:
        """Take the items of an order, each as a source of its own with its name and quantity."""
        parts = []
        for item in order_items(self.text):
            part = Source(item.text, self._known)
            part._numbers = [(0, str(item.quantity))]
            part._spans = [item.name]
            parts.append(part)
        if parts:
            self._numbers.clear()
        return parts

    def take_person(self) -> str | None:
        """The name of a person: before a title or an ending in Korean, after "named" or "I am" in English."""
        found = _KOREAN_PERSON.search(self._plain) or _CALLED.search(self._plain)
        return found.group(1) if found else None

    def numbers_left(self) -> int:
        """How many numbers are not used yet."""
        return len(self._numbers)

    def take_labelled(self, names: list[str]) -> str | None:
        """Take the value of ``name: value``, ``name=value``, "name is Value" or "이름은 값입니다"."""
        for name in names:
            start = rf"(?<!\w){re.escape(name)}"
            found = re.search(rf"{start}[\"']?\s*[:=：]\s*[\"']?([^\n,;\"')]+)", self.text, re.IGNORECASE)
            if not found:
                said = _VALUE_AFTER_VERB if name.isascii() else _VALUE_AFTER_PARTICLE
                found = re.search(rf"(?i:{start}){said}", self._plain)
            if found and found.group(1).strip():
                return found.group(1).strip().rstrip(".")
        return None

    def take_span(self) -> str | None:
        """Take the next quoted, foreign or proper-noun-like span."""
        for index, span in enumerate(self._spans):
            if span.lower() not in self._known:
                del self._spans[index]
                return span
        return None

    def take_word(self) -> str | None:
        """Take the next content word that does not name the tool itself."""
        for word in words(without_contractions(self._plain)):
            base = next(iter(content_words(word)), "")
            if base and base not in self._known and not base.isdigit() and not _EMPTY.fullmatch(word):
                self._known.add(base)
                return word if word.isascii() else base
        return None

    def take_choice(self, values: list[Any]) -> Any | None:
        """Take a value of an enumeration that the text mentions; prefer one that no property has yet."""
        mentioned = [value for value in values if mentions(self.text, value)]
        fresh = [value for value in mentioned if (values, value) not in self._chosen]
        if not mentioned:
            return None
        value = (fresh or mentioned)[0]
        self._chosen.append((values, value))
        return value

    def spans(self) -> list[str]:
        """Take all spans that are not used yet."""
        taken, self._spans = self._spans, []
        return [span for span in taken if span.lower() not in self._known]
