"""Processes that share a quota through a store, in real time: what the service allows, and what they get of it.

``python tests/benchmarks/shared_quota.py SETTINGS`` is one of the processes: it sends as fast as the quota lets it.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from counting_service import CountingService
from quota_servers import RedisServer

from clova_studio import AsyncClovaStudio, ClovaStudio, ClovaStudioError, RateLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from counting_service import Seen

WINDOW = 10.0
WINDOWS = 5
REQUESTS = 100
# At which a window is looked at.
STEPS = 50
# One model's requests are the scarce thing, the other's tokens.
BY_REQUESTS, BY_TOKENS = "bge-m3", "clir-emb-dolphin"
PATHS = {BY_REQUESTS: "/v1/api-tools/embedding/v2", BY_TOKENS: "/v1/api-tools/embedding/clir-emb-dolphin"}
# Text -> its tokens, somewhat fewer than the client estimates.
TEXTS = {f"{number}번째 문장입니다. " * length: 4 * length for number, length in enumerate((30, 90, 50, 140, 70))}
FIRST = next(iter(TEXTS))
CALLS_AT_ONCE = 12


@dataclass(frozen=True)
class Outcome:
    """What a run gave, of requests and of tokens.

    Attributes:
        shares: Of what the service allows.
        refused: Of the requests that arrived after the first window, the share that was refused.
    """

    shares: tuple[float, float]
    refused: tuple[float, float]


class Shared:
    """A run in progress, for what is to happen in its middle."""

    def __init__(self, redis: RedisServer | None) -> None:
        self.redis = redis
        self.workers: list[subprocess.Popen[str]] = []

    def kill_one(self) -> None:
        """Kill a worker in the middle of the second window."""
        time.sleep(1.5 * WINDOW)
        self.workers[0].kill()

    def stop_store(self) -> None:
        """Take the store away for two windows, and all that it knew."""
        assert self.redis is not None
        time.sleep(1.5 * WINDOW)
        self.redis.kill()
        time.sleep(2 * WINDOW)
        self.redis.start()


@contextlib.contextmanager
def store_of(kind: str) -> Iterator[tuple[str, RedisServer | None]]:
    """Give the address of a store, and its server if it has one."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/quota.db", None
        else:
            with RedisServer(Path(folder)) as server:
                yield server.address, server


def run(
    *,
    counting: Any,
    store: str,
    given: bool,
    processes: int = 4,
    loops: int = 0,
    disturb: Callable[[Shared], None] | None = None,
) -> Outcome:
    """Run processes for some windows.

    Args:
        counting: How the service counts.
        store: ``"sqlite"`` or ``"redis"``.
        given: Whether the processes are given the limits.
        processes: How many.
        loops: Event loops in each process; 0 for threads.
        disturb: Has something happen in the middle.
    """
    mean = sum(TEXTS.values()) // len(TEXTS)
    limits: dict[str, tuple[int | None, int | None]] = {
        BY_REQUESTS: (REQUESTS, None),
        BY_TOKENS: (None, REQUESTS * mean),
    }
    by_path = {PATHS[model]: limit for model, limit in limits.items()}
    with store_of(store) as (address, redis), CountingService(counting, WINDOW, by_path, TEXTS) as server:
        settings = {"base_url": server.base_url, "store": address, "loops": loops, "limits": limits if given else {}}
        shared = Shared(redis)
        command = [sys.executable, __file__, json.dumps(settings)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        shared.workers = [subprocess.Popen(command, **pipes) for _ in range(processes)]
        for worker in shared.workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        for worker in shared.workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        if disturb is not None:
            threading.Thread(target=disturb, args=(shared,), daemon=True).start()
        while not server.seen:
            time.sleep(0.01)
        time.sleep(WINDOWS * WINDOW)
        seen = list(server.seen)
        for worker in shared.workers:
            worker.kill()
            worker.communicate()
    return Outcome(
        tuple(share(seen, PATHS[model], limits[model]) for model in limits),  # type: ignore[arg-type]  # two each
        tuple(refused(seen, PATHS[model]) for model in limits),  # type: ignore[arg-type]
    )


def share(seen: Sequence[Seen], path: str, limit: tuple[int | None, int | None]) -> float:
    """Return the share of the rate that is allowed after the first window.

    Windows are used up in bursts, so it is the mean time between any two amounts that are a whole window's worth apart.
    """
    requests, tokens = limit
    most = requests or tokens or 0
    used, marks = 0, []
    for request in seen:
        if request.model == path and request.passed:
            used += request.tokens if requests is None else 1
            marks.append((used, request.time))
    steps = [most + step * most // STEPS for step in range(1, STEPS * WINDOWS)]
    steps = [step for step in steps if step + most <= used]
    cycles = [reached(marks, step + most) - reached(marks, step) for step in steps]
    return min(1.0, WINDOW / statistics.mean(cycles))


def reached(marks: list[tuple[int, float]], amount: int) -> float:
    """Return when so much was used up."""
    return marks[bisect.bisect_left(marks, (amount, 0.0))][1]


def refused(seen: Sequence[Seen], path: str) -> float:
    """Return the share of the requests after the first window that was refused."""
    asked = [request for request in seen if request.model == path]
    later = [request for request in asked if request.time >= asked[0].time + WINDOW]
    return sum(not request.passed for request in later) / len(later)


def work(settings: dict[str, Any]) -> None:
    """Send as fast as the quota lets it, from threads or from event loops, until the process is killed."""
    logging.getLogger("clova_studio").setLevel(logging.ERROR)
    limits = RateLimits(settings["limits"], window=WINDOW, store=settings["store"])
    client: dict[str, Any] = {"api_key": "nv-bench", "base_url": settings["base_url"], "max_wait": None}
    begin = threading.Barrier((settings["loops"] or 2 * CALLS_AT_ONCE) + 1)
    if settings["loops"]:
        asynchronous = AsyncClovaStudio(rate_limits=limits, **client)
        jobs = [partial(asyncio.run, send_in_loop(asynchronous, begin)) for _ in range(settings["loops"])]
    else:
        shared = ClovaStudio(rate_limits=limits, **client)
        jobs = [
            partial(send, shared, model, number, begin)
            for model in (BY_REQUESTS, BY_TOKENS)
            for number in range(CALLS_AT_ONCE)
        ]
    for job in jobs:
        threading.Thread(target=job).start()
    begin.wait()
    print("ready", flush=True)
    sys.stdin.readline()
    begin.wait()


def text_of(number: int) -> str:
    """Return one text after the other."""
    return list(TEXTS)[number % len(TEXTS)]


def send(client: ClovaStudio, model: str, number: int, begin: threading.Barrier) -> None:
    """Send one text after the other, with a connection that is open by then."""
    client.count_embedding_tokens(FIRST)
    begin.wait()
    begin.wait()
    while True:
        with contextlib.suppress(ClovaStudioError):
            client.embed(text_of(number), model=model)
        number += 1


async def send_in_loop(client: AsyncClovaStudio, begin: threading.Barrier) -> None:
    """Send many texts at a time."""
    calls = [(model, number) for model in (BY_REQUESTS, BY_TOKENS) for number in range(CALLS_AT_ONCE)]

    async def one(model: str, number: int) -> None:
        while True:
            with contextlib.suppress(ClovaStudioError):
                await client.embed(text_of(number), model=model)
            number += 1

    await asyncio.gather(*(client.count_embedding_tokens(FIRST) for _ in calls))
    begin.wait()
    await asyncio.to_thread(begin.wait)
    await asyncio.gather(*(one(model, number) for model, number in calls))


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
