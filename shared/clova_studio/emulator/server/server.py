"""The emulator as a server: uvicorn in a daemon thread on a loopback port of its own."""

import asyncio
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from clova_studio.emulator.recording.options import key_of_environment
from clova_studio.emulator.server.access_log import LOG
from clova_studio.emulator.server.app import EmulatorApp
from clova_studio.emulator.server.faults import Fault
from clova_studio.emulator.server.http_server import Config, Server
from clova_studio.emulator.server.request_log import Listener, RecordedRequest
from clova_studio.emulator.server.scripted import Scripted
from clova_studio.emulator.server.state import IDLE_SECONDS, Behaviour, Settings, State
from clova_studio.emulator.server.windows import Counting, Limits

_START_SECONDS = 30.0
_LAST_PORT = 65_535


def check_port(port: int) -> int:
    """Check the number of a port; a ValueError says what is wrong."""
    if type(port) is not int or not 0 <= port <= _LAST_PORT:
        raise ValueError(f"port must be a whole number from 0 to {_LAST_PORT}, not {port!r}; 0 takes a free one")
    return port


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
        self._port = check_port(port)
        self._bound_port: int | None = None
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def __repr__(self) -> str:
        where = self.base_url if self._server is not None else "stopped"
        return f"<EmulatorServer {where} behaviour={str(self._settings.facts)!r}>"

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
        self._open_up(ipaddress.ip_address(str(listener.getsockname()[0]).partition("%")[0]).is_loopback)
        server = Server(
            Config(EmulatorApp(self._state), self._settings.idle_timeout, date_header=self._settings.record is None)
        )
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

    def _open_up(self, loopback: bool) -> None:  # noqa: FBT001 - the address tells
        """Switch control on where it belongs, and say who can reach the server."""
        wanted = self._settings.control
        self._state.control = loopback if wanted is None else wanted
        self._state.loopback = loopback
        if not loopback:
            control = "is on: whoever reaches it can read all requests and change its answers" if wanted else "is off"
            LOG.warning("The emulator listens on %s, beyond loopback; control over HTTP %s.", self._host, control)

    def stop(self) -> None:
        """Drop every connection, stop listening and wait for the thread; does nothing when the server is stopped."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None:
            server.request_exit()
        if thread is not None:
            thread.join()

    def _run(self, server: Server, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(server, listener))
        except BaseException as error:  # noqa: BLE001 - the starting thread reports it
            self._failure = error
        finally:
            listener.close()
            server.listening.set()

    async def _serve(self, server: Server, listener: socket.socket) -> None:
        try:
            await server.serve(sockets=[listener])
        finally:
            if self._state.tape is not None:
                await self._state.tape.close()

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
    def has_page(self) -> bool:
        """Whether control over HTTP is on, and with it the page for people at ``/``."""
        return self._state.control

    @property
    def api_key(self) -> str:
        """A key that the server accepts; while it records, that of the variable ``CLOVASTUDIO_API_KEY``.

        Raises:
            RuntimeError: It records, and the variable is not set.
        """
        if self._settings.record is not None:
            return key_of_environment()
        return self._settings.api_key

    @property
    def requests(self) -> list[RecordedRequest]:
        """The newest 1,000 requests, up to 64 MiB of them, in order of arrival."""
        return self._state.log.kept

    @property
    def requests_received(self) -> int:
        """How many requests arrived since the server was created; the number of the last one."""
        return self._state.log.received

    @property
    def requests_dropped(self) -> int:
        """How many older ones `requests` no longer has; those that were cleared do not count."""
        return self._state.log.dropped

    @property
    def peak_in_flight(self) -> int:
        """The highest number of requests in flight at once."""
        return self._state.log.peak_in_flight

    def clear_requests(self) -> None:
        """Forget the requests, and nothing else."""
        self._state.log.clear()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a function for each request, for those who watch more requests than `requests` keeps.

        Args:
            listener: Called with ``"arrived"`` or ``"answered"`` and the request, in the thread of the server: it must
                be quick and not raise.

        Returns:
            A function that ends it.
        """
        return self._state.log.subscribe(listener)

    def script(self, answers: Iterable[Scripted]) -> None:
        """Queue answers for the next chat requests, OpenAI-compatible ones included.

        When the queue is empty, answers are computed again.

        Args:
            answers: Each is a text; or a mapping with ``content``, ``thinking``, ``tool_calls`` (a list of
                ``{"name", "arguments"}``) and ``finish_reason``; or a `Fault`. Token limits and stop strings of the
                request do not apply to scripted texts.

        Raises:
            TypeError: An answer or a part of it is of another type; the message names it.
            ValueError: An answer has an unknown part.
        """
        self._state.script(answers)

    def clear_script(self) -> None:
        """Forget the answers that are still queued."""
        self._state.clear_script()

    def add_fault(self, fault: Fault) -> None:
        """Add a fault for the requests that arrive from now on.

        Args:
            fault: The failure, and the requests that it hits.
        """
        self._state.add_fault(fault)

    @property
    def faults(self) -> list[Fault]:
        """The faults that can still hit a request, in their order."""
        return [item.fault for item in self._state.faults]

    def clear_faults(self) -> None:
        """Take all faults away."""
        self._state.clear_faults()

    def set_quotas(
        self, rate_limits: Limits | None = None, *, window: float | None = None, counting: Counting | None = None
    ) -> None:
        """Change the quotas and forget what they have used.

        Args:
            rate_limits: All of them, as in `serve`; None keeps them.
            window: Length of a window in seconds; None keeps it.
            counting: How a window counts; None keeps it.

        Raises:
            ValueError: One of them is wrong, and nothing is changed.
        """
        self._state.check_computes("A quota")
        self._state.windows.configure(rate_limits, window, counting)

    def set_tuning_seconds(self, seconds: float) -> None:
        """Set how long training takes, for tasks that are created from now on.

        Args:
            seconds: The time, at least 0.
        """
        self._state.check_computes("The time of training")
        self._state.tuning.set_seconds(seconds)

    def advance_tuning(self, seconds: float) -> None:
        """Let time pass for the training tasks, so that nobody has to wait for them.

        Args:
            seconds: The time, at least 0.
        """
        self._state.check_computes("The time of training")
        self._state.tuning.advance(seconds)

    def reset(self) -> None:
        """Forget requests, scripts, faults (also those given at start), training tasks and quota usage.

        A replay begins again with the first answers; what was recorded stays.
        """
        self._state.reset()


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    behaviour: Behaviour | str | os.PathLike[str] | Mapping[str, Any] = "observed",
    api_keys: Collection[str] | Mapping[str, str] | None = None,
    rate_limits: Limits | None = None,
    window: float = 60.0,
    latency: float = 0.0,
    token_latency: float = 0.0,
    faults: Iterable[Fault] = (),
    rate_limit_headers: bool | None = None,  # noqa: FBT001 - all settings can be given by name
    config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    tuning_seconds: float | None = None,
    counting: Counting | None = None,
    ascii_names: bool = False,  # noqa: FBT001, FBT002 - all settings can be given by name
    record: str | os.PathLike[str] | None = None,
    upstream: str | None = None,
    replay: str | os.PathLike[str] | None = None,
    speed: float | None = None,
    control: bool | None = None,  # noqa: FBT001 - all settings can be given by name
    cors: Collection[str] = (),
    idle_timeout: float = IDLE_SECONDS,
) -> EmulatorServer:
    """Create a local CLOVA Studio, to be used in a ``with`` block.

    Args:
        host: Address to listen on; loopback by default.
        port: Port; 0 takes a free one.
        behaviour: ``"observed"`` or ``"documented"``: the form of the answers where recorded traffic and the API guide
            differ. Or a JSON file of facts that ``clova-studio verify --write-behaviour`` wrote, or such a mapping
            (``{"behaviour": "observed", "facts": {"list-input": "one-request"}}``), for a behaviour of its own.
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
            of the last two says when one more request may pass. None follows the behaviour: ``"fixed"``, unless its
            file says otherwise.
        ascii_names: Whether to refuse names of tools, and of properties in their parameters and in response schemas,
            that are not up to 64 ASCII letters, digits, ``_`` and ``-``. No page and no recording says whether the
            service takes others, such as Hangul; by default they are taken.
        record: A file to write. Nothing is computed: each request is passed on to ``upstream`` with the caller's key,
            its answer is passed back, and both are written without keys and other secrets. The file that was there is
            replaced when the first answer has ended.
        upstream: The address whose answers are recorded, such as ``https://clovastudio.stream.ntruss.com``.
        replay: A recording to answer from. Requests are found by method, path, query and body, without ids, seeds and
            times; equal ones are answered in the order in which they were recorded, then with the last answer again.
            What is not in the recording is refused with 404, which names the nearest request in it. Keys are not
            checked.
        speed: Factor of the recorded pace of a replay; 0, the default, answers at once, 1 as slowly as the upstream.
        control: Whether requests under ``/_emulator`` steer the server; None for on loopback only.
        cors: Origins whose pages may use the server from a browser, such as ``http://localhost:3000``; ``*`` is every
            page, also for control.
        idle_timeout: Seconds for the head of a request, and between two parts of its body. After them the connection
            is closed, with 40800 where the head has come.

    Returns:
        The server, not yet started: its ``with`` block or ``start()`` starts it.

    Raises:
        OSError: The configuration or the recording cannot be read, or the recording not be written.
        TypeError: Keys or faults are of another type.
        ValueError: A setting or a field of the configuration is wrong, and the message names it; or the file to replay
            is no recording, and the message names the line.
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
        record=record,
        upstream=upstream,
        replay=replay,
        speed=speed,
        control=control,
        cors=cors,
        idle_timeout=idle_timeout,
    )
    return EmulatorServer(settings, host=host, port=port)
