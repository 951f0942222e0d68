"""Prints the tables of "However the service counts": ``python tests/benchmarks/quota_matrix.py``, a few minutes.

Each cell is the worst of three seeds and, for a process alone, of 32 calls at once and all at once.
"""

from __future__ import annotations

import logging
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from quota_simulator import COUNTINGS, HEADERS, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SEEDS = (7, 8, 9)
_ALONE = [
    (f"{scarce}, {'limits given' if given else 'reactive'}", {"scarce": scarce, "given": given})
    for scarce in ("requests", "tokens")
    for given in (False, True)
]
_BESIDE = [(f"{count} processes, reactive", {"processes": count}) for count in (2, 4)]
STRAYS = {"one, the 10th": "10", "one, the 50th": "50", "every fifth": "fifth", "10 %": "0.1", "20 %": "0.2"}
_RESETS = {"no header": None, "reset of 0.05 s": 0.05, "reset of 0.5 s": 0.5}


def stray(kind: str, seed: int) -> Callable[[int], bool]:
    """Return which requests are refused without a quota, by their number from 1.

    Args:
        kind: A request's number, ``"fifth"``, or the share of requests below 1.
        seed: Of what is drawn.
    """
    if kind == "fifth":
        return lambda number: number % 5 == 0
    if "." in kind:
        draw = random.Random(seed)  # noqa: S311  a schedule, no secret
        return lambda _: draw.random() < float(kind)
    return lambda number: number == int(kind)


def counted(settings: dict[str, Any]) -> str:
    """Return a cell of the ways of counting: share and refusals, and of processes what the last one got."""
    alone = "processes" not in settings
    outcomes = [
        simulate(seed=seed, in_flight=in_flight, **settings)
        for seed in _SEEDS
        for in_flight in ((32, None) if alone else (32,))
    ]
    cell = f"{min(one.share for one in outcomes):.0%}, {max(one.refused for one in outcomes):.1%}"
    return cell if alone else f"{cell}, {min(min(one.parts) for one in outcomes):.0%}"


def strayed(kind: str, settings: dict[str, Any]) -> str:
    """Return a cell of the refusals without a quota: the share that got through."""
    outcomes = [simulate("sliding", "none", seed=seed, stray=stray(kind, seed), **settings) for seed in _SEEDS]
    return f"{min(1.0, *(one.parts[0] for one in outcomes)):.0%}"


def _print(head: Sequence[str], rows: Sequence[tuple[str, ...]], cells: Iterable[str], columns: int) -> None:
    print("|", " | ".join(head), "|")
    print("|" + "---|" * len(head))
    cells = iter(cells)
    for row in rows:
        print("|", " | ".join([*row, *(next(cells) for _ in range(columns))]), "|")
    print()


def main() -> None:
    """Print both tables."""
    logging.getLogger("clova_studio").setLevel(logging.CRITICAL)
    with ProcessPoolExecutor() as pool:
        ways = [
            (title, counting, {**settings, "counting": counting})
            for title, settings in _ALONE + _BESIDE
            for counting in COUNTINGS
        ]
        cells = pool.map(counted, [{**settings, "headers": headers} for *_, settings in ways for headers in HEADERS])
        head = (
            "What is scarce",
            "counted",
            "no headers",
            "reset with the 429",
            "rounded to seconds",
            "with every answer",
        )
        _print(head, [(title, counting) for title, counting, _ in ways], cells, len(HEADERS))
        kinds = [(title, kind, calls) for title, kind in STRAYS.items() for calls in (1, 4)]
        runs = [
            pool.submit(partial(strayed, kind, {"limit": limit, "in_flight": calls, "stray_reset": reset}))
            for _, kind, calls in kinds
            for limit in (None, 60)
            for reset in _RESETS.values()
        ]
        forms = [f"{quota}, {reset}" for quota in ("no quota", "60") for reset in _RESETS]
        rows = [(title, str(calls)) for title, _, calls in kinds]
        _print(("Refused", "calls at once", *forms), rows, (run.result() for run in runs), 2 * len(_RESETS))


if __name__ == "__main__":
    main()
