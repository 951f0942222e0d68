"""The HTTP library: the one module that makes httpx objects, and one SSL context for the whole process."""

from __future__ import annotations

import asyncio
import functools
from contextlib import contextmanager
from http.cookiejar import CookieJar
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from clova_studio._config import Timeouts
from clova_studio._deadlines import AsyncBackend, Backend, Deadline
from clova_studio._errors import ConfigurationError
from clova_studio._streaming.body import ACCEPTED_ENCODINGS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from clova_studio._config import Config
    from clova_studio._requests.call import Call

__all__ = [
    "build_request",
    "close_lines",
    "deadline_of",
    "interrupt",
    "make_async_client",
    "make_client",
    "reclaim",
    "timeouts_of",
    "watched",
]

# No bound of ours: the caller and the rate limiter decide how much may be in flight.
_DEFAULT_TIMEOUTS = Timeouts()
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    # About 20 ms each: made once, when the first connection pool is.
    return httpx.create_ssl_context()


@functools.cache
def _user_agent() -> str:
    try:
        return f"clova-studio/{version('clova-studio')}"
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "clova-studio"


class _NoCookies(CookieJar):
    """Keeps no cookie: requests carry none, and a jar would grow for ever."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Do nothing."""


class _Pool(httpx.Client):
    """A connection pool of our own."""

    backends: list[Any]


class _AsyncPool(httpx.AsyncClient):
    """A connection pool of our own, of one event loop."""

    backends: list[Any]


PoolT = TypeVar("PoolT", _Pool, _AsyncPool)


def make_client() -> httpx.Client:
    """Return a new connection pool."""
    with _proxies_checked():
        return _watched_pool(_Pool(verify=_ssl_context(), limits=_LIMITS, cookies=_NoCookies()), Backend)


def make_async_client() -> httpx.AsyncClient:
    """Return a new connection pool for the running event loop."""
    with _proxies_checked():
        return _watched_pool(_AsyncPool(verify=_ssl_context(), limits=_LIMITS, cookies=_NoCookies()), AsyncBackend)


def _watched_pool(http: PoolT, backend: Any) -> PoolT:
    """Have a pool of our own open its connections through backends of ours, which ``interrupt`` finds again.

    httpx has no argument for it. A name that changes in httpx or httpcore is an AttributeError here, or a TypeError at
    the first read, and never a limit that does not hold.
    """
    http.backends = []
    transports: list[Any] = [http._transport, *http._mounts.values()]  # noqa: SLF001
    for transport in transports:
        if transport is not None:  # None is for hosts without a proxy
            pool = transport._pool  # noqa: SLF001
            pool._network_backend = backend(pool._network_backend)  # noqa: SLF001
            http.backends.append(pool._network_backend)  # noqa: SLF001
    return http


def interrupt(http: Any) -> None:
    """End all connections of a pool of our own at once, from any thread or loop: whoever waits for one wakes."""
    for backend in http.backends:
        backend.interrupt()


@contextmanager
def _proxies_checked() -> Iterator[None]:
    """Say what is wrong when the environment's proxies are what httpx cannot use; their addresses may hold passwords.

    Raises:
        ConfigurationError: It is so.
    """
    try:
        yield
    except (ValueError, ImportError, httpx.InvalidURL) as exc:
        missing = " (SOCKS needs: pip install 'httpx[socks]')" if isinstance(exc, ImportError) else ""
        raise ConfigurationError(
            "the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: give an http:// or https:// address"
            f"{missing}, unset it, or pass an http_client of your own"
        ) from None


@functools.lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    # Taking an address apart is a tenth of a request's cost, and most requests go to the same few.
    return httpx.URL(text)


def timeouts_of(call: Call[Any], config: Config) -> Timeouts | None:
    """Return the time limits of a call; None leaves them to a caller's own HTTP client."""
    return config.timeouts if call.timeout is None else Timeouts.of(call.timeout)


def deadline_of(call: Call[Any], config: Config, *, stream: bool) -> Deadline:
    """Return the time limit of one attempt of a call.

    A caller's own HTTP client keeps its limits, which are per read; a total holds all the same.
    """
    limits = timeouts_of(call, config)
    bounds = limits or _DEFAULT_TIMEOUTS
    if not stream:
        return Deadline(bounds.total, "the whole answer", call.request_id, read=bounds.read, write=bounds.write)
    stall = limits.stream if limits else bounds.total
    what = "an event of the stream that says something"
    return Deadline(stall, what, call.request_id, write=bounds.write, sending=bounds.total)


