"""Waiting for the rate limiter through the real clients: bounded, cancellable, in order, and nobody is forgotten."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import KEY

from clova_studio import (
    APIConnectionError,
    AsyncClovaStudio,
    ClovaStudio,
    RateLimitError,
    RateLimits,
    RetryPolicy,
    _retries,
)
from clova_studio._rate_limits import waiters
from clova_studio._rate_limits.waiters import LoopWaiter, ThreadWaiter
from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

CLIENTS = [ClovaStudio, AsyncClovaStudio]
WAITING = {waiters.__file__, _retries.__file__}


def refusal(reset: str | None = "30s", **fields: Any) -> Fault:
    """Return a refusal for the quota, with or without a reset header."""
    headers = {} if reset is None else {"x-ratelimit-reset-requests": reset}
    return Fault("status", status=429, code="42901", headers=headers, times=1, **fields)


@pytest.fixture
def server():
    """Return a running server without limits."""
    with serve() as running:
        yield running


@pytest.fixture
def account(server) -> dict[str, Any]:
    """Return the settings of an account of this test alone."""
    return {"api_key": KEY, "base_url": server.base_url, "quota_group": str(uuid.uuid4())}


def embed(make: Any, account: dict[str, Any], **settings: Any) -> Any:
    """Embed one text with a client of the given kind."""
    if make is ClovaStudio:
        with ClovaStudio(**account, **settings) as client:
            return client.embed("글")

    async def main() -> Any:
        async with AsyncClovaStudio(**account, **settings) as client:
            return await client.embed("글")

    return asyncio.run(main())


@pytest.mark.parametrize("make", CLIENTS)
def test_a_wait_that_is_known_to_be_too_long_is_an_error_at_once(server, account, make: Any) -> None:
    """While the quota is closed for longer than max_wait, calls raise without waiting and say how long it takes."""
    server.add_fault(refusal("30s"))
    with pytest.raises(RateLimitError):
        embed(make, account, max_retries=0)
    with pytest.raises(RateLimitError, match="max_wait") as caught:
        embed(make, account, max_wait=20)
    assert 25 < caught.value.retry_after <= 30  # no second of it was waited for
    assert len(server.requests) == 1
    assert ClovaStudio(**account).quota("bge-m3").waiting == 0


@pytest.mark.slow
@pytest.mark.parametrize("make", CLIENTS)
def test_a_wait_of_unknown_length_ends_after_max_wait(server, account, make: Any) -> None:
    """Behind a request that takes long the wait is not known; it ends when max_wait is over."""
    server.add_fault(refusal(None))
    account["rate_limits"] = RateLimits(window=0.2)
    client = ClovaStudio(**account, max_retries=0)
    with pytest.raises(RateLimitError):
        client.embed("글")
    server.add_fault(Fault("hang", times=1))
    account["rate_limits"] = None
    # One request may be in flight after a refusal whose cause cannot be seen from here; a longer window keeps it so.
    client._limiter("bge-m3").window = 60.0

    def hang() -> None:
        with pytest.raises(APIConnectionError):
            embed(ClovaStudio, account, max_retries=0)

    slow = threading.Thread(target=hang)
    slow.start()
    while client.quota("bge-m3").in_flight == 0:
        threading.Event().wait(0.01)
    with pytest.raises(RateLimitError, match="max_wait") as caught:
        embed(make, account, max_wait=0.1)
    assert caught.value.retry_after is None
    assert client.quota("bge-m3").in_flight == 1
    server.stop()
    slow.join()


@pytest.mark.slow
async def test_who_is_cancelled_leaves_the_line_and_the_next_moves_up(account) -> None:
    """A cancelled task is out of the line at once, and the one behind it gets what it waited for."""
    limits = RateLimits({"bge-m3": (1, None)}, window=0.5)
    async with AsyncClovaStudio(**account, rate_limits=limits) as client:
        await client.embed("글")
        first, second = (asyncio.create_task(client.embed(f"글 {i}")) for i in range(2))
        await asyncio.sleep(0.05)
        assert client.quota("bge-m3").waiting == 2
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert client.quota("bge-m3").waiting == 1
        assert len((await second).embedding) == 1024
        status = client.quota("bge-m3")
        assert (status.waiting, status.in_flight) == (0, 0)


async def test_a_task_that_is_cancelled_in_flight_is_not_counted_any_more(server, account) -> None:
    """A request that was given up is not in flight, and what it may have used is counted."""
    server.add_fault(Fault("hang"))
    async with AsyncClovaStudio(**account, rate_limits=RateLimits({"bge-m3": (10, None)})) as client:
        tasks = [asyncio.create_task(client.embed("글")) for _ in range(3)]
        while len(server.requests) < 3:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.01)
        assert client.quota("bge-m3").in_flight == 3
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        status = client.quota("bge-m3")
        assert (status.in_flight, status.remaining_requests) == (0, 7)


@pytest.mark.slow
async def test_waiting_never_blocks_the_event_loop(account) -> None:
    """While calls wait for their quota the loop goes on with everything else."""
    ticks = 0
    async with AsyncClovaStudio(**account, rate_limits=RateLimits({"bge-m3": (2, None)}, window=0.5)) as client:
        calls = asyncio.gather(*(client.embed(f"글 {i}") for i in range(5)))
        while not calls.done():
            await asyncio.sleep(0.005)
            ticks += 1
        assert len(await calls) == 5
    assert ticks > 50


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 8])
def test_an_interrupt_ends_a_batch_that_waits_for_its_quota(server, account, workers: int) -> None:
    """Ctrl-C during embed_many ends it although the quota is closed for a minute more, and leaves nobody in line."""
    server.add_fault(refusal("60s"))
    program = f"""
