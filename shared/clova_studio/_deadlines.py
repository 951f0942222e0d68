"""Time limits that hold whatever a server does: every wait for bytes asks how long it may still be.

The HTTP library's own limits are per read, so bytes that trickle in reset them for ever. Our connection pools hand each
read and write to a ``Deadline`` instead of a number, through httpcore's interface for network streams.
"""

from __future__ import annotations

import os
import socket
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpcore

from clova_studio._errors import APITimeoutError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

__all__ = ["AsyncBackend", "Backend", "Deadline", "shut_down"]

# Of a body: each block has a limit of its own.
_BLOCK = 65_536
_MOMENT = 0.01


class Deadline:
    """How long a request may wait for its answer, or for the next part of it that says something.

    It counts only from ``resume`` to ``pause``: time that the caller takes over a chunk is the caller's.

    Args:
        seconds: How long all waits together may take, None for no limit.
        what: What is waited for, for the message.
        request_id: The request's.
        read: How long one read may take, None for no limit of its own.
        write: How long one write may take.
        sending: How long all may take until the request is ``sent``, where that is not to count.
    """

    __slots__ = ("_paused", "_read", "_request_id", "_seconds", "_sending", "_since", "_spent", "_what", "_write")

    def __init__(
        self,
        seconds: float | None,
        what: str,
        request_id: str,
        *,
        read: float | None = None,
        write: float | None = None,
        sending: float | None = None,
    ) -> None:
        self._seconds = seconds
        self._what = what
        self._request_id = request_id
        self._read = read
        self._write = write
        self._sending = sending
        self._spent = 0.0
        self._paused = False
        self._since = time.monotonic()

    def pause(self) -> None:
        """Count what was waited so far; what comes is the caller's time."""
        if not self._paused:
            self._spent += time.monotonic() - self._since
            self._paused = True

    def restart(self) -> None:
        """Give the whole time again: what was waited for has come, and what comes is the caller's time."""
        self._spent, self._paused = 0.0, True

    def shorten(self, seconds: float) -> None:
        """Give so many seconds from now on, and no more."""
        self._seconds, self._spent, self._since, self._paused = seconds, 0.0, time.monotonic(), False

    def resume(self) -> None:
        """Wait on.

        Raises:
            APITimeoutError: The time is over.
        """
        now = time.monotonic()
        if self._paused:
            self._since, self._paused = now, False
        if self._seconds is not None and self._spent + now - self._since > self._seconds:
            raise self.over()

    def sent(self) -> None:
        """Wait for the answer from here on: the request is written."""
        if self._sending is not None:
            self._sending, self._since = None, time.monotonic()

    def left(self) -> float | None:
        """Return for how many seconds it may still be waited, below 0 if the time is over; None for no limit."""
        bound = self._seconds if self._sending is None else self._sending
        if bound is None:
            return None
        # While it is paused, what was waited before counts only.
        return bound - self._spent - (0.0 if self._paused else time.monotonic() - self._since)

    def check(self) -> None:
        """Refuse to wait any longer when the time is over.

        Raises:
            APITimeoutError: It is.
        """
        if self.is_over():
            raise self.over()

    def is_over(self) -> bool:
        """Return whether the time is over."""
        left = self.left()
        # A little early, as the clocks of two libraries differ.
        return left is not None and left < _MOMENT

    def over(self) -> APITimeoutError:
        """Return the error for a time that is over."""
        return APITimeoutError(self.told(), request_id=self._request_id)

    def read_timeout(self) -> float | None:
        """Return the limit of the next read.

        Raises:
            ReadTimeout: The time is over.
        """
        if self._sending is not None:
            self.sent()
        # As in _next, at less cost: a stream comes here with every token.
        if self._seconds is None:
            return self._read
        left = self._seconds - self._spent - (time.monotonic() - self._since)
        if left <= 0:
            raise httpcore.ReadTimeout(self.told())
        return left if self._read is None else min(self._read, left)

    def write_timeout(self) -> float | None:
        """Return the limit of the next write.

        Raises:
            ReadTimeout: The time is over.
        """
        return self._next(self._write)

    def _next(self, limit: float | None) -> float | None:
        left = self.left()
        if left is None:
            return limit
        if left <= 0:
            raise httpcore.ReadTimeout(self.told())
        return left if limit is None else min(limit, left)

    def told(self) -> str:
        """Return what a message says of it."""
        return f"{self._what} did not come within {self._seconds if self._sending is None else self._sending:g} s"


