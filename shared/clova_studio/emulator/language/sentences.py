# ruff: noqa: RUF001 - full-width marks and curly quotes are meant here
"""Splits text into sentences that are exact slices of it, separated only by white space.

The segmentation page shows sentences without the line breaks between them; a public recording shows that a sentence
keeps its full stop, its quotes and its inner spaces.
"""

import re
from dataclasses import dataclass

from clova_studio.emulator.language.text import listed

_END = re.compile(r"[.?!…。！？]+[\"'”’」』)\]）》〉>]*")
_PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n|\r\n[^\S\n]*\r\n|\r[^\S\r]*\r")
_LINE_BREAK = re.compile(r"\r\n|[\n\r\u2028\u2029\x85\v\f]")
_LIST_MARK = re.compile(
    r"[\s(\[]*(?:\d{1,3}|[가나다라마바사아자차카타파하]|[A-Za-z]|[ivxIVX]{1,5})(?:\.\d{1,3})*\.\s*\Z"
)
_DATE = re.compile(r"\d{1,4}\s?\.\s?\d{1,2}\s?\.(?:\s?\d{1,2}\s?\.)?[\"'”’」』)\]）》〉>]*\Z")
_WORD_BEFORE = re.compile(r"(?:[A-Za-z]\.)*[A-Za-z]+\Z")
_ALWAYS_ABBREVIATED = frozenset(listed("mr mrs ms dr prof st gen sen rep gov capt sgt col vs fig figs vol pp cf eg ie"))
_OFTEN_ABBREVIATED = frozenset(
    listed(
        "no nos etc inc ltd co corp jr sr al approx dept est am pm jan feb mar apr jun jul aug "
        "sep sept oct nov dec ph.d a.m p.m u.s u.k e.g i.e"
    )
)
_CIRCLED = re.compile(r"[①-⑳㉠-㉭ⓐ-ⓩ]")
_LOOK_BACK = 40


@dataclass(frozen=True)
class Sentence:
    """A sentence: the slice ``source[start:end]``, stripped of white space."""

    text: str
    start: int
    end: int
    after_blank_line: bool
    after_line_break: bool


def split_sentences(text: str) -> list[Sentence]:
    """Split a text into its sentences.

    A sentence ends at a full stop, question mark, exclamation mark or ellipsis (and its closing quotes or brackets)
    before white space, at a Korean full stop without white space after it, and at a line break, unless the next line
    continues in lower case. The dots of decimal numbers, list marks, dates and abbreviations do not end a sentence.
    """
    found: list[Sentence] = []
    begin = 0
    for border in [*_borders(text), len(text)]:
        piece = text[begin:border]
        stripped = piece.strip()
        if stripped:
            start = begin + len(piece) - len(piece.lstrip())
            gap = text[found[-1].end if found else 0 : start]
            found.append(
                Sentence(
                    text=stripped,
                    start=start,
                    end=start + len(stripped),
                    after_blank_line=bool(found) and _PARAGRAPH_BREAK.search(gap) is not None,
                    after_line_break=not found or _LINE_BREAK.search(gap) is not None,
                )
            )
        begin = border
    return found


def _borders(text: str) -> list[int]:
    borders: list[int] = []
    last = 0
    line_start = 0
    for line in [*_LINE_BREAK.finditer(text), None]:
        line_end = len(text) if line is None else line.start()
        for end in _END.finditer(text, line_start, line_end):
            if _ends_sentence(text, max(last, line_start), end.start(), end.end(), line_end):
                borders.append(end.end())
                last = end.end()
        if line is not None:
            if not _goes_on(text, line_start, line):
                borders.append(line.end())
                last = line.end()
            line_start = line.end()
    return borders


def _goes_on(text: str, line_start: int, line: re.Match[str]) -> bool:
    """Whether a line break only wraps a sentence, which is visible in Latin text that continues in lower case."""
    before = text[line_start : line.start()].rstrip()
    after = text[line.end() : line.end() + 1]
    return bool(before) and before[-1] not in ".?!…。！？:;" and after.isascii() and after.islower()


def _ends_sentence(text: str, begin: int, mark: int, end: int, line_end: int) -> bool:
    rest = text[end:line_end]
    following = rest.lstrip()[:1]
    if not following:
        return True  # the line ends here
    spaced = rest[:1].isspace()
    previous = text[mark - 1 : mark]
    single = text[mark:end].rstrip("\"'”’」』)]）》〉>") == "."
    if text[mark] in "。！？":
        return rest[:1] not in "」』)]）、。"
    if not spaced:
        # "…이다.다음은", "…있다.②…": a full stop between Hangul, or before a circled number.
        glued = "가" <= previous <= "힣" and single and end == mark + 1
        return glued and ("가" <= following <= "힣" or _CIRCLED.match(following) is not None)
    if not single:
        # After an ellipsis or a question inside a sentence, the text continues in lower case.
        return not (following.isascii() and following.islower())
    return not _is_inner_dot(text, begin, mark, end, following)


def _is_inner_dot(text: str, begin: int, mark: int, end: int, following: str) -> bool:
    """Whether a full stop before white space belongs to a list mark, a date or an abbreviation."""
    before = text[max(begin, mark - _LOOK_BACK) : mark]
    with_dot = before + text[mark:end]
    previous = before[-1:]
    if _LIST_MARK.fullmatch(with_dot.lstrip()) and mark - begin <= _LOOK_BACK:
        return True
    if previous.isdigit() and (following.isdigit() or _DATE.search(with_dot)):
        return True
    word_found = _WORD_BEFORE.search(before)
    if word_found is None:
        return False
    word = word_found.group().lower()
    if word.replace(".", "") in _ALWAYS_ABBREVIATED:
        return True
    if len(word) == 1 and word != "i" and word_found.group().isupper():
        return True  # an initial: "J. Smith"
    if word in _OFTEN_ABBREVIATED or "." in word:
        return following.isdigit() or (following.isascii() and following.islower())
    return following.isascii() and following.islower()
