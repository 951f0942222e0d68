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
    """The OpenAI-compatible paths; ``client.openai``. They never carry a path prefix and take ``nv-`` keys only."""

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
        """Answer a conversation. Source: the OpenAI compatibility page of the API guide.

        Args:
            messages: Messages as OpenAI has them; a ``content`` of None is sent as ``""``, which the service wants.
            model: Any chat model, or ``ft:`` and the id of a tuning task.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.
            **options: See ``OpenAIChatOptions``; what the service does not support is refused by name.

        Returns:
            The whole answer.

        Raises:
            ConfigurationError: An option is unsupported or out of range; nothing was sent.
            APIStatusError: The service refused, in its subclasses.
            APIConnectionError: No whole answer came.
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
        """Answer a conversation piece by piece. Source: the OpenAI compatibility page of the API guide.

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
            StreamInterruptedError: While iterating: the stream broke after its first chunk; what had arrived is on
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
            input: One text; lists are not documented to work (``embed_many`` embeds many).
            model: ``bge-m3``, ``clir-emb-dolphin`` or ``clir-sts-dolphin``.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            1,024 floats, asked for as floats: the service has no base64.

        Raises:
            ConfigurationError: The input is empty or not a string; nothing was sent.
            APIStatusError: The service refused, in its subclasses.
            APIConnectionError: No whole answer came.
        """
        return self._client._send(_requests.openai.embed(input, model=model, request_id=request_id, timeout=timeout))

    def models(self, *, request_id: str | None = None, timeout: Any = None) -> OpenAIModels:
        """Return the models that the key can use. Source: the OpenAI compatibility page of the API guide.

        Args:
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Raises:
            APIStatusError: The service refused, in its subclasses.
            APIConnectionError: No whole answer came.
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
