"""A request to the reranker, and its answer in terms of the caller's documents. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from clova_studio.adapters._citations import Cited, parse_citations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clova_studio.types import RerankResult, Usage

__all__ = ["RerankAnswer", "RerankRequest"]

_ANSWER = "답변:"
# Observed: documents of one line were not cited although they held the answer, passages of several hundred characters
# were.
_SHORT = 200


class RerankAnswer(NamedTuple):
    """What the reranker says about the documents of a request, which are named by their indices there.

    Attributes:
        cited: The indices of the cited documents, best first, each once.
        uncited: The indices of all others, in order.
        text: The answer that was written from the documents, without citation tags.
        raw: The answer as the service sent it.
        passages: The tagged passages of ``text``, each with the index of a document.
        suggested_queries: Other queries to try, when the documents hold no answer.
        usage: Tokens; None if nothing was sent.
        request_id: The id of the request; None if nothing was sent.
        unsent: The indices of the texts that are blank.
        hint: What may have kept documents from being cited; None if there is nothing to say.
    """

    cited: list[int]
    uncited: list[int]
    text: str
    raw: str
    passages: list[tuple[int, Cited]]
    suggested_queries: list[str]
    usage: Usage | None
    request_id: str | None
    unsent: frozenset[int] = frozenset()
    hint: str | None = None

    def kept(
        self,
        mark: Callable[[int, dict[str, Any]], Any],
        *,
        keep_uncited: bool | Literal["if_none_cited"],
        top_n: int | None,
    ) -> list[Any]:
        """Return the documents to keep: the cited ones, best first, then the others if wanted.

        Args:
            mark: Returns a copy of the document at an index with metadata: ``cited``, and ``rank`` from 1 if cited.
            keep_uncited: Whether the others follow; ``"if_none_cited"`` keeps those that are not blank if none was
                cited: that nothing was cited does not mean that nothing was found.
            top_n: Maximum number of documents, None for all.
        """
        found = [mark(i, {"cited": True, "rank": rank}) for rank, i in enumerate(self.cited, 1)]
        if keep_uncited is True:
            found += [mark(i, {"cited": False}) for i in self.uncited]
        elif keep_uncited and not found:
            found = [mark(i, {"cited": False}) for i in self.uncited if i not in self.unsent]
        return found[:top_n]

    def fields(self) -> dict[str, Any]:
        """Return the fields that the results of all frameworks share, by name."""
        return {
            "answer": self.text,
            "raw": self.raw,
            "suggested_queries": self.suggested_queries,
            "request_id": self.request_id,
            "hint": self.hint,
        }

    def citations(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the index of a document and the fields ``text``, ``start`` and ``end`` for each tagged passage."""
        return [
            (i, {"text": self.text[cited.start : cited.end], "start": cited.start, "end": cited.end})
            for i, cited in self.passages
        ]


class RerankRequest:
    """Texts in the form that the reranker takes.

    Ids number the texts that are sent, from ``doc1``: the answer's tags are numbered like that, whatever the ids are.

    Args:
        texts: The documents' texts; blank ones, which the service refuses, are not sent.

    Attributes:
        documents: What to send; empty if there is nothing to ask.
        index_of: For each id that is sent, the text's index in ``texts``.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._count = len(texts)
        self.documents: list[dict[str, str]] = []
        self.index_of: dict[str, int] = {}
        for i, text in enumerate(texts):
            if text.strip():
                name = f"doc{len(self.documents) + 1}"
                self.documents.append({"id": name, "doc": text})
                self.index_of[name] = i

    def answer(self, result: RerankResult | None) -> RerankAnswer:
        """Return the answer in terms of the texts.

        Args:
            result: The reranker's answer; None if nothing was sent. Ids that were not sent are left out.
        """
        unsent = frozenset(range(self._count)).difference(self.index_of.values())
        if result is None:
            return RerankAnswer([], list(range(self._count)), "", "", [], [], None, None, unsent)
        known = (self.index_of[found.id] for found in result.cited_documents if found.id in self.index_of)
        cited = list(dict.fromkeys(known))
        text, passages = parse_citations(result.result.removeprefix(_ANSWER).lstrip())
        return RerankAnswer(
            cited=cited,
            uncited=[i for i in range(self._count) if i not in cited],
            text=text,
            raw=result.result,
            passages=[(self.index_of[passage.id], passage) for passage in passages if passage.id in self.index_of],
            suggested_queries=list(result.suggested_queries),
            usage=result.usage,
            request_id=result.request_id,
            unsent=unsent,
            hint=None if cited else self._hint(),
        )

    def _hint(self) -> str | None:
        short = sum(len(document["doc"].strip()) < _SHORT for document in self.documents)
        if not short:
            return None
        return (
            f"the reranker cited none of {len(self.documents)} documents, and {short} of them are short: it often does "
            "not cite a document of one line although it holds the answer; give it passages of several hundred "
            "characters, or ask as one searches"
        )