def _to_write(timeout: Any) -> float | None:
    return timeout.write_timeout() if isinstance(timeout, Deadline) else timeout


def _explained(exc: Exception, timeout: Any) -> Exception:
    """Return a timeout that says which limit was met, where it is not the one of a single read."""
    return httpcore.ReadTimeout(timeout.told()) if isinstance(timeout, Deadline) and timeout.is_over() else exc


class _Opened:
    """The connections that a backend opened, weakly held: what the HTTP library drops is gone."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._streams: dict[int, weakref.ref[Any]] = {}
        self._ended = False
        self._pid = os.getpid()

    def _keep(self, stream: Any) -> Any:
        key = id(stream)
        self._streams[key] = weakref.ref(stream, lambda _: _forget(self._streams, key))
        if self._ended:
            self.interrupt()
        return stream

    def streams(self) -> list[Any]:
        """Return the connections that are still held by anybody."""
        return [stream for ref in list(self._streams.values()) if (stream := ref()) is not None]

    def interrupt(self) -> None:
        """End all connections at once, from any thread: whoever waits for one finds it closed by the other side.

        Closing a socket does not wake a thread that reads from it; shutting it down does. A forked
        process leaves them alone: they are its parent's.
        """
        self._ended = True
        if self._pid != os.getpid():
            return
        for stream in self.streams():
            stream.interrupt()


def _forget(streams: dict[int, weakref.ref[Any]], key: int) -> None:
    streams.pop(key, None)


def shut_down(stream: Any) -> None:
    """End a connection at once, from any thread: whoever waits for it finds it closed by the other side."""
    connection = stream.get_extra_info("socket")
    # Not the method of a TLS socket, which forgets its keys while another thread reads. asyncio has a view of its own.
    shutdown = socket.socket.shutdown if isinstance(connection, socket.socket) else type(connection).shutdown
    with suppress(OSError):
        try:
            shutdown(connection, socket.SHUT_RDWR)
        except TypeError:  # uvloop's view refuses it
            with socket.socket(fileno=os.dup(connection.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: Any, backend: Backend) -> None:
        self._inner = inner
        self._backend = backend

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        try:
            data: bytes = self._inner.read(
                max_bytes, timeout.read_timeout() if isinstance(timeout, Deadline) else timeout
            )
        except httpcore.TimeoutException as exc:
            raise _explained(exc, timeout) from None
        return data

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        if len(buffer) <= _BLOCK:
            self._inner.write(buffer, _to_write(timeout))
            return
        view = memoryview(buffer)
        for start in range(0, len(buffer), _BLOCK):
            self._inner.write(bytes(view[start : start + _BLOCK]), _to_write(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._backend)
        kept: httpcore.NetworkStream = self._backend._keep(stream)  # noqa: SLF001  of this module
        return kept

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def interrupt(self) -> None:
        shut_down(self._inner)


class Backend(_Opened, httpcore.NetworkBackend):
    """Opens connections whose reads and writes obey a ``Deadline``.

    Args:
        inner: The backend that opens them.
    """

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a new connection."""
        inner = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        stream: httpcore.NetworkStream = self._keep(_Stream(inner, self))
        return stream


class _AsyncStream(httpcore.AsyncNetworkStream):
    def __init__(self, inner: Any, backend: AsyncBackend) -> None:
        self._inner = inner
        self._backend = backend

    async def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        try:
            data: bytes = await self._inner.read(
                max_bytes, timeout.read_timeout() if isinstance(timeout, Deadline) else timeout
            )
        except httpcore.TimeoutException as exc:
            raise _explained(exc, timeout) from None
        return data

    async def write(self, buffer: bytes, timeout: Any = None) -> None:
        if len(buffer) <= _BLOCK:
            await self._inner.write(buffer, _to_write(timeout))
            return
        view = memoryview(buffer)
        for start in range(0, len(buffer), _BLOCK):
            await self._inner.write(bytes(view[start : start + _BLOCK]), _to_write(timeout))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = _AsyncStream(await self._inner.start_tls(ssl_context, server_hostname, timeout), self._backend)
        kept: httpcore.AsyncNetworkStream = self._backend._keep(stream)  # noqa: SLF001  of this module
        return kept

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def interrupt(self) -> None:
        shut_down(self._inner)


class AsyncBackend(_Opened, httpcore.AsyncNetworkBackend):
    """Async variant of ``Backend``."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a new connection."""
        inner = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        stream: httpcore.AsyncNetworkStream = self._keep(_AsyncStream(inner, self))
        return stream
