"""Finds JSON objects in the answers of models and validates them. Pure.

If only an instruction asks for JSON, about half of these models' answers have it in a code fence or after other text
(observed), and some have a list where the schema has a string.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from clova_studio.adapters._schema_faults import schema_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["AnswerFault", "UnfitAnswerError", "fitting", "has_json", "json_values", "read_json", "validation_words"]

AnswerFault: TypeAlias = Literal["cut", "no_call", "not_json", "invalid"]
"""Why an answer is not the object that was asked for."""

T = TypeVar("T")

_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into their strings
_MOST_TRIES = 200
_MOST_FAULTS = 10
_LONGEST_WORDS = 1_500

_DEFAULT_WORDS: Mapping[AnswerFault, str] = {
    "cut": (
        "The answer was cut at the output cap (finish_reason 'length') and is not whole: raise max_tokens. / "
        "출력이 최대 토큰 수에서 잘렸습니다. max_tokens를 늘리세요."
    ),
    "no_call": "The model answered with text instead of calling the tool that carries the answer.",
    "not_json": "The answer is not a JSON object.",
    "invalid": "The answer does not fit the schema.",
}


class UnfitAnswerError(ValueError):
    """An answer is not the object that was asked for.

    Args:
        fault: The kind of fault.
        words: What is wrong, for the caller and for the model; empty for the default sentence of the fault.
        said: The answer as text.

    Attributes:
        fault: The kind of fault.
        words: What is wrong.
        said: The answer as text.
    """

    def __init__(self, fault: AnswerFault, words: str = "", *, said: str = "") -> None:
        super().__init__(words or _DEFAULT_WORDS[fault])
        self.fault = fault
        self.words = str(self)
        self.said = said

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.fault, self.words, self.said)


def _rebuilt(fault: AnswerFault, words: str, said: str) -> UnfitAnswerError:
    return UnfitAnswerError(fault, words, said=said)


def json_values(text: str) -> list[Any]:
    """Return the JSON objects and lists in a text, the longest first.

    Objects inside another one are not returned by themselves, nor are objects inside one that is cut or broken: a part
    of an answer must not look like the answer.

    Args:
        text: An answer: JSON, JSON in a code fence, or JSON among other text.
    """
    found: list[tuple[int, Any]] = []
    at = 0
    for _ in range(_MOST_TRIES):
        starts = [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]
        if not starts:
            break
        start = min(starts)
        try:
            value, at = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            at = _end_of_broken(text, start)
        else:
            found.append((at - start, value))
    found.sort(key=lambda pair: -pair[0])
    return [value for _, value in found]


def has_json(text: str) -> bool:
    """Return whether a text has a JSON object in it.

    Args:
        text: An answer.
    """
    return any(isinstance(value, dict) for value in json_values(text))


def _end_of_broken(text: str, start: int) -> int:
    """Return where to go on after a bracket that begins no valid JSON: behind all of it if it looks like JSON."""
    if not text[start + 1 : start + 200].lstrip().startswith(('"', "{", "[")):
        return start + 1
    depth = 0
    in_string = escaped = False
    for at in range(start, len(text)):
        letter = text[at]
        if escaped:
            escaped = False
        elif in_string:
            escaped = letter == "\\"
            in_string = letter != '"'
        elif letter == '"':
            in_string = True
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
            if depth == 0:
                return at + 1
    return len(text)


def read_json(text: str, validate: Callable[[dict[str, Any]], T], names: Sequence[str] = ()) -> T:
    """Return the validated JSON object in an answer.

    Args:
        text: The answer.
        validate: Takes an object and returns the result, or raises ``UnfitAnswerError``.
        names: Members that the object should have. Of several objects, the one with most of them is tried first.

    Raises:
        UnfitAnswerError: There is no object, or none that fits.
    """
    values = json_values(text)
    # A list of one object counts as that object. Of a longer one no object may be taken.
    objects = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    objects = [value for value in objects if isinstance(value, dict)]
    objects.sort(key=lambda value: -sum(name in value for name in names))
    first: UnfitAnswerError | None = None
    for value in objects:
        try:
            return validate(value)
        except UnfitAnswerError as error:
            first = first or error
    if first is not None:
        raise UnfitAnswerError(first.fault, first.words, said=text) from first
    words = "The answer is a JSON list, not an object." if values else ""
    raise UnfitAnswerError("not_json", words, said=text)


def fitting(found: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object if it fits a JSON Schema.

    Args:
        found: The object.
        schema: The schema, with its definitions.

    Raises:
        UnfitAnswerError: It does not fit.
    """
    if faults := schema_faults(found, schema, most=_MOST_FAULTS):
        raise UnfitAnswerError("invalid", _listed(faults), said=_dumped(found))
    return found


def validation_words(error: Any, found: Any) -> UnfitAnswerError:
    """Return the error for an object that fails the validation of pydantic, version 1 or 2.

    Args:
        error: A ``ValidationError``.
        found: The object.
    """
    faults = []
    for fault in error.errors()[:_MOST_FAULTS]:
        where = ".".join(str(step) for step in fault["loc"]) or "the object"
        faults.append(f"{where}: {fault['msg']}")
    return UnfitAnswerError("invalid", _listed(faults), said=_dumped(found))


def _listed(faults: Sequence[str]) -> str:
    return f"The answer does not fit the schema: {'; '.join(faults)}"[:_LONGEST_WORDS]


def _dumped(found: Any) -> str:
    return json.dumps(found, ensure_ascii=False, default=str)
