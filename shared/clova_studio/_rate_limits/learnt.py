"""What a rate limiter learns about a quota's size, from settings, headers and refusals. No I/O."""

from __future__ import annotations

from typing import Literal

__all__ = ["Bound"]

# Nothing from the wire counts as more than this: what is larger is no bound, and a float holds all up to it exactly.
_MOST = 1e12


class Bound:
    """How many requests, or tokens, a window has, as far as it is known.

    A given bound always holds. One that headers reported holds once the service has refused something or says what is
    left; so does one that was inferred from refusals. An inferred bound may be too small (another process may use the
    account), so it grows when requests waited for it during a whole window without a refusal: by a little at first, as
    that is refused where the bound is right, and quickly as soon as that was not refused. When the growth is refused,
    the next try comes after twice as many windows.

    Attributes:
        given: By the user.
        reported: By headers.
        inferred: From refusals.
        confirmed: Whether a second refusal has shown the inferred bound.
        others: What other processes have used of it, as far as headers show it.
        look_at: From when on one request may pass to see what the others have left.
    """

    __slots__ = (
        "_at_burst",
        "_base",
        "_hold",
        "_more_room",
        "_pressed",
        "_since",
        "_step",
        "confirmed",
        "given",
        "inferred",
        "inferred_at",
        "look_at",
        "others",
        "reported",
        "shows_remaining",
    )

    _FIRST_STEP = 0.016
    _LAST_STEP = 1.0
    # Of what is known to be there at most.
    _STEP_OF_KNOWN = 0.125
    # Windows without a refusal before a step: a little more than one, so that what counts is forgotten first; after
    # steps that were refused; where there is surely more.
    _HOLD = 1.05
    _LONGEST_HOLD = 4.2
    _SHORT_HOLD = 0.25
    # Two refusals after amounts that are that near to each other come from the same limit.
    _NEAR = 0.9
    # Times the bound: twice as much gets through in one window around the end of a fixed one, or from a full bucket.
    _MOST_EXPLAINED = 2.2
    # Share of a window after which to ask again.
    _MOMENT = 0.001

    def __init__(self) -> None:
        self.given: float | None = None
        self.reported: float | None = None
        self.inferred: float | None = None
        self.inferred_at = float("-inf")
        self.confirmed = False
        self.others = 0.0
        self.look_at = float("-inf")
        self.shows_remaining = False
        self._since = 0.0
        self._pressed = False
        # What it was before it grew, None while no growth is on trial.
        self._base: float | None = None
        # That, and whether it had grown, before the last burst of refusals.
        self._at_burst: tuple[float | None, bool] = None, False
        self._step = self._FIRST_STEP
        self._hold = self._HOLD
        # Whether there is surely more than the bound, at least at times.
        self._more_room = False

    def hard(self, *, refused: bool) -> float | None:
        """Return the bound that is not a guess, None for none.

        Args:
            refused: Whether the service has refused something.
        """
        reported = self.reported if refused or self.shows_remaining else None
        if self.given is None or reported is None:
            return self.given if reported is None else reported
        return min(self.given, reported)

    def limit(self, *, refused: bool) -> float | None:
        """Return the bound that holds, None for none.

        Args:
            refused: Whether the service has refused something.
        """
        hard = self.hard(refused=refused)
        if not refused or self.inferred is None:
            return hard
        return self.inferred if hard is None else min(hard, self.inferred)

    @property
    def source(self) -> Literal["given", "headers", "inferred"] | None:
        """Where the bound comes from that would hold after a refusal."""
        limit = self.limit(refused=True)
        if limit is None:
            return None
        return "given" if limit == self.given else "headers" if limit == self.reported else "inferred"

    def report(self, limit: float | None, used: float) -> None:
        """Take a limit that headers reported, unless it cannot be right.

        Args:
            limit: Requests or tokens per window.
            used: What is known to have got through in one window. Up to twice a limit can where windows are fixed.
        """
        if limit is None or not limit > 0:
            return
        if limit * 2 < used:
            self.reported = None
            return
        self.reported = float(min(limit, _MOST))

    def report_remaining(self, remaining: float | None, look_at: float, used: float) -> None:
        """Take what headers say is left: what is neither left nor our own was used by others.

        Args:
            remaining: Requests or tokens.
            look_at: When there may be more.
            used: What our own requests have used, those in flight included.
        """
        if remaining is None or self.reported is None or not remaining >= 0:
            return
        self.shows_remaining = True
        self.others = max(0.0, self.reported - min(remaining, _MOST) - used)
        if self.others:
            self.look_at = look_at

    def infer(
        self,
        let_through: float,
        cost: float,
        now: float,
        *,
        since: float = 0.0,
        unanswered: float = 0.0,
        burst: bool = False,
    ) -> None:
        """Take what was let through in the window of a refusal.

        Args:
            let_through: Requests or tokens.
            cost: What the refused request would have used of it.
            now: The time.
            since: What of it was let through since the quota had opened.
            unanswered: What of it is in flight, and may yet be refused.
            burst: Whether the refusal belongs to the same burst as the last one, and shows nothing new.
        """
        if not burst:
            self._at_burst = self._before, self._base is not None
        before, grown = self._at_burst
        self._base = None
        self._step = self._FIRST_STEP
        self._since = now
        self._pressed = False
        if before is None:
            self.inferred, self.inferred_at = max(1.0, let_through), now
            return
        if not burst:
            self.confirmed = self.confirmed or any(
                before * self._NEAR <= amount + cost and amount - unanswered <= before / self._NEAR + 2 * cost
                for amount in (let_through, since)
            )
        self.inferred = before
        if grown and let_through + cost >= before:
            # The growth was refused, and nothing else.
            if not burst:
                self._hold = min(max(self._HOLD, self._hold * 2), self._LONGEST_HOLD)
            self._more_room = False
            return
        if let_through + cost < before * 0.95:
            # Others have taken some of it, and may leave it again at any time.
            self._find_room()
        if let_through < before:
            self.inferred, self.inferred_at = max(1.0, let_through), now
        elif since > before:
            # More than was known fits in the window that the opening began.
            self.inferred, self.inferred_at = since, now

    def know(self, limit: float) -> None:
        """Take a bound that several processes have inferred together: it is not tried again soon whether more fits.

        Args:
            limit: Requests or tokens per window.
        """
        self.inferred, self._base = max(1.0, limit), None
        self.confirmed = True
        self._hold = self._LONGEST_HOLD

    def disprove(self, used: float, cost: float) -> None:
        """Forget the inferred bound if far more got through than it explains in any way of counting.

        Args:
            used: Requests or tokens in the last window.
            cost: What the last request has of it.
        """
        if self.inferred is not None and used > self.inferred * self._MOST_EXPLAINED + 2 * cost:
            self.inferred = self._base = None
            self.confirmed = False

    def explains(self, let_through: float, cost: float) -> bool:
        """Return whether a refusal can come from this bound, by what was let through before it."""
        before = self._before
        return before is not None and let_through + cost >= before * 0.99

    def _find_room(self) -> None:
        self._more_room, self._hold = True, self._SHORT_HOLD

    @property
    def _before(self) -> float | None:
        return self.inferred if self._base is None else self._base

    def correct(self, sent: float, window: float, more: float) -> None:
        """Correct the inferred bound by what a request that it was inferred from really had.

        Args:
            sent: When the request was sent.
            window: Seconds of a window.
            more: How much more it had than was estimated.
        """
        if self.inferred is not None and self.inferred_at - window < sent <= self.inferred_at:
            self.inferred = max(1.0, self.inferred + more)

    def press(self, now: float, window: float) -> float:
        """Note that a request waits for the inferred bound; it grows if that has been so for long enough.

        Returns:
            When it is worth asking again.
        """
        if self.inferred is None:
            return now
        on_trial = self._base is not None
        hold = window * (max(self._HOLD, self._hold) if on_trial and not self._more_room else self._hold)
        if not self._pressed or now < self._since + hold:
            self._pressed = True
            return max(now, self._since + hold) + window * self._MOMENT
        if on_trial:
            # What was tried stood: there is more, and no reason to be slow.
            if self._step > self._FIRST_STEP:
                self._find_room()
            else:
                self._hold = self._HOLD
            self._step = min(self._step * 3, self._LAST_STEP)
        hard = self.hard(refused=True)
        more = max(1.0, self.inferred * self._step, 0.0 if hard is None else hard * self._STEP_OF_KNOWN)
        self._base, self.inferred = self.inferred, min(_MOST, self.inferred + more)
        self.inferred_at = float("-inf")
        self._since = now
        return now + window * self._MOMENT
