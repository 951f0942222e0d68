"""A service that counts requests and tokens in one of four ways, and says so in one of four.

It is written from the field notes alone, and shares nothing with the client or the emulator.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

from clova_studio import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTINGS = ("sliding", "fixed", "aligned", "bucket")
HEADERS = ("none", "reset", "rounded", "every")
"""None; the reset with a refusal; that in whole seconds, rounded up; resets, remaining and limits with every answer."""


class Count:
    """What one scarce thing has used, in one way of counting."""

    def __init__(self, counting: str, limit: int, window: float, phase: float) -> None:
        self.limit = limit
        self._counting = counting
        self._window = window
        self._start = phase - window if counting == "aligned" else -math.inf
        self._used: deque[tuple[float, int]] = deque()
        self._sum = 0.0
        self._time = -math.inf

    def tick(self, now: float) -> None:
        """Forget what no longer counts."""
        window = self._window
        if self._counting == "bucket":
            self._sum = max(0.0, self._sum - (now - self._time) * self.limit / window) if self._used else 0.0
            self._time = now
        elif self._counting == "sliding":
            while self._used and self._used[0][0] + window <= now:
                self._sum -= self._used.popleft()[1]
        elif self._counting == "aligned":
            if now >= self._start + window:
                self._start += (now - self._start) // window * window
                self._sum = 0
        elif now >= self._start + window:
            self._start, self._sum = math.inf, 0

    def fits(self, cost: int) -> bool:
        """Return whether there is room."""
        return self._sum + cost <= self.limit + 1e-6

    def add(self, now: float, cost: int) -> None:
        """Use something up."""
        if self._start == math.inf:
            self._start = now
        self._used.append((now, cost))
        self._sum += cost
        if self._counting != "sliding":
            self._used = deque([(now, cost)])

    @property
    def remaining(self) -> int:
        """What is left now."""
        return max(0, int(self.limit - self._sum + 1e-6))

    def reset(self, now: float, cost: int) -> float:
        """Return the seconds until a request of this cost passes: of fixed and aligned windows, until they end."""
        if self._counting == "bucket":
            return max(0.0, self._sum + cost - self.limit) * self._window / self.limit
        if self._counting == "sliding":
            over, end = self._sum + cost - self.limit, now
            for time, used in self._used:
                if over <= 0:
                    break
                over -= used
                end = time + self._window
            return max(0.0, end - now)
        return 0.0 if self._start == math.inf else max(0.0, self._start + self._window - now)


class QuotaService:
    """The service: counts, refuses, and writes headers.

    Args:
        counting: One of ``COUNTINGS``.
        headers: One of ``HEADERS``.
        window: Seconds.
        requests: Requests per window.
        tokens: Tokens per window.
        phase: When an aligned window ends.
        stray: Whether a request is refused that the quota would take, by its number from 1.
        stray_reset: The reset that such a refusal names, None for no header.
    """

    def __init__(
        self,
        counting: str,
        headers: str,
        *,
        window: float,
        requests: int | None = None,
        tokens: int | None = None,
        phase: float = 0.0,
        stray: Callable[[int], bool] | None = None,
        stray_reset: float | None = None,
    ) -> None:
        self._headers = headers
        self._stray = stray
        self._stray_reset = stray_reset
        self._arrived = 0
        self._counts = {
            name: Count(counting, limit, window, phase)
            for name, limit in (("requests", requests), ("tokens", tokens))
            if limit is not None
        }
        self.passed: list[tuple[float, int, object]] = []
        self.refused: list[tuple[float, object]] = []

    def arrive(self, now: float, tokens: int, who: object) -> tuple[bool, RateLimit | None, float | None]:
        """Count a request or refuse it; return that, what the headers say, and the wait that follows from them."""
        self._arrived += 1
        if self._stray is not None and self._stray(self._arrived):
            self.refused.append((now, who))
            reset = self._stray_reset
            return False, None if reset is None else RateLimit(reset_requests=reset), reset
        costs = {"requests": 1, "tokens": tokens}
        for count in self._counts.values():
            count.tick(now)
        short = [name for name, count in self._counts.items() if not count.fits(costs[name])]
        if not short:
            for name, count in self._counts.items():
                count.add(now, costs[name])
            self.passed.append((now, tokens, who))
        else:
            self.refused.append((now, who))
        if self._headers == "none" or (self._headers != "every" and not short):
            return not short, None, None
        found: dict[str, Any] = {}
        for name, count in self._counts.items():
            reset = count.reset(now, costs[name])
            found[f"reset_{name}"] = float(math.ceil(reset)) if self._headers == "rounded" else _written(reset)
            if self._headers == "every":
                found[f"limit_{name}"] = count.limit
                found[f"remaining_{name}"] = count.remaining
        resets = [found[f"reset_{name}"] for name in short if found[f"reset_{name}"] > 0]
        return not short, RateLimit(**found), max(resets, default=None)


def _written(reset: float) -> float:
    """Return a reset as it is written, in milliseconds and rounded up."""
    return math.ceil(reset * 1000) / 1000
