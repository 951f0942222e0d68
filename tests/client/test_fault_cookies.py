"""Cookies that a gateway sets: none is kept, and none is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from client_support import MESSAGES
from fault_support import CHAT, KINDS, SSE, STREAM, Account, Line, RawServer, chunked, head

import clova_studio as cs

if TYPE_CHECKING:
    from collections.abc import Sequence


def baker(line: Line) -> None:
    """Answer with twenty cookies of new names."""
    number = len(line.requests)
    cookies = b"".join(b"set-cookie: c%d-%d=x; path=/\r\n" % (number, i) for i in range(20))
    streamed = b"text/event-stream" in line.requests[-1]
    top = SSE if streamed else head(content_length=str(len(CHAT)))
    line.send(top[:-2] + cookies + b"\r\n" + (chunked(STREAM) if streamed else CHAT))


def _of(client: cs.ClovaStudio | cs.AsyncClovaStudio) -> Sequence[object]:
    if isinstance(client, cs.ClovaStudio):
        return list(client._http.cookies.jar)
    return [cookie for http, _ in client._pools._clients.values() for cookie in http.cookies.jar]


@pytest.mark.parametrize("kind", KINDS)
def test_cookies_are_neither_kept_nor_sent(kind: str) -> None:
    """A jar that a gateway fills for ever stays empty, and requests carry no cookie back."""

    async def asynchronous() -> Sequence[object]:
        async with cs.AsyncClovaStudio(**settings) as client:
            for _ in range(10):
                await client.chat(MESSAGES)
                async for _ in client.stream_chat(MESSAGES):
                    pass
            return _of(client)

    def synchronous() -> Sequence[object]:
        with cs.ClovaStudio(**settings) as client:
            for _ in range(10):
                client.chat(MESSAGES)
                list(client.stream_chat(MESSAGES))
            return _of(client)

    with RawServer(baker) as server:
        settings = Account(kind, server.base_url).settings
        kept = synchronous() if kind == "sync" else asyncio.run(asynchronous())
        assert kept == []
        assert len(server.requests) == 20
        assert not any(b"cookie" in request.lower() for request in server.requests)
