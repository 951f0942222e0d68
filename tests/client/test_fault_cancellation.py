"""Cancellation at every await point, and again while it cleans up: nothing stays behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from client_support import envelope, open_sockets
from fault_support import (
    CHAT,
    EMBEDDED,
    SSE,
    STREAM,
    Account,
    Line,
    RawServer,
    chunked,
    head,
    idle,
    plain,
)

import clova_studio as cs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

from cancel_support import Canceller, bare_stream, chat, embed_many, stream, survives

BUSY = plain(envelope("42901", "busy"), 429, x_ratelimit_reset_requests="5ms")
DOWN = plain(b"<html>503</html>", 503, "text/html")


def turns(line: Line) -> None:
    """Refuse every third request as busy and every third as down, and answer the rest in pieces."""
    count = len(line.requests)
    request = line.requests[-1]
    if count % 3 == 1:
        line.send(BUSY)
    elif count % 3 == 2:
        line.send(DOWN)
    elif b"/embedding/" in request:
        line.send(plain(EMBEDDED))
    elif b"text/event-stream" in request:
        line.send(SSE)
        for frame in STREAM.split(b"\n\n")[:-1]:
            line.send(chunked(frame + b"\n\n", end=False))
        line.send(chunked())
    else:
        line.send(head(transfer_encoding="chunked") + chunked(CHAT[:50], end=False))
        line.send(chunked(CHAT[50:]))


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), (1,), (1, 2)], ids=["once", "twice", "three times"])
@pytest.mark.parametrize("work", [chat, stream, bare_stream, embed_many])
def test_cancelling_at_every_await_leaves_nothing(
    work: Callable[[cs.AsyncClovaStudio], Coroutine[Any, Any, None]], more: tuple[int, ...]
) -> None:
    """Cancelled at any await, and again while it cleans up, work leaves no task and no busy connection behind."""
    # With several connections any request may meet several refusals.
    patient = cs.RetryPolicy(attempts=50, initial=0.001, maximum=0.002)

    async def main(server: RawServer) -> int:
        account = Account("async", server.base_url, retry=patient)
        async with cs.AsyncClovaStudio(**account.settings) as client:
            steps = await survives(client, lambda: work(client), *more)
            await chat(client)
            await stream(client)
            assert open_sockets(server.base_url) <= 2
        assert open_sockets(server.base_url) == 0
        return steps

    with RawServer(turns) as server:
        assert asyncio.run(main(server)) >= 5
        assert open_sockets(server.base_url) == 0


def test_closing_the_client_can_be_cancelled_anywhere() -> None:
    """Cancelled at any await, aclose has closed the connections all the same."""

    async def main(server: RawServer) -> None:
        for step in range(1, 100):
            client = cs.AsyncClovaStudio(**Account("async", server.base_url).settings)
            await asyncio.gather(*[chat(client) for _ in range(3)])
            assert open_sockets(server.base_url) >= 2
            ended = await Canceller(step).run(client.aclose())
            assert open_sockets(server.base_url) == 0
            if ended:
                return
        raise AssertionError("aclose never ends")

    with RawServer(plain(CHAT)) as server:
        asyncio.run(main(server))


def test_cancelled_at_the_gate() -> None:
    """A task that waits for a closed quota can be cancelled at once; nothing is sent, and the quota stays closed."""

    async def main(server: RawServer) -> None:
        settings = Account("async", server.base_url, rate_limits=None).settings
        async with cs.AsyncClovaStudio(**settings) as client:
            task = asyncio.create_task(chat(client))
            while not server.requests or not idle(client):  # noqa: ASYNC110  a thread counts them
                await asyncio.sleep(0.01)
            others = [asyncio.create_task(chat(client)) for _ in range(3)]
            await asyncio.sleep(0.02)
            for one in (task, *others):
                one.cancel()
            await asyncio.wait([task, *others])
            assert all(one.cancelled() for one in (task, *others))
            assert len(server.requests) == 1

    refusal = plain(envelope("42901", "busy"), 429, x_ratelimit_reset_requests="60s")
    with RawServer(refusal) as server:
        asyncio.run(main(server))
