"""Topic paragraphs as spans of their source: what the segmentation API answers, found in the text again.

The answer holds trimmed sentences without the whitespace between them, so a paragraph cannot be rebuilt by joining;
but it can be cut out of the source. Where a paragraph starts is all that is taken from the answer: each reaches to the
start of the next, without the whitespace at its ends, so that no character but separators is ever lost.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from clova_studio._errors import ConfigurationError
from clova_studio._requests.text import MAX_SEGMENTATION_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["TextSpan", "align_segments", "segmentation_windows"]

_PARAGRAPH_BORDER = re.compile(r"\n\s*\n\s*")
_SENTENCE_BORDER = re.compile(r"(?<=[.!?。…])[\"'\u201d\u2019)\]]*\s+|\n+")
_BLANK = re.compile(r"\s+")
# How far a sentence may be from where the one before it ended, before it counts as altered and is followed by counting.
_LOOK_AHEAD = 2_000


class TextSpan(NamedTuple):
    """A piece of a text: ``source[start:end]``.

    Attributes:
        start: Where it begins, in characters from 0.
        end: Where it ends, in characters; the first one that is not part of it.
    """

    start: int
    end: int


def segmentation_windows(text: str, *, size: int = MAX_SEGMENTATION_CHARACTERS) -> list[TextSpan]:
    """Cut a text into pieces that the segmentation API takes, at paragraph borders where there are any.

    Args:
        text: Any text.
        size: Characters of a piece at most, from 1.

    Returns:
        Consecutive pieces without whitespace at their ends; only whitespace lies between them. Empty for a
        blank text.

    Raises:
        ConfigurationError: ``size`` is below 1.
    """
    if size < 1:
        raise ConfigurationError(f"size must be from 1, got {size}")
    return _cut(text, 0, len(text), size, (_PARAGRAPH_BORDER, _SENTENCE_BORDER, _BLANK))


def align_segments(
    source: str, topic_seg: Sequence[Sequence[str]], *, window: TextSpan | None = None, max_size: int | None = None
) -> list[TextSpan]:
    """Find the paragraphs of a segmentation in its source.

    Args:
        source: The text.
        topic_seg: The paragraphs as the API answered them.
        window: The part of the source that was sent, None for the whole.
        max_size: Characters of a paragraph at most, a hard cap that the API does not give: what is longer is cut at
            sentence borders, then at whitespace, then anywhere. None for no cap.

    Returns:
        The spans of the paragraphs in order, without whitespace at their ends; only whitespace lies between them.

    Raises:
        ConfigurationError: ``max_size`` is below 1.
    """
    if max_size is not None and max_size < 1:
        raise ConfigurationError(f"max_size must be from 1, got {max_size}")
    start, end = window or TextSpan(0, len(source))
    starts: list[int] = []
    position = start
    for sentences in topic_seg:
        first = True
        for sentence in sentences:
            if not sentence.strip():
                continue
            found, position = _find(source, sentence, position, end)
            if first and found < end:
                starts.append(found)
                first = False
    # Whatever stands before the first sentence belongs to the first paragraph.
    borders = [start, *starts[1:], end]
    spans = []
    for left, right in pairwise(borders):
        if max_size is None:
            spans.append(_trimmed(source, left, right))
        else:
            spans += _cut(source, left, right, max_size, (_SENTENCE_BORDER, _BLANK))
    return [span for span in spans if span.start < span.end]


def _find(source: str, sentence: str, position: int, end: int) -> tuple[int, int]:
    """Return where a sentence starts and ends in the source, looking from a position on.

    A sentence that is not there to the letter (its whitespace was normalised) is followed by counting the characters
    that are not whitespace.
    """
    sentence = sentence.strip()
    found = source.find(sentence, position, min(end, position + len(sentence) + _LOOK_AHEAD))
    if found >= 0:
        return found, found + len(sentence)
    begin = _skip_blank(source, position, end)
    index, wanted = begin, sum(not character.isspace() for character in sentence)
    while wanted and index < end:
        wanted -= not source[index].isspace()
        index += 1
    return begin, index


def _skip_blank(source: str, position: int, end: int) -> int:
    while position < end and source[position].isspace():
        position += 1
    return position


def _trimmed(source: str, start: int, end: int) -> TextSpan:
    start = _skip_blank(source, start, end)
    while end > start and source[end - 1].isspace():
        end -= 1
    return TextSpan(start, end)


def _cut(source: str, start: int, end: int, size: int, borders: Iterable[re.Pattern[str]]) -> list[TextSpan]:
    """Cut ``source[start:end]`` into pieces of at most ``size`` characters, at the first kind of border that serves."""
    pieces = []
    borders = tuple(borders)
    start, end = _trimmed(source, start, end)
    while end - start > size:
        at = next((at for border in borders if (at := _last_border(source, start, start + size, border))), start + size)
        piece = _trimmed(source, start, at)
        pieces.append(piece)
        start = _skip_blank(source, at, end)
    if start < end:
        pieces.append(TextSpan(start, end))
    return pieces


def _last_border(source: str, start: int, limit: int, border: re.Pattern[str]) -> int | None:
    """Return the last index up to ``limit`` at which a border begins or ends after the start, None for none."""
    # One character more, so that a border right behind the limit counts.
    last = None
    for match in border.finditer(source, start + 1, min(len(source), limit + 1)):
        last = min(match.end(), limit) if match.start() < limit or match.start() == limit else last
    return last if last is not None and last > start else None
