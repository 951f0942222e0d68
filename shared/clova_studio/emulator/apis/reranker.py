"""Reranker: picks the documents that answer a query, and answers from them ("Reranker" page).

It gives no scores. The tags of the answer are the indexes of the documents in the request, counted from 1.
"""

from dataclasses import dataclass
from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.passages import Candidate, candidates, rank_sentences
from clova_studio.emulator.language.text import content_words, is_korean
from clova_studio.emulator.rules.checks import integer, text
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.delivery import JsonAnswer
from clova_studio.emulator.server.wire import usage

_MAX_INPUT = 128_000
_MAX_OUTPUT = 4_096  # the page says "< 4096"; two clients send it, one with a recorded answer
_DEFAULT_OUTPUT = 1_024
_NEARLY_AS_GOOD = 0.5
# Less than in chat: the documents were found for this query, so one of them is likely to answer it.
_ENOUGH = 0.25
_MOST_CITED = 5
_MOST_SUGGESTED = 3


@dataclass(frozen=True)
class Cited:
    """A document that answers the query: its index, and the sentence that answers."""

    index: int
    sentence: str


def rerank(call: ApiCall) -> JsonAnswer:
    """Answer a query from documents."""
    body = call.body
    documents = check_documents(body.get("documents"), "documents")
    query = text(body, "query")
    limit = integer(body, "maxTokens", 1, _MAX_OUTPUT - (not call.facts.takes("reranker-4096"))) or _DEFAULT_OUTPUT
    size = tokens.count_prompt([{"content": item["doc"]} for item in documents], most=_MAX_INPUT)
    size += tokens.count(query, _MAX_INPUT)
    if size > _MAX_INPUT:
        raise Refusal("40003")
    headers = call.charge("reranker", size + limit)
    cited = cite(query, [item["doc"] for item in documents])
    if cited:
        answer = " ".join(f"<doc{item.index + 1}>{item.sentence}</doc{item.index + 1}>" for item in cited)
    elif is_korean(query):
        answer = "검색 결과에 해당 내용이 없어 알려 드릴 수 없습니다."
    else:
        answer = "The documents do not contain the answer."
    answer, _ = tokens.cut(f"답변: {answer}", limit)
    result = {
        "result": answer,
        # The page does not define the order; callers take it as the ranking.
        "citedDocuments": [documents[item.index] for item in cited],
        "suggestedQueries": [] if cited else _suggest(documents),
        "usage": usage(size, tokens.count(answer)),
    }
    return JsonAnswer.success(result, headers)


def check_documents(value: Any, where: str) -> list[dict[str, str]]:
    """Check a list of documents: at least one, each with ``id`` and ``doc``."""
    if not isinstance(value, list) or not value:
        raise invalid(where)
    documents = []
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise invalid(f"{where}[{index}]")
        if not isinstance(item.get("id"), str) or not item["id"]:
            raise invalid(f"{where}[{index}].id")
        if not isinstance(item.get("doc"), str):
            raise invalid(f"{where}[{index}].doc")
        if not item["doc"].strip():
            raise Refusal("40004")
        documents.append({"id": item["id"], "doc": item["doc"]})
    return documents


def cite(query: str, documents: list[str]) -> list[Cited]:
    """The at most five documents that answer a query, best first, with the best sentence of each."""
    found: list[Candidate] = []
    for index, document in enumerate(documents):
        # The label is the index of the sentence's document.
        found.extend(Candidate(item.text, str(index)) for item in candidates([document], query))
    ranked = rank_sentences(query, found, _ENOUGH)
    cited: dict[int, Cited] = {}
    for score, best in ranked:
        index = int(found[best].label)
        if score >= _NEARLY_AS_GOOD * ranked[0][0] and index not in cited:
            cited[index] = Cited(index, found[best].text)
    return list(cited.values())[:_MOST_CITED]


def _suggest(documents: list[dict[str, str]]) -> list[str]:
    """Queries that the documents could answer: the first content words of each."""
    suggested = (" ".join(content_words(item["doc"])[:3]) for item in documents[:_MOST_SUGGESTED])
    return list(dict.fromkeys(filter(None, suggested)))
