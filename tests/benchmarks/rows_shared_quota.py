"""What processes that share a quota get of it, and what a store costs a request.

Not a ratio of CPU: what the service allows is the baseline, and two milliseconds. Each row has a service and a store of
its own.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from measuring import PAIRS, Measured, Row
from workers import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

# With limits given, and without: the least share of what the service allows, the most that it may refuse.
BARS = {True: (0.95, 0.01), False: (0.9, 0.05)}
TEXTS = 200
MOST_ADDED = 0.002
STORES = {"sliding": "redis", "fixed": "sqlite", "aligned": "redis", "bucket": "sqlite"}


def shared(*, given: bool, disturbed: str = "", **arguments: Any) -> Callable[[str], Measured]:
    """Return what runs processes once."""

    def measure(_: str) -> Measured:
        import shared_quota

        if disturbed:
            arguments["disturb"] = getattr(shared_quota.Shared, disturbed)
        outcome = shared_quota.run(given=given, **arguments)
        share, most = min(outcome.shares), BARS[given][1]
        faults = [f"more than {most:.0%} refused"] if max(outcome.refused) > most else []
        words = zip(("requests", "tokens"), outcome.shares, outcome.refused, strict=True)
        note = "; ".join(f"{what} {part:.1%}, {refused:.1%} refused" for what, part, refused in words)
        return Measured(share, 1.0, share, faults=tuple(faults), note=note)

    return measure


def added(kind: str) -> Callable[[str], Measured]:
    """Return what measures the time that a store adds to a request: medians of interleaved pairs."""

    def measure(base_url: str) -> Measured:
        import shared_quota

        with shared_quota.store_of(kind) as (address, _), Worker("jobs_client") as worker:

            def median(store: str | None) -> float:
                return float(worker.do("embed_median", base_url=base_url, store=store, texts=TEXTS).value)

            median(address)
            median(None)
            pairs = [median(address) - median(None) for _ in range(PAIRS)]
        more = statistics.median(pairs)
        return Measured(more, MOST_ADDED, more / MOST_ADDED)

    return measure


def row(name: str, title: str, *, given: bool, **arguments: Any) -> Row:
    """Return a row of processes."""
    words = "limits given" if given else "without limits"
    title = f"rate of {title}, {words} / what the quota allows"
    return Row(name, title, BARS[given][0], shared(given=given, **arguments), unit="%", at_least=True)


ROWS = (
    *(
        row(
            f"shared-{counting}{'' if given else '-reactive'}",
            f"4 processes, {counting}, {store}",
            given=given,
            counting=counting,
            store=store,
        )
        for given in (True, False)
        for counting, store in STORES.items()
    ),
    row(
        "shared-loops",
        "2 processes of 2 event loops",
        given=True,
        counting="sliding",
        store="redis",
        processes=2,
        loops=2,
    ),
    row(
        "shared-killed", "4 processes, one killed", given=True, counting="sliding", store="sqlite", disturbed="kill_one"
    ),
    row(
        "shared-down",
        "4 processes, store down for 2 windows",
        given=True,
        counting="sliding",
        store="redis",
        disturbed="stop_store",
    ),
    *(
        Row(
            f"shared-{kind}",
            f"time that a shared quota in {kind} adds to a request / 2 ms",
            1.0,
            added(kind),
            unit="ms",
        )
        for kind in ("sqlite", "redis")
    ),
)
