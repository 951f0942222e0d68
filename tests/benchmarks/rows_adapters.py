"""Making a component after the first: its time, and that it neither connects nor looks anything up."""

from __future__ import annotations

import statistics

from measuring import PAIRS, Measured, Row
from workers import Worker

MOST = 0.001


def construction(_: str) -> Measured:
    """Median time of each component, the slowest of both adapters, against a millisecond."""
    with Worker("jobs_adapters") as ours:
        ours.do("construct")
        runs = [ours.do("construct").value for _ in range(PAIRS)]
    medians = {name: statistics.median(run["seconds"][name] for run in runs) for name in runs[0]["seconds"]}
    slowest = max(medians, key=lambda name: medians[name])
    touched = sorted({event for run in runs for event in run["touched"]})
    return Measured(
        medians[slowest],
        MOST,
        medians[slowest] / MOST,
        faults=tuple(f"it does {event}" for event in touched),
        note=f"{slowest} of {len(medians)}",
    )


ROWS = (Row("construction", "making an adapter after the first, the slowest / 1 ms", 1, construction),)
