"""Many inputs, one request each: the queue by itself, its two runners, and both clients."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from fault_support import own_threads

from clova_studio import (
    AsyncClovaStudio,
    BadRequestError,
    ClovaStudio,
    ClovaStudioError,
    ConfigurationError,
    Embedding,
    RateLimitError,
    RateLimits,
    ServerError,
)
from clova_studio._concurrency import BatchCancelledError, CancelSignal
from clova_studio.adapters import (
    WorkQueue,
    run_tasks,
    run_threads,
)
from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

KINDS = ["sync", "async"]
WRONG = {"status": 400, "code": "40001"}
TEXTS = [f"{i}번째 문서의 첫 문장입니다. {i}번째 문서의 둘째 문장입니다." for i in range(12)]
PARAGRAPH = "같은 이야기를 하는 문장입니다. " * 50
WINDOWS = "\n\n".join([PARAGRAPH] * 380)
LONG = "\n\n".join(f"{i}번째 문단입니다. 내용은 {i * 7}에 관한 이야기입니다. 그리고 끝." for i in range(400))


def queue_of(items: Any, bound: int = 9, **options: Any) -> WorkQueue[Any, Any]:
    """Return a queue."""
    return WorkQueue(items, max_concurrency=bound, **options)


def refuse(queue: WorkQueue[Any, Any], index: int) -> bool:
    """Take an input, which must be the one with the index, and refuse it; return whether it is requeued."""
    entry = queue.next()
    assert entry is not None
    assert entry[0] == index
    queue.failed(index, RateLimitError("no", status_code=429))
    return not queue.cancel.stopped


def test_queue_gives_each_input_once_and_results_in_order() -> None:
    """Inputs come in order, each once; results stand at the index of their input, whichever is done first."""
    queue = queue_of("abc")
    entries = [queue.next(), queue.next(), queue.next()]
    assert entries == [(0, "a"), (1, "b"), (2, "c")]
    assert queue.next() is None
    for index in (2, 0, 1):
        assert not queue.cancel.stopped
        queue.done(index, "ABC"[index])
    assert queue.cancel.stopped
    assert queue.results() == ["A", "B", "C"]
    assert queue_of([]).results() == []


def test_first_error_ends_the_queue_and_has_what_there_is() -> None:
    """After the first final error no input comes; what was in flight is kept, and what comes after the end is not."""
    queue = queue_of("abcde", name="items[{}]".format)
    for _ in range(4):
        queue.next()
    queue.done(0, "A")
    first, second = ServerError("down", status_code=500), ServerError("down, too", status_code=500)
    queue.failed(1, first)
    assert queue.next() is None
    queue.failed(2, second)
    queue.failed(3, BatchCancelledError("the batch has ended"))
    with pytest.raises(ServerError, match=r"^items\[1\]: down \[HTTP 500\]$") as caught:
        queue.results()
    assert caught.value is first
    assert first.partial == ["A", first, second, None, None]
    assert second.message == "items[2]: down, too"
    queue.done(3, "D")
    assert first.partial[3] is None


def test_errors_can_be_results() -> None:
    """With return_errors the client's errors end nothing; an error of another kind does."""
    queue = queue_of("abc", return_errors=True)
    error = ServerError("down", status_code=500)
    for index in range(3):
        queue.next()
        queue.failed(index, error) if index == 1 else queue.done(index, index)
    assert queue.results() == [0, error, 2]
    queue = queue_of("abc", return_errors=True)
    queue.next()
    queue.failed(0, TypeError("wrong"))
    assert queue.next() is None
    with pytest.raises(TypeError, match="wrong"):
        queue.results()


def test_a_refused_input_is_requeued_until_three_refusals_without_a_success() -> None:
    """It is the next one again; a success of another between its last three refusals gives it more turns."""
    queue = queue_of("abc")
    assert refuse(queue, 0)
    assert refuse(queue, 0)
    assert not refuse(queue, 0)
    queue = queue_of("abc")
    queue.next()
    assert refuse(queue, 1)
    assert refuse(queue, 1)
    queue.done(0, "A")
    assert refuse(queue, 1)
    assert refuse(queue, 1)
    assert not refuse(queue, 1)


