"""Checks of the OpenAI-compatible path, embeddings, token calculators, reranker, RAG reasoning and quota headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clova_studio._cli.verify.chat_checks import PLAIN, clock
from clova_studio._cli.verify.check import (
    HELLO,
    Check,
    UnsettledError,
    compatible,
    is_refused,
    post,
    success,
    takes,
)
from clova_studio._cli.verify.key_checks import COUNTING
from clova_studio._cli.verify.tool_checks import ASKED_WITH_TOOLS

if TYPE_CHECKING:
    from clova_studio._cli.verify.wire import Reply, Request, Sender

__all__ = ["OTHER_CHECKS"]

_EITHER = ("taken", "refused")
_TEXTS = ["서울", "부산", "제주"]
_LISTED = post("/v1/openai/embeddings", {"model": "bge-m3", "input": _TEXTS, "encoding_format": "float"})
_EMBEDDED = "서울은 한국의 수도입니다."
_NAMES = ("reasoning_content", "thinking_content")
_RATIO = 0.5
_NO_MODEL = "40080"


def _compatible_created(sender: Sender, request: Request) -> str:
    return clock(success(sender, request).field("created"))


def _lower_case(sender: Sender, request: Request) -> str:
    reply = sender.ask(request)
    return "refused" if reply.code == _NO_MODEL or is_refused(reply) else "taken"


def _list_input(sender: Sender, request: Request) -> str:
    """Tell how a list of three texts counts, by what is left of the quota after each of two such requests."""
    reply = sender.ask(request)
    if is_refused(reply):
        return "refused"
    data = reply.field("data")
    if not isinstance(data, list) or len(data) != len(_TEXTS):
        raise UnsettledError(f"{len(data) if isinstance(data, list) else 0} vectors for {len(_TEXTS)} texts")
    after = sender.ask_again(request)
    before_left, left = reply.remaining("requests"), after.remaining("requests")
    if before_left is None or left is None:
        return "taken-uncounted"
    return {1: "one-request", len(_TEXTS): "request-per-text"}.get(before_left - left, "taken-uncounted")


def _thinking_name(sender: Sender, request: Request) -> str:
    message = success(sender, request).compatible_message
    names = [name for name in _NAMES if message.get(name)]
    if not names:
        raise UnsettledError("no thinking under either name")
    return names[0] if len(names) == 1 else "both"


def _limit_headers(sender: Sender, request: Request) -> str:
    if success(sender, request).limits:
        return "always"
    if sender.limited:
        return "refusals" if any(reply.limits for reply in sender.limited) else "never"
    return "not-with-answers"


def _reset_form(sender: Sender, request: Request) -> str:
    replies = [success(sender, request), *sender.limited]
    resets = [value for reply in replies for name, value in reply.limits.items() if "-reset-" in name]
    if not resets:
        return "missing"
    return "unit" if re.search(r"[a-z]", resets[-1]) else "number"


def _compared(counted: int, used: Any) -> str:
    if not isinstance(used, int) or isinstance(used, bool):
        raise UnsettledError("no usage")
    return "same" if counted == used else "usage-higher" if used > counted else "usage-lower"


def _counts(reply: Reply) -> int:
    """Return what a chat's token calculator counted in the messages."""
    messages = reply.result.get("messages")
    found = 0
    for message in messages if isinstance(messages, list) else []:
        parts = message.get("content") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else []:
            count = part.get("count") if isinstance(part, dict) else None
            found += count if isinstance(count, int) else 0
    if not found:
        raise UnsettledError("no counts")
    return found


def _used(reply: Reply) -> Any:
    usage = reply.result.get("usage")
    return usage.get("promptTokens") if isinstance(usage, dict) else None


def _message_count(sender: Sender, counting: Request, request: Request) -> str:
    return _compared(_counts(success(sender, counting)), _used(success(sender, request)))


def _tool_count(sender: Sender, counting: Request, request: Request) -> str:
    """Tell whether the declarations of tools are in the usage: about their count more than the messages alone."""
    reply = success(sender, counting)
    tools = reply.result.get("tools")
    declared = tools.get("count") if isinstance(tools, dict) else None
    used = _used(success(sender, request))
    if not isinstance(declared, int) or not isinstance(used, int):
        raise UnsettledError("no count of the tools, or no usage")
    return "counted" if used - _counts(reply) > _RATIO * declared else "not-counted"


def _embedding_count(sender: Sender, counting: Request, request: Request) -> str:
    counted = success(sender, counting).result.get("numTokens")
    if not isinstance(counted, int):
        raise UnsettledError("no count")
    return _compared(counted, success(sender, request).result.get("inputTokens"))


