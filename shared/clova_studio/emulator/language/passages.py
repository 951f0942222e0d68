# ruff: noqa: RUF001 - full-width marks and curly quotes are meant here
"""Answers a question with the best-fitting sentence of the conversation.

The score is the overlap of n-grams, weighted by their rarity among the candidate sentences: words that are in every
passage have little weight. The conversation is the only source.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clova_studio.emulator.language.sentences import split_sentences
from clova_studio.emulator.language.text import HANGUL, grams, is_korean, most_central, rarity

_LABELLED = re.compile(
    r"^[\s#*>-]*(?:질문|문의|물음|question|query|user question|input)\**\s*[:：]\**[ \t]*(\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL = re.compile(r"^[ \t]*\[([^\]\s]{1,24})\][ \t]*", re.MULTILINE)
_LEADING_MARKS = re.compile(
    r"\A(?:\[[^\]\s]{1,24}\]|[-*•]|\d{1,2}[.)]|[①-⑳]|제\s?\d+\s?조(?:의\s?\d+)?(?:\([^)]*\))?|\s)+"
)
_PASSAGES_LABEL = re.compile(
    r"^[ \t]*(?:context|passages?|documents?|sources?|자료|문맥|문서|본문|발췌문|참고 자료)[ \t]*[:：][ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_ANNOUNCED = re.compile(
    rf"{_PASSAGES_LABEL.pattern}"
    r"|<(?:context|documents?|passages?)>|\bcontext information\b|\b(?:following|given|provided|retrieved)\s+"
    r"(?:pieces of )?(?:retrieved )?(?:context|passages?|documents?|sources?)\b"
    r"|(?:다음|아래|주어진|제공된)\s?(?:의\s?)?(?:자료|문맥|문서|본문|발췌문|컨텍스트)",
    re.IGNORECASE | re.MULTILINE,
)
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
_SEVERAL = 2
_QUESTION = re.compile(r"[?？]\s*\Z|(?:까|나요|가요|는가|은가|인가|을까)[.?]?\s*\Z")
_INSTRUCTION = re.compile(
    r"\A(?:당신은|너는|넌|you are|you're|you must|answer|reply|respond|use |given |context|below)"
    r"|\A(?:아래|다음|주어진|문맥|자료|참고)"
    r"|(?:하세요|하십시오|주세요|해라|하라|마세요|마십시오|할 것|말 것|답하세요|답하라|답변하시오|하시오)[.!]?\Z",
    re.IGNORECASE,
)
_WANTS_NUMBER = re.compile(
    r"몇|얼마|언제|며칠|how (?:many|much|long|old|far|often)|when|what (?:year|date|time)", re.IGNORECASE
)
_SUMMARY = re.compile(r"요약|간추려|정리해|summar|tl;?dr", re.IGNORECASE)
_TO_SUMMARIZE = re.compile(
    r"\b(?:messages|conversation|text|history) to summarize\b.*$"
    r"|요약할\s?(?:대화|글|내용|메시지|본문).{0,40}[:：][ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_TAG = re.compile(r"</?[a-z_]+(?:\s[^<>]*)?/?>", re.IGNORECASE)
_REQUEST = re.compile(r"(?:줘|주세요|주십시오|하라|해라|하세요|하시오|달라|다오)[.!]?\Z|\Aplease\b", re.IGNORECASE)
_FULL_STOP = re.compile(r"[.!。！…][\"'”’)\]]*\Z")
_FRAGMENT = 0.4
_CONTENT_WEIGHT = 0.2
_ENOUGH = 0.34
_NEARLY_AS_GOOD = 0.9
_SUMMARY_SENTENCES = 3
_NO_QUESTION = "\n"  # which is in no sentence


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, or of all its text parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or [] if part.get("type") == "text")


@dataclass(frozen=True)
class Candidate:
    """A sentence that may answer, with the label of its passage (``[1]`` at the start of a line)."""

    text: str
    label: str


def find_question(text: str) -> str:
    """The question in a message: a labelled line, else the last question, request or sentence."""
    labelled = _LABELLED.findall(text)
    if labelled:
        return str(labelled[-1]).strip()
    sentences = [sentence.text for sentence in split_sentences(text)]
    asking = [sentence for sentence in sentences if _QUESTION.search(sentence)]
    asking = asking or [sentence for sentence in sentences if _REQUEST.search(sentence) or _SUMMARY.search(sentence)]
    if asking:
        return asking[-1]
    return sentences[-1] if sentences else text.strip()


def candidates(texts: Iterable[str], question: str) -> list[Candidate]:
    """The sentences of some texts that are neither questions nor instructions."""
    found: list[Candidate] = []
    seen: set[str] = set()
    for text in texts:
        text = _PASSAGES_LABEL.sub(lambda mark: " " * len(mark.group()), text)  # noqa: PLW2901 - of the same length
        labels = [(mark.start(), mark.group(1)) for mark in _LABEL.finditer(text)]
        for sentence in split_sentences(text):
            bare = _LEADING_MARKS.sub("", sentence.text)
            if not bare or bare in seen or bare in question or question in bare:
                continue
            if _QUESTION.search(bare) or _INSTRUCTION.search(bare):
                continue
            seen.add(bare)
            label = next((name for at, name in reversed(labels) if at <= sentence.start), "")
            found.append(Candidate(bare, label))
    return found


def rank_sentences(question: str, found: list[Candidate], enough: float = _ENOUGH) -> list[tuple[float, int]]:
    """Score and index of each sentence that covers enough of a question's weight, best first."""
    wanted = {gram: weight for gram, weight in grams(question).items() if weight > _CONTENT_WEIGHT}
    if not wanted or not found:
        return []
    vectors = [grams(candidate.text) for candidate in found]
    rare = rarity([*vectors, wanted])
    total = sum(weight * rare[gram] for gram, weight in wanted.items())
    wants_number = _WANTS_NUMBER.search(question) is not None
    scored: list[tuple[float, int]] = []
    for index, vector in enumerate(vectors):
        shared = sum(weight * rare[gram] for gram, weight in wanted.items() if gram in vector)
        if shared < enough * total:
            continue
        length = math.sqrt(sum((weight * rare[gram]) ** 2 for gram, weight in vector.items()))
        score = shared / length**0.5
        if wants_number and any(character.isdigit() for character in found[index].text):
            score *= 1.25
        if not _FULL_STOP.search(found[index].text):
            score *= _FRAGMENT  # a heading or list item says less than a sentence
        scored.append((score, index))
    return sorted(scored, key=lambda pair: (-pair[0], pair[1]))


