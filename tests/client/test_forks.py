"""A process that forks: connections are the parent's, and the child makes its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from client_support import KEY, MESSAGES
from fault_support import CHAT, PATIENCE, TEXT, Account, Line, RawServer, plain, wait_for

from clova_studio import AsyncClovaStudio, ClovaStudio
from clova_studio.emulator import serve

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

CLIENTS: list[ClovaStudio] = []


def first_numbers(start: int) -> list[float]:
    """Return the first number of the vectors of ten texts, asked for through the parent's client."""
    return [CLIENTS[0].embed(f"글 {i}").embedding[0] for i in range(start, start + 10)]


def test_forked_workers_do_not_share_connections() -> None:
    """Workers that were forked after a call each open connections of their own: no request fails, no answer is lost."""
    with serve() as server, ClovaStudio(KEY, base_url=server.base_url, max_retries=0) as client:
        CLIENTS[:] = [client]
        expected = [client.embed(f"글 {i}").embedding[0] for i in range(40)]
        with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("fork")) as pool:
            found = list(pool.map(first_numbers, [0, 10, 20, 30]))
        CLIENTS.clear()
        assert [number for numbers in found for number in numbers] == expected
        assert len(client.embed("글").embedding) == 1024


def _end_in_a_fork(close: Any) -> int:
    """Return the exit code of a forked process that closes the parent's client."""
    child = os.fork()
    if child == 0:
        try:
            close()
        except BaseException:  # noqa: BLE001  seen by the exit code
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_child_that_closes_the_client_ends_no_request_of_its_parent() -> None:
    """A forked process that closes its copy of a client leaves the parent's connections and requests alone."""
    forked = threading.Event()

    def slowly(line: Line) -> None:
        forked.wait(PATIENCE)
        line.send(plain(CHAT))

    with RawServer(slowly) as server:
        client = ClovaStudio(**{**Account("sync", server.base_url).settings, "max_retries": 0})
        texts: list[str] = []
        thread = threading.Thread(target=lambda: texts.append(client.chat(MESSAGES).message.content))
        thread.start()
        wait_for(lambda: len(server.requests) == 1)
        assert _end_in_a_fork(client.close) == 0
        forked.set()
        thread.join(PATIENCE)
        assert texts == [TEXT]
        client.close()


def test_a_child_that_closes_an_async_client_ends_no_request_of_its_parent() -> None:
    """The same for an ``AsyncClovaStudio``."""
    forked = threading.Event()

    def slowly(line: Line) -> None:
        forked.wait(PATIENCE)
        line.send(plain(CHAT))

    async def parent() -> str:
        task = asyncio.create_task(client.chat(MESSAGES))
        await asyncio.to_thread(wait_for, lambda: len(server.requests) == 1)
        assert await asyncio.to_thread(_end_in_a_fork, lambda: asyncio.run(client.aclose())) == 0
        forked.set()
        return str((await task).message.content)

    with RawServer(slowly) as server:
        client = AsyncClovaStudio(**{**Account("async", server.base_url).settings, "max_retries": 0})
        assert asyncio.run(parent()) == TEXT
