"""How a call waits before an attempt: in a thread, or in a task of an event loop.

What it waits for (the rate limiter, the back-off, the cancel signal of its batch) is decided in ``Attempts``.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clova_studio._retries import Attempts

__all__ = ["LoopWaiter", "ThreadWaiter"]


class ThreadWaiter:
    """Waits in the calling thread. A test replaces ``now`` and ``sleep`` by those of a clock of its own."""

    now = staticmethod(time.monotonic)

    def wait(self, attempts: Attempts[Any]) -> None:
        """Return when the next attempt may be sent.

        Raises:
            ClovaStudioError: It may not be sent, see ``Attempts.wait_time``.
        """
        if not attempts.wait_time():
            return
        woken = threading.Event()
        with attempts.woken_by(woken.set):
            while seconds := attempts.wait_time():
                self.sleep(seconds, woken)

    def sleep(self, seconds: float, woken: threading.Event) -> None:
        """Sleep, unless woken."""
        woken.wait(seconds)
        woken.clear()

    def pause(self, seconds: float) -> None:
        """Sleep."""
        self.sleep(seconds, threading.Event())


class LoopWaiter:
    """Waits in the running event loop, which may be another one at each call."""

    now = staticmethod(time.monotonic)

    async def wait(self, attempts: Attempts[Any]) -> None:
        """Async variant of ``ThreadWaiter.wait``."""
        if not attempts.wait_time():
            return
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            # Called from any thread; a loop that is closed waits for nothing.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(woken.set)

        with attempts.woken_by(wake):
            while seconds := attempts.wait_time():
                await self.sleep(seconds, woken)

    async def sleep(self, seconds: float, woken: asyncio.Event) -> None:
        """Async variant of ``ThreadWaiter.sleep``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken.wait()
        woken.clear()

    async def pause(self, seconds: float) -> None:
        """Async variant of ``ThreadWaiter.pause``."""
        await self.sleep(seconds, asyncio.Event())