def _tokenizer(request: Request) -> Request:
    """Return the token calculator's request for a chat."""
    body = {name: value for name, value in request.words()["body"].items() if name in {"messages", "tools"}}
    return post(COUNTING.path, body)


_DOCUMENTS = [{"id": "1", "doc": "서울은 대한민국의 수도이며 가장 큰 도시입니다. 인구는 약 940만 명입니다."}]

OTHER_CHECKS = (
    Check(
        "compatible-created",
        ("Is created of the compatible path in milliseconds?", "호환 경로의 created의 단위는 초인가, 밀리초인가?"),
        ("seconds", "milliseconds"),
        "seconds",
        "milliseconds",
        (compatible("HCX-005"),),
        _compatible_created,
    ),
    Check(
        "lower-case-model",
        ("Does the compatible path take hcx-005?", "호환 경로에서 모델 이름을 소문자 hcx-005로 써도 되는가?"),
        _EITHER,
        "refused",
        "taken",
        (compatible("hcx-005"),),
        _lower_case,
    ),
    Check(
        "thinking-name",
        ("What is thinking called on the compatible path?", "호환 경로에서 추론 텍스트의 이름은?"),
        ("both", *_NAMES),
        "both",
        "both",
        (compatible("HCX-007", output=1_024, reasoning_effort="low"),),
        _thinking_name,
        open=True,
    ),
    Check(
        "list-input",
        (
            "Do compatible embeddings take a list, and how does it count?",
            "호환 임베딩이 목록을 받는가? 몇 건으로 세는가?",
        ),
        ("refused", "one-request", "request-per-text", "taken-uncounted"),
        "refused",
        "refused",
        (_LISTED,),
        _list_input,
        open=True,
        repeats=1,
        stands_for={"taken-uncounted": "one-request"},
    ),
    Check(
        "embedding-count",
        ("Does embedding v2 use what its token calculator says?", "임베딩 v2의 토큰 수가 토큰 계산기와 같은가?"),
        ("same", "usage-higher", "usage-lower"),
        "same",
        "same",
        (
            post("/v1/api-tools/embedding/v2/tokenize", {"text": _EMBEDDED}),
            post("/v1/api-tools/embedding/v2", {"text": _EMBEDDED}),
        ),
        _embedding_count,
        is_emulated=False,
    ),
    Check(
        "message-count",
        ("Does a chat use what the token calculator says?", "채팅의 입력 토큰 수가 토큰 계산기와 같은가?"),
        ("same", "usage-higher", "usage-lower"),
        "usage-higher",  # the roles count too
        "usage-higher",
        (COUNTING, PLAIN),
        _message_count,
        is_emulated=False,
    ),
    Check(
        "tool-count",
        ("Are declarations of tools in the usage?", "도구 선언이 사용량에 포함되는가?"),
        ("counted", "not-counted"),
        "counted",
        "counted",
        (_tokenizer(ASKED_WITH_TOOLS), ASKED_WITH_TOOLS),
        _tool_count,
        open=True,
        is_emulated=False,
    ),
    Check(
        "reranker-4096",
        ("Does the reranker take maxTokens 4096?", "리랭커가 maxTokens 4096을 받는가?"),
        _EITHER,
        "taken",
        "taken",
        (
            post(
                "/v1/api-tools/reranker",
                {"documents": _DOCUMENTS, "query": "한국의 수도는?", "maxTokens": 4_096},
                output=4_096,
            ),
        ),
        takes,
        open=True,
    ),
    Check(
        "rag-without-tools",
        ("Does RAG reasoning work without tools?", "RAG Reasoning이 tools 없이도 동작하는가?"),
        _EITHER,
        "refused",
        "taken",
        (
            post(
                "/v1/api-tools/rag-reasoning",
                {"messages": HELLO, "toolChoice": "none", "maxTokens": 1_024},
                output=1_024,
            ),
        ),
        takes,
        open=True,
    ),
    Check(
        "limit-headers",
        ("With which answers do x-ratelimit headers come?", "x-ratelimit 헤더는 어떤 응답에 오는가?"),
        ("never", "refusals", "always", "not-with-answers"),
        "never",
        "always",
        (PLAIN,),
        _limit_headers,
        open=True,
        late=True,
        stands_for={"not-with-answers": "never"},
    ),
    Check(
        "reset-form",
        ("In which form are the reset headers?", "reset 헤더의 형식은?"),
        ("missing", "unit", "number"),
        "missing",
        "unit",
        (PLAIN,),
        _reset_form,
        open=True,
        late=True,
        is_emulated=False,
    ),
)
