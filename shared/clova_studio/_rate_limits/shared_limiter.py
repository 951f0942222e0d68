"""A rate limiter whose permits come from a store that other processes ask, too.

Its calls wait in its own line, as without a store. A thread (``Coordinator``) asks for those in front, and tells the
store what became of requests. No call waits for it: what is to be told is noted, and who waits is woken. Its own
requests are counted here as well, so that it can go on alone at any time, with the share that it had lately.
"""

from __future__ import annotations

import threading
from bisect import insort
from dataclasses import replace
from typing import TYPE_CHECKING

from clova_studio._errors import APIConnectionError
from clova_studio._rate_limits.limiter import next_order
from clova_studio._rate_limits.permits import Permit, Wait
from clova_studio._rate_limits.shared_ledger import NAP, SharedLedger
from clova_studio._rate_limits.stores.operations import Drop, Land, Refuse, Settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clova_studio._rate_limits.coordinator import Coordinator
    from clova_studio._rate_limits.limiter import RateLimiter
    from clova_studio._rate_limits.permits import Charge
    from clova_studio._rate_limits.settings import Limit
    from clova_studio._rate_limits.shared_facts import Facts, Questions
    from clova_studio._rate_limits.status import QuotaStatus
    from clova_studio._rate_limits.stores.operations import Answer
    from clova_studio.types._base import RateLimit

__all__ = ["SharedRateLimiter"]

# Seconds that a status may wait for the store.
_STATUS = 0.25


