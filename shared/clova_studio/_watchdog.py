"""Time limits of requests over an HTTP client of the caller's, which cannot be handed a ``Deadline``.

Its limits are per read, and nothing bounds the number of reads: headers can trickle and informational answers come for
ever. A coroutine can be cancelled. A thread that waits for a socket wakes only when the connection is ended, which is
possible for a connection of httpcore's that speaks HTTP/1.1 (one of HTTP/2 carries other requests of the caller's).
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from clova_studio._deadlines import shut_down
from clova_studio._responses import transport_error
from clova_studio._transport import reclaim

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from clova_studio._concurrency import CancelSignal
    from clova_studio._deadlines import Deadline

__all__ = ["await_within", "wait_within"]

T = TypeVar("T")

# Seconds: how soon a connection that was not there yet is looked for again, and how long the thread stays idle.
_SOON = 0.05
_IDLE = 1.0


@contextmanager
def wait_within(deadline: Deadline, http: Any, request: Any, closing: CancelSignal) -> Iterator[None]:
    """End a request when its time is over or our client is closed, wherever the calling thread waits for it.

    Args:
        deadline: How long it may take.
        http: The caller's HTTP client.
        request: The request.
        closing: Our client's.

    Raises:
        APITimeoutError: The time is over.
    """
    watched = _Watched(deadline, http, request)
    closing.add(watched.end)
    _watchdog.add(watched)
    try:
        yield
    except Exception as exc:
        if not (watched.ended and deadline.is_over()):
            raise
        # For what it does to the exception: no request and no secret stays on it.
        transport_error(exc, request.headers["X-NCP-CLOVASTUDIO-REQUEST-ID"])
        raise deadline.over() from exc
    finally:
        _watchdog.remove(watched)
        closing.remove(watched.end)


async def await_within(work: Awaitable[T], deadline: Deadline, http: Any, request: Any, closing: CancelSignal) -> T:
    """Return what a part of a request returns, and cancel it as ``wait_within`` ends it.

    Args:
        work: The part.
        deadline: How long the request may take.
        http: The caller's HTTP client.
        request: The request.
        closing: Our client's.

    Raises:
        APITimeoutError: The time is over, or the client is closed.
    """
    loop = asyncio.get_running_loop()
    waiting = True

    def expire() -> None:
        if waiting:
            limit.reschedule(loop.time())

    def wake() -> None:
        # From any thread; a loop that is closed waits for nothing.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(expire)

    limit = asyncio.timeout(deadline.left())
    try:
        async with limit:
            closing.add(wake)
            try:
                return await work
            finally:
                waiting = False
                closing.remove(wake)
    except TimeoutError:
        if not limit.expired():
            raise
    await reclaim(http, request)
    raise deadline.over()


class _Watched:
    """A request in flight."""

    def __init__(self, deadline: Deadline, http: Any, request: Any) -> None:
        self.deadline = deadline
        self.ended = False
        self._http = http
        self._request = request

    def left(self) -> float:
        """Return for how many seconds nothing is to be done."""
        if self.ended:
            return 0.0
        left = self.deadline.left()
        return _IDLE if left is None else left

    def end(self) -> None:
        """End the request now or, while it has no connection, as soon as it has one."""
        self.ended = True
        _watchdog.wake()

    def interrupt(self) -> None:
        """End the request if it has a connection."""
        self.ended = True
        stream = _stream_of(self._http, self._request)
        if stream is not None:
            shut_down(stream)


def _stream_of(http: Any, request: Any) -> Any:
    """Return the connection that a request has for itself, None if it has none or is not httpcore's."""
    find = getattr(http, "_transport_for_url", None)
    pool = getattr(find(request.url), "_pool", None) if find is not None else None
    for entry in list(getattr(pool, "_requests", ())):
        if entry.request.extensions is request.extensions:
            line = entry.connection
            # Around it are what opens it, and what goes through a proxy.
            while line is not None and not hasattr(line, "_h11_state"):
                line = getattr(line, "_connection", None)
            return getattr(line, "_network_stream", None)
    return None


class _Watchdog:
    """Ends what is watched at its time: one thread of the process, while there is anything to watch."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._watched: set[_Watched] = set()
        self._woken = threading.Event()
        self._runs = False

    def add(self, watched: _Watched) -> None:
        """Watch a request."""
        if self._pid != os.getpid():
            # A fork has none of its parent's threads, and its locks may be held for ever.
            self._reset()
        with self._lock:
            self._watched.add(watched)
            if not self._runs:
                # At the interpreter's end no thread starts any more; the limits per read are left then.
                with suppress(RuntimeError):
                    threading.Thread(target=self._run, name="clova-watchdog", daemon=True).start()
                    self._runs = True
        if watched.left() < _IDLE:
            self.wake()

    def remove(self, watched: _Watched) -> None:
        """Watch a request no more."""
        with self._lock:
            self._watched.discard(watched)

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    def _run(self) -> None:
        idle = False
        while True:
            self._woken.clear()
            with self._lock:
                watched = list(self._watched)
                if not watched and idle:
                    self._runs = False
                    return
            idle, pause = not watched, _IDLE
            for one in watched:
                left = one.left()
                if left <= 0:
                    one.interrupt()
                    left = _SOON
                pause = min(pause, left)
            self._woken.wait(pause)


_watchdog = _Watchdog()
