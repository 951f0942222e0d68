"""Warnings that a component gives once."""

from __future__ import annotations

import warnings

__all__ = ["WarnOnce"]


class WarnOnce:
    """Gives each warning of a component once. All are equal, so that warnings do not affect a component's equality."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WarnOnce)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def warn(self, topic: str, message: str) -> None:
        """Warn, unless this component has already warned about the topic.

        Args:
            topic: What the warning is about.
            message: The warning.
        """
        if topic not in self._given:
            self._given.add(topic)
            warnings.warn(message, stacklevel=3)
