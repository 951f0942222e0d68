"""Ray Data and LlamaIndex's pipeline on it: the programs of docs/scale.md, with two workers and one quota."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from scale_support import KEY, LINES, Job, RayCluster, asked, recipe, refused, texts, vectors_of

if TYPE_CHECKING:
    from pathlib import Path

# On a machine that does much else, engines start slowly.
pytestmark = pytest.mark.timeout(300)
TEXTS = [text for lines in texts().values() for text in lines]
# A worker that is killed has so much in its hands: the texts of a block are asked again.
BLOCK = 64 + LINES
DUMP = """
Path("nodes.json").write_text(json.dumps([[node.text, node.embedding] for node in nodes]), encoding="utf-8")
"""


@pytest.fixture
def job(cluster: RayCluster, tmp_path: Path) -> Any:
    """Return a job of an engine, whose driver has no key."""

    def make(words: str, tail: str = "") -> Job:
        program = recipe(words, f"sqlite:///{tmp_path}/quota.db") + tail
        return Job(tmp_path, cluster.server, program, cluster.of_drivers)

    return make


def texts_of(work: Job, kill: str = "", cluster: RayCluster | None = None) -> list[str]:
    """Run a job, see that nothing was refused after the first window, and return the texts that were embedded."""
    requests = work.run(kill, cluster)
    assert refused(requests) == [], work.output
    return asked(requests)


def saved(folder: Path) -> dict[str, list[float]]:
    """Return the vectors in the Parquet files of a folder, each text once."""
    table = pq.read_table(folder / "vectors")
    found = dict(zip(table["text"].to_pylist(), table["vector"].to_pylist(), strict=True))
    assert len(found) == table.num_rows
    return found


def check(found: dict[str, list[float]]) -> None:
    """Every text has its own vector."""
    assert sorted(found) == sorted(TEXTS)
    for text, vector in zip(TEXTS, vectors_of(TEXTS), strict=True):
        assert found[text] == pytest.approx(vector, abs=1e-6), text


def test_ray_data_asks_each_text_once(job: Any, cluster: RayCluster, tmp_path: Path) -> None:
    """Two actors embed a folder, each text once; none is refused after the first window, the key is kept nowhere."""
    work = job("ray.data.read_text")
    assert sorted(texts_of(work)) == sorted(TEXTS)
    check(saved(tmp_path))
    # The driver had no key, so none can be in a pickle of it; nor does Ray keep one.
    kept = [path for path in cluster.folder.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if KEY.encode() in path.read_bytes()]


def test_ray_data_goes_on_after_a_killed_actor(job: Any, cluster: RayCluster, tmp_path: Path) -> None:
    """An actor killed in the middle costs what it had in hand, and the next run asks for what has no vector only."""
    work = job("ray.data.read_text")
    again = texts_of(work, "ray::MapWorker(MapBatches(Embed", cluster)
    assert 0 <= len(again) - len(TEXTS) <= BLOCK
    check(saved(tmp_path))
    (tmp_path / "vectors" / min(path.name for path in (tmp_path / "vectors").iterdir())).unlink()
    left = set(TEXTS) - set(saved(tmp_path))
    assert sorted(texts_of(work)) == sorted(left)
    check(saved(tmp_path))


def test_ray_ingestion_pipeline_goes_on_after_a_killed_actor(job: Any, cluster: RayCluster, tmp_path: Path) -> None:
    """LlamaIndex's pipeline on Ray gives each node its vector, none is refused, although an actor is killed."""
    work = job("RayIngestionPipeline(", "\nimport json" + DUMP)
    again = texts_of(work, "ray::MapWorker(MapBatches(TransformActor", cluster)
    assert 0 <= len(again) - len(TEXTS) <= BLOCK
    nodes = json.loads((tmp_path / "nodes.json").read_text("utf-8"))
    assert len(nodes) == len(TEXTS)
    check(dict(nodes))
