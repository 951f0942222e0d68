"""What a rate limiter learns about a quota's size, from settings, headers and refusals. No I/O."""

from __future__ import annotations

from typing import Literal

__all__ = ["Bound"]


class Bound:
    """How many requests, or tokens, a window has, as far as it is known.

    A given bound always holds. Bounds that headers reported or that were inferred from refusals hold once the service
    has refused something. An inferred bound may be too small (another process may use the account), so it grows when
    requests waited for it during a whole window without a refusal: by a little, then by twice as much each time. When
    the growth is refused, the next try comes after twice as many windows.
    """

    __slots__ = ("_grew", "_hold", "_pressed", "_since", "_step", "given", "inferred", "reported")

    _FIRST_STEP = 0.016
    _LAST_STEP = 0.5
    _LONGEST_HOLD = 16

    def __init__(self) -> None:
        self.given: float | None = None
        self.reported: float | None = None
        self.inferred: float | None = None
        self._since = 0.0
        self._pressed = False
        self._grew = False
        self._step = self._FIRST_STEP
        self._hold = 1

    def limit(self, *, refused: bool) -> float | None:
        """Return the bound that holds, None for none.

        Args:
            refused: Whether the service has refused something.
        """
        if not refused:
            return self.given
        known = [value for value in (self.given, self.reported, self.inferred) if value is not None]
        return min(known) if known else None

    @property
    def source(self) -> Literal["given", "headers", "inferred"] | None:
        """Where the bound comes from that would hold after a refusal."""
        limit = self.limit(refused=True)
        if limit is None:
            return None
        return "given" if limit == self.given else "headers" if limit == self.reported else "inferred"

    def infer(self, let_through: float, now: float) -> None:
        """Take what was let through in the window of a refusal.

        Args:
            let_through: Requests or tokens.
            now: The time.
        """
        if self._grew:
            self._hold = min(self._hold * 2, self._LONGEST_HOLD)
            self._grew = False
        self._step = self._FIRST_STEP
        self._since = now
        self._pressed = False
        if self.inferred is None or let_through < self.inferred:
            self.inferred = max(1.0, let_through)

    def press(self, now: float, window: float) -> None:
        """Note that a request waits for the bound; it grows if that has been so for long enough."""
        if self.inferred is None or self.limit(refused=True) != self.inferred:
            return
        if self._pressed and now - self._since >= window * self._hold:
            self.inferred = max(self.inferred + 1, self.inferred * (1 + self._step))
            self._step = min(self._step * 2, self._LAST_STEP)
            self._since = now
            self._grew = True
            self._hold = max(1, self._hold)
        self._pressed = True

    def confirm(self, now: float, window: float) -> None:
        """Note that a request got through: growth that stood for a whole window is confirmed."""
        if self._grew and now - self._since >= window:
            self._grew = False
            self._hold = 1
