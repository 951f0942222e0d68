"""Documents on their way through the reranker: as sent, and which of them the answer cites. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clova_studio.adapters._citations import Cited, parse_citations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clova_studio.types import RerankResult

__all__ = ["RerankAnswer", "RerankRequest"]

_ANSWER = "답변:"


class RerankAnswer(NamedTuple):
    """What the reranker said about the documents of a request, which it names by their places there.

    Attributes:
        cited: The places of the cited documents, best first, each once.
        uncited: The places of all others, in order.
        text: The answer that was written from the documents, without citation tags.
        raw: The answer as it came.
        passages: The tagged passages of ``text``, with the place of a document each.
        suggested_queries: Other queries to try, when the documents hold no answer.
    """

    cited: list[int]
    uncited: list[int]
    text: str
    raw: str
    passages: list[tuple[int, Cited]]
    suggested_queries: list[str]


class RerankRequest:
    """Texts as the reranker takes them.

    Ids are the places in the request, ``doc1`` being the first: the answer's tags count like that, whatever the ids.

    Args:
        texts: The documents' texts; blank ones, which the service refuses, are not sent.

    Attributes:
        documents: What to send; empty if there is nothing to ask.
        place_of: For each id that is sent, the text's place among ``texts``, from 0.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._count = len(texts)
        self.documents: list[dict[str, str]] = []
        self.place_of: dict[str, int] = {}
        for i, text in enumerate(texts):
            if text.strip():
                name = f"doc{len(self.documents) + 1}"
                self.documents.append({"id": name, "doc": text})
                self.place_of[name] = i

    def answer(self, result: RerankResult | None) -> RerankAnswer:
        """Return what the reranker said.

        Args:
            result: The answer; None where nothing was sent. Ids that were not sent are left out.
        """
        if result is None:
            return RerankAnswer([], list(range(self._count)), "", "", [], [])
        known = (self.place_of[found.id] for found in result.cited_documents if found.id in self.place_of)
        cited = list(dict.fromkeys(known))
        text, passages = parse_citations(result.result.removeprefix(_ANSWER).lstrip())
        return RerankAnswer(
            cited=cited,
            uncited=[i for i in range(self._count) if i not in cited],
            text=text,
            raw=result.result,
            passages=[(self.place_of[passage.id], passage) for passage in passages if passage.id in self.place_of],
            suggested_queries=list(result.suggested_queries),
        )
