"""What the fault tests share: a server of raw bytes, an account for real requests, and a look at what is left over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
import uuid
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self

from client_support import KEY, MESSAGES, embedded, open_sockets, sample

import clova_studio as cs

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

# Long enough for the slowest machine; nothing here waits for it unless a promise is broken.
PATIENCE = 20.0
QUICK = cs.RetryPolicy(attempts=3, initial=0.001, maximum=0.002)
WINDOW = cs.RateLimits(window=0.01)
CHAT = sample("v3_chat.json")
STREAM = sample("v3_chat.sse")
TEXT = json.loads(CHAT)["result"]["message"]["content"]
EMBEDDED = embedded()
KINDS = ["sync", "async"]
# Threads of servers; the emulator lends its loop's helpers, which asyncio names. The client's watchdog ends by itself.
_SERVERS = ("raw-server", "clova-studio-emulator", "asyncio_", "clova-watchdog")


def own_threads() -> set[threading.Thread]:
    """Return the threads of this process that belong to no server and would not end by themselves."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith(_SERVERS)}


def idle(client: Any) -> bool:
    """Return whether nothing is in flight in a client: no request, and connections only that wait for one."""
    if isinstance(client, cs.ClovaStudio):
        made = [client._http] if client._http is not None else []
    else:
        made = [http for http, _ in client._pools._clients.values()]
    pools = [http._transport._pool for http in made]
    return all(not pool._requests and all(line.is_idle() for line in pool.connections) for pool in pools)


def head(status: int = 200, kind: str = "application/json", **headers: str) -> bytes:
    """Return a status line and headers; underscores in names become dashes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "\r\n"]).encode()


def plain(body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> bytes:
    """Return a whole answer of known length."""
    return head(status, kind, content_length=str(len(body)), **headers) + body


def chunked(*parts: bytes, end: bool = True) -> bytes:
    """Return the parts of a chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + (b"0\r\n\r\n" if end else b"")


SSE = head(200, "text/event-stream", transfer_encoding="chunked")


class Line:
    """One connection, as the server has it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.requests: list[bytes] = []
        self.gone = threading.Event()

    def read_request(self) -> bool:
        """Wait for the next request; false if the client left."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (part := self._receive()):
                return False
            data += part
        top, _, body = data.partition(b"\r\n\r\n")
        length = next((int(v[15:]) for v in top.lower().split(b"\r\n") if v.startswith(b"content-length:")), 0)
        while len(body) < length:
            if not (part := self._receive()):
                return False
            body += part
        self.requests.append(top + b"\r\n\r\n" + body)
        return True

    def _receive(self) -> bytes:
        try:
            part = self._socket.recv(65536)
        except OSError:
            part = b""
        if not part:
            self.gone.set()
        return part

    def send(self, data: bytes) -> None:
        """Send bytes; the client may have left."""
        try:
            self._socket.sendall(data)
        except OSError:
            self.gone.set()

    def hold(self) -> None:
        """Keep the connection open, silent, until the client leaves."""
        while not self.gone.is_set() and self._receive():
            pass

    def drip(self, data: bytes, pause: float) -> None:
        """Send byte after byte until the client leaves."""
        for i in range(len(data)):
            self.send(data[i : i + 1])
            if self.gone.wait(pause):
                return

    def close(self, *, reset: bool = False) -> None:
        """End the connection, by a TCP reset if asked to."""
        with contextlib.suppress(OSError):
            if reset:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.gone.set()


def good(line: Line) -> None:
    """Answer a chat as it should be, whole or streamed as asked for."""
    streamed = b"text/event-stream" in line.requests[-1]
    line.send(SSE + chunked(STREAM) if streamed else plain(CHAT))


class RawServer:
    """Answers requests turn by turn, the last turn for ever, with exactly the bytes that a turn sends.

    A turn is bytes, sent as they are with the connection left open, or a function of the ``Line``; the connection is
    closed after a function that returns true.

    Args:
        turns: What to do.
        greeting: What to do with a connection before any request.
        tls: Speaks TLS.
    """

    def __init__(
        self,
        *turns: bytes | Callable[[Line], Any],
        greeting: Callable[[Line], Any] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._turns = turns
        self._greeting = greeting
        self._tls = tls
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, name=_SERVERS[0], daemon=True)]
        self.lines: list[Line] = []
        self.port: int = self._listener.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[bytes]:
        """The requests so far."""
        return [request for line in self.lines for request in line.requests]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for line in self.lines:
            line.gone.set()
            line.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            line = Line(connection)
            self.lines.append(line)
            thread = threading.Thread(target=self._serve, args=(line,), name=_SERVERS[0], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, line: Line) -> None:
        if self._greeting is not None:
            self._greeting(line)
        while line.read_request():
            with self._lock:
                turn = self._turns[min(len(self.requests), len(self._turns)) - 1]
            if isinstance(turn, bytes):
                line.send(turn)
            elif turn(line):
                line.close()
                return


def wait_for(done: Callable[[], bool]) -> None:
    """Wait until it is so."""
    until = time.monotonic() + PATIENCE
    while not done() and time.monotonic() < until:
        time.sleep(0.005)


class Account:
    """A client, sync or async, over real connections, with short waits and a quota of its own."""

    def __init__(self, kind: str, base_url: str, **settings: Any) -> None:
        self.kind = kind
        self.base_url = base_url
        self.settings = {
            "api_key": KEY,
            "base_url": base_url,
            "quota_group": str(uuid.uuid4()),
            "retry": QUICK,
            "rate_limits": WINDOW,
            **settings,
        }
        self.seen: list[Any] = []
        self.others = open_sockets(base_url)

    def chat(self) -> Any:
        """Chat once and return the text."""
        return self.call("chat", MESSAGES).message.content

    def stream(self, verb: str = "stream_chat", *args: Any) -> str:
        """Read a stream to its end and return the text of its chunks; ``seen`` keeps them if it breaks."""
        self.seen = []
        self.call(verb, *(args or (MESSAGES,)))
        return "".join(chunk.message.content for chunk in self.seen)

    def call(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method. Whether it fails or not, nothing may be left of it: no connection, no task, no thread."""
        threads = own_threads()
        try:
            if self.kind == "sync":
                return self._sync(verb, args, kwargs)
            return asyncio.run(self._async(verb, args, kwargs))
        finally:
            assert own_threads() == threads
            assert open_sockets(self.base_url) == self.others

    def _sync(self, verb: str, args: Any, kwargs: Any) -> Any:
        with cs.ClovaStudio(**self.settings) as client:
            try:
                result = attrgetter(verb)(client)(*args, **kwargs)
                if "stream" in verb:
                    with result:
                        for chunk in result:
                            self.seen.append(chunk)
                return result
            finally:
                assert idle(client)

    async def _async(self, verb: str, args: Any, kwargs: Any) -> Any:
        async with cs.AsyncClovaStudio(**self.settings) as client:
            try:
                result = attrgetter(verb)(client)(*args, **kwargs)
                if "stream" not in verb:
                    return await result
                async with result:
                    async for chunk in result:
                        self.seen.append(chunk)
                return result
            finally:
                assert idle(client)
                assert asyncio.all_tasks() == {asyncio.current_task()}
