"""The resource of the reranker and RAG reasoning. Both twins side by side: they differ in what is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from clova_studio import _requests
from clova_studio._resources._sender import AsyncSender, Sender

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clova_studio._requests.retrieval import ReasoningOptions
    from clova_studio.types.reasoning import ReasoningResult
    from clova_studio.types.reranking import RerankResult

__all__ = ["AsyncRetrievalResource", "RetrievalResource"]


class RetrievalResource(Sender):
    """Reranker and RAG reasoning."""

    def rerank(
        self,
        query: str,
        documents: Iterable[str | Mapping[str, Any]],
        *,
        max_tokens: int | None = None,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> RerankResult:
        """Return an answer from documents, and which of them it cites. Source: the reranker page of the API guide.

        Args:
            query: What to answer.
            documents: ``{"id": ..., "doc": ...}``, or strings, whose ids are then ``doc1``, ``doc2`` and so on. The
                input may have up to 128,000 tokens. Passages of several hundred characters are cited best; documents of
                one line were seen not to be cited although they held the answer.
            max_tokens: Output cap in tokens, 1 to 4,096; service default 1,024.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The answer and the documents that it cites, in order and without scores, which the service does not give;
            or suggested queries if the service finds no answer. That nothing is cited does not mean that the documents
            do not contain it.

        Raises:
            ConfigurationError: A text is blank, or an argument is out of range; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(
            _requests.retrieval.rerank(query, documents, max_tokens=max_tokens, request_id=request_id, timeout=timeout)
        )

    def reason(
        self,
        messages: Sequence[Any],
        *,
        tools: Sequence[Mapping[str, Any]],
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[ReasoningOptions],
    ) -> ReasoningResult:
        """Return the next step of RAG reasoning: searches to make, or the answer.

        Source: the RAG reasoning page of the API guide.

        First ask with the question alone; the result's ``message.tool_calls`` are searches. Then ask again with that
        message and one tool message per call. The content of a tool message is ``{"search_result": [{"id": ...,
        "doc": ...}]}`` (an object or JSON text, also in a list) or a list of such documents.

        Args:
            messages: The conversation; contents are text.
            tools: The search tool, in every step: ``{"type": "function", "function": {"name", "description",
                "parameters"}}``, all required.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.
            **options: See ``ReasoningOptions``.

        Returns:
            The step. An answer marks its citations as ``<id>...</id>`` with the id of the document.

        Raises:
            ConfigurationError: An argument breaks a rule of the API; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(
            _requests.retrieval.reason(messages, tools=tools, request_id=request_id, timeout=timeout, options=options)
        )


class AsyncRetrievalResource(AsyncSender):
    """Async variant of ``RetrievalResource``."""

    async def rerank(
        self,
        query: str,
        documents: Iterable[str | Mapping[str, Any]],
        *,
        max_tokens: int | None = None,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> RerankResult:
        """Async variant of ``rerank``."""
        return await self._send(
            _requests.retrieval.rerank(query, documents, max_tokens=max_tokens, request_id=request_id, timeout=timeout)
        )

    async def reason(
        self,
        messages: Sequence[Any],
        *,
        tools: Sequence[Mapping[str, Any]],
        request_id: str | None = None,
        timeout: Any = None,
        **options: Unpack[ReasoningOptions],
    ) -> ReasoningResult:
        """Async variant of ``reason``."""
        return await self._send(
            _requests.retrieval.reason(messages, tools=tools, request_id=request_id, timeout=timeout, options=options)
        )
