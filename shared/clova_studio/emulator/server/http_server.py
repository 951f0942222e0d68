"""uvicorn as the emulator needs it: no polling, faults that reach the connection, no half request for ever."""

import asyncio
import contextlib
import socket
import threading
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from clova_studio.emulator.server.access_log import LOG
from clova_studio.emulator.server.http_connection import TRANSPORT

_DRAIN_SECONDS = 2.0
# Longer than clients keep idle connections, so that the server does not close a connection in a client's pool.
KEEP_ALIVE_SECONDS = 75


class Config(uvicorn.Config):
    """uvicorn's configuration, with its logs off.

    Args:
        app: The application.
        idle_timeout: Seconds for the head of a request, from its first byte to its end.
        date_header: Whether answers get a date; not if it is another server's.
    """

    def __init__(self, app: Any, idle_timeout: float, *, date_header: bool = True) -> None:
        super().__init__(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=None,
            access_log=False,
            server_header=False,
            date_header=date_header,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self.idle_timeout = idle_timeout


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which also gives the application its transport, for faults that drop it.

    A connection that sends nothing is closed like an idle one, and one whose request head does not end after the idle
    timeout.
    """

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for the first request."""
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        elif self._head_timer is None:  # a part of a head
            seconds = cast("Config", self.config).idle_timeout
            self._head_timer = self.loop.call_later(seconds, self._give_up, seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().connection_lost(exc)

    def _give_up(self, seconds: float) -> None:
        LOG.info("Closed a connection: the head of its request did not end in %g s", seconds)
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server without polling: it signals when it listens, and stops at once even with open streams."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()
        self._exit = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and signal it."""
        await super().startup(sockets=sockets)
        self._loop = asyncio.get_running_loop()
        self.listening.set()

    async def main_loop(self) -> None:
        """Run until the exit is requested."""
        while not self._exit.is_set():
            await self.on_tick(0)  # refreshes the Date header
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._exit.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop every connection and stop."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        # Every wait of the application ends when its client is gone, so no task has to be cancelled.
        tasks = set(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
        await asyncio.sleep(0)

    def request_exit(self) -> None:
        """Ask the server to stop, from any thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(self._exit.set)
