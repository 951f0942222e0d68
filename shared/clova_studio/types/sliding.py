"""Sliding window. Source: the sliding window page of the API guide."""

from __future__ import annotations

from clova_studio.types._base import Result
from clova_studio.types.chat import Message

__all__ = ["SlidingWindow"]


class SlidingWindow(Result):
    """The messages that fit into the context of a chat. Source: the sliding window page of the API guide.

    Attributes:
        messages: What is left, in order; the oldest turns after the system message went first.
    """

    messages: list[Message]
