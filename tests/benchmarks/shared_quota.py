"""Processes that share a quota through a store, in real time: what the service allows, and what they get of it.

``python tests/benchmarks/shared_quota.py SETTINGS`` is one of the processes: it sends as fast as the quota lets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
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

from quota_servers import RedisServer

from clova_studio import AsyncClovaStudio, ClovaStudio, ClovaStudioError, RateLimits
from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WINDOW = 10.0
WINDOWS = 5
REQUESTS = 100
# One model's requests are the scarce thing, the other's tokens.
BY_REQUESTS, BY_TOKENS = "bge-m3", "clir-emb-dolphin"
PATHS = {BY_REQUESTS: "/v1/api-tools/embedding/v2", BY_TOKENS: "/v1/api-tools/embedding/clir-emb-dolphin"}
TEXTS = [f"{number}번째 문장입니다. " * length for number, length in enumerate((3, 9, 5, 14, 7))]
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
        """Kill a worker after two windows."""
        time.sleep(2 * WINDOW)
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
    headers: bool = False,
    disturb: Callable[[Shared], None] | None = None,
) -> Outcome:
    """Run processes for some windows.

    Args:
        counting: How the service counts.
        store: ``"sqlite"`` or ``"redis"``.
        given: Whether the processes are given the limits.
        processes: How many.
        loops: Event loops in each process; 0 for threads.
        headers: Whether answers have rate-limit headers.
        disturb: Has something happen in the middle.
    """
    tokens = token_counts()
    limits = {BY_REQUESTS: (REQUESTS, None), BY_TOKENS: (None, REQUESTS * sum(tokens.values()) // len(tokens))}
    with (
        store_of(store) as (address, redis),
        serve(rate_limits=limits, window=WINDOW, counting=counting, rate_limit_headers=headers, latency=0.03) as server,
    ):
        settings = {
            "api_key": server.api_key,
            "base_url": server.base_url,
            "store": address,
            "loops": loops,
            "limits": limits if given else {},
        }
        shared = Shared(redis)
        command = [sys.executable, __file__, json.dumps(settings)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        shared.workers = [subprocess.Popen(command, **pipes) for _ in range(processes)]
        for worker in shared.workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        server.requests.clear()
        for worker in shared.workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        if disturb is not None:
            threading.Thread(target=disturb, args=(shared,), daemon=True).start()
        while not server.requests:
            time.sleep(0.01)
        time.sleep(WINDOWS * WINDOW)
        seen = list(server.requests)
        for worker in shared.workers:
            worker.kill()
            worker.communicate()
    return Outcome(
        tuple(share(seen, model, limits, tokens) for model in limits),  # type: ignore[arg-type]  # two each
        tuple(refused(seen, model) for model in limits),  # type: ignore[arg-type]
    )


def token_counts() -> dict[str, int]:
    """Return the tokens of each text, as the service counts them."""
    with serve() as server, ClovaStudio(server.api_key, base_url=server.base_url) as client:
        return {text: client.embed(text, model=BY_TOKENS).input_tokens or 0 for text in TEXTS}


def of_model(seen: Sequence[Any], model: str) -> list[Any]:
    """Return the requests of a model, which are told apart by their paths."""
    return [request for request in seen if request.path == PATHS[model]]


def share(seen: Sequence[Any], model: str, limits: Any, tokens: dict[str, int]) -> float:
    """Return the share of the rate that is allowed after the first window, which is full at once.

    Full windows come at once, too: a rate is taken from the first request to the end of such a burst.
    """
    asked = of_model(seen, model)
    begin = min(request.time for request in asked)
    used, best = 0.0, 0.0
    most = limits[model][0] or limits[model][1]
    for request in sorted(asked, key=lambda request: request.time):
        if request.status == 200:
            used += 1 if model == BY_REQUESTS else tokens[request.body["text"]]
        at = request.time - begin
        if at >= (WINDOWS - 1) * WINDOW:
            best = max(best, (used / most - 1) * WINDOW / at)
    return min(1.0, best)


def refused(seen: Sequence[Any], model: str) -> float:
    """Return the share of the requests after the first window that was refused."""
    asked = of_model(seen, model)
    begin = min(request.time for request in asked)
    later = [request for request in asked if request.time >= begin + WINDOW]
    return float(sum(request.status == 429 for request in later) / len(later))


def work(settings: dict[str, Any]) -> None:
    """Send as fast as the quota lets it, from threads or from event loops, until the process is killed."""
    logging.getLogger("clova_studio").setLevel(logging.ERROR)
    limits = RateLimits(settings["limits"], window=WINDOW, store=settings["store"])
    client: dict[str, Any] = {"api_key": settings["api_key"], "base_url": settings["base_url"], "max_wait": None}
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


def send(client: ClovaStudio, model: str, number: int, begin: threading.Barrier) -> None:
    """Send one text after the other, with a connection that is open by then."""
    client.count_embedding_tokens(TEXTS[0])
    begin.wait()
    begin.wait()
    while True:
        with contextlib.suppress(ClovaStudioError):
            client.embed(TEXTS[number % len(TEXTS)], model=model)
        number += 1


async def send_in_loop(client: AsyncClovaStudio, begin: threading.Barrier) -> None:
    """Send many texts at a time."""
    calls = [(model, number) for model in (BY_REQUESTS, BY_TOKENS) for number in range(CALLS_AT_ONCE)]

    async def one(model: str, number: int) -> None:
        while True:
            with contextlib.suppress(ClovaStudioError):
                await client.embed(TEXTS[number % len(TEXTS)], model=model)
            number += 1

    await asyncio.gather(*(client.count_embedding_tokens(TEXTS[0]) for _ in calls))
    begin.wait()
    await asyncio.to_thread(begin.wait)
    await asyncio.gather(*(one(model, number) for model, number in calls))


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
