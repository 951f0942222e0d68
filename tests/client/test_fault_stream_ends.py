"""What follows the result of a stream: mostly its end, then the connection is used again; else it is given up."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest
from client_support import KEY, MESSAGES
from fault_support import KINDS, SSE, STREAM, Line, RawServer, chunked

import clova_studio as cs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

RESULT = SSE + chunked(STREAM, end=False)


def later(line: Line) -> None:
    """Send the end of the body a moment after the result."""
    line.send(RESULT)
    time.sleep(0.01)
    line.send(chunked())


def silent(line: Line) -> None:
    """Never end the body."""
    line.send(RESULT)
    line.hold()


def endless(line: Line) -> None:
    """Send events for ever."""
    line.send(RESULT)
    while not line.gone.is_set():
        line.send(chunked(b"event:signal\ndata:{}\n\n" * 1_000, end=False))


def twice(kind: str, base_url: str) -> list[str]:
    """Read two streams with one client and return their texts."""
    if kind == "sync":
        texts = []
        with cs.ClovaStudio(KEY, base_url=base_url) as client:
            for _ in range(2):
                with client.stream_chat(MESSAGES) as stream:
                    texts.append("".join(chunk.message.content for chunk in stream))
        return texts

    async def main() -> list[str]:
        async with cs.AsyncClovaStudio(KEY, base_url=base_url) as client:
            return [await said(client), await said(client)]

    return asyncio.run(main())


async def said(client: cs.AsyncClovaStudio) -> str:
    """Return the text of a stream."""
    async with client.stream_chat(MESSAGES) as stream:
        return "".join([chunk.message.content async for chunk in stream])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turn", [SSE + chunked(STREAM), later], ids=["at once", "later"])
def test_the_connection_of_a_stream_is_used_again(kind: str, turn: Any) -> None:
    """A stream is read to its end, so that the next request needs no new connection."""
    with RawServer(turn) as server:
        first, second = twice(kind, server.base_url)
        assert first == second != ""
        assert len(server.lines) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turn", [silent, endless])
def test_a_stream_that_goes_on_after_its_result_is_whole(kind: str, turn: Callable[[Line], None]) -> None:
    """Nobody waits for the end of a body whose result is there."""
    with RawServer(turn) as server:
        start = time.monotonic()
        first, second = twice(kind, server.base_url)
        assert time.monotonic() - start < 2
        assert first == second != ""
        assert len(server.lines) == 2


# Of a transport whose loop was closed over its head asyncio complains whatever becomes of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_loop_that_is_just_closed_leaves_no_task(caplog: pytest.LogCaptureFixture) -> None:
    """After the end of a stream nothing is left to do for its loop, even if it does not shut down its generators."""

    def run(work: Coroutine[Any, Any, str]) -> str:
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(work)
        finally:
            loop.close()

    with RawServer(SSE + chunked(STREAM)) as server:
        client = cs.AsyncClovaStudio(KEY, base_url=server.base_url)
        assert run(said(client)) != ""
        gc.collect()
        assert "was destroyed" not in caplog.text
        # The sweep of closed loops, which closes what the first one left open.
        asyncio.run(client.aclose())
        gc.collect()
