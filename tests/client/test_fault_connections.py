"""Connections that fail, on the wire: each is the typed error or is mended by a retry, and nothing stays open."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from api_tuning import CREATE
from client_support import MESSAGES, open_sockets
from fault_support import (
    CHAT,
    KINDS,
    PATIENCE,
    SSE,
    STREAM,
    TEXT,
    Account,
    Line,
    RawServer,
    chunked,
    good,
    head,
    plain,
)

import clova_studio as cs

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = STREAM.split(b"\n\n")[0] + b"\n\n"
# The second where an answer must come in time, the first where none does.
SHORT = cs.Timeouts(read=0.05, stream=0.05)
ENOUGH = cs.Timeouts(read=0.2, stream=0.2)


def cut(*sent: bytes, reset: bool = False) -> Callable[[Line], bool]:
    """Return a turn that sends something and ends the connection."""

    def turn(line: Line) -> bool:
        for part in sent:
            line.send(part)
        line.close(reset=reset)
        return True

    return turn


def held(*sent: bytes) -> Callable[[Line], None]:
    """Return a turn that sends something and then keeps the connection open, silent."""

    def turn(line: Line) -> None:
        for part in sent:
            line.send(part)
        line.hold()

    return turn


def drip_comments(line: Line, before: bytes, after: bytes) -> None:
    """Send comments byte by byte for a second, each well within any limit, between two parts of a whole stream."""
    line.send(before)
    line.drip(chunked(b": alive\n\n", end=False) * 6, 0.012)
    line.send(chunked(after))


BROKEN: dict[str, bytes | Callable[[Line], Any]] = {
    "reset before the headers": cut(reset=True),
    "closed before the headers": cut(),
    "closed in the status line": cut(b"HTTP/1.1 2"),
    "closed in the headers": cut(b"HTTP/1.1 200 OK\r\ncontent-type: appl"),
    "no HTTP at all": cut(b"220 smtp.example.com ESMTP\r\n\r\n"),
    "headers without end": cut(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000),
    "reset after the headers": cut(head(content_length="500"), reset=True),
    "closed after the headers": cut(head(content_length="500")),
    "closed in the body": cut(head(content_length="5000") + CHAT[:100]),
    "reset in the body": cut(head(content_length="5000") + CHAT[:100], reset=True),
    "closed in a chunk": cut(head(transfer_encoding="chunked") + b"ff\r\n{"),
    "closed between chunks": cut(head(transfer_encoding="chunked") + chunked(CHAT[:100], end=False)),
    "no chunk": cut(head(transfer_encoding="chunked") + b"zz\r\n{"),
    "closed stream": cut(SSE),
    "stream closed in its first event": cut(SSE + chunked(TOKEN[:30], end=False)),
    "no gzip": plain(CHAT, content_encoding="gzip"),
    "no gzip in a stream": head(200, "text/event-stream", content_encoding="gzip", transfer_encoding="chunked")
    + chunked(STREAM),
}
SILENT: dict[str, Callable[[Line], Any]] = {
    "silent": held(),
    "silent in the headers": held(b"HTTP/1.1 200 OK\r\n"),
    "silent after the headers": held(head(content_length="500")),
    "silent in the body": held(head(content_length="5000") + CHAT[:100]),
    "silent stream": held(SSE),
    "silent in the first event": held(SSE + chunked(TOKEN[:30], end=False)),
    "dripping past the limit": lambda line: line.drip(plain(CHAT), 0.5),
    "comments and no event": lambda line: drip_comments(line, SSE, STREAM),
}
FAULTS = {**BROKEN, **SILENT}


def fits(name: str, verb: str) -> bool:
    """Return whether a fault can befall a verb."""
    return verb == "stream" or not re.search("stream|event", name)


def ids(server: RawServer) -> list[str]:
    """Return the ids of the requests that arrived."""
    return [re.search(rb"(?i)request-id: (\S+)", request)[1].decode() for request in server.requests]  # type: ignore[index]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_broken_connections_are_typed_and_mended(kind: str, name: str) -> None:
    """A broken or silent connection is a typed error after as many requests as allowed, or is mended by a retry."""
    wanted = cs.APITimeoutError if name in SILENT else cs.APIConnectionError
    for verb in ("chat", "stream"):
        if not fits(name, verb):
            continue
        with RawServer(FAULTS[name]) as server:
            account = Account(
                kind, server.base_url, max_retries=0 if name in SILENT else 2, timeout=SHORT if name in SILENT else 30
            )
            with pytest.raises(wanted) as caught:
                getattr(account, verb)()
            assert account.seen == []
            assert {caught.value.request_id} == set(ids(server))
            assert len(server.requests) == (1 if name in SILENT else 3)
        with RawServer(FAULTS[name], good) as server:
            account = Account(kind, server.base_url, timeout=ENOUGH if name in SILENT else 30)
            assert getattr(account, verb)() == TEXT
            assert len(ids(server)) == 2
            assert len(set(ids(server))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [*[name for name in BROKEN if fits(name, "chat")], "silent", "silent in the body"])
@pytest.mark.parametrize("kind", KINDS)
def test_work_that_may_have_been_done_is_not_repeated(kind: str, name: str) -> None:
    """A tuning task and a skillset whose answer was lost are asked for once."""
    wanted = cs.APITimeoutError if name in SILENT else cs.APIConnectionError
    skillset = ("weather1", 1, "q")
    for verb, args, options in (
        ("tuning.create", (), TASK),
        ("run_skillset", skillset, {}),
        ("stream_skillset", skillset, {}),
    ):
        with RawServer(FAULTS[name]) as server:
            account = Account(kind, server.base_url, timeout=SHORT if name in SILENT else 30)
            with pytest.raises(wanted):
                account.call(verb, *args, **options)
            assert len(server.requests) == 1


TASK = {re.sub("([A-Z])", lambda m: f"_{m[1].lower()}", name): value for name, value in CREATE.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_slow_answers_within_the_limits_are_whole(kind: str) -> None:
    """An answer whose bytes drip in, each within the limit, is whole; so is a stream whose events do."""
    with RawServer(lambda line: line.drip(plain(CHAT), 0.0005)) as server:
        assert Account(kind, server.base_url, timeout=ENOUGH).chat() == TEXT

    def events(line: Line) -> None:
        line.send(SSE)
        for frame in STREAM.split(b"\n\n")[:-1]:
            line.gone.wait(0.05)
            line.send(chunked(frame + b"\n\n", end=False))
        line.send(chunked())

    with RawServer(events) as server:
        assert Account(kind, server.base_url, timeout=ENOUGH).stream() == TEXT


@pytest.mark.slow
@pytest.mark.parametrize("drip", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_streams_that_stand_still(kind: str, *, drip: bool) -> None:
    """A stream that stands still after its first event, or of which comments alone drip in, is interrupted in time."""

    def turn(line: Line) -> None:
        if drip:
            drip_comments(line, SSE + chunked(TOKEN, end=False), STREAM.removeprefix(TOKEN))
            return
        line.send(SSE + chunked(TOKEN, end=False))
        line.hold()

    with RawServer(turn) as server:
        account = Account(kind, server.base_url, timeout=ENOUGH)
        with pytest.raises(cs.StreamInterruptedError) as caught:
            account.stream()
        assert isinstance(caught.value.__cause__, cs.APITimeoutError)
        assert [chunk.message.content for chunk in account.seen] == [caught.value.partial.message.content]
        assert len(server.requests) == 1


SKILLSET = b'event:finalAnswer\ndata:{"finalAnswer":"%b"}\n\n' % TEXT.encode()
OPENAI = (
    b'data: {"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n' % TEXT.encode()
)


@pytest.mark.parametrize(
    ("verb", "args", "body"),
    [
        ("stream_chat", (MESSAGES,), STREAM),
        ("openai.stream_chat", (MESSAGES,), OPENAI),
        ("stream_skillset", ("weather1", 1, "q"), SKILLSET),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_held_after_the_last_event_is_closed(kind: str, verb: str, args: Any, body: bytes) -> None:
    """Read to its last event, a stream is whole and its connection closed, although the server keeps it open."""
    with RawServer(held(SSE, chunked(body, end=False))) as server:
        account = Account(kind, server.base_url)
        assert account.call(verb, *args).result() is not None
        assert len(account.seen) >= 1
        assert server.lines[0].gone.wait(PATIENCE)


@pytest.mark.parametrize("kind", KINDS)
def test_idle_connections_that_the_server_closed(kind: str) -> None:
    """A connection that was closed while idle is replaced, without a second request, also for work done once only."""

    def close_idle(line: Line) -> bool:
        line.send(plain(CHAT))
        line.close()
        return True

    def sync() -> None:
        with cs.ClovaStudio(**Account(kind, server.base_url).settings) as client:
            for _ in range(3):
                client.chat(MESSAGES)
                assert server.lines[-1].gone.wait(PATIENCE)
            with pytest.raises(cs.InvalidResponseError):
                client.tuning.create(**TASK)

    async def main() -> None:
        async with cs.AsyncClovaStudio(**Account(kind, server.base_url).settings) as client:
            for _ in range(3):
                await client.chat(MESSAGES)
                assert await asyncio.to_thread(server.lines[-1].gone.wait, PATIENCE)
            with pytest.raises(cs.InvalidResponseError):
                await client.tuning.create(**TASK)

    with RawServer(close_idle) as server:
        sync() if kind == "sync" else asyncio.run(main())
        assert len(server.requests) == len(server.lines) == 4
        assert open_sockets(server.base_url) == 0
