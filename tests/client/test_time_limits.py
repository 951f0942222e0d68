"""Time that is bounded whatever a server does, and time that is the caller's and does not count."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import MESSAGES, Pieces, open_sockets, sample
from fault_support import CHAT, PATIENCE, SSE, STREAM, Account, Line, RawServer, chunked, head, plain, wait_for

import clova_studio as cs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.slow

KINDS = ["sync", "async"]
LIMITS = cs.Timeouts(read=5, stream=0.3, total=0.3)
# Where no answer has to come within it.
SHORT = cs.Timeouts(read=None, stream=0.1, total=0.1)
TOKEN = STREAM.split(b"\n\n")[0] + b"\n\n"
CALL = (
    b'event: token\ndata: {"message":{"role":"assistant","content":"","toolCalls":[{"id":"a","type":"function",'
    b'"function":{"name":"f","partialJson":"{"}}]}}\n\n'
)
EMPTY = b'event: token\ndata: {"message":{"role":"assistant","content":""}}\n\n'


def forever(line: Line, data: bytes, pause: float = 0.05) -> None:
    """Send the same bytes again and again until the client leaves."""
    while not line.gone.wait(pause):
        line.send(data)


def slow_body(line: Line) -> None:
    """Trickle a body, byte after byte."""
    line.send(head(content_length=str(10**6)))
    forever(line, b"x")


def slow_chunks(line: Line) -> None:
    """Send chunks of a body without an end."""
    line.send(SSE.replace(b"text/event-stream", b"application/json"))
    forever(line, chunked(b" " * 100, end=False), 0.001)


def slow_headers(line: Line) -> None:
    """Trickle headers."""
    line.send(b"HTTP/1.1 200 OK\r\n")
    forever(line, b"x-more: 1\r\n")


def slow_status(line: Line) -> None:
    """Trickle the status line."""
    line.send(b"HTTP/1.1 200 ")
    forever(line, b"O")


def endless_hints(line: Line) -> None:
    """Send informational answers only."""
    forever(line, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", 0.002)


TRICKLES = [slow_body, slow_chunks, slow_headers, slow_status, endless_hints]


@pytest.mark.parametrize("turn", TRICKLES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_answer_has_a_total(kind: str, turn: Callable[[Line], None]) -> None:
    """An answer that never becomes whole is an APITimeoutError at the total, however its bytes trickle in."""
    with RawServer(turn) as server:
        account = Account(kind, server.base_url, timeout=SHORT, max_retries=0)
        began = time.monotonic()
        with pytest.raises(cs.APITimeoutError, match=r"the whole answer did not come within 0\.1 s"):
            account.chat()
        assert 0.05 < time.monotonic() - began < 2


def comments(line: Line) -> None:
    """Send comments only."""
    line.send(SSE)
    forever(line, chunked(b": ping\n\n", end=False), 0.01)


def unknown_events(line: Line) -> None:
    """Send events that mean nothing to the caller."""
    line.send(SSE)
    forever(line, chunked(b"event: signal\ndata: {}\n\n", end=False), 0.01)


def empty_deltas(line: Line) -> None:
    """Send tokens without text."""
    line.send(SSE)
    forever(line, chunked(EMPTY, end=False), 0.01)


def bytes_of_an_event(line: Line) -> None:
    """Trickle one event."""
    line.send(SSE)
    forever(line, chunked(b"data:", end=False))


NOTHINGS = [comments, unknown_events, empty_deltas, bytes_of_an_event]
CASES = [(turn, after) for turn in NOTHINGS for after in (False, True)]


@pytest.mark.parametrize(("turn", "after"), [*CASES, (slow_headers, False), (endless_hints, False)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_says_nothing_ends(kind: str, turn: Callable[[Line], None], *, after: bool) -> None:
    """Comments, unknown events and empty deltas do not keep a stream alive; what had arrived is on ``partial``."""

    def begin(line: Line) -> None:
        if after:
            line.send(SSE + chunked(TOKEN, end=False))
            line.send = lambda data: send(data.removeprefix(SSE))  # type: ignore[method-assign]
        turn(line)

    send: Any = None

    def served(line: Line) -> None:
        nonlocal send
        send = line.send
        begin(line)

    with RawServer(served) as server:
        account = Account(kind, server.base_url, timeout=LIMITS, max_retries=0)
        began = time.monotonic()
        with pytest.raises((cs.APITimeoutError, cs.StreamInterruptedError), match=r"within 0.3 s") as caught:
            account.stream()
        assert 0.2 < time.monotonic() - began < 2
        if after:
            assert isinstance(caught.value, cs.StreamInterruptedError)
            assert caught.value.partial.message.content
            assert isinstance(caught.value.__cause__, cs.APITimeoutError)


@pytest.mark.parametrize("token", [TOKEN, CALL], ids=["text", "call"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_says_something_goes_on(kind: str, token: bytes) -> None:
    """A stream takes as long as it likes while each part comes in time, of a text or of a tool call."""

    def slowly(line: Line) -> None:
        line.send(SSE)
        for _ in range(8):
            line.send(chunked(b": ping\n\n" + token, end=False))
            time.sleep(0.1)
        line.send(chunked(STREAM))

    with RawServer(slowly) as server:
        assert Account(kind, server.base_url, timeout=LIMITS, max_retries=0).stream()


def ready(line: Line) -> None:
    """Send a few tokens, each in pieces that are no event, wait for the caller, and send the rest."""
    tokens = [part[at : at + 20] for part in (TOKEN, TOKEN, EMPTY, EMPTY, TOKEN) for at in range(0, len(part), 20)]
    line.send(SSE + chunked(*tokens, end=False))
    time.sleep(0.1)
    line.send(chunked(STREAM))


def test_the_time_of_the_caller_does_not_count() -> None:
    """A caller may take longer over each chunk than the limit between two events."""
    with RawServer(ready) as server, cs.ClovaStudio(**Account("sync", server.base_url).settings) as client:
        count = 0
        for _ in client.stream_chat(MESSAGES, timeout=LIMITS):
            count += 1
            if count < 7:
                time.sleep(0.4)
        assert count > 7


def test_the_time_of_the_caller_does_not_count_awaited() -> None:
    """The same, awaited."""

    async def main() -> int:
        count = 0
        async with cs.AsyncClovaStudio(**Account("async", server.base_url).settings) as client:
            async for _ in client.stream_chat(MESSAGES, timeout=LIMITS):
                count += 1
                if count < 7:
                    await asyncio.sleep(0.4)
        return count

    with RawServer(ready) as server:
        assert asyncio.run(main()) > 7


class Endless(Pieces):
    """A body of a caller's own transport that never ends."""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            time.sleep(0.01)
            yield from self.pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            for piece in self.pieces:
                yield piece


