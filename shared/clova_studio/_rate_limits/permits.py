"""What a quota hands out: places in its line, and slots for what it has let through."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Charge", "Slot", "Ticket", "Wait"]


class Charge(Protocol):
    """What a request costs in tokens."""

    def input_tokens(self) -> int:
        """Return about how many tokens the input has."""
        ...

    def output_tokens(self) -> int:
        """Return the requested maximum output, which the service charges whatever the answer has."""
        ...


class Slot:
    """A request that the quota let through.

    Attributes:
        time: When it arrived at the service, as far as that is known.
        tokens: What it was charged, None while nobody has asked.
    """

    __slots__ = ("_charge", "estimate", "sent", "time", "tokens", "under_way")

    def __init__(self, now: float, charge: Charge) -> None:
        self.sent = now
        self.time = now
        self.tokens: float | None = None
        self.estimate: int | None = None
        self.under_way = True
        # Held until the service has counted its tokens, or as long as the slot is.
        self._charge: Charge | None = charge

    def charged(self, ratio: float) -> float:
        """Return its tokens: the service's count of the input, or an estimate, and the requested output."""
        if self.tokens is None and self._charge is not None:
            self.estimate = self._charge.input_tokens()
            self.tokens = self.estimate * ratio + self._charge.output_tokens()
        return self.tokens or 0.0

    def known(self, input_tokens: int) -> None:
        """Take the service's count of the input, and let go of the request."""
        charge, self._charge = self._charge, None
        if charge is not None:
            self.tokens = input_tokens + charge.output_tokens()


class Ticket:
    """A place in the line of a quota.

    Attributes:
        order: The lower, the earlier its turn.
        slot: What it got, None while it waits.
        wake: Called when it is worth asking again.
    """

    __slots__ = ("charge", "due", "estimate", "order", "slot", "wake")

    def __init__(self, order: int, charge: Charge) -> None:
        self.order = order
        self.charge = charge
        self.estimate: int | None = None
        self.slot: Slot | None = None
        self.due = float("inf")
        self.wake: Callable[[], None] | None = None


class Wait(NamedTuple):
    """How long a ticket has to wait, in seconds.

    Attributes:
        least: It is at least this long.
        nap: When to ask again if nobody wakes it.
    """

    least: float
    nap: float
