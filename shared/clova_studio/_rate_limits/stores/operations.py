"""What a process asks a store, and tells it. Times are seconds ago: clocks of processes and stores are not the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from clova_studio._rate_limits.settings import Limit
    from clova_studio.types._base import RateLimit

__all__ = [
    "Answer",
    "Drop",
    "Join",
    "Land",
    "Leave",
    "Member",
    "Operation",
    "OwnPermit",
    "Refuse",
    "Sent",
    "Settle",
    "Take",
]


class Take(NamedTuple):
    """A permit is wanted.

    Attributes:
        permit: Its id, which no other permit has.
        estimate: Estimated tokens of the input.
        output: The requested maximum output.
    """

    permit: str
    estimate: int
    output: int


class Sent(NamedTuple):
    """A request was sent later than its permit was granted."""

    permit: str
    ago: float


class Land(NamedTuple):
    """The service has let a request through.

    Attributes:
        permit: Its id.
        sent: Seconds since it was sent.
        ago: Seconds since it arrived at the service, at least.
        reported: What the headers said.
    """

    permit: str
    sent: float
    ago: float
    reported: RateLimit | None = None


class Settle(NamedTuple):
    """The service's count of a request's input."""

    permit: str
    tokens: int


class Drop(NamedTuple):
    """A request ended in some other way: the service may or may not have counted it."""

    permit: str


class Refuse(NamedTuple):
    """The service has refused a request for the quota.

    Attributes:
        permit: Its id.
        seconds: How long the quota is closed.
        reported: What the headers said.
        reset_known: Whether the service said when it opens.
    """

    permit: str
    seconds: float
    reported: RateLimit | None = None
    reset_known: bool = False


class Leave(NamedTuple):
    """Nobody waits any more; with a permit, this one is given back unused."""

    permit: str | None = None


class OwnPermit(NamedTuple):
    """What a process knows of one of its own permits.

    Attributes:
        permit: Its id.
        sent: Seconds since it was sent.
        ago: Seconds since it arrived at the service, at least.
        in_flight: Whether the request has no answer yet.
        estimate: Estimated tokens of the input.
        output: The requested maximum output.
        tokens: What it is charged, None while that is not known.
    """

    permit: str
    sent: float
    ago: float
    in_flight: bool
    estimate: int
    output: int
    tokens: float | None


class Join(NamedTuple):
    """A process comes (back) to the store.

    Attributes:
        permits: All of its own that count.
        closed_for: Seconds for which a refusal holds it back.
    """

    permits: tuple[OwnPermit, ...] = ()
    closed_for: float = 0.0


Operation: TypeAlias = Take | Sent | Land | Settle | Drop | Refuse | Leave | Join


class Member(NamedTuple):
    """What a process says of itself with each question.

    Attributes:
        limit: The limits that it was given.
        window: Seconds in which the service counts.
        waiting: Calls that wait in it.
    """

    limit: Limit = (None, None)
    window: float = 60.0
    waiting: int = 0


class Answer(NamedTuple):
    """The answer to one operation.

    Attributes:
        wait: Seconds until it is worth asking again: 0 for a permit that is granted, and for all other operations.
        least: Seconds that the wait takes at least.
    """

    wait: float = 0.0
    least: float = 0.0
