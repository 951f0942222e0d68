"""Processes that share a quota: forked, spawned, killed, ended, and those that share nothing."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from quota_servers import eventually
from quota_worker import other_process, shared_client

from clova_studio import ClovaStudio, RateLimits
from clova_studio._rate_limits.stores.redis import RedisQuotaStore
from clova_studio._rate_limits.stores.sqlite import SQLiteQuotaStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quota_servers import RedisServer

    from clova_studio._rate_limits.stores.interface import QuotaStore

ROOT = Path(__file__).parents[2]
BEGIN = f"import sys; sys.path[:0] = {[str(ROOT / 'tests' / 'support'), str(ROOT / 'shared')]!r}\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


class Place:
    """A store of one kind: its address, and the store as a process opens it."""

    def __init__(self, address: str, make: Any) -> None:
        self.address = address
        self._make = make
        self._opened: list[QuotaStore] = []

    def open(self) -> QuotaStore:
        self._opened.append(self._make())
        return self._opened[-1]

    def close(self) -> None:
        for store in self._opened:
            store.close()


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A store that processes can share."""
    if request.param == "sqlite":
        path = tmp_path / "quota.db"
        made = Place(f"sqlite:///{path}", lambda: SQLiteQuotaStore(path))
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        made = Place(server.address, lambda: RedisQuotaStore(server.address))
    yield made
    made.close()


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a process of its own."""
    command = [sys.executable, "-c", BEGIN + textwrap.dedent(code), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


EMBEDS = """
    import time
    from quota_worker import shared_client
    from clova_studio import ClovaStudio as make
    address, group, calls, window = sys.argv[1:]
    client = shared_client(make, store=address, requests=10, window=float(window), quota_group=group)
    for _ in range(int(calls)):
        client.embed("글")
        print("embedded", flush=True)
"""


def test_what_ends_has_said_all(place: Place) -> None:
    """A process that ends right after its last answer has told the store of it: nothing stays in flight."""
    group = str(uuid.uuid4())
    client = shared_client(ClovaStudio, place.address, 10, quota_group=group)
    with start(EMBEDS, place.address, group, "3", "60") as process:
        process.communicate()
    status = client.quota("bge-m3")
    assert (status.remaining_requests, status.in_flight, status.shared) == (7, 0, True)
    client.close()


def test_who_is_killed_holds_nobody_up(place: Place) -> None:
    """Workers that are killed while they wait, and while they send, leave the others what there is."""
    group = str(uuid.uuid4())
    hanging = EMBEDS.replace("(make, ", "(make, answer=lambda _: time.sleep(60), ")
    sending = start(hanging, place.address, group, "1", "1.0")
    client = shared_client(ClovaStudio, place.address, 10, window=1.0, quota_group=group)
    other = other_process(client, place.open())
    eventually(lambda: other.status().in_flight == 1)
    os.kill(sending.pid, signal.SIGKILL)
    sending.communicate()
    for _ in range(9):
        assert other.take() == 0
    waiting = start(EMBEDS, place.address, group, "5", "1.0")
    eventually(lambda: other.status().waiting == 1)
    os.kill(waiting.pid, signal.SIGKILL)
    waiting.communicate()
    for _ in range(12):
        client.embed("글")
    client.close()


CLIENTS: list[Any] = []


def _embed_in_child(calls: int) -> tuple[int, bool]:
    for _ in range(calls):
        CLIENTS[0].embed("글")
    status = CLIENTS[0].quota("bge-m3")
    return status.remaining_requests, status.shared


def test_forked_workers_share(place: Place) -> None:
    """Processes that are forked in the middle of calls count with their parent, over connections of their own."""
    client = shared_client(ClovaStudio, place.address, 20)
    client.embed("글")
    CLIENTS[:] = [client]
    for round_ in range(3):  # in the middle of what the parent's thread does
        client.embed("글")
        with multiprocessing.get_context("fork").Pool(2) as pool:
            left = pool.map(_embed_in_child, [1, 2], chunksize=1)
        assert [shared for _, shared in left] == [True, True]
        assert client.quota("bge-m3").remaining_requests == 20 - 1 - 4 * (round_ + 1)
    CLIENTS.clear()
    client.close()


def _embed_with(client: Any) -> int:
    client.count_embedding_tokens  # noqa: B018  it is a client
    return int(client.quota("bge-m3").remaining_requests)


def test_a_client_that_is_sent_to_another_process(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickled client finds the store where it was, whether limits or the variable named it."""
    limits = {"bge-m3": (5, None)}
    group = str(uuid.uuid4())
    named = ClovaStudio("nv-key-one", rate_limits=RateLimits(limits, store=place.address), quota_group=group)
    monkeypatch.setenv("CLOVASTUDIO_QUOTA_STORE", place.address)
    by_variable = ClovaStudio("nv-key-one", rate_limits=RateLimits(limits), quota_group=group)
    monkeypatch.delenv("CLOVASTUDIO_QUOTA_STORE")
    worker = other_process(named, place.open())
    assert worker.take() == 0
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(_embed_with, [named, by_variable]) == [4, 4]
    assert pickle.loads(pickle.dumps(by_variable)).quota("bge-m3").store in {"sqlite", "redis"}  # noqa: S301


def test_without_a_store_nothing_is_paid() -> None:
    """A client without a store starts no thread, and imports neither a store nor what a store needs."""
    code = """
        import httpx, threading
        from client_support import KEY, answer, embedded
        from clova_studio import ClovaStudio, RateLimits
        client = ClovaStudio(
            KEY,
            http_client=httpx.Client(transport=httpx.MockTransport(lambda _: answer(embedded()))),
            rate_limits=RateLimits({"bge-m3": (5, None)}),
        )
        client.embed("글")
        client.quota("bge-m3")
        found = [name for name in sys.modules if "_rate_limits.s" in name or name in ("sqlite3", "redis")]
        print("clova-quota-store" in {thread.name for thread in threading.enumerate()}, sorted(found))
    """
    with start(code) as process:
        out, _ = process.communicate()
    expected = ["clova_studio._rate_limits.settings", "clova_studio._rate_limits.status"]
    assert out.strip() == f"False {expected}"


def test_threads_and_connections_end_with_their_clients(place: Place) -> None:
    """When the last client of a store is gone, the thread that asked it ends, and closes what it had open."""
    import gc
    import threading

    from clova_studio._rate_limits.registry import clear

    def asking() -> int:
        return sum(thread.name == "clova-quota-store" for thread in threading.enumerate())

    before = asking()
    client = shared_client(ClovaStudio, place.address, 20)
    client.embed("글")
    assert asking() == before + 1
    client.close()
    del client
    clear()
    gc.collect()
    end = time.monotonic() + 20
    while asking() > before:
        assert time.monotonic() < end
        gc.collect()
        time.sleep(0.01)
