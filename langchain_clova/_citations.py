"""Citation tags in answers, ``<doc1>...</doc1>`` -> the plain answer and where it cites what. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from langchain_core.documents import Document
from pydantic import BaseModel

__all__ = ["Cited", "ClovaCitation", "citations_of", "parse_citations"]

_TAG = re.compile(r"<(/?)\s*(doc-?\d+)\s*>")


class ClovaCitation(BaseModel):
    """A passage of an answer and the document that it is from.

    Attributes:
        text: The passage, ``answer[start:end]``.
        start: Where it begins in the answer without tags, in characters.
        end: Where it ends.
        document: The document, as it was given or retrieved.
    """

    text: str
    start: int
    end: int
    document: Document


class Cited(NamedTuple):
    """A tagged passage: ``answer[start:end]`` is from the document with this id."""

    id: str
    start: int
    end: int


def parse_citations(raw: str) -> tuple[str, list[Cited]]:
    """Take the tags out of an answer.

    Args:
        raw: The answer with tags. One that is not closed, in an answer that was cut, reaches to the end.

    Returns:
        The answer without any tag, and the tagged passages that are not empty, by where they begin.
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
        place = next((i for i in reversed(range(len(opened))) if opened[i][0] == tag[2]), None)
        if place is not None:
            name, start = opened.pop(place)
            found.append(Cited(name, start, length))
    pieces.append(raw[position:])
    answer = "".join(pieces)
    found += [Cited(name, start, len(answer)) for name, start in opened]
    return answer, sorted(
        (cited for cited in found if cited.start < cited.end), key=lambda cited: (cited.start, -cited.end)
    )


def citations_of(answer: str, cited: list[Cited], documents: dict[str, Document]) -> list[ClovaCitation]:
    """Return tagged passages with their documents; what names a document that does not exist is left out."""
    return [
        ClovaCitation(
            text=answer[passage.start : passage.end],
            start=passage.start,
            end=passage.end,
            document=documents[passage.id],
        )
        for passage in cited
        if passage.id in documents
    ]
