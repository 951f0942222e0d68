"""One quota: who may pass its gate, and when. No I/O, no sleeping and no clock: the time is handed in.

A request that wants to be sent takes a ticket, waits until its turn and the quota allow it, and then holds a slot: the
service counts it for a window from its arrival, which lies between sending and the answer. So as many slots as the
limit allows lie in any window, whether the service's windows slide or start with a request.

* A refusal closes the gate for everybody until its reset, and takes its slot back: a refused request uses nothing up.
* Then what was let through in the window of the refusal is a bound for the next ones (``Bound``), and so is what the
  headers tell. With limits that were given, they hold from the start.
* After a refusal fewer requests are under way at once: half of them, and one more after each that got through, until
  it is as many as before.
* First come, first served, by the arrival of the call: a repetition goes before calls that came later. Whoever is next
  and does not come when it is time (its event loop has stopped) is passed over, so that nobody waits for ever.
"""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from clova_studio._errors import ConfigurationError
from clova_studio._rate_limits.permits import Slot, Ticket, Wait
from clova_studio._rate_limits.settings import Bound

if TYPE_CHECKING:
    from clova_studio._rate_limits.permits import Charge
    from clova_studio._rate_limits.settings import Limit
    from clova_studio.types._base import RateLimit

__all__ = ["QuotaStatus", "RateLimiter"]

# How far the arrival of a request at the service may lie after its sending, if its answer is not there earlier: so many
# seconds, but no more of a short window and no less of a long one than these shares.
_ARRIVAL = 1.0
_MOST_ARRIVAL = 0.1
_LEAST_ARRIVAL = 0.02
# Of a window: how much longer than a window a slot is held, so that clocks may differ.
_MARGIN = 0.005
# Seconds after which one that is next and does not come is passed over; others look that often.
_PATIENCE = 1.0
# What an estimate of tokens is multiplied with as long as no answer has said what they really were.
_CAUTION = 1.2

_sequence = itertools.count()


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """What is known of a quota, as far as this process can see.

    Attributes:
        name: The model or tool.
        limit_requests: Requests a window, None where no number is known.
        limit_tokens: Tokens a window (input and requested maximum output), None where no number is known.
        remaining_requests: Requests left in the window that ends now, None without a limit.
        remaining_tokens: Tokens left in it, None without a limit.
        source: Where the limits come from: ``given``, told in ``headers``, or ``inferred`` from refusals.
        closed_for: Seconds for which a refusal holds everybody back; 0 where the gate is open.
        waiting: Calls that wait at the gate.
        in_flight: Requests that are under way.
        window: Seconds in which the service counts.
    """

    name: str
    limit_requests: int | None
    limit_tokens: int | None
    remaining_requests: int | None
    remaining_tokens: int | None
    source: Literal["given", "headers", "inferred"] | None
    closed_for: float
    waiting: int
    in_flight: int
    window: float


