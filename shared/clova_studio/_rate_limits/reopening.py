"""When a closed quota opens, and how many requests may pass beside what is known. No I/O and no clock."""

from __future__ import annotations

from typing import NamedTuple

from clova_studio._rate_limits.doubt import FEW, Doubt

__all__ = ["Refusal", "Reopening"]

# Of a refill that would explain what got through: so much more does not.
_REFILL = 1.5
# Of a window: when more is tried than is known to fit. As long as one refusal has shown that, at once where a reset
# says that the quota is open, and late without. After more refusals, twice as late for each in a row that confirms it.
_FIRST_LOOK_BEYOND = 0.93
_LOOK_BEYOND, _LAST_LOOK_BEYOND = 0.125, 0.6
# Windows that a look is put off at most, also where so little is known to fit that waiting costs more than a refusal.
_LONGEST_PAUSE, _LONGEST_PAUSE_OF_FEW = 4.0, 0.125
# Openings in a row in vain after which one more request looks for each that got through, not two.
_OFTEN = 3


class Refusal(NamedTuple):
    """The first refusal of a burst.

    Attributes:
        now: When it came.
        sent: When the request was sent.
        closing: Seconds for which the quota is closed.
        reset_known: Whether the service said so.
        window: Seconds of a window.
        freed: Requests that have stopped counting so far.
        through: Requests that got through in the last window.
        fitting: Requests that are known to fit in a window.
        expected: Whether as many got through since the last opening.
    """

    now: float
    sent: float
    closing: float
    reset_known: bool
    window: float
    freed: int
    through: int
    fitting: float
    expected: bool


class Reopening:
    """What may be sent after a closing, although requests from before it still count.

    A reset says when one request may pass: in a sliding window or a token bucket it is one, in a window that is fixed
    or aligned to the clock it is all of them, and the header does not say which. So one request looks, and each that
    got through lets two more look. When that is refused soon, the next look comes later each time.

    Attributes:
        doubt: Whether the refusals come from a quota at all.
        opens: When the quota opens; what was sent earlier is from before that.
        reset_known: Whether the service said when it opens.
        sent: Requests sent since, or since a look beyond what is known to fit.
        capped: Whether no more may be sent since than is known to fit in a window.
    """

    __slots__ = (
        "_allowed",
        "_confirmations",
        "_failed",
        "_freed",
        "_looked",
        "_opened",
        "_passed",
        "_pause",
        "_productive",
        "_refused_at",
        "_used_up",
        "capped",
        "doubt",
        "opens",
        "reset_known",
        "sent",
    )

    def __init__(self) -> None:
        self.doubt = Doubt()
        self.opens = self._opened = self._looked = float("inf")
        self._refused_at = float("-inf")
        self.reset_known = self.capped = False
        self.sent = 0
        # Of what was sent: what may be, and what got through; what had stopped counting before.
        self._allowed = self._passed = self._freed = 0
        # Whether all that is known to fit had got through, and the service said when there is more.
        self._used_up = False
        # Whether so much got through that a refill does not explain it.
        self._productive = False
        # Openings in a row after which hardly anything got through, and for how long that puts off the next look.
        self._failed = 0
        self._pause = 0.0
        # Refusals in a row that came when as much had got through as is known to fit.
        self._confirmations = 0

    def last(self, now: float) -> float:
        """Return when the quota opened last."""
        return self.opens if self.opens <= now else self._opened

    @property
    def allows(self) -> bool:
        """Whether another request may pass beside what is known, when the quota opens."""
        return self.sent < self._allowed

    def refused(self, refusal: Refusal) -> None:
        """Take the first refusal of a burst."""
        now, closing, window, reset_known = refusal.now, refusal.closing, refusal.window, refusal.reset_known
        few = refusal.fitting < FEW
        self.doubt.refused(
            now, closing=closing, window=window, through=refusal.through, few=few, reset_known=reset_known
        )
        if refusal.expected:
            self._confirmations += 1
        else:
            self._confirmations = 0
            if self._looked <= refusal.sent and self._allowed and not self._productive:
                self._failed += 1
                self.doubt.opened_in_vain()
        self._pause = min(self._next_pause(refusal), (_LONGEST_PAUSE_OF_FEW if few else _LONGEST_PAUSE) * window)
        if self.opens <= now:
            self._opened = self.opens
        self.opens = self._looked = now + closing + self._pause
        self.reset_known = reset_known
        self._refused_at, self._freed = now, refusal.freed
        self._allowed = 0 if refusal.expected and not reset_known else 1
        self.sent = self._passed = 0
        self.capped, self._productive = True, False
        self._used_up = refusal.expected and reset_known

    def _next_pause(self, refusal: Refusal) -> float:
        """Return for how long the look after a closing is put off."""
        if self.doubt or not self._failed:
            return 0.0
        if not refusal.reset_known:
            # The closings are long already: what was sent stops counting before another look is worth it.
            return refusal.window
        return max(2 * self._pause, refusal.closing * (2.0 ** min(self._failed, 64) - 1))

    def refused_too(self, opens: float) -> None:
        """Take another refusal of the burst, after which the quota opens then."""
        self.opens = self._looked = opens + self._pause
        self.sent = self._passed = 0

    def looks_beyond(self, window: float, *, confirmed: bool, few: bool) -> float:
        """Return when one request looks whether more gets through since the opening than is known to fit.

        Args:
            window: Seconds of a window.
            confirmed: Whether more than one refusal has shown how much fits.
            few: Whether that is so little that it shows hardly anything.
        """
        if confirmed and (self.reset_known or few):
            after = _LOOK_BEYOND * 2.0 ** min(self._confirmations, 64)
            return self.opens + window * after if after <= _LAST_LOOK_BEYOND else float("inf")
        if self.reset_known:
            return self.opens
        return float("inf") if confirmed else self.opens + window * _FIRST_LOOK_BEYOND

    def look_beyond(self, now: float) -> None:
        """Let one request look whether more gets through than is known to fit; if it does, two more for each."""
        self._looked, self.sent, self._passed, self._allowed = now, 0, 0, 1
        self.capped = self._productive = False

    def looks(self, sent: float) -> bool:
        """Return whether a request that was sent then looks for what there is beside what is known."""
        return sent >= self._looked and self._allowed > 0

    def landed(self, now: float, *, window: float, freed: tuple[int, int], rate: float) -> None:
        """Note that a request got through that looks.

        Args:
            now: The time.
            window: Seconds of a window.
            freed: Requests that have stopped counting so far, surely and at most.
            rate: Requests that are known to fit, per second.
        """
        self._passed += 1
        surely, at_most = freed
        if not self._used_up or self._passed > at_most - self._freed:
            # What stops counting now, one by one as in a sliding window, does not explain it.
            self._allowed += 2 if self._failed < _OFTEN else 1
        beyond = self._passed - (surely - self._freed)
        if not self._productive and beyond > 1 + rate * (now - self._refused_at) * _REFILL:
            self._productive, self._failed = True, 0
            self.doubt.opened(self._looked, window)
