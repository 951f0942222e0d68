"""Summaries of texts of any length: of parts that fit into one request, then of the summaries, until one is left."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clova_studio import _requests
from clova_studio._concurrency import WorkQueue, run_tasks, run_threads
from clova_studio._errors import ClovaStudioError
from clova_studio._rate_limits.settings import patience_of
from clova_studio._requests.text import MAX_SUMMARIZATION_CHARACTERS
from clova_studio._requests.validation import check_texts
from clova_studio._segments import segmentation_windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clova_studio._async_client import AsyncClovaStudio
    from clova_studio._client import ClovaStudio
    from clova_studio._concurrency import CancelSignal

__all__ = ["MAX_SUMMARIZATION_CHARACTERS", "asummarize_texts", "summarize_texts"]

# If the summaries of a round have more than this share of its input, another round would not help either.
_PROGRESS = 0.9


def summarize_texts(
    client: ClovaStudio, texts: Iterable[str], *, max_characters: int, max_concurrency: int, **options: Any
) -> str:
    """Return one summary of texts of any length. Source: the summarization page of the API guide.

    Texts longer than ``max_characters`` are cut at borders of paragraphs, else of sentences, into parts of about the
    same size. The parts are summarized concurrently, then their summaries together, and so on. If the summaries do not
    get shorter, they are returned joined.

    Args:
        client: The client that sends the requests.
        texts: Texts; blank ones are left out.
        max_characters: Maximum number of characters in a request, up to 35,000.
        max_concurrency: Maximum number of requests in flight, from 1.
        **options: Options of ``ClovaStudio.summarize``.

    Returns:
        The summary; ``""``, without a request, if all texts are blank.

    Raises:
        ClovaStudioError: The error of the first request that failed; none is started after it. Its ``partial`` has a
            list for each round so far, with the summaries of its parts in order. In the last list the error is in place
            of a part that failed, and None in place of a part without a result.
    """
    rounds = _Rounds(texts, max_characters, patience_of(client._limits))  # noqa: SLF001  a part of our own client
    while rounds.parts:
        with rounds.queue(max_concurrency) as queue:

            def summarize(part: list[str], cancel: CancelSignal = queue.cancel) -> str:
                # The public ``summarize`` could not be cancelled while it waits.
                return client._send(_requests.text.summarize(part, **options), cancel=cancel).text  # noqa: SLF001

            rounds.add(run_threads(queue, summarize))
    return rounds.summary


async def asummarize_texts(
    client: AsyncClovaStudio, texts: Iterable[str], *, max_characters: int, max_concurrency: int, **options: Any
) -> str:
    """Async variant of ``summarize_texts``."""
    rounds = _Rounds(texts, max_characters, patience_of(client._limits))  # noqa: SLF001  a part of our own client
    while rounds.parts:
        with rounds.queue(max_concurrency) as queue:

            async def summarize(part: list[str], cancel: CancelSignal = queue.cancel) -> str:
                call = _requests.text.summarize(part, **options)
                return (await client._send(call, cancel=cancel)).text  # noqa: SLF001  as in the twin

            rounds.add(await run_tasks(queue, summarize))
    return rounds.summary


class _Rounds:
    """The rounds that lead to one summary: ``parts`` are to be summarized next, until there are none. No I/O."""

    def __init__(self, texts: Iterable[str], limit: int, patience: float = 300.0) -> None:
        said = [text for text in check_texts("texts", texts) if text.strip()]
        self._limit = limit
        self._patience = patience
        self.summary = ""
        self._size = sum(map(len, said))
        self._done: list[list[str]] = []
        self.parts = _parts_of(said, limit)

    @contextmanager
    def queue(self, max_concurrency: int) -> Iterator[WorkQueue[list[str], str]]:
        """Yield the queue of a round; put the summaries of earlier rounds on its error."""
        try:
            yield WorkQueue(self.parts, max_concurrency=max_concurrency, patience=self._patience)
        except ClovaStudioError as error:
            error.partial = [*self._done, error.partial]
            raise

    def add(self, summaries: list[str]) -> None:
        """Take the summaries of the parts."""
        self._done.append(summaries)
        said = [text for text in summaries if text.strip()]
        self.summary = "\n".join(said)
        size = sum(map(len, summaries))
        if len(summaries) <= 1 or size > _PROGRESS * self._size:
            self.parts = []
            return
        self._size = size
        self.parts = _parts_of(said, self._limit)


def _parts_of(texts: list[str], limit: int) -> list[list[str]]:
    """Return texts in parts that fit into one request each, in order and of about the same size."""
    total = sum(map(len, texts))
    if total <= limit:
        return [texts] if texts else []
    wanted = -(-total // limit)
    # A tenth more, because parts end at borders: without it they would leave a small part over.
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
