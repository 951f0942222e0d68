"""Plans an index of a million chunks under one account's quota: ``python tests/benchmarks/million_chunks.py``.

A simulation on a virtual clock, window by window, the same at each run: it prints the table of ``docs/scale.md``.

In each window the account may send so many requests and so many tokens; other users take their share first, and what is
left is divided between the workers, none of which can send more than it has in flight allows. Work is handed out in
parts. A worker that is killed is gone for the rest of its window, and what it has not stored of its part goes back.
"""

from __future__ import annotations

import argparse
import random
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# A window of a minute, and the time for which a request is counted to be sure: a shared quota adds 0.5 %.
WINDOW = 60.0 * 1.005
CHUNKS = 1_000_000
# Seconds that the service takes for an embedding.
LATENCY = 0.4
KEYS = {"test": (60, 40_000), "service": (540, 960_000)}
# Lengths are drawn between half of the mean and one and a half times it, and these are taken again and again.
_DRAWN = 997
# Chunks that a worker takes at a time, however few of them are stored together.
_HANDED_OUT = 20


@dataclass(frozen=True)
class Plan:
    """What is to be done, and with what.

    Attributes:
        key: ``"test"`` or ``"service"``: which quota there is.
        tokens: Tokens of a chunk, on average.
        workers: Processes, on however many machines.
        in_flight: Requests of a worker at a time.
        part: Chunks that are stored together; 1 for each as soon as it is there.
        kill_hours: Hours between two kills of a worker, one after the other; None for none.
        others: Share of the quota that other users take, from 0 to below 1.
    """

    key: str = "service"
    tokens: int = 450
    workers: int = 4
    in_flight: int = 32
    part: int = 1
    kill_hours: float | None = None
    others: float = 0.0


class Result(NamedTuple):
    """What a plan comes to.

    Attributes:
        hours: Until the last chunk is stored.
        bound: What the time goes by: ``"requests"``, ``"tokens"`` or ``"workers"``.
        again: Share of the chunks that was asked again.
    """

    hours: float
    bound: str
    again: float


class _Lengths:
    """The tokens of chunks that are sent one after the other."""

    def __init__(self, mean: int) -> None:
        drawn = random.Random(7)  # noqa: S311  lengths, no secret
        half = [drawn.randint(mean // 2, mean) for _ in range(_DRAWN // 2)]
        lengths = [mean, *half, *(2 * mean - length for length in half)]
        drawn.shuffle(lengths)
        self._sums = list(accumulate(lengths))
        self._sent = 0

    def _sum(self, count: int) -> int:
        rounds, rest = divmod(count, len(self._sums))
        return rounds * self._sums[-1] + (self._sums[rest - 1] if rest else 0)

    def fitting(self, tokens: int) -> int:
        """Return how many of the next chunks have no more tokens together."""
        rounds, rest = divmod(self._sum(self._sent) + tokens, self._sums[-1])
        return rounds * len(self._sums) + bisect_right(self._sums, rest) - self._sent

    def send(self, count: int) -> None:
        """Go on to the chunks after these."""
        self._sent += count


@dataclass
class _Worker:
    """A worker: what it has left of its part, and what of it is not stored yet."""

    left: int = 0
    unstored: int = 0


def simulate(plan: Plan, chunks: int = CHUNKS) -> Result:
    """Return what a plan comes to.

    Args:
        plan: The plan.
        chunks: How many.
    """
    requests, tokens = (int(limit * (1 - plan.others)) for limit in KEYS[plan.key])
    most = int(plan.in_flight * WINDOW / LATENCY)
    size = max(plan.part, _HANDED_OUT)
    parts = deque([size] * (chunks // size) + [chunks % size] * (chunks % size > 0))
    workers = [_Worker() for _ in range(plan.workers)]
    lengths = _Lengths(plan.tokens)
    bounds = dict.fromkeys(("requests", "tokens", "workers"), 0)
    now, sent, kills, stored = 0.0, 0, 0, 0
    while stored < chunks:
        alive, wasted = workers, 0
        if plan.kill_hours is not None and now >= (kills + 1) * plan.kill_hours * 3600:
            victim = workers[kills % plan.workers]
            kills += 1
            # What was in flight has used the quota for nothing.
            wasted = plan.in_flight
            if victim.left:
                parts.appendleft(victim.left + victim.unstored)
            victim.left = victim.unstored = 0
            alive = [worker for worker in workers if worker is not victim]
        allowed = {
            "requests": requests - wasted,
            "tokens": lengths.fitting(tokens - wasted * plan.tokens),
            "workers": most * len(alive),
        }
        bound = min(allowed, key=lambda name: allowed[name])
        budget, done = allowed[bound], 0
        for index, worker in enumerate(alive):
            share = min(most, (budget - done) // (len(alive) - index))
            while share and (worker.left or parts):
                worker.left = worker.left or parts.popleft()
                count = min(share, worker.left)
                share -= count
                done += count
                worker.left -= count
                worker.unstored += count
                if plan.part == 1 or not worker.left:
                    stored += worker.unstored
                    worker.unstored = 0
        sent += wasted + done
        lengths.send(done)
        bounds[bound] += 1
        now += WINDOW
    return Result(now / 3600, max(bounds, key=lambda name: bounds[name]), sent / chunks - 1)


ROWS: tuple[tuple[str, Plan], ...] = (
    ("test key", Plan("test")),
    ("test key, longer chunks", Plan("test", tokens=667)),
    ("test key, chunks over the break-even", Plan("test", tokens=700)),
    ("service key, one worker", Plan(workers=1)),
    ("service key, 4 workers", Plan()),
    ("service key, 32 workers", Plan(workers=32)),
    ("service key, one worker, one request at a time", Plan(workers=1, in_flight=1)),
    ("service key, long chunks", Plan(tokens=1_700)),
    ("service key, chunks over the break-even", Plan(tokens=2_400)),
    ("a kill every two hours, stored one by one", Plan(kill_hours=2)),
    ("a kill every two hours, parts of 1,000", Plan(kill_hours=2, part=1_000)),
    ("a kill every two hours, parts of 10,000", Plan(kill_hours=2, part=10_000)),
    ("others take a quarter", Plan(others=0.25)),
    ("others take half", Plan(others=0.5)),
)


def break_even(key: str) -> int:
    """Return the tokens of a chunk up to which the requests are scarce, and from which the tokens are."""
    requests, tokens = KEYS[key]
    return round(tokens / requests)


def table(rows: Sequence[tuple[str, Plan]] = ROWS) -> str:
    """Return the table of ``docs/scale.md``."""
    head = (
        "A million chunks with",
        "requests, tokens per minute",
        "tokens of a chunk",
        "hours",
        "bound by",
        "asked again",
    )
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for title, plan in rows:
        result = simulate(plan)
        requests, tokens = KEYS[plan.key]
        again = f"{result.again:.2%}" if result.again else "-"
        cells = (title, f"{requests}, {tokens:,}", f"{plan.tokens:,}", f"{result.hours:.1f}", result.bound, again)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(table(), end="")


if __name__ == "__main__":
    main()
