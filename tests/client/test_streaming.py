"""Streams of chat: whole, once, and closed, however the bytes arrive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest
from client_support import MESSAGES, OK, Pieces, answer, bytewise, sample, sse, whole

from clova_studio import (
    BadRequestError,
    ChatResult,
    InvalidResponseError,
    RateLimitError,
    StreamError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("v3_chat", "v3_tools", "v3_thinking", "v1_chat")
MODELS = {"v3_chat": "HCX-005", "v3_tools": "HCX-005", "v3_thinking": "HCX-007", "v1_chat": "HCX-003"}


def spaced(body: bytes) -> bytes:
    """Put a blank after the colon of each line, as the documentation prints it."""
    return re.sub(rb"(?m)^(id|event|data):", rb"\1: ", body)


def crlf(body: bytes) -> bytes:
    """End lines with CRLF."""
    return body.replace(b"\n", b"\r\n")


def cr(body: bytes) -> bytes:
    """End lines with CR alone."""
    return body.replace(b"\n", b"\r")


def blank_lines(body: bytes) -> bytes:
    """Put extra blank lines between events."""
    return b"\n\n" + body.replace(b"\n\n", b"\n\n\n\n")


def noisy(body: bytes) -> bytes:
    """Put comments, unknown fields and unknown events between events."""
    noise = b': keep-alive\n\nretry: 3000\n\nevent:ping\ndata:{"x":1}\n\n'
    return noise + body.replace(b"\n\nid:", b"\n\n" + noise + b"id:")


def without_signal(body: bytes) -> bytes:
    """Leave the last event out, as streams were seen to do."""
    return body[: body.rindex(b"id:")]


def unterminated(body: bytes) -> bytes:
    """Leave out the signal and the blank line after the result."""
    return without_signal(body).rstrip(b"\n")


def with_bom(body: bytes) -> bytes:
    """Begin with a byte order mark."""
    return b"\xef\xbb\xbf" + body


FORMS = [bytes, spaced, crlf, cr, blank_lines, noisy, without_signal, unterminated, with_bom]


@pytest.mark.parametrize("feed", [whole, bytewise])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_stream_equals_whole_answer(both, name: str, form: Callable[[bytes], bytes], feed) -> None:
    """A stream in any framing, in any pieces, gives the text of the whole answer once, and the same result."""
    plain = both(lambda: answer(sample(f"{name}.json"))).call("chat", MESSAGES, model=MODELS[name])
    streamed = both(lambda: sse(feed(form(sample(f"{name}.sse")))))
    chunks, stream = streamed.call("stream_chat", MESSAGES, model=MODELS[name])

    assert stream.result() == plain
    assert "".join(chunk.message.content for chunk in chunks) == plain.message.content
    assert "".join(chunk.message.thinking_content or "" for chunk in chunks) == (plain.message.thinking_content or "")
    assert chunks[-1].finish_reason == plain.finish_reason is not None
    assert chunks[-1].usage == plain.usage is not None
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert streamed.requests[0].headers["accept"] == "text/event-stream"


def test_tool_fragments_join_to_the_arguments(both) -> None:
    """The fragments of a tool call show its progress: index, then id and name once, and its arguments' JSON."""
    chunks, stream = both(lambda: sse(sample("v3_tools.sse"))).call("stream_chat", MESSAGES)
    assert [chunk.message.tool_calls for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    fragments = [call for chunk in chunks for call in chunk.tool_call_fragments or []]
    assert [fragment.index for fragment in fragments] == [0] * len(fragments)
    assert [fragment.id for fragment in fragments if fragment.id] == [stream.result().message.tool_calls[0].id]
    assert [fragment.function.name for fragment in fragments if fragment.function.name] == ["get_weather"]
    joined = "".join(fragment.function.partial_json or "" for fragment in fragments)
    assert joined == '{"location": "서울", "unit": "celsius"}'
    assert stream.result().message.tool_calls[0].function.arguments == {"location": "서울", "unit": "celsius"}


def test_two_tool_calls_keep_their_fragments_apart(both) -> None:
    """A token with an id opens a new call; fragments without one belong to the latest opened call."""
    frames = [
        ("token", '{"id":"call_a","type":"function","function":{"name":"f"}}'),
        ("token", '{"type":"function","function":{"partialJson":"{\\"x\\":1}"}}'),
        ("token", '{"id":"call_b","type":"function","function":{"name":"g"}}'),
        ("token", '{"type":"function","function":{"partialJson":"{\\"y\\":2}"}}'),
    ]
    body = "".join(
        f'event:{event}\ndata:{{"message":{{"role":"assistant","content":"","toolCalls":[{call}]}}}}\n\n'
        for event, call in frames
    )
    body += (
        'event:result\ndata:{"message":{"role":"assistant","content":"","toolCalls":['
        '{"id":"call_a","type":"function","function":{"name":"f","arguments":{"x":1}}},'
        '{"id":"call_b","type":"function","function":{"name":"g","arguments":{"y":2}}}]},"finishReason":"tool_calls"}\n\n'
    )
    chunks, stream = both(lambda: sse(body.encode())).call("stream_chat", MESSAGES)
    fragments = [call for chunk in chunks for call in chunk.tool_call_fragments or []]
    assert [(f.index, f.id, f.function.partial_json) for f in fragments] == [
        (0, "call_a", None),
        (0, None, '{"x":1}'),
        (1, "call_b", None),
        (1, None, '{"y":2}'),
    ]
    assert [call.index for call in stream.result().message.tool_calls] == [0, 1]


def test_what_no_token_brought_comes_with_the_last_chunk(both) -> None:
    """A result without tokens before it gives its text, thinking and calls once, in the last chunk."""
    for name in NAMES:
        body = sample(f"{name}.sse")
        only_result = body[body.index(b"event:result") :]
        chunks, stream = both(lambda data=only_result: sse(data)).call("stream_chat", MESSAGES, model=MODELS[name])
        message, result = chunks[0].message, stream.result().message
        assert len(chunks) == 1
        assert message.content == result.content
        assert message.thinking_content == result.thinking_content
        assert [c.function.name for c in message.tool_calls or []] == [c.function.name for c in result.tool_calls or []]


def test_streaming_request_answered_whole(both) -> None:
    """An answer that comes as plain JSON where a stream was asked for is one chunk with the whole text."""
    chunks, stream = both(lambda: answer(sample("v3_chat.json"))).call("stream_chat", MESSAGES)
    assert [chunk.message.content for chunk in chunks] == [stream.result().message.content]


@pytest.mark.parametrize("events", range(1, 6))
def test_cut_after_each_token_keeps_what_arrived(both, events: int) -> None:
    """A stream that ends or breaks after its first token is interrupted; the text so far is on partial, no retry."""
    frames = sample("v3_chat.sse").split(b"\n\n")
    tokens = ["대한민국", "의 수도", "는 서울", "\u2028특별시", "입니다."]
    for error in (None, httpx.ReadError("connection reset")):
        peer = both(lambda error=error: sse(b"\n\n".join(frames[:events]) + b"\n\n", error=error))
        with pytest.raises(StreamInterruptedError) as caught:
            peer.call("stream_chat", MESSAGES, request_id="cut-1")
        assert isinstance(caught.value.partial, ChatResult)
        assert caught.value.partial.message.content == "".join(tokens[:events])
        assert caught.value.partial.finish_reason is None
        assert caught.value.request_id == "cut-1"
        assert caught.value.__cause__ is not None
        assert len(peer.requests) == 1


def test_cut_inside_an_event_keeps_the_events_before(both) -> None:
    """A stream cut anywhere inside its bytes never looks whole and never loses a whole event."""
    body = without_signal(sample("v3_chat.sse"))
    first, last = body.index(b"\n\n") + 2, body.rindex(b"}") - 1
    for cut in range(first, last, 7):
        with pytest.raises(StreamInterruptedError) as caught:
            both(lambda cut=cut: sse(body[:cut])).call("stream_chat", MESSAGES)
        assert caught.value.partial.message.content.startswith("대한민국")


def test_interrupted_tool_call_keeps_its_fragments(both) -> None:
    """The arguments of a tool call that broke off stand as text on the partial result, in a call that is invalid."""
    frames = sample("v3_tools.sse").split(b"\n\n")
    with pytest.raises(StreamInterruptedError) as caught:
        both(lambda: sse(b"\n\n".join(frames[:5]) + b"\n\n")).call("stream_chat", MESSAGES)
    assert caught.value.partial.message.tool_calls is None
    call = caught.value.partial.message.invalid_tool_calls[0]
    assert call.id.startswith("call_")
    assert (call.function.name, call.function.arguments, call.function.partial_json) == (
        "get_weather",
        {},
        '{"location": "',
    )


def test_error_event_after_tokens_is_an_interruption(both) -> None:
    """An error event after the first token carries its code, hint and cause, and the text so far."""
    first = sample("v3_chat.sse").split(b"\n\n")[0]
    body = first + b'\n\nevent:error\ndata:{"status":{"code":"50000","message":"Internal server error"}}\n\n'
    peer = both(lambda: sse(body))
    with pytest.raises(StreamInterruptedError) as caught:
        peer.call("stream_chat", MESSAGES)
    assert caught.value.code == "50000"
    assert caught.value.hint
    assert caught.value.partial.message.content == "대한민국"
    assert type(caught.value.__cause__).__name__ == "ServerError"
    assert len(peer.requests) == 1


def test_error_event_before_tokens_is_the_error_of_its_code(both) -> None:
    """An error event before the first token raises the class of its code, with request id and hint."""
    body = b'id:1\nevent:error\ndata:{"status":{"code":"40001","message":"Invalid parameter: topK"}}\n\n'
    peer = both(lambda: sse(body))
    with pytest.raises(BadRequestError, match="topK") as caught:
        peer.call("stream_chat", MESSAGES, request_id="err-1")
    assert (caught.value.code, caught.value.request_id) == ("40001", "err-1")
    assert caught.value.hint
    assert len(peer.requests) == 1


def test_error_data_without_its_event_name_is_an_error(both) -> None:
    """An event whose data is an error envelope is an error whatever its name."""
    body = b'data:{"status":{"code":"42901","message":"Too many requests - rate exceeded"}}\n\n'
    with pytest.raises(RateLimitError):
        both(lambda: sse(body), max_retries=0).call("stream_chat", MESSAGES)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>502 Bad Gateway</html>", "text/html"),
        (OK + b'{"message":{"role":"assis', "application/json"),
        (b"", "text/event-stream"),
        (b"event:token\ndata:{oops\n\n", "text/event-stream"),
    ],
)
def test_nonsense_instead_of_a_stream(both, body: bytes, kind: str) -> None:
    """HTML, truncated JSON, an empty or unreadable stream before the first token is an InvalidResponseError."""
    with pytest.raises(InvalidResponseError) as caught:
        both(lambda: answer(body, kind=kind), max_retries=0).call("stream_chat", MESSAGES, request_id="bad-1")
    assert caught.value.request_id == "bad-1"


