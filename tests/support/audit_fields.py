"""What a documented field takes and refuses: the requests of the boundary audit and their expected answers."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = "20000"
INVALID = "40001"
NESTED = {"unknown": {"field": [1, None]}}
_STEP = re.compile(r"(\w+)((?:\[\])?)")


@dataclass(frozen=True)
class Probe:
    """One request: what is special about it, its body, and the code and the message's end that the pages give it."""

    about: str
    body: Any
    code: str
    named: str = ""


@dataclass(frozen=True)
class Field:
    """A row of a field table.

    Attributes:
        path: Where it stands; ``messages[].role`` is the first message's.
        good: Values that are taken, the ends of the range among them.
        bad: Values that are refused, the ones just outside among them.
        required: Whether it must be there; a field that may be missing may be null.
        named: How a refusal names it, if not by its path.
        code: Of the refusal of a wrong value.
        absent: Of the refusal of a required field that is missing or null; empty for the code above.
        special: Values with refusals of their own: value, code, end of the message.
        needs: Other fields that are set in its requests.
    """

    path: str
    good: tuple[Any, ...]
    bad: tuple[Any, ...]
    required: bool = False
    named: str = ""
    code: str = INVALID
    absent: str = ""
    special: tuple[tuple[Any, str, str], ...] = ()
    needs: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How a refusal names it: lists by index, but for the tools."""
        return self.named or re.sub(r"(?<!tools)\[\]", "[0]", self.path)

    def probes(self, base: Any) -> Iterator[Probe]:
        """The requests of this field."""
        body = copy.deepcopy(base)
        for path, value in self.needs.items():
            put(body, path, value)
        for value in self.good:
            yield Probe(f"{self.path} = {value!r}", put(copy.deepcopy(body), self.path, value), OK)
        for value in self.bad:
            yield Probe(f"{self.path} = {value!r}", put(copy.deepcopy(body), self.path, value), self.code, self.name)
        for value, code, named in self.special:
            yield Probe(f"{self.path} = {value!r}", put(copy.deepcopy(body), self.path, value), code, named)
        code = (self.absent or self.code) if self.required else OK
        named = self.name if code == self.code else ""
        yield Probe(f"{self.path} = None", put(copy.deepcopy(body), self.path, None), code, named)
        yield Probe(f"{self.path} is missing", drop(put(copy.deepcopy(body), self.path, None), self.path), code, named)


def put(body: Any, path: str, value: Any) -> Any:
    """Set a value in a body, with the objects on the way."""
    *parents, last = _STEP.findall(path)
    at = body
    for name, listed in parents:
        at = at.setdefault(name, [{}] if listed else {})
        if listed:
            at = at[0]
    at[last[0]] = copy.deepcopy(value)
    return body


def drop(body: Any, path: str) -> Any:
    """Take a value out of a body, if it is there."""
    *parents, last = _STEP.findall(path)
    at = body
    for name, listed in parents:
        at = at.get(name)
        if at is None:
            return body
        if listed:
            at = at[0]
    at.pop(last[0], None)
    return body


def extras(base: Any) -> Iterator[tuple[str, Any]]:
    """A body with an unknown field in each of its objects, one at a time."""
    paths = [""]
    while paths:
        path = paths.pop()
        at = base
        for name, listed in _STEP.findall(path):
            at = at[name][0] if listed else at[name]
        if not isinstance(at, dict):
            continue
        body = copy.deepcopy(base)
        yield path, put(body, f"{path}.unknownField" if path else "unknownField", NESTED)
        for name, value in at.items():
            below = f"{path}.{name}" if path else name
            if isinstance(value, dict):
                paths.append(below)
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                paths.append(f"{below}[]")


def number(path: str, low: float, high: float, *, with_low: bool = False, step: float = 0.01, **more: Any) -> Field:
    """A number with a range; the lower end belongs to it only with ``with_low``."""
    ends = (low, low + step) if with_low else (low + step,)
    outside = (low - step, high + step) if with_low else (low - step, low, high + step)
    return _with(Field(path, (*ends, high), (*outside, str(high), True, [high], {})), more)


def whole(path: str, low: int, high: int | None = None, **more: Any) -> Field:
    """An integer with a range; both ends belong to it."""
    good = (low, low + 1) if high is None else (low, low + 1, high)
    over = () if high is None else (high + 1,)
    return _with(Field(path, good, (low - 1, *over, low + 0.5, str(low), True, [low], {})), more)


def flag(path: str, **more: Any) -> Field:
    """A boolean."""
    return _with(Field(path, (True, False), ("true", "", 0, 1, [], {})), more)


def strings(path: str, **more: Any) -> Field:
    """An array of strings."""
    return _with(Field(path, ([], ["끝"], ["a", "b"]), ("끝", [1], [None], [["a"]], {}, 1, True)), more)


def text(path: str, *, empty: str = "40004", good: tuple[Any, ...] = ("가", "a b"), **more: Any) -> Field:
    """A string; ``empty`` is the code of the empty one."""
    special = (("", empty, ""),) if empty != INVALID else ()
    bad = (1, 1.5, True, ["a"], {"a": "b"}, *([""] if empty == INVALID else []))
    return _with(Field(path, good, bad, special=special), more)


def enum(path: str, *values: Any, **more: Any) -> Field:
    """One of some values."""
    first = str(values[0])
    wrong = (first.upper() if first.islower() else first.lower(), first + "x", "", 1, True, [first], {"a": first})
    return _with(Field(path, values, wrong), more)


def refused(path: str, *values: Any, **more: Any) -> Field:
    """A field that the model or the combination excludes, whatever its value."""
    return _with(Field(path, (), values), more)


def anything(path: str, *values: Any) -> Field:
    """A field that is taken and means nothing."""
    return Field(path, values, ())


def _with(row: Field, changes: dict[str, Any]) -> Field:
    """A row with changes; what is added to a tuple is added at its end."""
    for name, value in changes.items():
        added = name.removeprefix("more_")
        new = (*getattr(row, added), *value) if added != name else value
        row = replace(row, **{added: new})
    return row
