"""Which tool calls of a whole answer may be carried out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clova_studio.types._json import parse_object

if TYPE_CHECKING:
    from clova_studio.types.chat import Message

__all__ = ["settle_calls"]


def settle_calls(message: Message, *, is_cut: bool = False) -> None:
    """Count the calls of a whole answer, and set those apart that must not be carried out.

    Args:
        message: The message of the answer; it is changed.
        is_cut: Whether the answer ends at the output cap: then its last call is not known to be whole, whatever is left
            of its arguments.
    """
    calls = message.tool_calls
    if not calls or message.invalid_tool_calls:
        return
    valid, invalid = [], []
    for index, call in enumerate(calls):
        call.index = index
        function = call.function
        if "arguments" not in function.model_fields_set and function.partial_json is not None:
            arguments = parse_object(function.partial_json)
            if arguments is not None:
                function.arguments, function.partial_json = arguments, None
        else:
            arguments = function.arguments
        if arguments is not None and function.name and not (is_cut and index == len(calls) - 1):
            valid.append(call)
            continue
        if arguments is not None:
            function.partial_json = json.dumps(arguments, ensure_ascii=False)
            function.arguments = {}
        invalid.append(call)
    message.tool_calls = valid or None
    message.invalid_tool_calls = invalid or None
