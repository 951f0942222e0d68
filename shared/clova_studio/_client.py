"""The synchronous client: a thin shell that sends, waits and closes. Decisions are made elsewhere."""

from __future__ import annotations

import threading
import weakref
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self, TypeVar

from clova_studio._base_client import BaseClient
from clova_studio._config import check_http_client
from clova_studio._rate_limits.waiters import ThreadWaiter
from clova_studio._resources.chat import ChatResource
from clova_studio._resources.completions import CompletionResource
from clova_studio._resources.openai import OpenAICompatible
from clova_studio._resources.retrieval import RetrievalResource
from clova_studio._resources.routing import RoutingResource
from clova_studio._resources.text import TextResource
from clova_studio._resources.tuning import Tuning
from clova_studio._retries import run_attempts
from clova_studio._streaming.body import pieces_of, read_body, read_out
from clova_studio._transport import build_request, deadline_of, interrupt, make_client

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager
    from types import EllipsisType, TracebackType

    from clova_studio._concurrency import CancelSignal
    from clova_studio._deadlines import Deadline
    from clova_studio._requests.call import Call
    from clova_studio._retries import Attempts
    from clova_studio._streaming.reader import EventReader
    from clova_studio._streaming.streams import Opened
    from clova_studio.types._base import Result

__all__ = ["ClovaStudio"]

ResultT = TypeVar("ResultT", bound="Result")
_UNBOUNDED = nullcontext()