def test_an_input_alone_is_not_requeued() -> None:
    """A queue of one input has no others that get through: the client's retries are all that it gets."""
    assert not refuse(queue_of("a"), 0)


def test_refusals_are_final_when_nothing_succeeds_for_long() -> None:
    """Once nothing has succeeded for as long as patience says, the next refusal is final; 0 requeues nothing."""
    now = 0.0
    queue = queue_of("abc", patience=300, clock=lambda: now)
    now = 299.0
    queue.next()
    queue.done(0, "A")
    now = 598.0
    assert refuse(queue, 1)
    now = 599.0
    assert not refuse(queue, 1)
    assert not refuse(queue_of("abc", patience=0), 0)


def test_an_input_can_be_revised() -> None:
    """What revise returns is sent instead; if it returns None the error is final."""
    queue = queue_of(["aaa", "b"], revise=lambda item, _: item[:-1] or None)
    for expected in ("aaa", "aa", "a"):
        assert queue.next() == (0, expected)
        queue.failed(0, BadRequestError("too long", status_code=400))
    assert queue.cancel.stopped


def test_a_stopped_queue_says_so_and_ends_those_that_belong_to_it() -> None:
    """A queue ends with its parent, also one that had ended before; its error has what succeeded."""
    parent = queue_of("ab")
    child = queue_of("xyz", parent=parent.cancel)
    child.next()
    child.done(0, "X")
    parent.next()
    parent.failed(0, ServerError("down", status_code=500))
    assert child.next() is None
    with pytest.raises(BatchCancelledError) as caught:
        child.results()
    assert caught.value.partial == ["X", None, None]
    assert queue_of("late", parent=parent.cancel).next() is None


def test_cancel_signal_calls_those_that_wait() -> None:
    """Each waker is called once at the end, or when it comes later, and not after it was removed."""
    signal_, called = CancelSignal(), []
    for name in "ab":
        signal_.add(lambda name=name: called.append(name))
    gone = called.clear
    signal_.add(gone)
    signal_.remove(gone)
    signal_.check("id")
    signal_.stop()
    signal_.stop()
    signal_.add(lambda: called.append("late"))
    assert called == ["a", "b", "late"]
    with pytest.raises(BatchCancelledError):
        signal_.check("id")


@pytest.mark.parametrize("bound", [0, -1, True, 1.5, None])
def test_wrong_bounds_are_refused(bound: Any) -> None:
    """A bound is a whole number from 1."""
    with pytest.raises(ConfigurationError, match="max_concurrency must be a whole number from 1"):
        queue_of("abc", bound)


def run_items(kind: str, send: Callable[[Any], Any], queue: WorkQueue[Any, Any]) -> list[Any]:
    """Run a queue with a function that is called in threads or tasks."""
    if kind == "sync":
        return run_threads(queue, send)

    async def asend(item: Any) -> Any:
        await asyncio.sleep(0)
        return send(item)

    return asyncio.run(run_tasks(queue, asend))


@pytest.mark.parametrize("bound", [1, 3, 99])
def test_order_and_bound(bound: int) -> None:
    """Results stand in the order of their items, and never more are in flight than asked for."""
    in_flight, most = 0, 0

    async def send(item: int) -> int:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0.001 * (item % 3))
        in_flight -= 1
        return item * item

    items = list(range(40))
    assert asyncio.run(run_tasks(queue_of(items, bound), send)) == [item * item for item in items]
    assert most == min(bound, 40)
    for kind in KINDS:
        assert run_items(kind, lambda item: item * item, queue_of(items, bound)) == [item * item for item in items]
        assert run_items(kind, str, queue_of([], bound)) == []


