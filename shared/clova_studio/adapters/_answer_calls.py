"""The tool calls of an answer, as adapters pass them on: the same for whole and for streamed answers."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from clova_studio.types import Message

__all__ = ["AnswerCall", "calls_of", "has_calls"]


class AnswerCall(NamedTuple):
    """A tool call of an answer.

    Attributes:
        id: The service's id, or one of ours where it gave none, or gave it twice.
        name: The tool's name; ``""`` where the service gave none, which is always an invalid call.
        arguments: The arguments; None for an invalid call, which must not be carried out.
        text: The arguments as JSON text; of an invalid call, the text as it came.
    """

    id: str
    name: str
    arguments: dict[str, Any] | None
    text: str


def calls_of(message: Message, *, single: bool = False) -> list[AnswerCall]:
    """Return the tool calls of an answer in their order, valid and invalid ones.

    Args:
        message: The message of a result, or of the last chunk of a stream.
        single: Whether to keep the first one only.
    """
    valid, invalid = message.tool_calls or [], message.invalid_tool_calls or []
    both = [(call, True) for call in valid] + [(call, False) for call in invalid]
    calls: list[AnswerCall] = []
    known: dict[str, AnswerCall] = {}
    for call, is_valid in sorted(both, key=lambda pair: pair[0].index or 0):
        function = call.function
        text = json.dumps(function.arguments, ensure_ascii=False) if is_valid else function.partial_json or ""
        made = AnswerCall(call.id or "", function.name or "", function.arguments if is_valid else None, text)
        if made.id and known.get(made.id) == made:
            continue  # one call, sent twice
        if not made.id or made.id in known:
            made = made._replace(id=f"call_{uuid.uuid4().hex[:24]}")
        known[made.id] = made
        calls.append(made)
    return calls[:1] if single else calls


def has_calls(message: Message) -> bool:
    """Return whether an answer calls a tool; an invalid call is the model's slip in a call, not an answer in text.

    Args:
        message: The message of an answer, or a piece of it.
    """
    return bool(message.tool_calls or message.invalid_tool_calls)
