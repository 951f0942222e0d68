"""Summaries of texts, documents and conversations of any length, by the summarization API of CLOVA Studio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, get_buffer_string
from langchain_core.prompt_values import PromptValue
from pydantic import Field

from clova_studio.adapters import MAX_SUMMARIZATION_CHARACTERS, asummarize_texts, listed, summarize_texts
from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._runnables import ClovaRunnable

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from clova_studio import AsyncClovaStudio

__all__ = ["ClovaSummarizationChain"]

SummaryInput: TypeAlias = str | Document | BaseMessage | PromptValue | Sequence[str | Document | BaseMessage]


class ClovaSummarizationChain(ClovaRunnable[SummaryInput, str]):
    """Summarizes texts, documents and conversations. Source: the summarization page of the API guide.

        >>> from langchain_clova import ClovaSummarizationChain
        >>> ClovaSummarizationChain().invoke("긴 글 ...")  # doctest: +SKIP
        '- 한 줄로 줄인 글'

    Input: a string, a ``Document``, a message, or a list of those, which gives one summary. A list of messages is
    summarized as a conversation, so this can be the ``summarizer`` of LangChain's ``SummarizationMiddleware``. Output:
    a string, mostly lines that start with ``- ``; for blank input ``""``, without a request.

    A request holds up to 35,000 characters. Longer input is cut at paragraphs, else at sentences, into parts of about
    the same size. The parts are summarized concurrently, then their summaries together, and so on until they fit into
    one request. If summaries do not get shorter, they are joined as they are.

    The first request that fails ends the call. The error's ``partial`` has one list per round: the summary of each
    part, the error at the index of a part that failed, and None for a part that was not sent.

    All options except the two ``max_*`` can also be given per call.

    Attributes:
        auto_sentence_splitter: Whether the service splits into paragraphs first, by the three ``seg_*`` options.
        seg_count: Wanted number of paragraphs from 1; -1 is automatic.
        seg_max_size: Characters of a paragraph, 1 to 3,000.
        seg_min_size: Characters of a paragraph, 0 to ``seg_max_size``.
        include_ai_filters: Whether to run the AI filter.
        max_characters: Maximum characters per request, 100 to 35,000; smaller parts give longer summaries.
        max_concurrency: Maximum requests in flight for one input, from 1; a smaller ``max_concurrency`` in the config
            of a call takes precedence.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key. Errors of calls are those of
            ``clova_studio`` and, at the same time, of langchain-core's ``ModelError`` family.

    See ``ConnectionFields`` for how to reach the service.
    """

    call_options: ClassVar[tuple[str, ...]] = (
        "auto_sentence_splitter",
        "seg_count",
        "seg_max_size",
        "seg_min_size",
        "include_ai_filters",
    )

    auto_sentence_splitter: bool = True
    seg_count: int = -1
    seg_max_size: int = 1_000
    seg_min_size: int = 300
    include_ai_filters: bool = False
    max_characters: int = Field(default=MAX_SUMMARIZATION_CHARACTERS, ge=100, le=MAX_SUMMARIZATION_CHARACTERS)
    max_concurrency: int = Field(default=8, ge=1)

    def _run(self, given: SummaryInput, config: RunnableConfig, options: dict[str, Any]) -> str:
        return summarize_texts(self._connection.sync, texts_of(given), **self._bounds(config), **options)

    async def _arun(
        self, given: SummaryInput, config: RunnableConfig, options: dict[str, Any], client: AsyncClovaStudio
    ) -> str:
        return await asummarize_texts(client, texts_of(given), **self._bounds(config), **options)

    def _bounds(self, config: RunnableConfig) -> dict[str, int]:
        return {
            "max_characters": self.max_characters,
            "max_concurrency": min(self.max_concurrency, config.get("max_concurrency") or self.max_concurrency),
        }


def texts_of(given: Any) -> list[str]:
    """Return an input as texts that are not blank."""
    if isinstance(given, (str, Document, BaseMessage, PromptValue)):
        given = [given]
    given = listed("the input", given, "strings, Documents or messages, or one of them")
    is_conversation = len(given) > 1 and all(isinstance(item, BaseMessage) for item in given)
    if is_conversation:
        # An empty line between messages, so that a long conversation is cut there.
        turns = [get_buffer_string([message]) for message in given if message.text.strip()]
        return ["\n\n".join(turns)] if turns else []
    return [text for i, item in enumerate(given) if (text := _text(item, i)).strip()]


def _text(item: Any, i: int) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, Document):
        return item.page_content
    if isinstance(item, BaseMessage):
        return str(item.text)
    if isinstance(item, PromptValue):
        return item.to_string()
    raise ClovaConfigurationError(f"item {i} must be a string, a Document or a message, got {type(item).__name__}")
