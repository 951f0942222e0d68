"""How a store is named, what a client tells of it, and that nothing of it shows what is secret."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import logging
import pickle
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis
from client_support import KEY, answer, embedded, envelope
from quota_servers import eventually
from quota_worker import other_process, shared_client

from clova_studio import (
    AsyncClovaStudio,
    ClovaStudio,
    ConfigurationError,
    MemoryQuotaStore,
    QuotaStore,
    RateLimitError,
    RateLimits,
)
from clova_studio._rate_limits.stores.address import StoreAddress, network_file_system
from clova_studio._rate_limits.stores.redis import RedisQuotaStore
from clova_studio._rate_limits.stores.sqlite import SQLiteQuotaStore
from clova_studio.adapters import estimate_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from quota_servers import RedisServer

SECRET = "geheim/er%Schluessel"
ADDRESS = "rediss://nutzer:geheim%2Fer%25Schluessel@127.0.0.1:1/0?ssl_cert_reqs=none"
VARIABLE = "CLOVASTUDIO_QUOTA_STORE"


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("mysql://host/db", "another kind of address"),
        ("quota.db", "another kind of address"),
        ("redis://", "no host"),
        ("redis://host:port", "not a valid address"),
        ("sqlite://", "is a file"),
        ("sqlite://host/quota.db", "is a file"),
        ("sqlite:///:memory:", "is a file"),
        ("redis://***@host:6379/0", "was masked"),
        (7, "got int"),
    ],
)
def test_what_is_no_store_is_refused(store: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address is refused with the forms that there are, as a parameter and as the variable; it is not shown."""
    with pytest.raises(ConfigurationError, match=words):
        RateLimits(store=store)
    if isinstance(store, str):
        monkeypatch.setenv(VARIABLE, store)
        with pytest.raises(ConfigurationError, match=f"{VARIABLE}.*{words}"):
            ClovaStudio(KEY)


def test_what_to_do_without_the_store_is_checked() -> None:
    """on_store_error has two values."""
    with pytest.raises(ConfigurationError, match="'alone' or 'raise'"):
        RateLimits(on_store_error="wait")


def test_the_parameter_takes_precedence_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that name a store are not changed by the variable, which holds for all others."""
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path}/variable.db")
    named = RateLimits(store=f"sqlite:///{tmp_path}/named.db")
    for limits, file in (
        (named, "named.db"),
        (RateLimits(), "variable.db"),
        ("test", "variable.db"),
        (None, "variable.db"),
    ):
        assert str(ClovaStudio(KEY, rate_limits=limits)._store).endswith(file)
    assert RateLimits.preset("test", store=f"sqlite:///{tmp_path}/named.db").store == named.store
    monkeypatch.setenv(VARIABLE, " ")
    assert ClovaStudio(KEY)._store is None


def test_no_secret_shows(caplog: pytest.LogCaptureFixture) -> None:
    """User, password and options of an address are in no repr, text, copy, log line or error."""
    caplog.set_level(logging.DEBUG)
    limits = RateLimits({"bge-m3": (5, None)}, store=ADDRESS)
    client = shared_client(ClovaStudio, ADDRESS, on_store_error="raise")
    texts = [
        repr(limits),
        str(limits.store),
        repr(dataclasses.asdict(limits)),
        repr(copy.deepcopy(limits)),
        repr(client),
    ]
    texts += [repr(RedisQuotaStore(ADDRESS)), repr(client._store), repr(client._limiter("bge-m3").__dict__)]
    with pytest.raises(Exception) as caught:  # noqa: PT011  whichever it is
        client.embed("글")
    error = caught.value
    while error is not None:
        texts += [repr(error), str(error), repr(error.args)]
        error = error.__cause__ or error.__context__
    texts += [record.getMessage() for record in caplog.records]
    for text in texts:
        assert SECRET not in text
        assert "Schluessel" not in text
        assert "nutzer" not in text
        assert "ssl_cert_reqs" not in text
    assert "rediss://***@127.0.0.1:1/0" in repr(limits)
    client.close()


def test_limits_with_a_store_are_values() -> None:
    """They can be compared, hashed and pickled, and the pickle holds the whole address."""
    limits = RateLimits({"bge-m3": (5, None)}, store=ADDRESS)
    assert pickle.loads(pickle.dumps(limits)) == limits  # noqa: S301
    assert pickle.loads(pickle.dumps(limits)).store.for_redis() == ADDRESS  # noqa: S301
    assert hash(limits) == hash(RateLimits({"bge-m3": (5, None)}, store=ADDRESS))
    assert limits != RateLimits({"bge-m3": (5, None)})


def test_limits_in_json_show_the_address_alone() -> None:
    """What writes limits as JSON writes an address without secrets; one that had none can be read back."""
    assert (
        json.loads(json.dumps(dataclasses.asdict(RateLimits(store=ADDRESS))))["store"]
        == "rediss://***@127.0.0.1:1/0?***"
    )
    plain = RateLimits(store="redis://host:6379/0")
    assert RateLimits(store=json.loads(json.dumps(plain.store))) == plain


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:40 / /home rw - nfs4 server:/home rw
24 23 8:2 / /home/lokal\\040hier rw - xfs /dev/sdb rw
25 22 0:41 / /mnt/share rw master:2 - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("path", "system"),
    [
        ("/var/quota.db", None),
        ("/home/ich/quota.db", "nfs4"),
        ("/home/lokal hier/quota.db", None),
        ("/homes/quota.db", None),
        ("/mnt/share/quota.db", "cifs"),
    ],
)
def test_network_file_systems_are_found(path: str, system: str | None) -> None:
    """The file system of a path is that of the longest mount point above it."""
    assert network_file_system(path, MOUNTS) == system


def test_sqlite_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with such a store says so by name, and names the way out."""
    from clova_studio._rate_limits.stores import address

    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 0:1 / {tmp_path.resolve()} rw - nfs4 server:/ rw\n", encoding="utf-8")
    monkeypatch.setattr(address, "_MOUNTS", mounts)
    with pytest.raises(ConfigurationError, match=r"network file system \(nfs4\).*redis://"):
        ClovaStudio(KEY, rate_limits=RateLimits(store=f"sqlite:///{tmp_path}/refused.db"))


