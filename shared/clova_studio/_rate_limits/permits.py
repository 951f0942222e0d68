"""Permits: what a call asks a rate limiter for before each attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Charge", "Permit", "Wait"]


class Charge(Protocol):
    """What a request costs in tokens."""

    def input_tokens(self) -> int:
        """Return about how many tokens the input has."""
        ...

    def output_tokens(self) -> int:
        """Return the requested maximum output, which the service charges whatever the answer has."""
        ...


class Permit:
    """One attempt's permit: it waits in the limiter's queue until it is granted, then counts for a window.

    Attributes:
        order: The lower, the earlier its turn.
        granted: Whether the attempt may be sent.
        in_flight: Whether the request was sent and has no answer yet.
        sent: When it was granted.
        time: When the request arrived at the service, as far as that is known.
        due: While it waits: when it asks again.
        wake: While it waits: called when it is worth asking again.
        estimate: The estimated tokens of the input, None while they were not needed.
        shared_id: Its id in a store of shared quotas, None without one.
    """

    __slots__ = (
        *("_charge", "_tokens", "due", "estimate", "granted", "in_flight"),
        *("order", "sent", "shared_id", "time", "wake"),
    )

    def __init__(self, order: int, charge: Charge) -> None:
        self.order = order
        self.granted = False
        self.in_flight = False
        self.sent = self.time = self.due = float("inf")
        self.shared_id: str | None = None
        self.wake: Callable[[], None] | None = None
        self.estimate: int | None = None
        self._tokens: float | None = None
        # The request itself, which may be large: held until its tokens are known or it has failed.
        self._charge: Charge | None = charge

    def grant(self, now: float) -> None:
        """Let the attempt be sent."""
        self.granted = self.in_flight = True
        self.sent = self.time = now
        self.wake = None

    def input_tokens(self) -> int:
        """Return the estimated tokens of the input."""
        if self.estimate is None:
            self.estimate = 0 if self._charge is None else self._charge.input_tokens()
        return self.estimate

    def output_tokens(self) -> int:
        """Return the requested maximum output."""
        return 0 if self._charge is None else self._charge.output_tokens()

    def tokens(self, ratio: float) -> float:
        """Return the tokens it is charged: the input, counted or estimated, and the requested output.

        Args:
            ratio: What estimates are multiplied with. A granted permit keeps its first value.
        """
        if self._tokens is not None:
            return self._tokens
        tokens = self.input_tokens() * ratio + self.output_tokens()
        if self.granted:
            self._tokens = tokens
        return tokens

    def let_go(self) -> None:
        """Let go of the request, whose tokens were asked for before."""
        self._charge = None

    def settle(self, input_tokens: int) -> float:
        """Take the service's count of the input, and let go of the request; return how much more it is charged now."""
        before, charge, self._charge = self._tokens, self._charge, None
        if charge is not None:
            self._tokens = input_tokens + charge.output_tokens()
        return 0.0 if before is None or self._tokens is None else self._tokens - before


class Wait(NamedTuple):
    """How long a permit has to wait, in seconds.

    Attributes:
        least: It is at least this long.
        nap: When to ask again unless woken.
        unknown: Whether nobody knows yet if it has to wait: a store was asked and has not answered.
    """

    least: float
    nap: float
    unknown: bool = False