class ClovaStudio(ChatResource, TextResource, RetrievalResource, RoutingResource, CompletionResource, BaseClient):
    """Client of NAVER CLOVA Studio. Safe to share between threads; connections are made at the first call.

    Args:
        api_key: A test or service key (``nv-...``); else ``CLOVASTUDIO_API_KEY``, else ``NCP_CLOVASTUDIO_API_KEY``.
        region: ``"public"`` or ``"gov"``.
        base_url: Another address (or ``CLOVASTUDIO_BASE_URL``); takes precedence over ``region``.
        path_prefix: ``"testapp"`` or ``"serviceapp"`` for apps that still have it in their paths.
        apigw_api_key: The second key of the old pair; the ``X-NCP-*`` headers then replace ``Authorization``.
        timeout: Seconds, ``Timeouts`` or an httpx timeout. Default: connect 5 s, 300 s between two reads and 600 s in
            total for a whole answer, 60 s between two events of a stream.
        max_retries: Retries after the first request; takes precedence over ``retry.attempts``. Default 5.
        retry: How failed requests are repeated.
        rate_limits: The account's limits: calls then wait locally instead of being refused. ``RateLimits({...})``,
            or ``"test"`` or ``"service"`` for the documented limits of these keys. Without them calls are sent at
            once, and limits are learnt from refusals and headers.
        max_wait: Seconds a call may wait for its quota before an attempt, None for no bound. A longer wait is a
            ``RateLimitError`` at once.
        quota_group: A name shared by the keys of one main account, whose quota is one.
        http_client: An httpx client of yours, for proxies or transports. It stays yours: it is not closed.
        headers: Headers to send with every request, besides the client's own.

    Raises:
        ConfigurationError: A setting is missing or wrong.

    Pickling keeps the settings, the key among them, and leaves the connections behind.
    """

    _asynchronous = False

    def _reset(self) -> None:
        self._http: Any = self._given_http
        self._http_lock = threading.Lock()
        self._waiter = ThreadWaiter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this client opened, and wake all threads that wait in one of its calls.

        Their calls are an ``APIConnectionError`` then, or a ``StreamInterruptedError``: those in flight (over an
        ``http_client`` of yours, too, which stays open), those that wait for a quota, and those in a back-off. A call
        after it is a ``ConfigurationError``.
        """
        self._close()
        with self._http_lock:
            http, self._http = self._http, None
        if http is not None and http is not self._given_http:
            interrupt(http)
            http.close()

    @property
    def tuning(self) -> Tuning:
        """Tuning tasks: ``create``, ``get``, ``list``, ``iter``, ``wait``, ``delete``."""
        return Tuning(self)

    @property
    def openai(self) -> OpenAICompatible:
        """The OpenAI-compatible paths: ``chat``, ``stream_chat``, ``embed``, ``models``."""
        return OpenAICompatible(self)

    def _send(
        self, call: Call[ResultT], max_wait: float | EllipsisType | None = ..., cancel: CancelSignal | None = None
    ) -> ResultT:
        content = call.content()
        attempts = self._attempts(call, max_wait, cancel)

        def send() -> ResultT:
            http = self._connections()
            deadline = deadline_of(call, self._config, stream=False)
            request = build_request(http, call, content, self._config, deadline, stream=False)
            try:
                with self._within(deadline, http, request):
                    response = http.send(request, auth=self._config.authorize, follow_redirects=False, stream=True)
                    body = read_body(response, call.request_id, deadline)
            except Exception as exc:
                self._give_up_when_closed(exc, attempts, call.request_id)
                raise
            return attempts.parse(response.status_code, response.headers, body)

        return run_attempts(attempts, self._waiter, send)

    def _open(self, call: Call[Any]) -> Opened[Any, Any]:
        from clova_studio._streaming.reader import EventReader
        from clova_studio._streaming.streams import Opened

        content = call.content()
        attempts = self._attempts(call)

        def send() -> Opened[Any, Any]:
            deadline = deadline_of(call, self._config, stream=True)
            reader: EventReader[Any, Any] = EventReader(call, deadline)
            chunks = self._chunks(call, content, reader, deadline, attempts)
            try:
                first = next(chunks)
            except Exception as exc:
                self._give_up_when_closed(exc, attempts, call.request_id)
                raise
            attempts.landed(first)
            return Opened(first, chunks, reader)

        return run_attempts(attempts, self._waiter, send)

    def _chunks(
        self,
        call: Call[Any],
        content: bytes | None,
        reader: EventReader[Any, Any],
        deadline: Deadline,
        attempts: Attempts[Any],
    ) -> Generator[Any, None, None]:
        http = self._connections()
        request = build_request(http, call, content, self._config, deadline, stream=True)
        response = None
        try:
            with self._within(deadline, http, request):
                response = http.send(request, auth=self._config.authorize, follow_redirects=False, stream=True)
                deadline.sent()
                if not reader.is_stream(response.status_code, response.headers):
                    body = read_body(response, call.request_id, deadline)
                    yield reader.whole(response.status_code, response.headers, body)
                    return
                pieces = pieces_of(response, call.request_id)
                for piece in pieces:
                    reader.feed(piece)
                    while reader.advance():
                        yield reader.take()
                    if reader.result is not None:
                        attempts.settle(reader.result)
                        if self._given_http is None:
                            read_out(pieces, deadline)
                        return
                yield from reader.end()
        except Exception as exc:
            error = reader.failure(exc)
            if error is None or error is exc:
                raise
            raise error from (error.__cause__ or exc)
        finally:
            if response is not None:
                response.close()

    def _within(self, deadline: Deadline, http: Any, request: Any) -> AbstractContextManager[None]:
        """Return what bounds a request in time; a connection of our own does so itself."""
        if self._given_http is None:
            return _UNBOUNDED
        from clova_studio._watchdog import wait_within

        return wait_within(deadline, http, request, self._closing)

    def _connections(self) -> Any:
        self._check_open()
        given = self._given_http
        if given is not None:
            if getattr(given, "is_closed", False):
                check_http_client("http_client", given, asynchronous=False)
            return given
        http = self._http
        if http is None:
            with self._http_lock:
                self._check_open()
                if self._http is None:
                    self._http = make_client()
                    # A client that is dropped without close() takes its connections with it, also at exit.
                    weakref.finalize(self, self._http.close)
                http = self._http
        return http
