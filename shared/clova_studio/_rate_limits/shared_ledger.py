"""What a process notes of its own requests of a shared quota, for the store and for a time without it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from clova_studio._rate_limits.budget import Budget
from clova_studio._rate_limits.limiter import RateLimiter
from clova_studio._rate_limits.permits import Wait
from clova_studio._rate_limits.shared_facts import Questions, by_age
from clova_studio._rate_limits.stores.operations import Join, Leave, Member, OwnPermit, Sent, Take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clova_studio._rate_limits.coordinator import Coordinator
    from clova_studio._rate_limits.permits import Permit
    from clova_studio._rate_limits.shared_facts import Facts
    from clova_studio._rate_limits.stores.operations import Answer, Operation

__all__ = ["NAP", "SharedLedger"]

NAP = 1.0
"""Seconds for which those that wait sleep unless woken."""

# Seconds after which one that does not ask any more is passed over.
_PATIENCE = 1.0
# Seconds that what became of a request may be kept, to be told together with something else.
_BATCH = 0.005
# Permits that are asked for in one question.
_AT_ONCE = 4
# Seconds after the store is back for which this process keeps to its share: until the others are back as well.
_SETTLING = 1.2
# Of the time in which a request arrives: if it is sent that much later than its permit was granted, the store is told.
_LATE = 0.25


class SharedLedger(RateLimiter):
    """The side of a shared quota that the coordinator sees: questions for the store, its answers, and its failures.

    Args:
        name: The model or tool.
        quota: The name of the quota in the store.
        coordinator: Asks the store.

    Attributes:
        quota: The name of the quota in the store.
        asks_at: When the store is to be asked next.
    """

    def __init__(self, name: str, quota: str, coordinator: Coordinator) -> None:
        super().__init__(name)
        self.quota = quota
        self.asks_at = float("inf")
        self._coordinator = coordinator
        self._limits: list[float | None] = [None, None]
        self._alone = False
        self._notes: list[tuple[float, Operation]] = []
        self._ids = count()
        # Granted, but the call has not seen it yet.
        self._unseen: dict[Permit, None] = {}
        self._in_line = False
        # When the wait ends at the earliest that the store told.
        self._opens = float("-inf")
        self._facts: Facts | None = None
        # When this process came back to the store, and until when it keeps to its share.
        self._joined_at = self._settled_at = float("-inf")
        self._clash_told = False

    # For the coordinator.

    def questions(self, now: float) -> Questions | None:
        """Return what is to be asked and told now, None for nothing."""
        with self._lock:
            if self._alone or now < self.asks_at:
                return None
            self.asks_at = float("inf")
            self._settle_down(now)
            self._take_back_unseen(now)
            operations = [by_age(operation, time, now) for time, operation in self._notes]
            self._notes.clear()
            takes = {}
            for permit in self._queue:
                if permit.due + _PATIENCE < now:
                    continue
                if now < self._settled_at and (left := self._wait(permit, now)) is not None:
                    self._ask_by(now + max(left.nap, _BATCH))
                    break
                if permit.shared_id is None:
                    permit.shared_id = self._new_id()
                takes[len(operations)] = permit
                operations.append(Take(permit.shared_id, permit.input_tokens(), permit.output_tokens()))
                if len(takes) == _AT_ONCE:
                    break
            if self._in_line and not takes:
                self._in_line = False
                operations.append(Leave())
            requests, tokens = (None if limit is None else int(limit) for limit in self._limits)
            return Questions(operations, takes, Member((requests, tokens), self.window, len(self._queue)))

    def answered(self, questions: Questions, answers: Sequence[Answer], now: float, facts: Facts | None) -> str | None:
        """Take the answers of the store.

        Args:
            questions: What was asked.
            answers: The answer to each operation.
            now: The time.
            facts: What is known of the quota now, None for what was known before.

        Returns:
            What to warn of: another process was given other limits.
        """
        with self._lock:
            if self._alone:
                return None
            self._facts = facts or self._facts
            knew, self._in_line = self._in_line, False
            for index, permit in questions.takes.items():
                answer = answers[index]
                if answer.wait:
                    self._in_line = True
                    self._opens = now + answer.least
                    self._ask_by(now + answer.wait)
                    if not knew:
                        # Those that waited for the answer may have no time for more.
                        self.wake_all()
                    break
                self._let_through(permit, now)
            else:
                if self._queue and questions.takes:
                    self._ask_by(now)
            return None if self._clash_told else self._clash()

    def learn(self, facts: Facts) -> None:
        """Take what is known of the quota."""
        with self._lock:
            self._facts = facts

    def rejoin(self, now: float) -> None:
        """Ask the store again, which answers again."""
        with self._lock:
            if self._alone:
                self._alone = False
                self._joined_at, self._settled_at = now, now + _SETTLING
                closed_for = max(0.0, self._closed_until - now)
                self._closed_until = float("-inf")
                self._notes[:] = [(now, Join(tuple(self._own_permits(now)), closed_for))]
                self._ask_by(now)

    def part(self, now: float) -> None:
        """Go on without the store, with the share of the quota that this process had."""
        with self._lock:
            if not self._alone:
                self._alone, self._in_line = True, False
                self._notes.clear()
                self.asks_at = float("inf")
                self._most = None
                self._keep_to_share()
                if self._facts is not None:
                    self._closed_until = max(self._closed_until, self._facts.time + self._facts.status.closed_for)
                self._now = max(now, self._now)
                for permit in self._queue:
                    permit.due = self._now
                self.wake_all()

    def wake_all(self) -> None:
        """Have all that wait ask again."""
        with self._lock:
            for permit in self._queue:
                if permit.wake is not None:
                    permit.wake()

    # With the lock held.

    def _ask_by(self, time: float) -> None:
        if time < self.asks_at:
            self.asks_at = time
            self._coordinator.wake()

    def _note(self, now: float, operation: Operation) -> None:
        self._notes.append((now, operation))
        self._ask_by(now + _BATCH)

    def _new_id(self) -> str:
        return f"{self._coordinator.process}-{next(self._ids)}"

    def _let_through(self, permit: Permit, now: float) -> None:
        index = self._index(permit)
        if index == len(self._queue):
            # It has left in the meantime.
            if permit.shared_id is not None:
                self._note(now, Leave(permit.shared_id))
            return
        del self._queue[index]
        wake = permit.wake
        permit.grant(now)
        self._budget.usage.counting.append(permit)
        self._in_flight += 1
        self._unseen[permit] = None
        if wake is not None:
            wake()

    def _settle_down(self, now: float) -> None:
        """Go back to the limits that were given, some time after the store is back."""
        if float("-inf") < self._settled_at <= now:
            self._settled_at = float("-inf")
            usage, self._budget = self._budget.usage, Budget()
            self._budget.usage = usage
            self._budget.requests.given, self._budget.tokens.given = self._limits

    def _send(self, permit: Permit, now: float) -> None:
        """Take a permit as used: its request is sent now."""
        self._unseen.pop(permit)
        if permit.shared_id is not None and now - permit.sent > self._budget.usage.arrival * _LATE:
            self._note(now, Sent(permit.shared_id, now))
        permit.sent = permit.time = now

    def _take_back(self, permit: Permit) -> None:
        """Take back a permit that was not used."""
        self._unseen.pop(permit)
        self._end_flight(permit)
        self._budget.usage.remove(permit)
        permit.granted = False
        if permit.shared_id is not None and not self._alone:
            self._note(self._now, Leave(permit.shared_id))
        permit.shared_id = None

    def _take_back_unseen(self, now: float) -> None:
        """Take back what was granted to calls that do not ask any more: their event loop has stopped."""
        for permit in [permit for permit in self._unseen if permit.sent + NAP + _PATIENCE < now]:
            self._take_back(permit)

    def _clash(self) -> str | None:
        """Return what to say if others were given less; they say nothing."""
        if self._facts is None:
            return None
        for own, strictest, what in zip(self._limits, self._facts.given, ("requests", "tokens"), strict=True):
            if own is not None and strictest is not None and strictest < own:
                self._clash_told = True
                return (
                    f"two limits were given for the quota of {self.name}: {own:g} {what} per window in this process, "
                    f"{strictest:g} in another one; the smaller one holds"
                )
        return None

    def _keep_to_share(self) -> None:
        """Bound what is sent by this process's share of what is known of the quota."""
        usage, self._budget = self._budget.usage, Budget()
        self._budget.usage = usage
        facts = self._facts
        for index, bound in enumerate((self._budget.requests, self._budget.tokens)):
            own = self._limits[index]
            given = None if facts is None else facts.given[index]
            limits = [limit for limit in (own, given) if limit is not None]
            if facts is None:
                bound.given = own
            elif limits:
                bound.given = max(1.0, min(limits) * facts.share)
            if facts is not None and (limit := facts.limit(index)) is not None and limit not in limits:
                bound.know(limit * facts.share)
                self._budget.refused = True

    def _wait(self, permit: Permit, now: float) -> Wait | None:
        wait = super()._wait(permit, now)
        facts = self._facts
        if wait is not None or facts is None:
            return wait
        # The others have sent something, too: until it stops counting, there is less than this process's share.
        others = [(facts.time + left, tokens) for left, tokens in facts.others if facts.time + left > now]
        for index in range(2) if others else ():
            limit = facts.limit(index)
            if limit is None:
                continue
            budget = self._budget
            used = budget.charged() + budget.cost_in_tokens(permit) if index else len(budget.usage.counting) + 1.0
            used += sum(tokens if index else 1.0 for _, tokens in others)
            if used > limit:
                return Wait(others[0][0] - now, others[0][0] - now)
        return None

    def _own_permits(self, now: float) -> list[OwnPermit]:
        found = []
        for permit in self._budget.usage.counting:
            if permit.shared_id is None:
                permit.shared_id = self._new_id()
            estimate, output = permit.input_tokens(), permit.output_tokens()
            tokens = self._budget.cost_in_tokens(permit)
            own = OwnPermit(
                permit.shared_id, now - permit.sent, now - permit.time, permit.in_flight, estimate, output, tokens
            )
            found.append(own)
        return found
