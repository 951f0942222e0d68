"""Scripted answers: what they may be."""

from collections.abc import Mapping
from typing import Any

from clova_studio.emulator.server.faults import Fault

Scripted = str | Mapping[str, Any] | Fault
"""A text, a mapping with the parts of an answer, or a fault."""

_TEXTS = ("content", "thinking", "finish_reason")
_PARTS = (*_TEXTS, "tool_calls")


def check_scripted(answer: Any, where: str) -> Scripted:
    """Check a scripted answer; ``where`` names it in the error.

    Raises:
        TypeError: It is of another type, or a part of it is.
        ValueError: It has an unknown part.
    """
    if isinstance(answer, str | Fault):
        return answer
    if not isinstance(answer, Mapping):
        raise TypeError(f"{where}: a scripted answer is a str, a mapping or a Fault, not {type(answer).__name__}")
    for name in answer:
        if name not in _PARTS:
            raise ValueError(f"{where} has the unknown field {name!r}; known are {', '.join(_PARTS)}")
    for name in _TEXTS:
        if not isinstance(answer.get(name), str | None):
            raise TypeError(f"{where}.{name} must be a string, not {type(answer[name]).__name__}")
    calls = answer.get("tool_calls")
    if calls is not None and not isinstance(calls, list | tuple):
        raise TypeError(f"{where}.tool_calls must be a list, not {type(calls).__name__}")
    for index, call in enumerate(calls or ()):
        _check_call(call, f"{where}.tool_calls[{index}]")
    return answer


def _check_call(call: Any, where: str) -> None:
    if not isinstance(call, Mapping):
        raise TypeError(f"{where} must be a mapping with name and arguments, not {type(call).__name__}")
    for name in call:
        if name not in {"name", "arguments"}:
            raise ValueError(f"{where} has the unknown field {name!r}; known are name, arguments")
    if not isinstance(call.get("name"), str):
        raise TypeError(f"{where}.name must be a string")
    if not isinstance(call.get("arguments"), Mapping | None):
        raise TypeError(f"{where}.arguments must be a mapping, not {type(call['arguments']).__name__}")
