"""Finds the call of each tool result in a history, and gives both one id. Pure.

The service wants an id on each call, and on each result the id of its call. Other providers leave calls without ids
(Ollama, Gemini, OpenAI's functions), results that name the tool, and ids that are counted anew in each answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clova_studio._requests.messages import ClovaMessage
    from clova_studio.adapters._foreign_calls import FoundCall

__all__ = ["ToolTurns"]

_ORPHAN = (
    "{where} is the result of a tool{named}, but no call before it can be told to be its own: give it the id of its "
    "call, and keep the assistant's message with the call"
)


@dataclass(slots=True)
class _Call:
    wire: dict[str, Any]
    given: str
    name: Any
    is_optional: bool
    is_answered: bool = False


@dataclass(slots=True)
class _Result:
    message: ClovaMessage
    given: str
    name: Any


@dataclass(slots=True)
class _Turn:
    message: ClovaMessage
    calls: list[_Call] = field(default_factory=list)


class ToolTurns:
    """The answers with tool calls and the results of a conversation, in order.

    Args:
        is_counted: Whether the messages are only counted, so that none is refused.
    """

    def __init__(self, *, is_counted: bool) -> None:
        self._is_counted = is_counted
        self._events: list[_Turn | _Result] = []

    def add_calls(self, message: ClovaMessage, calls: Iterable[tuple[FoundCall, dict[str, Any]]]) -> None:
        """Add an answer of the model.

        Args:
            message: The message on the wire; its ``toolCalls`` are set when all is known.
            calls: Each call with its form on the wire; one that is there twice, with the same id, counts once.
        """
        turn = _Turn(message)
        for found, wire in calls:
            given = _text_of(found.id)
            if given and any(call.given == given and call.wire["function"] == wire["function"] for call in turn.calls):
                continue
            turn.calls.append(_Call(wire, given, found.name, found.is_optional))
        self._events.append(turn)

    def add_result(self, message: ClovaMessage, call_id: Any, name: Any) -> None:
        """Add the result of a tool.

        Args:
            message: The message on the wire; its ``toolCallId`` is set when all is known.
            call_id: The id of its call, or the tool's name; None for neither.
            name: The tool's name, None if it is not known.
        """
        self._events.append(_Result(message, _text_of(call_id), name))

    def settle(self) -> None:
        """Set the ids of all calls and results.

        Raises:
            ConfigurationError: A result names no call, and it cannot be told which one it answers.
        """
        if not self._events:
            return
        self._set_ids()
        turns: list[_Turn] = []
        waiting: list[_Result] = []
        for event in self._events:
            if isinstance(event, _Turn):
                self._settle_by_order(turns, waiting)
                waiting = []
                turns.append(event)
            elif (call := _call_of(event, turns)) is not None:
                _join(event, call)
            else:
                waiting.append(event)
        self._settle_by_order(turns, waiting)
        for turn in turns:
            calls = [call.wire for call in turn.calls if call.is_answered or not call.is_optional]
            if calls:
                turn.message["toolCalls"] = calls

    def _set_ids(self) -> None:
        """Give each call an id that no other call has: its own, or one of ours if it has none or a repeated one."""
        calls = [call for event in self._events if isinstance(event, _Turn) for call in event.calls]
        given = {call.given for call in calls}
        used: set[str] = set()
        count = 0
        for call in calls:
            call_id = call.given
            while not call_id or call_id in used:
                # The same for the same history, so that a request can be cached and compared.
                count += 1
                call_id = f"call_{count:024d}"
                call_id = "" if call_id in given else call_id
            used.add(call_id)
            call.wire["id"] = call_id

    def _settle_by_order(self, turns: Sequence[_Turn], waiting: Sequence[_Result]) -> None:
        """Give results that name no call the open calls of the last answer, if there are as many."""
        if not waiting:
            return
        is_named = any(result.given or result.name for result in waiting)
        # A result that names another call or tool is not that of a call with an id.
        free = [call for call in turns[-1].calls if _is_open(call) and not (is_named and call.given)] if turns else []
        needed = [call for call in free if not call.is_optional]
        chosen = next((calls for calls in (needed, free) if len(calls) == len(waiting)), None)
        if chosen is not None and all(_may_answer(*pair) for pair in zip(waiting, chosen, strict=True)):
            for result, call in zip(waiting, chosen, strict=True):
                _join(result, call)
            return
        for result in waiting:
            if result.given:
                result.message["toolCallId"] = result.given  # the client names it if its call is missing
            elif self._is_counted:
                result.message["toolCallId"] = "call_unknown"
            else:
                named = f" {result.name!r}" if result.name else ""
                raise ConfigurationError(_ORPHAN.format(where=result.message.where, named=named))


def _call_of(result: _Result, turns: Sequence[_Turn]) -> _Call | None:
    """Return the call that a result names by its id or by its tool; of several, an open one of the last answer."""
    if result.given:
        answered = None
        for call in _backwards(turns):
            if call.given != result.given:
                continue
            if _is_open(call):
                return call
            answered = answered or call
        # Some providers give the tool's name as the id, others no id at all to the call.
        return answered or _open_call(turns, result.given) or _open_call(turns, result.name, without_id=True)
    return _open_call(turns, result.name)


def _open_call(turns: Sequence[_Turn], name: Any, *, without_id: bool = False) -> _Call | None:
    if not name:
        return None
    calls = (call for call in _backwards(turns) if _is_open(call) and call.name == name)
    return next((call for call in calls if not (without_id and call.given)), None)


def _backwards(turns: Sequence[_Turn]) -> Iterator[_Call]:
    for turn in reversed(turns):
        yield from turn.calls


def _is_open(call: _Call) -> bool:
    return not call.is_answered


def _may_answer(result: _Result, call: _Call) -> bool:
    return not result.name or result.name == call.name


def _join(result: _Result, call: _Call) -> None:
    call.is_answered = True
    result.message["toolCallId"] = call.wire["id"]


def _text_of(value: Any) -> str:
    return "" if value is None else str(value)
