"""Cancels work at chosen awaits, and the work that the tests of cancellation cancel."""

from __future__ import annotations

import asyncio
import types
from typing import TYPE_CHECKING, Any

from client_support import MESSAGES
from fault_support import (
    TEXT,
    idle,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    import clova_studio as cs


class Canceller:
    """Counts the suspensions of some work, those of the tasks that it starts among them, and cancels it at chosen ones.

    Args:
        steps: At which suspensions, counted from 1.
    """

    def __init__(self, *steps: int) -> None:
        self.steps = steps
        self.taken = 0
        self.task: asyncio.Task[Any] | None = None

    async def run(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Run the work to its end; return whether it came there uncancelled. Any task that it leaves is an error."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, child, **names: asyncio.Task(self._awaited(child), loop=loop, **names))
        try:
            self.task = asyncio.create_task(work)
            await asyncio.wait([self.task])
        finally:
            loop.set_task_factory(None)
        for _ in range(20):  # asyncio ends async generators that were dropped in tasks of its own
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}, self.steps
        if self.task.cancelled():
            return False
        self.task.result()
        return True

    async def _awaited(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await self._counted(work)

    @types.coroutine
    def _counted(self, work: Coroutine[Any, Any, Any]) -> Iterator[Any]:
        send, value = work.send, None
        while True:
            try:
                waited_for = send(value)
            except StopIteration as end:
                return end.value
            self.taken += 1
            if self.taken in self.steps and self.task is not None:
                self.task.cancel()
            try:
                value = yield waited_for
                send = work.send
            except BaseException as error:  # noqa: BLE001  every one goes to the work
                send, value = work.throw, error


async def survives(client: cs.AsyncClovaStudio, work: Callable[[], Coroutine[Any, Any, Any]], *more: int) -> int:
    """Cancel work at its first, second, ... suspension, each time from the start, until it comes to its end.

    Args:
        client: Whose work it is. After each time nothing of it may be in flight.
        work: Starts it.
        more: How many suspensions later it is cancelled again, while it cleans up.

    Returns:
        How many suspensions there were.
    """
    for step in range(1, 1000):
        ended = await Canceller(step, *(step + n for n in more)).run(work())
        assert idle(client), step
        if ended:
            return step - 1
    raise AssertionError("the work never ends")


async def chat(client: cs.AsyncClovaStudio) -> None:
    """Chat; after whatever happened the same client answers."""
    assert (await client.chat(MESSAGES)).message.content == TEXT


async def stream(client: cs.AsyncClovaStudio) -> None:
    """Read a stream."""
    async with client.stream_chat(MESSAGES) as chunks:
        assert "".join([chunk.message.content async for chunk in chunks]) == TEXT


async def bare_stream(client: cs.AsyncClovaStudio) -> None:
    """Read a stream that nobody closes."""
    chunks = client.stream_chat(MESSAGES)
    assert "".join([chunk.message.content async for chunk in chunks]) == TEXT


async def embed_many(client: cs.AsyncClovaStudio) -> None:
    """Embed several texts at once."""
    assert len(await client.embed_many(["가", "나", "다"], max_concurrency=2)) == 3
