# ruff: noqa: RUF001 - full-width marks and curly quotes are meant here
"""Fills a JSON schema from a text, for tool arguments and structured answers.

Each property gets a value that fits its type and is near its name in the text: numbers for numbers; quoted text and
proper nouns for strings, else content words. A value is used for one property only.
"""

import re
import sys
from collections.abc import Iterable
from typing import Any

from clova_studio.emulator.language.lexicon import same_meaning
from clova_studio.emulator.language.spans import find_spans
from clova_studio.emulator.language.text import content_words, grams, listed
from clova_studio.emulator.rules.checks import is_one_of

_NUMBER = re.compile(r"(?<![\d.])[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])-\d+(?:\.\d+)?|\d+(?:\.\d+)?")
_NEGATION = re.compile(r"\b(?:no|not|without|don't|never|false|off)\b|않|없|말고|아니|제외|빼고", re.IGNORECASE)
_NAME_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[가-힣]+|[0-9]+|[^\W_a-zA-Z0-9가-힣]+")
_WHOLE_TEXT = frozenset(
    listed(
        "query question q prompt text input content message sentence instruction request keyword keywords search "
        "질문 질의 검색어 문장 내용 본문 텍스트 메시지 요청"
    )
)
_FORMATS = {
    "date": (re.compile(r"\d{4}-\d{2}-\d{2}"), "2025-01-01"),
    "time": (re.compile(r"\d{2}:\d{2}:\d{2}"), "09:00:00"),
    "date-time": (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z?"), "2025-01-01T09:00:00Z"),
    "duration": (re.compile(r"P\d+[YMWD]|PT\d+[HMS]"), "PT1H"),
    "email": (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+\w"), "user@example.com"),
    "hostname": (re.compile(r"\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b"), "example.com"),
    "ipv4": (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "127.0.0.1"),
    "ipv6": (re.compile(r"\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\b"), "::1"),
    "uuid": (
        re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"),
        "00000000-0000-4000-8000-000000000000",
    ),
}
_KOREAN_DATE = re.compile(r"(\d{4})\s?[년.\-/]\s?(\d{1,2})\s?[월.\-/]\s?(\d{1,2})")
_WRITTEN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?)?|\d{1,2}:\d{2}(?::\d{2})?")
_NEAR = 24
_LONGEST_NUMBER = 300  # digits of the largest double
_MOST_VALUES = 2_000  # more than any answer has, whatever the schema requires


class Source:
    """A text, and the values in it that are not used yet."""

    def __init__(self, text: str, known: Iterable[str] = ()) -> None:
        self.text = text
        dates = [found.span() for found in _WRITTEN_DATE.finditer(text)]
        self._numbers = [
            (found.start(), found.group())
            for found in _NUMBER.finditer(text)
            if len(found.group()) < _LONGEST_NUMBER and not any(start <= found.start() < end for start, end in dates)
        ]
        self._spans = find_spans(text)
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
        behind = self.text[start + len(written) :].lower().removeprefix(" ")
        gaps = [len(before) - before.rfind(name) - len(name) for name in names if name in before]
        gaps += [1 for name in names if behind.startswith(name)]
        return -len(gaps), sum(gaps)

    def numbers_left(self) -> int:
        """How many numbers are not used yet."""
        return len(self._numbers)

    def take_labelled(self, names: list[str]) -> str | None:
        """Take the value of ``name: value`` or ``name=value``."""
        for name in names:
            found = re.search(
                rf"(?<!\w){re.escape(name)}[\"']?\s*[:=：]\s*[\"']?([^\n,;\"')]+)", self.text, re.IGNORECASE
            )
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
        fresh = [word for word in content_words(self.text) if word not in self._known and not word.isdigit()]
        if not fresh:
            return None
        self._known.add(fresh[0])
        return fresh[0]

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


def name_parts(name: str) -> list[str]:
    """The words of an identifier in lower case: ``firstName`` and ``first_name`` are ``first`` and ``name``."""
    return [part.lower() for part in _NAME_PART.findall(name)]


def fill(schema: dict[str, Any], source: Source, name: str = "", *, everything: bool = False) -> Any:
    """Make a value that fits a schema, for the property ``name``.

    Unknown keywords and invalid values are ignored, because the parameters of a tool are not checked before. With
    ``everything`` optional properties are filled too, as in a structured answer.
    """
    values = _list_of(schema, "enum")
    if values:
        return _pick(values, source)
    if "const" in schema:
        return schema["const"]
    options = [item for item in _list_of(schema, "anyOf") or _list_of(schema, "oneOf") if isinstance(item, dict)]
    if options:
        real = [option for option in options if option.get("type") != "null"]
        return fill(real[0], source, name, everything=everything) if real else None
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), "null")
    if kind == "null":
        return None
    if kind == "object" or (kind is None and "properties" in schema):
        return _object(schema, source, everything=everything)
    if kind == "array":
        return _array(schema, source, name, everything=everything)
    if kind in ("integer", "number"):
        return _number(schema, source, name, whole=kind == "integer")
    if kind == "boolean":
        return _boolean(schema, source, name)
    return _string(schema, source, name)


