"""What an emulator remembers is bounded, however many requests arrive, and half requests do not stay."""

from __future__ import annotations

import itertools
import socket
import time
import tracemalloc
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import connect, user

from clova_studio.emulator import Fault, RecordedRequest, serve
from clova_studio.emulator.console.tuning_tasks import NewTask, TaskStore
from clova_studio.emulator.language import text, vectors
from clova_studio.emulator.language.vectors import embed
from clova_studio.emulator.server.request_log import RequestLog
from clova_studio.emulator.server.windows import COUNTINGS, Windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

H5 = "/v3/chat-completions/HCX-005"
MEBIBYTE = 1024 * 1024


def request(**fields: Any) -> RecordedRequest:
    """A recorded request."""
    return RecordedRequest("POST", H5, {"authorization": "***"}, **fields)


def growth(work: Callable[[], object]) -> float:
    """By how many MiB the traced memory grows."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return (tracemalloc.get_traced_memory()[0] - before) / MEBIBYTE
    finally:
        tracemalloc.stop()


def test_the_newest_thousand_requests_are_kept() -> None:
    """The log keeps the newest 1,000 requests, counts the older ones, and goes on with the numbers when cleared."""
    log = RequestLog()
    for _ in range(2_500):
        log.arrive(request())
    assert [item.number for item in log.kept] == list(range(1_501, 2_501))
    assert (log.received, log.dropped) == (2_500, 1_500)
    assert log.find(1_500) is None
    found = log.find(1_501)
    assert found is not None
    assert found.number == 1_501
    assert log.clear() == 1_000
    log.arrive(request())
    assert [item.number for item in log.kept] == [2_501]
    assert (log.received, log.dropped) == (2_501, 0)


def test_large_requests_are_kept_up_to_a_size() -> None:
    """The kept requests take 64 MiB at most, so that images do not fill the memory; the newest one is always kept."""
    log = RequestLog()
    big = bytes(20 * MEBIBYTE)
    for _ in range(5):
        item = request()
        log.arrive(item)
        log.complete(item, big)
    assert [item.number for item in log.kept] == [3, 4, 5]
    item = request()
    log.arrive(item)
    log.complete(item, bytes(65 * MEBIBYTE))
    assert [item.number for item in log.kept] == [6]
    for _ in range(3):
        log.arrive(request(query={"a": "b" * 30 * MEBIBYTE}))
    assert [item.number for item in log.kept] == [8, 9]


def test_a_body_that_arrives_after_its_request_was_dropped() -> None:
    """A body counts only as long as its request is kept, so that late ones do not drive the newest out."""
    log = RequestLog(most=2)
    late = request()
    log.arrive(late)
    for _ in range(2):
        log.arrive(request())
    log.complete(late, bytes(64 * MEBIBYTE))
    assert [item.number for item in log.kept] == [2, 3]
    assert len(late.raw) == 64 * MEBIBYTE


def test_requests_of_a_server() -> None:
    """`requests` has what is kept, `requests_received` counts all, and clearing forgets the requests alone."""
    with serve() as server, connect(server) as client:
        server.add_fault(Fault("status", path="/nothing"))
        for said in "가나":
            client.post(H5, json=user(said))
        assert [item.number for item in server.requests] == [1, 2]
        assert (server.requests_received, server.requests_dropped) == (2, 0)
        server.clear_requests()
        assert server.requests == []
        assert server.requests_received == 2
        assert server.faults == [Fault("status", path="/nothing")]
        client.post(H5, json=user("다"))
        assert [(item.number, item.code, item.status) for item in server.requests] == [(3, "20000", 200)]
        assert server.requests[0].seconds is None or server.requests[0].seconds >= 0


def test_a_server_tells_of_each_request() -> None:
    """Who wants to see every request of a long run subscribes to them."""
    with serve() as server, connect(server) as client:
        seen: list[Any] = []
        stop = server.subscribe(lambda event, item: seen.append((event, item.number, item.status)))
        client.post(H5, json=user("가"))
        client.post(H5, json={})
        until = time.monotonic() + 10  # the client may have the answer a moment before the server is done with it
        while len(seen) < 4 and time.monotonic() < until:
            time.sleep(0.005)
        stop()
        client.post(H5, json=user("나"))
    assert seen == [("arrived", 1, None), ("answered", 1, 200), ("arrived", 2, None), ("answered", 2, 400)]


def test_listeners_hear_of_each_request() -> None:
    """A subscriber is called when a request arrives and when it is answered, until it unsubscribes."""
    log = RequestLog()
    heard: list[tuple[str, int]] = []
    unsubscribe = log.subscribe(lambda event, item: heard.append((event, item.number)))
    first, second = request(), request()
    log.arrive(first)
    log.arrive(second)
    log.leave(first)
    unsubscribe()
    log.leave(second)
    assert heard == [("arrived", 1), ("arrived", 2), ("answered", 1)]
    assert (log.in_flight, log.peak_in_flight) == (0, 2)


def test_quotas_of_many_keys() -> None:
    """Of accounts only those that called last are remembered, and a known one keeps its usage."""
    windows = Windows({"*": (2, None)}, 60)
    for number in range(2_000):
        windows.charge(f"nv-{number}", "HCX-005", 1)
        windows.charge("nv-busy", "HCX-005", 1)
    assert len(windows.usage()) <= 1_024
    verdict = windows.charge("nv-busy", "HCX-005", 1)
    assert verdict is not None
    assert not verdict.allowed


@pytest.mark.slow
def test_a_sliding_window_of_many_requests() -> None:
    """A sliding window counts each of its requests without keeping each of them."""
    now = itertools.count()
    windows = Windows({"*": (10**6, 10**9)}, 600, clock=lambda: next(now) / 1_000, counting="sliding")
    windows.charge("nv-a", "HCX-005", 100)

    def work() -> None:
        for _ in range(11_999):
            windows.charge("nv-a", "HCX-005", 100)

    assert growth(work) < 1.5
    (usage,) = windows.usage()
    assert (usage["requests"]["used"], usage["tokens"]["used"]) == (12_000, 1_200_000)


@pytest.mark.parametrize("counting", COUNTINGS)
def test_a_quota_of_nothing(counting: Any) -> None:
    """A limit of 0 refuses everything, in every way of counting."""
    windows = Windows({"*": (0, 0)}, 60, counting=counting)
    for _ in range(2):
        verdict = windows.charge("nv-a", "HCX-005", 1)
        assert verdict is not None
        assert not verdict.allowed
        assert verdict.headers["x-ratelimit-remaining-requests"] == "0"
    assert windows.usage()[0]["requests"]["remaining"] == 0


def test_reading_the_usage_starts_no_window() -> None:
    """Looking at a quota does not change when its next window starts."""
    now = [0.0]
    windows = Windows({"*": (1, None)}, 60, clock=lambda: now[0])
    windows.charge("nv-a", "HCX-005", 1)
    now[0] = 100.0
    assert windows.usage()[0]["requests"] == {"limit": 1, "used": 0, "remaining": 1, "reset_seconds": 0.0}
    now[0] = 130.0
    verdict = windows.charge("nv-a", "HCX-005", 1)
    assert verdict is not None
    assert verdict.headers["x-ratelimit-reset-requests"] == "60s"


def test_many_training_tasks() -> None:
    """The newest 1,000 tasks are kept; the model of an older one can no longer be called, as if it was deleted."""
    store = TaskStore(seconds=0)
    names = [store.create("nv-a", new_task())["id"] for _ in range(1_100)]
    assert [task.id for task in store.all()] == names[:99:-1]
    assert store.base_model(names[0]) == ""
    assert store.base_model("unheard") is None
    for _ in range(20):
        store.create("nv-a", new_task(path="a" * MEBIBYTE + ".csv"))
    assert len(store.all()) < 10


def new_task(path: str = "a.csv") -> NewTask:
    """A task."""
    return NewTask(None, "HCX-005", "GENERATION", 8, 1e-4, path)


def test_spent_faults_are_forgotten() -> None:
    """A fault that has hit as often as it should is gone, so that a long test run does not collect them."""
    with serve() as server, connect(server) as client:
        for _ in range(3):
            server.add_fault(Fault("status", times=1))
        server.add_fault(Fault("status", times=9, path="/nothing"))
        assert [client.post(H5, json=user("a")).status_code for _ in range(2)] == [429, 200]
        assert [fault.path for fault in server.faults] == ["/nothing"]


def syllables(number: int) -> str:
    """A word of four syllables, different for each number."""
    return "".join(chr(0xAC00 + number * step % 11_171) for step in (1, 7, 31, 101))


@pytest.mark.slow
def test_words_are_remembered_within_bounds() -> None:
    """What is remembered of words stays small, whatever texts arrive, and a long word is not remembered at all."""
    remembered = text._known_word_grams.cache_parameters()["maxsize"]
    words = [syllables(number) for number in range(500)]
    a_word = growth(lambda: embed(" ".join(words), "bge-m3")) / len(words)
    assert a_word * remembered < 18
    assert vectors._known_dimensions.cache_parameters()["maxsize"] <= 4 * remembered
    assert growth(lambda: [embed(str(number) * 100_000, "bge-m3") for number in range(10, 40)]) < 1


def half_request(server: EmulatorServer, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send the parts of a request and return what comes until the server closes the connection."""
    host, _, port = server.base_url.removeprefix("http://").partition(":")
    with closing(socket.create_connection((host, int(port)), timeout=20)) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        received = b""
        while part := connection.recv(65_536):
            received += part
        return received


