"""Closing a client wakes whoever waits for a silent server, at once and with an error of ours."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from api_table import TABLE
from client_support import MESSAGES, OK, envelope, open_sockets
from fault_support import CHAT, PATIENCE, SSE, STREAM, Account, Line, RawServer, chunked, head, plain, wait_for

import clova_studio as cs
from clova_studio.adapters import aembed_texts, asegment_texts, asummarize_texts

if TYPE_CHECKING:
    from collections.abc import Callable

# Threads stand at silent servers in all of them, each a tenth of a second or two.
pytestmark = pytest.mark.slow

TOKEN = STREAM.split(b"\n\n")[0] + b"\n\n"


def silent(line: Line) -> None:
    """Answer nothing."""
    line.hold()


def headers_only(line: Line) -> None:
    """Begin an answer of either kind and stop."""
    line.send(SSE if b"text/event-stream" in line.requests[-1] else head(content_length="100"))
    line.hold()


def some_of_it(line: Line) -> None:
    """Send a part of the answer and stop."""
    streamed = b"text/event-stream" in line.requests[-1]
    line.send(SSE + chunked(TOKEN, end=False) if streamed else head(content_length="5000") + CHAT[:50])
    line.hold()


TURNS = [silent, headers_only, some_of_it]


def errors_of_threads(client: cs.ClovaStudio, verb: str, server: RawServer, close: Callable[[], Any]) -> list[Any]:
    """Return what several threads that wait get when the client is closed, and the seconds that it took last."""

    def work() -> None:
        try:
            result = getattr(client, verb)(MESSAGES)
            if verb == "stream_chat":
                list(result)
        except BaseException as error:  # noqa: BLE001  whatever it is
            seen.append(error)

    seen: list[Any] = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(server.requests) == 4)
    time.sleep(0.05)
    began = time.monotonic()
    close()
    for thread in threads:
        thread.join(PATIENCE)
    return [*seen, time.monotonic() - began]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("verb", ["chat", "stream_chat"])
def test_close_wakes_threads(verb: str, turn: Callable[[Line], None]) -> None:
    """Threads that wait for a silent server get a typed error at once, and send nothing again."""
    with RawServer(turn) as server:
        client = cs.ClovaStudio(**Account("sync", server.base_url).settings)
        *errors, took = errors_of_threads(client, verb, server, client.close)
        kind = cs.StreamInterruptedError if verb == "stream_chat" and turn is some_of_it else cs.APIConnectionError
        assert [type(error) for error in errors] == [kind] * 4
        if kind is cs.APIConnectionError:
            assert all("was closed while the request was in flight" in str(error) for error in errors)
        assert took < 1
        assert len(server.requests) == 4
        assert open_sockets(server.base_url) == 0
        with pytest.raises(cs.ConfigurationError, match="is closed"):
            client.chat(MESSAGES)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("verb", ["chat", "stream_chat"])
def test_aclose_wakes_tasks(verb: str, turn: Callable[[Line], None]) -> None:
    """The same for tasks of the loop."""

    async def work(client: cs.AsyncClovaStudio) -> None:
        result = getattr(client, verb)(MESSAGES)
        if verb == "chat":
            await result
            return
        async for _ in result:
            pass

    async def main() -> tuple[list[Any], float]:
        client = cs.AsyncClovaStudio(**Account("async", server.base_url).settings)
        tasks = [asyncio.create_task(work(client)) for _ in range(4)]
        await asyncio.to_thread(wait_for, lambda: len(server.requests) == 4)
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await client.aclose()
        return await asyncio.gather(*tasks, return_exceptions=True), time.monotonic() - began

    with RawServer(turn) as server:
        errors, took = asyncio.run(main())
        kind = cs.StreamInterruptedError if verb == "stream_chat" and turn is some_of_it else cs.APIConnectionError
        assert [type(error) for error in errors] == [kind] * 4
        assert took < 1
        assert len(server.requests) == 4


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("verb", ["chat", "stream_chat"])
def test_close_wakes_threads_over_a_caller_s_http_client(verb: str, turn: Callable[[Line], None]) -> None:
    """The same over an HTTP client of the caller's, which stays open."""
    with RawServer(turn) as server, httpx.Client() as http:
        client = cs.ClovaStudio(**Account("sync", server.base_url).settings, http_client=http)
        *errors, took = errors_of_threads(client, verb, server, client.close)
        kind = cs.StreamInterruptedError if verb == "stream_chat" and turn is some_of_it else cs.APIConnectionError
        assert [type(error) for error in errors] == [kind] * 4
        assert took < 1
        assert len(server.requests) == 4
        assert not http.is_closed


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("verb", ["chat", "stream_chat"])
def test_aclose_wakes_tasks_of_other_loops(verb: str, *, given: bool) -> None:
    """``aclose`` wakes the tasks of another thread's loop, too, whoever opened its connections."""

    async def work() -> None:
        async with httpx.AsyncClient() as http:
            opened.append(cs.AsyncClovaStudio(**settings, http_client=http if given else None))
            result = getattr(opened[0], verb)(MESSAGES)
            with pytest.raises(cs.APIConnectionError, match="was closed while the request was in flight"):
                await (result if verb == "chat" else anext(result))
            assert not http.is_closed

    opened: list[cs.AsyncClovaStudio] = []
    with RawServer(silent) as server, ThreadPoolExecutor(1) as threads:
        settings = Account("async", server.base_url).settings
        done = threads.submit(asyncio.run, work())
        wait_for(lambda: len(server.requests) == 1)
        began = time.monotonic()
        asyncio.run(opened[0].aclose())
        done.result(PATIENCE)
        assert time.monotonic() - began < 1.5
        assert len(server.requests) == 1


