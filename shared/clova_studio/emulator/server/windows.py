"""Rate limits: the requests and tokens that a key may use per window, and the headers that report them.

Source: the rate-limit page of the user guide (QPM and TPM per model, whichever is reached first; tokens are the input
plus the requested maximum output) and the headers that public clients recorded. The window is the minute that starts
with the first request, as the recorded pattern of 429 answers suggests. Refused requests do not count.
"""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

Limits = Mapping[str, tuple[int | None, int | None]]
"""Model or tool (``*`` for all others) -> (requests per window, tokens per window); None means no limit."""


@dataclass
class _Window:
    start: float
    requests: int = 0
    tokens: int = 0


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

    def __init__(self, limits: Limits | None, window: float, clock: Callable[[], float] = monotonic) -> None:
        self._limits = dict(limits or {})
        self._length = window
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
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
        most_requests, most_tokens = limits
        with self._lock:
            now = self._clock()
            used = self._windows.get((key, model))
            if used is None or now - used.start >= self._length:
                used = self._windows[key, model] = _Window(now)
            allowed = (most_requests is None or used.requests < most_requests) and (
                most_tokens is None or used.tokens + tokens <= most_tokens
            )
            if allowed:
                used.requests += 1
                used.tokens += tokens
            reset = as_reset(used.start + self._length - now)
            headers: dict[str, str] = {}
            for name, most, spent in (("requests", most_requests, used.requests), ("tokens", most_tokens, used.tokens)):
                if most is not None:
                    headers[f"x-ratelimit-limit-{name}"] = str(most)
                    headers[f"x-ratelimit-remaining-{name}"] = str(max(0, most - spent))
                    headers[f"x-ratelimit-reset-{name}"] = reset
            return Verdict(allowed, headers)
