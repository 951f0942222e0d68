"""Streams that break at each of their events: repeated before the first, interrupted after it, never doubled."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from client_support import MESSAGES, Clock, bytewise, sample, sse, whole
from fault_support import KINDS, Account

import clova_studio as cs
from clova_studio.emulator import Fault, serve


def frames(*events: tuple[str, Any]) -> list[bytes]:
    """Return the events of a native stream."""
    return [f"event:{name}\ndata:{json.dumps(data, ensure_ascii=False)}\n\n".encode() for name, data in events]


def openai_frames(*chunks: Any) -> list[bytes]:
    """Return the events of an OpenAI stream."""
    return [f"data: {c if isinstance(c, str) else json.dumps(c, ensure_ascii=False)}\n\n".encode() for c in chunks]


def delta(finish: str | None = None, **values: Any) -> dict[str, Any]:
    """Return a chunk of an OpenAI stream."""
    return {"choices": [{"index": 0, "delta": values, "finish_reason": finish}]}


@dataclass(frozen=True)
class Streamed:
    """One kind of stream.

    Attributes:
        verb: Who asks for it.
        args: The arguments.
        events: Its events as bytes.
        last: With which event, counted from 1, it is complete.
        repeated: Whether it is sent again when it was lost before its first event.
    """

    verb: str
    args: tuple[Any, ...]
    events: list[bytes]
    last: int
    repeated: bool = True
    model: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The arguments by name."""
        return {"model": self.model} if self.model else {}


def recorded(name: str, model: str) -> Streamed:
    """Return a recorded stream, complete with the event before its signal."""
    events = [frame + b"\n\n" for frame in sample(f"{name}.sse").split(b"\n\n") if frame.strip()]
    return Streamed("stream_chat", (MESSAGES,), events, len(events) - 1, model=model)


CALLS = [{"url": "https://api.example.com/w", "requestBody": "a", "responseBody": "b", "apiOrder": 1}]
STREAMS = {
    "v3": recorded("v3_chat", "HCX-005"),
    "v3 tools": recorded("v3_tools", "HCX-005"),
    "v3 thinking": recorded("v3_thinking", "HCX-007"),
    "v1": recorded("v1_chat", "HCX-003"),
    "skillset": Streamed(
        "stream_skillset",
        ("weather1", 1, "q"),
        frames(
            ("planning", {"selectedSkill": [{"nameForHuman": "날씨"}], "tokenCount": 4}),
            ("cot", {"apiResult": CALLS, "tokenCount": 18}),
            ("token", {"text": "21도"}),
            ("token", {"text": "입니다."}),
            ("finalAnswer", {"finalAnswer": "21도입니다.", "apiResult": CALLS, "tokenCount": 12}),
        ),
        last=5,
        repeated=False,
    ),
    "openai": Streamed(
        "openai.stream_chat",
        (MESSAGES,),
        openai_frames(delta(content="안녕"), delta(content="하세"), delta("stop", content="요"), "[DONE]"),
        last=4,
    ),
}
BREAKS = {
    "ends": None,
    "reset": httpx.ReadError("reset"),
    "closed": httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    "stands still": httpx.ReadTimeout("slow"),
}


def said(chunks: list[Any]) -> str:
    """Return everything that chunks brought: text, thinking, arguments of tools."""
    parts = []
    for chunk in chunks:
        if hasattr(chunk, "message"):
            parts += [chunk.message.content, chunk.message.thinking_content or ""]
            parts += [call.function.partial_json or "" for call in chunk.tool_call_fragments or ()]
        elif hasattr(chunk, "delta"):
            parts.append(chunk.delta.content or "")
        else:
            parts.append(chunk.text)
    return "".join(parts)


def unbroken(both: Any, stream: Streamed) -> list[Any]:
    """Return the chunks of the stream when nothing happens to it; they make its result, once."""
    chunks, whole_stream = both(lambda: sse(b"".join(stream.events))).call(stream.verb, *stream.args, **stream.options)
    result = whole_stream.result()
    text = "".join(json.dumps(call.function.arguments, ensure_ascii=False) for call in _calls(result)) or _text(result)
    assert said(chunks) == text
    return list(chunks)


def _calls(result: Any) -> list[Any]:
    return result.message.tool_calls or [] if hasattr(result, "message") else []


def broken(both: Any, stream: Streamed, *answers: Any) -> tuple[str, Any, int]:
    """Read a stream that breaks; return what the caller had got, the error and how many requests there were.

    The chunks are those that reached the caller, as ``partial`` cannot have more.
    """
    peer = both(*answers, clock=Clock(), max_wait=None)
    try:
        chunks, _ = peer.call(stream.verb, *stream.args, **stream.options)
    except cs.ClovaStudioError as error:
        return "", error, len(peer.requests)
    return said(chunks), None, len(peer.requests)


