"""Checks of native chat and its streams."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from typing import TYPE_CHECKING, Any

from clova_studio._cli.verify.check import (
    HELLO,
    Check,
    UnsettledError,
    native,
    post,
    refused_or,
    success,
    takes,
)

if TYPE_CHECKING:
    from clova_studio._cli.verify.wire import Reply, Request, Sender

__all__ = ["CHAT_CHECKS", "PLAIN", "clock"]

PLAIN = native("HCX-005")
_STREAM = native("HCX-005", stream=True)
_FILTERED = native("HCX-005", includeAiFilters=True)
_COUNT = [{"role": "user", "content": "1부터 30까지 숫자를 모두 써 줘."}]
_V1 = {"messages": HELLO, "maxTokens": 1}
_V1_PATH = "/v1/chat-completions/HCX-003"
_CLOCK = ("seconds", "milliseconds")
_MILLISECONDS = 100_000_000_000
_FIRST = re.compile(rb"^(?:id|event|data):(.)", re.MULTILINE)
_EVENT = re.compile(rb"^event: ?(\w+)", re.MULTILINE)


def _png(side: int) -> str:
    """Return a white image as base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff" * side) * side)
    raw = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(raw).decode()


_IMAGE = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "무슨 색이야?"},
            {"type": "image_url", "dataUri": {"data": _png(32)}},
        ],
    }
]


def _events(sender: Sender, request: Request) -> Reply:
    reply = success(sender, request)
    if not _EVENT.search(reply.raw):
        raise UnsettledError("no events")
    return reply


def _space(sender: Sender, request: Request) -> str:
    first = {found == b" " for found in _FIRST.findall(_events(sender, request).raw)}
    return {(True,): "one", (False,): "none"}.get(tuple(first), "mixed")


def _signal(sender: Sender, request: Request) -> str:
    return "sent" if _EVENT.findall(_events(sender, request).raw)[-1] == b"signal" else "missing"


def _content_type(sender: Sender, request: Request) -> str:
    return "charset" if "charset=" in _events(sender, request).headers.get("content-type", "").lower() else "plain"


def clock(value: Any) -> str:
    """Return the unit of a time since 1970."""
    if not isinstance(value, int):
        raise UnsettledError("no created")
    return "milliseconds" if value > _MILLISECONDS else "seconds"


def _created(sender: Sender, request: Request) -> str:
    return clock(success(sender, request).result.get("created"))


def _order(first: str, second: str, words: tuple[str, str]) -> Any:
    """Return what decides which of two keys comes first in a result."""

    def decide(sender: Sender, request: Request) -> str:
        names = list(success(sender, request).result)
        if first not in names or second not in names:
            raise UnsettledError(f"no {first} or no {second}")
        return words[0] if names.index(first) < names.index(second) else words[1]

    return decide


def _filters(sender: Sender, request: Request) -> str:
    items = success(sender, request).result.get("aiFilter")
    if not isinstance(items, list) or not items or not isinstance(items[0], dict):
        raise UnsettledError("no items in aiFilter")
    return "sent" if "result" in items[0] else "missing"


def _v1_token_counts(sender: Sender, request: Request) -> str:
    events = re.split(rb"\n\n|\r\n\r\n", _events(sender, request).raw)
    first = next((event for event in events if _EVENT.search(event) and _EVENT.findall(event)[0] == b"token"), None)
    if first is None:
        raise UnsettledError("no token events")
    return "sent" if b'"inputLength"' in first else "missing"


def _snake(sender: Sender, request: Request) -> str:
    reply = sender.ask(request)
    if not reply.ok:
        return refused_or("ignored")(sender, request)
    usage = reply.result.get("usage")
    written = usage.get("completionTokens") if isinstance(usage, dict) else None
    if not isinstance(written, int):
        raise UnsettledError("no usage")
    return "ignored" if written > 1 else "obeyed"


CHAT_CHECKS = (
    Check(
        "event-space",
        ("Is there a space after the colons of stream lines?", "스트림 행의 콜론 뒤에 공백이 있는가?"),
        ("one", "none", "mixed"),
        "one",
        "none",
        (_STREAM,),
        _space,
        not_emulated=frozenset({"mixed"}),
    ),
    Check(
        "event-signal",
        ("Does a stream end with the event signal?", "스트림이 signal 이벤트로 끝나는가?"),
        ("missing", "sent"),
        "missing",
        "sent",
        (_STREAM,),
        _signal,
    ),
    Check(
        "event-content-type",
        ("Does the type of a stream name a charset?", "스트림의 Content-Type에 charset이 있는가?"),
        ("plain", "charset"),
        "plain",
        "charset",
        (_STREAM,),
        _content_type,
    ),
    Check(
        "native-created",
        ("Is created in seconds or in milliseconds?", "created의 단위는 초인가, 밀리초인가?"),
        _CLOCK,
        "milliseconds",
        "seconds",
        (PLAIN,),
        _created,
    ),
    Check(
        "native-order",
        ("Which key of a result comes first?", "result에서 어느 키가 먼저 오는가?"),
        ("created-first", "message-first"),
        "created-first",
        "message-first",
        (PLAIN,),
        _order("created", "message", ("created-first", "message-first")),
    ),
    Check(
        "filter-result",
        ("Do items of aiFilter have a result?", "aiFilter 항목에 result가 있는가?"),
        ("missing", "sent"),
        "missing",
        "sent",
        (_FILTERED,),
        _filters,
    ),
    Check(
        "v1-order",
        ("Which comes first in v1: stopReason or the lengths?", "v1에서 stopReason과 길이 중 어느 것이 먼저인가?"),
        ("reason-first", "lengths-first"),
        "reason-first",
        "lengths-first",
        (post(_V1_PATH, _V1, output=1),),
        _order("stopReason", "inputLength", ("reason-first", "lengths-first")),
    ),
    Check(
        "v1-token-counts",
        ("Do token events of v1 have lengths?", "v1의 token 이벤트에 길이가 있는가?"),
        ("missing", "sent"),
        "missing",
        "sent",
        (post(_V1_PATH, _V1, output=1, stream=True),),
        _v1_token_counts,
    ),
    Check(
        "unknown-fields",
        ("Is an unknown field of native v3 ignored?", "네이티브 v3에서 알 수 없는 필드를 무시하는가?"),
        ("ignored", "refused"),
        "ignored",
        "ignored",
        (native("HCX-005", colour="blue"),),
        refused_or("ignored"),
        open=True,
    ),
    Check(
        "snake-case-fields",
        ("Is max_tokens ignored by native v3?", "네이티브 v3에서 max_tokens를 무시하는가?"),
        ("ignored", "refused", "obeyed"),
        "ignored",
        "ignored",
        (native("HCX-005", output=None, messages=_COUNT, max_tokens=1),),
        _snake,
        not_emulated=frozenset({"obeyed"}),
        open=True,
    ),
    Check(
        "v1-fields",
        ("Are repeatPenalty and stopBefore ignored by v3?", "v3에서 repeatPenalty와 stopBefore를 무시하는가?"),
        ("ignored", "refused"),
        "ignored",
        "ignored",
        (native("HCX-005", repeatPenalty=1.1, stopBefore=[]),),
        refused_or("ignored"),
        open=True,
    ),
    Check(
        "bare-base64",
        ("Is an image taken as bare base64, without data:?", "data: 없이 base64만 보낸 이미지를 받는가?"),
        ("taken", "refused"),
        "taken",
        "refused",
        (native("HCX-005", messages=_IMAGE, images=1),),
        takes,
        open=True,
    ),
)
