"""Decides whether to call a tool, which one, and with which arguments, by the words of the request.

A tool is called when the last message is the user's and shares words with the tool's name or description, or when an
instruction demands a call. A tool result is answered in text, so that no conversation is endless; where an instruction
demands calls, or where the result only says that another agent goes on, each tool is called at most once per user
message.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from clova_studio.emulator.language.handovers import is_handover, listed_agents, said_before
from clova_studio.emulator.language.lexicon import operation_words, same_meaning
from clova_studio.emulator.language.listings import places_together
from clova_studio.emulator.language.passages import text_of
from clova_studio.emulator.language.schema_fill import fill, name_parts
from clova_studio.emulator.language.schema_refs import inline
from clova_studio.emulator.language.source import Source
from clova_studio.emulator.language.text import content_words, listed
from clova_studio.emulator.rules.chat_request import ChatRequest, ForcedTool

_DEMAND = re.compile(
    r"\b(?:must|always|have to|required to|need to|only)\b[^.\n]{0,60}\b(?:call|use|invoke|answer with)\b[^.\n]{0,60}"
    r"\b(?:tools?|functions?)\b"
    r"|\b(?:call|use|using|invoke)\b[^.\n]{0,30}\b(?:tools?|functions?)\b"
    r"|(?:도구|함수|툴)[^.\n]{0,40}(?:호출|사용|이용)",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"\b(?:do not|don't|never|without)\b[^.\n]{0,40}\b(?:call|us(?:e|ing))\b"
    r"|(?:호출|사용|이용)하지\s?(?:마|말|않)|없이",
    re.IGNORECASE,
)
_OPTIONAL = re.compile(r"\b(?:if|when|may|can|optionally)\b|필요하면|필요한 경우|있으면|때", re.IGNORECASE)
_PLACE_NAMES = frozenset(
    listed("city cities location place region country town area destination 도시 위치 지역 장소 나라 국가 도시명")
)
_TO_AGENT = "to_agent"
_MOST_CALLS = 5
_NAME_WEIGHT = 2.0
_ENOUGH = 1.0
_SHORTEST_LATIN = 4
_SHORTEST_HANGUL = 2


@dataclass(frozen=True)
class Call:
    """A tool call: the tool's name and its arguments."""

    name: str
    arguments: dict[str, Any]


def choose_calls(request: ChatRequest) -> list[Call]:
    """The tool calls that answer a request; empty when the answer is text."""
    if not request.tools or request.tool_choice == "none":
        return []
    functions = [tool["function"] for tool in request.tools]
    messages = request.messages
    last_user = max((at for at, message in enumerate(messages) if message["role"] == "user"), default=None)
    if last_user is None:
        return []
    text = text_of(messages[last_user])
    if isinstance(request.tool_choice, ForcedTool):
        name = request.tool_choice.name
        return [make_call(next(function for function in functions if function["name"] == name), text)]
    called = {call["function"]["name"] for message in messages[last_user:] for call in message.get("toolCalls") or []}
    demanded = _is_demanded(messages, text, functions)
    if messages[-1]["role"] != "user":
        # After a result: only calls that an instruction demands, and each tool once.
        left = [function for function in functions if function["name"] not in called]
        if left and is_handover(messages[-1]):
            return _choose(left, text, demanded=demanded and not said_before(messages))
        results = "\n".join(text_of(message) for message in messages[last_user:] if message["role"] == "tool")
        if not (demanded and called and left and messages[-1]["role"] == "tool"):
            return []
        if not any(_is_demanded([message], "", functions) for message in messages if message["role"] == "system"):
            return []  # one call fulfils "use the tool" in the question
        return [make_call(left[-1], f"{text}\n{results}")]
    return _choose(functions, text, demanded=demanded)


def _choose(functions: list[dict[str, Any]], text: str, *, demanded: bool) -> list[Call]:
    """Call the tool that fits a text best, if it fits well enough or a call is demanded."""
    scores = fitness(text, functions)
    best = max(range(len(functions)), key=lambda index: (scores[index], -index))
    if scores[best] >= _ENOUGH or demanded:
        return make_calls(functions[best], text)
    return []


