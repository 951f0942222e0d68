"""The answers of the emulated model, computed from the request by plain rules; the same request has the same answer."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.handovers import is_handover, said_before
from clova_studio.emulator.language.json_answers import find_json_request, write_json
from clova_studio.emulator.language.passages import (
    answer_from,
    find_question,
    has_passages,
    summary_of_marked,
    text_of,
)
from clova_studio.emulator.language.readable import readable
from clova_studio.emulator.language.rewriting import rewrite_question
from clova_studio.emulator.language.schema_fill import fill
from clova_studio.emulator.language.schema_refs import inline
from clova_studio.emulator.language.source import Source
from clova_studio.emulator.language.text import is_korean
from clova_studio.emulator.language.tool_calls import Call, choose_calls
from clova_studio.emulator.rules.chat_request import ChatRequest

_MAX_ECHO = 160
_MAX_WHOLE_RESULT = 400
_CALL_TOKENS = 8
# Number of sentences of thinking per effort.
_THOUGHTS = {"none": 0, "low": 2, "medium": 4, "high": 6}


@dataclass(frozen=True)
class Reply:
    """An answer, not yet in a wire form."""

    content: str
    finish: str = "stop"  # or "length" or "tool_calls"
    thinking: str | None = None  # None when the model did not think
    calls: list[Call] = field(default_factory=list)
    thinking_tokens: int = 0
    output_tokens: int = 0  # including those of the thinking


def compute_reply(request: ChatRequest) -> Reply:
    """Answer a request.

    A tool is called where one fits; else a response format is filled; else the answer is text. Thinking comes before
    the content and counts towards the same limit; when it uses up the limit, the content is empty, as recorded for
    HCX-007.
    """
    calls = choose_calls(request)
    if calls:
        return Reply("", "tool_calls", calls=calls, output_tokens=_tokens_of_calls(calls))
    thinking, thought = None, 0
    if request.effort != "none":
        thinking, spent = tokens.cut(_think(request), request.limit)
        thought = tokens.count(thinking)
        if spent or thought >= request.limit:
            return Reply("", "length", thinking, thinking_tokens=thought, output_tokens=thought)
    content = _structured(request) if request.schema is not None else _text(request)
    content, was_cut = tokens.cut(cut_at_stop(content, request.stop), request.limit - thought)
    output = thought + tokens.count(content)
    return Reply(content, "length" if was_cut else "stop", thinking, thinking_tokens=thought, output_tokens=output)


def cut_at_stop(text: str, stop: Iterable[str]) -> str:
    """A text up to the first of its stop strings."""
    for string in stop:
        text = text.partition(string)[0]
    return text


def scripted_reply(answer: str | Mapping[str, Any]) -> Reply:
    """A scripted answer, sent without cuts."""
    if isinstance(answer, str):
        return Reply(answer, output_tokens=tokens.count(answer))
    calls = [Call(call["name"], dict(call.get("arguments") or {})) for call in answer.get("tool_calls") or []]
    content, thinking = answer.get("content") or "", answer.get("thinking")
    thought = tokens.count(thinking or "")
    return Reply(
        content=content,
        finish=answer.get("finish_reason") or ("tool_calls" if calls else "stop"),
        thinking=thinking,
        calls=calls,
        thinking_tokens=thought,
        output_tokens=thought + tokens.count(content) + _tokens_of_calls(calls),
    )


def _tokens_of_calls(calls: list[Call]) -> int:
    return sum(tokens.count_json(call.arguments) + tokens.count(call.name) + _CALL_TOKENS for call in calls)


def _last_user(messages: list[dict[str, Any]]) -> str:
    return next((text_of(message) for message in reversed(messages) if message["role"] == "user"), "")


def _structured(request: ChatRequest) -> str:
    """A JSON text that matches the schema, indented as in recorded answers."""
    source = Source(_last_user(request.messages))
    value = fill(inline(request.schema or {}), source, everything=True)
    return json.dumps(value, ensure_ascii=False, indent=2)


def _text(request: ChatRequest) -> str:
    messages = request.messages
    rewritten = rewrite_question(messages)
    if rewritten is not None:
        return rewritten
    said = _last_user(messages) or text_of(messages[-1])
    summary = summary_of_marked(said) if messages[-1]["role"] == "user" else None
    if summary is not None:
        return summary
    question = find_question(said)
    korean = is_korean(question or said)
    if messages[-1]["role"] == "tool":
        return _report(question, messages, korean=korean)
    instructions = [text_of(message) for message in messages if message["role"] == "system"]
    wanted = find_json_request(instructions, said)  # no response format, but words that ask for JSON
    plain = _plain(question, messages, korean=korean)
    return plain if wanted is None else write_json(wanted, plain)


def _plain(question: str, messages: list[dict[str, Any]], *, korean: bool) -> str:
    """An answer in words: from the conversation, else a sentence that says who answers."""
    texts = [text_of(message) for message in messages if message["role"] != "assistant"]
    found = answer_from(question, texts)
    if found is not None:
        return found
    if has_passages(messages, question):
        return "주어진 자료에서는 답을 찾지 못했습니다." if korean else "The given passages do not contain the answer."
    asked = f"“{_short(question)}”"
    if _has_image(messages):
        if korean:
            return f"이미지를 받았습니다. 저는 에뮬레이터라서 그 안을 보지 못합니다. 질문은 {asked}입니다."
        return f"I received your image, but I am an emulator and cannot see it. You asked: {asked}"
    if korean:
        return f"{asked}{_quoting(question)} 하셨군요. 저는 에뮬레이터라서 주어진 자료보다 더 아는 것은 없습니다."
    return f"You said: {asked} I am an emulator and know no more than what I am given."


def _report(question: str, messages: list[dict[str, Any]], *, korean: bool) -> str:
    """Phrase tool results: short ones completely, of long ones the part that answers the question.

    A result that only names the agent that goes on is passed over, and what the agents have said is repeated.
    """
    said = said_before(messages) if is_handover(messages[-1]) else ""
    if said:
        return said
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        results.insert(0, readable(message["content"]))
    whole = "\n".join(result for result in results if result)
    if len(whole) > _MAX_WHOLE_RESULT:
        found = answer_from(question, [whole])
        whole = found if found is not None else whole[:_MAX_WHOLE_RESULT].rstrip()
    if not whole:
        return "도구가 결과를 주지 않았습니다." if korean else "The tool returned nothing."
    return f"확인한 결과입니다: {whole}" if korean else f"Here is what I found: {whole}"


def _has_image(messages: list[dict[str, Any]]) -> bool:
    content = messages[-1]["content"]
    return isinstance(content, list) and any(part["type"] == "image_url" for part in content)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_ECHO else text[:_MAX_ECHO].rstrip() + "…"


def _quoting(text: str) -> str:
    """The particle that follows a quoted text; it depends on the final consonant of the last syllable."""
    last = next((character for character in reversed(text) if character.isalnum()), "")
    closed = "가" <= last <= "힣" and (ord(last) - ord("가")) % 28 > 0
    return "이라고" if closed else "라고"


def _think(request: ChatRequest) -> str:
    question = find_question(_last_user(request.messages))
    if is_korean(question):
        thoughts = [
            f"사용자의 질문은 “{_short(question)}”이다.",
            "대화에 주어진 문장 가운데 질문과 말이 겹치는 것을 찾는다.",
            "드문 낱말이 겹칠수록 더 알맞은 문장으로 본다.",
            "숫자를 묻는 질문이라면 숫자가 있는 문장을 먼저 본다.",
            "알맞은 문장이 없으면 지어내지 않고 그렇다고 답한다.",
            "찾은 문장을 그대로 옮겨 답한다.",
        ]
    else:
        thoughts = [
            f"The user asks: “{_short(question)}”",
            "I look for sentences in the conversation that share words with the question.",
            "The rarer the shared words, the better the sentence.",
            "If a number is asked for, sentences with numbers come first.",
            "If nothing fits, I say so instead of making something up.",
            "I answer with the sentence I found.",
        ]
    return " ".join(thoughts[: _THOUGHTS[request.effort]])
