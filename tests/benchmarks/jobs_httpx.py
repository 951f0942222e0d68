"""The same jobs as those of the client, with nothing but httpx and json."""

from __future__ import annotations

import asyncio
import functools
import json
import os

import httpx
import psutil

BODY = {"messages": [{"role": "user", "content": "대한민국의 수도는 어디인가요?"}]}
HEADERS = {"Authorization": "Bearer nv-bench"}
STREAM_HEADERS = {**HEADERS, "Accept": "text/event-stream"}
CHAT = "/v3/chat-completions/HCX-005"
LIMITS = httpx.Limits(max_connections=None)


@functools.cache
def client() -> httpx.Client:
    """Return the HTTP client."""
    return httpx.Client(limits=LIMITS)


def chat(base_url: str, calls: int) -> None:
    """Ask so many times."""
    asking, url = client(), base_url + CHAT
    for _ in range(calls):
        asking.post(url, json=BODY, headers=HEADERS).json()


def stream(base_url: str, tokens: int) -> None:
    """Read a stream of so many tokens: bytes, cut at blank lines, and the JSON of each event."""
    read, buffer = 0, b""
    with client().stream("POST", f"{base_url}/sse/{tokens}{CHAT}", json=BODY, headers=STREAM_HEADERS) as response:
        for piece in response.iter_bytes():
            *events, buffer = (buffer + piece).split(b"\n\n")
            for event in events:
                json.loads(event[event.index(b"data:") + 5 :])
                read += 1
    if read != tokens + 1:
        raise RuntimeError(f"{read} instead of {tokens + 1}")


def vectors_memory(base_url: str, texts: int) -> float:
    """Return by how many bytes the process grew for so many vectors alone."""
    body = client().post(f"{base_url}/v1/api-tools/embedding/v2", json={"text": "문서"}, headers=HEADERS).content
    vectors = [json.loads(body)["result"]["embedding"] for _ in range(64)]
    before = rss()
    vectors = [json.loads(body)["result"]["embedding"] for _ in range(texts)]
    grown = rss() - before
    if len(vectors[-1]) != 1_024:
        raise RuntimeError("no vectors")
    return grown


def held(base_url: str, streams: int) -> float:
    """Return the bytes that an open stream takes, of so many at once."""
    asking, opened = client(), []

    def add() -> None:
        request = asking.build_request("POST", f"{base_url}/hold{CHAT}", json=BODY, headers=STREAM_HEADERS)
        response = asking.send(request, stream=True)
        pieces = response.iter_bytes()
        next(pieces)
        opened.append((response, pieces))

    add()
    before = rss()
    for _ in range(streams):
        add()
    grown = (rss() - before) / streams
    for response, _ in opened:
        response.close()
    return grown


def held_async(base_url: str, streams: int) -> float:
    """Return the bytes that an open stream takes, of so many at once on one event loop."""

    async def grown() -> float:
        async with httpx.AsyncClient(limits=LIMITS) as asking:
            opened = []

            async def add() -> None:
                request = asking.build_request("POST", f"{base_url}/hold{CHAT}", json=BODY, headers=STREAM_HEADERS)
                response = await asking.send(request, stream=True)
                pieces = response.aiter_bytes()
                await anext(pieces)
                opened.append((response, pieces))

            await add()
            before = rss()
            for _ in range(streams):
                await add()
            found = (rss() - before) / streams
            for response, pieces in opened:
                await pieces.aclose()  # type: ignore[attr-defined]  # httpx hides that it is a generator
                await response.aclose()
        return found

    return asyncio.run(grown())


def rss() -> int:
    """Return the memory of this process in bytes."""
    return int(psutil.Process(os.getpid()).memory_info().rss)