def test_a_client_tells_what_all_use(redis_server: RedisServer) -> None:
    """client.quota has the numbers of all processes, says from where, and waits for them."""
    client = shared_client(ClovaStudio, redis_server.address, 10)
    other = other_process(client, RedisQuotaStore(redis_server.address))
    for _ in range(3):
        assert other.take() == 0
    client.embed("글")
    status = client.quota("bge-m3")
    assert (status.name, status.store, status.shared) == ("bge-m3", "redis", True)
    assert (status.limit_requests, status.remaining_requests, status.in_flight) == (10, 6, 3)
    for _ in range(2):
        assert other.take() == 0
    assert client.quota("bge-m3").remaining_requests == 4
    client.close()


async def test_an_async_client_tells_it_without_waiting(tmp_path: Path) -> None:
    """An AsyncClovaStudio gives the last numbers, and newer ones soon after."""
    client = shared_client(AsyncClovaStudio, f"sqlite:///{tmp_path}/quota.db", 10)
    store = SQLiteQuotaStore(tmp_path / "quota.db")
    other = other_process(client, store)
    assert other.take() == 0
    assert client.quota("bge-m3").store == "sqlite"
    await asyncio.to_thread(eventually, lambda: client.quota("bge-m3").remaining_requests == 9)
    assert client.quota("bge-m3").shared
    store.close()
    await client.aclose()


