"""Summaries of texts, documents and conversations of any length, by the summarization API of CLOVA Studio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, get_buffer_string
from langchain_core.prompt_values import PromptValue
from pydantic import Field

from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._runnables import ClovaRunnable

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from clova_studio import AsyncClovaStudio

__all__ = ["ClovaSummarizationChain"]

SummaryInput: TypeAlias = str | Document | BaseMessage | PromptValue | Sequence[str | Document | BaseMessage]

_MAX_CHARACTERS = 35_000
# A round that leaves more than this share of its input makes no way: the next would not either.
_PROGRESS = 0.9


class ClovaSummarizationChain(ClovaRunnable[SummaryInput, str]):
    """Summarizes. Source: the summarization page of the API guide.

        >>> from langchain_clova import ClovaSummarizationChain
        >>> ClovaSummarizationChain().invoke("긴 글 ...")  # doctest: +SKIP
        '- 한 줄로 줄인 글'

    Input: a string, a ``Document``, a message, or a list of those, in one summary; a list of messages is summarized as
    the conversation that it is, so this is a ``summarizer`` for LangChain's ``SummarizationMiddleware``. Output: a
    string, mostly lines that start with ``- ``. Of nothing but white space it is ``""``, without a request.

    The service takes 35,000 characters a request. What is longer is cut at borders of paragraphs, else of sentences,
    into parts of about the same size, the parts are summarized side by side, then their summaries together, and so on
    until they fit into one request. Should summaries not get shorter, they come joined, as they are.

    The options but the two ``max_*`` can also be given per call.

    Attributes:
        auto_sentence_splitter: Whether the service splits into paragraphs first, by the three ``seg_*`` options.
        seg_count: Wanted number of paragraphs from 1; -1 is automatic.
        seg_max_size: Characters of a paragraph, 1 to 3,000.
        seg_min_size: Characters of a paragraph, 0 to ``seg_max_size``.
        include_ai_filters: Whether to run the AI filter.
        max_characters: Characters of a request at most, 100 to 35,000; smaller parts give longer summaries.
        max_concurrency: Requests under way at once for one long input, from 1; a smaller ``max_concurrency`` in the
            config of a call goes before it.

    Raises:
        ConfigurationError: An argument does not exist or is wrong, or there is no key. Errors of calls are those of
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
    max_characters: int = Field(default=_MAX_CHARACTERS, ge=100, le=_MAX_CHARACTERS)
    max_concurrency: int = Field(default=8, ge=1)

    def _run(self, given: SummaryInput, config: RunnableConfig, options: dict[str, Any]) -> str:
        rounds = _Rounds(texts_of(given), self.max_characters)
        if not rounds.parts:
            return ""
        client = self._connection.sync

        def summarize(part: list[str]) -> str:
            return client.summarize(part, **options).text

        while rounds.parts:
            if len(rounds.parts) == 1:
                rounds.add([summarize(rounds.parts[0])])
                continue
            with ThreadPoolExecutor(min(self._bound(config), len(rounds.parts)), "clova-summarize") as pool:
                rounds.add(list(pool.map(summarize, rounds.parts)))
        return rounds.summary

    async def _arun(
        self, given: SummaryInput, config: RunnableConfig, options: dict[str, Any], client: AsyncClovaStudio
    ) -> str:
        rounds = _Rounds(texts_of(given), self.max_characters)
        slots = asyncio.Semaphore(self._bound(config))

        async def summarize(part: list[str]) -> str:
            async with slots:
                return (await client.summarize(part, **options)).text

        while rounds.parts:
            tasks = [asyncio.ensure_future(summarize(part)) for part in rounds.parts]
            try:
                rounds.add(list(await asyncio.gather(*tasks)))
            finally:
                for task in tasks:
                    task.cancel()
        return rounds.summary

    def _bound(self, config: RunnableConfig) -> int:
        return min(self.max_concurrency, config.get("max_concurrency") or self.max_concurrency)


class _Rounds:
    """Texts on their way to one summary: ``parts`` are to be summarized next, until there are none. No I/O."""

    def __init__(self, texts: list[str], limit: int) -> None:
        self._limit = limit
        self.summary = ""
        self._size = sum(map(len, texts))
        self.parts = parts_of(texts, limit)

    def add(self, summaries: list[str]) -> None:
        """Take the summaries of the parts."""
        self.summary = "\n".join(text for text in summaries if text.strip())
        size = sum(map(len, summaries))
        if len(summaries) <= 1 or size > _PROGRESS * self._size:
            self.parts = []
            return
        self._size = size
        self.parts = parts_of([text for text in summaries if text.strip()], self._limit)


def parts_of(texts: list[str], limit: int) -> list[list[str]]:
    """Return texts in parts that one request takes each, in order and of about the same size."""
    from clova_studio import segmentation_windows

    total = sum(map(len, texts))
    if total <= limit:
        return [texts] if texts else []
    wanted = -(-total // limit)
    # Some room, so that borders which come early do not make a part more; else the last would be a scrap.
    size = min(limit, -(-total // wanted) * 11 // 10)
    parts: list[list[str]] = [[]]
    room = size
    for text in texts:
        for start, end in segmentation_windows(text, size=size):
            if end - start > room:
                parts.append([])
                room = size
            parts[-1].append(text[start:end])
            room -= end - start
    return parts


def texts_of(given: Any) -> list[str]:
    """Return an input as texts that are not blank."""
    if isinstance(given, (str, Document, BaseMessage, PromptValue)):
        given = [given]
    if isinstance(given, (bytes, Mapping)) or not isinstance(given, Sequence):
        raise ClovaConfigurationError(
            f"the input must be a string, a Document, a message or a list of those, got {type(given).__name__}"
        )
    is_talk = len(given) > 1 and all(isinstance(item, BaseMessage) for item in given)
    if is_talk:
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
