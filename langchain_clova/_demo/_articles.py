"""Finds the articles of a Korean statute that a span of its text belongs to."""

from __future__ import annotations

import re
from bisect import bisect_right

__all__ = ["ArticleIndex", "article_index"]

_HEADING = re.compile(
    r"(?m)^[^\S\n]*(?:"
    r"(?P<article>제\d+조(?:의\d+)?)(?=[\s(])"
    r"|(?P<chapter>제\d+[편장절관](?=\s))"
    r"|(?:펼침[^\S\n]+)?(?P<addenda>부칙)(?=\s))"
)


class ArticleIndex:
    """The headings of a text and where they start."""

    def __init__(self, starts: list[int], names: list[str]) -> None:
        self._starts = starts
        self._names = names

    def between(self, start: int, end: int) -> list[str]:
        """Return the articles that ``text[start:end]`` touches, in order; none for a text without articles."""
        # From the article in which the span begins, unless it begins before the first one.
        first = max(bisect_right(self._starts, start) - 1, 0)
        last = bisect_right(self._starts, end - 1)
        return [name for name in self._names[first:last] if name]


def article_index(text: str) -> ArticleIndex:
    """Return the headings of a text: articles (``제42조`` at the start of a line), with ``부칙`` in front after it.

    The headings of chapters and sections end the article before them and have no name of their own.
    """
    starts, names, prefix = [], [], ""
    for match in _HEADING.finditer(text):
        if match["addenda"]:
            prefix = "부칙 "
        starts.append(match.start(match.lastgroup or 0))
        names.append(prefix + match["article"] if match["article"] else "")
    return ArticleIndex(starts, names)
