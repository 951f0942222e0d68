"""What a client can tell about a quota."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["QuotaStatus"]


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """What is known of a quota: of this process, or with a shared store of all processes.

    Attributes:
        name: The model or tool.
        limit_requests: Requests per window, None where no number is known.
        limit_tokens: Tokens per window (input and requested maximum output), None where no number is known.
        remaining_requests: Requests left in the window that ends now, None without a limit.
        remaining_tokens: Tokens left in it, None without a limit.
        source: Where the limits come from: ``given``, reported in ``headers``, or ``inferred`` from refusals.
        closed_for: Seconds for which a refusal holds everybody back; 0 where the quota is open.
        waiting: Calls that wait for the limiter.
        in_flight: Requests in flight.
        window: Seconds in which the service counts.
        store: Where processes count together: ``"sqlite"``, ``"redis"``, ``"memory"`` or the ``kind`` of a store of
            yours; None for this process alone.
        shared: Whether the numbers are those of all processes. False without a store, and while it does not answer:
            then they are this process's own, and its share of the limits.
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
    store: str | None = None
    shared: bool = False
