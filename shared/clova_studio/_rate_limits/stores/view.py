"""A quota as one process knows it: the permits of all processes and what was learnt from them, in the store's time.

It is the rate limiter that a single process has, and each process has a copy. A question brings the copy up to date,
changes it and writes the changes back in one atomic step, so all of them decide by the same facts.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clova_studio._rate_limits.limiter import RateLimiter
from clova_studio._rate_limits.stores.learnt_state import dump_learnt, load_learnt
from clova_studio._rate_limits.stores.line import Line
from clova_studio._rate_limits.stores.operations import Answer, Member
from clova_studio._rate_limits.stores.permit_records import GONE, StoredPermit
from clova_studio._rate_limits.stores.question import Question
from clova_studio._rate_limits.stores.records import Change, Delta, Known, QuotaStoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clova_studio._rate_limits.status import QuotaStatus
    from clova_studio._rate_limits.stores.operations import Operation

__all__ = ["QuotaView"]

_FORMAT = 1
# Seconds that are kept beside two windows: of the permits, and of everything once nobody asks.
_KEPT, _EXPIRES = 5.0, 60.0
# Permits that are no longer counted but still held, at least, before they are looked for.
_LITTER = 64


class QuotaView:
    """What one process knows of a quota.

    Args:
        process: The id of the process.

    Attributes:
        known: Up to where it leads.
        answers: To the operations of the last question.
    """

    def __init__(self, process: str) -> None:
        self.known = Known()
        self.answers: Sequence[Answer] = ()
        self._process = process
        self._member = Member()
        self._limiter = RateLimiter("")
        self._permits: dict[str, StoredPermit] = {}
        self._line = Line()
        # As it stands in the store: to it a question returns that was answered too late.
        self._records: dict[str, str] = {}
        self._learnt = dump_learnt(self._limiter)
        self._line_values: list[Any] = self._line.written()
        self._freed = 0
        # What the question in progress has changed.
        self._touched: dict[str, str] = {}
        self._tried = False
        # What a store that has lost its state is told again.
        self._lost: dict[str, str] = {}

    # The question.

    def change(self, delta: Delta, operations: Sequence[Operation], member: Member | None) -> Change | None:
        """Do what there is to do, and return what to write.

        Args:
            delta: What has changed in the store.
            operations: What to do.
            member: What the process says of itself, None for what it said before.

        Raises:
            QuotaStoreError: There is something else in the store.
        """
        if self._tried:
            self.revert()
        self._tried = True
        self._absorb(delta)
        if member is not None:
            self._member = member
        question = Question(self._limiter, self._permits, self._line, self._process, delta.now, self._touched)
        question.meet(self._member)
        self._limiter.window = self._line.limits()[2]
        self._limiter._tick(delta.now)  # noqa: SLF001  the limiter is ours
        self.answers = [question.do(operation) for operation in operations]
        learnt = dump_learnt(self._limiter)
        if not self._touched and learnt == self._learnt and not question.line_differs(self._line_values):
            return None
        usage = self._limiter._budget.usage  # noqa: SLF001
        state = [_FORMAT, delta.now, usage.freed, self._line.written(), learnt]
        return Change(
            json.dumps(state, separators=(",", ":")),
            dict(self._touched),
            keep=2 * usage.held + usage.arrival + _KEPT,
            expires=2 * usage.window + _EXPIRES,
        )

    def accept(self, known: Known) -> None:
        """Take the changes for written.

        Args:
            known: Up to where the store is known now.
        """
        if known != self.known:
            for name, text in self._touched.items():
                if text == GONE:
                    self._records.pop(name, None)
                else:
                    self._records[name] = text
            self._learnt, self._line_values = dump_learnt(self._limiter), self._line.written()
            self._freed = self._limiter._budget.usage.freed  # noqa: SLF001
            self._lost.clear()
        self.known = known
        self._touched.clear()
        self._tried = False
        self._tidy()

    def revert(self) -> None:
        """Return to what stands in the store: the changes were not written, or nobody knows."""
        for name in self._touched:
            text = self._records.get(name)
            permit = self._permits.pop(name, None)
            if text is not None:
                self._permits[name] = permit or StoredPermit.read(name, text)
                self._permits[name].update(text)
        self._touched.clear()
        self._tried = False
        load_learnt(self._limiter, self._learnt)
        self._line.load(self._line_values)
        self._place()
        self._limiter._budget.usage.freed = self._freed  # noqa: SLF001

    # Facts.

    def status(self) -> QuotaStatus:
        """Return what all processes use, as of the last question."""
        limiter = self._limiter
        found = limiter.status(limiter._now)  # noqa: SLF001
        peers = self._line.peers.values()
        in_flight = limiter._budget.usage.in_flight()  # noqa: SLF001
        return replace(found, waiting=sum(peer.waiting for peer in peers), in_flight=in_flight)

    def limits(self) -> tuple[float | None, float | None]:
        """Return the strictest limits that any process was given."""
        return self._line.limits()[:2]

    def share(self) -> float:
        """Return this process's share of what all have used in the last two windows, with one request more for each."""
        owners = [permit.owner for permit in self._permits.values()]
        return (owners.count(self._process) + 1) / (len(owners) + max(1, len(self._line.peers)))

    def of_others(self) -> list[tuple[float, float]]:
        """Return what others have sent that counts: in how many seconds it stops counting, and its tokens."""
        limiter, found = self._limiter, []
        usage = limiter._budget.usage  # noqa: SLF001
        for permit in self._permits.values():
            left = usage.end(permit) - limiter._now  # noqa: SLF001
            if permit.owner != self._process and left > 0:
                found.append((left, limiter._budget.cost_in_tokens(permit)))  # noqa: SLF001
        return sorted(found)

    # What has changed in the store.

    def _absorb(self, delta: Delta) -> None:
        try:
            if delta.known.epoch != self.known.epoch:
                self._begin_anew(delta)
            else:
                self._take_over(delta)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
            raise QuotaStoreError("there is something else in it, perhaps of another version of clova-studio") from exc
        self.known = delta.known

    def _take_over(self, delta: Delta) -> None:
        sorted_still = True
        counting = self._limiter._budget.usage.counting  # noqa: SLF001
        for name, text in delta.permits:
            permit = self._permits.get(name)
            if text == GONE:
                self._records.pop(name, None)
                if permit is not None:
                    del self._permits[name]
                    self._limiter._budget.usage.remove(permit)  # noqa: SLF001
                continue
            self._records[name] = text
            if permit is not None:
                permit.update(text)
            else:
                permit = self._permits[name] = StoredPermit.read(name, text)
                sorted_still = sorted_still and (not counting or counting[-1].sent <= permit.sent)
                counting.append(permit)
        if not sorted_still:
            self._place()
        if delta.state is not None:
            self._load(delta.state)

    def _load(self, text: str) -> None:
        form, now, freed, line, learnt = json.loads(text)
        if form != _FORMAT:
            raise ValueError(form)
        self._line.load(line)
        load_learnt(self._limiter, learnt)
        usage = self._limiter._budget.usage  # noqa: SLF001
        usage.window = self._line.limits()[2]
        # As many have stopped counting as had by then, and those that did since.
        usage.tick(now)
        usage.freed = self._freed = int(freed) + sum(usage.end(permit) > now for permit in usage._expired)  # noqa: SLF001
        self._learnt, self._line_values = dump_learnt(self._limiter), self._line.written()

    def _begin_anew(self, delta: Delta) -> None:
        """Begin with another life of the state: the first one, or one after all was lost."""
        self._lost.update(self._records)
        learnt, window, freed = self._learnt, self._limiter.window, self._freed
        self._limiter = RateLimiter("")
        self._limiter.window = window
        self._permits, self._records, self._line = {}, {}, Line()
        self._line_values, self._freed = self._line.written(), 0
        load_learnt(self._limiter, learnt)
        self._take_over(delta)
        gone = {name for name, text in delta.permits if text == GONE}
        for name, text in self._lost.items():
            permit = StoredPermit.read(name, text)
            # If all is lost, whoever comes first says what was known of all; then each of its own.
            if (
                name not in gone
                and name not in self._permits
                and (delta.state is None or permit.owner == self._process)
            ):
                self._permits[name] = permit
                self._touched[name] = text
        self._place()
        if delta.state is None:
            self._limiter._budget.usage.freed = self._freed = freed  # noqa: SLF001

    # Order.

    def _place(self) -> None:
        """Put the permits in the order of sending."""
        usage = self._limiter._budget.usage  # noqa: SLF001
        usage._expired.clear()  # noqa: SLF001
        usage.counting = deque(sorted(self._permits.values(), key=lambda permit: permit.sent))
        usage.tick(self._limiter._now)  # noqa: SLF001

    def _tidy(self) -> None:
        """Forget the permits that explain nothing any more."""
        usage = self._limiter._budget.usage  # noqa: SLF001
        held = len(usage.counting) + len(usage._expired)  # noqa: SLF001
        if len(self._permits) > 2 * held + _LITTER:
            kept = {permit.id for permits in (usage._expired, usage.counting) for permit in permits}  # type: ignore[attr-defined]  # noqa: SLF001
            self._permits = {name: permit for name, permit in self._permits.items() if name in kept}
            self._records = {name: text for name, text in self._records.items() if name in kept}
