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
    from collections.abc import Callable

    from clova_studio._concurrency import CancelSignal
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
        try:
            if not attempts.wait_time():
                return
            woken = threading.Event()
            with attempts.woken_by(woken.set):
                while seconds := attempts.wait_time():
                    self.sleep(seconds, woken)
        except BaseException:
            # An interrupt can come at any line of this: whoever is gone must not keep a turn.
            attempts.leave()
            raise

    def sleep(self, seconds: float, woken: threading.Event) -> None:
        """Sleep, unless woken."""
        woken.wait(seconds)
        woken.clear()

    def pause(self, seconds: float, signal: CancelSignal) -> None:
        """Sleep.

        Raises:
            ClovaStudioError: A signal ended it.
        """
        woken = threading.Event()
        signal.add(woken.set)
        try:
            self.sleep(seconds, woken)
        finally:
            signal.remove(woken.set)
        signal.check()


class LoopWaiter:
    """Waits in the running event loop, which may be another one at each call."""

    now = staticmethod(time.monotonic)

    async def wait(self, attempts: Attempts[Any]) -> None:
        """Async variant of ``ThreadWaiter.wait``."""
        try:
            if not attempts.wait_time():
                return
            woken = asyncio.Event()
            with attempts.woken_by(_waker(woken)):
                while seconds := attempts.wait_time():
                    await self.sleep(seconds, woken)
        except BaseException:
            attempts.leave()
            raise

    async def sleep(self, seconds: float, woken: asyncio.Event) -> None:
        """Async variant of ``ThreadWaiter.sleep``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken.wait()
        woken.clear()

    async def pause(self, seconds: float, signal: CancelSignal) -> None:
        """Async variant of ``ThreadWaiter.pause``."""
        woken = asyncio.Event()
        wake = _waker(woken)
        signal.add(wake)
        try:
            await self.sleep(seconds, woken)
        finally:
            signal.remove(wake)
        signal.check()


def _waker(woken: asyncio.Event) -> Callable[[], None]:
    """Return what sets an event of the running loop, from any thread."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        # A loop that is closed waits for nothing.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(woken.set)

    return wake