class SharedRateLimiter(SharedLedger):
    """Decides when the requests of one quota may be sent, together with other processes. See ``SharedLedger``.

    Attributes:
        raises: Whether calls fail while the store does.
    """

    def __init__(self, name: str, quota: str, coordinator: Coordinator) -> None:
        super().__init__(name, quota, coordinator)
        self._status_wanted: list[threading.Event] = []

    def give(self, limit: Limit, window: float) -> str | None:
        """See ``RateLimiter.give``."""
        with self._lock:
            bounds = self._budget.requests, self._budget.tokens
            for bound, value in zip(bounds, self._limits, strict=True):
                bound.given = value
            clash = super().give(limit, window)
            self._limits = [bound.given for bound in bounds]
            if self._alone:
                self._keep_to_share()
            return clash

    def follow(self, before: RateLimiter) -> None:
        """Take the place of a limiter without a store: what it has sent counts, and the limits that it was given."""
        with before._lock, self._lock:  # noqa: SLF001  it is of the same kind
            budget = before._budget  # noqa: SLF001
            self._limits = [budget.requests.given, budget.tokens.given]
            self.window, self._window_given = before.window, before._window_given  # noqa: SLF001
            self._budget.usage.counting.extend(budget.usage.counting)
            before.retired = True
            # As after a time without the store.
            self._alone = True

    def enter(self, now: float, charge: Charge, order: int | None = None) -> Permit:
        """See ``RateLimiter.enter``. With a store nothing is granted at once.

        Raises:
            APIConnectionError: The store does not answer, and calls are to fail then.
            ConfigurationError: The request alone has more tokens than a window.
        """
        self._coordinator.check()
        if self._goes_alone(now):
            return super().enter(now, charge, order)
        permit = Permit(next_order() if order is None else order, charge)
        # Here and not in the thread that asks: a request may be large.
        permit.input_tokens()
        with self._lock:
            now = self._tick(now)
            self._refuse_the_impossible(permit)
            permit.due = now
            insort(self._queue, permit, key=lambda waiting: waiting.order)
            if not self._in_line:
                self._ask_by(now)
        return permit

    def take(self, permit: Permit, now: float) -> Wait | None:
        """See ``RateLimiter.take``.

        Raises:
            APIConnectionError: The store does not answer, and calls are to fail then.
        """
        self._coordinator.check()
        with self._lock:
            if permit.granted:
                if permit in self._unseen:
                    self._send(permit, now)
                return None
            try:
                alone = self._goes_alone(now)
            except APIConnectionError:
                self.leave(permit)
                raise
            if self._index(permit) == len(self._queue):
                # It was passed over after it had been granted.
                insort(self._queue, permit, key=lambda waiting: waiting.order)
            if alone:
                return super().take(permit, now)
            now = self._tick(now)
            unknown = not self._in_line
            nap = self._coordinator.patience if unknown else NAP
            permit.due = now + nap
            if not self._in_line:
                self._ask_by(now)
            least = max(0.0, self._opens - now)
            if self._settled_at < now:
                least = max(least, self._least(self._index(permit), permit, now))
            return Wait(least, nap, unknown)

    def leave(self, permit: Permit) -> None:
        """See ``RateLimiter.leave``. A permit that was granted and is not used goes back."""
        with self._lock:
            if permit in self._unseen:
                self._take_back(permit)
                self._wake()
            elif not permit.granted:
                if self._index(permit) == 0:
                    self._opens = float("-inf")
                super().leave(permit)
                if self._in_line:
                    self._ask_by(self._now)

    def land(self, permit: Permit, now: float, reported: RateLimit | None = None) -> None:
        """See ``RateLimiter.land``."""
        with self._lock:
            if permit.in_flight and not self._alone and permit.shared_id is not None:
                arrived = max(permit.time, min(now, permit.sent + self._budget.usage.arrival))
                self._note(now, Land(permit.shared_id, permit.sent, arrived, reported))
            super().land(permit, now, reported)

    def settle(self, permit: Permit, input_tokens: int) -> None:
        """See ``RateLimiter.settle``."""
        with self._lock:
            if not self._alone and permit.shared_id is not None:
                self._note(self._now, Settle(permit.shared_id, input_tokens))
            super().settle(permit, input_tokens)

    def drop(self, permit: Permit) -> None:
        """See ``RateLimiter.drop``."""
        with self._lock:
            if permit.in_flight and not self._alone and permit.shared_id is not None:
                self._note(self._now, Drop(permit.shared_id))
            super().drop(permit)

    def refuse(
        self, permit: Permit, now: float, seconds: float, reported: RateLimit | None, *, reset_known: bool
    ) -> None:
        """See ``RateLimiter.refuse``. With a store all processes learn from it, and this one does not learn alone."""
        with self._lock:
            if self._alone:
                super().refuse(permit, now, seconds, reported, reset_known=reset_known)
                return
            now = self._tick(now)
            self._end_flight(permit)
            self._budget.usage.remove(permit)
            self._note(now, Refuse(permit.shared_id or self._new_id(), seconds, reported, reset_known))
            self._ask_by(now)

    def refresh(self, *, wait: bool) -> None:
        """Have the store asked what all processes use.

        Args:
            wait: Whether to wait for it, for a quarter of a second at most.
        """
        refreshed = threading.Event()
        with self._lock:
            if self._alone:
                return
            self._status_wanted.append(refreshed)
            self._ask_by(self._now)
        if wait:
            refreshed.wait(_STATUS)

    def answered(self, questions: Questions, answers: Sequence[Answer], now: float, facts: Facts | None) -> str | None:
        """See ``SharedLedger.answered``."""
        with self._lock:
            wanted, self._status_wanted = self._status_wanted, []
        clash = super().answered(questions, answers, now, facts)
        for refreshed in wanted:
            refreshed.set()
        return clash

    def status(self, now: float) -> QuotaStatus:
        """Return what is known of the quota: of all processes, if the store was heard of."""
        self._coordinator.check()
        with self._lock:
            kind, facts = self._coordinator.kind, self._facts
            if self._coordinator.failing or facts is None or facts.time < self._joined_at:
                return replace(super().status(now), store=kind)
            closed_for = max(0.0, facts.status.closed_for - (now - facts.time))
            return replace(facts.status, name=self.name, closed_for=closed_for, store=kind, shared=True)

    def _goes_alone(self, now: float) -> bool:
        """Return whether the store is to be left out.

        Raises:
            APIConnectionError: It fails, and so are calls to.
        """
        if self._coordinator.failing:
            self.part(now)
            if self.raises:
                raise APIConnectionError(
                    f"{self._coordinator.complaint}: the request was not sent, because of on_store_error='raise'"
                )
            return True
        self.rejoin(now)
        return False

    def _refuse_the_impossible(self, permit: Permit) -> None:
        # A share of the limit makes nothing impossible.
        share, self._budget.tokens.given = self._budget.tokens.given, self._limits[1]
        try:
            super()._refuse_the_impossible(permit)
        finally:
            self._budget.tokens.given = share

    def _wake(self) -> None:
        # With a store nobody is worth waking but those that it lets through.
        if self._alone:
            super()._wake()
