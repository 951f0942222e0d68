"""Finds the topic of a query among those of a configuration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clova_studio.emulator.language.lexicon import mentions
from clova_studio.emulator.language.tool_calls import fitness
from clova_studio.emulator.rules.refusals import Refusal

if TYPE_CHECKING:
    from clova_studio.emulator.console.config import Provoked, Topic

_KEYWORD = 2.0
_ENOUGH = 1.0


def find_topic(query: str, topics: Sequence["Topic"]) -> int | None:
    """Index of the topic that fits a query best, the first of equals; None when none fits."""
    scores = _scores(query, topics)
    best = max(range(len(topics)), key=lambda index: (scores[index], -index), default=None)
    return best if best is not None and scores[best] >= _ENOUGH else None


def find_topics(query: str, topics: Sequence["Topic"]) -> list[str]:
    """Names of all topics that fit a query."""
    return [topic.name for topic, score in zip(topics, _scores(query, topics), strict=True) if score >= _ENOUGH]


def _scores(query: str, topics: Sequence["Topic"]) -> list[float]:
    """The score of each topic, from its keywords if it has any, else from its name and description."""
    described = [{"name": topic.name, "description": topic.description} for topic in topics]
    fits = fitness(query, described)
    return [
        _KEYWORD * sum(mentions(query, keyword) for keyword in topic.keywords) if topic.keywords else fit
        for topic, fit in zip(topics, fits, strict=True)
    ]


def provoke(query: str, errors: Sequence["Provoked"]) -> None:
    """Refuse a query that has a word for which the configuration defines an error."""
    for error in errors:
        if mentions(query, error.keyword):
            raise Refusal(error.code, error.message)
