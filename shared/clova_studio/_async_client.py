"""The asynchronous client: the twin of ``_client``, awaited."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self, TypeVar

from clova_studio._base_client import BaseClient
from clova_studio._concurrency import check_loop
from clova_studio._config import check_http_client
from clova_studio._loop_clients import LoopClients
from clova_studio._rate_limits.waiters import LoopWaiter
from clova_studio._resources.chat import AsyncChatResource
from clova_studio._resources.completions import AsyncCompletionResource
from clova_studio._resources.openai import AsyncOpenAICompatible
from clova_studio._resources.retrieval import AsyncRetrievalResource
from clova_studio._resources.routing import AsyncRoutingResource
from clova_studio._resources.text import AsyncTextResource
from clova_studio._resources.tuning import AsyncTuning
from clova_studio._retries import arun_attempts
from clova_studio._streaming.body import apieces_of, aread_body, aread_out
from clova_studio._transport import build_request, deadline_of, reclaim, watched

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable
    from types import EllipsisType, TracebackType

    from clova_studio._concurrency import CancelSignal
    from clova_studio._deadlines import Deadline
    from clova_studio._requests.call import Call
    from clova_studio._retries import Attempts
    from clova_studio._streaming.reader import EventReader
    from clova_studio._streaming.streams import AsyncOpened
    from clova_studio.types._base import Result

__all__ = ["AsyncClovaStudio"]

T = TypeVar("T")
ResultT = TypeVar("ResultT", bound="Result")


class AsyncClovaStudio(
    AsyncChatResource,
    AsyncTextResource,
    AsyncRetrievalResource,
    AsyncRoutingResource,
    AsyncCompletionResource,
    BaseClient,
):
    """Client of NAVER CLOVA Studio, awaited; the same as ``ClovaStudio`` otherwise.

    Safe to share between tasks, event loops and threads: each loop has connections of its own, which are closed when
    ``asyncio.run`` ends it, or by the loop when the client is gone. Those of a loop that is closed by a bare
    ``loop.close()`` end when a client next opens one.

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
        http_client: An ``httpx.AsyncClient`` of yours, for proxies or transports. It stays yours, is not closed, and is
            bound to its own event loop.
        headers: Headers to send with every request, besides the client's own.

    Raises:
        ConfigurationError: A setting is missing or wrong.

    Pickling keeps the settings, the key among them, and leaves the connections behind.
    """

    _asynchronous = True

    def _reset(self) -> None:
        self._pools = LoopClients()
        self._waiter = LoopWaiter()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Async variant of ``close``."""
        check_loop()
        self._close()
        await self._pools.aclose()

    @property
    def tuning(self) -> AsyncTuning:
        """Tuning tasks: ``create``, ``get``, ``list``, ``iter``, ``wait``, ``delete``."""
        return AsyncTuning(self)

    @property
    def openai(self) -> AsyncOpenAICompatible:
        """The OpenAI-compatible paths: ``chat``, ``stream_chat``, ``embed``, ``models``."""
        return AsyncOpenAICompatible(self)

    async def _send(
        self, call: Call[ResultT], max_wait: float | EllipsisType | None = ..., cancel: CancelSignal | None = None
    ) -> ResultT:
        check_loop()
        content = call.content()
        attempts = self._attempts(call, max_wait, cancel)

        async def send() -> ResultT:
            http = await self._connections()
            deadline = deadline_of(call, self._config, stream=False)
            request = watched(build_request(http, call, content, self._config, deadline, stream=False))
            try:
                sending = http.send(request, auth=self._config.authorize, follow_redirects=False, stream=True)
                response = await self._within(sending, deadline, http, request)
                body = await self._within(aread_body(response, call.request_id, deadline), deadline, http, request)
            except asyncio.CancelledError:
                await reclaim(http, request)
                raise
            except Exception as exc:
                self._give_up_when_closed(exc, attempts, call.request_id)
                raise
            return attempts.parse(response.status_code, response.headers, body)

        return await arun_attempts(attempts, self._waiter, send)

    async def _open(self, call: Call[Any]) -> AsyncOpened[Any, Any]:
        from clova_studio._streaming.reader import EventReader
        from clova_studio._streaming.streams import AsyncOpened, first_of

        check_loop()
        content = call.content()
        attempts = self._attempts(call)

        async def send() -> AsyncOpened[Any, Any]:
            deadline = deadline_of(call, self._config, stream=True)
            reader: EventReader[Any, Any] = EventReader(call, deadline)
            chunks = self._chunks(call, content, reader, deadline, attempts)
            try:
                first = await first_of(chunks)
            except Exception as exc:
                self._give_up_when_closed(exc, attempts, call.request_id)
                raise
            attempts.landed(first)
            return AsyncOpened(first, chunks, reader)

        return await arun_attempts(attempts, self._waiter, send)

    async def _chunks(
        self,
        call: Call[Any],
        content: bytes | None,
        reader: EventReader[Any, Any],
        deadline: Deadline,
        attempts: Attempts[Any],
    ) -> AsyncGenerator[Any, None]:
        http = await self._connections()
        request = watched(build_request(http, call, content, self._config, deadline, stream=True))
        response = None
        try:
            try:
                sending = http.send(request, auth=self._config.authorize, follow_redirects=False, stream=True)
                response = await self._within(sending, deadline, http, request)
                deadline.sent()
                if not reader.is_stream(response.status_code, response.headers):
                    reading = aread_body(response, call.request_id, deadline)
                    body = await self._within(reading, deadline, http, request)
                    yield reader.whole(response.status_code, response.headers, body)
                    return
                pieces = self._pieces(response, deadline, http, request, call.request_id)
                # Not left to the loop, which may be closed before it gets to that.
                async with aclosing(pieces):
                    async for piece in pieces:
                        reader.feed(piece)
                        while reader.advance():
                            yield reader.take()
                        if reader.result is not None:
                            attempts.settle(reader.result)
                            await self._read_out(pieces, deadline)
                            return
                for chunk in reader.end():
                    yield chunk
            except Exception as exc:
                error = reader.failure(exc)
                if error is None or error is exc:
                    raise
                raise error from (error.__cause__ or exc)
            finally:
                if response is not None:
                    await response.aclose()
        except asyncio.CancelledError:
            await reclaim(http, request)
            raise

    async def _within(self, work: Awaitable[T], deadline: Deadline, http: Any, request: Any) -> T:
        """Await a part of a request for as long as it may take; a connection of our own keeps the time itself."""
        if self._given_http is None:
            return await work
        from clova_studio._watchdog import await_within

        return await await_within(work, deadline, http, request, self._closing)

    def _pieces(
        self, response: Any, deadline: Deadline, http: Any, request: Any, request_id: str
    ) -> AsyncGenerator[bytes, None]:
        if self._given_http is None:
            return apieces_of(response, request_id)
        return self._pieces_within(response, deadline, http, request, request_id)

    async def _pieces_within(
        self, response: Any, deadline: Deadline, http: Any, request: Any, request_id: str
    ) -> AsyncGenerator[bytes, None]:
        """Yield the body of a stream over a caller's HTTP client, each piece within its time."""
        async with aclosing(apieces_of(response, request_id)) as pieces:
            while (piece := await self._within(anext(pieces, None), deadline, http, request)) is not None:
                yield piece

    async def _read_out(self, pieces: AsyncGenerator[bytes, None], deadline: Deadline) -> None:
        if self._given_http is None:
            await aread_out(pieces, deadline)

    async def _connections(self) -> Any:
        self._check_open()
        given = self._given_http
        if given is None:
            return await self._pools.get()
        if getattr(given, "is_closed", False):
            check_http_client("http_client", given, asynchronous=True)
        return given
