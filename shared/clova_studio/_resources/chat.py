"""The chat resource. Both twins side by side: they differ in what is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from clova_studio import _requests
from clova_studio._resources._sender import AsyncSender, Sender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import SecretStr

    from clova_studio._requests.chat_options import ChatOptions
    from clova_studio._streaming.streams import AsyncChatStream, ChatStream
    from clova_studio.types.chat import ChatResult
    from clova_studio.types.tokens import TokenCount

__all__ = ["AsyncChatResource", "ChatResource"]


class ChatResource(Sender):
    """Chat completions and their token calculator."""

    def chat(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-005",
        task_id: str | None = None,
        base_model: str | None = None,
        api_version: Literal["v1", "v2", "v3"] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
        headers: Mapping[str, str | SecretStr] | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResult:
        """Return the answer to a conversation. Source: the Chat Completions v1 and v3 pages of the API guide.

        Args:
            messages: ``{"role": "system" | "user" | "assistant" | "tool", "content": ...}`` in order, or the
                ``message`` of an earlier result. Content is a string or, on v3, a list of text and image parts.
            model: The model. HCX-003 and HCX-DASH-001 go to v1; HCX-005, HCX-007, HCX-DASH-002 and unknown names to v3.
            task_id: The id of the tuning task, to call a tuned model whose base is ``model``.
            base_model: The model whose quota a tuned model counts on; None for a quota of its own.
            api_version: Overrides the API that the model's name implies, for names that this package does not know and
                for tuned models on ``/v2/tasks``.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.
            headers: Headers of this call, besides the client's; they take precedence over those.
            **options: See ``ChatOptions``.

        Returns:
            The whole answer, its usage and its finish reason.

        Raises:
            ConfigurationError: An argument breaks a rule of the API; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(
            _requests.chat.chat(
                messages,
                model=model,
                task_id=task_id,
                base_model=base_model,
                api_version=api_version,
                request_id=request_id,
                timeout=timeout,
                headers=headers,
                options=options,
            )
        )

    def stream_chat(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-005",
        task_id: str | None = None,
        base_model: str | None = None,
        api_version: Literal["v1", "v2", "v3"] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
        headers: Mapping[str, str | SecretStr] | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatStream:
        """Stream the answer to a conversation. Source: the Chat Completions v1 and v3 pages of the API guide.

        The request is sent when the stream is entered or first iterated. It is retried like any call until the first
        chunk arrives, never after. Tool calls come complete, with the last chunk: see ``ChatChunk``.

        Args:
            messages: As in ``chat``.
            model: As in ``chat``.
            task_id: As in ``chat``.
            base_model: As in ``chat``.
            api_version: As in ``chat``.
            request_id: As in ``chat``.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.
            headers: Headers of this call, besides the client's; they take precedence over those.
            **options: See ``ChatOptions``.

        Returns:
            An iterator of ``ChatChunk`` and context manager; its ``result()`` is the final ``ChatResult``.

        Raises:
            ConfigurationError: An argument breaks a rule of the API; nothing was sent.
            StreamInterruptedError: While iterating: the stream broke after its first chunk. What had arrived is on
                ``partial``. Before the first chunk the errors are those of ``chat``.
        """
        from clova_studio._streaming.streams import ChatStream

        call = _requests.chat.chat(
            messages,
            model=model,
            task_id=task_id,
            base_model=base_model,
            api_version=api_version,
            request_id=request_id,
            timeout=timeout,
            headers=headers,
            options=options,
        )
        return ChatStream(lambda: self._open(call), call.request_id)

    def count_chat_tokens(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-005",
        tools: Sequence[Mapping[str, Any]] | None = None,
        response_format: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> TokenCount:
        """Return the token count of a conversation. Source: the chat v1 and v3 token calculator pages of the API guide.

        Args:
            messages: As in ``chat``.
            model: As in ``chat``; the calculators of v1 and v3 differ.
            tools: Tools to count too (v3).
            response_format: A response format to count too (v3).
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The count of each message, of tools and response format, and their ``total``.

        Raises:
            ConfigurationError: An argument breaks a rule of the API; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(
            _requests.chat.count_chat_tokens(
                messages,
                model=model,
                tools=tools,
                response_format=response_format,
                request_id=request_id,
                timeout=timeout,
            )
        )


class AsyncChatResource(AsyncSender):
    """Async variant of ``ChatResource``."""

    async def chat(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-005",
        task_id: str | None = None,
        base_model: str | None = None,
        api_version: Literal["v1", "v2", "v3"] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
        headers: Mapping[str, str | SecretStr] | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResult:
        """Async variant of ``chat``."""
        return await self._send(
            _requests.chat.chat(
                messages,
                model=model,
                task_id=task_id,
                base_model=base_model,
                api_version=api_version,
                request_id=request_id,
                timeout=timeout,
                headers=headers,
                options=options,
            )
        )

    def stream_chat(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-005",
        task_id: str | None = None,
        base_model: str | None = None,
        api_version: Literal["v1", "v2", "v3"] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
        headers: Mapping[str, str | SecretStr] | None = None,
        **options: Unpack[ChatOptions],
    ) -> AsyncChatStream:
        """Async variant of ``stream_chat``."""
        from clova_studio._streaming.streams import AsyncChatStream

        call = _requests.chat.chat(
            messages,
            model=model,
            task_id=task_id,
            base_model=base_model,
            api_version=api_version,
            request_id=request_id,
            timeout=timeout,
            headers=headers,
            options=options,
        )
        return AsyncChatStream(lambda: self._open(call), call.request_id)

    async def count_chat_tokens(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-005",
        tools: Sequence[Mapping[str, Any]] | None = None,
        response_format: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> TokenCount:
        """Async variant of ``count_chat_tokens``."""
        return await self._send(
            _requests.chat.count_chat_tokens(
                messages,
                model=model,
                tools=tools,
                response_format=response_format,
                request_id=request_id,
                timeout=timeout,
            )
        )