def build_request(
    http: Any,
    call: Call[Any],
    content: bytes | None,
    config: Config,
    deadline: Deadline,
    *,
    stream: bool,
) -> Any:
    """Return the HTTP request of a call, without the key.

    Args:
        http: An httpx (or httpx2) client, sync or async.
        call: What to send.
        content: Its body.
        config: Where to send it.
        deadline: How long it may take; a pool of our own keeps it.
        stream: Whether the answer is to come as events; v1 and v3 choose by ``Accept`` alone.
    """
    headers = {
        "Accept": "text/event-stream" if stream else "application/json",
        "Accept-Encoding": ACCEPTED_ENCODINGS,
        "User-Agent": _user_agent(),
        "X-NCP-CLOVASTUDIO-REQUEST-ID": call.request_id,
        **config.headers,
        **(call.headers or {}),
    }
    if content is not None:
        headers["Content-Type"] = "application/json"
    limits = timeouts_of(call, config)
    url = config.url(call.path, prefixed=call.native)
    if limits is not None and isinstance(http, (_Pool, _AsyncPool)):
        # A pool of our own has no settings that would have to be merged in, which is half of the work.
        timeout = {"connect": limits.connect, "read": deadline, "write": deadline, "pool": None}
        headers = {"Connection": "keep-alive", **headers}
        extensions = {"timeout": timeout}
        return httpx.Request(call.method, _url(url), content=content, headers=headers, extensions=extensions)
    extra: dict[str, Any] = {}
    if limits is not None:
        # A tuple is understood by httpx and httpx2 alike. The caller's pool may have a bound, and be used up.
        extra["timeout"] = (limits.connect, limits.stream if stream else limits.read, limits.write, limits.total)
    return http.build_request(call.method, url, content=content, headers=headers, **extra)


class Handshake:
    """Holds the connection of a request while its TLS handshake lasts, for ``reclaim``.

    A ``trace`` extension of httpx: until the handshake is over, no connection pool knows of the connection.
    """

    __slots__ = ("stream",)

    def __init__(self) -> None:
        self.stream: Any = None

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self.stream = info["return_value"]
        elif event == "connection.start_tls.complete":
            self.stream = None


def watched(request: Any) -> Any:
    """Return an async request whose connection ``reclaim`` can close at any time."""
    if request.url.scheme == "https":
        request.extensions["trace"] = Handshake()
    return request


async def reclaim(http: Any, request: Any) -> None:
    """Close what a cancelled request left behind.

    httpcore shields its tidying up by anyio's scopes, and a bare ``task.cancel()`` goes through those: cancelled at
    some of its awaits it keeps the connection, busy for ever, in its pool, or loses it in a TLS handshake. The pool
    offers no other way to find out than its own lists; a transport that has none (a test's) is left alone.

    Args:
        http: The async client that sent it.
        request: The request.
    """
    lost: list[Any] = []
    handshake = request.extensions.get("trace")
    if isinstance(handshake, Handshake) and handshake.stream is not None:
        lost.append(handshake.stream)
    find = getattr(http, "_transport_for_url", None)
    pool = getattr(find(request.url), "_pool", None) if find is not None else None
    entries, lines = getattr(pool, "_requests", None), getattr(pool, "_connections", None)
    assign = getattr(pool, "_assign_requests_to_connections", None)
    if entries is not None and lines is not None and assign is not None:
        # The lists first, without an await in between: whoever comes next finds them whole.
        for entry in [entry for entry in entries if entry.request.extensions is request.extensions]:
            entries.remove(entry)
        used = {id(entry.connection) for entry in entries}
        for line in [line for line in lines if id(line) not in used and not line.is_idle()]:
            lines.remove(line)
            lost.append(line)
        lost += assign()
    await close_lines(lost)


async def close_lines(lines: list[Any]) -> None:
    """Close connections, all of them also when cancelled."""
    cancelled = None
    for line in lines:
        try:
            await line.aclose()
        except asyncio.CancelledError as exc:  # the socket is closed before the first await
            cancelled = exc
    if cancelled is not None:
        raise cancelled
