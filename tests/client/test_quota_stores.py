"""What every store of shared quotas does: memory, SQLite, and Redis or Valkey with a real server."""

from __future__ import annotations

import pickle
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from client_support import Clock
from quota_servers import eventually
from quota_worker import Worker

from clova_studio import RateLimit
from clova_studio._rate_limits.stores.address import StoreAddress
from clova_studio._rate_limits.stores.memory import MemoryQuotaStore
from clova_studio._rate_limits.stores.operations import Join, Land, Leave, Member, OwnPermit, Refuse, Settle, Take
from clova_studio._rate_limits.stores.records import Change, Delta, Known, QuotaStoreError
from clova_studio._rate_limits.stores.redis import RedisQuotaStore
from clova_studio._rate_limits.stores.sqlite import SQLiteQuotaStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from quota_servers import RedisServer

    from clova_studio._rate_limits.stores.interface import QuotaStore

WINDOW = 60.0


class Place:
    """Where a store is: opens it as often as processes would."""

    def __init__(self, kind: str, make: Callable[[], QuotaStore], tamper: Callable[[str, str], Any]) -> None:
        self.kind = kind
        self.tamper = tamper
        self._make = make
        self._opened: list[QuotaStore] = []
        self.quota = uuid.uuid4().hex

    def open(self) -> QuotaStore:
        """Return the store as another process has it."""
        self._opened.append(self._make())
        return self._opened[-1]

    def close(self) -> None:
        for store in self._opened:
            store.close()

    def worker(
        self, name: str, requests: int | None = None, tokens: int | None = None, window: float = WINDOW
    ) -> Worker:
        """Return a process that uses the store."""
        return Worker(self.open(), self.quota, name, Member((requests, tokens), window))


