"""One HTTP request and its answer, down to the TCP connection that some faults drop."""

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator.server.recorded_answer import RecordedAnswer

MAX_BODY = 50 * 1024 * 1024
"""Largest request body; above it the service answers 41300 ("4xx" troubleshooting page)."""

TRANSPORT = "clova_studio_transport"
"""Key of the connection's transport in the state of the ASGI scope; the server's HTTP protocol sets it."""


class ClientGoneError(Exception):
    """The client disconnected, or the server is stopping, so no answer can be sent."""


class BodyTooLargeError(Exception):
    """The request body is over the limit; it was read to its end and discarded."""


class HttpConnection:
    """An HTTP request being answered: read it, wait, write the answer, drop the connection."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        raw: bytes = scope.get("raw_path") or self.path.encode()
        self.raw_path = raw.partition(b"?")[0].decode("latin-1")
        self.raw_query: str = scope.get("query_string", b"").decode("latin-1")
        self.query = dict(parse_qsl(self.raw_query, keep_blank_values=True))
        self.raw_headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        self.headers = {name.lower(): value for name, value in Headers(scope=scope).items()}
        self.on_start: Callable[[int], None] | None = None  # called with the status before the answer begins
        self.extra_headers: dict[str, str] = {}  # of every answer
        self.recorded: RecordedAnswer | None = None  # where what is sent is recorded, if anywhere
        self._receive = receive
        self._send = send
        self._transport: asyncio.Transport | None = (scope.get("state") or {}).get(TRANSPORT)
        self._chunked = False

    async def read(self, idle: float | None = None) -> bytes:
        """Read the request body; one over 50 MB is still read to its end, so that the client receives the answer.

        Args:
            idle: Seconds without a byte after which an unfinished body is a `TimeoutError`; None waits for ever.
        """
        try:
            async with asyncio.timeout(idle) as limit:
                return await self._read(limit, idle)
        except TimeoutError:
            self.extra_headers["connection"] = "close"  # what may still come is no request
            raise

    async def _read(self, limit: asyncio.Timeout, idle: float | None) -> bytes:
        parts: list[bytes] = []
        size = 0
        loop = asyncio.get_running_loop()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            part: bytes = message.get("body", b"")
            size += len(part)
            if size <= MAX_BODY:
                parts.append(part)
            else:
                parts.clear()
            if not message.get("more_body", False):
                break
            if idle is not None:
                limit.reschedule(loop.time() + idle)
        if size > MAX_BODY:
            raise BodyTooLargeError
        return b"".join(parts)

    async def pause(self, seconds: float) -> None:
        """Wait, but only while the client is connected."""
        if seconds <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.hang()

    async def hang(self) -> None:
        """Wait until the client disconnects or the server stops, and raise `ClientGoneError`."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise ClientGoneError

    async def start(self, status: int, headers: dict[str, str], length: int | None = None) -> None:
        """Send status and headers; without a length the body is chunked."""
        fields = {**headers, **self.extra_headers, "x-clova-emulator": "1"}
        if length is not None:
            fields["content-length"] = str(length)
        if self.on_start is not None:
            self.on_start(status)
        if self.recorded is not None:
            self.recorded.headers = {name.lower(): value for name, value in fields.items()}
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def relay(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send status and headers of another server's answer, with nothing added but what a browser needs."""
        extra = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.extra_headers.items()]
        if self.on_start is not None:
            self.on_start(status)
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *extra]})

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Send a part of the body."""
        if self.recorded is not None:
            self.recorded.add(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send a whole answer."""
        await self.start(status, headers, len(body))
        await self.write(body, more=False)

    async def drop(self, *, reset: bool) -> None:
        """Drop the TCP connection: by a TCP reset, or after everything written so far has been sent."""
        transport = self._transport
        if transport is None:
            raise RuntimeError("Only the emulator's own server can drop a connection; start it with serve().")
        if reset:
            tcp: Any = transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
        await self.hang()