def make_calls(function: dict[str, Any], text: str) -> list[Call]:
    """Call a tool with arguments from the text: once for each of several places where it takes one place."""
    call = make_call(function, text)
    place = _place_of(function.get("parameters") or {})
    places = places_together(text) if place else []
    if len(places) < 2:  # noqa: PLR2004 - several
        return [call]
    return [Call(call.name, {**call.arguments, place: name}) for name in places[:_MOST_CALLS]]


def _place_of(parameters: dict[str, Any]) -> str:
    """The property that takes one place, if that is all that a tool requires; else empty."""
    properties, required = parameters.get("properties"), parameters.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list) or len(required) != 1:
        return ""
    name = str(required[0])
    schema = properties.get(name)
    if not isinstance(schema, dict) or schema.get("type") != "string" or "enum" in schema:
        return ""
    return "" if _PLACE_NAMES.isdisjoint(name_parts(name)) else name


def make_call(function: dict[str, Any], text: str) -> Call:
    """Call a tool with arguments from the text."""
    known = [word for word in _vocabulary(function) if len(word) > 1]
    known.append(function["name"].lower())
    schema = inline({"type": "object", **(function.get("parameters") or {})})
    filled = fill(schema, Source(text, known)) if schema.get("properties") else {}
    arguments = filled if isinstance(filled, dict) else {}  # not a dict when, for example, the root has an enum
    agent = choose_agent(str(function.get("description") or ""), text)
    if agent is not None and _TO_AGENT in arguments:
        arguments[_TO_AGENT] = agent
    return Call(function["name"], arguments)


def choose_agent(description: str, text: str) -> str | None:
    """The agent that fits a text best, of those that a tool's description lists; None where it lists none."""
    agents = listed_agents(description)
    if not agents:
        return None
    scores = fitness(text, [{"name": name, "description": known} for name, known in agents.items()])
    return list(agents)[scores.index(max(scores))]


def _is_demanded(messages: list[dict[str, Any]], text: str, functions: list[dict[str, Any]]) -> bool:
    """Whether the system message or the request demands a tool call."""
    instructions = [text_of(message) for message in messages if message["role"] == "system"]
    for sentence in re.split(r"(?<=[.!?\n])\s+", "\n".join([*instructions, text])):
        if _REFUSED.search(sentence):
            continue
        named = any(function["name"].lower() in sentence.lower() for function in functions)
        verb = re.search(r"\b(?:call|use|invoke)\b|호출|사용", sentence, re.IGNORECASE) is not None
        if (_DEMAND.search(sentence) or (named and verb)) and not _OPTIONAL.search(sentence):
            return True
    return False


def _vocabulary(function: dict[str, Any]) -> dict[str, float]:
    """The words that describe a tool, with their weights: those of its name count double."""
    vocabulary: dict[str, float] = {}
    described = content_words(str(function.get("description") or ""))
    for weight, found in ((1.0, described), (_NAME_WEIGHT, content_words(" ".join(name_parts(function["name"]))))):
        for word in found:
            vocabulary[word] = weight
            for other in same_meaning(word):
                vocabulary[other] = weight
    return vocabulary


def fitness(text: str, functions: list[dict[str, Any]]) -> list[float]:
    """How well each tool fits a text: the sum of shared words, weighted by their rarity among the tools."""
    vocabularies = [_vocabulary(function) for function in functions]
    spread = Counter(word for vocabulary in vocabularies for word in vocabulary)
    said = [*content_words(text), *operation_words(text)]
    lower = text.lower()
    scores = []
    for function, vocabulary in zip(functions, vocabularies, strict=True):
        score = 0.0
        for word, weight in vocabulary.items():
            if _said(word, said):
                score += weight * math.log(1 + len(functions) / spread[word]) / math.log(2)
        if re.search(rf"(?<!\w){re.escape(function['name'].lower())}(?!\w)", lower):
            score += 10.0
        scores.append(score)
    return scores


def _said(word: str, said: list[str]) -> bool:
    """Whether a text's words contain a word; a word also matches another one that begins with it."""
    shortest = _SHORTEST_LATIN if word.isascii() else _SHORTEST_HANGUL  # shorter stems match too much
    return word in said or any(
        min(len(word), len(other)) >= shortest and (other.startswith(word) or word.startswith(other)) for other in said
    )
