"""Tasks that are cancelled and streams that are left: the server sees their connections close at once."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from client_support import MESSAGES, open_sockets
from fault_support import (
    CHAT,
    KINDS,
    PATIENCE,
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
    from collections.abc import Callable

from cancel_support import bare_stream, chat, embed_many, stream

TOKEN = STREAM.split(b"\n\n")[0] + b"\n\n"


def silent(line: Line) -> None:
    """Answer nothing."""
    line.hold()


def headers_only(line: Line) -> None:
    """Begin an answer of either kind and stop."""
    streamed = b"text/event-stream" in line.requests[-1]
    line.send(SSE if streamed else head(content_length="100"))
    line.hold()


def some_of_it(line: Line) -> None:
    """Send a part of the answer and stop."""
    streamed = b"text/event-stream" in line.requests[-1]
    line.send(SSE + chunked(TOKEN, end=False) if streamed else head(content_length="5000") + CHAT[:50])
    line.hold()


def endless(line: Line) -> None:
    """Send tokens until the client leaves."""
    line.send(SSE)
    while not line.gone.is_set():
        line.drip(chunked(TOKEN, end=False), 0.0005)


async def seen_gone(server: RawServer) -> bool:
    """Return whether the server saw every connection closed, while the client is still there."""
    lines = server.lines
    return all([await asyncio.to_thread(line.gone.wait, PATIENCE) for line in lines])


@pytest.mark.slow
@pytest.mark.parametrize("turn", [silent, headers_only, some_of_it])
@pytest.mark.parametrize("work", [chat, stream, bare_stream, embed_many])
def test_cancelled_requests_close_at_once(turn: Any, work: Callable[[cs.AsyncClovaStudio], Any]) -> None:
    """The server sees the connections of a cancelled task close while the client lives on, and then is asked anew."""

    async def main(server: RawServer) -> None:
        async with cs.AsyncClovaStudio(**Account("async", server.base_url).settings) as client:
            task = asyncio.create_task(work(client))
            await asyncio.to_thread(asked.wait, PATIENCE)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert open_sockets(server.base_url) == 0
            assert await seen_gone(server)
            await chat(client)

    asked = threading.Event()

    def first(line: Line) -> None:
        if b"/embedding/" not in line.requests[-1] or len(server.requests) > 1:
            asked.set()
        turn(line)

    with RawServer(first, first if work is embed_many else plain(CHAT), plain(CHAT)) as server:
        asyncio.run(main(server))


def test_cancelled_tls_handshake_closes_at_once() -> None:
    """A task that is cancelled while the server is silent in the handshake leaves no connection."""

    async def main(server: RawServer) -> None:
        url = server.base_url.replace("http", "https")
        async with cs.AsyncClovaStudio(**Account("async", url).settings) as client:
            task = asyncio.create_task(client.chat(MESSAGES))
            await asyncio.to_thread(greeted.wait, PATIENCE)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert idle(client)
            assert await seen_gone(server)
            assert open_sockets(server.base_url) == 0

    greeted = threading.Event()

    def silent_handshake(line: Line) -> None:
        greeted.set()
        line.hold()

    with RawServer(plain(CHAT), greeting=silent_handshake) as server:
        asyncio.run(main(server))


def test_time_limits_of_the_caller_close_at_once() -> None:
    """asyncio.timeout and a failing sibling in a TaskGroup close what they cancel."""

    async def main(server: RawServer) -> None:
        async with cs.AsyncClovaStudio(**Account("async", server.base_url).settings) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await stream(client)
            assert await seen_gone(server)
            with pytest.raises(ExceptionGroup):
                await asyncio.gather(_group(client, server))
            assert await seen_gone(server)
            assert idle(client)

    async def _group(client: cs.AsyncClovaStudio, server: RawServer) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stream(client))
            group.create_task(chat(client))
            while len(server.requests) < 3:  # noqa: ASYNC110  a thread counts them
                await asyncio.sleep(0.01)
            raise KeyError

    with RawServer(some_of_it) as server:
        asyncio.run(main(server))


WAYS = ["break", "break in with", "close", "error in with"]


def leave(client: cs.ClovaStudio, way: str, held: list[Any]) -> None:
    """Leave a stream after its first chunk; all but a bare break keep hold of it."""
    if way == "break":
        for _ in client.stream_chat(MESSAGES):
            break
        return
    held.append(client.stream_chat(MESSAGES))
    if way == "close":
        next(held[0])
        held[0].close()
        return
    with held[0] as chunks:
        for _ in chunks:
            if way == "error in with":
                raise KeyError(way)
            break


async def aleave(client: cs.AsyncClovaStudio, way: str, held: list[Any]) -> None:
    """Do the same, awaited."""
    if way == "break":
        async for _ in client.stream_chat(MESSAGES):
            break
        return
    held.append(client.stream_chat(MESSAGES))
    if way == "close":
        await anext(held[0])
        await held[0].aclose()
        return
    async with held[0] as chunks:
        async for _ in chunks:
            if way == "error in with":
                raise KeyError(way)
            break


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_leaving_a_stream_closes_it_at_once(kind: str, way: str) -> None:
    """The server sees the connection of a stream close when it is left, however that is, while the client lives on."""

    async def main() -> None:
        async with cs.AsyncClovaStudio(**Account(kind, server.base_url).settings) as client:
            with pytest.raises(KeyError) if way == "error in with" else nullcontext():
                await aleave(client, way, held)
            assert await seen_gone(server)
            assert idle(client)

    held: list[Any] = []
    gc.disable()
    try:
        with RawServer(endless) as server:
            if kind == "async":
                asyncio.run(main())
                return
            with cs.ClovaStudio(**Account(kind, server.base_url).settings) as client:
                with pytest.raises(KeyError) if way == "error in with" else nullcontext():
                    leave(client, way, held)
                assert asyncio.run(seen_gone(server))
                assert idle(client)
    finally:
        gc.enable()
