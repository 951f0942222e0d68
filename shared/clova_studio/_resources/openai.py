"""The OpenAI-compatible resources: ``client.openai``. Both twins side by side: they differ in what is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from clova_studio import _requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clova_studio._requests.openai import OpenAIChatOptions
    from clova_studio._resources._sender import AsyncSender, Sender
    from clova_studio._streaming.streams import AsyncOpenAIChatStream, OpenAIChatStream
    from clova_studio.types.openai import OpenAIChatResult, OpenAIEmbeddings, OpenAIModels

__all__ = ["AsyncOpenAICompatible", "OpenAICompatible"]


class OpenAICompatible:
    """The OpenAI-compatible paths; ``client.openai``. They have no path prefix and take only ``nv-`` keys."""

    def __init__(self, client: Sender) -> None:
        self._client = client

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str = "HCX-005",
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[OpenAIChatOptions],
    ) -> OpenAIChatResult:
        """Return the answer to a conversation. Source: the OpenAI compatibility page of the API guide.

        Args:
            messages: Messages in OpenAI's form. A ``content`` of None is sent as ``""``: the service refuses null.
            model: Any chat model, or the name of a tuned one, which starts with ``ft:``.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.
            **options: See ``OpenAIChatOptions``; what the service does not support is refused by name.

        Returns:
            The whole answer, its usage and its finish reason.

        Raises:
            ConfigurationError: An option is unsupported or out of range; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._client._send(
            _requests.openai.chat(
                messages, model=model, stream=False, request_id=request_id, timeout=timeout, options=options
            )
        )

    def stream_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str = "HCX-005",
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[OpenAIChatOptions],
    ) -> OpenAIChatStream:
        """Stream the answer to a conversation. Source: the OpenAI compatibility page of the API guide.

        The request is sent when the stream is entered or first iterated. It is retried like any call until the first
        chunk arrives, never after.

        Args:
            messages: As in ``chat``.
            model: As in ``chat``.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.
            **options: See ``OpenAIChatOptions``.

        Returns:
            An iterator of ``OpenAIChatChunk`` and context manager; its ``result()`` is the final ``OpenAIChatResult``.

        Raises:
            ConfigurationError: An option is unsupported or out of range; nothing was sent.
            StreamInterruptedError: While iterating: the stream broke after its first chunk. What had arrived is on
                ``partial``. Before the first chunk the errors are those of ``chat``.
        """
        client = self._client
        from clova_studio._streaming.streams import OpenAIChatStream

        call = _requests.openai.chat(
            messages, model=model, stream=True, request_id=request_id, timeout=timeout, options=options
        )
        return OpenAIChatStream(lambda: client._open(call), call.request_id)

    def embed(
        self, input: str, *, model: str = "bge-m3", request_id: str | None = None, timeout: Any = None
    ) -> OpenAIEmbeddings:
        """Return the vector of a text. Source: the OpenAI compatibility page of the API guide.

        Args:
            input: One text, not blank. The API guide documents no lists; ``embed_many`` takes many texts.
            model: ``bge-m3``, ``clir-emb-dolphin`` or ``clir-sts-dolphin``.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            One vector, on ``embedding``: 1,024 floats, not of unit length.

        Raises:
            ConfigurationError: The input is blank or not a string; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._client._send(_requests.openai.embed(input, model=model, request_id=request_id, timeout=timeout))

    def models(self, *, request_id: str | None = None, timeout: Any = None) -> OpenAIModels:
        """Return the models that the key can use. Source: the OpenAI compatibility page of the API guide.

        Args:
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Raises:
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._client._send(_requests.openai.models(request_id=request_id, timeout=timeout))


class AsyncOpenAICompatible:
    """Async variant of ``OpenAICompatible``."""

    def __init__(self, client: AsyncSender) -> None:
        self._client = client

    async def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str = "HCX-005",
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[OpenAIChatOptions],
    ) -> OpenAIChatResult:
        """Async variant of ``chat``."""
        return await self._client._send(
            _requests.openai.chat(
                messages, model=model, stream=False, request_id=request_id, timeout=timeout, options=options
            )
        )

    def stream_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str = "HCX-005",
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[OpenAIChatOptions],
    ) -> AsyncOpenAIChatStream:
        """Async variant of ``stream_chat``."""
        client = self._client
        from clova_studio._streaming.streams import AsyncOpenAIChatStream

        call = _requests.openai.chat(
            messages, model=model, stream=True, request_id=request_id, timeout=timeout, options=options
        )
        return AsyncOpenAIChatStream(lambda: client._open(call), call.request_id)

    async def embed(
        self, input: str, *, model: str = "bge-m3", request_id: str | None = None, timeout: Any = None
    ) -> OpenAIEmbeddings:
        """Async variant of ``embed``."""
        return await self._client._send(
            _requests.openai.embed(input, model=model, request_id=request_id, timeout=timeout)
        )

    async def models(self, *, request_id: str | None = None, timeout: Any = None) -> OpenAIModels:
        """Async variant of ``models``."""
        return await self._client._send(_requests.openai.models(request_id=request_id, timeout=timeout))
