"""Answers in JSON where the prompt asks for it in words: by a schema, an example or the names of the keys."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from clova_studio.emulator.language.schema_fill import fill, name_parts
from clova_studio.emulator.language.schema_refs import inline
from clova_studio.emulator.language.sentences import split_sentences
from clova_studio.emulator.language.source import Source
from clova_studio.emulator.language.text import listed

_JSON = r"(?<![A-Za-z])json(?![A-Za-z])"
_ASKED = re.compile(
    rf"\b(?:answer|respond|response|reply|return|output|outputs|give|format|formatted|generate|produce|write|create|provide|extract"
    rf"|convert|only|valid|as|in|into|using)\b[^.?!\n]{{0,80}}{_JSON}"
    rf"|{_JSON}\s*(?:only|format|object|array|instance|schema)"
    rf"|{_JSON}\s*(?:으로|로|만|형식|형태|포맷|객체|배열|스키마|문자열|데이터|을\s?(?:출력|반환|작성|만들)|를\s?(?:출력|반환|작성|만들))",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    rf"(?:do not|don't|never|without|no)\b[^.?!\n]{{0,40}}{_JSON}|{_JSON}[^.?!\n]{{0,20}}(?:말고|아닌|없이|하지 ?마)"
    r"|Action Input",  # of a ReAct prompt: the JSON is that of a tool, and the answer is text
    re.IGNORECASE,
)
_QUOTED_KEY = re.compile(r"[`\"']([A-Za-z_가-힣][\w가-힣]*)[`\"']")
_LISTED_KEYS = re.compile(
    r"\b(?:fields?|keys?|properties|attributes)\b\s*(?:are|named|called|of)?\s*:?\s*"
    r"((?:[A-Za-z_]\w*)(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)[A-Za-z_]\w*)*)",
    re.IGNORECASE,
)
_KOREAN_KEYS = re.compile(r"([\w가-힣]{1,20}(?:,\s|,|와\s|과\s|\s및\s)[^.?!:\n]{1,80}?)(?:을|를)?\s?(?:키|필드|항목)")
_KEY_SEPARATOR = re.compile(r"\s?,\s?(?:and\s)?|\sand\s|와\s|과\s|\s및\s")
_ARRAY = re.compile(r"\b(?:array|list)\b|배열|목록|리스트", re.IGNORECASE)
_COUNTED_KEYS = frozenset(listed("age amount count number price quantity score total year 가격 개수 나이 수량 점수"))
_FORM_WORDS = listed("json array list object valid 배열 목록 리스트 형식")
_DECODER = json.JSONDecoder()
_MOST_VALUES = 50  # of a text; more braces are code, not a request


@dataclass(frozen=True)
class JsonRequest:
    """What a prompt asks for: a schema, or None for any JSON; and the text that has the values."""

    schema: dict[str, Any] | None
    text: str


def find_json_request(instructions: Iterable[str], question: str) -> JsonRequest | None:
    """What JSON a conversation asks for; None when it asks for none."""
    instructions = list(instructions)
    texts = [*instructions, question]
    if not any(_ASKED.search(text) and not _REFUSED.search(text) for text in texts):
        return None
    for text in reversed(texts):
        found = [(value, start, end) for value, start, end in _json_values(text) if value]
        schemas = [item for item in found if isinstance(item[0], dict) and _is_schema(item[0])]
        for value, start, end in [*reversed(schemas), *reversed(found)]:
            schema = value if isinstance(value, dict) and _is_schema(value) else _schema_of(value)
            rest = question if text is not question else text[:start] + text[end:]
            return JsonRequest(inline(schema), _without_request(rest))
    keys = _keys(texts)
    if keys:
        kinds = {key: "number" if _COUNTED_KEYS.intersection(name_parts(key)) else "string" for key in keys}
        named = {"type": "object", "properties": {key: {"type": kind} for key, kind in kinds.items()}}
        return JsonRequest(named, _without_request(_QUOTED_KEY.sub(" ", question)))
    if any(_ARRAY.search(text) for text in texts if _ASKED.search(text)):
        return JsonRequest({"type": "array", "items": {"type": "string"}}, _without_request(question))
    return JsonRequest(None, question)


def write_json(request: JsonRequest, answer: str) -> str:
    """The JSON text that a request asks for; ``answer`` is the answer in words, for a request without a form."""
    schema = request.schema
    value = {"answer": answer} if schema is None else fill(schema, Source(request.text, _FORM_WORDS), everything=True)
    return json.dumps(value, ensure_ascii=False)


def _json_values(text: str) -> Iterator[tuple[Any, int, int]]:
    """The JSON objects and arrays in a text, with their places."""
    at = 0
    for _ in range(_MOST_VALUES):
        starts = [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]
        if not starts:
            return
        at = min(starts)
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        yield value, at, end
        at = end


def _is_schema(value: dict[str, Any]) -> bool:
    return isinstance(value.get("properties"), dict) or "$ref" in value or value.get("type") in {"object", "array"}


def _schema_of(example: Any) -> dict[str, Any]:
    """A schema of the values that look like an example."""
    if isinstance(example, dict):
        return {"type": "object", "properties": {key: _schema_of(item) for key, item in example.items()}}
    if isinstance(example, list):
        return {"type": "array", "items": _schema_of(example[0]) if example else {"type": "string"}}
    if isinstance(example, bool):
        return {"type": "boolean"}
    if isinstance(example, int):
        return {"type": "integer"}
    return {"type": "number" if isinstance(example, float) else "string"}


def _without_request(text: str) -> str:
    """A text without its words about the form, which stand before a colon or in sentences of their own."""
    request, colon, rest = text.partition(":")
    if colon and rest.strip() and _ASKED.search(request):
        return rest
    told = [
        item.text for item in split_sentences(text) if not _ASKED.search(item.text) and item.text.strip("`jsonJSON")
    ]
    return " ".join(told) or _ASKED.sub(" ", _LISTED_KEYS.sub(" ", text))


def _keys(texts: list[str]) -> list[str]:
    """The names of the keys: in quotes, or in a list of fields."""
    for text in reversed(texts):
        if not _ASKED.search(text):
            continue
        quoted = _QUOTED_KEY.findall(text)
        found = _LISTED_KEYS.search(text) or _KOREAN_KEYS.search(text)
        keys = quoted or (_KEY_SEPARATOR.split(found.group(1)) if found else [])
        if keys:
            return list(dict.fromkeys(keys))
    return []