def test_stream_ends_at_its_result(both) -> None:
    """After the result nothing more is read: a server that keeps the connection open is not waited for."""
    body = without_signal(sample("v3_chat.sse"))
    streams: list[Pieces] = []

    def serve() -> httpx.Response:
        streams.append(Pieces([body], error=AssertionError("read past the result")))
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=streams[-1])

    _, stream = both(serve).call("stream_chat", MESSAGES)
    assert stream.result().finish_reason == "stop"
    assert streams[0].closed


def test_result_before_the_end_is_refused(both) -> None:
    """Asking an unread stream for its result is an error that says what to do."""
    peer = both(lambda: sse(sample("v3_chat.sse")))
    with pytest.raises(StreamError, match="iterate it to its end"):
        _unread(peer).result()


def _unread(peer):
    from client_support import KEY

    from clova_studio import AsyncClovaStudio, ClovaStudio

    kind = ClovaStudio if peer.kind == "sync" else AsyncClovaStudio
    return kind(KEY).stream_chat(MESSAGES)


def test_rate_limit_headers_reach_the_result(both) -> None:
    """The x-ratelimit headers of a streamed answer are on its result and last chunk."""

    def serve() -> httpx.Response:
        response = sse(sample("v3_chat.sse"))
        response.headers["x-ratelimit-remaining-requests"] = "59"
        response.headers["x-ratelimit-reset-tokens"] = "2.5s"
        return response

    chunks, stream = both(serve).call("stream_chat", MESSAGES)
    assert stream.result().rate_limit.remaining_requests == 59
    assert chunks[-1].rate_limit.reset_tokens == 2.5
