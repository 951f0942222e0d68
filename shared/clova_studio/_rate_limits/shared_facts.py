"""What passes between a shared quota and the coordinator: questions for the store, and what its answers tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clova_studio._rate_limits.stores.operations import Land, Refuse, Sent

if TYPE_CHECKING:
    from clova_studio._rate_limits.permits import Permit
    from clova_studio._rate_limits.status import QuotaStatus
    from clova_studio._rate_limits.stores.operations import Member, Operation

__all__ = ["Facts", "Questions", "by_age"]


class Facts(NamedTuple):
    """What is known of a quota that is shared.

    Attributes:
        status: What all processes use.
        given: The strictest limits that any process was given.
        share: This process's share.
        others: What others have sent that counts: in how many seconds it stops counting, and its tokens.
        time: When it was so.
    """

    status: QuotaStatus
    given: tuple[float | None, float | None]
    share: float
    others: list[tuple[float, float]]
    time: float

    def limit(self, index: int) -> float | None:
        """Return the limit of requests (0) or tokens (1), given or learnt."""
        known = self.status.limit_requests, self.status.limit_tokens
        return min((limit for limit in (self.given[index], known[index]) if limit is not None), default=None)


class Questions(NamedTuple):
    """What one question asks and tells.

    Attributes:
        operations: For the store.
        takes: The permits that are asked for, by the index of their operation.
        member: What this process says of itself.
    """

    operations: list[Operation]
    takes: dict[int, Permit]
    member: Member


def by_age(operation: Operation, time: float, now: float) -> Operation:
    """Return an operation with ages in place of times."""
    if isinstance(operation, Land):
        return operation._replace(sent=now - operation.sent, ago=now - operation.ago)
    if isinstance(operation, Sent):
        return operation._replace(ago=now - operation.ago)
    if isinstance(operation, Refuse):
        return operation._replace(seconds=max(0.0, operation.seconds - (now - time)))
    return operation
