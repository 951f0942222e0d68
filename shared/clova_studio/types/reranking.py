"""Reranker. Source: the reranker page of the API guide."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from clova_studio.types._base import Result, WireModel
from clova_studio.types.chat import Usage

__all__ = ["RerankDocument", "RerankResult"]


class RerankDocument(WireModel):
    """A document.

    Attributes:
        id: Its id as the request gave it.
        doc: Its text.
    """

    id: str
    doc: str = ""


class RerankResult(Result):
    """An answer written from documents, and the documents it cites. There are no scores.

    Source: the reranker page of the API guide.

    Attributes:
        result: The answer. Citations are marked ``<doc1>...</doc1>`` with the 1-based index of the document in the
            request, not its id.
        cited_documents: The cited documents in the service's order, verbatim; empty when no answer was found, which
            happens with documents of one line also where they hold it.
        suggested_queries: Other queries to try; filled only when no answer was found.
        usage: Tokens.
    """

    result: str
    cited_documents: list[RerankDocument] = Field(default_factory=list)
    suggested_queries: list[str] = Field(default_factory=list)
    usage: Usage | None = None

    @field_validator("cited_documents", "suggested_queries", mode="before")
    @classmethod
    def _none_is_nothing(cls, value: Any) -> Any:
        return [] if value is None else value
