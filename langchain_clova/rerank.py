"""The reranker of CLOVA Studio: the documents that answer a query, and the answer from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.messages.ai import UsageMetadata
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.runnables.config import ensure_config, patch_config
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from clova_studio.adapters import RerankRequest, WarnOnce, in_thread
from langchain_clova._answers import usage_of
from langchain_clova._citations import ClovaCitation
from langchain_clova._errors import ClovaConfigurationError, langchain_errors
from langchain_clova._fields import ConnectionFields, refuse_unknown

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
        Callbacks,
    )
    from langchain_core.runnables import RunnableConfig

    from clova_studio import RerankResult

__all__ = ["ClovaRerankResult", "ClovaRerankRetriever", "ClovaReranker"]


class ClovaRerankResult(BaseModel):
    """The reranker's result for a query and its documents.

    Attributes:
        documents: What ``compress_documents`` returns.
        answer: The answer that was written from the documents, without citation tags; ``""`` without documents.
        raw: The answer as received, with ``<doc1>...</doc1>`` around what cites the first document sent, and so on.
        citations: The cited passages of the answer with the given documents, not the copies.
        suggested_queries: Other queries to try if the documents do not answer this one.
        usage: Tokens; None if nothing was sent.
        request_id: The id of the request; None if nothing was sent.
        hint: What may have kept documents from being cited, such as their being short; None if there is nothing to say.
    """

    documents: list[Document]
    answer: str = ""
    raw: str = ""
    citations: list[ClovaCitation] = Field(default_factory=list)
    suggested_queries: list[str] = Field(default_factory=list)
    usage: UsageMetadata | None = None
    request_id: str | None = None
    hint: str | None = None


class ClovaReranker(BaseDocumentCompressor, ConnectionFields):
    """Keeps the documents that answer a query. Source: the reranker page of the API guide.

        >>> from langchain_clova import ClovaReranker
        >>> reranker = ClovaReranker(top_n=3)  # doctest: +SKIP
        >>> kept = reranker.compress_documents(found, "환불 기한은?")  # doctest: +SKIP
        >>> [document.metadata["rank"] for document in kept]  # doctest: +SKIP
        [1, 2]

    The service cites documents, best first, and returns **no scores**, so none are made up: documents are returned as
    copies with ``metadata["cited"]`` and, if cited, ``metadata["rank"]`` from 1. The service writes an answer in the
    same request: ``rerank()`` and ``arerank()`` return it with its citations or, if there is no answer, with suggested
    queries. Traces and callbacks see that as the output of a run named ``ClovaReranker``.

    **Nothing cited is not nothing found**: by default (``keep_uncited="if_none_cited"``) a chain is then left with the
    given documents, in their order, with ``metadata["cited"]`` False and no rank; if something is cited, only that is
    kept. About one document in four is cited, and documents of one line often are not although they hold the answer: if
    none is cited and some are short, one warning and the result's ``hint`` say so.

    The given documents are not changed. Blank ones are never sent and count as not cited; without other documents no
    request is made.

    Attributes:
        top_n: Maximum number of documents to return, from 1; None for all.
        keep_uncited: Whether documents that were not cited follow the cited ones, in their given order: True for
            always, False for never, ``"if_none_cited"`` for only if no document was cited.
        max_tokens: Output cap of the answer in tokens, 1 to 4,096; service default 1,024. Input may have 128,000.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key. Errors of calls are those of
            ``clova_studio`` and, at the same time, of langchain-core's ``ModelError`` family.

    See ``ConnectionFields`` for how to reach the service.
    """

    top_n: int | None = Field(default=None, ge=1)
    keep_uncited: bool | Literal["if_none_cited"] = "if_none_cited"
    max_tokens: int | None = Field(default=None, ge=1, le=4_096)

    _warn_once: WarnOnce = PrivateAttr(default_factory=WarnOnce)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Return the documents that answer a query.

        Args:
            documents: The documents found; not changed.
            query: The query.
            callbacks: Callbacks of the run.

        Returns:
            Copies of the cited documents in the service's order, then by ``keep_uncited`` the others; at most
            ``top_n``.

        Raises:
            ClovaStudioError: The request failed, or the query is empty.
        """
        return self.rerank(documents, query, callbacks=callbacks).documents

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Async variant of ``compress_documents``."""
        return (await self.arerank(documents, query, callbacks=callbacks)).documents

    def rerank(
        self, documents: Sequence[Document], query: str, *, callbacks: Callbacks | None = None
    ) -> ClovaRerankResult:
        """Return the documents that answer a query, and the answer.

        Args:
            documents: The documents found; not changed.
            query: The query.
            callbacks: Callbacks of the run.

        Raises:
            ClovaStudioError: The request failed, or the query is empty.
        """
        return self._runnable().invoke({"query": query, "documents": list(documents)}, _with(callbacks))

    async def arerank(
        self, documents: Sequence[Document], query: str, *, callbacks: Callbacks | None = None
    ) -> ClovaRerankResult:
        """Async variant of ``rerank``."""
        return await self._runnable().ainvoke({"query": query, "documents": list(documents)}, _with(callbacks))

    def as_runnable(self) -> Runnable[dict[str, Any], list[Document]]:
        """Return a runnable for chains: ``{"query": ..., "documents": ...}`` -> documents, sync and async.

        The input is a dict with exactly these two keys.
        """

        def compress(given: dict[str, Any]) -> list[Document]:
            return self._rerank(given).documents

        async def acompress(given: dict[str, Any]) -> list[Document]:
            return (await self._arerank(given)).documents

        return RunnableLambda(compress, afunc=acompress, name=type(self).__name__)

    def _runnable(self) -> Runnable[dict[str, Any], ClovaRerankResult]:
        return RunnableLambda(self._rerank, afunc=self._arerank, name=type(self).__name__)

    def _rerank(self, given: dict[str, Any]) -> ClovaRerankResult:
        with langchain_errors:
            query, documents, request = _checked(given)
            if not request.documents:
                return self._result(documents, request, None)
            client = self._connection.sync
            return self._result(documents, request, client.rerank(query, request.documents, max_tokens=self.max_tokens))

    async def _arerank(self, given: dict[str, Any]) -> ClovaRerankResult:
        with langchain_errors:
            query, documents, request = _checked(given)
            if not request.documents:
                return self._result(documents, request, None)
            client = self._connection.asynchronous
            if client is None:
                return await in_thread(self._rerank, given)
            return self._result(
                documents, request, await client.rerank(query, request.documents, max_tokens=self.max_tokens)
            )

    def _result(
        self, documents: list[Document], request: RerankRequest, result: RerankResult | None
    ) -> ClovaRerankResult:
        answer = request.answer(result)
        if answer.hint is not None:
            self._warn_once.warn("short documents", answer.hint)
        return ClovaRerankResult(
            documents=answer.kept(
                lambda i, marks: _marked(documents[i], marks), keep_uncited=self.keep_uncited, top_n=self.top_n
            ),
            citations=[ClovaCitation(document=documents[i], **passage) for i, passage in answer.citations()],
            usage=usage_of(answer.usage),
            **answer.fields(),
        )


def _checked(given: Any) -> tuple[str, list[Document], RerankRequest]:
    """Return the query and the documents of an input, and the documents in the form to send."""
    if not isinstance(given, Mapping) or set(given) != {"query", "documents"}:
        raise ClovaConfigurationError("the reranker's input must be a dict with 'query' and 'documents' only")
    query = given["query"]
    if not isinstance(query, str):
        raise ClovaConfigurationError(f"query must be a string, got {type(query).__name__}")
    documents = list(given["documents"])
    for i, document in enumerate(documents):
        if not isinstance(document, Document):
            raise ClovaConfigurationError(f"documents[{i}] must be a Document, got {type(document).__name__}")
    return query, documents, RerankRequest([document.page_content for document in documents])


def _marked(document: Document, marks: dict[str, Any]) -> Document:
    copied = document.model_copy(deep=True)
    # The rank of an earlier reranker no longer holds.
    copied.metadata.pop("rank", None)
    copied.metadata.update(marks)
    return copied


def _with(callbacks: Callbacks | None) -> RunnableConfig:
    # Without callbacks the run is a child of the current one, as for every runnable.
    return {} if callbacks is None else {"callbacks": callbacks}


class ClovaRerankRetriever(BaseRetriever):
    """Reranks what another retriever finds. Source: the reranker page of the API guide.

        >>> from langchain_clova import ClovaReranker, ClovaRerankRetriever
        >>> retriever = ClovaRerankRetriever(  # doctest: +SKIP
        ...     base_retriever=store.as_retriever(search_kwargs={"k": 20}), reranker=ClovaReranker(), k=4
        ... )
        >>> retriever.invoke("환불 기한은?", k=2)  # doctest: +SKIP

    Attributes:
        base_retriever: Any runnable from a query to documents. It is given the config of the call and all its keyword
            arguments except ``k``.
        reranker: A ``ClovaReranker`` or any other document compressor.
        k: Maximum number of documents to return, from 1; None for all that the reranker keeps. Also per call. The
            reranker may keep fewer: see ``top_n`` and ``keep_uncited``. If a ``ClovaReranker`` cites nothing, its
            default leaves the documents of ``base_retriever``, in their order.

    Raises:
        ConfigurationError: An argument does not exist, or ``k`` is not a whole number from 1. Errors of calls are those
            of the retriever and the reranker.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    base_retriever: Runnable[str, list[Document]]
    reranker: BaseDocumentCompressor
    k: int | None = Field(default=None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _check_arguments(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            refuse_unknown(data, tuple(cls.model_fields), cls.__name__)
        return data

    def invoke(
        self,
        input: str,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return the documents for a query.

        Args:
            input: The query.
            config: Callbacks, tags and the like, for the base retriever and the reranker.
            **kwargs: ``k``; all others go to the base retriever.

        Raises:
            ClovaStudioError: The reranker failed.
        """
        return super().invoke(input, config, **kwargs, config_of_call=ensure_config(config))

    async def ainvoke(
        self,
        input: str,  # noqa: A002  the base class's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Async variant of ``invoke``."""
        return await super().ainvoke(input, config, **kwargs, config_of_call=ensure_config(config))

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        config_of_call: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        k = self._k(k)
        config = patch_config(config_of_call, callbacks=run_manager.get_child("base_retriever"))
        found = self.base_retriever.invoke(query, config, **kwargs)
        kept = self.reranker.compress_documents(found, query, callbacks=run_manager.get_child("reranker"))
        return list(kept)[:k]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        config_of_call: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        k = self._k(k)
        config = patch_config(config_of_call, callbacks=run_manager.get_child("base_retriever"))
        found = await self.base_retriever.ainvoke(query, config, **kwargs)
        kept = await self.reranker.acompress_documents(found, query, callbacks=run_manager.get_child("reranker"))
        return list(kept)[:k]

    def _k(self, k: int | None) -> int | None:
        if k is None:
            return self.k
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ClovaConfigurationError(f"k must be a whole number from 1, got {k!r}")
        return k
