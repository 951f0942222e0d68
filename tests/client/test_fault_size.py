"""Size of what a peer sends: read in linear time, and up to a cap that is documented."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from client_support import MESSAGES, Pieces, bytewise, sse

import clova_studio as cs
from clova_studio._streaming.sse import MAX_EVENT_BYTES, SSEDecoder

MB = 1024 * 1024
HEAD = b'event:result\ndata:{"message":{"content":"'
TAIL = b'"}}\n\n'


def pieces(size: int, *, step: int = 65_536, line: bytes = b"x") -> list[bytes]:
    """Return a chat stream whose one event has so many bytes of text, in pieces."""
    body = HEAD + line * (size // len(line)) + TAIL
    return [body[i : i + step] for i in range(0, len(body), step)]


@pytest.mark.slow
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("lines", [1, 1_000])
def test_an_event_is_decoded_in_linear_time(end: bytes, lines: int) -> None:
    """An event of 32 MB, in one line or many, takes less than two seconds; quadratic it takes minutes."""
    data = b"data:" + b"x" * (32 * MB // lines)
    body = end[: len(end) // 2].join([data] * lines) + end
    decoder = SSEDecoder()
    begin = time.perf_counter()
    events = [event for i in range(0, len(body), 4_096) for event in decoder.feed(body[i : i + 4_096])]
    assert time.perf_counter() - begin < 2
    assert [len(event.data) for event in events] == [len(data[5:]) * lines + lines - 1]


@pytest.mark.slow
def test_a_large_event_is_an_answer(both: Any) -> None:
    """An event of 32 MB in small pieces arrives within seconds."""
    begin = time.perf_counter()
    _, stream = both(lambda: sse(pieces(32 * MB, step=8_192))).call("stream_chat", MESSAGES)
    assert len(stream.result().message.content) == 32 * MB
    assert time.perf_counter() - begin < 5


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"x", b"x" * 1_000 + b"\ndata:"])
def test_an_event_beyond_the_cap_is_typed(both: Any, line: bytes) -> None:
    """An event that does not end, in one line or many, is an error at the cap, before and after the first token."""
    token = b'event:token\ndata:{"message":{"content":"a"}}\n\n'
    read = 0

    def counted(parts: list[bytes]) -> Any:
        nonlocal read
        for part in parts:
            read += len(part)
            yield part

    def endless(parts: list[bytes]) -> httpx.Response:
        kind = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=kind, stream=Pieces(counted(parts)))

    large = pieces(MAX_EVENT_BYTES + 8 * MB, step=MB, line=line)
    for first, kind in ((b"", cs.InvalidResponseError), (token, cs.StreamInterruptedError)):
        read = 0
        with pytest.raises(kind, match="64 MB") as caught:
            both(lambda first=first: endless([first, *large]), max_retries=0).call("stream_chat", MESSAGES)
        assert read <= MAX_EVENT_BYTES * 1.2
        assert caught.value.request_id


@pytest.mark.slow
def test_many_small_events_are_no_large_one() -> None:
    """Comments and events may be endless: the cap is of one event."""
    decoder = SSEDecoder()
    event = b":" + b"c" * MB + b"\ndata:" + b"x" * MB + b"\n\n"
    assert sum(len(decoder.feed(event)) for _ in range(80)) == 80
    for _ in range(80):
        assert decoder.feed(b":" + b"c" * MB + b"\n") == []
    assert len(decoder.feed(b"data:x\n\n")) == 1


def test_bytewise_and_whole_decode_alike() -> None:
    """However the bytes come, with or without a mark, with any line ends, the events are the same."""
    for mark in (b"", b"\xef\xbb\xbf", b"\xef\xbb"):
        for end in (b"\n", b"\r", b"\r\n"):
            body = mark + end.join(
                [b"id:1", b"event:a", b"data:x", b"data: y", b"", b"", b":c", b"data:z", b"", b"data:w"]
            )
            for parts in ([body], bytewise(body), [body[i : i + 3] for i in range(0, len(body), 3)]):
                decoder = SSEDecoder()
                events = [event for part in parts for event in decoder.feed(part)] + decoder.flush()
                data = [(event.event, event.data, event.id) for event in events]
                first = "" if mark == b"\xef\xbb" else "1"
                assert data == [("a", b"x\ny", first), ("message", b"z", first), ("message", b"w", first)]
