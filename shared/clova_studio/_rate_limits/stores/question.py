"""What becomes of the operations of one question. No I/O and no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clova_studio._rate_limits.stores.operations import (
    Answer,
    Drop,
    Join,
    Land,
    Leave,
    Refuse,
    Sent,
    Settle,
    Take,
)
from clova_studio._rate_limits.stores.permit_records import GONE, StoredPermit

if TYPE_CHECKING:
    from clova_studio._rate_limits.limiter import RateLimiter
    from clova_studio._rate_limits.stores.line import Line, Peer
    from clova_studio._rate_limits.stores.operations import Member, Operation, OwnPermit

__all__ = ["Question"]

# Seconds: how often is looked for an answer to what is in flight; and, as a share of the window, whether a known wait
# has become shorter, as others may have used less than they had asked for.
_LOOK = 0.02
_LOOK_AGAIN, _RARELY = 0.01, 0.5
# How much later something is due, or asked, before that is written down.
_LATER = 0.25
_SOON = 0.001
_DONE = Answer()


class Question:
    """One question of a process: changes the permits, the line and what was learnt.

    Args:
        limiter: The limiter of all processes.
        permits: Their permits.
        line: The line between them.
        process: Who asks.
        now: The time of the store.
        touched: Takes the permits that are changed, as they are to be written.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        permits: dict[str, StoredPermit],
        line: Line,
        process: str,
        now: float,
        touched: dict[str, str],
    ) -> None:
        self._limiter = limiter
        self._permits = permits
        self._line = line
        self._process = process
        self._now = now
        self._peer: Peer
        # The answer to a permit that has to wait: others behind it wait as well.
        self._wait: Answer | None = None
        self._touched = touched

    def meet(self, member: Member) -> None:
        """Take what the process says of itself."""
        self._peer = self._line.meet(self._process, member, self._now)
        budget = self._limiter._budget  # noqa: SLF001  the limiter is a part of the view
        budget.requests.given, budget.tokens.given, _ = self._line.limits()

    def line_differs(self, before: list[Any]) -> bool:
        """Return whether the line has changed so much that the others must know."""
        _, peers = before
        was, peer = peers.get(self._process), self._peer
        if was is None or len(peers) != len(self._line.peers):
            return True
        requests, tokens, window, seen, turn, due, waiting = was
        return (
            [requests, tokens, window, turn] != [peer.requests, peer.tokens, peer.window, peer.turn]
            or bool(waiting) != bool(peer.waiting)
            or peer.due > due + _LATER
            or peer.seen > seen + 4 * _LATER
        )

    def do(self, operation: Operation) -> Answer:
        """Do one operation."""
        if isinstance(operation, Take):
            return self._take(operation)
        if isinstance(operation, Join):
            self._join(operation)
        elif isinstance(operation, Leave) and operation.permit is None:
            self._peer.turn = None
        else:
            self._report(operation)
        return _DONE

    def _take(self, wanted: Take) -> Answer:
        if self._wait is not None:
            return self._wait
        known = self._permits.get(wanted.permit)
        if known is not None and known.in_flight:
            # The answer to an earlier question was lost.
            return _DONE
        now, line, peer, limiter = self._now, self._line, self._peer, self._limiter
        ahead = line.ahead_of(peer, now)
        permit = StoredPermit(wanted.permit, self._process, wanted.estimate, wanted.output)
        if ahead and (line.is_prompt(ahead, now) or not self._has_room(permit, len(ahead))):
            self._wait = self._wait_in_line(line.nap(ahead, now), 0.0)
            return self._wait
        wait = limiter._wait(permit, now)  # noqa: SLF001
        if wait is not None:
            self._wait = self._wait_in_line(wait.nap if wait.least > 0 else _LOOK, wait.least)
            return self._wait
        limiter._grant(permit, now)  # noqa: SLF001
        self._permits[permit.id] = permit
        self._touch(permit)
        peer.turn = None
        return _DONE

    def _has_room(self, permit: StoredPermit, others: int) -> bool:
        """Return whether there is enough for others that are first and late: as much as the permit, and again."""
        budget, most = self._limiter._budget, self._limiter._most  # noqa: SLF001
        if self._limiter._closed_until > self._now:  # noqa: SLF001
            return False
        if most is not None and budget.usage.in_flight() + 2 * others >= most:
            return False
        requests, tokens = (bound.limit(refused=True) for bound in (budget.requests, budget.tokens))
        if requests is not None and len(budget.usage.counting) + 2 * others >= requests:
            return False
        return tokens is None or budget.charged() + (2 * others + 1) * budget.cost_in_tokens(permit) <= tokens

    def _wait_in_line(self, seconds: float, least: float) -> Answer:
        self._line.stand(self._peer)
        seconds = max(_SOON, min(seconds, _RARELY, self._limiter.window * _LOOK_AGAIN))
        self._peer.due = self._now + seconds
        return Answer(seconds, least)

    def _report(self, operation: Any) -> None:
        permit = self._permits.get(operation.permit)
        now, limiter = self._now, self._limiter
        if isinstance(operation, Refuse):
            self._refuse(operation, permit)
        elif permit is None:
            return
        elif isinstance(operation, Leave):
            limiter._budget.usage.remove(permit)  # noqa: SLF001
            self._forget(permit)
        else:
            if isinstance(operation, Sent):
                permit.sent = permit.time = max(permit.sent, now - operation.ago)
            elif isinstance(operation, Land):
                permit.sent = max(permit.sent, now - operation.sent)
                limiter.land(permit, now, operation.reported)
                permit.time = max(permit.sent, min(permit.time, now - operation.ago))
            elif isinstance(operation, Settle):
                limiter.settle(permit, operation.tokens)
            elif isinstance(operation, Drop):
                limiter.drop(permit)
            self._touch(permit)

    def _refuse(self, operation: Refuse, permit: StoredPermit | None) -> None:
        now, limiter = self._now, self._limiter
        limiter._in_flight = limiter._budget.usage.in_flight()  # noqa: SLF001
        refused = permit
        if refused is None:
            # It has stopped counting, or the store has forgotten it.
            refused = StoredPermit(operation.permit, self._process, 0, 0)
            refused.sent = refused.time = now
        limiter.refuse(refused, now, operation.seconds, operation.reported, reset_known=operation.reset_known)
        if permit is not None:
            self._forget(permit)

    def _join(self, operation: Join) -> None:
        usage = self._limiter._budget.usage  # noqa: SLF001
        own = {known.permit for known in operation.permits}
        for permit in [permit for permit in usage.counting if self._owned(permit) and self._id(permit) not in own]:
            usage.remove(permit)
            self._forget(self._permits[self._id(permit)])
        for known in operation.permits:
            self._restore(known)
        if operation.closed_for > 0:
            until = self._now + operation.closed_for
            self._limiter._closed_until = max(self._limiter._closed_until, until)  # noqa: SLF001

    def _restore(self, known: OwnPermit) -> None:
        usage = self._limiter._budget.usage  # noqa: SLF001
        permit = self._permits.get(known.permit)
        if permit is None:
            permit = StoredPermit(known.permit, self._process, known.estimate, known.output)
            permit.grant(self._now - known.sent)
            self._permits[permit.id] = permit
            index = len(usage.counting)
            while index and usage.counting[index - 1].sent > permit.sent:
                index -= 1
            usage.counting.insert(index, permit)
        permit.time = self._now - known.ago
        permit.in_flight = known.in_flight
        permit.charge(known.tokens)
        self._touch(permit)

    def _owned(self, permit: Any) -> bool:
        return bool(permit.owner == self._process)

    def _id(self, permit: Any) -> str:
        return str(permit.id)

    def _touch(self, permit: StoredPermit) -> None:
        self._touched[permit.id] = permit.written()

    def _forget(self, permit: StoredPermit) -> None:
        self._permits.pop(permit.id, None)
        self._touched[permit.id] = GONE
