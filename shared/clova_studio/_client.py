"""The synchronous client: a thin shell that sends, waits and closes. What is decided is decided elsewhere."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Self, TypeVar

from clova_studio._base_client import BaseClient
from clova_studio._errors import ClovaStudioError
from clova_studio._resources.chat import ChatResource
from clova_studio._resources.completions import CompletionResource
from clova_studio._resources.openai import OpenAICompatible
from clova_studio._resources.retrieval import RetrievalResource
from clova_studio._resources.routing import RoutingResource
from clova_studio._resources.text import TextResource
from clova_studio._resources.tuning import Tuning
from clova_studio._transport import build_request, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import EllipsisType, TracebackType

    from clova_studio._attempts import Attempts
    from clova_studio._concurrency import CancelSignal
    from clova_studio._requests.call import Call
    from clova_studio._streaming.reader import EventReader
    from clova_studio._streaming.streams import Opened
    from clova_studio.types._base import Result

__all__ = ["ClovaStudio"]

T = TypeVar("T")
ResultT = TypeVar("ResultT", bound="Result")


class ClovaStudio(ChatResource, TextResource, RetrievalResource, RoutingResource, CompletionResource, BaseClient):
    """Client of NAVER CLOVA Studio. Safe to share between threads; connections are made at the first call.

    Args:
        api_key: A test or service key (``nv-...``); else ``CLOVASTUDIO_API_KEY``, else ``NCP_CLOVASTUDIO_API_KEY``.
        region: ``"public"`` or ``"gov"``.
        base_url: Another address (or ``CLOVASTUDIO_BASE_URL``); goes before ``region``.
        path_prefix: ``"testapp"`` or ``"serviceapp"`` for apps that still have it in their paths.
        apigw_api_key: The second key of the old pair; the ``X-NCP-*`` headers then replace ``Authorization``.
        timeout: Seconds, ``Timeouts`` or an httpx timeout. Default: connect 5 s, read 300 s, 60 s between two events of
            a stream.
        max_retries: Retries after the first request; goes before ``retry.attempts``. Default 5.
        retry: How failed requests are repeated.
        rate_limits: The account's limits, for calls to wait locally instead of being refused: ``RateLimits({...})``,
            or ``"test"`` or ``"service"`` for what is documented of these keys. Without them calls are sent at once,
            and limits are learnt from refusals and headers.
        max_wait: Seconds a call may wait at its quota's gate before an attempt, None for no bound. A longer wait is a
            ``RateLimitError`` at once.
        quota_group: A name shared by the keys of one main account, whose quota is one.
        http_client: An httpx client of yours, for proxies or transports. It stays yours: it is not closed.
        headers: Headers to send with every request, besides the client's own.

    Raises:
        ConfigurationError: A setting is missing or wrong.

    Pickling keeps the settings, the key among them, and leaves the connections behind.
    """

    def _reset(self) -> None:
        self._http: Any = self._given_http
        self._http_lock = threading.Lock()
        self._sleep: Callable[[float], None] = time.sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this client opened. A call after it is a ``ConfigurationError``."""
        self._closed = True
        with self._http_lock:
            http, self._http = self._http, None
        if http is not None and http is not self._given_http:
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
        from clova_studio._responses import parse_response

        content = call.content()
        attempts = self._attempts(call, self._max_wait if max_wait is ... else max_wait, cancel)

        def exchange() -> ResultT:
            http = self._connections()
            request = build_request(http, call, content, self._config, stream=False)
            response = http.send(request, auth=self._config.authorize)
            result = attempts.parsed(parse_response, response.status_code, response.headers, response.content, call)
            attempts.passed(result)
            return result

        return self._try(call, attempts, exchange)

    def _open(self, call: Call[Any]) -> Opened[Any, Any]:
        from clova_studio._streaming.streams import Opened

        content = call.content()

        def open_once() -> Opened[Any, Any]:
            reader = self._reader(call)
            chunks = self._chunks(call, content, reader, attempts)
            first = next(chunks)
            attempts.passed(first)
            return Opened(first, chunks, reader)

        attempts = self._attempts(call, self._max_wait)
        return self._try(call, attempts, open_once)

    def _chunks(
        self, call: Call[Any], content: bytes | None, reader: EventReader[Any, Any], attempts: Attempts
    ) -> Generator[Any, None, None]:
        http = self._connections()
        request = build_request(http, call, content, self._config, stream=True)
        response = None
        try:
            response = http.send(request, auth=self._config.authorize, stream=True)
            if not reader.is_stream(response.status_code, response.headers):
                yield reader.whole(response.status_code, response.headers, response.read())
                return
            for piece in response.iter_bytes():
                reader.feed(piece)
                while reader.advance():
                    yield reader.take()
                if reader.result is not None:
                    attempts.counted(reader.result)
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

    def _try(self, call: Call[Any], attempts: Attempts, exchange: Callable[[], T]) -> T:
        """Pass the gate, exchange, and do both again where that can help."""

        def attempt() -> T:
            if not attempts.arrive():
                self._stand(attempts)
            try:
                return exchange()
            except BaseException as exc:
                error = self._error_of(exc, call)
                if error is None:
                    attempts.abandoned()
                    raise
                attempts.failed(error)
                if error is exc:
                    raise
                raise error from exc

        try:
            return attempt()
        except ClovaStudioError as error:
            if not attempts.may_retry(error):
                raise
            failure: ClovaStudioError | None = error

        from tenacity import Retrying

        def again() -> T:
            nonlocal failure
            if failure is not None:
                first, failure = failure, None
                raise first
            return attempt()

        cancel = attempts.cancel
        sleep = self._sleep if cancel is None or self._sleep is not time.sleep else cancel.sleep
        return Retrying(sleep=sleep, **attempts.settings())(again)

    def _stand(self, attempts: Attempts) -> None:
        """Stand in line until the attempt may go."""
        ticket, cancel = attempts.ticket, attempts.cancel
        assert ticket is not None  # noqa: S101  it has just come
        called = threading.Event()
        ticket.wake = called.set
        if cancel is not None:
            cancel.add(called.set)
        try:
            while nap := attempts.at_gate(ticket):
                if cancel is not None:
                    cancel.check(attempts.request_id)
                if self._sleep is time.sleep:
                    called.wait(nap)
                    called.clear()
                else:
                    self._sleep(nap)
        except BaseException:
            attempts.leave()
            raise
        finally:
            if cancel is not None:
                cancel.remove(called.set)

    def _connections(self) -> Any:
        http = self._http
        if http is None:
            with self._http_lock:
                if self._http is None:
                    self._http = make_client()
                    # A client that is dropped without close() takes its connections with it, also at exit.
                    weakref.finalize(self, self._http.close)
                http = self._http
        return http