class RateLimiter:
    """The gate in front of one quota. Safe to use from any thread.

    Args:
        name: The model or tool.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.window = 60.0
        self._window_given = False
        self.requests = Bound()
        self.tokens = Bound()
        # Re-entrant: a stream that is dropped gives its slot back from wherever Python collects it.
        self._lock = threading.RLock()
        self._now = float("-inf")
        self._closed_until = float("-inf")
        self._refused = False
        self._slots: deque[Slot] = deque()
        self._spent: deque[Slot] = deque()
        self._line: list[Ticket] = []
        self._in_flight = 0
        # Requests that may be under way at once after a refusal, and how many there were before; None for any number.
        self._most: int | None = None
        self._peak = 0
        self._halved = float("-inf")
        self._ratio = _CAUTION
        self._measured = False

    # Limits.

    def give(self, limit: Limit, window: float) -> str | None:
        """Take limits that somebody gave, and the window that they are counted in.

        Returns:
            What to warn of: another limit was given before, and the stricter one holds.
        """
        with self._lock:
            clash = None
            for bound, value, what in zip((self.requests, self.tokens), limit, ("requests", "tokens"), strict=True):
                if value is None:
                    continue
                if bound.given is not None and bound.given != value:
                    clash = (
                        f"two limits were given for the quota of {self.name}: {bound.given:g} and {value} {what} a "
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

    # The way through.

    def enter(self, now: float, charge: Charge, order: int | None = None) -> Ticket:
        """Return a ticket, which has its slot already if nothing holds it back.

        Args:
            now: The time.
            charge: What the request costs.
            order: That of the ticket of an earlier attempt, None for a new call.

        Raises:
            ConfigurationError: The request alone has more tokens than a window.
        """
        with self._lock:
            now = self._tick(now)
            ticket = Ticket(next(_sequence) if order is None else order, charge)
            self._refuse_the_impossible(ticket)
            if not self._line or ticket.order < self._line[0].order:
                wait = self._wait(ticket, now)
                if wait is None:
                    self._admit(ticket, now)
                    return ticket
            ticket.due = now
            insort(self._line, ticket, key=lambda waiting: waiting.order)
            return ticket

    def poll(self, ticket: Ticket, now: float) -> Wait | None:
        """Return None if the ticket has its slot, else how long it has to wait."""
        with self._lock:
            if ticket.slot is not None:
                return None
            now = self._tick(now)
            place = self._place(ticket)
            if any(ahead.due + _PATIENCE >= now for ahead in itertools.islice(self._line, place)):
                least = self._least(place, ticket, now)
                wait = Wait(least, max(least, _PATIENCE))
            else:
                found = self._wait(ticket, now)
                if found is None:
                    del self._line[place]
                    self._admit(ticket, now)
                    self._wake()
                    return None
                wait = found
            ticket.due = now + wait.nap
            return wait

    def leave(self, ticket: Ticket) -> None:
        """Give up a ticket that has no slot yet."""
        with self._lock:
            if ticket.slot is None:
                place = self._place(ticket)
                if place < len(self._line):
                    del self._line[place]
                    self._wake()

    # What became of a request.

    def passed(self, slot: Slot, now: float, told: RateLimit | None = None) -> None:
        """Take note that the service has let a request through.

        Args:
            slot: The request's.
            now: The time.
            told: What the headers said.
        """
        with self._lock:
            now = self._tick(now)
            if not self._landed(slot):
                return
            if told is not None:
                self._take(told)
            slot.time = max(slot.time, min(now, slot.sent + self._arrival))
            if self._most is not None and slot.sent > self._halved:
                # An answer to what was sent before the refusal says nothing of what may be sent after it.
                self._most += 1
                if self._most >= self._peak:
                    self._most = None
            for bound in (self.requests, self.tokens):
                bound.confirm(now, self.window)
            self._wake()

    def counted(self, slot: Slot, input_tokens: int) -> None:
        """Take the service's count of a request's input; estimates go by it from now on."""
        with self._lock:
            before = slot.tokens
            slot.known(input_tokens)
            if slot.estimate:
                ratio = min(5.0, max(0.2, input_tokens / slot.estimate))
                # Cautious at first, then by what the last answers had.
                self._ratio = ratio if not self._measured else 0.8 * self._ratio + 0.2 * ratio
                self._measured = True
            if before is not None and slot.tokens is not None and slot.tokens < before:
                self._wake()

    def dropped(self, slot: Slot) -> None:
        """Take note that a request ended in some other way; whether the service counted it is not known."""
        with self._lock:
            if self._landed(slot):
                # It may have been counted as late as any other.
                slot.time = slot.sent + self._arrival
                self._wake()

    def refused(self, slot: Slot, now: float, seconds: float, told: RateLimit | None, *, reset_known: bool) -> None:
        """Take a refusal: the gate closes for everybody.

        Args:
            slot: That of the refused request.
            now: The time.
            seconds: How long the gate stays closed.
            told: What the headers said.
            reset_known: Whether they said when the window ends.
        """
        with self._lock:
            now = self._tick(now)
            under_way = self._in_flight
            self._landed(slot)
            for slots in (self._slots, self._spent):
                if slot in slots:
                    slots.remove(slot)
                    break
            self._refused = True
            self._closed_until = max(self._closed_until, now + seconds)
            if told is not None:
                self._take(told)
            if slot.sent > self._halved:
                # Once for a burst: what was sent before the last halving says nothing new.
                self._peak = max(under_way, self._peak if self._most is not None else 0)
                self._most = max(1, under_way // 2)
                self._halved = now
            if reset_known:
                # What it has counted so far it forgets at the reset.
                sent = now + seconds - self._held
                for landed in self._slots:
                    if not landed.under_way:
                        landed.time = min(landed.time, sent)
            else:
                self._infer(slot, now)
            # It may have to wait for less now.
            self._wake()

    def status(self, now: float) -> QuotaStatus:
        """Return what is known."""
        with self._lock:
            now = self._tick(now)
            requests, tokens = (bound.limit(refused=True) for bound in (self.requests, self.tokens))
            return QuotaStatus(
                name=self.name,
                limit_requests=None if requests is None else int(requests),
                limit_tokens=None if tokens is None else int(tokens),
                remaining_requests=None if requests is None else max(0, int(requests) - len(self._slots)),
                remaining_tokens=None if tokens is None else max(0, int(tokens - self._charged())),
                source=self.requests.source or self.tokens.source,
                closed_for=max(0.0, self._closed_until - now),
                waiting=len(self._line),
                in_flight=self._in_flight,
                window=self.window,
            )

    # Inside the lock.

    @property
    def _held(self) -> float:
        """Seconds for which a slot is held."""
        return self.window * (1 + _MARGIN)

    @property
    def _arrival(self) -> float:
        return max(self.window * _LEAST_ARRIVAL, min(_ARRIVAL, self.window * _MOST_ARRIVAL))

    def _tick(self, now: float) -> float:
        """Return the time, which never runs backwards, and let go of the slots whose window is over."""
        self._now = now = max(now, self._now)
        held = self._held
        while self._slots and self._end(self._slots[0]) <= now:
            self._spent.append(self._slots.popleft())
        while self._spent and self._spent[0].time + 2 * held <= now:
            self._spent.popleft()
        return now

    def _end(self, slot: Slot) -> float:
        """Return when a slot is free again: while its request is under way it may not have arrived yet."""
        return slot.time + self._held + (self._arrival if slot.under_way else 0.0)

    def _busy(self) -> int:
        """Return how many requests are under way; one that is not answered within a window may never be."""
        return sum(slot.under_way for slot in self._slots)

    def _charged(self) -> float:
        return sum(slot.charged(self._ratio) for slot in self._slots)

    def _estimate(self, ticket: Ticket) -> int:
        if ticket.estimate is None:
            ticket.estimate = ticket.charge.input_tokens()
        return ticket.estimate

    def _cost(self, ticket: Ticket) -> float:
        return self._estimate(ticket) * self._ratio + ticket.charge.output_tokens()

    def _refuse_the_impossible(self, ticket: Ticket) -> None:
        most = self.tokens.hard if self._refused else self.tokens.given
        if most is None:
            return
        estimate, output = self._estimate(ticket), ticket.charge.output_tokens()
        if estimate + output > most:
            raise ConfigurationError(
                f"the request has about {estimate:,} tokens and asks for up to {output:,} more, but a window of "
                f"{self.name} has {most:,.0f}: shorten the input, lower max_tokens, or give other rate_limits"
            )

    def _place(self, ticket: Ticket) -> int:
        """Return where a ticket stands in the line; its length for one that is not there."""
        place = bisect_left(self._line, ticket.order, key=lambda waiting: waiting.order)
        while place < len(self._line) and self._line[place] is not ticket:
            place += 1
        return place

    def _wait(self, ticket: Ticket, now: float) -> Wait | None:
        """Return how long one that is next has to wait, None if not at all."""
        least = self._closed_until - now
        requests = self.requests.limit(refused=self._refused)
        if requests is not None and len(self._slots) >= int(requests):
            self.requests.press(now, self.window)
            # Slots are let go of in the order of sending, so each stays as long as those before it.
            places = len(self._slots) - int(requests) + 1
            least = max(least, max(map(self._end, itertools.islice(self._slots, places))) - now)
        tokens = self.tokens.limit(refused=self._refused)
        if tokens is not None and self._slots:
            over = self._charged() + self._cost(ticket) - tokens
            if over > 0:
                self.tokens.press(now, self.window)
                for slot in self._slots:
                    over -= slot.charged(self._ratio)
                    least = max(least, self._end(slot) - now)
                    if over <= 0:
                        break
        if least > 0:
            return Wait(least, least)
        if self._most is not None and self._busy() >= self._most:
            # How long that takes nobody knows: the one that lands wakes the next.
            return Wait(0.0, _PATIENCE)
        return None

    def _least(self, place: int, ticket: Ticket, now: float) -> float:
        """Return how long a ticket with others before it has to wait at least."""
        least = self._closed_until - now
        held = self._held
        requests = self.requests.limit(refused=self._refused)
        if requests is not None:
            rounds, rest = divmod(len(self._slots) + place - int(requests), int(requests))
            if rounds >= 0:
                left = self._slots[rest].time + held - now if rest < len(self._slots) else 0.0
                least = max(least, rounds * held + max(0.0, left))
        tokens = self.tokens.limit(refused=self._refused)
        if tokens is not None and self.tokens.given is not None:
            ahead = sum(self._cost(waiting) for waiting in itertools.islice(self._line, place))
            windows = int((ahead + self._cost(ticket)) // tokens) - 1
            least = max(least, windows * held)
        return max(0.0, least)

    def _admit(self, ticket: Ticket, now: float) -> None:
        ticket.slot = slot = Slot(now, ticket.charge)
        if ticket.estimate is not None:
            slot.estimate, slot.tokens = ticket.estimate, self._cost(ticket)
        self._slots.append(slot)
        self._in_flight += 1

    def _landed(self, slot: Slot) -> bool:
        """Count a request out; return False for one that was counted out before."""
        if not slot.under_way:
            return False
        slot.under_way = False
        self._in_flight -= 1
        return True

    def _take(self, told: RateLimit) -> None:
        for bound, limit in ((self.requests, told.limit_requests), (self.tokens, told.limit_tokens)):
            if limit is not None and limit > 0:
                bound.told = limit

    def _infer(self, refused: Slot, now: float) -> None:
        """Take what was let through in the window of a refusal for its size."""
        # When it was refused, between sending and answer, is not known; what is still under way counts as let through
        # until it is refused as well, so that the last refusal of a burst gives the number.
        first = refused.sent - self.window
        last = min(now, refused.sent + self.window / 2)
        through = [
            slot for slots in (self._spent, self._slots) for slot in slots if first < min(slot.time, now) <= last
        ]
        if not through:
            # Somebody else used it up, and how much there is cannot be seen from here: one at a time looks for it.
            self._most = 1
            return
        self.requests.infer(len(through), now)
        tokens = sum(slot.charged(self._ratio) for slot in through)
        if tokens:
            self.tokens.infer(tokens, now)

    def _wake(self) -> None:
        for ticket in self._line:
            if ticket.due + _PATIENCE >= self._now:
                if ticket.wake is not None:
                    ticket.wake()
                return