@pytest.mark.parametrize("kind", KINDS)
def test_limits_hold_over_a_caller_s_own_client(kind: str) -> None:
    """Total and stream limit hold for any HTTP client, by what its body brings."""

    def turn(request: httpx.Request) -> httpx.Response:
        streamed = "event-stream" in request.headers["accept"]
        form = "text/event-stream" if streamed else "application/json"
        return httpx.Response(
            200, headers={"content-type": form}, stream=Endless([b": ping\n\n" if streamed else b" "])
        )

    async def asynchronous() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(turn)) as http:
            client = cs.AsyncClovaStudio("nv-k", http_client=http, timeout=LIMITS, max_retries=0)
            with pytest.raises(cs.APITimeoutError):
                await client.chat(MESSAGES)
            with pytest.raises(cs.APITimeoutError):
                await anext(client.stream_chat(MESSAGES))

    if kind == "async":
        asyncio.run(asynchronous())
        return
    with httpx.Client(transport=httpx.MockTransport(turn)) as http:
        client = cs.ClovaStudio("nv-k", http_client=http, timeout=LIMITS, max_retries=0)
        with pytest.raises(cs.APITimeoutError):
            client.chat(MESSAGES)
        with pytest.raises(cs.APITimeoutError):
            next(client.stream_chat(MESSAGES))


def silence(line: Line) -> None:
    """Answer nothing."""
    line.hold()


def stream_of_silence(line: Line) -> None:
    """Begin a stream and say nothing."""
    line.send(SSE)
    line.hold()


