"""The emulator as a server: uvicorn in a daemon thread on a loopback port of its own."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Collection, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from clova_studio.emulator.server.app import EmulatorApp
from clova_studio.emulator.server.faults import Fault
from clova_studio.emulator.server.http_connection import TRANSPORT
from clova_studio.emulator.server.state import DEFAULT_KEY, Behaviour, RecordedRequest, Scripted, Settings, State
from clova_studio.emulator.server.windows import Counting, Limits

_START_SECONDS = 30.0
_DRAIN_SECONDS = 2.0
# Longer than clients keep idle connections, so that the server does not close a connection in a client's pool.
_KEEP_ALIVE_SECONDS = 75


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which also gives the application its transport, for faults that drop it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """uvicorn's server without polling: it signals when it listens, and stops at once even with open streams."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()
        self._exit = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._loop = asyncio.get_running_loop()
        self.listening.set()

    async def main_loop(self) -> None:
        while not self._exit.is_set():
            await self.on_tick(0)  # refreshes the Date header
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._exit.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
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


class EmulatorServer:
    """A local CLOVA Studio that runs in the background.

    Use it as a context manager, or with `start` and `stop`. Its methods can be called from any thread. `serve` creates
    one.

    Args:
        settings: Its settings; None for the defaults of `serve`.
        host: Address to listen on.
        port: Port; 0 takes a free one.
    """

    def __init__(self, settings: Settings | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._settings = settings or Settings()
        self._state = State(self._settings)
        self._host = host
        self._port = port
        self._bound_port: int | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def __repr__(self) -> str:
        where = self.base_url if self._server is not None else "stopped"
        return f"<EmulatorServer {where} behaviour={self._settings.behaviour!r}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start to listen and answer; does nothing when the server is running.

        Raises:
            OSError: The address is in use or not allowed.
            RuntimeError: It did not start within 30 seconds.
        """
        if self._server is not None:
            return self
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # The protocol is named because asyncio sets TCP_NODELAY only on sockets that name it.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(2048)
            listener.setblocking(False)  # noqa: FBT003 - the method takes no names
        except BaseException:
            listener.close()
            raise
        self._bound_port = int(listener.getsockname()[1])
        config = uvicorn.Config(
            EmulatorApp(self._state),
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        server = _Server(config)
        thread = threading.Thread(
            target=self._run, args=(server, listener), name=f"clova-studio-emulator-{self._bound_port}", daemon=True
        )
        self._server, self._thread, self._failure = server, thread, None
        thread.start()
        if not server.listening.wait(_START_SECONDS) or self._failure is not None:
            failure = self._failure
            self.stop()
            raise RuntimeError("The emulator did not start") from failure
        return self

    def stop(self) -> None:
        """Drop every connection, stop listening and wait for the thread; does nothing when the server is stopped."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None:
            server.request_exit()
        if thread is not None:
            thread.join()

    def _run(self, server: _Server, listener: socket.socket) -> None:
        try:
            asyncio.run(server.serve(sockets=[listener]))
        except BaseException as error:  # noqa: BLE001 - the starting thread reports it
            self._failure = error
        finally:
            listener.close()
            server.listening.set()

    @property
    def base_url(self) -> str:
        """The server's URL, without a slash at the end.

        Raises:
            RuntimeError: It was never started, so it has no port yet.
        """
        if self._bound_port is None:
            raise RuntimeError("The emulator was not started: use `with serve() as server:` or `server.start()`.")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._bound_port}"

    @property
    def api_key(self) -> str:
        """A key that the server accepts."""
        return next(iter(self._settings.api_keys or ()), DEFAULT_KEY)

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests received so far, in order of arrival."""
        return self._state.requests

    @property
    def peak_in_flight(self) -> int:
        """The highest number of requests in flight at once."""
        return self._state.peak_in_flight

    def script(self, answers: Iterable[Scripted]) -> None:
        """Queue answers for the next chat requests, OpenAI-compatible ones included.

        When the queue is empty, answers are computed again.

        Args:
            answers: Each is a text; or a mapping with ``content``, ``thinking``, ``tool_calls`` (a list of
                ``{"name", "arguments"}``) and ``finish_reason``; or a `Fault`. Token limits and stop strings of the
                request do not apply to scripted texts.
        """
        self._state.script(answers)

    def add_fault(self, fault: Fault) -> None:
        """Add a fault for the requests that arrive from now on.

        Args:
            fault: The failure, and the requests that it hits.
        """
        self._state.add_fault(fault)

    def reset(self) -> None:
        """Forget requests, scripts, faults (also those given at start), training tasks and quota usage."""
        self._state.reset()


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    behaviour: Behaviour = "observed",
    api_keys: Collection[str] | Mapping[str, str] | None = None,
    rate_limits: Limits | None = None,
    window: float = 60.0,
    latency: float = 0.0,
    token_latency: float = 0.0,
    faults: Iterable[Fault] = (),
    rate_limit_headers: bool | None = None,  # noqa: FBT001 - all settings can be given by name
    config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    tuning_seconds: float | None = None,
    counting: Counting = "fixed",
    ascii_names: bool = False,  # noqa: FBT001, FBT002 - all settings can be given by name
) -> EmulatorServer:
    """Create a local CLOVA Studio, to be used in a ``with`` block.

    Args:
        host: Address to listen on; loopback by default.
        port: Port; 0 takes a free one.
        behaviour: ``"observed"`` or ``"documented"``: the form of the answers where recorded traffic and the API guide
            differ.
        api_keys: None accepts every well-formed key; a collection accepts only its keys; a mapping also gives the kind
            of each key: ``"test"`` or ``"service"``, for the prefixes ``/testapp`` and ``/serviceapp``, or
            ``"unregistered"``: a service key without a registered service app, which is refused everywhere.
        rate_limits: Model or tool -> requests and tokens per window. Tokens are input plus requested maximum output.
            Tools are ``"segmentation"``, ``"summarization"``, ``"sliding"``, ``"reranker"``, ``"rag-reasoning"``,
            ``"skill-trainer"`` (routers and skillsets together), ``"tuning"``, ``"chat-tokenize"``,
            ``"embedding-tokenize"`` and ``"tokenize"``; ``"*"`` is every other one.
        window: Length of a window in seconds.
        latency: Seconds before each answer.
        token_latency: Seconds between two token events.
        faults: Failures; see `Fault`.
        rate_limit_headers: Whether answers carry the x-ratelimit-* headers; None follows the behaviour.
        config: Routers, skillsets and training, as a mapping or the path of a YAML or JSON file; "Configuration" on the
            emulator's page of the documentation lists its fields. By default there are a router ``travel01`` (domains
            날씨 and 여행) and a skillset ``weather1``, each in version 1.
        tuning_seconds: How long training takes; takes precedence over the configuration's ``tuning.seconds``. One
            second by default. Training fails when the dataset's path contains the name of a failure reason
            (``train/file.encoding.csv``) or a word of the configuration's ``tuning.failures``, or when the file is
            neither csv nor jsonl.
        counting: How a window counts: ``"fixed"`` starts with its first request, ``"aligned"`` with the clock,
            ``"sliding"`` is always the last ``window`` seconds, and ``"bucket"`` refills all the time. The reset header
            of the last two says when one more request may pass.
        ascii_names: Whether to refuse names of tools, and of properties in their parameters and in response schemas,
            that are not up to 64 ASCII letters, digits, ``_`` and ``-``. No page and no recording says whether the
            service takes others, such as Hangul; by default they are taken.

    Returns:
        The server, not yet started: its ``with`` block or ``start()`` starts it.

    Raises:
        OSError: The configuration file cannot be read.
        ValueError: A setting or a field of the configuration is wrong; the message names it.
    """
    settings = Settings(
        behaviour=behaviour,
        api_keys=api_keys,
        rate_limits=rate_limits,
        window=window,
        latency=latency,
        token_latency=token_latency,
        faults=tuple(faults),
        rate_limit_headers=rate_limit_headers,
        config=config,
        tuning_seconds=tuning_seconds,
        counting=counting,
        ascii_names=ascii_names,
    )
    return EmulatorServer(settings, host=host, port=port)
