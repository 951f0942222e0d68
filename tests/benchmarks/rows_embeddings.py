"""Embedding many texts: how much faster than one after another, and whether cost and memory grow with their number."""

from __future__ import annotations

from measuring import Measured, Row, UnmeasurableError, compare
from workers import Worker, naver, once

TEXTS = 1_000
LATENCY = 50
# langchain-naver sends one text after another: a minute for all, each time. So once for all, to see that ten times a
# tenth is what all take, then a tenth.
SHARE = 10
OFF = 0.1
MANY, FEW = 10_000, 1_000
HELD = 3_000


def faster(job: str, base_url: str) -> Measured:
    """Wall time of 1,000 texts, with a server that takes 50 ms, against langchain-naver's."""
    address = f"{base_url}/wait/{LATENCY}"
    with Worker("jobs_langchain") as ours, naver() as theirs:
        whole = theirs.do(job, base_url=address, texts=TEXTS).wall
        found = compare(
            lambda: ours.do(job, base_url=address, texts=TEXTS).wall,
            lambda: theirs.do(job, base_url=address, texts=TEXTS // SHARE).wall * SHARE,
            inverse=True,
            note=f"langchain-naver took {whole:.1f} s for all {TEXTS:,} once",
        )
        if abs(found.baseline / whole - 1) > OFF:
            raise UnmeasurableError(f"langchain-naver: {whole:.1f} s for all, but {found.baseline:.1f} s by its share")
        return found


def linear(base_url: str) -> Measured:
    """CPU a text of embed_many for 10,000 texts against 1,000."""
    with Worker("jobs_client") as ours:
        return compare(
            lambda: ours.do("embed_many", base_url=base_url, texts=MANY).cpu / MANY,
            lambda: ours.do("embed_many", base_url=base_url, texts=FEW).cpu / FEW,
        )


def memory(base_url: str) -> Measured:
    """Growth of the process at its peak against that of one which holds the vectors alone."""
    return compare(
        lambda: once("jobs_client", "embed_many_memory", base_url=base_url, texts=HELD).value,
        lambda: once("jobs_httpx", "vectors_memory", base_url=base_url, texts=HELD).value,
    )


ROWS = (
    Row(
        "embed",
        f"embed_documents of {TEXTS:,} texts at {LATENCY} ms, times faster than langchain-naver",
        15,
        lambda base_url: faster("embed", base_url),
        unit="s",
        at_least=True,
    ),
    Row(
        "aembed",
        f"aembed_documents of {TEXTS:,} texts at {LATENCY} ms, times faster than langchain-naver",
        12,
        lambda base_url: faster("aembed", base_url),
        unit="s",
        at_least=True,
    ),
    Row("linear-embed", f"CPU a text of embed_many, {MANY:,} texts / {FEW:,}", 1.1, linear),
    Row("memory-embed", f"memory of embed_many at its peak / {HELD:,} vectors alone", 1.1, memory, unit="MB"),
)
