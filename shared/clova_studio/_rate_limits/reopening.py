"""What a reset header is worth: when it opens a quota, how many requests may pass beside what is known. No I/O."""

from __future__ import annotations

__all__ = ["Reopening"]


class Reopening:
    """What may be sent after a reset, although requests from before it still count.

    A reset says when one request may pass: in a sliding window or a token bucket it is one, in a window that is fixed
    or aligned to the clock it is all of them, and the header does not say which. So one request looks, and each that
    got through lets two more look. When that is refused, the next resets are not tried: one, then two, then four.

    Attributes:
        opens: When the quota opens; what was sent earlier is from before the reset.
        sent: Requests sent since.
    """

    __slots__ = ("_allowed", "_skip", "_skipped", "opens", "sent")

    _MOST_SKIPPED = 64

    def __init__(self) -> None:
        self.opens = float("inf")
        self.sent = 0
        self._allowed = 0
        self._skip = self._skipped = 0

    def refused(self, sent: float, opens: float, *, expected: bool) -> None:
        """Take a refusal with a reset.

        Args:
            sent: When the refused request was sent.
            opens: When the quota opens again.
            expected: Whether as much got through since the last reset as is known to fit.
        """
        if self.opens <= sent and self._allowed and not expected:
            self._skip = min(max(1, self._skip * 2), self._MOST_SKIPPED)
            self._skipped = 0
        elif expected:
            self._skip = 0
        self._allowed = 1 if self._skipped >= self._skip else 0
        self._skipped += 1
        self.opens, self.sent = opens, 0

    def close(self) -> None:
        """Take a refusal without a reset."""
        self.opens, self._allowed = float("inf"), 0

    def landed(self, sent: float) -> None:
        """Note that a request got through."""
        if sent >= self.opens and self._allowed:
            self._allowed += 2

    @property
    def allows(self) -> bool:
        """Whether another request may pass beside what is known, when the quota opens."""
        return self.sent < self._allowed
