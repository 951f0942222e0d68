"""Connection pools of event loops: each loop has its own, and closes it."""

from __future__ import annotations

import asyncio
import sys
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clova_studio._transport import close_lines, interrupt, make_async_client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    Closer = AsyncGenerator[None, None] | None

__all__ = ["LoopClients"]

# Seconds that another event loop has for closing its connections.
_ELSEWHERE = 1.0
# The pools of loops that are not closed yet, each with the generator that closes it. The clients alone must not hold
# them: Python collects a client together with its sockets, and then none of them is closed in order.
_open_pools: dict[Any, tuple[asyncio.AbstractEventLoop, Closer]] = {}
# Those that are being closed: a loop holds its tasks weakly.
_ending: set[asyncio.Task[None]] = set()


class LoopClients:
    """One connection pool for each event loop, closed when its loop ends or when the last user of it is gone.

    A pool of asyncio connections belongs to the loop that opened them. A loop that is run by ``asyncio.run`` (or a
    ``Runner``) shuts down its async generators before it closes: a generator of ours, started on that loop, closes the
    pool then. Loops that were closed without doing so, and those that know of no generators (nest_asyncio's), are swept
    out at the next use.

    There is no lock: what is dropped here may run code of ours wherever Python collects it, which must never wait for a
    thread that drops it. Each step is one operation of a dict.
    """

    def __init__(self) -> None:
        self._clients: dict[asyncio.AbstractEventLoop, tuple[Any, Closer]] = {}
        weakref.finalize(self, _let_go, self._clients).atexit = False

    async def get(self) -> Any:
        """Return the pool of the running loop."""
        loop = asyncio.get_running_loop()
        held = self._clients.get(loop)
        if held is not None and not held[0].is_closed:
            return held[0]
        for other in list(self._clients):
            if other.is_closed():
                self._clients.pop(other, None)
        _sweep()
        client = make_async_client()
        # Without the loop's hook, only the garbage collector closes the generator, and it cannot await.
        known = sys.get_asyncgen_hooks().firstiter is not None
        closer = _close_with_loop(self._clients, loop, client) if known else None
        _open_pools[client] = (loop, closer)
        self._clients[loop] = (client, closer)
        if closer is not None:
            # Runs to its yield without ever suspending, so no other task can come in between.
            await anext(closer)
        return client

    async def aclose(self) -> None:
        """Close the pool of the running loop, and those of other loops within a second each."""
        loop = asyncio.get_running_loop()
        for other in list(self._clients):
            held = self._clients.pop(other, None)
            if held is None:
                continue
            client, closer = held
            if other is loop:
                await _end(client, closer)
            else:
                await _close_elsewhere(client, other)
                _open_pools.pop(client, None)


async def _close_with_loop(
    clients: dict[asyncio.AbstractEventLoop, tuple[Any, Closer]], loop: asyncio.AbstractEventLoop, client: Any
) -> AsyncGenerator[None, None]:
    # It holds the dict and not its owner, which must be free to go.
    try:
        yield
    finally:
        _open_pools.pop(client, None)
        held = clients.get(loop)
        if held is not None and held[0] is client:
            clients.pop(loop, None)
        await _close_pool(client)


async def _end(client: Any, closer: Closer) -> None:
    """Close a pool of the running loop and the generator that would have done so."""
    try:
        await _close_pool(client)
    finally:
        _open_pools.pop(client, None)
        if closer is not None:
            # Nothing is left to wait for. The error says that the loop ends and runs it.
            with suppress(RuntimeError):
                await closer.aclose()


def _let_go(clients: dict[asyncio.AbstractEventLoop, tuple[Any, Closer]]) -> None:
    """Have each loop close the pool of a client that is gone; in whatever thread Python collects it.

    A loop that does not run does it when it runs again, or when it ends.
    """
    for loop in list(clients):
        client, closer = clients.pop(loop, (None, None))
        if client in _open_pools:
            # Closed in between: swept out at the next use.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_end_soon, loop, client, closer)


def _end_soon(loop: asyncio.AbstractEventLoop, client: Any, closer: Closer) -> None:
    task = loop.create_task(_end(client, closer))
    _ending.add(task)
    task.add_done_callback(_ending.discard)


def _sweep() -> None:
    """End the connections of loops that were closed and left them open."""
    for client, (loop, _) in list(_open_pools.items()):
        if loop.is_closed() and _open_pools.pop(client, None) is not None:
            interrupt(client)


async def _close_pool(client: Any) -> None:
    """Close a pool of the running loop, all of it also when cancelled, or when another task has begun to."""
    streams = [stream for backend in client.backends for stream in backend.streams()]
    try:
        await client.aclose()
    finally:
        # The pool has let go of its connections by now; what is closed already stays so.
        await close_lines(streams)


async def _close_elsewhere(client: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Close the pool of another loop: by that loop if it runs and finds the time, else by ending its connections."""
    if loop.is_running():
        closing = client.aclose()
        try:
            future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(closing, loop))
        except RuntimeError:  # closed in between
            closing.close()
        else:
            done, _ = await asyncio.wait([future], timeout=_ELSEWHERE)
            for one in done:
                if not one.cancelled():
                    one.exception()  # retrieved, or asyncio complains
    interrupt(client)
