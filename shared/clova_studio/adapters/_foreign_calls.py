"""Reads tool calls in the forms in which the integrations of other providers leave them in a history. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["FoundCall", "call_in", "field_of", "united_calls"]

# Bedrock and Gemini put a call into a field of its own; the object around it has the fields of other kinds too.
_AROUND = ("toolUse", "functionCall", "function_call", "tool_call")
_NAMES = ("name", "tool_name", "toolName")
_ARGUMENTS = ("arguments", "args", "input", "parameters", "tool_kwargs")
# OpenAI's Responses API has an id of the item as well, which results do not name.
_IDS = ("call_id", "toolUseId", "tool_use_id", "tool_call_id", "toolCallId", "id")


class FoundCall(NamedTuple):
    """A tool call of a history.

    Attributes:
        id: Its id; None or ``""`` if its provider gave none.
        name: The tool's name.
        arguments: A mapping, or JSON text.
        is_optional: Whether it is left out unless a result answers it.
    """

    id: Any
    name: Any
    arguments: Any
    is_optional: bool = False


def field_of(held: Any, *names: str) -> Any:
    """Return the first of several fields of a mapping or an object that is there and not None, else None.

    Args:
        held: The mapping or object.
        *names: The names of the fields, the most specific first.
    """
    for name in names:
        value = held.get(name) if isinstance(held, Mapping) else getattr(held, name, None)
        if value is not None:
            return value
    return None


def call_in(held: Any, *, is_optional: bool = False) -> FoundCall | None:
    """Return the tool call that a dict or an object of any provider's holds, None if it holds none.

    The forms of OpenAI (chat and responses), Anthropic, Bedrock Converse, Ollama, Mistral, Cohere and Gemini.

    Args:
        held: The dict or object.
        is_optional: As in ``FoundCall``.
    """
    inner = field_of(held, *_AROUND)
    held = held if inner is None or isinstance(inner, str) else inner
    function = field_of(held, "function", "custom")
    body = held if function is None or isinstance(function, str) else function
    name = field_of(body, *_NAMES)
    if not isinstance(name, str) or not name:
        return None
    return FoundCall(field_of(held, *_IDS), name, field_of(body, *_ARGUMENTS), is_optional)


def united_calls(*places: Sequence[FoundCall]) -> list[FoundCall]:
    """Return the calls of a message that its framework holds in several places, each call once.

    Args:
        *places: The calls of each place. A call of a later place is the same as one of an earlier place if it has the
            same id, or if one of the two has none and name and arguments are equal.
    """
    calls: list[FoundCall] = []
    for place in places:
        earlier = list(enumerate(calls))
        for call in place:
            same = next((pair for pair in earlier if _is_same(call, pair[1])), None)
            if same is None:
                calls.append(call)
                continue
            earlier.remove(same)
            if not same[1].id:
                calls[same[0]] = same[1]._replace(id=call.id)
    return calls


def _is_same(call: FoundCall, other: FoundCall) -> bool:
    if call.id and other.id:
        return str(call.id) == str(other.id)
    return bool(call.name == other.name and _object(call.arguments) == _object(other.arguments))


def _object(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        return json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments
