"""Checks of keys, path prefixes and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._cli.verify.check import HELLO, Check, UnsettledError, failed, post, success

if TYPE_CHECKING:
    from clova_studio._cli.verify.wire import Request, Sender

__all__ = ["COUNTING", "KEY_CHECKS"]

COUNTING = post("/v3/api-tools/chat-tokenize/HCX-005", {"messages": HELLO})


def _tokenize(prefix: str) -> Request:
    return post(f"/{prefix}{COUNTING.path}", {"messages": HELLO}, prefixed=False)


def _error_result(sender: Sender, request: Request) -> str:
    reply = sender.ask(request)
    if reply.ok or not isinstance(reply.body, dict) or "status" not in reply.body:
        raise UnsettledError(failed(reply))
    return "null" if "result" in reply.body and reply.body["result"] is None else "missing"


def _unknown_key(sender: Sender, request: Request) -> str:
    reply = sender.ask(request)
    known = {"Invalid key", "Invalid Key"}
    return reply.message if reply.status == 401 and reply.message in known else failed(reply)  # noqa: PLR2004


def _prefix(sender: Sender, request: Request, without: Request) -> str:
    reply = sender.ask(request)
    if reply.ok:
        return "taken"
    success(sender, without)  # a key that opens nothing tells nothing of the prefix
    if reply.status in {400, 401, 403, 404}:
        return "refused"
    raise UnsettledError(failed(reply))


def _service_prefix(sender: Sender, request: Request, without: Request) -> str:
    reply = sender.ask(request)
    if reply.ok:
        return "taken"
    success(sender, without)
    return reply.code or failed(reply)


KEY_CHECKS = (
    Check(
        "error-result",
        ('Does an error of the native API have "result": null?', '네이티브 API의 오류에 "result": null이 있는가?'),
        ("missing", "null"),
        "missing",
        "null",
        (post("/v3/chat-completions/HCX-005", {"messages": []}),),
        _error_result,
    ),
    Check(
        "invalid-key-message",
        ("How is the message for an unknown key spelled?", "알 수 없는 키에 대한 메시지의 표기는?"),
        ("Invalid key", "Invalid Key"),
        "Invalid key",
        "Invalid Key",
        (post("/v3/chat-completions/HCX-005", {"messages": HELLO, "maxTokens": 1}, unknown_key=True),),
        _unknown_key,
    ),
    Check(
        "testapp-bearer",
        ("Does /testapp take a Bearer key?", "/testapp 경로에서 Bearer 키를 쓸 수 있는가?"),
        ("taken", "refused"),
        "taken",
        "taken",
        (_tokenize("testapp"), COUNTING),
        _prefix,
    ),
    Check(
        "serviceapp-test-key",
        ("With which code does /serviceapp refuse a test key?", "/serviceapp은 테스트 키를 어떤 코드로 거부하는가?"),
        ("40000", "40100", "taken"),
        "40100",
        "40000",
        (_tokenize("serviceapp"), COUNTING),
        _service_prefix,
        not_emulated=frozenset({"taken"}),
    ),
)
