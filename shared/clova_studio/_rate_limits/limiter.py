"""One rate limiter per quota: which request may be sent, and when. No I/O and no clock: callers pass the time.

An attempt asks for a permit, waits until its turn and the quota allow it, and then counts for a window from its arrival
at the service, which lies between sending and the answer. So no window holds more requests than the limit, whether the
service's windows slide or start with a request.

* A refusal closes the quota for everybody until its reset and takes its permit back: a refused request uses up nothing.
  A reset says when one request may pass, not that the window is empty: what was sent goes on counting.
* From then on, what got through in the window of the refusal bounds the next ones, and so do the limits that headers
  reported (``Bound``). Given limits hold from the start, and so does what headers say is left.
* What was inferred is a guess: after each closing one request looks whether more gets through, and where far more does
  than a quota lets through, the guess bounds nothing (``Reopening``, ``Doubt``).
* After a refusal fewer requests are in flight at once: half of them, and one more after each that got through, until
  there are as many as before.
* First come, first served, by the arrival of the call: a retry comes before calls that arrived later. A permit that is
  next and does not ask in time (its event loop has stopped) is passed over, so that no one waits without end.
"""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from clova_studio._errors import ConfigurationError
from clova_studio._rate_limits.budget import LONGEST_CLOSING, Budget
from clova_studio._rate_limits.permits import Permit, Wait
from clova_studio._rate_limits.status import QuotaStatus

if TYPE_CHECKING:
    from clova_studio._rate_limits.permits import Charge
    from clova_studio._rate_limits.settings import Limit
    from clova_studio._rate_limits.stores.address import StoreAddress
    from clova_studio._rate_limits.stores.interface import QuotaStore
    from clova_studio.types._base import RateLimit

__all__ = ["RateLimiter", "next_order"]

# Seconds after which a permit that is next and does not ask is passed over; the others ask that often.
_PATIENCE = 1.0

next_order = itertools.count().__next__
"""Returns the order of a new call."""


