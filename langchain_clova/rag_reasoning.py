"""RAG reasoning: the model searches with a retriever until it can answer, and cites the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.documents import Document
from langchain_core.messages.ai import UsageMetadata
from langchain_core.runnables import Runnable  # noqa: TC002  a field's type
from pydantic import BaseModel, Field

from clova_studio import AiFilter
from clova_studio.adapters import SEARCH_TOOL_DESCRIPTION, ReasoningLoop, StopStrings, arequest_named, request_named
from langchain_clova._answers import usage_of
from langchain_clova._citations import ClovaCitation, citations_of
from langchain_clova._queries import QueryInput, conversation_of, query_of
from langchain_clova._runnables import ClovaRunnable

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from clova_studio import AsyncClovaStudio
    from clova_studio.adapters import ReasoningAnswer

__all__ = ["ClovaRagReasoning", "ClovaRagResult"]


class ClovaRagResult(BaseModel):
    """An answer from documents that were searched for.

    Attributes:
        answer: The answer without citation tags.
        raw: The answer as received, with ``<doc-1>...</doc-1>`` around what cites the first document, and so on.
        citations: The cited passages of the answer with their documents, in order of their start.
        documents: All documents found, each once, in the order in which they were found; as the retriever gave them.
        searches: The queries that were searched for, in order.
        usage: Tokens of all steps together; None if the service reported none.
        ai_filter: Findings of the AI filter about the answer, None without any.
        request_id: The id of the last request.
    """

    answer: str
    raw: str
    citations: list[ClovaCitation] = Field(default_factory=list)
    documents: list[Document] = Field(default_factory=list)
    searches: list[str] = Field(default_factory=list)
    usage: UsageMetadata | None = None
    ai_filter: list[AiFilter] | None = None
    request_id: str | None = None


class ClovaRagReasoning(ClovaRunnable[QueryInput, ClovaRagResult]):
    """Answers a question and searches for what it needs. Source: the RAG reasoning page of the API guide.

        >>> from langchain_clova import ClovaRagReasoning
        >>> rag = ClovaRagReasoning(retriever=store.as_retriever())  # doctest: +SKIP
        >>> found = rag.invoke("환불은 언제까지 되나요?")  # doctest: +SKIP
        >>> found.answer, found.citations[0].document.metadata["source"]  # doctest: +SKIP
        ('구매 후 7일 안에 환불할 수 있습니다.', 'refund.md')

    The model asks for one or several searches, which the retriever runs concurrently, and then answers or searches
    again. Documents are sent as ``doc-1``, ``doc-2`` and so on; one that is found twice is in the result once.

    Input: a string, messages (system, human and AI; tool calls and their results are left out), or a dict with
    ``query`` and optionally ``chat_history``. Output: ``ClovaRagResult``. The service has no streaming here.

    ``max_searches`` and the options after ``tool_description`` can also be given per call. For an option that is None
    the service's default applies.

    Attributes:
        retriever: Any runnable from a query to documents. It is given the config of the call, including callbacks.
        max_searches: Maximum number of searches, from 1; then the model has to answer.
        tool_name: The name of the search tool for the model.
        tool_description: The description of the search tool for the model; say what your documents are about.
        temperature: Above 0, up to 1; service default 0.5.
        top_p: Above 0, up to 1; service default 0.8.
        top_k: 0 to 128; service default 0.
        max_tokens: Output cap of a step in tokens, 1,024 to 4,095; service default 1,024. Input may have 128,000.
        repetition_penalty: Above 0, up to 2; service default 1.1.
        stop: One string or several at which the answer ends.
        seed: 0 (random) to 4294967295.
        include_ai_filters: Whether to run the AI filter; on by default here.

    Raises:
        ConfigurationError: An argument is unknown or invalid, there is no key, or an input has no question.
        InvalidResponseError: The model asked for another search when it had to answer. Other errors of calls are those
            of ``clova_studio`` and, at the same time, of langchain-core's ``ModelError`` family. Errors of the
            retriever are passed on unchanged.

    See ``ConnectionFields`` for how to reach the service.
    """

    call_options: ClassVar[tuple[str, ...]] = (
        "max_searches",
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
        "repetition_penalty",
        "stop",
        "seed",
        "include_ai_filters",
    )

    retriever: Runnable[str, list[Document]]
    max_searches: int = Field(default=5, ge=1)
    tool_name: str = Field(default="search_documents", min_length=1)
    tool_description: str = Field(default=SEARCH_TOOL_DESCRIPTION, min_length=1)
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    repetition_penalty: float | None = None
    stop: StopStrings | None = None
    seed: int | None = None
    include_ai_filters: bool | None = None

    def _run(self, given: QueryInput, config: RunnableConfig, options: dict[str, Any]) -> ClovaRagResult:
        loop = self._loop(given, options)
        client, place = self._connection.sync, self._connection.place
        while loop.add(request_named(client.reason, loop.request(), place=place)):
            loop.found(self.retriever.batch(loop.queries, config))
        return _result(loop.answer())

    async def _arun(
        self, given: QueryInput, config: RunnableConfig, options: dict[str, Any], client: AsyncClovaStudio
    ) -> ClovaRagResult:
        loop = self._loop(given, options)
        place = self._connection.place
        while loop.add(await arequest_named(client.reason, loop.request(), place=place)):
            loop.found(await self.retriever.abatch(loop.queries, config))
        return _result(loop.answer())

    def _loop(self, given: Any, options: dict[str, Any]) -> ReasoningLoop[Document]:
        return ReasoningLoop(
            query_of(given).text,
            conversation_of(given),
            tool_name=self.tool_name,
            tool_description=self.tool_description,
            max_searches=options.pop("max_searches"),
            options=options,
            text_of=lambda document: document.page_content,
            key_of=lambda document: (document.id, document.page_content, repr(document.metadata)),
        )


def _result(found: ReasoningAnswer[Document]) -> ClovaRagResult:
    return ClovaRagResult(
        answer=found.answer,
        raw=found.raw,
        citations=citations_of(found.answer, found.cited, found.documents),
        documents=list(found.documents.values()),
        searches=found.searches,
        usage=usage_of(found.usage),
        ai_filter=found.ai_filter,
        request_id=found.request_id,
    )