import threading, time
from clova_studio import ClovaStudio
client = ClovaStudio({KEY!r}, base_url={server.base_url!r}, quota_group={account["quota_group"]!r})
def tell():
    while not client.quota("bge-m3").closed_for or client.quota("bge-m3").waiting < {workers}:
        time.sleep(0.01)
    print("closed", flush=True)
threading.Thread(target=tell, daemon=True).start()
try:
    client.embed_many(["글"] * 50, max_concurrency={workers})
except KeyboardInterrupt:
    working = [thread.name for thread in threading.enumerate() if thread.name.startswith("clova")]
    print("interrupted", client.quota("bge-m3").waiting, working, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "closed\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)  # half of what the quota stays closed for
    assert out == "interrupted 0 []\n"


def interrupted_at(line: int, function: Callable[[], object]) -> bool:
    """Call a function with an interrupt before a line of what waits for its turn; return whether it was reached."""
    seen, ended = 0, False

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen, ended
        ended = ended or event == "exception"
        if event == "line" and not ended:
            seen += 1
            if seen == line:
                raise KeyboardInterrupt
        return trace

    def enter(frame: FrameType, event: str, argument: object) -> Any:
        return trace(frame, event, argument) if frame.f_code.co_filename in WAITING else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        function()
    except (KeyboardInterrupt, RateLimitError):
        pass
    finally:
        sys.settrace(before)
    return seen >= line


def test_an_interrupt_at_any_line_leaves_nobody_in_line() -> None:
    """Wherever Ctrl-C falls while a call waits, its turn is free for the others."""
    refused = httpx.MockTransport(lambda _: httpx.Response(429, headers={"retry-after": "30"}, json={}))
    with httpx.Client(transport=refused) as http:
        client = ClovaStudio(KEY, http_client=http, quota_group=str(uuid.uuid4()), max_retries=0, max_wait=60)
        with pytest.raises(RateLimitError):
            client.embed("글")
        call = partial(client.embed, "글")
        client._waiter = InterruptedWaiter()
        lines = 0
        while interrupted_at(lines + 1, call):
            lines += 1
            assert client.quota("bge-m3").waiting == 0, lines
        assert lines > 20


class InterruptedWaiter(ThreadWaiter):
    """Is interrupted where no line before was."""

    def sleep(self, seconds: float, woken: threading.Event) -> None:  # noqa: ARG002  it is over at once
        raise KeyboardInterrupt


class StandingClock:
    """A time that goes on when a test turns it, for as many threads and event loops as there are."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


class StandingThreadWaiter(ThreadWaiter):
    """Waits by such a clock."""

    def __init__(self, clock: StandingClock) -> None:
        self.now = clock

    def sleep(self, seconds: float, woken: threading.Event) -> None:
        until = self.now() + seconds
        while self.now() < until and not woken.wait(0.005):
            pass
        woken.clear()


class StandingLoopWaiter(LoopWaiter):
    """Waits by such a clock."""

    def __init__(self, clock: StandingClock) -> None:
        self.now = clock

    async def sleep(self, seconds: float, woken: asyncio.Event) -> None:
        until = self.now() + seconds
        while self.now() < until and not woken.is_set():  # noqa: ASYNC110  the clock tells nobody
            await asyncio.sleep(0.005)
        woken.clear()


@pytest.mark.slow
def test_threads_and_loops_stand_in_one_line(server, account) -> None:
    """Of threads and event loops with the same limits each window serves the next ones in order, and at last all."""
    clock, texts = StandingClock(), [f"글 {i}" for i in range(60)]
    limits = RateLimits({"bge-m3": (20, None)}, window=0.5)
    with ClovaStudio(**account, rate_limits=limits) as client, ThreadPoolExecutor(62) as pool:
        twin = AsyncClovaStudio(**account, rate_limits=limits)
        client._waiter, twin._waiter = StandingThreadWaiter(clock), StandingLoopWaiter(clock)
        loops = [asyncio.new_event_loop() for _ in range(2)]
        for loop in loops:
            pool.submit(loop.run_forever)
        calls: list[Any] = []
        for i, text in enumerate(texts):
            kind = i % 3
            if kind < 2:
                calls.append(asyncio.run_coroutine_threadsafe(twin.embed(text), loops[kind]))
            else:
                calls.append(pool.submit(client.embed, text))
            while len(server.requests) + client.quota("bge-m3").waiting <= i:
                time.sleep(0.001)
        for served in (20, 40, 60):
            while len(server.requests) < served or client.quota("bge-m3").in_flight:
                time.sleep(0.001)
            assert client.quota("bge-m3").waiting == 60 - served
            window = slice(served - 20, served)
            assert {request.body["text"] for request in server.requests[window]} == set(texts[window])
            clock.time += 0.55
        assert len([call.result() for call in calls]) == 60
        for loop in loops:
            asyncio.run_coroutine_threadsafe(twin.aclose(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
    for loop in loops:
        loop.close()


@pytest.mark.slow
@pytest.mark.parametrize("sent", [False, True], ids=["waiting", "in flight"])
@pytest.mark.parametrize("closed", [False, True], ids=["stopped", "closed"])
def test_an_abandoned_loop_holds_nobody_up(server, account, *, sent: bool, closed: bool) -> None:
    """Tasks of a loop that stopped for ever, waiting or in flight, do not keep the others waiting for ever."""
    limits = RateLimits({"bge-m3": (1, None)}, window=0.3)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    twin = AsyncClovaStudio(**account, rate_limits=limits)
    with ClovaStudio(**account, rate_limits=limits, max_wait=20) as client:
        if sent:
            # After this refusal one request at a time may be in flight.
            server.add_fault(refusal(None))
            with pytest.raises(RateLimitError):
                ClovaStudio(**account, rate_limits=limits, max_retries=0).embed("글")
            server.add_fault(Fault("hang", times=1))
        else:
            client.embed("글")
        lost = loop.create_task(twin.embed("글"))
        while True:
            loop.run_until_complete(asyncio.sleep(0.01))
            # With its body: only then is the fault this request's, and not the next one's.
            arrived = [request for request in server.requests if request.body is not None]
            if len(arrived) == 2 if sent else client.quota("bge-m3").waiting:
                break
        if closed:
            loop.close()
        assert len(client.embed("글").embedding) == 1024
        assert len(client.embed("글").embedding) == 1024
        assert not lost.done()
    if not closed:
        lost.cancel()
        loop.run_until_complete(asyncio.gather(lost, return_exceptions=True))
        assert client.quota("bge-m3").waiting == 0
        loop.run_until_complete(twin.aclose())
        loop.close()


@pytest.mark.parametrize("make", CLIENTS)
def test_retries_pass_the_same_gate(server, account, make: Any) -> None:
    """A call that is repeated takes its place in the window each time, whatever it failed with."""
    for _ in range(3):
        server.add_fault(Fault("status", status=500, code="50000", times=1))
    limits = RateLimits({"bge-m3": (2, None)}, window=0.5)
    embed(make, account, rate_limits=limits, retry=RetryPolicy(initial=0.0))
    times = [request.time for request in server.requests]
    assert len(times) >= 2
    assert all(later - earlier >= 0.4 for earlier, later in zip(times, times[2:], strict=False))


@pytest.mark.slow
def test_hundreds_of_waiters_are_all_served() -> None:
    """200 tasks and 20 threads at one quota that the service never told the size of: each gets its answer."""
    with serve(rate_limits={"bge-m3": (60, None)}, window=0.5, rate_limit_headers=False) as server:
        settings: dict[str, Any] = {
            "base_url": server.base_url,
            "quota_group": str(uuid.uuid4()),
            "rate_limits": RateLimits(window=0.5),
            "max_wait": None,
            "max_retries": 50,
        }

        async def tasks() -> list[Any]:
            async with AsyncClovaStudio(KEY, **settings) as twin:
                return await asyncio.gather(*(twin.embed(f"글 {i}") for i in range(200)))

        with ClovaStudio(KEY, **settings) as client, ThreadPoolExecutor(21) as pool:
            loop = pool.submit(asyncio.run, tasks())
            calls = [pool.submit(client.embed, f"글 {i}") for i in range(100)]
            assert len(loop.result()) + len([call.result() for call in calls]) == 300
            status = client.quota("bge-m3")
        assert (status.waiting, status.in_flight) == (0, 0)
        assert sum(request.status == 200 for request in server.requests) == 300
