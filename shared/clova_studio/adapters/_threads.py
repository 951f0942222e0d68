"""Synchronous work for asynchronous callers, used where only a synchronous client was given."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from clova_studio._concurrency import CALLER, CancelSignal, check_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

__all__ = ["in_thread", "iterate_in_threads"]

P = ParamSpec("P")
T = TypeVar("T")

_MOST_THREADS = 32
_permits: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function returns that calls a synchronous client, while the event loop goes on.

    As ``asyncio.to_thread``, but neither the end of the loop nor that of the process waits for the thread, however
    long the service hangs. When the caller is cancelled, the function sends nothing more; a request in flight is left
    behind. At most 32 threads of an event loop work at once.

    Args:
        function: The function.
        *args: Its arguments.
        **kwargs: Its arguments.

    Raises:
        ConfigurationError: No event loop of asyncio runs.
        BaseException: What the function raises.
    """
    check_loop()
    loop = asyncio.get_running_loop()
    async with _permits.setdefault(loop, asyncio.Semaphore(_MOST_THREADS)):
        caller, context = CancelSignal(), contextvars.copy_context()
        context.run(CALLER.set, caller)
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)

        def work() -> None:
            result, error = None, None
            try:
                result = context.run(function, *args, **kwargs)
            except BaseException as exc:  # noqa: BLE001  raised where it is awaited
                error = exc
            # A loop that is closed waits for nothing.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=work, name="clova-call", daemon=True).start()
        try:
            return await done
        finally:
            caller.stop()


async def iterate_in_threads(iterator: Generator[T, None, None]) -> AsyncGenerator[T, None]:
    """Yield the items of a generator, running each step ``in_thread``; the generator is closed at the end.

    Args:
        iterator: The generator.
    """
    end = object()
    try:
        while (item := await in_thread(next, iterator, end)) is not end:
            yield item  # type: ignore[misc]  # every value but the sentinel is an item
    finally:
        # After a cancellation a step may still run, so that close() fails; the garbage collector closes it then.
        with suppress(ValueError):
            iterator.close()
