"""Where a forced tool choice is refused, remembered for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RefusedForce", "Target"]

Target: TypeAlias = tuple[str | None, str]
"""Where requests go, and the model."""

_ENOUGH = 2
_MOST_TARGETS = 1_000


class RefusedForce:
    """Targets that answer a forced tool choice with 40009 and accept the same request without force.

    One 40009 says nothing lasting about a model: long declarations are refused with it too, and the same request can
    pass later (observed). So two refusals are needed, no force may have been accepted between them, and what they say
    has an end: then force is tried again. The newest 1,000 targets are remembered.

    Args:
        lasts: Seconds that a refusal counts.
        clock: Returns the time in seconds.
    """

    def __init__(self, *, lasts: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._lasts = lasts
        self._clock = clock
        # Replaced whole, never changed: threads may ask while one of them writes.
        self._refused: dict[Target, tuple[float, ...]] = {}

    def is_known(self, target: Target) -> bool:
        """Return whether force is not worth a request there.

        Args:
            target: The target.
        """
        return len(self._recent(target)) >= _ENOUGH

    def refused(self, target: Target) -> bool:
        """Take a refusal, after which the same request without force was accepted.

        Args:
            target: The target.

        Returns:
            Whether it is the one from which on the target is known.
        """
        before = self._recent(target)
        self._refused.pop(target, None)  # the newest stand last
        while len(self._refused) >= _MOST_TARGETS:
            self._refused.pop(next(iter(list(self._refused))), None)
        self._refused[target] = (*before, self._clock())[-_ENOUGH:]
        return len(before) == _ENOUGH - 1

    def accepted(self, target: Target) -> None:
        """Take a forced choice that was accepted: what was refused before had other reasons.

        Args:
            target: The target.
        """
        self._refused.pop(target, None)

    def clear(self) -> None:
        """Forget everything."""
        self._refused.clear()

    def _recent(self, target: Target) -> tuple[float, ...]:
        start = self._clock() - self._lasts
        return tuple(when for when in self._refused.get(target, ()) if when > start)
