"""The tool calls of an answer, as adapters pass them on: the same for whole and for streamed answers."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from clova_studio.types import Message

__all__ = ["AnswerCall", "calls_of"]


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
    calls: list[AnswerCall] = []
    for call in sorted([*valid, *invalid], key=lambda call: call.index or 0):
        function = call.function
        arguments = None if any(call is other for other in invalid) else function.arguments
        text = function.partial_json if arguments is None else json.dumps(arguments, ensure_ascii=False)
        made = AnswerCall(call.id or "", function.name or "", arguments, text or "")
        if made.id and made in calls:
            continue  # one call, sent twice
        if not made.id or any(made.id == other.id for other in calls):
            made = made._replace(id=f"call_{uuid.uuid4().hex[:24]}")
        calls.append(made)
    return calls[:1] if single else calls
