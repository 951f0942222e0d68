"""How much of the rate that a quota allows hundreds of calls at once reach, and what they lose.

Not a ratio of CPU: the server's window is the baseline. Each row has an emulator of its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from measuring import Measured, Row

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {
    "pacing-limits": "with limits given",
    "pacing-tokens": "with limits given, tokens the scarce ones",
    "pacing-headers": "without limits",
    "pacing-headerless": "without limits and headers, from the third window on",
    "pacing-sliding": "without limits, a sliding window",
    "pacing-aligned": "without limits, windows aligned to the clock",
    "pacing-bucket": "without limits, a token bucket",
}
MOST_REFUSED = 0.01
_BARS = {"pacing-headerless": 0.80, "pacing-sliding": 0.90, "pacing-aligned": 0.90, "pacing-bucket": 0.90}


def paced(name: str) -> Callable[[str], Measured]:
    """Return what runs a mode of the scenario once."""

    def measure(_: str) -> Measured:
        import pacing_scenario

        _, arguments, first = pacing_scenario.MODES[name]
        window, limits = pacing_scenario.WINDOW, pacing_scenario.LIMITS
        logging.getLogger("clova_studio").setLevel(logging.ERROR)  # a line for each retry
        outcome = pacing_scenario.run(window=window, limits=limits, **arguments)
        a_window = limits[0] if "max_tokens" not in arguments else sum(mark < window * 0.9 for mark in outcome.marks)
        share = outcome.share_of_allowed(window, a_window, from_window=first)
        lost = outcome.calls - outcome.answered
        faults = [f"{lost} lost"] if lost else []
        if "given" in NAMES[name] and outcome.refused_share > MOST_REFUSED:
            faults.append(f"more than {MOST_REFUSED:.0%} refused")
        note = f"{outcome.refused_share:.1%} refused, {lost} lost"
        return Measured(share, 1.0, share, faults=tuple(faults), note=note)

    return measure


ROWS = tuple(
    Row(
        name,
        f"rate of {title} / what the quota allows",
        _BARS.get(name, 0.95),
        paced(name),
        unit="%",
        at_least=True,
    )
    for name, title in NAMES.items()
)
