"""Dask: the program of docs/scale.md, with two workers and one quota."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from quota_servers import RedisServer
from scale_support import KEY, LINES, Job, asked, quota_server, recipe, refused, texts, vectors_of

if TYPE_CHECKING:
    from pathlib import Path

# On a machine that does much else, engines start slowly.
pytestmark = pytest.mark.timeout(300)
TEXTS = [text for lines in texts().values() for text in lines]


def run(folder: Path, store: str, kill: str = "") -> list[str]:
    """Run the recipe, and return the texts that were asked; none is refused, and each has its vector in the end."""
    with quota_server() as server:
        account = {"CLOVASTUDIO_API_KEY": KEY, "CLOVASTUDIO_BASE_URL": server.base_url}
        job = Job(folder, server, recipe("dask.distributed", store), account)
        requests = job.run(kill)
    assert refused(requests) == [], job.output
    table = pq.read_table(folder / "vectors")
    assert sorted(table["text"].to_pylist()) == sorted(TEXTS)
    for vector, wanted in zip(table["vector"].to_pylist(), vectors_of(table["text"].to_pylist()), strict=True):
        assert vector == pytest.approx(wanted, abs=1e-6)
    return asked(requests)


def test_dask_asks_each_text_once(tmp_path: Path) -> None:
    """Two workers share a quota through Redis: each text is embedded once, none is refused later."""
    with RedisServer(tmp_path) as redis:
        assert sorted(run(tmp_path, redis.address)) == sorted(TEXTS)


def test_dask_goes_on_after_a_killed_worker(tmp_path: Path) -> None:
    """A worker killed in the middle costs the file that it had in hand, and none is refused."""
    again = run(tmp_path, f"sqlite:///{tmp_path}/quota.db", "spawn_main")
    assert 0 <= len(again) - len(TEXTS) <= LINES
