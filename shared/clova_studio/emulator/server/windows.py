"""Rate limits: the requests and tokens that a key may use per window, and the headers that report them.

Source: the rate-limit page of the user guide (QPM and TPM per model, whichever is reached first; tokens are the input
plus the requested maximum output) and the headers that public clients recorded. How the service counts is not recorded;
by default the window is the minute that starts with the first request. Refused requests do not count.
"""

import difflib
import hashlib
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

from clova_studio.emulator.rules.catalogue import COMPLETION_MODELS, EMBEDDING_LIMITS, MODELS

Limits = Mapping[str, tuple[int | None, int | None]]
"""Model or tool (``*`` for all others) -> (requests per window, tokens per window); None means no limit."""


Counting = Literal["sliding", "fixed", "aligned", "bucket"]
"""How requests are counted: within the last window, in one that starts with a request or with the clock's, or by what
refills all the time."""

COUNTINGS: tuple[Counting, ...] = ("sliding", "fixed", "aligned", "bucket")
OTHERS = "*"
TOOLS = (
    *("segmentation", "summarization", "sliding", "reranker", "rag-reasoning", "skill-trainer", "tuning"),
    *("chat-tokenize", "embedding-tokenize", "tokenize"),
)
"""Names of the tools that have a quota."""

QUOTA_NAMES = (*MODELS, *EMBEDDING_LIMITS, *COMPLETION_MODELS, *TOOLS, OTHERS)
LARGEST_LIMIT = 10**15
_ROUNDING = 1e-6
# Bounds of what is remembered: accounts with a model, and requests of one sliding window.
_MOST_WINDOWS = 1_024
_MOST_PARTS = 4_096


def check_quota_name(name: str) -> str:
    """Check the name of a quota; a ValueError says which there are."""
    if name not in QUOTA_NAMES:
        near = difflib.get_close_matches(str(name).upper(), QUOTA_NAMES, 1)
        near = near or difflib.get_close_matches(str(name).lower(), QUOTA_NAMES, 1)
        guess = f"did you mean {near[0]}? " if near else ""
        known = ", ".join(QUOTA_NAMES)
        raise ValueError(
            f"is no model or tool: {guess}Known are {known} (all others). Tuned models count as their base"
        )
    return name


def check_limits(limits: Limits) -> Limits:
    """Check the limits of models and tools.

    Raises:
        ValueError: A name is unknown, or a limit is not a whole number of at least 0 or None.
    """
    for name, pair in limits.items():
        try:
            check_quota_name(name)
        except ValueError as error:
            raise ValueError(f"rate_limits: {name!r} {error}") from None
        if not isinstance(pair, list | tuple) or len(pair) != len(_COSTS):
            raise ValueError(f"rate_limits: {name} needs a pair of requests and tokens, not {pair!r}")
        for what, most in zip(_COSTS, pair, strict=True):
            if most is not None and (type(most) is not int or not 0 <= most <= LARGEST_LIMIT):
                rule = "a whole number of at least 0, or None for no limit"
                raise ValueError(f"rate_limits: the {what} of {name} must be {rule}, not {most!r}")
    return limits


def check_window(window: float) -> float:
    """Check the length of a window; a ValueError says what is wrong."""
    if not isinstance(window, int | float) or not 0 < window < math.inf:
        raise ValueError(f"window must be a number of seconds above 0, not {window!r}")
    return window


def check_counting(counting: str) -> Counting:
    """Check the way of counting; a ValueError says what is wrong."""
    for way in COUNTINGS:
        if way == counting:
            return way
    raise ValueError(f"counting must be one of {', '.join(COUNTINGS)}, not {counting!r}")


_COSTS = ("requests", "tokens")


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
        if self._counting != "sliding" or not amount:
            return
        if len(self._parts) >= _MOST_PARTS and now - self._parts[-1][0] < self._length / _MOST_PARTS:
            since, before = self._parts[-1]  # so close to the last one that they count as one
            self._parts[-1] = (since, before + amount)
        else:
            self._parts.append((now, amount))

    def view(self, now: float) -> dict[str, Any]:
        """Limit, what is used and left, and the seconds until the reset; starts no window."""
        if self._counting == "fixed" and now >= self._since + self._length:
            return {"limit": self.most, "used": 0, "remaining": self.most, "reset_seconds": 0.0}
        self.tick(now)
        used = max(0, math.ceil(self._spent - _ROUNDING))
        reset = round(max(0.0, self.reset(now)), 3)
        return {"limit": self.most, "used": used, "remaining": self.remaining, "reset_seconds": reset}

    @property
    def remaining(self) -> int:
        """What is left."""
        return max(0, int(self.most - self._spent + _ROUNDING))

    def reset(self, now: float) -> float:
        """Return the seconds until the window ends; of those without an end, until there is more."""
        if self._counting == "bucket":
            # Of a quota of nothing there is never more; what is said then is the length of the window.
            return max(0.0, self._spent + 1 - self.most) * self._length / (self.most or 1)
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
        self._limits = dict(check_limits(limits or {}))
        self._length = check_window(window)
        self._clock = clock
        self._counting: Counting = check_counting(counting)
        # In the order of their last use.
        self._windows: dict[tuple[str, str], dict[str, _Used]] = {}
        self._lock = threading.Lock()

    @property
    def limits(self) -> Limits:
        """The limits of models and tools."""
        return dict(self._limits)

    @property
    def window(self) -> float:
        """The length of a window in seconds."""
        return self._length

    @property
    def counting(self) -> Counting:
        """How a window counts."""
        return self._counting

    def configure(
        self, limits: Limits | None = None, window: float | None = None, counting: Counting | None = None
    ) -> None:
        """Change what is given, and forget the usage; a ValueError says what is wrong, and then nothing changes."""
        new = self._limits if limits is None else dict(check_limits(limits))
        length = self._length if window is None else check_window(window)
        way = self._counting if counting is None else check_counting(counting)
        with self._lock:
            self._limits, self._length, self._counting = new, length, way
            self._windows.clear()

    def reset(self) -> None:
        """Forget the usage."""
        with self._lock:
            self._windows.clear()

    def charge(self, key: str, model: str, tokens: int) -> Verdict | None:
        """Charge a request to the quota of a model or tool; None when that has no limit.

        The tokens are those of the input plus the requested maximum output.
        """
        if self._limits.get(model, self._limits.get(OTHERS)) is None:
            return None
        costs = {"requests": 1, "tokens": tokens}
        account = account_of(key)
        with self._lock:
            limits = self._limits.get(model, self._limits.get(OTHERS))
            if limits is None:  # it was taken away a moment ago
                return None
            now = self._clock()
            used = self._windows.pop((account, model), None)
            if used is None:
                used = {
                    name: _Used(self._counting, self._length, most)
                    for name, most in zip(costs, limits, strict=True)
                    if most is not None
                }
                if len(self._windows) >= _MOST_WINDOWS:  # the one whose last request is longest ago
                    del self._windows[next(iter(self._windows))]
            self._windows[account, model] = used
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

    def usage(self) -> list[dict[str, Any]]:
        """What each account has used of the quota of each model or tool, in the order of the last use.

        Each has ``account`` (a digest of its key), ``name``, and those of ``requests`` and ``tokens`` that are limited,
        with ``limit``, ``used``, ``remaining`` and ``reset_seconds``.
        """
        with self._lock:
            now = self._clock()
            return [
                {"account": account, "name": model} | {name: count.view(now) for name, count in used.items()}
                for (account, model), used in self._windows.items()
            ]


def account_of(key: str) -> str:
    """What stands for a key where none is kept: sixteen digits of its digest."""
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