@pytest.mark.parametrize("turn", [slow_chunks, slow_headers, endless_hints, empty_deltas, silence, stream_of_silence])
@pytest.mark.parametrize("verb", ["chat", "stream_chat"])
@pytest.mark.parametrize("kind", KINDS)
def test_limits_hold_for_a_caller_s_own_connections(kind: str, verb: str, turn: Callable[[Line], None]) -> None:
    """Headers, informational answers, bodies and events are bounded over a caller's client without limits, too."""

    def synchronous() -> None:
        with httpx.Client(timeout=None) as http:  # noqa: S113  none of its own
            client = cs.ClovaStudio(**settings, http_client=http)
            result = getattr(client, verb)(MESSAGES)
            if verb == "stream_chat":
                list(result)

    async def asynchronous() -> None:
        async with httpx.AsyncClient(timeout=None) as http:  # noqa: S113
            client = cs.AsyncClovaStudio(**settings, http_client=http)
            result = getattr(client, verb)(MESSAGES)
            if verb == "stream_chat":
                async for _ in result:
                    pass
            else:
                await result

    # An empty delta is a chunk all the same.
    begun = turn is empty_deltas and verb == "stream_chat"
    limits = LIMITS if begun else SHORT
    with RawServer(turn) as server:
        settings = {**Account(kind, server.base_url).settings, "timeout": limits, "max_retries": 0}
        began = time.monotonic()
        error = cs.StreamInterruptedError if begun else cs.APITimeoutError
        with pytest.raises(error, match=r"within 0\.[13] s|within the time limit"):
            synchronous() if kind == "sync" else asyncio.run(asynchronous())
        assert 0.05 < time.monotonic() - began < 3
        assert open_sockets(server.base_url) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_connections_of_a_caller_s_client_do_not_run_out(kind: str) -> None:
    """A request whose time is over gives its connection back: the next one gets an answer, also from a pool of one."""
    limits = cs.Timeouts(total=0.3)
    with RawServer(slow_headers, plain(CHAT)) as server:
        settings = {**Account(kind, server.base_url).settings, "timeout": limits, "max_retries": 0}
        pool = httpx.Limits(max_connections=1)

        async def asynchronous() -> None:
            async with httpx.AsyncClient(limits=pool) as http:
                client = cs.AsyncClovaStudio(**settings, http_client=http)
                with pytest.raises(cs.APITimeoutError):
                    await client.chat(MESSAGES)
                assert await client.chat(MESSAGES)

        if kind == "async":
            asyncio.run(asynchronous())
            return
        with httpx.Client(limits=pool) as http:
            client = cs.ClovaStudio(**settings, http_client=http)
            with pytest.raises(cs.APITimeoutError):
                client.chat(MESSAGES)
            assert client.chat(MESSAGES)


def test_a_caller_s_pool_that_is_used_up_is_bounded() -> None:
    """Waiting for a connection of a caller's pool counts, too."""
    with RawServer(silence) as server, httpx.Client(limits=httpx.Limits(max_connections=1), timeout=None) as http:  # noqa: S113
        settings = {**Account("sync", server.base_url).settings, "max_retries": 0}
        client = cs.ClovaStudio(**settings, http_client=http)
        errors: list[BaseException] = []

        def work(limits: cs.Timeouts) -> None:
            try:
                client.chat(MESSAGES, timeout=limits)
            except cs.ClovaStudioError as error:
                errors.append(error)

        first = threading.Thread(target=work, args=(cs.Timeouts(read=None, total=1.5),))
        first.start()
        wait_for(lambda: len(server.requests) == 1)
        began = time.monotonic()
        work(cs.Timeouts(read=None, total=0.2))
        assert time.monotonic() - began < 1
        first.join(PATIENCE)
        assert [type(error) for error in errors] == [cs.APITimeoutError] * 2
        assert len(server.requests) == 1


def test_a_server_that_reads_slowly_ends() -> None:
    """A large request is written in blocks, each within the limit, all within the total."""

    def greet(line: Line) -> None:
        line.gone.wait(3)

    big = [{"role": "user", "content": "가" * 4_000_000}]
    with RawServer(plain(CHAT), greeting=greet) as server:
        account = Account("sync", server.base_url, timeout=cs.Timeouts(write=0.2, total=0.5), max_retries=0)
        with pytest.raises(cs.APITimeoutError):
            account.call("chat", big)


@pytest.mark.parametrize("wrong", [0, -1, float("inf"), float("nan"), 10**400, "600", 1e9])
@pytest.mark.parametrize("name", ["connect", "read", "write", "stream", "total"])
def test_limits_that_no_clock_holds_are_refused(name: str, wrong: Any) -> None:
    """A limit is a number of seconds that an operating system takes, or None."""
    with pytest.raises(cs.ConfigurationError, match=name):
        cs.Timeouts(**{name: wrong})


def test_the_total_follows_a_longer_read_limit() -> None:
    """600 s unless the caller's read limit is longer; no limit where there is none."""
    assert [cs.Timeouts.of(given).total for given in (None, 5, 900, httpx.Timeout(1200), httpx.Timeout(None))] == [
        600,
        600,
        900,
        1200,
        None,
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_no_thread_keeps_the_time(kind: str) -> None:
    """Limits cost no thread and leave none."""
    before = threading.active_count()
    with RawServer(plain(sample("v3_chat.json"))) as server:
        assert Account(kind, server.base_url, timeout=LIMITS).chat()
    assert threading.active_count() <= before
