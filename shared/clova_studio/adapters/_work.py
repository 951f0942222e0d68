"""Work that takes several requests, side by side: the first failure ends it, and what succeeded is kept."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clova_studio._errors import ClovaStudioError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

__all__ = ["aask_all", "ask_all"]

ItemT = TypeVar("ItemT")
AnswerT = TypeVar("AnswerT")


def ask_all(ask: Callable[[ItemT], AnswerT], items: Sequence[ItemT], *, max_concurrency: int) -> list[AnswerT]:
    """Return the answer for each item, in order, several at a time.

    After the first failure, or an interrupt, nothing is started any more; what is under way comes to its end.

    Args:
        ask: Makes the request for an item; called in threads where there are several items.
        items: The items.
        max_concurrency: Items under way at once, at most, from 1.

    Returns:
        One answer an item.

    Raises:
        ClovaStudioError: The first failure. Its ``partial`` has for each item its answer, its error, or None where
            nothing was asked.
    """
    work = _Work[ItemT, AnswerT](items)

    def run() -> None:
        for place, item in work.waiting():
            try:
                work.answers[place] = ask(item)
            except Exception as error:  # noqa: BLE001  raised by result()
                work.failed(place, error)

    workers = min(max_concurrency, len(items))
    if workers <= 1:
        run()
        return work.result()
    with ThreadPoolExecutor(workers, "clova-work") as pool:
        futures = [pool.submit(run) for _ in range(workers)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            # On an interrupt the pool waits for its threads: they must find nothing more to do.
            work.stop()
            raise
    return work.result()


async def aask_all(
    ask: Callable[[ItemT], Awaitable[AnswerT]], items: Sequence[ItemT], *, max_concurrency: int
) -> list[AnswerT]:
    """Return the answer for each item, in order, several at a time; see ``ask_all``.

    A call that is cancelled has ended all of its requests when it returns.

    Args:
        ask: As there, but in tasks.
        items: As there.
        max_concurrency: As there.

    Returns:
        As there.

    Raises:
        ClovaStudioError: As there.
    """
    work = _Work[ItemT, AnswerT](items)

    async def run() -> None:
        for place, item in work.waiting():
            try:
                work.answers[place] = await ask(item)
            except Exception as error:  # noqa: BLE001  raised by result()
                work.failed(place, error)

    workers = min(max_concurrency, len(items))
    if workers <= 1:
        await run()
    else:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(run())
    return work.result()


class _Work(Generic[ItemT, AnswerT]):
    """What is to be asked, and what became of it. Safe to use from many threads."""

    def __init__(self, items: Sequence[ItemT]) -> None:
        self.answers: list[Any] = [None] * len(items)
        self._queue = enumerate(items)
        self._stopped = False
        self._error: Exception | None = None
        self._lock = threading.Lock()

    def waiting(self) -> Iterator[tuple[int, ItemT]]:
        """Yield the items of one worker, with their places, until there is nothing left to start."""
        while True:
            with self._lock:
                entry = None if self._stopped else next(self._queue, None)
            if entry is None:
                return
            yield entry

    def failed(self, place: int, error: Exception) -> None:
        """Put an error in its item's place; the first one ends the work."""
        with self._lock:
            self.answers[place] = error
            if self._error is None:
                self._error = error
            self._stopped = True

    def stop(self) -> None:
        """Start nothing more."""
        self._stopped = True

    def result(self) -> list[AnswerT]:
        """Return the answers.

        Raises:
            Exception: The first error.
        """
        if isinstance(self._error, ClovaStudioError):
            self._error.partial = self.answers
        if self._error is not None:
            raise self._error
        return self.answers
