"""The resource of routers and skillsets. Both twins side by side: they differ in what is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from clova_studio import _requests
from clova_studio._resources._sender import AsyncSender, Sender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clova_studio._streaming.streams import AsyncSkillsetStream, SkillsetStream
    from clova_studio.types.routing import RouteResult
    from clova_studio.types.skillsets import SkillsetResult

__all__ = ["AsyncRoutingResource", "RoutingResource"]


class RoutingResource(Sender):
    """Routers and skillsets."""

    def route(
        self,
        router_id: str,
        version: int,
        query: str,
        *,
        chat_history: Sequence[Any] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> RouteResult:
        """Return the domain of a query and the filters that it hits. Source: the router page of the API guide.

        Args:
            router_id: The router's id in the console.
            version: Its version, from 1.
            query: What to classify.
            chat_history: Earlier messages of the user, no other roles; the console allows one.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The domain (``""`` for none), and the content and safety filters that were hit. Without a domain the service
            checks no filter.

        Raises:
            ConfigurationError: An argument breaks a rule of the API; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(
            _requests.routing.route(
                router_id, version, query, chat_history=chat_history, request_id=request_id, timeout=timeout
            )
        )

    def run_skillset(
        self,
        skillset_id: str,
        version: int | Literal["latest"],
        query: str,
        *,
        chat_history: Sequence[Any] | None = None,
        request_override: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> SkillsetResult:
        """Return a skillset's answer to a query. Source: the skillset final answer page of the API guide.

        Skills call your APIs, so the request is retried only after a 429 or if no connection was made. After any other
        failure the skills may have done their work.

        Args:
            skillset_id: The skillset's id in the console.
            version: Its version, from 1, or ``"latest"`` where the service still takes it.
            query: What to answer.
            chat_history: Earlier messages of user and assistant.
            request_override: ``{"base_operation": {"header", "query", "request_body"}, "operations": [{"operation_id",
                "header", "query", "request_body"}]}`` for the calls of the skills' APIs.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The final answer and the calls that the skills made.

        Raises:
            ConfigurationError: An argument breaks a rule of the API; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(
            _requests.routing.skillset(
                skillset_id,
                version,
                query,
                chat_history=chat_history,
                request_override=request_override,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def stream_skillset(
        self,
        skillset_id: str,
        version: int | Literal["latest"],
        query: str,
        *,
        chat_history: Sequence[Any] | None = None,
        request_override: Mapping[str, Any] | None = None,
        token_stream: bool = True,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> SkillsetStream:
        """Stream a skillset's answer to a query. Source: the skillset final answer page of the API guide.

        The request is sent when the stream is entered or first iterated. It is retried as in ``run_skillset``, and
        never after the first chunk.

        Args:
            skillset_id: The skillset's id in the console.
            version: Its version, from 1, or ``"latest"`` where the service still takes it.
            query: What to answer.
            chat_history: Earlier messages of user and assistant.
            request_override: ``{"base_operation": {"header", "query", "request_body"}, "operations": [{"operation_id",
                "header", "query", "request_body"}]}`` for the calls of the skills' APIs.
            token_stream: Whether the answer also arrives token by token.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            An iterator of ``SkillsetChunk`` (planning, cot, token, finalAnswer) and context manager; its ``result()``
            is the final ``SkillsetResult``.

        Raises:
            ConfigurationError: An argument breaks a rule of the API; nothing was sent.
            StreamInterruptedError: While iterating: the stream broke after its first chunk. What had arrived is on
                ``partial``. Before the first chunk the errors are those of ``run_skillset``.
        """
        from clova_studio._streaming.streams import SkillsetStream

        call = _requests.routing.skillset(
            skillset_id,
            version,
            query,
            chat_history=chat_history,
            request_override=request_override,
            token_stream=token_stream,
            request_id=request_id,
            timeout=timeout,
        )
        return SkillsetStream(lambda: self._open(call), call.request_id)


class AsyncRoutingResource(AsyncSender):
    """Async variant of ``RoutingResource``."""

    async def route(
        self,
        router_id: str,
        version: int,
        query: str,
        *,
        chat_history: Sequence[Any] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> RouteResult:
        """Async variant of ``route``."""
        return await self._send(
            _requests.routing.route(
                router_id, version, query, chat_history=chat_history, request_id=request_id, timeout=timeout
            )
        )

    async def run_skillset(
        self,
        skillset_id: str,
        version: int | Literal["latest"],
        query: str,
        *,
        chat_history: Sequence[Any] | None = None,
        request_override: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> SkillsetResult:
        """Async variant of ``run_skillset``."""
        return await self._send(
            _requests.routing.skillset(
                skillset_id,
                version,
                query,
                chat_history=chat_history,
                request_override=request_override,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def stream_skillset(
        self,
        skillset_id: str,
        version: int | Literal["latest"],
        query: str,
        *,
        chat_history: Sequence[Any] | None = None,
        request_override: Mapping[str, Any] | None = None,
        token_stream: bool = True,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> AsyncSkillsetStream:
        """Async variant of ``stream_skillset``."""
        from clova_studio._streaming.streams import AsyncSkillsetStream

        call = _requests.routing.skillset(
            skillset_id,
            version,
            query,
            chat_history=chat_history,
            request_override=request_override,
            token_stream=token_stream,
            request_id=request_id,
            timeout=timeout,
        )
        return AsyncSkillsetStream(lambda: self._open(call), call.request_id)
