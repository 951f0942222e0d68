"""What happens to calls when the store of a shared quota fails: nothing that they notice."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from quota_servers import CuttingProxy, RedisServer, eventually
from quota_worker import other_process, shared_client

from clova_studio import APIConnectionError, AsyncClovaStudio, ClovaStudio, MemoryQuotaStore
from clova_studio._rate_limits.stores.redis import RedisQuotaStore
from clova_studio._rate_limits.stores.sqlite import SQLiteQuotaStore

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parents[2]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of its own, to be broken."""
    with RedisServer(tmp_path) as made:
        yield made


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log lines about the store."""
    return [record.getMessage() for record in caplog.records if "quota store" in record.getMessage()]


def shared(client: Any) -> bool:
    """Return whether a client counts together with others now."""
    return bool(client.quota("bge-m3").shared)


@pytest.mark.slow
def test_a_store_that_dies_fails_no_call(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Calls go on without the store, with one warning; it comes back by itself, with one line, and knows all again."""
    client = shared_client(ClovaStudio, server.address, 100)
    for _ in range(3):
        client.embed("글")
    assert shared(client)
    server.kill()
    for _ in range(3):
        client.embed("글")
    status = client.quota("bge-m3")
    assert (status.store, status.shared) == ("redis", False)
    assert len(lines(caplog)) == 1
    server.start()
    eventually(lambda: shared(client))
    other = other_process(client, RedisQuotaStore(server.address))
    eventually(lambda: other.status().remaining_requests == 94)
    assert "works again" in lines(caplog)[1]
    client.close()