def answer_from(question: str, texts: list[str]) -> str | None:
    """The sentences of some texts that answer a question, with the labels of their passages; None when none fits.

    These are the most central ones for a summary, else the best one and a second one that is nearly as good.
    """
    found = candidates(texts, question)
    if _SUMMARY.search(question):
        chosen = most_central((item.text for item in found), _SUMMARY_SENTENCES)
    else:
        if not HANGUL.search(question) and len(_LATIN_WORD.findall(question)) >= _SEVERAL:
            found = [item for item in found if not is_korean(item.text)]  # in the language of the question
        scored = rank_sentences(question, found)
        chosen = [index for score, index in scored[:2] if score >= _NEARLY_AS_GOOD * scored[0][0]]
    answer = (found[index] for index in chosen)
    return " ".join(f"{item.text} [{item.label}]" if item.label else item.text for item in answer) or None


def summary_of_marked(text: str) -> str | None:
    """A summary of what a prompt marks as to be summarised, which is all that follows the mark; None without one."""
    marks = list(_TO_SUMMARIZE.finditer(text))
    if not marks:
        return None
    marked = _TAG.sub("\n", text[marks[-1].end() :])
    sentences = candidates([marked], _NO_QUESTION)
    chosen = most_central((item.text for item in sentences), _SUMMARY_SENTENCES)
    return " ".join(sentences[index].text for index in chosen) or None


def has_passages(messages: Iterable[Mapping[str, Any]], question: str) -> bool:
    """Whether a conversation has passages, in which case a question without a match has no answer in them.

    Passages are labelled, announced, or several sentences of an instruction that instruct nothing.
    """
    for message in messages:
        text = text_of(message)
        if message["role"] == "assistant":
            continue
        if _LABEL.search(text) or _ANNOUNCED.search(text):
            return True
        if message["role"] == "system" and len(candidates([text], question)) >= _SEVERAL:
            return True
    return False
