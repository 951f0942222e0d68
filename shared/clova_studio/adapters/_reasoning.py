"""The loop of RAG reasoning: what each step asks, which searches it wants, and the answer at the end. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from clova_studio._errors import ConfigurationError, InvalidResponseError
from clova_studio.adapters._citations import Cited, parse_citations
from clova_studio.adapters._usage import sum_of_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from clova_studio.types import AiFilter, ReasoningResult, ToolCall, Usage

__all__ = ["SEARCH_TOOL_DESCRIPTION", "ReasoningAnswer", "ReasoningLoop"]

SEARCH_TOOL_DESCRIPTION = (
    "질문에 답하는 데 필요한 문서를 검색한다. (Searches the documents that are needed for an answer.)"
)
"""The description of the search tool for the model unless another is given."""

D = TypeVar("D")


class ReasoningAnswer(NamedTuple, Generic[D]):
    """The answer of RAG reasoning.

    Attributes:
        answer: The answer without citation tags.
        raw: The answer as received.
        cited: The tagged passages that cite a document, in order of their start.
        documents: The documents found, by the ids that passages have, each once and in the order in which they were
            found.
        searches: The queries that were searched for, in order.
        usage: Tokens of all steps together; None if the service reported none.
        ai_filter: Findings of the AI filter about the answer, None without any.
        request_id: The id of the last request.
    """

    answer: str
    raw: str
    cited: list[Cited]
    documents: dict[str, D]
    searches: list[str]
    usage: Usage | None
    ai_filter: list[AiFilter] | None
    request_id: str | None


class ReasoningLoop(Generic[D]):
    """The state of one question: its messages and what was found so far. Source: the RAG reasoning page of the guide.

    With ``request()`` as the arguments of ``client.reason``, it is driven so::

        while loop.add(client.reason(**loop.request())):
            loop.found([search(query) for query in loop.queries])
        answer = loop.answer()

    Args:
        question: What is searched for where the model's own query cannot be read.
        messages: The conversation, text only, with the question as its last message.
        tool_name: The name of the search tool for the model.
        tool_description: The description of the search tool for the model.
        max_searches: Maximum number of searches, from 1; then the model has to answer.
        options: Further arguments of ``client.reason``; None is left out.
        text_of: Returns the text of a document that is sent; documents with blank text are not.
        key_of: Returns what is equal for a document that is found twice.

    Attributes:
        queries: The searches that the last step asks for.

    Raises:
        ConfigurationError: ``max_searches`` is out of range.
    """

    def __init__(
        self,
        question: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        tool_name: str,
        tool_description: str,
        max_searches: int,
        options: Mapping[str, Any],
        text_of: Callable[[D], str],
        key_of: Callable[[D], Hashable],
    ) -> None:
        self._question = question
        self._messages: list[dict[str, Any]] = [dict(message) for message in messages]
        if isinstance(max_searches, bool) or not isinstance(max_searches, int) or max_searches < 1:
            raise ConfigurationError(f"max_searches must be a whole number from 1, got {max_searches!r}")
        self._left = max_searches
        self._options = {name: value for name, value in options.items() if value is not None}
        self._tool = {
            "type": "function",
            "function": {
                "name": tool_name,
                "description": tool_description,
                "parameters": {
                    "type": "object",
                    "properties": {"query": {"type": "string", "description": "검색어 (what to search for)"}},
                    "required": ["query"],
                },
            },
        }
        self._tool_name = tool_name
        self._text_of = text_of
        self._key_of = key_of
        self._documents: dict[str, D] = {}
        self._names: dict[Hashable, str] = {}
        self._searches: list[str] = []
        self._usage: Usage | None = None
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
        """Add a step; return whether it asks for searches, which are then in ``queries``.

        Args:
            step: The answer to ``request()``.

        Raises:
            InvalidResponseError: The model asked for another search when it had to answer.
        """
        self._step = step
        self._usage = step.usage if self._usage is None else sum_of_usage(self._usage, step.usage)
        # A search whose arguments cannot be read is made with the question.
        calls = [*(step.message.tool_calls or ()), *(step.message.invalid_tool_calls or ())]
        if not calls:
            return False
        if not self._left:
            raise InvalidResponseError(
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

    def found(self, results: Iterable[Sequence[D]]) -> None:
        """Add what the searches found.

        Args:
            results: The documents of each of ``queries``, in their order.
        """
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
            sent = {}
            for document in documents:
                text = self._text_of(document)
                if text.strip():
                    sent[self._name(document)] = text
            content = {"search_result": [{"id": name, "doc": text} for name, text in sent.items()]}
            self._messages.append({"role": "tool", "tool_call_id": self._id(i), "content": content})

    def _id(self, i: int) -> str:
        return self._calls[i].id or f"call_{len(self._searches) - len(self._calls) + i}"

    def _name(self, document: D) -> str:
        """Return the id of a document in this conversation: safe in a tag, and the same if it is found again."""
        name = self._names.setdefault(self._key_of(document), f"doc-{len(self._names) + 1}")
        self._documents.setdefault(name, document)
        return name

    def answer(self) -> ReasoningAnswer[D]:
        """Return the answer, after a step that asked for no search.

        Raises:
            RuntimeError: No step was added.
        """
        if self._step is None:
            raise RuntimeError("no step was added: there is no answer yet")
        raw = self._step.message.content
        answer, passages = parse_citations(raw)
        return ReasoningAnswer(
            answer=answer,
            raw=raw,
            cited=[passage for passage in passages if passage.id in self._documents],
            documents=dict(self._documents),
            searches=self._searches,
            usage=self._usage,
            ai_filter=self._step.ai_filter,
            request_id=self._step.request_id,
        )
