"""Many inputs, one request each, several in flight: a queue that decides, and two runners that send."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clova_studio._errors import ClovaStudioError, ConfigurationError, RateLimitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

__all__ = ["CALLER", "BatchCancelledError", "CancelSignal", "WorkQueue", "check_loop", "run_tasks", "run_threads"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# Seconds that requests in flight have to end after the queue has: a batch returns within one second.
_GRACE = 0.8


class BatchCancelledError(ClovaStudioError):
    """A request was not sent because its batch had ended. It never leaves the batch."""


def check_loop() -> None:
    """Refuse to work without an event loop of asyncio.

    Raises:
        ConfigurationError: There is none: trio runs, or nothing does.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        return
    raise ConfigurationError(
        "AsyncClovaStudio needs a running event loop of asyncio; trio is not supported: use asyncio.run, or "
        "ClovaStudio in a thread (trio.to_thread.run_sync)"
    )


class CancelSignal:
    """Ends the waiting of a whole batch: one that failed or is interrupted must not wait for its quota."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []

    @property
    def stopped(self) -> bool:
        """Whether the batch has ended."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End all waiting, now and later."""
        with self._lock:
            if self._stopped.is_set():
                return
            self._stopped.set()
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    def wait(self) -> None:
        """Wait until the batch has ended."""
        self._stopped.wait()

    def sleep(self, seconds: float) -> None:
        """Sleep until the time has passed or the batch has ended."""
        self._stopped.wait(seconds)

    def add(self, wake: Callable[[], None]) -> None:
        """Have a function called when the batch ends; at once if it has."""
        with self._lock:
            self._wakers.append(wake)
            stopped = self._stopped.is_set()
        if stopped:
            wake()

    def check(self, request_id: str = "") -> None:
        """Return if the batch has not ended.

        Raises:
            BatchCancelledError: The batch has ended.
        """
        if self._stopped.is_set():
            raise BatchCancelledError("the batch has ended", request_id=request_id or None)

    def remove(self, wake: Callable[[], None]) -> None:
        """Have a function called no more."""
        with self._lock:
            self._wakers.remove(wake)


CALLER: ContextVar[CancelSignal | None] = ContextVar("CALLER", default=None)
"""Ends the waiting of the synchronous calls in a context whose asynchronous caller may be cancelled."""


