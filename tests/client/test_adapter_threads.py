"""Synchronous work in threads for asynchronous callers: nothing waits for a thread that hangs."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from client_support import MESSAGES, envelope
from fault_support import Account, RawServer, plain, wait_for
from hang_support import left_behind

import clova_studio as cs
from clova_studio.adapters import aembed_texts, in_thread, iterate_in_threads, segment_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

WORKS: list[Callable[[cs.ClovaStudio], Any]] = [
    lambda client: in_thread(client.chat, MESSAGES),
    lambda client: in_thread(client.embed_many, ["가", "나", "다"], max_concurrency=2),
    lambda client: aembed_texts(client, ["가", "나", "다"], model="bge-m3", max_concurrency=2),
    lambda client: anext(iterate_in_threads(chunks(client))),
]


def chunks(client: cs.ClovaStudio) -> Generator[str, None, None]:
    """Yield the texts of a stream."""
    with client.stream_chat(MESSAGES) as stream:
        for chunk in stream:
            yield chunk.message.content


@pytest.mark.slow
@pytest.mark.parametrize("work", WORKS)
def test_a_loop_does_not_wait_for_a_thread_that_hangs(work: Callable[[cs.ClovaStudio], Any]) -> None:
    """Work that is cancelled while the service is silent ends at once, and so does its loop."""
    left_behind(work)


PROGRAM = """
import asyncio, sys
from clova_studio import ClovaStudio
from clova_studio.adapters import in_thread

async def main():
    client = ClovaStudio("nv-key", base_url=sys.argv[1])
    task = asyncio.create_task(in_thread(client.embed, "글"))
    await asyncio.sleep(1.5)
    task.cancel()

asyncio.run(main())
print("done")
"""


@pytest.mark.slow
def test_a_process_does_not_wait_for_a_thread_that_hangs() -> None:
    """A process ends although a thread of it waits for a silent service."""
    with RawServer(lambda line: line.hold()) as server:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, server.base_url], capture_output=True, text=True, timeout=20, check=False
        )
        assert (done.stdout.strip(), done.returncode) == ("done", 0), done.stderr
        assert len(server.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("many", [False, True])
def test_nothing_is_sent_after_a_cancellation(*, many: bool) -> None:
    """A call in a thread that waits for another attempt, and a batch of them, send nothing when the caller is gone."""

    async def main() -> None:
        work = (segment_texts, client, ["글"] * 4) if many else (client.segment, "글")
        options: dict[str, Any] = {"max_chunk_size": None, "max_concurrency": 2} if many else {}
        task = asyncio.ensure_future(in_thread(*work, **options))
        await asyncio.to_thread(wait_for, lambda: len(server.requests) >= (2 if many else 1))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with RawServer(plain(envelope("50000", "Internal error"), 500)) as server:
        settings = {**Account("sync", server.base_url).settings, "retry": cs.RetryPolicy(initial=0.4, maximum=0.4)}
        with cs.ClovaStudio(**settings) as client:
            asyncio.run(main())
            time.sleep(0.1)
            sent, before = len(server.requests), threading.active_count()
            time.sleep(0.6)
            assert len(server.requests) == sent
            assert threading.active_count() <= before


def test_results_errors_and_context_come_through() -> None:
    """The function's result and error reach the caller, and it sees the caller's context."""
    name = contextvars.ContextVar("name", default="none")

    def named(*, fail: bool) -> str:
        if fail:
            raise KeyError(name.get())
        return f"{name.get()} {threading.current_thread().name}"

    async def main() -> str:
        name.set("mine")
        with pytest.raises(KeyError, match="mine"):
            await in_thread(named, fail=True)
        return await in_thread(named, fail=False)

    assert asyncio.run(main()) == "mine clova-call"


def test_threads_of_a_loop_are_bounded() -> None:
    """At most 32 functions of an event loop run at once."""
    lock, running, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    async def main() -> None:
        await asyncio.gather(*(in_thread(work) for _ in range(100)))

    asyncio.run(main())
    assert 1 < most <= 32