@pytest.mark.slow
@pytest.mark.parametrize("way", BREAKS)
@pytest.mark.parametrize("name", STREAMS)
def test_broken_at_each_event(both: Any, name: str, way: str) -> None:
    """Broken before its first event a stream is sent again, later it is interrupted, after its last it is whole."""
    stream, error = STREAMS[name], BREAKS[way]
    chunks = unbroken(both, stream)

    def cut(k: int, feed: Any) -> Any:
        return lambda: sse(feed(b"".join(stream.events[:k])), error=error)

    for k, feed in itertools.product(range(len(stream.events) + 1), (whole, bytewise)):
        text, failure, requests = broken(both, stream, cut(k, feed), lambda: sse(b"".join(stream.events)))
        if k == 0 and not stream.repeated:
            assert isinstance(failure, cs.APIConnectionError)
            assert requests == 1
        elif k == 0:
            assert (text, requests) == (said(chunks), 2)
        elif k >= stream.last or (name == "openai" and way == "ends" and k == stream.last - 1):
            assert (text, failure, requests) == (said(chunks), None, 1)
        else:
            assert isinstance(failure, cs.StreamInterruptedError)
            assert isinstance(failure.__cause__, cs.APITimeoutError if way == "stands still" else cs.APIConnectionError)
            assert _text(failure.partial) == said(chunks[:k])
            assert failure.code is None
            assert requests == 1


def _text(partial: Any) -> str:
    """Return what stands in a partial result."""
    if hasattr(partial, "final_answer"):
        return str(partial.final_answer)
    message = partial.message
    thinking = getattr(message, "thinking_content", None) or ""
    calls = [call.function.partial_json or "" for call in getattr(message, "invalid_tool_calls", None) or ()]
    return "".join([thinking, message.content, *calls])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "passing"),
    [("42901", True), ("42902", True), ("50000", True), ("40800", True), ("40001", False), ("64400", False)],
)
@pytest.mark.parametrize("name", STREAMS)
def test_error_event_at_each_position(both: Any, name: str, code: str, passing: Any) -> None:
    """Before the first event it is its code's error or a retry, after it an interruption with the code.

    A skillset that may have begun is not repeated.
    """
    stream = STREAMS[name]
    chunks = unbroken(both, stream)
    body = {"status": {"code": code, "message": "no"}}
    shapes = frames(("error", body), ("message", body))
    if name == "openai":
        shapes = openai_frames({"error": {"code": code, "message": "no"}}, body)
    for event in shapes:
        for k in range(len(stream.events) + 1):
            events = [*stream.events[:k], event, *stream.events[k:]]
            text, failure, requests = broken(
                both, stream, lambda events=events: sse(b"".join(events)), lambda: sse(b"".join(stream.events))
            )
            if k >= stream.last:
                assert (text, failure, requests) == (said(chunks), None, 1)
            elif k:
                assert isinstance(failure, cs.StreamInterruptedError)
                assert (failure.code, requests) == (code, 1)
                assert isinstance(failure.__cause__, cs.APIStatusError)
                assert _text(failure.partial) == said(chunks[:k])
            elif passing and (name != "skillset" or code.startswith("429")):
                assert (text, requests) == (said(chunks), 2)
            else:
                assert isinstance(failure, cs.APIStatusError)
                assert (failure.code, requests) == (code, 1)


@pytest.mark.parametrize("name", STREAMS)
def test_what_carries_nothing_is_no_first_event(both: Any, name: str) -> None:
    """Comments, blank lines and unknown events before a break do not keep a stream from being sent again."""
    stream = STREAMS[name]
    chunks = unbroken(both, stream)
    noise = b': keep-alive\n\n\n\nid:1\n\nevent:ping\ndata:{"x":1}\n\nretry: 3000\n\n'
    for way, error in BREAKS.items():
        text, failure, requests = broken(
            both, stream, lambda error=error: sse(bytewise(noise), error=error), lambda: sse(b"".join(stream.events))
        )
        if stream.repeated:
            assert (text, requests) == (said(chunks), 2), way
        else:
            assert isinstance(failure, cs.APIConnectionError), way


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["cut", "cut_abrupt", "truncate", "error_event"])
@pytest.mark.parametrize("verb", ["stream_chat", "openai.stream_chat"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_emulators_streams_broken_at_each_token(kind: str, verb: str, fault: str) -> None:
    """On the wire, too, each break is a retry or an interruption that keeps exactly the text before it."""
    with serve() as server:
        account = Account(kind, server.base_url)
        account.call(verb, MESSAGES, max_tokens=4)
        tokens = [said([chunk]) for chunk in account.seen]
        for after in range(4):
            server.reset()
            server.add_fault(Fault(fault, after=after, times=1))
            account.seen = []
            if after == 0:
                account.call(verb, MESSAGES, max_tokens=4)
                assert said(account.seen) == "".join(tokens)
                assert len(server.requests) == 2
                continue
            with pytest.raises(cs.StreamInterruptedError) as caught:
                account.call(verb, MESSAGES, max_tokens=4)
            assert [said([chunk]) for chunk in account.seen] == tokens[:after]
            assert _text(caught.value.partial) == "".join(tokens[:after])
            assert caught.value.code == ("42901" if fault == "error_event" else None)
            assert len(server.requests) == 1
