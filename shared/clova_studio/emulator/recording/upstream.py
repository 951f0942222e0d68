"""Passes a request on to another server, byte for byte, and hands out its answer as it comes."""

import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from contextvars import ContextVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from clova_studio.emulator.recording.capture import HOP_BY_HOP, READABLE

Headers = list[tuple[bytes, bytes]]

_CONNECT_SECONDS = 10.0
_quiet = ContextVar("clova_studio_recording", default=False)


class UpstreamError(Exception):
    """The upstream gave no answer, or a part of one.

    Attributes:
        end: How it ended, as in a recording.
    """

    def __init__(self, end: str, message: str) -> None:
        super().__init__(message)
        self.end = end


class Upstream:
    """The server that requests are passed on to.

    Neither redirects nor cookies are followed: that is the caller's. Proxies are those of the environment.

    Args:
        url: Its address, with or without a path.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._transport: httpx.AsyncHTTPTransport | None = None

    async def aclose(self) -> None:
        """Close the connections; belongs to the event loop of the requests."""
        transport, self._transport = self._transport, None
        if transport is not None:
            _hush()
            await transport.aclose()

    @contextlib.asynccontextmanager
    async def send(self, method: str, target: str, headers: Headers, body: bytes) -> AsyncIterator[httpx.Response]:
        """Send a request and give its answer, of which status and headers are there.

        Args:
            method: HTTP method.
            target: Path and query, as they arrived.
            headers: Headers as they arrived; those of the connection are left out.
            body: The body.

        Raises:
            UpstreamError: There is no answer.
        """
        if self._transport is None:
            self._transport = _connect(self._url)
        request = httpx.Request(
            method,
            self._url + target,
            headers=forwarded(headers),
            content=body or None,
            extensions={
                "timeout": {"connect": _CONNECT_SECONDS, "pool": None, "read": None, "write": None},
                # As it arrived: httpx's URL would quote what it finds unusual.
                "target": (urlsplit(self._url).path + target).encode("latin-1"),
            },
        )
        _hush()
        try:
            response = await self._transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.ProxyError) as error:
            raise UpstreamError("unreachable", _words(error)) from None
        except httpx.TransportError as error:
            raise UpstreamError(_end_of(error), _words(error)) from None
        try:
            yield response
        finally:
            await response.aclose()

    @staticmethod
    async def chunks(response: httpx.Response) -> AsyncIterator[bytes]:
        """Give the chunks of a body as they come, with their coding.

        Raises:
            UpstreamError: The body broke off.
        """
        try:
            async for chunk in response.stream:  # type: ignore[union-attr]  # of an async transport
                yield chunk
        except httpx.TransportError as error:
            raise UpstreamError(_end_of(error), _words(error)) from None


def end_to_end(headers: Headers) -> Headers:
    """The headers of a message that are not those of one connection."""
    named = b",".join(value for name, value in headers if name.lower() == b"connection")
    local = HOP_BY_HOP | {word.strip().lower() for word in named.decode("latin-1").split(",")}
    return [(name, value) for name, value in headers if name.decode("latin-1").lower() not in local]


def forwarded(headers: Headers) -> Headers:
    """The headers of a request that are passed on, without codings that cannot be read."""
    passed = []
    for name, value in end_to_end(headers):
        lower = name.decode("latin-1").lower()
        if lower == "accept-encoding":
            codings = [item.strip() for item in value.decode("latin-1").split(",")]
            readable = [item for item in codings if item.partition(";")[0].strip().lower() in READABLE]
            passed.append((name, ", ".join(readable or ["identity"]).encode("latin-1")))
        elif lower not in {"host", "expect"}:
            passed.append((name, value))
    return passed


def _connect(url: str) -> httpx.AsyncHTTPTransport:
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = None if proxy_bypass(host) else getproxies().get(parts.scheme) or getproxies().get("all")
    # Without TLS no certificates have to be loaded, which takes its time.
    verify = httpx.create_ssl_context() if parts.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    return httpx.AsyncHTTPTransport(verify=verify, limits=limits, proxy=proxy, trust_env=True)


def _end_of(error: httpx.TransportError) -> str:
    """Whether a connection was closed in the middle of a message, or reset."""
    return "closed" if isinstance(error, httpx.RemoteProtocolError) else "reset"


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _hush() -> None:
    """Keep httpcore's own log of headers out of the program's: it has keys and cookies in it. For this task alone."""
    for name in ("httpcore.connection", "httpcore.http11", "httpcore.proxy"):
        logging.getLogger(name).addFilter(_is_not_quiet)  # once: adding it again does nothing
    _quiet.set(True)


def _is_not_quiet(_record: logging.LogRecord) -> bool:
    return not _quiet.get()
