"""Event loops and sockets: one client for many loops, and nothing left open."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest
from client_support import KEY, MESSAGES, open_sockets

from clova_studio import AsyncClovaStudio, ClovaStudio
from clova_studio.emulator import Fault, serve


async def everything(client: AsyncClovaStudio) -> list[Any]:
    """Use each way of asking once."""
    result = await client.chat(MESSAGES)
    async with client.stream_chat(MESSAGES) as stream:
        text = "".join([chunk.message.content async for chunk in stream])
    vectors = await client.embed_many([f"글 {i}" for i in range(10)])
    return [result.message.content, text, len(vectors)]


def test_three_loops_on_one_client() -> None:
    """Three asyncio.run calls on one client work, and after each no socket is left open."""
    with serve(latency=0.005) as server:
        client = AsyncClovaStudio(KEY, base_url=server.base_url)
        for _ in range(3):
            text, streamed, count = asyncio.run(everything(client))
            assert (streamed, count) == (text, 10)
            assert open_sockets(server.base_url) == 0


def test_loops_in_threads_share_one_client() -> None:
    """Loops that run at the same time in several threads each have connections of their own."""
    with serve(latency=0.005) as server:
        client = AsyncClovaStudio(KEY, base_url=server.base_url)
        results: list[Any] = []
        threads = [threading.Thread(target=lambda: results.append(asyncio.run(everything(client)))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 4
        assert all(result == results[0] for result in results)
        assert open_sockets(server.base_url) == 0


async def _abandon(client: AsyncClovaStudio) -> None:
    async for _ in client.stream_chat(MESSAGES):
        break
    stream = client.stream_chat(MESSAGES)
    await anext(stream)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_abandoned_streams_close() -> None:
    """A stream that is left by break, by an exception or unread leaves no connection, sync and async."""
    with serve(token_latency=0.02) as server:
        client = AsyncClovaStudio(KEY, base_url=server.base_url)
        asyncio.run(_abandon(client))
        assert open_sockets(server.base_url) == 0
        with ClovaStudio(KEY, base_url=server.base_url) as sync:
            for _ in sync.stream_chat(MESSAGES):
                break
            gc.collect()
            assert open_sockets(server.base_url) == 0
            with pytest.raises(KeyError), sync.stream_chat(MESSAGES) as stream:
                _ = {}[next(stream).message.content]
            assert open_sockets(server.base_url) == 0


def test_cancelling_a_stream_closes_it() -> None:
    """A cancelled task that reads a stream leaves no connection and no task."""

    async def main(client: AsyncClovaStudio, base_url: str) -> None:
        async def read() -> None:
            async with client.stream_chat(MESSAGES) as stream:
                async for _ in stream:
                    pass

        task = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert open_sockets(base_url) == 0

    with serve(token_latency=0.05) as server:
        asyncio.run(main(AsyncClovaStudio(KEY, base_url=server.base_url), server.base_url))


@pytest.mark.slow
def test_closing_the_client_closes_its_connections() -> None:
    """Close and aclose leave no connection; so does dropping a sync client."""
    with serve() as server:
        with ClovaStudio(KEY, base_url=server.base_url) as client:
            client.chat(MESSAGES)
            assert open_sockets(server.base_url) == 1
        assert open_sockets(server.base_url) == 0
        dropped = ClovaStudio(KEY, base_url=server.base_url)
        dropped.chat(MESSAGES)
        del dropped
        gc.collect()
        assert open_sockets(server.base_url) == 0

        async def main() -> int:
            async with AsyncClovaStudio(KEY, base_url=server.base_url) as client:
                await client.chat(MESSAGES)
            return open_sockets(server.base_url)

        assert asyncio.run(main()) == 0


async def _drop_in_a_circle(base_url: str) -> None:
    """Use a client and leave it to the garbage collector."""
    client = AsyncClovaStudio(KEY, base_url=base_url)
    circle: list[Any] = [client]
    circle.append(circle)
    await client.embed_many(["글", "말", "밥"])


@pytest.mark.filterwarnings("error")
def test_a_collected_client_closes_its_connections() -> None:
    """A client that is collected while its loop runs, or between its work and the loop's end, leaves no connection.

    Nothing warns of an open one, and the loop has nothing to complain of.
    """
    complaints: list[Any] = []

    async def collect(base_url: str) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        await _drop_in_a_circle(base_url)
        gc.collect()
        for _ in range(20):
            await asyncio.sleep(0)
        assert open_sockets(base_url) == 0

    gc.disable()
    try:
        with serve(latency=0.005) as server:
            asyncio.run(collect(server.base_url))
            for late in (False, True):
                with asyncio.Runner() as runner:
                    runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
                    runner.run(_drop_in_a_circle(server.base_url))
                    if not late:
                        gc.collect()
                gc.collect()
                assert open_sockets(server.base_url) == 0
    finally:
        gc.enable()
    assert complaints == []


def test_a_loop_that_runs_again_closes_what_was_dropped() -> None:
    """A loop that is run again and again, a new client each time, keeps the connections of none that is gone."""
    with serve() as server:
        loop = asyncio.new_event_loop()
        for _ in range(3):
            loop.run_until_complete(_drop_in_a_circle(server.base_url))
            gc.collect()
        loop.run_until_complete(asyncio.sleep(0.05))
        assert open_sockets(server.base_url) == 0
        loop.close()


def test_connections_are_reused() -> None:
    """Calls one after the other share a connection."""
    with serve() as server, ClovaStudio(KEY, base_url=server.base_url) as client:
        for _ in range(5):
            client.chat(MESSAGES)
        assert open_sockets(server.base_url) == 1


def test_a_server_that_holds_the_connection_is_not_waited_for() -> None:
    """A stream whose server keeps the connection open after the result ends at the result."""
    with serve() as server, ClovaStudio(KEY, base_url=server.base_url, timeout=30) as client:
        server.add_fault(Fault("hang_after_result"))
        with client.stream_chat(MESSAGES) as stream:
            text = "".join(chunk.message.content for chunk in stream)
        assert text == stream.result().message.content
        assert open_sockets(server.base_url) == 0
