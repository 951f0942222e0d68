"""Whether refusals come from a quota at all. No I/O and no clock: callers pass the time."""

from __future__ import annotations

from collections import deque

__all__ = ["FEW", "Doubt"]

FEW = 10
"""Requests per window below which a bound that was inferred shows hardly anything."""

# Refusals in one window, without those of a burst, that no quota explains: a look that fails puts the next one off, so
# a quota refuses a few times at most. The longer each closes, the fewer fit in a window.
_MANY, _FEWEST = 10, 4
_CLOSED_SHARE = 0.4
_MANY_WITHOUT_RESET = 3
# Requests that got through for each of them: a quota that is used up lets hardly any through.
_THROUGH = 2
# Of a window: two openings that are closer to each other are not two windows.
_APART = 0.9
# What a contradiction adds, how much there can be, and what an opening without one takes away is 1.
_MORE, _MOST = 2, 4


class Doubt:
    """What contradicts that refusals come from a quota.

    A window opens once, and a bucket as fast as it refills. So two openings within one window after each of which much
    more got through are a contradiction, and so are many refusals in a window with requests that got through between
    them. As long as there is doubt, what was inferred from refusals bounds nothing.
    """

    __slots__ = ("_contradictions", "_opened", "_refusals", "_scattered")

    def __init__(self) -> None:
        self._contradictions = 0
        self._scattered = False
        self._opened = float("-inf")
        self._refusals: deque[float] = deque()

    def __bool__(self) -> bool:
        return self._scattered or self._contradictions > 0

    def refused(self, now: float, *, closing: float, window: float, through: int, few: bool, reset_known: bool) -> None:
        """Take the first refusal of a burst.

        Args:
            now: The time.
            closing: Seconds for which the quota is closed.
            window: Seconds of a window.
            through: Requests that got through in the last window.
            few: Whether hardly any are known to fit.
            reset_known: Whether the service said when it opens.
        """
        while self._refusals and self._refusals[0] <= now - window:
            self._refusals.popleft()
        self._refusals.append(now)
        many = float(_MANY)
        if reset_known and closing > 0:
            many = min(many, max(_FEWEST, _CLOSED_SHARE * window / closing))
        elif few and not reset_known:
            many = _MANY_WITHOUT_RESET
        count = len(self._refusals)
        self._scattered = count >= (many / 2 if self._scattered else many) and through >= count * _THROUGH

    def opened(self, now: float, window: float) -> None:
        """Take that much more got through after an opening than a refill explains."""
        if now - self._opened < _APART * window:
            self._contradictions = min(self._contradictions + _MORE, _MOST)
        else:
            self.opened_in_vain()
        self._opened = now

    def opened_in_vain(self) -> None:
        """Take that hardly anything got through after an opening, as quotas do."""
        self._contradictions = max(0, self._contradictions - 1)
