"""RAG reasoning: the model searches with a retriever until it can answer, and cites the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.documents import Document
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.runnables import Runnable  # noqa: TC002  a field's type
from pydantic import BaseModel, Field

from clova_studio import AiFilter
from clova_studio.adapters import arequest_named, parse_citations, request_named
from langchain_clova._answers import usage_of
from langchain_clova._citations import ClovaCitation, citations_of
from langchain_clova._errors import ClovaConfigurationError, ClovaInvalidResponseError
from langchain_clova._queries import QueryInput, conversation_of, query_of
from langchain_clova._runnables import ClovaRunnable

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from clova_studio import AsyncClovaStudio, ReasoningResult, ToolCall

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
        stop: Strings at which the answer ends.
        seed: 0 (random) to 4294967295.
        include_ai_filters: Whether to run the AI filter; on by default here.

    Raises:
        ConfigurationError: An argument does not exist or is wrong, there is no key, or an input has no question.
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
    tool_description: str = Field(
        default="질문에 답하는 데 필요한 문서를 검색한다. (Searches the documents that are needed for an answer.)",
        min_length=1,
    )
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    repetition_penalty: float | None = None
    stop: list[str] | None = None
    seed: int | None = None
    include_ai_filters: bool | None = None

    def _run(self, given: QueryInput, config: RunnableConfig, options: dict[str, Any]) -> ClovaRagResult:
        loop = _Loop(self, given, options)
        client, place = self._connection.sync, self._connection.place
        while loop.add(request_named(client.reason, loop.request(), place=place)):
            loop.found(self.retriever.batch(loop.queries, config))
        return loop.result()

    async def _arun(
        self, given: QueryInput, config: RunnableConfig, options: dict[str, Any], client: AsyncClovaStudio
    ) -> ClovaRagResult:
        loop = _Loop(self, given, options)
        place = self._connection.place
        while loop.add(await arequest_named(client.reason, loop.request(), place=place)):
            loop.found(await self.retriever.abatch(loop.queries, config))
        return loop.result()


class _Loop:
    """The state of one question: its messages and what was found so far. No I/O."""

    def __init__(self, rag: ClovaRagReasoning, given: Any, options: dict[str, Any]) -> None:
        self._question = query_of(given).text
        self._messages: list[dict[str, Any]] = list(conversation_of(given))
        self._left: int = options.pop("max_searches")
        if isinstance(self._left, bool) or not isinstance(self._left, int) or self._left < 1:
            raise ClovaConfigurationError(f"max_searches must be a whole number from 1, got {self._left!r}")
        self._options = {name: value for name, value in options.items() if value is not None}
        self._tool = {
            "type": "function",
            "function": {
                "name": rag.tool_name,
                "description": rag.tool_description,
                "parameters": {
                    "type": "object",
                    "properties": {"query": {"type": "string", "description": "검색어 (what to search for)"}},
                    "required": ["query"],
                },
            },
        }
        self._tool_name = rag.tool_name
        self._documents: dict[str, Document] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self._searches: list[str] = []
        self._usage: UsageMetadata | None = None
        self._step: ReasoningResult | None = None
        self._calls: list[ToolCall] = []
        self.queries: list[str] = []

    def request(self) -> dict[str, Any]:
        """Return the arguments of the next step."""
        return {
            "messages": self._messages,
            "tools": [self._tool],
            "tool_choice": "auto" if self._left else "none",
            **self._options,
        }

    def add(self, step: ReasoningResult) -> bool:
        """Add a step; return whether it asks for searches, which are then in ``queries``."""
        self._step = step
        usage = usage_of(step.usage)
        if usage is not None:
            self._usage = usage if self._usage is None else add_usage(self._usage, usage)
        # A search whose arguments cannot be read is made with the question.
        calls = [*(step.message.tool_calls or ()), *(step.message.invalid_tool_calls or ())]
        if not calls:
            return False
        if not self._left:
            raise ClovaInvalidResponseError(
                f"the model asked for another search after {len(self._searches)}, when it had to answer: raise "
                "max_searches, or say in tool_description what can be found",
                request_id=step.request_id,
            )
        # The conversation must not contain a call that is not made: each needs its result.
        self._calls = calls[: self._left]
        self._left -= len(self._calls)
        self.queries = [self._query(call) for call in self._calls]
        self._searches += self.queries
        return True

    def _query(self, call: ToolCall) -> str:
        arguments = call.function.arguments
        texts = [arguments.get("query"), *arguments.values(), self._question]
        return next(text for text in texts if isinstance(text, str) and text.strip())

    def found(self, results: list[list[Document]]) -> None:
        """Add what the searches found."""
        self._messages.append(
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": self._id(i),
                        "type": "function",
                        "function": {
                            "name": call.function.name or self._tool_name,
                            "arguments": call.function.arguments,
                        },
                    }
                    for i, call in enumerate(self._calls)
                ],
            }
        )
        for i, documents in enumerate(results):
            sent = {self._name(document): document for document in documents if document.page_content.strip()}
            content = {"search_result": [{"id": name, "doc": item.page_content} for name, item in sent.items()]}
            self._messages.append({"role": "tool", "tool_call_id": self._id(i), "content": content})

    def _id(self, i: int) -> str:
        return self._calls[i].id or f"call_{len(self._searches) - len(self._calls) + i}"

    def _name(self, document: Document) -> str:
        """Return the id of a document in this conversation: safe in a tag, and the same if it is found again."""
        key = (document.id, document.page_content, repr(document.metadata))
        name = self._names.setdefault(key, f"doc-{len(self._names) + 1}")
        self._documents.setdefault(name, document)
        return name

    def result(self) -> ClovaRagResult:
        """Return the answer."""
        if self._step is None:
            raise RuntimeError("no step was taken")  # unreachable: the loops above add a step first
        raw = self._step.message.content
        answer, passages = parse_citations(raw)
        return ClovaRagResult(
            answer=answer,
            raw=raw,
            citations=citations_of(answer, passages, self._documents),
            documents=list(self._documents.values()),
            searches=self._searches,
            usage=self._usage,
            ai_filter=self._step.ai_filter,
            request_id=self._step.request_id,
        )
