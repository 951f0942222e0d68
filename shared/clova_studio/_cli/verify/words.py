"""The words of answers and of the plan, in English and Korean."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clova_studio._cli.verify.outcome import Outcome

__all__ = ["SIDES", "answer_words", "what_came"]

_ANSWERS = {
    "taken": ("taken", "받아들임"),
    "refused": ("refused", "거부함"),
    "ignored": ("ignored", "무시함"),
    "obeyed": ("obeyed", "적용함"),
    "sent": ("yes", "있음"),
    "missing": ("no", "없음"),
    "null": ("yes", "있음"),
    "one": ("one space", "공백 있음"),
    "none": ("no space", "공백 없음"),
    "mixed": ("both forms in one stream", "한 스트림에 두 형식이 섞임"),
    "charset": ("with a charset", "charset 있음"),
    "plain": ("without a charset", "charset 없음"),
    "seconds": ("seconds", "초"),
    "milliseconds": ("milliseconds", "밀리초"),
    "created-first": ("created first", "created가 먼저"),
    "message-first": ("message first", "message가 먼저"),
    "reason-first": ("stopReason first", "stopReason이 먼저"),
    "lengths-first": ("lengths first", "길이가 먼저"),
    "one-request": ("taken, counts as one request", "받아들이며 요청 1건으로 셈"),
    "request-per-text": ("taken, counts as one request per text", "받아들이며 텍스트마다 1건으로 셈"),
    "taken-uncounted": ("taken; how it counts does not show", "받아들임. 세는 방식은 알 수 없음"),
    "both": ("under both names", "두 이름 모두"),
    "same": ("the same", "같음"),
    "usage-higher": ("the usage is higher", "사용량이 더 많음"),
    "usage-lower": ("the usage is lower", "사용량이 더 적음"),
    "counted": ("counted", "포함됨"),
    "not-counted": ("not counted", "포함되지 않음"),
    "never": ("with none", "어떤 응답에도 없음"),
    "refusals": ("with refusals only", "거부 응답에만 있음"),
    "always": ("with every answer", "모든 응답에 있음"),
    "not-with-answers": ("not with answers; no refusal was seen", "정상 응답에는 없음. 거부 응답은 없었음"),
    "unit": ("with a unit, such as 6s", "6s처럼 단위가 있음"),
    "number": ("a bare number", "단위 없는 숫자"),
    "fixed": ("fixed: from its first request", "고정: 첫 요청부터"),
    "aligned": ("aligned with the clock", "시계에 맞춤"),
    "sliding": ("sliding", "슬라이딩"),
    "bucket": ("refills all the time", "계속 채워짐"),
    "one-may-pass": ("one request may pass", "요청 1건이 통과할 수 있는 시각"),
    "all-may-pass": ("all may pass", "모두 통과할 수 있는 시각"),
    "wrong": ("neither; it is too early", "어느 쪽도 아님. 너무 이름"),
}
SIDES = {
    "both": ("as documented and observed", "문서, 관측과 일치"),
    "documented": ("as documented", "문서와 일치"),
    "observed": ("as observed", "관측과 일치"),
    "neither": ("NEW", "새로운 결과"),
    "unsettled": ("not settled", "확인되지 않음"),
}


def answer_words(answer: str) -> tuple[str, str]:
    """Return an answer in both languages; what is the same in both, such as a code, as it is."""
    return _ANSWERS.get(answer, (answer, answer))


def what_came(outcome: Outcome) -> tuple[str, str]:
    """Return what came, in both languages."""
    if outcome.answer is None:
        return outcome.detail, outcome.detail
    return answer_words(outcome.answer)
