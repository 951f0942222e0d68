"""What a quota's own requests have used of its window. No I/O and no clock: callers pass the time."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio._rate_limits.permits import Permit

__all__ = ["Usage"]

# How far the arrival of a request at the service may lie after its sending, if its answer is not there earlier: so many
# seconds, but no more of a short window and no less of a long one than these shares.
_ARRIVAL = 1.0
_MOST_ARRIVAL = 0.1
_LEAST_ARRIVAL = 0.02
# Share of a window by which a permit counts longer, so that clocks may differ.
_MARGIN = 0.005
_ROUNDING = 1e-9


class Usage:
    """The granted permits of the last window, which count, and of the one before, which explain refusals.

    Attributes:
        window: Seconds in which the service counts.
        counting: Permits that count, in the order of sending.
        freed: How many have stopped counting so far.
    """

    def __init__(self, window: float) -> None:
        self.window = window
        self.counting: deque[Permit] = deque()
        self.freed = 0
        self._expired: deque[Permit] = deque()

    @property
    def held(self) -> float:
        """Seconds for which a permit counts."""
        return self.window * (1 + _MARGIN)

    @property
    def arrival(self) -> float:
        """Seconds after its sending within which a request arrives at the service."""
        return max(self.window * _LEAST_ARRIVAL, min(_ARRIVAL, self.window * _MOST_ARRIVAL))

    def tick(self, now: float) -> None:
        """Retire the permits whose window is over."""
        while self.counting and self.end(self.counting[0]) <= now:
            self._expired.append(self.counting.popleft())
            self.freed += 1
        held = self.held
        while self._expired and self._expired[0].time + 2 * held <= now:
            self._expired.popleft()

    def end(self, permit: Permit) -> float:
        """Return when a permit stops counting: while its request is in flight it may not have arrived yet."""
        return permit.time + self.held + (self.arrival if permit.in_flight else 0.0)

    def freed_at_most(self, now: float) -> int:
        """Return how many may have stopped counting so far, without the margin for clocks and networks."""
        return self.freed + sum(
            1 for _ in itertools.takewhile(lambda one: one.sent + self.window <= now, self.counting)
        )

    def remove(self, permit: Permit) -> None:
        """Take back the permit of a request that was refused."""
        for permits in (self.counting, self._expired):
            if permit in permits:
                permits.remove(permit)
                return

    def in_flight(self) -> int:
        """Return how many requests are in flight; one that is not answered within a window may never be."""
        return sum(permit.in_flight for permit in self.counting)

    def frees(self, amount: float, cost: Callable[[Permit], float]) -> float:
        """Return when so much of what counts will have stopped counting.

        Args:
            amount: Requests or tokens; where that is more than everything, the time when nothing counts.
            cost: Returns what a permit has of it.
        """
        latest = float("-inf")
        for permit in self.counting:
            amount -= cost(permit)
            # Permits expire in the order of sending, so each counts at least as long as those before it.
            latest = max(latest, self.end(permit))
            if amount <= _ROUNDING:
                break
        return latest

    def through(self, refused: Permit, now: float) -> Iterator[Permit]:
        """Yield the permits that were let through in the window of a refusal.

        When it was refused, between sending and answer, is not known; what is still in flight counts as let through
        until it is refused as well, so that the last refusal of a burst gives the number.
        """
        first = refused.sent - self.window
        last = min(now, refused.sent + self.window / 2)
        for permit in itertools.chain(self._expired, self.counting):
            if first < min(permit.time, now) <= last:
                yield permit
