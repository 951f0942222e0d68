"""CPU of calls and of tokens, and whether the cost of a token grows with the stream."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from measuring import Measured, Row, compare
from workers import Worker, naver

if TYPE_CHECKING:
    from collections.abc import Callable

# A fraction of a second each, so there can be many: what disturbs a few of them does not move their median.
PAIRS = 21
CALLS = 300
TOKENS = 20_000
# langchain-naver takes a hundred and fifty microseconds a token.
FEWER = 4_000
LONG, SHORT, LONG_STREAMS = 10_000, 200, 2


def chat(base_url: str) -> Measured:
    """CPU of client.chat against a POST of httpx and json()."""
    with Worker("jobs_client") as ours, Worker("jobs_httpx") as raw:
        return compare(
            lambda: ours.do("chat", base_url=base_url, calls=CALLS).cpu / CALLS,
            lambda: raw.do("chat", base_url=base_url, calls=CALLS).cpu / CALLS,
            pairs=PAIRS,
        )


def invoke(base_url: str) -> Measured:
    """CPU of ChatClovaX.invoke against langchain-naver's."""
    with Worker("jobs_langchain") as ours, naver() as theirs:
        return compare(
            lambda: ours.do("invoke", base_url=base_url, calls=CALLS).cpu / CALLS,
            lambda: theirs.do("invoke", base_url=base_url, calls=CALLS).cpu / CALLS,
            pairs=PAIRS,
            note=f"langchain-core alone {median_us(lambda: ours.do('floor_invoke', calls=CALLS).cpu / CALLS)}",
        )


def client_stream(base_url: str) -> Measured:
    """CPU a token of client.stream_chat against httpx's bytes, cut at blank lines, and json.loads."""
    with Worker("jobs_client") as ours, Worker("jobs_httpx") as raw:
        return compare(
            lambda: ours.do("stream", base_url=base_url, tokens=TOKENS).cpu / TOKENS,
            lambda: raw.do("stream", base_url=base_url, tokens=TOKENS).cpu / TOKENS,
            pairs=PAIRS,
        )


def langchain_stream(base_url: str) -> Measured:
    """CPU a token of ChatClovaX.stream against langchain-naver's."""
    with Worker("jobs_langchain") as ours, naver() as theirs:
        return compare(
            lambda: ours.do("stream", base_url=base_url, tokens=FEWER).cpu / FEWER,
            lambda: theirs.do("stream", base_url=base_url, tokens=FEWER).cpu / FEWER,
            pairs=PAIRS,
            note=f"langchain-core alone {median_us(lambda: ours.do('floor_stream', tokens=FEWER).cpu / FEWER)}",
        )


def linear(jobs: str, base_url: str, *, without: str | None = None) -> Measured:
    """CPU a token of one long stream against short ones with as many tokens, what a stream costs anyway taken off.

    Args:
        jobs: Whose streams.
        base_url: Where the stand-in is.
        without: A job whose cost a token is taken off too: what langchain-core does with the chunks is not ours.
    """
    with Worker(jobs) as ours:

        def cost(job: str, tokens: int, streams: int, **place: str) -> float:
            spent = ours.do(job, tokens=tokens, streams=streams, **place).cpu
            anyway = ours.do(job, tokens=1, streams=streams, **place).cpu
            return (spent - anyway) / ((tokens - 1) * streams)

        def a_token(tokens: int, streams: int) -> float:
            found = cost("stream", tokens, streams, base_url=base_url)
            return found - (cost(without, tokens, streams) if without else 0.0)

        short_streams = LONG_STREAMS * LONG // SHORT
        return compare(lambda: a_token(LONG, LONG_STREAMS), lambda: a_token(SHORT, short_streams), pairs=PAIRS)


def median_us(measure: Callable[[], float]) -> str:
    """Return a median in microseconds."""
    return f"{statistics.median(measure() for _ in range(PAIRS)) * 1e6:.1f}us"


ROWS = (
    Row("chat", "CPU of client.chat / raw httpx POST + json()", 1.4, chat),
    Row("invoke", "CPU of ChatClovaX.invoke / langchain-naver", 0.65, invoke),
    Row("stream", "CPU a token of client.stream_chat / raw httpx + json.loads", 1.4, client_stream),
    Row("stream-langchain", "CPU a token of ChatClovaX.stream / langchain-naver", 0.40, langchain_stream),
    Row(
        "linear-stream",
        f"CPU a token of client.stream_chat, {LONG:,} tokens / {SHORT}",
        1.1,
        lambda base_url: linear("jobs_client", base_url),
    ),
    Row(
        "linear-stream-langchain",
        f"CPU a token of ChatClovaX.stream over langchain-core's, {LONG:,} tokens / {SHORT}",
        1.1,
        lambda base_url: linear("jobs_langchain", base_url, without="floor_stream"),
    ),
)
