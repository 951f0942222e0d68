"""Rate limits: the requests and tokens that a key may use per window, and the headers that report them.

Source: the rate-limit page of the user guide (QPM and TPM per model, whichever is reached first; tokens are the input
plus the requested maximum output) and the headers that public clients recorded. How the service counts is not recorded;
by default the window is the minute that starts with the first request. Refused requests do not count.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Literal

Limits = Mapping[str, tuple[int | None, int | None]]
"""Model or tool (``*`` for all others) -> (requests per window, tokens per window); None means no limit."""


Counting = Literal["sliding", "fixed", "aligned", "bucket"]
"""How requests are counted: within the last window, in one that starts with a request or with the clock's, or by what
refills all the time."""

COUNTINGS: tuple[Counting, ...] = ("sliding", "fixed", "aligned", "bucket")
_ROUNDING = 1e-6


class _Used:
    """What one quota has used of its requests or its tokens."""

    def __init__(self, counting: Counting, length: float, most: int) -> None:
        self.most = most
        self._counting = counting
        self._length = length
        self._spent = 0.0
        self._since = -math.inf
        self._parts: deque[tuple[float, int]] = deque()

    def tick(self, now: float) -> None:
        """Forget what no longer counts."""
        if self._counting == "bucket":
            if self._since > -math.inf:
                self._spent = max(0.0, self._spent - (now - self._since) * self.most / self._length)
            self._since = now
        elif self._counting == "sliding":
            while self._parts and self._parts[0][0] + self._length <= now:
                self._spent -= self._parts.popleft()[1]
        elif now >= self._since + self._length:
            self._since = now if self._counting == "fixed" else now // self._length * self._length
            self._spent = 0.0

    def takes(self, amount: int) -> bool:
        """Return whether there is room."""
        return self._spent + amount <= self.most + _ROUNDING

    def add(self, now: float, amount: int) -> None:
        """Count a request."""
        self._spent += amount
        if self._counting == "sliding":
            self._parts.append((now, amount))

    @property
    def remaining(self) -> int:
        """What is left."""
        return max(0, int(self.most - self._spent + _ROUNDING))

    def reset(self, now: float) -> float:
        """Return the seconds until the window ends; of those without an end, until there is more."""
        if self._counting == "bucket":
            return max(0.0, self._spent + 1 - self.most) * self._length / self.most
        if self._counting == "sliding":
            return self._parts[0][0] + self._length - now if self._parts else 0.0
        return self._since + self._length - now


@dataclass(frozen=True)
class Verdict:
    """Whether a request is within the quota, and the headers of its answer."""

    allowed: bool
    headers: dict[str, str]


def as_reset(seconds: float) -> str:
    """Write a waiting time as the service does: ``42s``, ``2.5s`` or ``600ms``; rounded up."""
    if seconds <= 0:
        return "0s"
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    tenths = math.ceil(seconds * 10) / 10
    if tenths >= 10:  # noqa: PLR2004 - whole seconds from ten on, as in the recorded headers
        return f"{math.ceil(seconds)}s"
    return f"{tenths:g}s"


class Windows:
    """The quotas of all keys and models of one server."""

    def __init__(
        self,
        limits: Limits | None,
        window: float,
        clock: Callable[[], float] = monotonic,
        counting: Counting = "fixed",
    ) -> None:
        self._limits = dict(limits or {})
        self._length = window
        self._clock = clock
        self._counting: Counting = counting
        self._windows: dict[tuple[str, str], dict[str, _Used]] = {}
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Forget the usage."""
        with self._lock:
            self._windows.clear()

    def charge(self, key: str, model: str, tokens: int) -> Verdict | None:
        """Charge a request to the quota of a model or tool; None when that has no limit.

        The tokens are those of the input plus the requested maximum output.
        """
        limits = self._limits.get(model, self._limits.get("*"))
        if limits is None:
            return None
        costs = {"requests": 1, "tokens": tokens}
        with self._lock:
            now = self._clock()
            used = self._windows.get((key, model))
            if used is None:
                used = self._windows[key, model] = {
                    name: _Used(self._counting, self._length, most)
                    for name, most in zip(costs, limits, strict=True)
                    if most is not None
                }
            for count in used.values():
                count.tick(now)
            allowed = all(count.takes(costs[name]) for name, count in used.items())
            headers: dict[str, str] = {}
            for name, count in used.items():
                if allowed:
                    count.add(now, costs[name])
                headers[f"x-ratelimit-limit-{name}"] = str(count.most)
                headers[f"x-ratelimit-remaining-{name}"] = str(count.remaining)
                headers[f"x-ratelimit-reset-{name}"] = as_reset(count.reset(now))
            return Verdict(allowed, headers)
