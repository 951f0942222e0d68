"""Fills a JSON schema from a text, for tool arguments and structured answers.

Each property gets a value that fits its type and is near its name in the text: numbers for numbers; quoted text and
proper nouns for strings, else content words; e-mail addresses, dates and the like for properties that are named so; the
items of an order for an array of objects with a number. A value is used for one property only.
"""

import re
import sys
from typing import Any

from clova_studio.emulator.language.lexicon import mentions, same_meaning
from clova_studio.emulator.language.source import Source
from clova_studio.emulator.language.text import content_words, grams, listed
from clova_studio.emulator.language.values import wanted_kind
from clova_studio.emulator.rules.checks import is_one_of

_NEGATION = re.compile(r"\b(?:no|not|without|don't|never|false|off)\b|않|없|말고|아니|제외|빼고", re.IGNORECASE)
_NAME_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[가-힣]+|[0-9]+|[^\W_a-zA-Z0-9가-힣]+")
_WHOLE_TEXT = frozenset(
    listed(
        "query question q prompt text input content message sentence instruction request keyword keywords search body "
        "질문 질의 검색어 문장 내용 본문 텍스트 메시지 요청"
    )
)
_PERSONAL = frozenset(listed("name person customer user author contact 이름 성함 고객 고객명 담당자"))
_FORMATS = {
    "date": (re.compile(r"\d{4}-\d{2}-\d{2}"), "2025-01-01"),
    "time": (re.compile(r"\d{2}:\d{2}:\d{2}"), "09:00:00"),
    "date-time": (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z?"), "2025-01-01T09:00:00Z"),
    "duration": (re.compile(r"P\d+[YMWD]|PT\d+[HMS]"), "PT1H"),
    "email": (re.compile(r"(?!)"), "user@example.com"),  # found as a value, see `find_values`
    "hostname": (re.compile(r"\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b"), "example.com"),
    "ipv4": (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "127.0.0.1"),
    "ipv6": (re.compile(r"\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\b"), "::1"),
    "uuid": (
        re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"),
        "00000000-0000-4000-8000-000000000000",
    ),
}
_LONGEST_LABEL = 2  # words
_DATE_PARTS = {"year": "year", "month": "month", "day": "day", "연도": "year", "년": "year", "월": "month", "일": "day"}


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


def _label(schema: dict[str, Any]) -> str:
    """A description that is a name too: a word or two, alone or before a colon."""
    label = str(schema.get("description") or "").partition(":")[0].strip()
    return label if len(label.split()) <= _LONGEST_LABEL else ""


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
    label = _label(schema)
    kind = wanted_kind([*name_parts(name), *name_parts(label)])
    if kind is not None and source.has_value(kind):
        return True
    return source.take_labelled([word for word in (name, name.replace("_", " "), label) if word]) is not None


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
    elif any(item.get("type") in ("integer", "number") for item in _properties(items).values()):
        found = [fill(items, part, name, everything=everything) for part in source.take_orders()]
    found = found[: max(0, most)]
    while len(found) < max(least, min(1, most)) and source.spend():
        found.append(fill(items, source, name, everything=everything))
    return found


def _number(schema: dict[str, Any], source: Source, name: str, *, whole: bool) -> float:
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    parts = [_DATE_PARTS[part] for part in name_parts(name) if part in _DATE_PARTS]
    dated = source.take_date_part(parts[0]) if len(parts) == 1 else None
    if dated is not None and (low is None or dated >= low) and (high is None or dated <= high):
        return dated
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
    label = _label(schema)
    parts = [*name_parts(name), *name_parts(label)]
    kind = wanted_kind(parts)
    special = source.take_value(kind) if kind is not None else None
    if special:
        return special
    spoken = [name, name.replace("_", " "), label, *(word for part in parts for word in sorted(same_meaning(part)))]
    labelled = source.take_labelled([word for word in spoken if word])
    if labelled:
        return labelled
    if _WHOLE_TEXT.intersection(parts):
        return source.text.strip() or "-"
    person = source.take_person() if _PERSONAL.intersection(parts) else None
    return person or source.take_span() or source.take_word() or source.text.strip() or "-"


def _formatted(kind: str, source: Source) -> str:
    pattern, fallback = _FORMATS[kind]
    value = source.take_value(kind) if kind in {"date", "email"} else None
    if value is not None and (kind == "email" or _FORMATS["date"][0].fullmatch(value)):
        return value
    found = pattern.search(source.text)
    return found.group() if found else fallback
