"""Topic paragraphs of several texts of any length, as places in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from clova_studio._errors import ClovaStudioError, ConfigurationError
from clova_studio._segments import TextSpan, align_segments, segmentation_windows
from clova_studio.adapters._work import aask_all, ask_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clova_studio._async_client import AsyncClovaStudio
    from clova_studio._client import ClovaStudio
    from clova_studio.types import Segmentation

__all__ = ["TopicSpan", "asegment_texts", "segment_texts"]


class TopicSpan(NamedTuple):
    """A chunk of a text: ``source[start:end]``.

    Attributes:
        start: Where it begins, in characters from 0.
        end: Where it ends, in characters.
        topic: The number of the topic that it belongs to, from 0.
    """

    start: int
    end: int
    topic: int


class _Window(NamedTuple):
    """A part of one of several texts, small enough to be sent."""

    text: int
    span: TextSpan


def segment_texts(
    client: ClovaStudio, texts: Sequence[str], *, max_chunk_size: int | None, max_concurrency: int, **options: Any
) -> list[list[TopicSpan]]:
    """Return the topic paragraphs of each text. Source: the segmentation page of the API guide.

    A text over 120,000 characters is sent in windows that end at paragraph borders, each segmented on its own.

    Args:
        client: Asks the service.
        texts: Texts; one of nothing but white space has no paragraph and costs no request.
        max_chunk_size: Characters of a chunk at most, None for no bound. What is longer is cut at sentence borders,
            then at white space, then anywhere.
        max_concurrency: Requests under way at once, at most, from 1.
        **options: Options of ``ClovaStudio.segment``.

    Returns:
        The chunks of each text in order, each an exact slice; only white space lies between them.

    Raises:
        ClovaStudioError: The first request that failed; no other was started after it. Its ``partial`` has a list for
            each text, with its chunks in order, the error in the place of a window that failed, and None in the place
            of one that was not asked. Topics are counted among those that are there.
    """
    windows = _windows(texts)

    def segment(window: _Window) -> Segmentation:
        return client.segment(_text(texts, window), **options)

    try:
        answers = ask_all(segment, windows, max_concurrency=max_concurrency)
    except ClovaStudioError as error:
        _tell(error, texts, windows, max_chunk_size)
        raise
    return _spans(texts, windows, answers, max_chunk_size)


async def asegment_texts(
    client: AsyncClovaStudio, texts: Sequence[str], *, max_chunk_size: int | None, max_concurrency: int, **options: Any
) -> list[list[TopicSpan]]:
    """Return the topic paragraphs of each text; see ``segment_texts``.

    Args:
        client: As there.
        texts: As there.
        max_chunk_size: As there.
        max_concurrency: As there.
        **options: As there.

    Returns:
        As there.

    Raises:
        ClovaStudioError: As there.
    """
    windows = _windows(texts)

    async def segment(window: _Window) -> Segmentation:
        return await client.segment(_text(texts, window), **options)

    try:
        answers = await aask_all(segment, windows, max_concurrency=max_concurrency)
    except ClovaStudioError as error:
        _tell(error, texts, windows, max_chunk_size)
        raise
    return _spans(texts, windows, answers, max_chunk_size)


def _windows(texts: Sequence[str]) -> list[_Window]:
    """Return what to send for texts, in order; nothing for texts of nothing but white space."""
    if isinstance(texts, (str, bytes, Mapping)):
        raise ConfigurationError(f"texts must be a list of strings, got {type(texts).__name__}")
    return [_Window(i, span) for i, text in enumerate(texts) for span in segmentation_windows(text)]


def _text(texts: Sequence[str], window: _Window) -> str:
    return texts[window.text][window.span.start : window.span.end]


def _tell(
    error: ClovaStudioError, texts: Sequence[str], windows: Sequence[_Window], max_chunk_size: int | None
) -> None:
    """Make the error of a window one of the texts: which of them failed, and what there is of the others."""
    if len(texts) > 1:
        failed = next(window.text for window, answer in zip(windows, error.partial, strict=True) if answer is error)
        error.message = f"texts[{failed}]: {error.message}"
    error.partial = _spans(texts, windows, error.partial, max_chunk_size)


def _spans(
    texts: Sequence[str], windows: Sequence[_Window], answers: Sequence[Any], max_chunk_size: int | None
) -> list[list[TopicSpan]]:
    # Of work that failed, errors and None stand among the answers, and then among the chunks.
    spans: list[list[Any]] = [[] for _ in texts]
    topics = [0] * len(texts)
    for window, answer in zip(windows, answers, strict=True):
        source = texts[window.text]
        if answer is None or isinstance(answer, ClovaStudioError):
            spans[window.text].append(answer)
            continue
        for topic in align_segments(source, answer.topic_seg, window=window.span):
            cut = [topic]
            if max_chunk_size is not None and topic.end - topic.start > max_chunk_size:
                cut = align_segments(source, [], window=topic, max_size=max_chunk_size)
            spans[window.text] += [TopicSpan(*span, topics[window.text]) for span in cut]
            topics[window.text] += 1
    return spans
