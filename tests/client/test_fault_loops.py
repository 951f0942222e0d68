"""Event loops that end, hang or know of nothing: no call of ours waits for one of them."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest
from client_support import MESSAGES, open_sockets
from fault_support import CHAT, PATIENCE, Account, RawServer, plain

import clova_studio as cs
from clova_studio import _transport
from clova_studio._deadlines import shut_down

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

NOTEBOOK = """
import asyncio, faulthandler, gc, sys, threading
faulthandler.dump_traceback_later(40, exit=True)
import nest_asyncio
import clova_studio as cs
from clova_studio.emulator import serve

async def cell(client):
    def other():
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(client.embed_many(["글", "말"]))
        finally:
            loop.close()
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    return (await client.chat([{"role": "user", "content": "안녕?"}])).message.content

asyncio.set_event_loop(asyncio.new_event_loop())
nest_asyncio.apply()
with serve() as server:
    client = cs.AsyncClovaStudio(server.api_key, base_url=server.base_url)
    for _ in range(3):
        assert asyncio.run(cell(client))
        gc.collect()
    asyncio.run(client.aclose())
print("done")
"""


@pytest.mark.slow
def test_a_notebook_with_nest_asyncio_uses_a_client_again() -> None:
    """With nest_asyncio applied a client works in cell after cell, beside loops that were closed in threads."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", NOTEBOOK], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "done", done.stderr


async def _without_hooks(client: cs.AsyncClovaStudio) -> None:
    sys.set_asyncgen_hooks(None, None)
    await client.chat(MESSAGES)


async def _with_hooks(client: cs.AsyncClovaStudio) -> None:
    await client.chat(MESSAGES)


def _in_a_loop_that_is_dropped(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    hooks = sys.get_asyncgen_hooks()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(work())
    loop.close()
    sys.set_asyncgen_hooks(*hooks)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("work", [_with_hooks, _without_hooks])
def test_loops_without_hooks_are_swept_out(work: Any) -> None:
    """A loop that was closed without shutting down its generators is dropped at the next use, with its connections."""
    with RawServer(plain(CHAT)) as server:
        client = cs.AsyncClovaStudio(**Account("async", server.base_url).settings)
        for _ in range(3):
            thread = threading.Thread(target=_in_a_loop_that_is_dropped, args=(partial(work, client),))
            thread.start()
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert asyncio.run(client.chat(MESSAGES)).message.content
        assert all(line.gone.wait(PATIENCE) for line in server.lines)
        del client
        gc.collect()


@pytest.mark.slow
def test_a_loop_that_hangs_is_not_waited_for() -> None:
    """Closing takes a second at most for a loop of another thread that hangs, and ends its connections."""

    async def busy() -> None:
        await client.chat(MESSAGES)
        ready.set()
        time.sleep(4)  # noqa: ASYNC251  that is the fault

    ready = threading.Event()
    with RawServer(plain(CHAT)) as server:
        client = cs.AsyncClovaStudio(**Account("async", server.base_url).settings)
        thread = threading.Thread(target=lambda: asyncio.run(busy()))
        thread.start()
        assert ready.wait(PATIENCE)
        began = time.monotonic()
        asyncio.run(client.aclose())
        assert time.monotonic() - began < 2
        assert server.lines[0].gone.wait(1)
        thread.join(PATIENCE)
        assert open_sockets(server.base_url) == 0


def test_loops_that_stand_still_are_closed_from_outside() -> None:
    """A loop between two runs, as a notebook's, has its connections ended by ``aclose`` of another loop."""
    loop = asyncio.new_event_loop()
    with RawServer(plain(CHAT)) as server:
        client = cs.AsyncClovaStudio(**Account("async", server.base_url).settings)
        loop.run_until_complete(client.chat(MESSAGES))
        assert not server.lines[0].gone.is_set()
        asyncio.run(client.aclose())
        assert server.lines[0].gone.wait(PATIENCE)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
        assert open_sockets(server.base_url) == 0


def test_a_socket_that_its_loop_only_shows_is_ended() -> None:
    """Loops of other libraries show a socket that cannot be shut down; its connection is ended all the same."""

    class View:
        def __init__(self, connection: socket.socket) -> None:
            self.fileno = connection.fileno

        def shutdown(self, _how: int) -> None:
            raise TypeError("transport sockets do not support shutdown() method")

        def get_extra_info(self, _name: str) -> Any:
            return self

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(PATIENCE)
        shut_down(View(ours))
        assert theirs.recv(1) == b""
    shut_down(View(ours))


def test_the_names_that_are_no_interface_are_there() -> None:
    """What is used of httpx and httpcore beside their interfaces exists; a rename fails here."""
    for client, pool_type in ((_transport.make_client(), httpcore.ConnectionPool),
                              (_transport.make_async_client(), httpcore.AsyncConnectionPool)):  # fmt: skip
        assert client.backends
        transports: list[Any] = [client._transport_for_url(httpx.URL("https://host")), *client._mounts.values()]
        for transport in transports:
            if transport is None:
                continue
            pool = transport._pool
            assert isinstance(pool, pool_type)
            assert pool._network_backend in client.backends
            assert pool._requests == pool._connections == pool._assign_requests_to_connections() == []


def test_a_rename_of_the_backend_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """If httpcore calls its backend otherwise, making a connection pool fails instead of losing its time limits."""

    class Renamed(httpcore.ConnectionPool):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.__dict__["backend"] = self.__dict__.pop("_network_backend")

    monkeypatch.setattr(httpcore, "ConnectionPool", Renamed)
    with pytest.raises(AttributeError):
        _transport.make_client()
