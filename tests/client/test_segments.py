"""Paragraphs found in their source again: exact slices, nothing lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clova_studio import ConfigurationError, TextSpan, align_segments, segmentation_windows


def cut(source: str, spans: list[TextSpan]) -> list[str]:
    """Return the pieces, checking that only white space lies between and around them."""
    borders = [0, *[place for span in spans for place in span], len(source)]
    assert borders == sorted(borders)
    assert all(not source[left:right].strip() for left, right in zip(borders[::2], borders[1::2], strict=True))
    pieces = [source[start:end] for start, end in spans]
    assert all(piece and piece == piece.strip() for piece in pieces)
    return pieces


def test_paragraphs_are_slices() -> None:
    """Trimmed sentences without separators become slices with the separators inside."""
    source = "  하나입니다. 둘입니다.\n\n셋입니다.\t넷입니다.  "
    spans = align_segments(source, [["하나입니다.", "둘입니다."], ["셋입니다.", "넷입니다."]])
    assert cut(source, spans) == ["하나입니다. 둘입니다.", "셋입니다.\t넷입니다."]


def test_repeated_sentences_are_told_apart() -> None:
    """The same sentence in several paragraphs is found at its own span each time."""
    source = "네. 네. 아니요. 네. 네."
    spans = align_segments(source, [["네."], ["네.", "아니요."], ["네."], ["네."]])
    assert cut(source, spans) == ["네.", "네. 아니요.", "네.", "네."]
    assert [span.start for span in spans] == [0, 3, 11, 14]


def test_altered_white_space_is_followed() -> None:
    """A sentence whose inner white space was changed is found all the same."""
    source = "첫  문장은\n길다. 둘째 문장. 셋째."
    spans = align_segments(source, [["첫 문장은 길다."], ["둘째 문장."], ["셋째."]])
    assert cut(source, spans) == ["첫  문장은\n길다.", "둘째 문장.", "셋째."]


def test_text_that_the_answer_left_out_is_not_lost() -> None:
    """What the answer skipped stays with the paragraph before it, or the first."""
    source = "머리말 본문입니다. 빠진 문장. 끝입니다. 꼬리말"
    spans = align_segments(source, [["본문입니다."], ["끝입니다."]])
    assert cut(source, spans) == ["머리말 본문입니다. 빠진 문장.", "끝입니다. 꼬리말"]
    assert cut(source, align_segments(source, [])) == [source]


def test_a_hard_cap_cuts_at_sentences_then_blanks_then_anywhere() -> None:
    """No piece is longer than the cap; sentence ends are preferred, then blanks."""
    source = "첫 문장이다. 둘째 문장이다. " + "긴낱말" * 10
    pieces = cut(source, align_segments(source, [[source]], max_size=9))
    assert all(len(piece) <= 9 for piece in pieces)
    assert pieces[:2] == ["첫 문장이다.", "둘째 문장이다."]


@pytest.mark.slow
@given(
    st.lists(st.lists(st.text("가나.\u2028a ", min_size=1, max_size=12), min_size=1, max_size=4), max_size=6),
    st.lists(st.sampled_from([" ", "\n", "\n\n", "\u3000", ""]), min_size=30, max_size=30),
    st.none() | st.integers(1, 20),
)
def test_any_segmentation_loses_nothing(paragraphs: list[list[str]], separators: list[str], cap: int | None) -> None:
    """For any text and separators the pieces are ordered slices with only white space between them."""
    gaps = iter(separators)
    source = "".join(next(gaps, " ") + sentence for sentences in paragraphs for sentence in sentences)
    answer = [[s.strip() for s in sentences if s.strip()] for sentences in paragraphs]
    pieces = cut(source, align_segments(source, answer, max_size=cap))
    assert cap is None or all(len(piece) <= cap for piece in pieces)


@given(st.text("가나. \n", max_size=300), st.integers(1, 50))
def test_windows_fit_and_lose_nothing(text: str, size: int) -> None:
    """Windows are ordered slices of at most the size with only white space between them."""
    windows = segmentation_windows(text, size=size)
    pieces = cut(text, windows)
    assert all(len(piece) <= size for piece in pieces)


def test_windows_end_at_paragraphs() -> None:
    """A long text is cut at blank lines where there are any, then at sentences."""
    text = "가나다라. 마바사.\n\n아자차카. 타파하.\n\n끝."
    assert cut(text, segmentation_windows(text, size=22)) == ["가나다라. 마바사.", "아자차카. 타파하.\n\n끝."]
    assert cut(text, segmentation_windows(text, size=8)) == ["가나다라.", "마바사.", "아자차카.", "타파하.\n\n끝."]
    assert segmentation_windows(" \n ") == []


def test_a_window_of_the_source_is_aligned_in_place() -> None:
    """Paragraphs of one window are given as spans of the whole source."""
    source = "하나. 둘. 셋. 넷."
    windows = segmentation_windows(source, size=6)
    spans = [span for window in windows for span in align_segments(source, [[source[slice(*window)]]], window=window)]
    assert spans == windows
    assert all(left.end <= right.start for left, right in pairwise(spans))


def test_wrong_sizes_are_refused() -> None:
    """A cap or window below one character is refused by name."""
    with pytest.raises(ConfigurationError, match="max_size"):
        align_segments("a", [["a"]], max_size=0)
    with pytest.raises(ConfigurationError, match="size"):
        segmentation_windows("a", size=0)
