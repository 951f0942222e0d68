"""Reads citation tags in answers, ``<doc1>...</doc1>``: gives the plain answer and its cited passages. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Cited", "parse_citations"]

_TAG = re.compile(r"<(/?)\s*(doc-?\d+)\s*>")


class Cited(NamedTuple):
    """A tagged passage: ``answer[start:end]`` comes from a document.

    Attributes:
        id: The document's id, as the tag has it.
        start: Where the passage begins, in characters from 0.
        end: Where it ends, in characters.
    """

    id: str
    start: int
    end: int


def parse_citations(raw: str) -> tuple[str, list[Cited]]:
    """Take the tags out of an answer.

    Args:
        raw: The answer with tags. A tag that is not closed, as in a truncated answer, reaches to the end.

    Returns:
        The answer without any tag, and the tagged passages that are not empty, in order of their start.
    """
    pieces: list[str] = []
    length = position = 0
    opened: list[tuple[str, int]] = []
    found: list[Cited] = []
    for tag in _TAG.finditer(raw):
        pieces.append(raw[position : tag.start()])
        length += tag.start() - position
        position = tag.end()
        if not tag[1]:
            opened.append((tag[2], length))
            continue
        index = next((i for i in reversed(range(len(opened))) if opened[i][0] == tag[2]), None)
        if index is not None:
            name, start = opened.pop(index)
            found.append(Cited(name, start, length))
    pieces.append(raw[position:])
    answer = "".join(pieces)
    found += [Cited(name, start, len(answer)) for name, start in opened]
    return answer, sorted(
        (cited for cited in found if cited.start < cited.end), key=lambda cited: (cited.start, -cited.end)
    )
