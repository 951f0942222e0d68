"""Coroutines for synchronous callers, in a notebook's running event loop too."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["run_coroutine"]

_Result = TypeVar("_Result")

# Seconds that a coroutine has to end after Ctrl-C.
_GRACE = 1.0


def run_coroutine(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end in a new event loop, in another thread if a loop is running in this one.

    LlamaIndex's own function closes its loop before connections are closed. The thread's current loop is not replaced.
    An interrupt cancels the coroutine, and does not wait for long until it has ended.

    Args:
        coroutine: The coroutine.

    Raises:
        BaseException: What the coroutine raises.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(coroutine)
    outcome: Future[_Result] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def announced() -> _Result:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  it runs
        started.set_result((asyncio.get_running_loop(), task))
        return await coroutine

    def work() -> None:
        try:
            outcome.set_result(_run(announced()))
        except BaseException as error:  # noqa: BLE001  raised by result()
            outcome.set_exception(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="clova-loop", daemon=True)
    thread.start()
    try:
        return outcome.result()
    except BaseException:
        if not outcome.done():
            with suppress(RuntimeError, TimeoutError):  # the loop has just been closed, or does not even run
                loop, task = started.result(_GRACE)
                loop.call_soon_threadsafe(task.cancel)
            thread.join(_GRACE)
        raise


def _run(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(coroutine)