HEAD = b"POST /v3/chat-completions/HCX-005 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nv-x\r\n"
JSON = b"Content-Type: application/json\r\nContent-Length: 60\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("part", [b"P", HEAD], ids=["line", "head"])
def test_a_head_that_does_not_end(part: bytes) -> None:
    """A connection whose request head does not end is closed after the idle timeout; it is no request."""
    with serve(idle_timeout=0.3) as server:
        assert half_request(server, part) == b""
        assert server.requests == []
        with connect(server) as client:
            assert client.post(H5, json=user("안녕")).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("part", [b"", b'{"mess'], ids=["nothing", "a part"])
def test_a_body_that_does_not_end(part: bytes) -> None:
    """A body that does not end is refused with the service's 40800 and a hint, and the connection is closed."""
    with serve(idle_timeout=0.3) as server:
        answer = half_request(server, HEAD + JSON + part)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"40800" in answer
        assert b"x-clova-emulator-hint: The body did not end" in answer
        (recorded,) = server.requests
        assert (recorded.status, recorded.code) == (408, "40800")


@pytest.mark.slow
def test_a_slow_body_is_read() -> None:
    """A body that comes slowly is no idle one, and a connection between two requests may wait longer."""
    body = b'{"messages":[{"role":"user","content":"abcdefghijklmnopq"}]}'
    last = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with serve(idle_timeout=0.8) as server:
        parts = (HEAD + JSON, body[:20], body[20:40], body[40:], b"", b"", last)
        received = half_request(server, *parts, pause=0.3)
        assert received.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 404 " in received
        assert len(server.requests) == 2


def test_an_idle_timeout_is_a_time() -> None:
    """A wrong time is refused by name."""
    for value in (0, -1, float("inf"), "3"):
        with pytest.raises(ValueError, match="idle_timeout must be a number of seconds above 0"):
            serve(idle_timeout=value)
