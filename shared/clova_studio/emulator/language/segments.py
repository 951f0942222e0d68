# ruff: noqa: RUF001 - full-width marks and curly quotes are meant here
"""Splits a text into topic paragraphs: neighbouring sentences on the same topic.

The segmentation page documents the request (``alpha``, ``segCnt``, ``postProcess`` and the two sizes) and the result,
but not how the model decides. Here the score of each gap is the similarity of the sentences before and after it, and
the gaps with the lowest scores become borders.
"""

import re
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean, pstdev

from clova_studio.emulator.language.sentences import Sentence, split_sentences
from clova_studio.emulator.language.text import add, cosine, grams

_Range = tuple[int, int]

AUTOMATIC_ALPHA = -100.0
_BLOCK = 3
# At alpha 0 about a quarter of the gaps are borders; from -1.5 to 1.5, the documented range, from few to most of them.
_ALPHA_SHIFT = 0.7
_AUTOMATIC_THRESHOLD = -0.6
_HEADING = re.compile(r"제\s?\d+\s?[장절편관조항](?:의\s?\d+)?(?=[\s(]|$)|#{1,6}\s|\d{1,2}\.\s|[IVX]{1,4}\.\s|[■□◆▶●○]")
_SHORT_LINE = 30


@dataclass(frozen=True)
class Options:
    """The settings of one request, as in the segmentation page."""

    alpha: float = 0.0
    seg_cnt: int = -1
    post_process: bool = False
    post_process_min_size: int = 300
    post_process_max_size: int = 1_000


def segment(text: str, options: Options) -> list[list[Sentence]]:
    """Split a text into topic paragraphs, each a list of its sentences.

    A given number of paragraphs takes precedence over ``alpha`` (no page says which one does).
    """
    sentences = split_sentences(text)
    if not sentences:
        return []
    scores = _gap_scores(sentences)
    if options.seg_cnt > 0:
        borders = set(sorted(range(len(scores)), key=lambda gap: (scores[gap], gap))[: options.seg_cnt - 1])
    else:
        automatic = options.alpha == AUTOMATIC_ALPHA
        threshold = _AUTOMATIC_THRESHOLD if automatic else options.alpha - _ALPHA_SHIFT
        borders = {gap for gap, score in enumerate(scores) if score < threshold}
    stops = [*sorted(gap + 1 for gap in borders), len(sentences)]
    groups = list(zip([0, *stops], stops, strict=False))
    if options.post_process:
        groups = _Fitting(sentences, scores, options).fit(groups)
    return [sentences[start:stop] for start, stop in groups]


def _gap_scores(sentences: list[Sentence]) -> list[float]:
    """The score of each gap between two sentences, in standard deviations; low where the topic changes."""
    vectors = [grams(sentence.text) for sentence in sentences]
    raw = []
    for gap in range(1, len(sentences)):
        before: dict[str, float] = {}
        after: dict[str, float] = {}
        for distance in range(_BLOCK):
            weight = 1 / (distance + 1)  # nearer sentences have more weight
            if gap - 1 - distance >= 0:
                add(before, vectors[gap - 1 - distance], weight)
            if gap + distance < len(vectors):
                add(after, vectors[gap + distance], weight)
        raw.append(cosine(before, after))
    if not raw:
        return []
    mean, spread = fmean(raw), pstdev(raw)
    scores = [(value - mean) / spread if spread else 0.0 for value in raw]
    return [score + _layout(sentences[gap], sentences[gap + 1]) for gap, score in enumerate(scores)]


def _layout(left: Sentence, right: Sentence) -> float:
    """Adjust a score by the layout: headings and empty lines separate; a heading stays with its text."""
    shift = 0.0
    if _is_title(left):
        shift += 2.0
    if right.after_line_break and _HEADING.match(right.text):
        shift -= 1.5
    if right.after_blank_line:
        shift -= 1.5
    elif not right.after_line_break:
        shift += 0.5
    return shift


def _is_title(sentence: Sentence) -> bool:
    return sentence.after_line_break and len(sentence.text) <= _SHORT_LINE and sentence.text[-1] not in ".?!…。！？다요"


class _Fitting:
    """Adjusts paragraphs to the requested sizes. The sizes are soft: sentences are never cut, as recorded.

    A paragraph is a range of sentence indexes; its size counts one character between two sentences.
    """

    def __init__(self, sentences: list[Sentence], scores: list[float], options: Options) -> None:
        self._ends = [0, *accumulate(len(sentence.text) + 1 for sentence in sentences)]
        self._scores = scores
        self._smallest = options.post_process_min_size
        self._largest = options.post_process_max_size

    def fit(self, groups: list[_Range]) -> list[_Range]:
        """Split paragraphs that are too long, then join those that are too short."""
        return self._join([part for group in groups for part in self._split(group)])

    def _size(self, group: _Range) -> int:
        return self._ends[group[1]] - self._ends[group[0]] - 1

    def _split(self, group: _Range) -> list[_Range]:
        """Cut a paragraph at its lowest gap until each part is short enough or a single sentence."""
        done: list[_Range] = []
        open_groups = [group]
        while open_groups:
            start, stop = open_groups.pop()
            if stop - start == 1 or self._size((start, stop)) <= self._largest:
                done.append((start, stop))
                continue

            def rank(cut: int, start: int = start, stop: int = stop) -> tuple[bool, float, int]:
                left, right = self._size((start, cut)), self._size((cut, stop))
                return min(left, right) < self._smallest, self._scores[cut - 1], abs(left - right)

            cut = min(range(start + 1, stop), key=rank)
            open_groups += [(cut, stop), (start, cut)]
        return done

    def _join(self, parts: list[_Range]) -> list[_Range]:
        """Join short paragraphs with the neighbour that is nearer in topic, if the sum is not too long."""
        done: list[_Range] = []
        pending = parts[::-1]
        while pending:
            current = pending.pop()
            choices: list[tuple[bool, float, bool, _Range]] = []
            if self._size(current) < self._smallest:
                for before, neighbours in ((True, done), (False, pending)):
                    if neighbours:
                        other = neighbours[-1]
                        joined = (other[0], current[1]) if before else (current[0], other[1])
                        too_long = self._size(joined) > self._largest
                        gap = (current[0] if before else current[1]) - 1
                        # If both neighbours are too long for it, it joins the smaller one.
                        rank = self._size(other) if too_long else -self._scores[gap]
                        choices.append((too_long, rank, before, joined))
            if not choices:
                done.append(current)
                continue
            _, _, before, joined = min(choices)
            (done if before else pending).pop()
            pending.append(joined)
        return done