@pytest.mark.slow
async def test_a_store_that_hangs_holds_nobody_up(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """While the store hangs, calls go on after a moment and the event loop is never blocked; then it is used again."""
    client = shared_client(AsyncClovaStudio, server.address, 100)
    await client.embed("글")
    gaps = []

    async def beat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - before)

    task = asyncio.create_task(beat())
    server.stop()
    await asyncio.wait_for(asyncio.gather(*(client.embed("글") for _ in range(5))), 20)
    assert len(lines(caplog)) == 1
    server.go_on()
    await asyncio.to_thread(eventually, lambda: shared(client))
    task.cancel()
    assert "works again" in lines(caplog)[1]
    # The time limit for the store is 250 ms: a loop that waited for it would stand still for as long.
    assert sorted(gaps)[len(gaps) // 2] < 0.1
    await client.aclose()


@pytest.mark.slow
def test_an_answer_that_is_lost_on_the_way(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that is cut after the script has run costs nothing: what was taken then is put right afterwards."""
    with CuttingProxy(server.port) as proxy:
        client = shared_client(ClovaStudio, f"redis://127.0.0.1:{proxy.port}", 100)
        client.embed("글")
        proxy.cuts = True
        client.embed("글")
        proxy.cuts = False
        eventually(lambda: shared(client))
        other = other_process(client, RedisQuotaStore(server.address))
        eventually(lambda: other.status().remaining_requests == 98)
        assert "works again" in lines(caplog)[1]
        client.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--maxmemory", "1", "--maxmemory-policy", "noeviction"), "maxmemory"),
        (("--replicaof", "127.0.0.1 1"), "read only"),
        (("--requirepass", "geheim-1234"), "Auth"),
    ],
    ids=["full", "read-only", "password"],
)
def test_a_server_that_refuses(
    tmp_path: Path, options: tuple[str, ...], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is full, read-only or wants another password is left out, with one warning that says why."""
    with RedisServer(tmp_path, *options) as server:
        address = f"redis://:falsches-passwort@127.0.0.1:{server.port}/0"
        client = shared_client(ClovaStudio, address if "password" in str(options[0]) else server.address)
        client.embed("글")
        assert not shared(client)
        (line,) = lines(caplog)
        assert words.lower() in line.lower()
        assert "passwort" not in line
        client.close()


@pytest.mark.slow
def test_what_another_version_wrote(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Something else under the quota's name is left alone and the store left out, until it is gone."""
    client = shared_client(ClovaStudio, server.address)
    quota = client._limiter("bge-m3").quota
    with server.client() as redis:
        redis.hset(f"clova-studio:quota:{{{quota}}}:facts", mapping={"epoch": "x", "version": 3, "state": "[99]"})
        client.embed("글")
        assert "another version" in lines(caplog)[0]
        time.sleep(1.2)  # it is tried again meanwhile
        assert len(lines(caplog)) == 1
        assert not shared(client)
        redis.flushall()
    eventually(lambda: shared(client))
    client.close()


def _make_folder(path: Path) -> None:
    path.mkdir()


def _make_corrupt(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 32)


def _make_torn(path: Path) -> None:
    store = SQLiteQuotaStore(path)
    store.check()
    store.close()
    data = bytearray(path.read_bytes())
    data[1024:] = b"\xff" * (len(data) - 1024)
    path.write_bytes(data)


def _make_foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()


def _make_newer(path: Path) -> None:
    store = SQLiteQuotaStore(path)
    store.check()
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize("make", [_make_folder, _make_corrupt, _make_torn, _make_foreign, _make_newer])
def test_a_file_that_cannot_be_used(make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder, a corrupt or torn file, and those of other programs or versions are left alone, with one warning."""
    path = tmp_path / "quota.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    client = shared_client(ClovaStudio, f"sqlite:///{path}")
    client.embed("글")
    client.embed("글")
    assert not shared(client)
    assert len(lines(caplog)) == 1
    assert before is None or path.read_bytes() == before
    client.close()


@pytest.mark.parametrize("path", ["/proc/quota.db", "/nothing/such/quota.db"])
def test_a_place_that_cannot_be_written(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is read-only or missing costs one warning."""
    client = shared_client(ClovaStudio, f"sqlite:///{path}")
    client.embed("글")
    assert len(lines(caplog)) == 1
    client.close()


@pytest.mark.slow
def test_a_file_that_somebody_holds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A process that stands still in the middle of a transaction holds nobody up for longer than a moment."""
    client = shared_client(ClovaStudio, f"sqlite:///{tmp_path}/quota.db")
    client.embed("글")
    with sqlite3.connect(tmp_path / "quota.db", isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        client.embed("글")
        assert "locked" in lines(caplog)[0]
        holder.execute("ROLLBACK")
    holder.close()
    eventually(lambda: shared(client))
    assert "works again" in lines(caplog)[1]
    assert client.quota("bge-m3").remaining_requests == 3
    client.close()


def test_a_file_that_is_deleted(tmp_path: Path) -> None:
    """Who has the old file open goes over to the new one, and tells it what it has sent."""
    path = tmp_path / "quota.db"
    client = shared_client(ClovaStudio, f"sqlite:///{path}")
    client.embed("글")
    for file in tmp_path.glob("quota.db*"):
        file.unlink()
    client.embed("글")
    store = SQLiteQuotaStore(path)
    assert other_process(client, store).status().remaining_requests == 3
    store.close()
    client.close()


FULL = """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
"""
READ_ONLY = """
    store = SQLiteQuotaStore(path)
    store.check()
    store.close()
    pathlib.Path(path).chmod(0o444)
    if os.geteuid() == 0:
        os.seteuid(65534)  # root may write to every file
"""


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_a_file_that_cannot_be_written(trouble: str) -> None:
    """Where nothing more can be written, or nothing at all, calls go on, with one warning."""
    code = f"""
    import logging, os, pathlib, resource, signal, sys, tempfile
    sys.path[:0] = {[str(HERE / "tests" / "support"), str(HERE / "shared")]!r}
    from quota_worker import shared_client
    from clova_studio import ClovaStudio
    from clova_studio._rate_limits.stores.sqlite import SQLiteQuotaStore
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    folder = tempfile.TemporaryDirectory()
    pathlib.Path(folder.name).chmod(0o755)
    path = folder.name + "/quota.db"
    warm = shared_client(ClovaStudio, "sqlite:///" + path + ".other")
    warm.embed("글")
    {trouble}
    client = shared_client(ClovaStudio, "sqlite:///" + path)
    for _ in range(5):
        client.embed("글")
    print(client.quota("bge-m3").shared)
    os.seteuid(os.getuid())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False"]
    assert done.stderr.count("quota.db does not work") == 1


def test_a_store_that_loses_everything_is_told_again(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """After a flush that no process noticed, the next question brings back what is known, of all processes."""
    client = shared_client(ClovaStudio, server.address, 10)
    other = other_process(client, RedisQuotaStore(server.address))
    for _ in range(2):
        client.embed("글")
        assert other.take() == 0
    client.quota("bge-m3")
    with server.client() as redis:
        redis.flushall()
    assert client.quota("bge-m3").remaining_requests == 6
    assert other.status().remaining_requests == 6
    late = other_process(client, RedisQuotaStore(server.address), "late")
    assert late.status().remaining_requests == 6
    assert lines(caplog) == []
    client.close()


@pytest.mark.parametrize("step", [-3_600.0, 3_600.0])
def test_a_clock_that_is_set(server: RedisServer, step: float) -> None:
    """The server's clock is set by an hour: what was sent counts as long as before, and no longer."""
    client = shared_client(ClovaStudio, server.address, 10)
    quota = client._limiter("bge-m3").quota
    client.embed("글")
    with server.client() as redis:
        # As if the clock were set: the script adds this to it.
        key = f"clova-studio:quota:{{{quota}}}:facts"
        redis.hset(key, "skew", float(redis.hget(key, "skew")) + step)
    client.embed("글")
    assert client.quota("bge-m3").remaining_requests == 8
    late = other_process(client, RedisQuotaStore(server.address), "late")
    assert late.status().remaining_requests == 8
    assert late.take() == 0
    client.close()


def test_a_machine_that_was_started_anew(tmp_path: Path) -> None:
    """What an SQLite file has from before the machine was started is dropped: its clock began anew."""
    path = tmp_path / "quota.db"
    before = SQLiteQuotaStore(path, clock=lambda: time.monotonic() + 1e6)
    client = shared_client(ClovaStudio, f"sqlite:///{path}")
    worker = other_process(client, before)
    for _ in range(5):
        assert worker.take() == 0
    before.close()
    client.embed("글")
    assert client.quota("bge-m3").remaining_requests == 4
    client.close()


@pytest.mark.slow
@pytest.mark.parametrize("make", [ClovaStudio, AsyncClovaStudio])
def test_calls_may_fail_with_the_store(server: RedisServer, make: Any) -> None:
    """With on_store_error="raise" a call fails by name while the store does, and works again when it does."""
    client = shared_client(make, server.address, on_store_error="raise")

    def call() -> Any:
        found = client.embed("글")
        return asyncio.run(found) if make is AsyncClovaStudio else found

    call()
    server.kill()
    with pytest.raises(APIConnectionError, match=r"quota store redis://127\.0\.0\.1:\d+/0 does not work"):
        call()
    server.start()

    def works() -> bool:
        try:
            call()
        except APIConnectionError:
            return False
        return True

    eventually(works)
    client._given_http = None


@pytest.mark.slow
def test_shares_of_those_that_go_on_alone(server: RedisServer) -> None:
    """Without the store each process keeps to what it had: together no more than the limit."""
    clients = [shared_client(ClovaStudio, server.address, 40, quota_group="shares") for _ in range(1)]
    client = clients[0]
    other = other_process(client, RedisQuotaStore(server.address))
    for _ in range(9):
        client.embed("글")
        for _ in range(2):
            other.take()
    client.quota("bge-m3")
    server.kill()
    client.embed("글")
    status = client.quota("bge-m3")
    # 10 of 29: nine of its own and 18 others, and one more for each of the two.
    assert status.limit_requests == 40 * 10 // 29
    assert status.remaining_requests == 3
    client.close()


def test_threads_that_wait_are_woken_when_the_store_fails(server: RedisServer) -> None:
    """Calls that wait for the shared quota do not wait for ever for a store that is gone."""
    client = shared_client(ClovaStudio, server.address, 4, window=2.0)
    other = other_process(client, RedisQuotaStore(server.address))
    for _ in range(4):
        assert other.take() == 0
    done: list[object] = []
    threads = [threading.Thread(target=lambda: done.append(client.embed("글"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    server.kill()
    for thread in threads:
        thread.join(20)
    assert len(done) == 2
    client.close()


class HangingStore(MemoryQuotaStore):
    """A store that does not come back from a question: a disk, or a name server, without a time limit of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()
        self.answers.set()

    def update(self, *arguments: Any) -> Any:
        self.answers.wait(30)
        return super().update(*arguments)


@pytest.mark.slow
def test_a_store_without_time_limits(caplog: pytest.LogCaptureFixture) -> None:
    """Calls go on after a second at most, whatever the thread hangs in, and the store is used again when it answers."""
    store = HangingStore()
    client = shared_client(ClovaStudio, store)
    client.embed("글")
    store.answers.clear()
    client.embed("글")
    assert "no answer within 1 s" in lines(caplog)[0]
    assert not shared(client)
    store.answers.set()
    eventually(lambda: shared(client))
    assert client.quota("bge-m3").remaining_requests == 3
    assert "works again" in lines(caplog)[1]
    client.close()
