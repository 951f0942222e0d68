"""What fits in a quota's window, by all that is known of it. No I/O and no clock: callers pass the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._rate_limits.doubt import FEW
from clova_studio._rate_limits.learnt import Bound
from clova_studio._rate_limits.reopening import Refusal, Reopening
from clova_studio._rate_limits.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio._rate_limits.permits import Permit
    from clova_studio.types._base import RateLimit

__all__ = ["LONGEST_CLOSING", "Budget"]

LONGEST_CLOSING = 5.0
"""Windows after which a closing is not believed: then one request may look after each window."""

# What an estimate of tokens is multiplied with until an answer has shown the real number, and afterwards.
_CAUTION = 1.2
_LESS_CAUTION = 1.03
# Answers whose ratio of counted to estimated tokens makes the average.
_AVERAGED = 20
# How often at least a request looks what others have left, in a window.
_FEWEST_LOOKS = 8
# Of what is known to fit in a window: this much is all of it.
_NEARLY = 0.9
# Of a window since an opening: what got through meanwhile got through in one.
_ONE_WINDOW = 0.95
# Requests that may pass after an opening however few are known to fit: fewer show nothing.
_LEAST = 4
# No request has more tokens: whatever the service says, it can be reckoned with.
_MOST_TOKENS = 10**9


class Budget:
    """The bounds of requests and tokens, and what our own requests have used of them.

    Attributes:
        usage: The requests of the last window.
        requests: What is known of the requests per window.
        tokens: What is known of the tokens per window.
        refused: Whether the service has refused something.
        reopening: What may be sent after the last reset.
    """

    def __init__(self) -> None:
        self.usage = Usage(60.0)
        self.requests = Bound()
        self.tokens = Bound()
        self.refused = False
        self.reopening = Reopening()
        # Which of both refusals come from, None as long as that is not clear.
        self._scarce: Bound | None = None
        self._before_burst: tuple[float | None, float | None] = None, None
        self._ratio = _CAUTION
        self._measured = 0

    def charged(self) -> float:
        """Return the tokens that count."""
        return sum(map(self.cost_in_tokens, self.usage.counting))

    def cost_in_tokens(self, permit: Permit) -> float:
        """Return the tokens that a permit is charged, counted or estimated."""
        return permit.tokens(self._ratio * _LESS_CAUTION if self._measured else self._ratio)

    def _pause(self) -> float:
        """Return how long to wait before another look at what others leave: as often as we get something."""
        return self.usage.window / max(_FEWEST_LOOKS, len(self.usage.counting) + 1)

    def _used(self, bound: Bound) -> float:
        return len(self.usage.counting) if bound is self.requests else self.charged()

    def _cost(self, bound: Bound) -> Callable[[Permit], float]:
        return _one if bound is self.requests else self.cost_in_tokens

    def opens(self, permit: Permit, now: float) -> float:
        """Return when the bounds let a permit through."""
        opens = float("-inf")
        guessed: float | None = None
        pressed = []
        believed = self.refused and not self.reopening.doubt
        for bound in (self.requests, self.tokens):
            hard, inferred = bound.hard(refused=self.refused), bound.inferred if believed else None
            if hard is None and inferred is None:
                continue
            cost = self._cost(bound)
            after = self._used(bound) + cost(permit)
            if hard is not None and after > hard:
                opens = max(opens, self.usage.frees(after - hard, cost))
            elif hard is not None and bound.others and after + bound.others > hard:
                opens = max(opens, bound.look_at)
            if inferred is not None and self._scarce in (bound, None):
                free = self.usage.frees(after - inferred, cost) if after > inferred else now
                if free > now:
                    pressed.append(bound)
                # As long as it is not clear which of both is the scarce thing, either lets through.
                guessed = free if guessed is None else min(guessed, free)
        if guessed is not None and guessed > now:
            guessed = min(guessed, self._opens_to_look(permit, now))
            if guessed > now:
                guessed = min(guessed, *(bound.press(now, self.usage.window) for bound in pressed))
            opens = max(opens, guessed)
        return opens

    def _opens_to_look(self, permit: Permit, now: float) -> float:
        """Return when a permit may pass beside what is known, after the last closing."""
        reopening = self.reopening
        if not reopening.allows:
            return float("inf")
        guesses = self._guesses()
        if not reopening.capped or all(
            self._since(bound, reopening.opens) + cost <= max(bound.inferred or 0.0, _LEAST * cost)
            for bound, cost in ((bound, self._cost(bound)(permit)) for bound in guesses)
        ):
            return reopening.opens
        confirmed = any(bound.confirmed for bound in guesses)
        few = (self.requests.inferred or 0.0) < FEW
        looks = reopening.looks_beyond(self.usage.window, confirmed=confirmed, few=few)
        if looks <= now:
            reopening.look_beyond(now)
        return looks

    def _guesses(self) -> list[Bound]:
        """Return the bounds that were inferred and may be the scarce one."""
        bounds = self.requests, self.tokens
        return [bound for bound in bounds if bound.inferred is not None and self._scarce in (bound, None)]

    def _since(self, bound: Bound, time: float) -> float:
        cost = self._cost(bound)
        return sum(cost(permit) for permit in self.usage.counting if permit.sent >= time)

    def refuse(
        self, refused: Permit, now: float, seconds: float, reported: RateLimit | None, *, burst: bool, reset_known: bool
    ) -> bool:
        """Take a refusal: what it says of the quota's size, and when to look next.

        Args:
            refused: The refused request's permit.
            now: The time.
            seconds: How long the quota is closed.
            reported: What the headers said.
            burst: Whether the refusal belongs to the same burst as the last one.
            reset_known: Whether the service said when it opens.

        Returns:
            Whether anything got through. If not, others used it up, and how much there is cannot be seen from here.
        """
        last = self.reopening.last(now)
        # Whether about as much was sent since the quota opened as is known to fit.
        guesses = self._guesses()
        expected = bool(guesses) and all(
            self._since(bound, last) >= (bound.inferred or 0.0) * _NEARLY for bound in guesses
        )
        found = self._infer(refused, now, reported, burst=burst)
        if burst:
            self.reopening.refused_too(now + seconds)
        else:
            usage = self.usage
            self.reopening.refused(
                Refusal(
                    now=now,
                    sent=refused.sent,
                    closing=seconds,
                    reset_known=reset_known,
                    window=usage.window,
                    freed=usage.freed,
                    through=len(usage.counting),
                    fitting=self.requests.inferred or 0.0,
                    expected=expected,
                )
            )
        return found

    def landed(self, permit: Permit, now: float) -> None:
        """Note that a request got through, and forget what that disproves."""
        usage = self.usage
        rate = (self.requests.inferred or 0.0) / usage.window
        if self.reopening.looks(permit.sent):
            freed = usage.freed, usage.freed_at_most(now)
            self.reopening.landed(now, window=usage.window, freed=freed, rate=rate)
        for bound in (self.requests, self.tokens):
            if bound.inferred is not None:
                bound.disprove(self._used(bound), self._cost(bound)(permit))

    def report(self, reported: RateLimit, permit: Permit, now: float) -> None:
        """Take what the headers of an answer said.

        Args:
            reported: What they said.
            permit: The request's.
            now: The time.
        """
        for bound, limit, remaining, reset in (
            (self.requests, reported.limit_requests, reported.remaining_requests, reported.reset_requests),
            (self.tokens, reported.limit_tokens, reported.remaining_tokens, reported.reset_tokens),
        ):
            if limit is None:
                continue
            # A limit below what a single request costs, or below half of what got through, cannot be right.
            used = self._used(bound)
            bound.report(limit, max(used, 2 * self._cost(bound)(permit)))
            pause = self._pause()
            if reset is not None and pause < reset <= LONGEST_CLOSING * self.usage.window:
                pause = reset
            bound.report_remaining(remaining, now + pause, used)

    def look(self, now: float) -> None:
        """Note that a request is sent: its answer says what others have left."""
        for bound in (self.requests, self.tokens):
            if bound.others:
                bound.look_at = max(bound.look_at, now + self._pause())

    def settle(self, permit: Permit, input_tokens: int) -> bool:
        """Take the service's count of a request's input; return whether that leaves more to others."""
        input_tokens = min(max(0, input_tokens), _MOST_TOKENS)
        more = permit.settle(input_tokens)
        if more:
            self.tokens.correct(permit.sent, self.usage.window, more)
        if permit.estimate:
            ratio = min(5.0, max(0.2, input_tokens / permit.estimate))
            # Cautious at first, then by what the last answers had on average.
            self._measured += 1
            self._ratio += (ratio - self._ratio) / min(self._measured, _AVERAGED)
        return more < 0

    def _infer(self, refused: Permit, now: float, reported: RateLimit | None, *, burst: bool) -> bool:
        """Take what got through in the window of a refusal for the window's size; return whether anything did."""
        if self.requests.shows_remaining or self.tokens.shows_remaining:
            return True
        last = self.reopening.last(now)
        through = list(self.usage.through(refused, now))
        if not burst:
            self._before_burst = self.requests.inferred, self.tokens.inferred
        if len(through) == 1 and burst and through[0].in_flight:
            # A refusal is faster than an answer: one request without an answer says nothing of how many fit.
            through = []
        if not through:
            # What was taken for let through while it was in flight was refused as well.
            self.requests.inferred, self.tokens.inferred = self._before_burst
            return False
        found = [(self.requests, float(len(through)), 1.0)]
        if tokens := sum(map(self.cost_in_tokens, through)):
            found.append((self.tokens, tokens, self.cost_in_tokens(refused)))
        explained = [bound for bound, amount, cost in found if bound.explains(amount, cost)]
        if len(explained) == 1:
            self._scarce = explained[0]
        if reported is not None and (reported.reset_requests is None) != (reported.reset_tokens is None):
            self._scarce = self.requests if reported.reset_tokens is None else self.tokens
        for bound, amount, cost in found:
            hard = bound.hard(refused=True)
            if hard is None or amount + cost <= hard:
                unanswered = sum(self._cost(bound)(permit) for permit in through if permit.in_flight)
                since = self._since(bound, last) if now - last < _ONE_WINDOW * self.usage.window else 0.0
                bound.infer(amount, cost, now, since=since, unanswered=unanswered, burst=burst)
        return True


def _one(_: Permit) -> float:
    """Return how many requests a permit is."""
    return 1.0
