"""Many streams at once: their memory, and that all come to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from measuring import Measured, Row, compare
from workers import once

if TYPE_CHECKING:
    from collections.abc import Callable

HELD = 400
STREAMS = 1_000


def memory(job: str) -> Callable[[str], Measured]:
    """Return what measures the memory of an open stream against httpx's; each time in a fresh process."""
    return lambda base_url: compare(
        lambda: once("jobs_client", job, base_url=base_url, streams=HELD).value,
        lambda: once("jobs_httpx", job, base_url=base_url, streams=HELD).value,
    )


def many(base_url: str) -> Measured:
    """Streams that are open on one client at once, and those of them that ended well."""
    finished = float(once("jobs_client", "many_streams", base_url=base_url, streams=STREAMS).value)
    return Measured(finished, STREAMS, finished / STREAMS)


ROWS = (
    Row("memory-stream", "memory an open stream / raw httpx stream", 1.3, memory("held"), unit="kB"),
    Row("memory-stream-async", "memory an open async stream / raw httpx stream", 1.3, memory("held_async"), unit="kB"),
    Row("many-streams", "async streams open at once on one client, ended well", 1, many, unit="streams", at_least=True),
)
