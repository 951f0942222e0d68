"""Fragments of tool calls -> the calls that they seem to belong to. Pure.

The service's fragments have neither index nor id, others repeat or miss them: which call a fragment belongs to is a
guess. It is good enough to show how far an answer is, and for the one API that has nothing better.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clova_studio.types._json import parse_object

__all__ = ["CallFragments", "OpenedCall"]


@dataclass(slots=True)
class OpenedCall:
    """A call as far as it has arrived.

    Attributes:
        id: Its id, None as long as no fragment had one.
        name: The tool's name, None as long as no fragment had one.
        parts: The pieces of its arguments' JSON.
    """

    id: str | None = None
    name: str | None = None
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The pieces in the order of their arrival."""
        return "".join(self.parts)

    def is_complete(self) -> bool:
        """Return whether the pieces make a JSON object."""
        return bool(self.parts) and self.parts[-1].rstrip().endswith("}") and parse_object(self.text) is not None

    def whole_text(self) -> str:
        """Return the JSON text of a call that is complete; pieces that repeat what came before them count once."""
        text = self.text
        if len(self.parts) == 1 or parse_object(text) is not None:
            return text
        folded = ""
        for part in self.parts:
            folded = part if folded and part.startswith(folded) else folded + part
        return folded if parse_object(folded) is not None else text


class CallFragments:
    """The calls of one streamed answer, in the order in which they were opened."""

    __slots__ = ("_by_id", "_by_index", "calls")

    def __init__(self) -> None:
        self.calls: list[OpenedCall] = []
        self._by_id: dict[str, int] = {}
        self._by_index: dict[int, int] = {}

    def take(self, call_id: str | None, index: int | None, name: str | None, text: str) -> int:
        """Take a fragment.

        Args:
            call_id: The id in it; empty counts as None.
            index: The index in it.
            name: The tool's name in it; empty counts as None.
            text: Its piece of JSON.

        Returns:
            To which of the ``calls`` it belongs: an id opens a call or names a known one; without one, the index does,
            where there is one; what has neither belongs to the latest call.
        """
        place = self._place(call_id, index, name)
        if place is None:
            place = len(self.calls)
            self.calls.append(OpenedCall())
        if index is not None:
            self._by_index[index] = place
        if call_id:
            self._by_id[call_id] = place
        call = self.calls[place]
        call.id = call.id or call_id or None
        call.name = call.name or name or None
        if text:
            call.parts.append(text)
        return place

    def _place(self, call_id: str | None, index: int | None, name: str | None) -> int | None:
        """Return the call of a fragment, None for a new one."""
        if call_id and call_id in self._by_id:
            return self._by_id[call_id]
        candidate = len(self.calls) - 1 if index is None else self._by_index.get(index, -1)
        if candidate < 0:
            return None
        call = self.calls[candidate]
        if call_id and call.id is not None:
            return None
        if name and call.name is not None and (name != call.name or call.is_complete()):
            # Neither id nor index tells it apart, but it has another name, or begins where a call is complete.
            return None
        return candidate
