"""The text resource. Both twins side by side: they differ in what is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from clova_studio import _requests
from clova_studio._resources._sender import AsyncSender, Sender

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clova_studio.types.chat import Message
    from clova_studio.types.embeddings import Embedding
    from clova_studio.types.segmentation import Segmentation
    from clova_studio.types.summarization import Summary
    from clova_studio.types.tokens import TokenCount

__all__ = ["AsyncTextResource", "TextResource"]


class TextResource(Sender):
    """Embeddings, paragraph splitting, summarization, the sliding window."""

    def embed(
        self, text: str, *, model: str = "bge-m3", request_id: str | None = None, timeout: Any = None
    ) -> Embedding:
        """Return the vector of a text. Source: the embedding and embedding v2 pages of the API guide.

        Args:
            text: The text, not blank; up to 8,192 tokens for ``bge-m3`` (v2), 500 for the v1 models.
            model: ``bge-m3`` (v2), ``clir-emb-dolphin`` or ``clir-sts-dolphin`` (v1).
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The vector, on ``embedding``: 1,024 finite floats, not of unit length.

        Raises:
            ConfigurationError: The text is blank; nothing was sent.
            ContextLengthError: The text is too long.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(_requests.text.embed(text, model=model, request_id=request_id, timeout=timeout))

    def embed_many(
        self,
        texts: Iterable[str],
        *,
        model: str = "bge-m3",
        max_concurrency: int = 32,
        show_progress: bool = False,
        on_error: Literal["raise", "return"] = "raise",
        on_too_long: Literal["error", "truncate"] = "error",
        on_blank: Literal["error", "placeholder"] = "error",
        max_wait: float | None = None,
        timeout: Any = None,
    ) -> list[Embedding]:
        """Return the vectors of many texts in input order, with several requests in flight.

        Source: the embedding and embedding v2 pages of the API guide; they take one text per request. A text that is
        refused because the quota is used up is queued again as long as other texts get through, so a full quota costs
        time, not vectors.

        Args:
            texts: The texts, in a list or any other iterable with an order: a tuple, a generator, an array, a column.
                Blank texts and values that are not text are refused by index before anything is sent; with
                ``on_error="return"`` their errors are among the results instead. None at all sends nothing.
            model: As in ``embed``.
            max_concurrency: Requests in flight at once, at most.
            show_progress: Whether to draw a progress bar (needs ``tqdm``).
            on_error: ``"raise"`` stops at the first error and raises it, with what succeeded on ``partial`` (None for a
                text without a result); ``"return"`` goes on and puts each error at its text's index.
            on_too_long: ``"truncate"`` shortens a text that the service finds too long until it fits.
            on_blank: ``"placeholder"`` embeds ``"."`` in place of each blank text, so that it has a vector, too.
            max_wait: Seconds a request may wait for the quota; None for no bound. A batch in which no text succeeds for
                five windows of the quota ends with ``RateLimitError`` all the same.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for each request; None for the client's.

        Returns:
            One ``Embedding`` per text, in input order.

        Raises:
            ConfigurationError: A text is blank, or an argument is wrong; nothing was sent.
            ClovaStudioError: The first error, with the vectors that succeeded on ``partial``.
        """
        from clova_studio._concurrency import run_threads
        from clova_studio._resources._embed_many import EmbedBatch

        with EmbedBatch(
            texts,
            model=model,
            max_concurrency=max_concurrency,
            show_progress=show_progress,
            on_error=on_error,
            on_too_long=on_too_long,
            on_blank=on_blank,
            max_wait=max_wait,
            timeout=timeout,
            limits=self._limits,
        ) as batch:
            return run_threads(batch.queue, lambda text: self._send(batch.call(text), **batch.options))

    def count_embedding_tokens(self, text: str, *, request_id: str | None = None, timeout: Any = None) -> TokenCount:
        """Return the token count of an embedding v2 text.

        Source: the embedding v2 token calculator page of the API guide.

        Args:
            text: 1 to 10,000 characters, not blank. The embedding itself takes up to 8,192 tokens.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The count as ``total``.

        Raises:
            ConfigurationError: The text is blank or too long; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(_requests.text.count_embedding_tokens(text, request_id=request_id, timeout=timeout))

    def segment(
        self,
        text: str,
        *,
        alpha: float = -100.0,
        seg_cnt: int = -1,
        post_process: bool = False,
        post_process_max_size: int = 1_000,
        post_process_min_size: int = 300,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> Segmentation:
        """Return a text in topic paragraphs. Source: the segmentation page of the API guide.

        Args:
            text: 1 to 120,000 characters, not blank.
            alpha: Threshold from -1.5 to 1.5; a larger one gives more paragraphs. -100 lets the model choose (the
                service's own default is 0).
            seg_cnt: Wanted number of paragraphs from 1; -1 is automatic.
            post_process: Whether to merge and split the paragraphs towards the two sizes.
            post_process_max_size: Characters of a paragraph from 1; a soft bound, since sentences are never cut.
            post_process_min_size: Characters of a paragraph from 0 to ``post_process_max_size``; -1 is automatic.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The paragraphs as lists of sentences. ``align_segments`` finds their spans in the source.

        Raises:
            ConfigurationError: An argument is out of its range; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(
            _requests.text.segment(
                text,
                alpha=alpha,
                seg_cnt=seg_cnt,
                post_process=post_process,
                post_process_max_size=post_process_max_size,
                post_process_min_size=post_process_min_size,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def summarize(
        self,
        texts: Iterable[str] | str,
        *,
        auto_sentence_splitter: bool = True,
        seg_count: int = -1,
        seg_max_size: int = 1_000,
        seg_min_size: int = 300,
        include_ai_filters: bool = False,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> Summary:
        """Return one summary of one or several texts. Source: the summarization page of the API guide.

        Args:
            texts: One text or several, none blank, up to 35,000 characters together.
            auto_sentence_splitter: Whether to split the texts into paragraphs first, by the three ``seg_*`` arguments.
            seg_count: Wanted number of paragraphs from 1; -1 is automatic.
            seg_max_size: Characters of a paragraph, 1 to 3,000.
            seg_min_size: Characters of a paragraph, 0 to ``seg_max_size``.
            include_ai_filters: Whether to run the AI filter.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The summary, mostly lines that start with ``- ``.

        Raises:
            ConfigurationError: A text is blank, they are too long, or an argument is out of range; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        return self._send(
            _requests.text.summarize(
                texts,
                auto_sentence_splitter=auto_sentence_splitter,
                seg_count=seg_count,
                seg_max_size=seg_max_size,
                seg_min_size=seg_min_size,
                include_ai_filters=include_ai_filters,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def slide(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-003",
        max_tokens: int,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> list[Message]:
        """Return a chat without its oldest turns, so that it fits. Source: the sliding window page of the API guide.

        Args:
            messages: The conversation; system, user and assistant messages with text.
            model: The v1 model of the chat that follows (HCX-003, HCX-DASH-001).
            max_tokens: The output cap of that chat, 1 to 4,096; input and cap together may have 4,096 tokens.
            request_id: Your id for this request, printable ASCII; None makes a fresh UUID.
            timeout: Seconds, ``Timeouts`` or an httpx timeout for this call; None for the client's.

        Returns:
            The messages that are left, in order. The oldest turns after the system message are dropped first.

        Raises:
            ConfigurationError: An argument breaks a rule of the API, or the model is one of v3; nothing was sent.
            APIStatusError: The service refused the request; see the subclasses.
            APIConnectionError: No complete answer arrived.
        """
        call = _requests.text.slide(
            messages, model=model, max_tokens=max_tokens, request_id=request_id, timeout=timeout
        )
        return self._send(call).messages


class AsyncTextResource(AsyncSender):
    """Async variant of ``TextResource``."""

    async def embed(
        self, text: str, *, model: str = "bge-m3", request_id: str | None = None, timeout: Any = None
    ) -> Embedding:
        """Async variant of ``embed``."""
        return await self._send(_requests.text.embed(text, model=model, request_id=request_id, timeout=timeout))

    async def embed_many(
        self,
        texts: Iterable[str],
        *,
        model: str = "bge-m3",
        max_concurrency: int = 32,
        show_progress: bool = False,
        on_error: Literal["raise", "return"] = "raise",
        on_too_long: Literal["error", "truncate"] = "error",
        on_blank: Literal["error", "placeholder"] = "error",
        max_wait: float | None = None,
        timeout: Any = None,
    ) -> list[Embedding]:
        """Async variant of ``embed_many``."""
        from clova_studio._concurrency import run_tasks
        from clova_studio._resources._embed_many import EmbedBatch

        with EmbedBatch(
            texts,
            model=model,
            max_concurrency=max_concurrency,
            show_progress=show_progress,
            on_error=on_error,
            on_too_long=on_too_long,
            on_blank=on_blank,
            max_wait=max_wait,
            timeout=timeout,
            limits=self._limits,
        ) as batch:
            return await run_tasks(batch.queue, lambda text: self._send(batch.call(text), **batch.options))

    async def count_embedding_tokens(
        self, text: str, *, request_id: str | None = None, timeout: Any = None
    ) -> TokenCount:
        """Async variant of ``count_embedding_tokens``."""
        return await self._send(_requests.text.count_embedding_tokens(text, request_id=request_id, timeout=timeout))

    async def segment(
        self,
        text: str,
        *,
        alpha: float = -100.0,
        seg_cnt: int = -1,
        post_process: bool = False,
        post_process_max_size: int = 1_000,
        post_process_min_size: int = 300,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> Segmentation:
        """Async variant of ``segment``."""
        return await self._send(
            _requests.text.segment(
                text,
                alpha=alpha,
                seg_cnt=seg_cnt,
                post_process=post_process,
                post_process_max_size=post_process_max_size,
                post_process_min_size=post_process_min_size,
                request_id=request_id,
                timeout=timeout,
            )
        )

    async def summarize(
        self,
        texts: Iterable[str] | str,
        *,
        auto_sentence_splitter: bool = True,
        seg_count: int = -1,
        seg_max_size: int = 1_000,
        seg_min_size: int = 300,
        include_ai_filters: bool = False,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> Summary:
        """Async variant of ``summarize``."""
        return await self._send(
            _requests.text.summarize(
                texts,
                auto_sentence_splitter=auto_sentence_splitter,
                seg_count=seg_count,
                seg_max_size=seg_max_size,
                seg_min_size=seg_min_size,
                include_ai_filters=include_ai_filters,
                request_id=request_id,
                timeout=timeout,
            )
        )

    async def slide(
        self,
        messages: Sequence[Any],
        *,
        model: str = "HCX-003",
        max_tokens: int,
        request_id: str | None = None,
        timeout: Any = None,
    ) -> list[Message]:
        """Async variant of ``slide``."""
        call = _requests.text.slide(
            messages, model=model, max_tokens=max_tokens, request_id=request_id, timeout=timeout
        )
        return (await self._send(call)).messages