class RateLimiter:
    """Decides when the requests of one quota may be sent. Safe to use from any thread.

    Args:
        name: The model or tool.
    """

    # Where processes share the quota, if they do; whether calls fail while that does not answer; and whether another
    # limiter has taken the place of this one.
    store: StoreAddress | QuotaStore | None = None
    raises = retired = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._budget = Budget()
        self._window_given = False
        # Re-entrant: a dropped stream returns its permit from wherever Python collects it.
        self._lock = threading.RLock()
        self._now = float("-inf")
        self._closed_until = float("-inf")
        self._queue: list[Permit] = []
        self._in_flight = 0
        # Requests that may be in flight at once after a refusal (None: any number), and how many there were before.
        self._most: int | None = None
        self._peak = 0
        self._halved = float("-inf")

    # Limits.

    @property
    def window(self) -> float:
        """Seconds in which the service counts."""
        return self._budget.usage.window

    @window.setter
    def window(self, seconds: float) -> None:
        self._budget.usage.window = seconds

    def give(self, limit: Limit, window: float) -> str | None:
        """Take the limits that a client was given, and the window that they are counted in.

        Returns:
            What to warn of: another limit was given before, and the stricter one holds.
        """
        with self._lock:
            clash = None
            for bound, value, what in zip(
                (self._budget.requests, self._budget.tokens), limit, ("requests", "tokens"), strict=True
            ):
                if value is None:
                    continue
                if bound.given is not None and bound.given != value:
                    clash = (
                        f"two limits were given for the quota of {self.name}: {bound.given:g} and {value} {what} per "
                        f"window; the smaller one holds"
                    )
                bound.given = value if bound.given is None else min(bound.given, value)
            if self._window_given and self.window != window:
                clash = clash or (
                    f"two windows were given for the quota of {self.name}: {self.window:g} and {window:g} s; the "
                    f"longer one holds"
                )
                window = max(window, self.window)
            self.window, self._window_given = window, True
            return clash

    def enter(self, now: float, charge: Charge, order: int | None = None) -> Permit:
        """Return a permit, granted already if nothing holds it back; else it waits in the queue.

        Args:
            now: The time.
            charge: What the request costs.
            order: The order of an earlier attempt's permit, None for a new call.

        Raises:
            ConfigurationError: The request alone has more tokens than a window.
        """
        with self._lock:
            now = self._tick(now)
            permit = Permit(next_order() if order is None else order, charge)
            self._refuse_the_impossible(permit)
            first = not self._queue or permit.order < self._queue[0].order
            if first and self._wait(permit, now) is None:
                self._grant(permit, now)
                return permit
            permit.due = now
            insort(self._queue, permit, key=lambda waiting: waiting.order)
            return permit

    def take(self, permit: Permit, now: float) -> Wait | None:
        """Return None if the permit is granted, else how long it has to wait."""
        with self._lock:
            if permit.granted:
                return None
            now = self._tick(now)
            index = self._index(permit)
            if any(ahead.due + _PATIENCE >= now for ahead in itertools.islice(self._queue, index)):
                least = self._least(index, permit, now)
                wait: Wait | None = Wait(least, max(least, _PATIENCE))
            else:
                wait = self._wait(permit, now)
            if wait is None:
                del self._queue[index]
                self._grant(permit, now)
                self._wake()
            else:
                permit.due = now + wait.nap
            return wait

    def leave(self, permit: Permit) -> None:
        """Give up a permit that still waits."""
        with self._lock:
            index = self._index(permit)
            if index < len(self._queue):
                del self._queue[index]
                self._wake()

    def land(self, permit: Permit, now: float, reported: RateLimit | None = None) -> None:
        """Note that the service has let a request through.

        Args:
            permit: The request's.
            now: The time.
            reported: What the headers said.
        """
        with self._lock:
            now = self._tick(now)
            if not self._end_flight(permit):
                return
            permit.time = max(permit.time, min(now, permit.sent + self._budget.usage.arrival))
            if reported is not None:
                self._budget.report(reported, permit, now)
            self._budget.landed(permit, now)
            if self._most is not None and permit.sent > self._halved:
                # An answer to what was sent before the refusal says nothing of what may be sent after it.
                self._most += 1
                if self._most >= self._peak:
                    self._most = None
            self._wake()

    def settle(self, permit: Permit, input_tokens: int) -> None:
        """Take the service's count of a request's input, which corrects later estimates."""
        with self._lock:
            if self._budget.settle(permit, input_tokens):
                self._wake()

    def drop(self, permit: Permit) -> None:
        """Note that a request ended in some other way: the service may or may not have counted it."""
        with self._lock:
            if self._end_flight(permit):
                permit.time = permit.sent + self._budget.usage.arrival  # as late as any other may have been counted
                self._budget.cost_in_tokens(permit)
                permit.let_go()
                self._wake()

    def refuse(
        self, permit: Permit, now: float, seconds: float, reported: RateLimit | None, *, reset_known: bool
    ) -> None:
        """Take a refusal: the quota closes for everybody.

        Args:
            permit: The refused request's.
            now: The time.
            seconds: How long the quota stays closed.
            reported: What the headers said.
            reset_known: Whether they said when the window ends.
        """
        with self._lock:
            now = self._tick(now)
            in_flight = self._in_flight
            self._end_flight(permit)
            self._budget.usage.remove(permit)
            self._budget.refused = True
            believed = 0 <= seconds <= LONGEST_CLOSING * self.window
            self._closed_until = max(self._closed_until, now + (seconds if believed else self.window))
            if reported is not None:
                self._budget.report(reported, permit, now)
            burst = permit.sent <= self._halved
            if not burst:
                # Once per burst: what was sent before the last halving says nothing new.
                self._peak = max(in_flight, self._peak if self._most is not None else 0)
                self._most = max(1, in_flight // 2)
                self._halved = now
            if not believed:
                self._most = 1
            closed = self._closed_until - now
            known = reset_known and believed
            if not self._budget.refuse(permit, now, closed, reported, burst=burst, reset_known=known) and not known:
                # One at a time looks for what there is.
                self._most = 1
            # The next in the queue may have to wait for less now.
            self._wake()

    def refresh(self, *, wait: bool) -> None:
        """Have what other processes do looked at, if it can be. Here it cannot."""

    def status(self, now: float) -> QuotaStatus:
        """Return what is known of the quota."""
        with self._lock:
            now = self._tick(now)
            requests, tokens = (bound.limit(refused=True) for bound in (self._budget.requests, self._budget.tokens))
            return QuotaStatus(
                name=self.name,
                limit_requests=None if requests is None else int(requests),
                limit_tokens=None if tokens is None else int(tokens),
                remaining_requests=None
                if requests is None
                else max(0, int(requests) - len(self._budget.usage.counting)),
                remaining_tokens=None if tokens is None else max(0, int(tokens - self._budget.charged())),
                source=self._budget.requests.source or self._budget.tokens.source,
                closed_for=max(0.0, self._closed_until - now),
                waiting=len(self._queue),
                in_flight=self._in_flight,
                window=self.window,
            )

    # What follows is called with the lock held.

    def _tick(self, now: float) -> float:
        """Return the time, which never runs backwards, and retire the permits whose window is over."""
        self._now = now = max(now, self._now)
        self._budget.usage.tick(now)
        return now

    def _refuse_the_impossible(self, permit: Permit) -> None:
        most = self._budget.tokens.given
        if most is None:
            return
        estimate, output = permit.input_tokens(), permit.output_tokens()
        if estimate + output > most:
            raise ConfigurationError(
                f"the request has about {estimate:,} tokens and asks for up to {output:,} more, but a window of "
                f"{self.name} has {most:,.0f}: shorten the input, lower max_tokens, or give other rate_limits"
            )

    def _index(self, permit: Permit) -> int:
        """Return a permit's index in the queue; the queue's length for one that is not there."""
        index = bisect_left(self._queue, permit.order, key=lambda waiting: waiting.order)
        while index < len(self._queue) and self._queue[index] is not permit:
            index += 1
        return index

    def _wait(self, permit: Permit, now: float) -> Wait | None:
        """Return how long the next permit has to wait, None if not at all."""
        least = max(self._closed_until, self._budget.opens(permit, now)) - now
        if least > 0:
            return Wait(least, least)
        if self._most is not None and self._budget.usage.in_flight() >= self._most:
            # How long that takes is not known: the one that lands wakes the next.
            return Wait(0.0, _PATIENCE)
        return None

    def _least(self, index: int, permit: Permit, now: float) -> float:
        """Return how long a permit with others before it has to wait at least."""
        least = self._closed_until - now
        held, counting = self._budget.usage.held, self._budget.usage.counting
        requests = self._budget.requests.hard(refused=self._budget.refused)
        if requests is not None:
            rounds, rest = divmod(len(counting) + index - int(requests), int(requests))
            if rounds >= 0:
                left = counting[rest].time + held - now if rest < len(counting) else 0.0
                least = max(least, rounds * held + max(0.0, left))
        tokens = self._budget.tokens.given
        if tokens is not None:
            ahead = sum(map(self._budget.cost_in_tokens, itertools.islice(self._queue, index)))
            windows = int((ahead + self._budget.cost_in_tokens(permit)) // tokens) - 1
            least = max(least, windows * held)
        return max(0.0, least)

    def _grant(self, permit: Permit, now: float) -> None:
        permit.grant(now)
        if permit.estimate is not None:
            self._budget.cost_in_tokens(permit)  # keeps them as they are estimated now
        self._budget.look(now)
        self._budget.usage.counting.append(permit)
        self._in_flight += 1
        self._budget.reopening.sent += 1

    def _end_flight(self, permit: Permit) -> bool:
        """Count a request out; return False for one that was counted out before."""
        if not permit.in_flight:
            return False
        permit.in_flight = False
        self._in_flight -= 1
        return True

    def _wake(self) -> None:
        for permit in self._queue:
            if permit.due + _PATIENCE >= self._now:
                if permit.wake is not None:
                    permit.wake()
                return
