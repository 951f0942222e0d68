"""Embeddings of CLOVA Studio for LlamaIndex: many texts concurrently, in order, bounded, within the quota."""

from __future__ import annotations

import uuid
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from pydantic import AliasChoices, Field, PrivateAttr

from clova_studio import ClovaStudioError, ContextLengthError
from clova_studio.adapters import (
    WorkQueue,
    aembed_texts,
    check_counted_model,
    embeddable,
    in_thread,
    run_tasks,
    run_threads,
)
from llama_index_clova._batches import Lookup, Semaphores, TextBatches
from llama_index_clova._decorators import dispatcher
from llama_index_clova._fields import ConnectionFields

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractAsyncContextManager

__all__ = ["ClovaEmbedding"]

_COLLECTION = "embeddings"
# The queue of the batches of a task. The base class's hooks, which subclasses override, take no argument for it.
_batches: ContextVar[WorkQueue[Any, Any] | None] = ContextVar("clova_batches", default=None)


class ClovaEmbedding(BaseEmbedding, ConnectionFields):
    """Embeddings of CLOVA Studio. Source: the embedding and embedding v2 pages of the API guide.

        >>> from llama_index_clova import ClovaEmbedding
        >>> embed_model = ClovaEmbedding()  # doctest: +SKIP
        >>> len(embed_model.get_query_embedding("대한민국의 수도는?"))  # doctest: +SKIP
        1024

    The API takes one text per request. Up to ``max_concurrency`` requests are in flight at once, and batches wait while
    the quota is full. Vectors are lists of 1,024 floats, not of unit length.

    Blank texts are refused by their index before anything is sent, unless ``on_blank`` says otherwise. When a text of
    a list fails, no further batch is started. The error's ``partial`` has one entry per text of the list: an
    ``Embedding``, the error of the text, or None if it has neither.

    With ``embeddings_cache``, what succeeded before a failure is stored, and long batches are stored part by part, so
    that the next run embeds only what is missing. A killed process loses the part of each batch that is in flight:
    ``max_concurrency`` texts with a slow service or a full quota, up to 8 times as many while parts take less than a
    second. LlamaIndex's ``SimpleKVStore`` is only in memory; use a store that writes at once to survive a kill. Caches
    use the text alone as the key: give each model its own cache, or vectors of different models get mixed.

    Attributes:
        model_name: ``bge-m3`` (v2, up to 8,192 tokens per text), or ``clir-emb-dolphin`` or ``clir-sts-dolphin`` (v1,
            500 tokens). Vectors of different models cannot be compared. Also ``model``.
        max_concurrency: Maximum number of requests in flight, from 1: of this instance in one event loop, over all
            batches and queries, and of each synchronous call.
        on_too_long: ``"truncate"`` shortens a text that the service finds too long until it fits.
        on_blank: ``"placeholder"`` embeds ``"."`` in place of each blank text, for indices and splitters that need a
            vector for every text. A blank query is always an error.
        embed_batch_size: Texts per batch, 1 to 2,048: a batch is one event, one call of ``rate_limiter`` and one step
            of the progress bar, not one request, which always has one text. The default is 1,024 and not LlamaIndex's
            10: a batch ends with its slowest request, so small batches leave most of ``max_concurrency`` unused.
        num_workers: Maximum number of batches in flight in asynchronous calls, from 1; None for as many as
            ``max_concurrency`` can use.
        embeddings_cache: A key-value store of LlamaIndex; not part of dumps.
        rate_limiter: A rate limiter of LlamaIndex, called once per batch or single text, whatever the number of
            requests. The client's ``rate_limits`` counts requests and tokens; it adapts to the quota without either.
        callback_manager: Callbacks; each batch is one event.

    Raises:
        ConfigurationError: An argument does not exist, or there is no key. Values out of range are pydantic's
            ``ValidationError``. Errors of calls are those of ``clova_studio``.

    See ``ConnectionFields`` for how to reach the service.
    """

    model_name: str = Field(default="bge-m3", validation_alias=AliasChoices("model_name", "model"), min_length=1)
    max_concurrency: int = Field(default=32, ge=1)
    on_too_long: Literal["error", "truncate"] = "error"
    on_blank: Literal["error", "placeholder"] = "error"
    embed_batch_size: int = Field(default=1_024, ge=1, le=2_048)
    num_workers: int | None = Field(default=None, ge=1)
    # A store cannot be written as JSON.
    embeddings_cache: Any | None = Field(default=None, exclude=True, repr=False)

    _semaphores: Semaphores = PrivateAttr(default_factory=Semaphores)

    @classmethod
    def class_name(cls) -> str:
        """Return the class name that dumps use."""
        return "ClovaEmbedding"

    if TYPE_CHECKING:  # type checkers do not know of the other names of a field
        model: str = ""
    else:

        @property
        def model(self) -> str:
            """The model, under the name that it has in the rest of this package."""
            return self.model_name

    def get_text_embedding_batch(
        self,
        texts: Iterable[str],
        show_progress: bool = False,  # noqa: FBT001, FBT002  the base class's argument
        **kwargs: Any,  # noqa: ARG002  see below
    ) -> list[list[float]]:
        """Return the vectors of texts in input order.

        Args:
            texts: The texts, in a list or any other iterable with an order: a tuple, a generator, an array, a column.
                Blank texts and values that are not text are refused by index before anything is sent.
            show_progress: Whether to draw a progress bar.
            **kwargs: Ignored: a pipeline passes its arguments to every transformation.

        Returns:
            One list of 1,024 floats per text. An empty list gives an empty list, without a request.

        Raises:
            ConfigurationError: A text is blank; nothing was sent.
            ClovaStudioError: The first error, with what succeeded on ``partial``.
        """
        run = self._batched(texts, show_progress=show_progress)

        def embed(indices: range) -> None:
            with run.batch(indices) as batch, self._events(batch) as vectors:
                if self.rate_limiter is not None:
                    self.rate_limiter.acquire()
                if self.embeddings_cache is None:
                    vectors.extend(self._get_text_embeddings(batch))
                else:
                    vectors.extend(self._get_text_embeddings_cached(batch))
                run.done(indices, vectors)

        with run:
            # Patience 0 here and below: texts are requeued in the queue of their batch.
            run_threads(WorkQueue(run.batches, max_concurrency=1, patience=0), embed)
        return run.vectors()

    async def aget_text_embedding_batch(
        self,
        texts: Iterable[str],
        show_progress: bool = False,  # noqa: FBT001, FBT002  the base class's argument
        **kwargs: Any,  # noqa: ARG002  see below
    ) -> list[list[float]]:
        """Async variant of ``get_text_embedding_batch``."""
        # The base class starts all batches at once, continues them after a failure, and leaves their events open.
        run = self._batched(texts, show_progress=show_progress)
        # Enough batches that there are texts for new requests while the last requests of a batch finish.
        useful = 1 + 2 * self.max_concurrency // self.embed_batch_size
        workers = min(useful, self.num_workers or useful)
        queue: WorkQueue[range, None] = WorkQueue(run.batches, max_concurrency=workers, patience=0)

        async def embed(indices: range) -> None:
            _batches.set(queue)
            with run.batch(indices) as batch, self._events(batch) as vectors:
                if self.embeddings_cache is None:
                    vectors.extend(await self._aget_text_embeddings_rate_limited(batch))
                else:
                    vectors.extend(await self._aget_text_embeddings_cached(batch))
                run.done(indices, vectors)

        with run:
            # A batch that ends with the queue has 0.8 seconds of its own, and then reports what has succeeded.
            await run_tasks(queue, embed, grace=0.9)
        return run.vectors()

    def count_tokens(self, text: str) -> int:
        """Return the service's own token count. Source: the embedding v2 token calculator page of the API guide.

        Args:
            text: 1 to 10,000 characters, not blank. The embedding itself takes up to 8,192 tokens.

        Raises:
            ConfigurationError: The text is blank or too long, or the model is one of v1, which has no calculator;
                nothing was sent.
            ClovaStudioError: The request failed.
        """
        check_counted_model(self.model_name)
        return self._connection.sync.count_embedding_tokens(text).total

    async def acount_tokens(self, text: str) -> int:
        """Async variant of ``count_tokens``."""
        client = self._connection.asynchronous
        if client is None:
            return await in_thread(self.count_tokens, text)
        check_counted_model(self.model_name)
        return (await client.count_embedding_tokens(text)).total

    def _batched(self, texts: Iterable[str], *, show_progress: bool) -> TextBatches:
        return TextBatches(texts, self.embed_batch_size, show_progress=show_progress, on_blank=self.on_blank)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embed(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await self._aembed(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embed(embeddable("text", text, self.on_blank))

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await self._aembed(embeddable("text", text, self.on_blank))

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        found = self._connection.sync.embed_many(
            texts,
            model=self.model_name,
            max_concurrency=self.max_concurrency,
            on_too_long=self.on_too_long,
            on_blank=self.on_blank,
        )
        return [embedding.embedding for embedding in found]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        # Each request needs its own permit, so that the bound holds for all calls of this instance in this loop, and a
        # query does not wait for a whole batch.
        async with self._turn():
            found = await aembed_texts(
                self._connection.asynchronous or self._connection.sync,
                texts,
                model=self.model_name,
                max_concurrency=self.max_concurrency,
                on_too_long=self.on_too_long,
                on_blank=self.on_blank,
                permits=self._requests(),
                parent=_batches.get(),
            )
        return [embedding.embedding for embedding in found]

    def _get_text_embeddings_cached(self, texts: list[str]) -> list[list[float]]:
        cache = self._cache()
        lookup = Lookup(texts)
        for text in lookup.texts:
            lookup.take(text, _vector_of(cache.get(key=text, collection=_COLLECTION)))
        for part in lookup.parts(self.max_concurrency):
            try:
                fresh = list(zip(part, self._get_text_embeddings(part), strict=True))
            except ClovaStudioError as error:
                for text, vector in lookup.failed(part, error):
                    cache.put(key=text, val=_entry(vector), collection=_COLLECTION)
                raise
            for text, vector in fresh:
                lookup.take(text, vector)
                cache.put(key=text, val=_entry(vector), collection=_COLLECTION)
        return lookup.vectors

    async def _aget_text_embeddings_cached(self, texts: list[str]) -> list[list[float]]:
        cache = self._cache()
        lookup = Lookup(texts)
        for text in lookup.texts:
            lookup.take(text, _vector_of(await cache.aget(key=text, collection=_COLLECTION)))
        if not lookup.complete and self.rate_limiter is not None:
            # The base class calls it on every path except this one.
            await self.rate_limiter.async_acquire()
        for part in lookup.parts(self.max_concurrency):
            try:
                fresh = list(zip(part, await self._aget_text_embeddings(part), strict=True))
            except ClovaStudioError as error:
                for text, vector in lookup.failed(part, error):
                    await cache.aput(key=text, val=_entry(vector), collection=_COLLECTION)
                raise
            for text, vector in fresh:
                lookup.take(text, vector)
                await cache.aput(key=text, val=_entry(vector), collection=_COLLECTION)
        return lookup.vectors

    def _embed(self, text: str) -> list[float]:
        client = self._connection.sync
        try:
            return client.embed(text, model=self.model_name).embedding
        except ContextLengthError:
            if self.on_too_long == "error":
                raise
        return client.embed_many([text], **self._truncating())[0].embedding

    async def _aembed(self, text: str) -> list[float]:
        async with self._requests():
            client = self._connection.asynchronous
            if client is None:
                return await in_thread(self._embed, text)
            try:
                return (await client.embed(text, model=self.model_name)).embedding
            except ContextLengthError:
                if self.on_too_long == "error":
                    raise
            return (await client.embed_many([text], **self._truncating()))[0].embedding

    def _truncating(self) -> dict[str, Any]:
        return {"model": self.model_name, "on_too_long": "truncate", "max_wait": self.max_wait}

    def _requests(self) -> asyncio.Semaphore:
        return self._semaphores.of("requests", self.max_concurrency)

    def _turn(self) -> AbstractAsyncContextManager[Any]:
        # Bounded here too: the base class's own bound works only from 2, and does not cover direct calls of the hooks.
        return nullcontext() if self.num_workers is None else self._semaphores.of("batches", self.num_workers)

    def _cache(self) -> Any:
        if self.embeddings_cache is None:
            raise ValueError("embeddings_cache must be defined")  # the base class's message
        return self.embeddings_cache

    @contextmanager
    def _events(self, texts: list[str]) -> Iterator[list[list[float]]]:
        """Report a batch to callbacks and instrumentation; its vectors go into the list that this yields."""
        about = self.to_payload()
        vectors: list[list[float]] = []
        dispatcher.event(EmbeddingStartEvent(model_dict=about))
        with self.callback_manager.event(CBEventType.EMBEDDING, payload={EventPayload.SERIALIZED: about}) as event:
            yield vectors
            event.on_end(payload={EventPayload.CHUNKS: texts, EventPayload.EMBEDDINGS: vectors})
        dispatcher.event(EmbeddingEndEvent(chunks=texts, embeddings=vectors))


def _vector_of(entry: Any) -> list[float] | None:
    # The base class's format: a dict with one vector under a random name.
    return None if entry is None else next(iter(entry.values()))


def _entry(vector: list[float]) -> dict[str, Any]:
    return {str(uuid.uuid4()): vector}
