# ruff: noqa: RUF001 - full-width colons are meant here
"""Rewrites a follow-up question so that it can be understood alone, where RAG programs ask for that.

The words that an earlier question is about are put before a question that does not have them.
"""

import re
from collections.abc import Sequence
from typing import Any

from clova_studio.emulator.language.passages import text_of
from clova_studio.emulator.language.text import content_words, is_korean, listed, stem

_REWRITE = re.compile(
    r"\b(?:rephrase|reformulate|rewrite|formulate|condense)\b|다시\s?(?:쓰|써|작성|구성|표현)|재구성|재작성|바꾸|바꿔",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"\b(?:question|query)\b|질문|질의|검색어", re.IGNORECASE)
_CONVERSATION = re.compile(r"\b(?:conversation|(?:chat )?history|standalone)\b|대화|기록|독립|맥락", re.IGNORECASE)
# A prompt that holds all of the conversation: the last question after a label, and before it what was said, by speaker.
_FOLLOW_UP = re.compile(
    r"^[ \t]*<?(?:follow[ -]?up (?:input|message|question)|후속 질문|마지막 질문|이어진 질문)\s*[>:：]+\s*(\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_SAID = re.compile(r"^[ \t]*(?:user|human|사용자|질문)\s*[:：]\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_TOPIC = re.compile(r"([가-힣]{2,})(?:은|는|이|가|을|를)(?![가-힣])")
_BACKWARDS = re.compile(r"\A\s*(?:(?:그럼|그러면|그리고|그런데)[,\s]+)?(?:(?:그|이|저)\s)?")
_TOPIC_WORDS = 2
_INTERROGATIVES = frozenset(listed("며칠 얼마 무엇 누구 어디 언제 무슨"))


def rewrite_question(messages: Sequence[dict[str, Any]]) -> str | None:
    """The last question of a conversation as one that stands alone; None where that is not asked for."""
    if messages[-1]["role"] != "user":
        return None
    last = text_of(messages[-1])
    if any(_is_asked_for(text_of(message)) for message in messages if message["role"] == "system"):
        return _standalone(last.strip(), [text_of(message) for message in messages[:-1] if message["role"] == "user"])
    found = list(_FOLLOW_UP.finditer(last)) if _is_asked_for(last) else []
    if not found:
        return None
    return _standalone(found[-1].group(1).strip(), _SAID.findall(last[: found[-1].start()]))


def _is_asked_for(text: str) -> bool:
    return all(pattern.search(text) for pattern in (_REWRITE, _QUESTION, _CONVERSATION))


def _standalone(question: str, earlier: Sequence[str]) -> str:
    known = content_words(question)
    for said in reversed(earlier):
        named = [stem(word) for word in _TOPIC.findall(said)] or content_words(said)
        topic = [word for word in named if word not in _INTERROGATIVES][:_TOPIC_WORDS]
        missing = [word for word in topic if word not in known]
        if len(missing) < len(topic):
            return question  # it says itself what it is about
        if missing and is_korean(question):
            return f"{' '.join(missing)} {_BACKWARDS.sub('', question)}"
        if missing:
            return f"About {' '.join(missing)}: {question}"
    return question
