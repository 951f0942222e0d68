"""Jobs of the client."""

from __future__ import annotations

import asyncio
import functools
import os
import resource
import statistics
import time

import psutil

from clova_studio import AsyncClovaStudio, ClovaStudio, RateLimits

MESSAGES = [{"role": "user", "content": "대한민국의 수도는 어디인가요?"}]


@functools.cache
def client(base_url: str) -> ClovaStudio:
    """Return the client for an address."""
    return ClovaStudio("nv-bench", base_url=base_url)


def chat(base_url: str, calls: int) -> None:
    """Ask so many times."""
    asking = client(base_url)
    for _ in range(calls):
        asking.chat(MESSAGES)


def stream(base_url: str, tokens: int, streams: int = 1) -> None:
    """Read so many streams of so many tokens."""
    asking = client(f"{base_url}/sse/{tokens}")
    for _ in range(streams):
        with asking.stream_chat(MESSAGES) as chunks:
            read = sum(1 for _ in chunks)
        check(read, tokens + 1)


@functools.cache
def sharing(base_url: str, store: str | None) -> ClovaStudio:
    """Return a client with limits that are never reached, and the store that it shares them through, if any."""
    limits = RateLimits({"bge-m3": (1_000_000, None)}, store=store)
    return ClovaStudio("nv-bench", base_url=base_url, rate_limits=limits, quota_group=str(store))


def embed_median(base_url: str, store: str | None, texts: int) -> float:
    """Return the median time of a request, in seconds."""
    asking, times = sharing(base_url, store), []
    for _ in range(texts):
        begin = time.perf_counter()
        asking.embed("글")
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def embed_many(base_url: str, texts: int) -> None:
    """Embed so many texts."""
    check(len(client(base_url).embed_many([f"문서 {i}" for i in range(texts)])), texts)


def embed_many_memory(base_url: str, texts: int) -> float:
    """Return by how many bytes the process grew at most while it embedded."""
    embed_many(base_url, 64)
    before = rss()
    vectors = client(base_url).embed_many([f"문서 {i}" for i in range(texts)])
    check(len(vectors), texts)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 - before


def held(base_url: str, streams: int) -> float:
    """Return the bytes that an open stream takes, of so many at once."""
    asking, opened = client(f"{base_url}/hold"), []

    def add() -> None:
        opened.append(asking.stream_chat(MESSAGES))
        next(opened[-1])

    add()
    before = rss()
    for _ in range(streams):
        add()
    grown = (rss() - before) / streams
    for one in opened:
        one.close()
    return grown


def held_async(base_url: str, streams: int) -> float:
    """Return the bytes that an open stream takes, of so many at once on one event loop."""

    async def grown() -> float:
        async with AsyncClovaStudio("nv-bench", base_url=f"{base_url}/hold") as asking:
            opened = []

            async def add() -> None:
                opened.append(asking.stream_chat(MESSAGES))
                await anext(opened[-1])

            await add()
            before = rss()
            for _ in range(streams):
                await add()
            found = (rss() - before) / streams
            for one in opened:
                await one.aclose()
        return found

    return asyncio.run(grown())


def many_streams(base_url: str, streams: int) -> int:
    """Return how many of so many streams, all open at once on one client, came to their end."""

    async def read(asking: AsyncClovaStudio, all_open: asyncio.Barrier) -> str | None:
        async with asking.stream_chat(MESSAGES) as chunks:
            await anext(chunks)
            await all_open.wait()
            async for _ in chunks:
                pass
        return chunks.result().finish_reason

    async def finished() -> int:
        all_open = asyncio.Barrier(streams)
        async with AsyncClovaStudio("nv-bench", base_url=f"{base_url}/sse/50") as asking:
            ends = await asyncio.gather(*(read(asking, all_open) for _ in range(streams)))
        return sum(end == "stop" for end in ends)

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8_192), most))
    return asyncio.run(finished())


def rss() -> int:
    """Return the memory of this process in bytes."""
    return int(psutil.Process(os.getpid()).memory_info().rss)


def check(found: int, expected: int) -> None:
    """Refuse work that was not done."""
    if found != expected:
        raise RuntimeError(f"{found} instead of {expected}")
