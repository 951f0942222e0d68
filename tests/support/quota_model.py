"""The service as the reference describes it, for the state machine: what it counts in a window, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from clova_studio import RateLimit


@dataclass(frozen=True)
class Cost:
    """What a request costs; the estimate is exact."""

    text: int
    output: int

    def input_tokens(self) -> int:
        return self.text

    def output_tokens(self) -> int:
        return self.output

    @property
    def tokens(self) -> int:
        """What the service charges."""
        return self.text + self.output


@dataclass
class Service:
    """Requests and tokens per window. The window starts with the first request, or slides; refusing uses nothing up."""

    window: float
    requests: int | None
    tokens: int | None
    sliding: bool
    headers: bool
    counted: list[tuple[float, int]] = field(default_factory=list)
    start: float = -math.inf

    def arrive(self, now: float, tokens: int) -> bool:
        """Count a request and return True, or refuse it."""
        if self.sliding:
            self.counted = [(time, cost) for time, cost in self.counted if time + self.window > now]
        elif now >= self.start + self.window:
            self.start, self.counted = now, []
        if self.requests is not None and len(self.counted) >= self.requests:
            return False
        if self.tokens is not None and sum(cost for _, cost in self.counted) + tokens > self.tokens:
            return False
        self.counted.append((now, tokens))
        return True

    def reported(self, now: float) -> RateLimit | None:
        """Return what the headers of an answer say; resets are rounded up, as the service does."""
        if not self.headers:
            return None
        first = self.counted[0][0] if self.sliding and self.counted else self.start
        reset = math.ceil(max(0.0, first + self.window - now) * 1000) / 1000
        return RateLimit(
            limit_requests=self.requests,
            limit_tokens=self.tokens,
            reset_requests=None if self.requests is None else reset,
            reset_tokens=None if self.tokens is None else reset,
        )