def _list_of(schema: dict[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _bound(schema: dict[str, Any], keyword: str) -> float | None:
    """A numeric bound, or None when it is missing, not a number or larger than a double."""
    value = schema.get(keyword)
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > sys.float_info.max:
        return None
    return value


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    value = schema.get("properties")
    return {key: item for key, item in value.items() if isinstance(item, dict)} if isinstance(value, dict) else {}


def _names(schema: dict[str, Any], name: str) -> list[str]:
    """The words by which a text may mention a property: those of its name and description, and translations."""
    spoken = [name.lower().replace("_", " "), *name_parts(name)]
    described = content_words(str(schema.get("description") or ""))
    translated = [other for word in [*spoken, *described] for other in same_meaning(word)]
    return [item for item in dict.fromkeys([*spoken, *described, *translated]) if len(item) > 1]


def _object(schema: dict[str, Any], source: Source, *, everything: bool) -> dict[str, Any]:
    properties = _properties(schema)
    required = [key for key in _list_of(schema, "required") if isinstance(key, str) and key in properties]
    filled = {key: fill(properties[key], source, key, everything=everything) for key in required}
    for key, item in properties.items():
        if key not in filled and (everything or has_evidence(item, source, key)):
            filled[key] = fill(item, source, key, everything=everything)
    if not filled and properties:  # an empty call is useless
        key, item = next(iter(properties.items()))
        filled[key] = fill(item, source, key, everything=everything)
    return {key: filled[key] for key in properties if key in filled}


def has_evidence(schema: dict[str, Any], source: Source, name: str) -> bool:
    """Whether the text has a value for an optional property."""
    names = _names(schema, name)
    values = _list_of(schema, "enum")
    if values:
        return any(mentions(source.text, value) for value in values)
    if schema.get("type") in ("integer", "number"):
        return source.has_near_number(names)
    if schema.get("type") == "boolean":
        return any(part in source.text.lower() for part in names)
    return source.take_labelled([name, name.replace("_", " ")]) is not None


def mentions(text: str, value: Any) -> bool:
    """Whether a text contains a word or its translation."""
    if not isinstance(value, str) or not value:
        return False
    lower, said = value.lower().replace("_", " "), text.lower().replace("_", " ")
    if lower.isascii() and lower.isalnum():
        plain = re.search(rf"(?<![a-z0-9]){re.escape(lower)}(?![a-z0-9])", said) is not None
    else:
        plain = lower in said
    return plain or any(other in said for other in same_meaning(lower))


def _pick(values: list[Any], source: Source) -> Any:
    """The value of an enumeration that the text mentions, or that is most similar to it."""
    chosen = source.take_choice(values)
    if chosen is not None:
        return chosen
    said = grams(source.text)
    scores = [sum(said.get(gram, 0.0) for gram in grams(value)) if isinstance(value, str) else 0.0 for value in values]
    return values[scores.index(max(scores))]


def _array(schema: dict[str, Any], source: Source, name: str, *, everything: bool) -> list[Any]:
    given = schema.get("items")
    items: dict[str, Any] = given if isinstance(given, dict) else {"type": "string"}
    if items.get("type") == "null":  # where a schema contains itself without end
        return []
    least = int(max(0, _bound(schema, "minItems") or 0))
    highest = _bound(schema, "maxItems")
    most = int(highest) if highest is not None else max(least, 5)
    kind = items.get("type")
    found: list[Any] = []
    values = _list_of(items, "enum")
    if values:
        found = [value for value in values if mentions(source.text, value)]
    elif kind in ("integer", "number"):
        while source.numbers_left() and len(found) < most:
            found.append(fill(items, source, name))
    elif kind == "string":
        found = list(source.spans())
    found = found[: max(0, most)]
    while len(found) < max(least, min(1, most)) and source.spend():
        found.append(fill(items, source, name, everything=everything))
    return found


def _number(schema: dict[str, Any], source: Source, name: str, *, whole: bool) -> float:
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    value = float(source.take_number(_names(schema, name), low, high))
    if not whole:
        return int(value) if value.is_integer() else value
    rounded = round(value)
    if low is not None and rounded < low:
        return rounded + 1
    return rounded - 1 if high is not None and rounded > high else rounded


def _boolean(schema: dict[str, Any], source: Source, name: str) -> bool:
    lower = source.text.lower()
    mentioned = any(part in lower for part in _names(schema, name))
    return mentioned and _NEGATION.search(source.text) is None


def _string(schema: dict[str, Any], source: Source, name: str) -> str:
    if is_one_of(schema.get("format"), _FORMATS):
        return _formatted(schema["format"], source)
    labelled = source.take_labelled([name, name.replace("_", " ")]) if name else None
    if labelled:
        return labelled
    value = None if _WHOLE_TEXT.intersection(name_parts(name)) else source.take_span() or source.take_word()
    return value or source.text.strip() or "-"


def _formatted(kind: str, source: Source) -> str:
    pattern, fallback = _FORMATS[kind]
    if kind == "date":
        korean = _KOREAN_DATE.search(source.text)
        if korean:
            year, month, day = (int(part) for part in korean.groups())
            return f"{year:04d}-{month:02d}-{day:02d}"
    found = pattern.search(source.text)
    return found.group() if found else fallback