class WorkQueue(Generic[ItemT, ResultT]):
    """Inputs that each need a request: which is next, and what became of the others. No I/O, safe in many threads.

    ``run_threads`` and ``run_tasks`` send the requests. As many are in flight as they have workers.

    A queue ends with its last result, with the first final error, or when it is stopped. From then on it hands out no
    input, and no request that waits for its quota or for a retry is sent.

    Each error is final, with one exception. An input that its quota refuses (``RateLimitError``) is requeued, in front
    of the others, until one of these holds:

    - It has no others: the retries of the client are all that a single request gets.
    - Its last three refusals came without the success of any input between them. Two in a row prove nothing: a refusal
      is faster than a result, so what was sent together with the refused request may still succeed.
    - No input has succeeded for ``patience`` seconds.

    Args:
        items: The inputs.
        max_concurrency: Requests in flight at once, at most, from 1.
        return_errors: Whether errors of ``clova_studio`` are results like any other, and end nothing.
        patience: Seconds without a success after which a refusal is final: five windows of a quota. 0 requeues nothing,
            for inputs whose requests have a queue of their own.
        name: Says what error messages call the input with an index, such as ``texts[3]``.
        revise: Returns another input to send in place of one that failed, or None if its error is final.
        on_result: Called after each result and each final error.
        parent: The signal of a queue that this one belongs to: with it, this one ends too.
        clock: Returns monotonic seconds.

    Attributes:
        workers: How many requests can be in flight at once.
        cancel: The signal that the queue has ended.

    Raises:
        ConfigurationError: ``max_concurrency`` is not a whole number from 1.
    """

    def __init__(
        self,
        items: Iterable[ItemT],
        *,
        max_concurrency: int,
        return_errors: bool = False,
        patience: float = 300.0,
        name: Callable[[int], str] | None = None,
        revise: Callable[[ItemT, ClovaStudioError], ItemT | None] | None = None,
        on_result: Callable[[], object] | None = None,
        parent: CancelSignal | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(max_concurrency, int) or isinstance(max_concurrency, bool) or max_concurrency < 1:
            raise ConfigurationError(f"max_concurrency must be a whole number from 1, got {max_concurrency!r}")
        self._items = list(items)
        self.workers = min(max_concurrency, len(self._items))
        self.cancel = CancelSignal()
        self._return_errors = return_errors
        self._patience = patience
        self._name = name
        self._revise = revise
        self._on_result = on_result
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = deque(range(len(self._items)))
        self._results: list[Any] = [None] * len(self._items)
        self._left = len(self._items)
        self._error: BaseException | None = None
        self._closed = False
        self._successes = 0
        self._last_success = clock()
        # For each refused input: how many inputs had succeeded by its last refusal but one, and by its last.
        self._successes_at_refusals: dict[int, tuple[int | None, int]] = {}
        if parent is not None:
            parent.add(self.stop)

    def next(self) -> tuple[int, ItemT] | None:
        """Return the index and the input to send next, None if there is nothing to start."""
        with self._lock:
            if self.cancel.stopped or not self._waiting:
                return None
            index = self._waiting.popleft()
            return index, self._items[index]

    def done(self, index: int, result: ResultT) -> None:
        """Take the result of an input.

        Args:
            index: The index of the input.
            result: Its result.
        """
        with self._lock:
            if self._closed:
                return
            self._successes += 1
            self._last_success = self._clock()
            self._finish(index, result)

    def failed(self, index: int, error: BaseException) -> None:
        """Take the error of an input: it is final, or the input is requeued.

        Args:
            index: The index of the input.
            error: Its error.
        """
        with self._lock:
            if self._closed or isinstance(error, BatchCancelledError):
                return
            ends = not self._return_errors
            if not isinstance(error, ClovaStudioError):
                ends = True
            elif not self.cancel.stopped and self._requeue(index, error):
                # In front: first come, first served.
                self._waiting.appendleft(index)
                return
            elif self._name is not None:
                error.message = f"{self._name(index)}: {error.message}"
            if ends:
                if self._error is None:
                    self._error = error
                self.stop()
            self._finish(index, error)

    def stop(self) -> None:
        """End the queue."""
        self.cancel.stop()

    def results(self) -> list[ResultT]:
        """Return the results in the order of the inputs. What comes later is dropped.

        With ``return_errors`` errors are among them, outside of the declared type: the usual case reads plainly so.

        Raises:
            BaseException: The first final error. One of ``clova_studio`` has on ``partial`` for each input its result,
                its error, or None if it has neither.
            BatchCancelledError: The queue was stopped before its end; with ``partial``, too.
        """
        with self._lock:
            self._closed = True
            results = list(self._results)
        error = self._error
        if error is None and self._left:
            error = BatchCancelledError("the batch has ended")
        if error is None:
            return results
        if isinstance(error, ClovaStudioError):
            error.partial = results
        raise error

    def _finish(self, index: int, result: object) -> None:
        self._results[index] = result
        self._left -= 1
        if self._on_result is not None:
            self._on_result()
        if not self._left:
            self.stop()

    def _requeue(self, index: int, error: ClovaStudioError) -> bool:
        if isinstance(error, RateLimitError):
            before, last = self._successes_at_refusals.get(index, (None, None))
            self._successes_at_refusals[index] = last, self._successes
            if len(self._items) == 1 or self._clock() - self._last_success >= self._patience:
                return False
            return before is None or before < self._successes
        revised = None if self._revise is None else self._revise(self._items[index], error)
        if revised is None:
            return False
        self._items[index] = revised
        return True


def run_threads(queue: WorkQueue[ItemT, ResultT], send: Callable[[ItemT], ResultT]) -> list[ResultT]:
    """Send the inputs of a queue in threads, one alone in the calling thread, and return the results in order.

    After a final error or an interrupt nothing is sent any more. What is in flight then has 0.8 seconds to end; a
    thread that takes longer is left behind, and does not keep the process alive.

    Args:
        queue: The inputs.
        send: Makes the request for an input, with ``cancel=queue.cancel`` if it can wait for a quota.

    Returns:
        One result per input.

    Raises:
        BaseException: See ``WorkQueue.results``; an interrupt of the calling thread.
    """

    def work() -> None:
        while (entry := queue.next()) is not None:
            index, item = entry
            try:
                queue.done(index, send(item))
            except BaseException as error:  # noqa: BLE001  raised by results()
                queue.failed(index, error)

    if queue.workers <= 1:
        work()
        return queue.results()
    # No executor: the interpreter waits at its exit for the threads of executors.
    threads: list[threading.Thread] = []
    # The threads that are started here do not see the caller's context.
    caller = CALLER.get()
    if caller is not None:
        caller.add(queue.stop)
    try:
        for number in range(queue.workers):
            thread = threading.Thread(target=work, name=f"clova-batch-{number}", daemon=True)
            thread.start()
            threads.append(thread)
        queue.cancel.wait()
    finally:
        queue.stop()
        if caller is not None:
            caller.remove(queue.stop)
        end = time.monotonic() + _GRACE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
    return queue.results()


async def run_tasks(
    queue: WorkQueue[ItemT, ResultT], send: Callable[[ItemT], Awaitable[ResultT]], *, grace: float = _GRACE
) -> list[ResultT]:
    """Async variant of ``run_threads``: no task is left behind.

    Args:
        queue: The inputs.
        send: Makes the request for an input.
        grace: Seconds that requests in flight have to end after a final error; then they are cancelled.

    Raises:
        ConfigurationError: No event loop of asyncio runs.
        BaseException: See ``WorkQueue.results``.
    """

    async def work() -> None:
        while (entry := queue.next()) is not None:
            index, item = entry
            try:
                queue.done(index, await send(item))
            except Exception as error:  # noqa: BLE001  raised by results()
                queue.failed(index, error)

    check_loop()
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []
    timers: list[asyncio.TimerHandle] = []

    def cancel_late_ones() -> None:
        for task in tasks:
            task.cancel()

    def start_timer() -> None:
        timers.append(loop.call_later(grace, cancel_late_ones))

    queue.cancel.add(start_timer)
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(work()) for _ in range(queue.workers)]
    finally:
        queue.cancel.remove(start_timer)
        queue.stop()
        for timer in timers:
            timer.cancel()
    return queue.results()
