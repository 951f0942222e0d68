"""Bodies and headers of any size, over real connections: what is read is decoded rightly, and has a cap."""

from __future__ import annotations

import functools
import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from client_support import OK
from fault_support import CHAT, KINDS, SSE, STREAM, TEXT, Account, RawServer, chunked, head, plain

import clova_studio as cs
from clova_studio._streaming.body import MAX_ANSWER_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

MB = 1024 * 1024
# More than is ever held, for an event too.
LARGE = 200 * MB


def raw_deflate(data: bytes) -> bytes:
    """Compress without a frame, as some servers do for "deflate"."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without a frame": ("deflate", raw_deflate),
    "identity": ("identity", bytes),
}


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_encoded_answers_are_read(kind: str, encoding: str) -> None:
    """Each encoding that is asked for is decoded, whole and streamed, in one piece and byte by byte."""
    name, encode = ENCODINGS[encoding]
    with RawServer(plain(encode(CHAT), content_encoding=name)) as server:
        assert Account(kind, server.base_url).chat() == TEXT
        assert b"accept-encoding: gzip, deflate\r\n" in server.requests[0].lower()
    large = OK + b'{"message":{"content":"' + b"ab" * 3 * MB + b'"}}}'
    with RawServer(plain(encode(large), content_encoding=name)) as server:
        assert Account(kind, server.base_url).chat() == "ab" * 3 * MB
    body = encode(STREAM)
    start = head(200, "text/event-stream", transfer_encoding="chunked", content_encoding=name)
    for parts in ([body], [body[i : i + 1] for i in range(len(body))]):
        with RawServer(start + chunked(*parts)) as server:
            assert Account(kind, server.base_url).stream() == TEXT


@pytest.mark.parametrize("body", [b"not compressed", gzip.compress(CHAT)[:-40], b"", zlib.compress(CHAT)])
@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "no such thing", "x" * 5_000])
@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_decoded_is_typed(kind: str, name: str, body: bytes) -> None:
    """A body that is not what its encoding says, or has one that was not asked for, is an InvalidResponseError."""
    if name == "deflate" and body == zlib.compress(CHAT):
        return
    streamed = head(200, "text/event-stream", content_encoding=name, content_length=str(len(body))) + body
    for answer, verb in ((plain(body, content_encoding=name), "chat"), (streamed, "stream")):
        with RawServer(answer) as server, pytest.raises(cs.InvalidResponseError) as caught:
            getattr(Account(kind, server.base_url, max_retries=0), verb)()
        assert len(str(caught.value)) < 500
        assert caught.value.request_id


@functools.cache
def bomb(size: int) -> bytes:
    """Return gzip of so many blanks."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return b"".join([*(packer.compress(b" " * MB) for _ in range(size // MB)), packer.flush()])


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 429, 500])
@pytest.mark.parametrize("kind", KINDS)
def test_a_gzip_bomb_is_not_unpacked(kind: str, status: int) -> None:
    """200 kB that would be 200 MB are an InvalidResponseError, and little more than the cap is ever in memory."""
    packed = bomb(LARGE)
    assert len(packed) < 0.25 * MB
    for name, body in (("gzip", packed), ("gzip, gzip", gzip.compress(packed))):
        with RawServer(plain(body, status, content_encoding=name)) as server:
            for verb in ("chat", "stream"):
                tracemalloc.start()
                with pytest.raises(cs.InvalidResponseError):
                    getattr(Account(kind, server.base_url, max_retries=0), verb)()
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                assert peak < 1.5 * MAX_ANSWER_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_is_a_bomb_is_not_unpacked(kind: str) -> None:
    """The same for a stream: one event of 200 MB is an error at the cap of an event."""
    start = head(200, "text/event-stream", transfer_encoding="chunked", content_encoding="gzip")
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    parts = [
        packer.compress(b"event:token\ndata:"),
        *(packer.compress(b" " * MB) for _ in range(LARGE // MB)),
        packer.flush(),
    ]
    with RawServer(start + chunked(b"".join(parts))) as server:
        tracemalloc.start()
        with pytest.raises(cs.InvalidResponseError, match="64 MB"):
            Account(kind, server.base_url, max_retries=0).stream()
        assert tracemalloc.get_traced_memory()[1] < 2.5 * MAX_ANSWER_BYTES
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_body_beyond_the_cap_is_typed(kind: str) -> None:
    """A plain body of more than the cap is an error before it is all read, of known length or not."""
    part = b" " * MB
    known = head(200, content_length=str(1000 * MB)) + part

    def endless(line: Any) -> bool:
        line.send(SSE.replace(b"text/event-stream", b"application/json"))
        sent = 0
        while not line.gone.is_set() and sent < 1000:
            line.send(chunked(part, end=False))
            sent += 1
        return True

    def long(line: Any) -> bool:
        line.send(known)
        for _ in range(999):
            line.send(part)
            if line.gone.is_set():
                break
        return True

    for turn in (endless, long):
        with RawServer(turn) as server, pytest.raises(cs.InvalidResponseError, match="64 MB"):
            Account(kind, server.base_url, max_retries=0).chat()


@pytest.mark.parametrize("kind", KINDS)
def test_headers_have_a_cap(kind: str) -> None:
    """More than 100 kB of headers, in one or in many, are an APIConnectionError."""
    for headers in ({"x_long": "x" * 200_000}, {f"x_{i}": "x" * 100 for i in range(2_000)}):
        with RawServer(plain(CHAT, **headers)) as server:
            for verb in ("chat", "stream"):
                with pytest.raises(cs.APIConnectionError) as caught:
                    getattr(Account(kind, server.base_url, max_retries=0), verb)()
                assert len(str(caught.value)) < 2_500
