"""What a row of the table is, and how a ratio is measured: interleaved pairs after a warm-up, and their medians."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAIRS = 7


class UnmeasurableError(Exception):
    """Ours or the baseline cannot be installed or run: the row is short, for there is nothing to compare."""


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        ours: Ours, in the row's unit.
        baseline: What it is compared with.
        ratio: What the bar is for.
        faults: What went wrong besides, for which the row fails.
        note: What else is worth saying.
    """

    ours: float
    baseline: float
    ratio: float
    faults: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: How to ask for it.
        title: What is compared with what.
        bar: The ratio to reach.
        measure: Measures it; takes the address of the stand-in server.
        unit: Of ours and the baseline.
        at_least: Whether the bar is the least ratio; otherwise it is the most.
    """

    name: str
    title: str
    bar: float
    measure: Callable[[str], Measured]
    unit: str = "us"
    at_least: bool = False

    def passed(self, measured: Measured) -> bool:
        """Return whether the bar is reached, and nothing else went wrong."""
        reached = measured.ratio >= self.bar if self.at_least else measured.ratio <= self.bar
        return reached and not measured.faults


def compare(
    ours: Callable[[], float],
    baseline: Callable[[], float],
    *,
    pairs: int = PAIRS,
    inverse: bool = False,
    note: str = "",
) -> Measured:
    """Return the medians of both and of their ratio, from interleaved pairs after a warm-up.

    Args:
        ours: Measures ours once.
        baseline: Measures the baseline once.
        pairs: How many.
        inverse: Whether the ratio is how many times faster ours is.
        note: What else is worth saying.
    """
    ours()
    baseline()
    measured = [(ours(), baseline()) for _ in range(pairs)]
    return Measured(
        statistics.median(a for a, _ in measured),
        statistics.median(b for _, b in measured),
        statistics.median(b / a if inverse else a / b for a, b in measured),
        note=note,
    )
