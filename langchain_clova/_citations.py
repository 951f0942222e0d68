"""Cited passages of an answer, with LangChain's documents. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.documents import Document
from pydantic import BaseModel

if TYPE_CHECKING:
    from clova_studio.adapters import Cited

__all__ = ["ClovaCitation", "citations_of"]


class ClovaCitation(BaseModel):
    """A passage of an answer and the document that it cites.

    Attributes:
        text: The passage, ``answer[start:end]``.
        start: Where it begins in the answer without tags, in characters from 0.
        end: Where it ends, in characters.
        document: The document, as it was given or retrieved.
    """

    text: str
    start: int
    end: int
    document: Document


def citations_of(answer: str, cited: list[Cited], documents: dict[str, Document]) -> list[ClovaCitation]:
    """Return tagged passages with their documents, without those whose tag names no document."""
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
