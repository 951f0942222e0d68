"""What the client's tests share: canned bytes behind an httpx transport, a hand-turned clock, both clients."""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from clova_studio import AsyncClovaStudio, ClovaStudio
from clova_studio._rate_limits.waiters import LoopWaiter, ThreadWaiter

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterator, Callable, Iterator

SAMPLES = Path(__file__).parents[1] / "client" / "samples"
MESSAGES = [{"role": "user", "content": "대한민국의 수도는?"}]
KEY = "nv-test-key"
# For plain clients of a server on loopback: without it each one loads all certificates, which takes its time.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
OK = b'{"status":{"code":"20000","message":"OK"},"result":'


def sample(name: str) -> bytes:
    """Return the bytes of a recorded answer."""
    return (SAMPLES / name).read_bytes()


def envelope(code: str, message: str) -> bytes:
    """Return an error as the service was seen to write it."""
    return f'{{"status":{{"code":"{code}","message":"{message}"}},"result":null}}'.encode()


def vector(first: float = 0.5) -> list[float]:
    """Return a vector of the length of the known models, to be told apart by its first number."""
    return [first, *[-1.5] * 1023]


def embedded(first: float = 0.5, tokens: int = 3) -> bytes:
    """Return the answer with such a vector."""
    return OK + json.dumps({"embedding": vector(first), "inputTokens": tokens}).encode() + b"}"


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that arrives in the given pieces, and may break instead of ending."""

    def __init__(self, pieces: list[bytes], error: Exception | None = None) -> None:
        self.pieces = pieces
        self.error = error
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.error is not None:
            raise self.error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def whole(body: bytes) -> list[bytes]:
    """Return a body in one piece."""
    return [body]


def bytewise(body: bytes) -> list[bytes]:
    """Return a body one byte at a time."""
    return [body[i : i + 1] for i in range(len(body))]


def sse(body: bytes | list[bytes], *, error: Exception | None = None) -> httpx.Response:
    """Return a streamed answer."""
    pieces = body if isinstance(body, list) else [body]
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces(pieces, error))


def answer(body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> httpx.Response:
    """Return an answer that comes whole; underscores in header names become dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers={"content-type": kind, **named}, content=body)


@dataclass
class Wire:
    """Answers requests from a list, the last one for ever, and keeps the requests."""

    answers: list[Callable[[], httpx.Response] | Exception]
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        turn = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(turn, Exception):
            raise turn
        return turn()


@dataclass
class Clock:
    """A clock that stands still until somebody sleeps."""

    now: float = 1000.0
    sleeps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def on(self, client: Any) -> Any:
        """Return a client that waits by this clock."""
        client._waiter = (HandThreadWaiter if isinstance(client, ClovaStudio) else HandLoopWaiter)(self)
        return client


class HandThreadWaiter(ThreadWaiter):
    """Waits in no time, by a clock that is turned by hand."""

    def __init__(self, clock: Clock) -> None:
        self.clock = self.now = clock

    def sleep(self, seconds: float, woken: threading.Event) -> None:  # noqa: ARG002  nothing else runs
        self.clock.sleep(seconds)


class HandLoopWaiter(LoopWaiter):
    """Waits in no time, by a clock that is turned by hand."""

    def __init__(self, clock: Clock) -> None:
        self.clock = self.now = clock

    async def sleep(self, seconds: float, woken: asyncio.Event) -> None:  # noqa: ARG002
        self.clock.sleep(seconds)


class Both:
    """One of the two clients behind plain calls, so that one test speaks for both.

    Each has a quota of its own: quotas are shared by all clients of a process.
    """

    def __init__(self, kind: str, *answers: Any, clock: Clock | None = None, **settings: Any) -> None:
        self.kind = kind
        self.wire = Wire(list(answers))
        self.clock = clock
        self.settings = {"api_key": KEY, "quota_group": str(uuid.uuid4()), **settings}

    @property
    def requests(self) -> list[httpx.Request]:
        """What was sent."""
        return self.wire.requests

    def call(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method and return its result; a stream is read to its end and returns (chunks, stream)."""
        if self.kind == "sync":
            return self._sync(verb, args, kwargs)
        return asyncio.run(self._async(verb, args, kwargs))

    def _sync(self, verb: str, args: Any, kwargs: Any) -> Any:
        with httpx.Client(transport=httpx.MockTransport(self.wire)) as http:
            client = ClovaStudio(http_client=http, **self.settings)
            if self.clock:
                self.clock.on(client)
            result = attrgetter(verb)(client)(*args, **kwargs)
            if "stream_" not in verb:
                return result
            chunks = []
            with result:
                for chunk in result:
                    chunks.append(chunk)  # noqa: PERF402  a list() would lose the chunks when it breaks
            return chunks, result

    async def _async(self, verb: str, args: Any, kwargs: Any) -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.wire)) as http:
            client = AsyncClovaStudio(http_client=http, **self.settings)
            if self.clock:
                self.clock.on(client)
            result = attrgetter(verb)(client)(*args, **kwargs)
            if "stream_" not in verb:
                return await result
            chunks = []
            async with result:
                async for chunk in result:
                    chunks.append(chunk)  # noqa: PERF401
            return chunks, result


def closed(make: Callable[[], Any]) -> Any:
    """Return an HTTP client that is closed."""
    http = make()
    if hasattr(http, "aclose"):
        asyncio.run(http.aclose())
    else:
        http.close()
    return http


def open_sockets(base_url: str) -> int:
    """Return how many connections this process holds open to a server on loopback, as the kernel sees it."""
    port = int(base_url.rsplit(":", 1)[1])
    # One family alone: the kernel lists every connection of the machine.
    held = psutil.Process().net_connections("tcp6" if "[" in base_url else "tcp4")
    return sum(bool(connection.raddr) and connection.raddr.port == port for connection in held)
