"""The sliding window over the messages of a framework: which of them the service kept. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clova_studio._errors import InvalidResponseError
from clova_studio._requests.messages import ClovaMessage, ClovaMessages, where_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from clova_studio.types import Message

__all__ = ["SlidingMessages"]

M = TypeVar("M")


class SlidingMessages(Generic[M]):
    """The messages of a chat, and those of them that are sent to the sliding window.

    Blank messages, which the service refuses, are not sent; they are kept or dropped with the message before them.

    Args:
        messages: The framework's messages, in order.
        wire_of: Returns a message in the wire's form, from its index and itself.

    Attributes:
        messages: The given messages.
        wire: What is sent: role and content alone.
    """

    def __init__(self, messages: Sequence[M], wire_of: Callable[[int, M], Iterable[Mapping[str, Any]]]) -> None:
        self.messages = list(messages)
        self.wire = ClovaMessages()
        self._indices: list[int] = []
        for i, message in enumerate(self.messages):
            # One at a time, so that system messages are not joined.
            for wire in wire_of(i, message):
                if wire["content"].strip():
                    self.wire.append(ClovaMessage(where_of(wire, i), role=wire["role"], content=wire["content"]))
                    self._indices.append(i)

    def kept(self, answer: Sequence[Message]) -> list[M]:
        """Return the messages that the service kept, as the same objects in the same order.

        They are matched from the end, since the oldest are dropped first: of two equal messages the newer one is kept.

        Args:
            answer: The service's answer to ``wire``.

        Raises:
            InvalidResponseError: The answer has a message that was not sent.
        """
        kept: set[int] = set()
        position = len(self.wire)
        for left in reversed(answer):
            while True:
                position -= 1
                if position < 0:
                    raise InvalidResponseError("the sliding window returned a message that was not sent to it")
                sent = self.wire[position]
                if sent["role"] == left.role and sent["content"].strip() == left.content.strip():
                    break
            kept.add(self._indices[position])
        sent_indices = set(self._indices)
        is_kept = True
        result: list[M] = []
        for i, message in enumerate(self.messages):
            if i in sent_indices:
                is_kept = i in kept
            if is_kept:
                result.append(message)
        return result
