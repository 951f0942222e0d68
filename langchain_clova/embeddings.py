"""Embeddings of CLOVA Studio for LangChain: many texts concurrently, in order, within the quota."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.embeddings import Embeddings
from pydantic import AliasChoices, Field

from clova_studio.adapters import check_counted_model, check_text, in_thread, listed
from langchain_clova._errors import langchain_errors, translated
from langchain_clova._fields import ConnectionFields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from dataclasses import InitVar

    from clova_studio import ClovaStudioError, Embedding

__all__ = ["ClovaEmbeddings", "ClovaXEmbeddings"]

_ONE = ": for one text use embed_query"


class ClovaEmbeddings(ConnectionFields, Embeddings):
    """Embeddings of CLOVA Studio. Source: the embedding and embedding v2 pages of the API guide.

        >>> from langchain_clova import ClovaEmbeddings
        >>> embeddings = ClovaEmbeddings()  # doctest: +SKIP
        >>> len(embeddings.embed_query("대한민국의 수도는?"))  # doctest: +SKIP
        1024

    The API takes one text per request. Up to ``max_concurrency`` requests are in flight at once, and batches wait while
    the quota is full. Vectors are lists of 1,024 floats, not of unit length.

    LangChain's ``CacheBackedEmbeddings`` stores vectors after each of its batches, by default after all texts. Give it
    a ``batch_size=``, since a batch that fails or is killed is embedded again as a whole (the vectors of a failed one
    are on ``partial``); several times ``max_concurrency`` keeps enough requests in flight. It cannot store errors, so
    use ``on_error="return"`` only without it.

    Attributes:
        model: ``bge-m3`` (v2, up to 8,192 tokens per text), or ``clir-emb-dolphin`` or ``clir-sts-dolphin`` (v1, 500
            tokens). Vectors of different models cannot be compared.
        max_concurrency: Maximum number of requests in flight, from 1.
        show_progress_bar: Whether to draw a progress bar for several texts (needs ``tqdm``).
        on_error: ``"raise"`` stops at the first error, with the vectors that succeeded on its ``partial``;
            ``"return"`` goes on and puts each error at its text's index.
        on_too_long: ``"truncate"`` shortens a text that the service finds too long until it fits.
        on_blank: ``"placeholder"`` embeds ``"."`` in place of each blank text of ``embed_documents``, for callers that
            need a vector for every text: LangGraph's stores, vector stores, splitters. By default a blank text is an
            error, or with ``on_error="return"`` has one in its place. A blank query is always an error.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key. Errors of calls are those of
            ``clova_studio`` and, at the same time, of langchain-core's ``ModelError`` family.
    """

    model: str = Field(default="bge-m3", validation_alias=AliasChoices("model", "model_name"), min_length=1)
    if TYPE_CHECKING:  # type checkers do not know of the other names of a field
        model_name: InitVar[str] = ""
    max_concurrency: int = Field(default=32, ge=1)
    show_progress_bar: bool = False
    on_error: Literal["raise", "return"] = "raise"
    on_too_long: Literal["error", "truncate"] = "error"
    on_blank: Literal["error", "placeholder"] = "error"

    def embed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        """Return the vectors of texts in input order.

        Args:
            texts: The texts, in a list or any other iterable with an order: a tuple, a generator, an array, a column.
                Blank texts and values that are not text are refused by index before anything is sent.

        Returns:
            One list of 1,024 floats per text. An empty list gives an empty list, without a request. With
            ``on_error="return"`` an error is in place of the vector of a text that failed or is blank.

        Raises:
            ConfigurationError: A text is blank; nothing was sent.
            ClovaStudioError: The first error, with the vectors that succeeded on ``partial``.
        """
        with langchain_errors:
            given = listed("texts", texts, "strings", _ONE)
            return _vectors(self._connection.sync.embed_many(given, **self._batch_options())) if given else []

    async def aembed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        """Async variant of ``embed_documents``."""
        with langchain_errors:
            given = listed("texts", texts, "strings", _ONE)
            if not given:
                return []
            client = self._connection.asynchronous
            if client is None:
                return await in_thread(self.embed_documents, given)
            return _vectors(await client.embed_many(given, **self._batch_options()))

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a text.

        Args:
            text: The text, not blank.

        Returns:
            1,024 floats, not of unit length.

        Raises:
            ConfigurationError: The text is blank; nothing was sent.
            ClovaStudioError: The request failed.
        """
        if self.on_too_long == "truncate":
            return self._only(self.embed_documents([self._query(text)]))
        with langchain_errors:
            return self._connection.sync.embed(text, model=self.model).embedding

    async def aembed_query(self, text: str) -> list[float]:
        """Async variant of ``embed_query``."""
        if self.on_too_long == "truncate":
            return self._only(await self.aembed_documents([self._query(text)]))
        with langchain_errors:
            client = self._connection.asynchronous
            if client is None:
                return await in_thread(self.embed_query, text)
            return (await client.embed(text, model=self.model)).embedding

    def count_tokens(self, text: str) -> int:
        """Return the service's own token count. Source: the embedding v2 token calculator page of the API guide.

        Args:
            text: 1 to 10,000 characters, not blank. The embedding itself takes up to 8,192 tokens.

        Raises:
            ConfigurationError: The text is blank or too long, or the model is one of v1, which has no calculator;
                nothing was sent.
            ClovaStudioError: The request failed.
        """
        with langchain_errors:
            check_counted_model(self.model)
            return self._connection.sync.count_embedding_tokens(text).total

    async def acount_tokens(self, text: str) -> int:
        """Async variant of ``count_tokens``."""
        with langchain_errors:
            client = self._connection.asynchronous
            if client is None:
                return await in_thread(self.count_tokens, text)
            check_counted_model(self.model)
            return (await client.count_embedding_tokens(text)).total

    def _batch_options(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "max_concurrency": self.max_concurrency,
            "show_progress": self.show_progress_bar,
            "on_error": self.on_error,
            "on_too_long": self.on_too_long,
            "on_blank": self.on_blank,
        }

    @staticmethod
    def _query(query: str) -> str:
        # A placeholder is for texts: as a query it would find anything.
        with langchain_errors:
            return check_text("text", query)

    @staticmethod
    def _only(vectors: Sequence[list[float] | Exception]) -> list[float]:
        vector = vectors[0]
        if isinstance(vector, Exception):  # with one text there is nothing else to return
            raise vector
        return vector


class ClovaXEmbeddings(ClovaEmbeddings):
    """``ClovaEmbeddings`` under langchain-naver's name and with its default model, ``clir-emb-dolphin``.

    Source: the embedding page of the API guide. The other arguments are those of ``ClovaEmbeddings``.

    Both models give 1,024 numbers, so an index made with one and searched with the other would silently give wrong
    results. A program that comes from langchain-naver keeps its model by keeping this name.
    """

    model: str = Field(default="clir-emb-dolphin", validation_alias=AliasChoices("model", "model_name"), min_length=1)


def _vectors(results: Sequence[Embedding | ClovaStudioError]) -> list[list[float]]:
    # Errors are among the results only with on_error="return"; the declared type leaves them out, as in the client.
    return cast(
        "list[list[float]]",
        [translated(result) if isinstance(result, Exception) else result.embedding for result in results],
    )
