"""CPU of calls and of tokens, and whether the cost of a token grows with the stream."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

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


def cpu(worker: Worker, job: str, **given: Any) -> Callable[[], float]:
    """Return what measures the CPU of a job for each of its calls or tokens."""
    times = given["calls"] if "calls" in given else given["tokens"]
    return lambda: worker.do(job, **given).cpu / times


def against_httpx(job: str, **given: Any) -> Measured:
    """CPU of a job of the client against the same with httpx and json alone."""
    with Worker("jobs_client") as ours, Worker("jobs_httpx") as raw:
        return compare(cpu(ours, job, **given), cpu(raw, job, **given), pairs=PAIRS)


def against_naver(job: str, base_url: str, **given: Any) -> Measured:
    """CPU of a job of ChatClovaX against langchain-naver's; the note has langchain-core's own share."""
    with Worker("jobs_langchain") as ours, naver() as theirs:
        ours_cpu, their_cpu = (cpu(worker, job, base_url=base_url, **given) for worker in (ours, theirs))
        core = median_us(cpu(ours, f"floor_{job}", **given))
        return compare(ours_cpu, their_cpu, pairs=PAIRS, note=f"langchain-core alone {core}")


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
    Row(
        "chat",
        "CPU of client.chat / raw httpx POST + json()",
        1.4,
        lambda base_url: against_httpx("chat", base_url=base_url, calls=CALLS),
    ),
    Row(
        "invoke",
        "CPU of ChatClovaX.invoke / langchain-naver",
        0.65,
        lambda base_url: against_naver("invoke", base_url, calls=CALLS),
    ),
    Row(
        "stream",
        "CPU a token of client.stream_chat / raw httpx + json.loads",
        1.4,
        lambda base_url: against_httpx("stream", base_url=base_url, tokens=TOKENS),
    ),
    Row(
        "stream-langchain",
        "CPU a token of ChatClovaX.stream / langchain-naver",
        0.40,
        lambda base_url: against_naver("stream", base_url, tokens=FEWER),
    ),
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
