"""How far a run is, on stderr: a bar on a terminal where tqdm is installed, else a line now and then."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from clova_studio._cli._terminal import is_terminal, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio import QuotaStatus

__all__ = ["Progress"]

_LINE_SECONDS = 30.0
_BAR_SECONDS = 0.5
_RATE_SECONDS = 60.0


class Progress:
    """Counts texts and shows rate, share of the quota in use, and the time left. As a context it ends its line.

    Args:
        total: Texts in all.
        done: How many of them are done.
        quota: Returns the state of the quota.
        quiet: Whether nothing is shown.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self,
        total: int,
        done: int,
        quota: Callable[[], QuotaStatus],
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._done = done
        self._quota = quota
        self._quiet = quiet
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque([(clock(), done)])
        self._shown = clock()
        self._bar: Any = None
        if not quiet and total > done and is_terminal(sys.stderr):
            self._bar = _bar(total, done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.n = self._done
            self._bar.close()

    def add(self) -> None:
        """Count a text."""
        self._done += 1
        now = self._clock()
        if now - self._seen[-1][0] >= 1:
            self._seen.append((now, self._done))

    async def keep_showing(self) -> None:
        """Show the state now and then, also while nothing happens, until it is cancelled."""
        while True:
            await asyncio.sleep(_BAR_SECONDS)
            self.show()

    def show(self) -> None:
        """Show the state, if it is time to."""
        now = self._clock()
        if self._quiet or now - self._shown < (_LINE_SECONDS if self._bar is None else _BAR_SECONDS):
            return
        self._shown = now
        if self._bar is None:
            note(f"{self._done:,} of {self._total:,} texts, {self.facts()}")
        else:
            self._bar.n = self._done
            self._bar.set_postfix_str(self.facts(), refresh=True)

    def facts(self) -> str:
        """Return rate, share of the quota and time left in words; while the quota is used up, until when."""
        now = self._clock()
        while len(self._seen) > 1 and now - self._seen[0][0] > _RATE_SECONDS:
            self._seen.popleft()
        then, count = self._seen[0]
        per_second = (self._done - count) / max(now - then, 0.001)
        words = [f"{per_second * 60:,.0f} per minute"]
        status = self._quota()
        if status.closed_for >= 1:
            words.append(f"the quota opens in {_span(status.closed_for)}")
        elif (share := _share(status)) is not None:
            words.append(f"{share:.0%} of the quota")
        if per_second > 0:
            words.append(f"{_span((self._total - self._done) / per_second)} left")
        return ", ".join(words)


def _share(status: QuotaStatus) -> float | None:
    """Return how much of the window is used, of requests or tokens, None where no limit is known."""
    pairs = (
        (status.limit_requests, status.remaining_requests),
        (status.limit_tokens, status.remaining_tokens),
    )
    shares = [1 - left / limit for limit, left in pairs if limit and left is not None]
    return max(shares) if shares else None


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:  # noqa: PLR2004  two days
        return f"{hours / 24:.1f} days"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _bar(total: int, done: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    form = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
    return tqdm(total=total, initial=done, unit="text", file=sys.stderr, bar_format=form, dynamic_ncols=True)