def test_two_limits_are_one_warning(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """The process with the looser limit keeps to the stricter one of another, and says so once."""
    # Of the caller's, since those of our own are given up after a quarter of a second, also on a busy machine.
    patient = redis.Redis.from_url(redis_server.address, socket_timeout=10)
    client = shared_client(ClovaStudio, RedisQuotaStore(client=patient), 10, max_wait=0.0)
    other = other_process(client, RedisQuotaStore(client=patient))
    other.member = other.member._replace(limit=(2, None))
    assert other.take() == 0
    client.embed("글")
    with pytest.raises(RateLimitError, match="max_wait"):
        client.embed("글")
    with pytest.raises(RateLimitError):
        client.embed("글")
    client.quota("bge-m3")
    (line,) = [record.getMessage() for record in caplog.records if "two limits" in record.getMessage()]
    assert "10 requests per window in this process, 2 in another one; the smaller one holds" in line
    client.close()
    patient.close()


def test_max_wait_is_for_the_quota_and_not_for_the_store(tmp_path: Path) -> None:
    """With max_wait=0 a call passes where the quota has room; where there is none, the error tells for how long."""
    client = shared_client(ClovaStudio, f"sqlite:///{tmp_path}/quota.db", 2, max_wait=0.0)
    client.embed("글")
    client.embed("글")
    with pytest.raises(RateLimitError) as caught:
        client.embed("글")
    assert 55 < caught.value.retry_after < 65
    client.close()


@pytest.mark.parametrize("make", [ClovaStudio, AsyncClovaStudio])
def test_a_refusal_holds_other_processes_back(make: Any, redis_server: RedisServer) -> None:
    """A refusal of one process closes the quota for the others, until the reset that it named."""
    refused = answer(envelope("42901", "no"), 429, x_ratelimit_reset_requests="30s")
    client = shared_client(make, redis_server.address, None, answer=lambda _: refused, max_retries=0)
    other = other_process(client, RedisQuotaStore(redis_server.address))
    assert other.take() == 0
    call = client.embed if make is ClovaStudio else lambda text: asyncio.run(client.embed(text))
    with pytest.raises(RateLimitError):
        call("글")
    eventually(lambda: other.status().closed_for > 25)
    assert other.take() > 0


def test_a_store_of_yours(caplog: pytest.LogCaptureFixture) -> None:
    """A QuotaStore object works like an address; one that fails fails no call."""
    store = MemoryQuotaStore()
    one, two = (shared_client(ClovaStudio, store, 10, quota_group="one") for _ in range(2))
    one.embed("글")
    two.embed("글")
    assert one.quota("bge-m3").remaining_requests == 8
    assert one.quota("bge-m3").store == "memory"

    class Broken(QuotaStore):
        kind = "broken"

        def update(self, *_: Any) -> Any:
            raise ZeroDivisionError

    three = shared_client(ClovaStudio, Broken())
    three.embed("글")
    assert "the quota store broken does not work (ZeroDivisionError)" in caplog.text
    assert three.quota("bge-m3").store == "broken"


def test_a_client_without_a_store_joins_one_that_has_it(tmp_path: Path) -> None:
    """In one process a quota is counted in one place: whichever client names the store, and whenever."""
    settings: dict[str, Any] = {"quota_group": str(uuid.uuid4()), "rate_limits": RateLimits({"bge-m3": (10, None)})}
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answer(embedded())))
    first = ClovaStudio(KEY, http_client=http, **settings)
    first.embed("글")
    second = shared_client(ClovaStudio, f"sqlite:///{tmp_path}/quota.db", 10, quota_group=settings["quota_group"])
    second.embed("글")
    first.embed("글")
    assert first.quota("bge-m3").shared
    assert first.quota("bge-m3").remaining_requests == second.quota("bge-m3").remaining_requests == 7
    for client in (first, second):
        client.close()


def test_tokens_are_counted_for_all(redis_server: RedisServer) -> None:
    """A request is charged what it is estimated to cost, and what the service says once it has answered."""
    group, text = str(uuid.uuid4()), "글" * 100
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answer(embedded(tokens=30))))
    limits = RateLimits({"bge-m3": (None, 1_000)}, store=redis_server.address)
    client = ClovaStudio(KEY, http_client=http, rate_limits=limits, quota_group=group)
    client.embed(text)
    assert estimate_tokens(text) > 40
    assert client.quota("bge-m3").remaining_tokens == 970
    with pytest.raises(ConfigurationError, match="window of bge-m3 has 1,000"):
        client.embed("글" * 10_000)
    client.close()


def test_no_key_is_in_the_store(redis_server: RedisServer) -> None:
    """What is kept names the quota by a hash, and has neither the key nor the name of its group."""
    client = shared_client(ClovaStudio, redis_server.address, quota_group="Abteilung Forschung")
    client.embed("글")
    client.quota("bge-m3")
    quota = client._limiter("bge-m3").quota
    with redis_server.client() as redis:
        kept = [name for name in redis.scan_iter() if quota.encode() in name]
        assert len(kept) == 3
        for name in kept:
            assert 0 < redis.ttl(name) <= 2 * 60 + 60
            assert b"{" + quota.encode() + b"}" in name
            dump = redis.dump(name)
            assert KEY.encode() not in dump
            assert b"Forschung" not in dump
    client.close()
    assert StoreAddress("redis://host").open().kind == "redis"
