"""Topic paragraphs of several texts of any length, as spans in the texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from clova_studio import _requests
from clova_studio._concurrency import WorkQueue, run_tasks, run_threads
from clova_studio._errors import ClovaStudioError
from clova_studio._rate_limits.settings import patience_of
from clova_studio._requests.validation import check_texts
from clova_studio._segments import TextSpan, align_segments, segmentation_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clova_studio._async_client import AsyncClovaStudio
    from clova_studio._client import ClovaStudio
    from clova_studio._requests.call import Call
    from clova_studio.types import Segmentation

__all__ = ["TopicSpan", "asegment_texts", "segment_texts"]


class TopicSpan(NamedTuple):
    """A chunk of a text: ``source[start:end]``.

    Attributes:
        start: Where it begins, in characters from 0.
        end: Where it ends, in characters.
        topic: The index of the topic that it belongs to, from 0.
    """

    start: int
    end: int
    topic: int


class _Window(NamedTuple):
    """A part of one of several texts, small enough to be sent."""

    text: int
    span: TextSpan


def segment_texts(
    client: ClovaStudio,
    texts: Sequence[str],
    *,
    max_chunk_size: int | None,
    max_concurrency: int,
    on_result: Callable[[], object] | None = None,
    **options: Any,
) -> list[list[TopicSpan]]:
    """Return the topic paragraphs of each text. Source: the segmentation page of the API guide.

    A text over 120,000 characters is sent in windows that end at paragraph borders, each segmented on its own.

    Args:
        client: The client that sends the requests.
        texts: Texts; a blank one has no paragraph and costs no request.
        max_chunk_size: Maximum length of a chunk in characters, None for no bound. A longer one is cut at sentence
            borders, then at white space, then anywhere.
        max_concurrency: Maximum number of requests in flight, from 1.
        on_result: Called after each request, one per window of ``segmentation_windows``; for a progress bar.
        **options: Options of ``ClovaStudio.segment``.

    Returns:
        The chunks of each text in order, each an exact slice; only white space lies between them.

    Raises:
        ClovaStudioError: The error of the first request that failed; none is started after it. Its ``partial`` has a
            list for each text: its chunks in order, the error in place of a window that failed, and None in place of a
            window without a result. Topics are numbered without those of missing windows.
    """
    work = _Segmentation(client, texts, max_chunk_size, max_concurrency, on_result, options)
    with work:
        work.results = run_threads(
            work.queue,
            lambda window: client._send(work.call(window), cancel=work.queue.cancel),  # noqa: SLF001  see call()
        )
    return work.spans()


async def asegment_texts(
    client: AsyncClovaStudio,
    texts: Sequence[str],
    *,
    max_chunk_size: int | None,
    max_concurrency: int,
    on_result: Callable[[], object] | None = None,
    **options: Any,
) -> list[list[TopicSpan]]:
    """Async variant of ``segment_texts``."""
    work = _Segmentation(client, texts, max_chunk_size, max_concurrency, on_result, options)
    with work:
        work.results = await run_tasks(
            work.queue,
            lambda window: client._send(work.call(window), cancel=work.queue.cancel),  # noqa: SLF001  see call()
        )
    return work.spans()


class _Segmentation:
    """Texts in windows of one request each. As a context it puts the chunks so far on the error of a window."""

    def __init__(
        self,
        client: ClovaStudio | AsyncClovaStudio,
        texts: Sequence[str],
        max_chunk_size: int | None,
        max_concurrency: int,
        on_result: Callable[[], object] | None,
        options: dict[str, Any],
    ) -> None:
        self._texts = check_texts("texts", texts)
        self._max_chunk_size = max_chunk_size
        self._options = options
        self._windows = [_Window(i, span) for i, text in enumerate(self._texts) for span in segmentation_windows(text)]
        self.queue: WorkQueue[_Window, Segmentation] = WorkQueue(
            self._windows,
            max_concurrency=max_concurrency,
            patience=patience_of(client._limits),  # noqa: SLF001  a private part of our own client
            name=(lambda index: f"texts[{self._windows[index].text}]") if len(self._texts) > 1 else None,
            on_result=on_result,
        )
        self.results: Sequence[Any] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClovaStudioError):
            self.results = error.partial or [None] * len(self._windows)
            error.partial = self.spans()

    def call(self, window: _Window) -> Call[Segmentation]:
        """Return the request for a window. A call of the public ``segment`` could not be cancelled while it waits."""
        text = self._texts[window.text][window.span.start : window.span.end]
        return _requests.text.segment(text, **self._options)

    def spans(self) -> list[list[TopicSpan]]:
        """Return the chunks of each text; where a window has no result, its error or None is among them."""
        spans: list[list[Any]] = [[] for _ in self._texts]
        topics = [0] * len(self._texts)
        for window, result in zip(self._windows, self.results, strict=True):
            source = self._texts[window.text]
            if result is None or isinstance(result, ClovaStudioError):
                spans[window.text].append(result)
                continue
            for topic in align_segments(source, result.topic_seg, window=window.span):
                cut = [topic]
                if self._max_chunk_size is not None and topic.end - topic.start > self._max_chunk_size:
                    cut = align_segments(source, [], window=topic, max_size=self._max_chunk_size)
                spans[window.text] += [TopicSpan(*span, topics[window.text]) for span in cut]
                topics[window.text] += 1
        return spans
