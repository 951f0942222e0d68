"""Sliding window. Source: the sliding window page of the API guide."""

from __future__ import annotations

from clova_studio.types._base import Result
from clova_studio.types.chat import Message

__all__ = ["SlidingWindow"]


class SlidingWindow(Result):
    """The messages that fit into the context of a chat. Source: the sliding window page of the API guide.

    Attributes:
        messages: The messages that are left, in order. The oldest turns after the system message are dropped first.
    """

    messages: list[Message]