def limited(line: Line) -> None:
    """Refuse for the quota, until long after."""
    line.send(plain(envelope("42901", "Too many requests"), 429, retry_after="4"))


def broken(line: Line) -> None:
    """Fail in a way that is worth another attempt."""
    line.send(plain(envelope("50000", "Internal error"), 500))


def in_training(line: Line) -> None:
    """Answer that a tuning task runs."""
    line.send(plain(OK + b'{"id":"id","status":"RUNNING"}}'))


WAITS: list[tuple[Callable[[Line], None], Callable[[Any], Any]]] = [
    (limited, lambda client: client.chat(MESSAGES)),
    (limited, lambda client: client.embed_many(["가", "나"])),
    (broken, lambda client: client.chat(MESSAGES)),
    (in_training, lambda client: client.tuning.wait("id", poll_interval=30)),
]


@pytest.mark.parametrize(("turn", "call"), WAITS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_close_wakes_what_waits_to_send(kind: str, turn: Callable[[Line], None], call: Callable[[Any], Any]) -> None:
    """Calls that wait for their quota, in a back-off or between two questions end at once with a typed error."""

    def synchronous() -> float:
        client = cs.ClovaStudio(**settings)
        with ThreadPoolExecutor(1) as threads:
            done = threads.submit(call, client)
            wait_for(lambda: bool(server.requests))
            time.sleep(0.1)
            began = time.monotonic()
            client.close()
            with pytest.raises(cs.APIConnectionError, match="ClovaStudio was closed before the request was sent"):
                done.result(PATIENCE)
            return time.monotonic() - began

    async def asynchronous() -> float:
        client = cs.AsyncClovaStudio(**settings)
        task = asyncio.ensure_future(call(client))
        await asyncio.to_thread(wait_for, lambda: bool(server.requests))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await client.aclose()
        with pytest.raises(cs.APIConnectionError, match="AsyncClovaStudio was closed before the request was sent"):
            await task
        return time.monotonic() - began

    settings = {"retry": cs.RetryPolicy(initial=1e6, maximum=1e6, total=1e9), "rate_limits": cs.RateLimits(window=60)}
    with RawServer(turn) as server:
        settings = {**Account(kind, server.base_url).settings, **settings, "max_wait": None}
        assert (synchronous() if kind == "sync" else asyncio.run(asynchronous())) < 1
        sent = len(server.requests)
        assert sent <= 2
        time.sleep(0.05)
        assert len(server.requests) == sent


def test_a_client_of_the_caller_s_closed_in_flight_is_a_typed_error() -> None:
    """A caller who closes an HTTP client under waiting threads gets errors of ours, whatever the library raises."""
    with RawServer(some_of_it) as server, httpx.Client() as http:
        settings = {**Account("sync", server.base_url).settings, "retry": None, "max_retries": 0, "timeout": 1}
        client = cs.ClovaStudio(**settings, http_client=http)
        *errors, _ = errors_of_threads(client, "chat", server, http.close)
        assert len(errors) == 4
        assert all(isinstance(error, cs.ClovaStudioError) for error in errors)


def asked(result: Any) -> Any:
    """Return what is awaited of a call, of a stream its first chunk."""
    return anext(result) if hasattr(result, "__anext__") else result


CALLS: list[Callable[[cs.AsyncClovaStudio], Any]] = [
    *(lambda client, row=row: asked(attrgetter(row.verb)(client)(*row.args, **row.kwargs)) for row in TABLE),
    lambda client: client.embed_many(["글", "말"]),
    lambda client: client.tuning.wait("id"),
    lambda client: anext(client.tuning.iter()),
    lambda client: asegment_texts(client, ["글"], max_chunk_size=None, max_concurrency=2),
    lambda client: asummarize_texts(client, ["글"], max_characters=100, max_concurrency=2),
    lambda client: aembed_texts(client, ["글"], model="bge-m3", max_concurrency=2),
    lambda client: client.stream_chat(MESSAGES).__aenter__(),
    lambda client: client.stream_chat(MESSAGES).__anext__(),
    lambda client: client.openai.models(),
    lambda client: client.aclose(),
]


@pytest.mark.filterwarnings("ignore:the Completions API:DeprecationWarning")
@pytest.mark.parametrize("call", CALLS)
def test_without_asyncio_there_is_a_typed_error(call: Callable[[cs.AsyncClovaStudio], Any]) -> None:
    """Under trio, as without any event loop, a call says that asyncio is needed instead of a bare RuntimeError."""
    client = cs.AsyncClovaStudio("nv-test-key")
    work = call(client).__await__()
    with pytest.raises(cs.ConfigurationError, match=r"asyncio; trio is not supported"):
        next(work)