@pytest.mark.parametrize(("kind", "error"), [("sync", TypeError), ("sync", KeyboardInterrupt), ("async", TypeError)])
@pytest.mark.parametrize("bound", [1, 2])
def test_other_errors_and_interrupts_end_the_work(kind: str, error: type[BaseException], bound: int) -> None:
    """An error of another kind, or an interrupt, comes out as it is, and the rest is not asked for."""
    asked: list[int] = []

    def send(item: int) -> int:
        asked.append(item)
        if item == 3:
            raise error("three")
        return item

    before = own_threads()
    with pytest.raises(error, match="three"):
        run_items(kind, send, queue_of(range(100_000), bound))
    assert len(asked) < 100_000
    assert own_threads() == before


def failing(kind: str, server: EmulatorServer, texts: list[str], **settings: Any) -> Any:
    """Run embed_many, which fails; return its error."""
    settings = {"base_url": server.base_url, "max_retries": 0, "quota_group": str(time.monotonic_ns()), **settings}
    options = settings.pop("options", {})

    async def main() -> None:
        async with AsyncClovaStudio(server.api_key, **settings) as client:
            await client.embed_many(texts, **options)

    def embed() -> None:
        with ClovaStudio(server.api_key, **settings) as client:
            client.embed_many(texts, **options)

    with pytest.raises(ClovaStudioError) as caught:
        _ = asyncio.run(main()) if kind == "async" else embed()
    return caught.value


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_batch_returns_within_a_second(kind: str) -> None:
    """Requests that the service never answers are left behind: the error comes, and nothing more is sent."""
    with serve() as server:
        server.add_fault(Fault("hang", every=2, times=3))
        server.add_fault(Fault("status", every=7, times=1, **WRONG))
        start = time.monotonic()
        error = failing(kind, server, TEXTS * 3, options={"max_concurrency": 4})
        assert time.monotonic() - start < 1.8
        assert isinstance(error, BadRequestError)
        assert sum(item is error for item in error.partial) == 1
        assert sum(item is None for item in error.partial) >= len(TEXTS) * 3 - 7
        sent = len(server.requests)
        time.sleep(0.1)
        assert len(server.requests) == sent <= 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_quota_that_lets_nobody_through_for_five_windows_ends_a_batch(kind: str) -> None:
    """The refusal after five windows without a success is final, though it is but the second of its text."""
    refused = {"status": 429, "code": "42901", "headers": {"x-ratelimit-reset-requests": "0.3s"}}
    with serve() as server:
        server.add_fault(Fault("status", every=2, times=1, **refused))
        server.add_fault(Fault("status", every=3, times=1, **refused))
        # The reset is five windows away: one further off would not be believed.
        limits = RateLimits({"bge-m3": (1_000, None)}, window=0.06)
        error = failing(kind, server, TEXTS, rate_limits=limits, options={"max_concurrency": 1})
        assert isinstance(error, RateLimitError)
        assert len(server.requests) == 3
    assert isinstance(error.partial[0], Embedding)
    assert error.partial[1:] == [error] + [None] * 10


INTERRUPTED = """
import asyncio, sys
from clova_studio import AsyncClovaStudio, ClovaStudio

kind, url, key = sys.argv[1:]
texts = [f"글 {i}" for i in range(50)]

async def main():
    async with AsyncClovaStudio(key, base_url=url) as client:
        await client.embed_many(texts, max_concurrency=3)

if kind == "sync":
    with ClovaStudio(key, base_url=url) as client:
        client.embed_many(texts, max_concurrency=3)
else:
    asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_ends_a_batch_and_its_process(kind: str) -> None:
    """Ctrl-C ends a batch whose service never answers, and no thread keeps the process alive."""
    with serve(faults=[Fault("hang")]) as server:
        command = [sys.executable, "-c", INTERRUPTED, kind, server.base_url, server.api_key]
        process = subprocess.Popen(command, env=os.environ.copy(), stderr=subprocess.PIPE)
        try:
            while len(server.requests) < 3:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            start = time.monotonic()
            _, errors = process.communicate(timeout=20)
            assert time.monotonic() - start < 3
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        assert b"KeyboardInterrupt" in errors
        assert len(server.requests) == 3