@pytest.fixture(params=["memory", "sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A store of each kind, empty."""
    if request.param == "memory":
        memory = MemoryQuotaStore()

        def spoil(quota: str, text: str) -> None:
            kept = memory._quotas[quota]
            kept.state, kept.known = text, Known(kept.known.epoch, kept.known.version + 1)

        made = Place("memory", lambda: memory, spoil)
    elif request.param == "sqlite":
        file = tmp_path / "quota.db"

        def spoil(quota: str, text: str) -> None:
            import sqlite3

            with sqlite3.connect(file) as connection:
                connection.execute("UPDATE quotas SET state = ?, version = version + 1", (text,))
            connection.close()

        made = Place("sqlite", lambda: SQLiteQuotaStore(file), spoil)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")

        def spoil(quota: str, text: str) -> None:
            with server.client() as client:
                client.hset(f"clova-studio:quota:{{{quota}}}:facts", "state", text)
                client.hincrby(f"clova-studio:quota:{{{quota}}}:facts", "version", 1)

        made = Place("redis", lambda: RedisQuotaStore(server.address), spoil)
    yield made
    made.close()


def test_processes_count_together(place: Place) -> None:
    """Of five requests per window two processes get five, and the next one waits until the first stops counting."""
    one, two = place.worker("one", 5), place.worker("two", 5)
    assert [one.take(), two.take(), one.take(), two.take(), one.take()] == [0] * 5
    answer = two.ask(Take("more", 0, 0))[0]
    assert WINDOW * 0.99 < answer.least < WINDOW * 1.05
    assert 0 < answer.wait <= 0.6
    assert one.status().remaining_requests == 0
    assert one.status().in_flight == two.status().in_flight == 5


def test_tokens_count_together(place: Place) -> None:
    """Tokens of all are estimated and then counted: what a request did not use, others get."""
    one, two = place.worker("one", None, 1_000), place.worker("two", None, 1_000)
    assert one.take(400, output=100) == 0
    assert two.take(400, output=50) > 0
    one.ask(Land(one.last, 0.1, 0.0), Settle(one.last, 100))
    assert two.take(400, output=50) == 0
    # 200 of the first, and of the second 50 and what the first had of its estimate.
    assert one.status().remaining_tokens == 1_000 - 200 - 50 - 103


def test_a_request_counts_from_its_arrival(place: Place) -> None:
    """An answered request counts for a window from its answer at most, one without an answer somewhat longer."""
    one = place.worker("one", 1)
    assert one.take() == 0
    in_flight = one.ask(Take("more", 0, 0))[0].least
    one.ask(Land(one.last, 30.0, 30.0))
    landed = one.ask(Take("more", 0, 0))[0].least
    assert in_flight > WINDOW
    assert landed < WINDOW * 1.006 < in_flight


def test_a_refusal_closes_for_everybody(place: Place) -> None:
    """After a refusal nobody gets a permit until the reset, and the refused one is given back."""
    one, two = place.worker("one", 5), place.worker("two", 5)
    assert one.take() == 0
    assert two.take() == 0
    one.ask(Refuse(one.last, 7.0, RateLimit(reset_requests=7.0), reset_known=True))
    assert 6.0 < two.ask(Take("more", 0, 0))[0].least <= 7.1
    assert two.status().in_flight == 1
    assert 6.0 < two.status().closed_for <= 7.1


def test_what_one_learns_all_know(place: Place) -> None:
    """Without limits the first refusal shows how many fit, to all processes and to those that come later."""
    one, two = place.worker("one"), place.worker("two")
    for worker in (one, two) * 4:
        assert worker.take() == 0
        worker.ask(Land(worker.last, 0.05, 0.0))
    assert one.take() == 0
    one.ask(Refuse(one.last, 1.0))
    late = place.worker("late")
    for worker in (two, late):
        assert worker.status().limit_requests == 8
        assert worker.status().source == "inferred"


def test_unused_permits_go_back(place: Place) -> None:
    """A permit that is given back leaves room for others."""
    one, two = place.worker("one", 1), place.worker("two", 1)
    assert one.take() == 0
    assert two.take() > 0
    one.ask(Leave(one.last))
    assert two.take() == 0


def test_first_come_first_served(place: Place) -> None:
    """Who waits longer is let through first, and who leaves the line holds nobody up."""
    one, two, three = (place.worker(name, 1) for name in ("one", "two", "three"))
    assert one.take() == 0
    assert two.take() > 0
    assert three.take() > 0
    one.ask(Leave(one.last))
    assert one.take() > 0
    assert three.take() > 0
    two.ask(Leave())
    assert three.take() == 0


def test_who_does_not_ask_is_passed_over() -> None:
    """A process that was killed in front of the line holds the others up for a second, not for ever."""
    clock = Clock()
    store = MemoryQuotaStore(clock)
    one, dead, two = (Worker(store, "quota", name, Member((1, None))) for name in ("one", "dead", "two"))
    assert one.take() == 0
    assert dead.take() > 0
    one.ask(Leave(one.last))
    begin = clock.now
    while wait := two.take():
        clock.sleep(wait)
        assert clock.now < begin + 3
    assert clock.now > begin + 1


def test_the_stricter_limit_holds(place: Place) -> None:
    """Of two limits the smaller one holds for both processes, of two windows the longer one."""
    loose, strict = place.worker("loose", 10), place.worker("strict", 2, window=2 * WINDOW)
    assert [loose.take(), strict.take()] == [0, 0]
    assert loose.take() > 0
    assert loose.store.view(place.quota, "loose").limits() == (2, None)
    assert loose.status().window == 2 * WINDOW


def test_a_limit_goes_with_its_process() -> None:
    """A process that asks no more takes its stricter limit with it, after two windows."""
    clock = Clock()
    store = MemoryQuotaStore(clock)
    loose, strict = (Worker(store, "quota", str(limit), Member((limit, None))) for limit in (3, 1))
    strict.ask()
    assert loose.status().limit_requests == 1
    clock.sleep(2 * WINDOW - 1)
    assert loose.status().limit_requests == 1
    clock.sleep(2)
    assert loose.status().limit_requests == 3


def test_a_process_that_comes_back_brings_its_requests(place: Place) -> None:
    """What was sent without the store counts as soon as it is told; what it does not name any more is given back."""
    one, two = place.worker("one", 3), place.worker("two", 3)
    assert one.take() == 0
    sent = [OwnPermit(f"alone-{i}", 10.0, 9.9, in_flight=False, estimate=0, output=0, tokens=None) for i in range(2)]
    one.ask(Join(tuple(sent), closed_for=0.0))
    assert two.status().remaining_requests == 1
    assert two.take() == 0
    assert 49 < two.ask(Take("more", 0, 0))[0].least < 51
    one.ask(Join(tuple(sent), closed_for=55.0))
    assert 54 < two.ask(Take("more", 0, 0))[0].least <= 55.1


def test_the_same_permit_twice_is_one(place: Place) -> None:
    """A question whose answer was lost can be asked again, and takes nothing more."""
    one = place.worker("one", 2)
    assert one.ask(Take("same", 0, 0))[0].wait == 0
    assert one.ask(Take("same", 0, 0))[0].wait == 0
    assert one.status().remaining_requests == 1


def test_something_else_in_it_is_an_error(place: Place) -> None:
    """A state of another version, or no state at all, is refused, and what the process knew stays as it was."""
    one = place.worker("one", 2)
    assert one.take() == 0
    for text in ("[99, 1, 2, 3, 4]", "{", "[1]", "null"):
        place.tamper(place.quota, text)
        with pytest.raises(QuotaStoreError, match="something else"):
            one.take()


def test_many_at_once_get_no_more_than_there_is(place: Place) -> None:
    """Four threads that ask as fast as they can get exactly the limit."""
    workers = [place.worker(str(number), 100) for number in range(4)]
    if place.kind == "memory":
        workers = workers[:1]  # one thread per process asks, and this one is one process

    def work(worker: Worker) -> None:
        while not worker.take():
            pass
        worker.ask(Leave())

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert workers[0].status().remaining_requests == 0
    assert workers[0].status().in_flight == 100


def test_what_is_old_goes(place: Place) -> None:
    """A permit that has not changed for as long as it is kept is forgotten, and a new process does not hear of it."""
    store = place.open()

    def write(name: str) -> Callable[[Delta], Change]:
        return lambda _: Change("state", {name: "record"}, keep=0.02, expires=60.0)

    known = store.update(place.quota, Known(), write("old"))
    time.sleep(0.05)
    known = store.update(place.quota, known, write("new"))
    heard: list[Delta] = []
    assert place.open().update(place.quota, Known(), heard.append) == known
    assert [(delta.state, list(delta.permits)) for delta in heard if delta.state] == [("state", [("new", "record")])]


@pytest.mark.slow
def test_a_quota_that_nobody_asks_for_goes(place: Place) -> None:
    """Everything of a quota is gone some time after the last question."""
    store = place.open()
    store.update(place.quota, Known(), lambda _: Change("state", {"one": "record"}, keep=60.0, expires=0.5))
    heard: list[Delta] = []

    def state() -> str | None:
        store.update(place.quota, Known(), heard.append)
        return heard[-1].state

    assert state() == "state"
    eventually(lambda: state() is None)
    assert not heard[-1].permits


def test_quotas_are_apart(place: Place) -> None:
    """What one quota uses does not count on another."""
    one = place.worker("one", 1)
    other = Worker(one.store, uuid.uuid4().hex, "one", one.member)
    assert one.take() == 0
    assert other.take() == 0


def test_one_question_each(place: Place) -> None:
    """The methods of the interface do what they say, one question each."""
    store, member = place.open(), Member((2, 1_000))
    assert store.take(place.quota, "one", "a", 100, output=50, member=member) == 0
    store.land(place.quota, "one", "a", 0.1)
    store.settle(place.quota, "one", "a", 80)
    assert store.status(place.quota, "one").remaining_tokens == 1_000 - 130
    assert store.take(place.quota, "one", "b", 100) == 0
    assert store.take(place.quota, "one", "c", 100) > 0
    store.drop(place.quota, "one", "b")
    store.leave(place.quota, "one", "b")
    assert store.take(place.quota, "one", "c", 100) == 0
    store.refuse(place.quota, "one", "c", 5.0)
    assert store.status(place.quota, "one").closed_for > 4
    store.forget(place.quota, "one")
    assert store.status(place.quota, "one").in_flight == 0
    store.check()


def test_a_window_later_there_is_room_again(place: Place) -> None:
    """With a short window a process gets its permits again and again, and no more than the limit in each."""
    one = place.worker("one", 3, window=0.1)
    begin, taken = time.monotonic(), []
    while len(taken) < 9:
        wait = one.take()
        if wait:
            time.sleep(wait)
        else:
            taken.append(time.monotonic())
            one.ask(Land(one.last, 0.0, 0.0))
    assert all(later - earlier > 0.1 for earlier, later in zip(taken, taken[3:], strict=False))
    assert time.monotonic() - begin < 20


def test_stores_with_an_address_can_be_pickled(place: Place) -> None:
    """A store goes to another process by its address; one in memory says that it cannot."""
    store = place.open()
    if place.kind == "memory":
        with pytest.raises(TypeError, match="belongs to its process"):
            pickle.dumps(store)
        return
    assert store.take(place.quota, "one", "a", 0, member=Member((1, None))) == 0
    copy = pickle.loads(pickle.dumps(store))  # noqa: S301
    assert copy.take(place.quota, "two", "b", 0, member=Member((1, None))) > 0
    copy.close()


def test_addresses_say_what_they_are() -> None:
    """The kinds of addresses, and where an SQLite file is: three slashes for the current folder, four for the root."""
    assert StoreAddress("sqlite:////var/lib/q.db").path == "/var/lib/q.db"
    assert StoreAddress("sqlite:///q.db").path.endswith("/q.db")
    for scheme, for_redis in (("valkey", "redis"), ("valkeys", "rediss"), ("rediss", "rediss")):
        address = StoreAddress(f"{scheme}://host:1/2")
        assert address.kind == "redis"
        assert address.for_redis() == f"{for_redis}://host:1/2"
