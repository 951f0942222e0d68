"""A text splitter that cuts at changes of topic, by the segmentation API of CLOVA Studio."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_text_splitters.base import TextSplitter

from clova_studio.adapters import SETTING_NAMES, Connection, asegment_texts, check_texts, in_thread, segment_texts
from langchain_clova._errors import ClovaConfigurationError, langchain_errors
from langchain_clova._fields import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clova_studio.adapters import TopicSpan

__all__ = ["ClovaSegmentationTextSplitter"]

_NAMES = (*SETTING_NAMES, "client", "async_client")
_HINTS = {
    "chunk_size": "use max_chunk_size (a hard limit) or post_process_max_size (a soft one)",
    "chunk_overlap": "topic paragraphs do not overlap",
    "length_function": "sizes are counted in characters",
    "keep_separator": "white space between paragraphs is never part of them",
    "strip_whitespace": "paragraphs have no white space at their ends",
}


class ClovaSegmentationTextSplitter(TextSplitter):
    """Splits a text where its topic changes. Source: the segmentation page of the API guide.

        >>> from langchain_clova import ClovaSegmentationTextSplitter
        >>> splitter = ClovaSegmentationTextSplitter(add_start_index=True)  # doctest: +SKIP
        >>> splitter.create_documents(["..."])[0].metadata  # doctest: +SKIP
        {'topic_index': 0, 'start_index': 0}

    Every chunk is exactly ``source[start:end]``, and only white space between chunks is lost. A text over 120,000
    characters is sent in windows that end at paragraph borders, each segmented on its own.

    The first request that fails ends the call. The error's ``partial`` has one list per text: the spans of its chunks
    in order (``clova_studio.adapters.TopicSpan``), the error at the index of a window that failed, and None for a
    window that was not sent.

    Args:
        alpha: Threshold from -1.5 to 1.5; a larger one gives more paragraphs. -100 lets the model choose.
        seg_cnt: Wanted number of paragraphs per window from 1; -1 is automatic.
        post_process: Whether the service merges and splits paragraphs afterwards to fit the two sizes.
        post_process_min_size: Characters of a paragraph from 0 to ``post_process_max_size``; -1 is automatic.
        post_process_max_size: Characters of a paragraph from 1, a soft bound: the service never cuts a sentence.
        max_chunk_size: Maximum characters of a chunk, from 1: a hard limit, which the API does not have. Longer text is
            cut at sentence borders, else at white space, else anywhere; the pieces keep their ``topic_index``.
        add_start_index: Whether each chunk's metadata has ``start_index``, its start in the source in characters.
        max_concurrency: Maximum requests in flight for the texts and windows of a call, from 1.
        **connection: ``client``, ``async_client``, or the client's settings by name: ``api_key``, ``base_url``,
            ``region``, ``path_prefix``, ``apigw_api_key``, ``timeout``, ``max_retries``, ``retry``, ``rate_limits``,
            ``max_wait``, ``quota_group``, ``headers``, ``http_client``, ``http_async_client``.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key. Errors of calls are those of
            ``clova_studio`` and, at the same time, of langchain-core's ``ModelError`` family.
    """

    def __init__(
        self,
        *,
        alpha: float = -100.0,
        seg_cnt: int = -1,
        post_process: bool = False,
        post_process_min_size: int = 300,
        post_process_max_size: int = 1_000,
        max_chunk_size: int | None = None,
        add_start_index: bool = False,
        max_concurrency: int = 8,
        **connection: Any,
    ) -> None:
        for name, hint in _HINTS.items():
            if name in connection:
                raise ClovaConfigurationError(f"{type(self).__name__} has no argument {name!r}: {hint}")
        refuse_unknown(connection, (*_NAMES, *_OPTION_NAMES), type(self).__name__)
        for name, value in (("max_chunk_size", max_chunk_size), ("max_concurrency", max_concurrency)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ClovaConfigurationError(f"{name} must be a whole number from 1, got {value!r}")
        # The base class's overlap would make the start indices wrong, and its size has no effect here.
        super().__init__(chunk_size=max_chunk_size or 120_000, chunk_overlap=0, add_start_index=add_start_index)
        self._work: dict[str, Any] = {
            "max_chunk_size": max_chunk_size,
            "max_concurrency": max_concurrency,
            "alpha": alpha,
            "seg_cnt": seg_cnt,
            "post_process": post_process,
            "post_process_min_size": post_process_min_size,
            "post_process_max_size": post_process_max_size,
        }
        with langchain_errors:
            self._connection = Connection.of(**connection)

    def split_text(self, text: str) -> list[str]:
        """Return the topic paragraphs of a text.

        Args:
            text: Any text; a blank one gives no chunk and costs no request.

        Returns:
            The chunks in order, each a slice of the text.

        Raises:
            ClovaStudioError: A request failed.
        """
        return [text[piece.start : piece.end] for piece in self._split([text])[0]]

    async def asplit_text(self, text: str) -> list[str]:
        """Async variant of ``split_text``."""
        return [text[piece.start : piece.end] for piece in (await self._asplit([text]))[0]]

    def create_documents(
        self, texts: Iterable[str], metadatas: Iterable[dict[Any, Any]] | None = None
    ) -> list[Document]:
        """Return the topic paragraphs of texts as documents.

        Args:
            texts: The texts, in a list or any other iterable with an order.
            metadatas: One mapping per text, copied into each of its documents.

        Returns:
            The chunks of all texts in order. Their metadata has ``topic_index``, the index of the topic in its text
            from 0, and with ``add_start_index`` also ``start_index``.

        Raises:
            ClovaStudioError: A request failed.
        """
        given = self._given(texts)
        return self._documents(given, metadatas, self._split(given))

    async def acreate_documents(
        self, texts: Iterable[str], metadatas: Iterable[dict[Any, Any]] | None = None
    ) -> list[Document]:
        """Async variant of ``create_documents``."""
        given = self._given(texts)
        return self._documents(given, metadatas, await self._asplit(given))

    async def asplit_documents(self, documents: Iterable[Document]) -> list[Document]:
        """Return the topic paragraphs of documents as new documents.

        Args:
            documents: The documents; they are not changed.

        Returns:
            As in ``create_documents``, with the documents' metadata.

        Raises:
            ClovaStudioError: A request failed.
        """
        given = list(documents)
        return await self.acreate_documents(
            [document.page_content for document in given], [document.metadata for document in given]
        )

    async def atransform_documents(
        self,
        documents: Sequence[Document],
        **kwargs: Any,  # noqa: ARG002  the base class's signature; it ignores them too
    ) -> Sequence[Document]:
        """Return the topic paragraphs of documents; the same as ``asplit_documents``.

        Args:
            documents: The documents; they are not changed.
            **kwargs: Not used.

        Raises:
            ClovaStudioError: A request failed.
        """
        return await self.asplit_documents(documents)

    @staticmethod
    def _given(texts: Iterable[str]) -> list[str]:
        with langchain_errors:
            return check_texts("texts", texts)

    def _split(self, texts: Sequence[str]) -> list[list[TopicSpan]]:
        with langchain_errors:
            return segment_texts(self._connection.sync, texts, **self._work)

    async def _asplit(self, texts: Sequence[str]) -> list[list[TopicSpan]]:
        with langchain_errors:
            client = self._connection.asynchronous
            if client is None:
                return await in_thread(self._split, texts)
            return await asegment_texts(client, texts, **self._work)

    def _documents(
        self,
        texts: Sequence[str],
        metadatas: Iterable[dict[Any, Any]] | None,
        pieces: Sequence[Sequence[TopicSpan]],
    ) -> list[Document]:
        documents = []
        metadatas = None if metadatas is None else list(metadatas)
        for i, text in enumerate(texts):
            for piece in pieces[i]:
                metadata = copy.deepcopy(metadatas[i]) if metadatas else {}
                metadata["topic_index"] = piece.topic
                if self._add_start_index:
                    metadata["start_index"] = piece.start
                documents.append(Document(page_content=text[piece.start : piece.end], metadata=metadata))
        return documents


# Suggested when an argument is misspelt.
_OPTION_NAMES = tuple(ClovaSegmentationTextSplitter.__init__.__kwdefaults__ or ())
