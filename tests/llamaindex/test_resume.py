"""Embedding that is killed or fails in the middle, and what the next run asks for: ingestion pipelines on a disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore.types import DEFAULT_COLLECTION, BaseKVStore

from clova_studio import Embedding, RateLimitError, ServerError
from clova_studio.emulator import Fault, serve
from llama_index_clova import ClovaEmbedding
from llama_index_clova._batches import Lookup

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

TEXTS = [f"{i}번째 문장" for i in range(200)]
CONCURRENCY = 4


class SQLiteStore(BaseKVStore):
    """A key-value store in a file, which has each entry as soon as it is put."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._do("CREATE TABLE IF NOT EXISTS entries (collection, key, value, PRIMARY KEY (collection, key))")

    def _do(self, statement: str, *values: Any) -> list[Any]:
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def put(self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION) -> None:
        self._do("REPLACE INTO entries VALUES (?, ?, ?)", collection, key, json.dumps(val))

    async def aput(self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION) -> None:
        self.put(key, val, collection)

    def get(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        rows = self._do("SELECT value FROM entries WHERE collection = ? AND key = ?", collection, key)
        return json.loads(rows[0][0]) if rows else None

    async def aget(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        return self.get(key, collection)

    def get_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        rows = self._do("SELECT key, value FROM entries WHERE collection = ?", collection)
        return {key: json.loads(value) for key, value in rows}

    async def aget_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        return self.get_all(collection)

    def delete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        return bool(self._do("DELETE FROM entries WHERE collection = ? AND key = ? RETURNING 1", collection, key))

    async def adelete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        return self.delete(key, collection)


# The same program for both ways: a persistent cache of the vectors, or a pipeline that is persisted between batches.
SCRIPT = """
import asyncio, json, os, sys

sys.path.insert(0, sys.argv[1])
from test_resume import CONCURRENCY, TEXTS, SQLiteStore

from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from llama_index_clova import ClovaEmbedding

way, url, key, folder, result = sys.argv[2:]
nodes = [TextNode(text=text) for text in TEXTS]
settings = {"api_key": key, "base_url": url, "max_concurrency": CONCURRENCY}
done = []
if way == "persist":
    pipeline = IngestionPipeline(transformations=[ClovaEmbedding(**settings)])
    if os.path.exists(folder):
        pipeline.load(folder)
    for start in range(0, len(nodes), 40):
        done += pipeline.run(nodes=nodes[start : start + 40])
        pipeline.persist(folder)
else:
    os.makedirs(folder, exist_ok=True)
    model = ClovaEmbedding(**settings, embeddings_cache=SQLiteStore(folder + "/vectors.db"))
    pipeline = IngestionPipeline(transformations=[model])
    done = pipeline.run(nodes=nodes) if way == "sync" else asyncio.run(pipeline.arun(nodes=nodes))
with open(result, "w") as file:
    json.dump([[node.get_content(), node.embedding] for node in done], file)
"""


def texts_of(server: EmulatorServer) -> list[str]:
    """Return what was asked for so far, in no order."""
    # A process that is killed may leave a request without its body.
    return sorted(request.body["text"] for request in server.requests if request.body is not None)


def kill_in_the_middle(command: list[str], server: EmulatorServer, reached: int) -> None:
    """Run a program whose request of this number never ends, and kill it there: what it belongs to is not stored."""
    server.add_fault(Fault("hang", every=reached, times=1))
    process = subprocess.Popen(command, env=os.environ.copy())
    try:
        while len(server.requests) < reached:
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sync", "async", "persist"])
def test_a_killed_run_is_taken_up(tmp_path: Path, way: str) -> None:
    """After a kill in the middle a new process asks for what was not stored, and has all vectors in order."""
    folder, result = tmp_path / "store", tmp_path / "vectors.json"
    with serve(latency=0.002) as server:
        arguments = [str(Path(__file__).parent), way, server.base_url, server.api_key, str(folder), str(result)]
        command = [sys.executable, "-c", SCRIPT, *arguments]
        kill_in_the_middle(command, server, 130)
        assert not result.exists()
        stored = TEXTS[:120] if way == "persist" else list(SQLiteStore(folder / "vectors.db").get_all("embeddings"))
        # At most a part is lost.
        assert 130 - 8 * CONCURRENCY <= len(stored) < 130
        assert set(stored) <= set(texts_of(server))
    # What the killed process had sent last does not count here.
    with serve(port=int(server.base_url.rsplit(":", 1)[1])) as server:
        subprocess.run(command, check=True, timeout=60)
        assert texts_of(server) == sorted(set(TEXTS) - set(stored))
        expected = ClovaEmbedding(api_key=server.api_key, base_url=server.base_url).get_text_embedding_batch(TEXTS)
        assert json.loads(result.read_text()) == [list(pair) for pair in zip(TEXTS, expected, strict=True)]

        server.reset()
        subprocess.run(command, check=True, timeout=60)
        assert server.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 500, "code": "50000"}, ServerError),
        ({"status": 429, "code": "42901", "headers": {"x-ratelimit-reset-requests": "0.01s"}}, RateLimitError),
    ],
)
def test_a_failed_run_is_taken_up(
    account: dict[str, Any],
    server: EmulatorServer,
    tmp_path: Path,
    way: str,
    fault: dict[str, Any],
    kind: type[ServerError | RateLimitError],
) -> None:
    """After a failure nothing is asked for again that succeeded, up to the text before the one that failed."""

    def run() -> list[Any]:
        model = ClovaEmbedding(
            **account, max_retries=0, max_concurrency=1, embeddings_cache=SQLiteStore(tmp_path / "vectors.db")
        )
        pipeline = IngestionPipeline(transformations=[model], disable_cache=True)
        nodes = [TextNode(text=text) for text in TEXTS]
        return list(pipeline.run(nodes=nodes) if way == "sync" else asyncio.run(pipeline.arun(nodes=nodes)))

    for number in (101, 102, 103):  # a text is asked for again while others may get through, so it is refused thrice
        server.add_fault(Fault("status", every=number, times=1, **fault))
    with pytest.raises(kind, match=r"texts\[100\]") as caught:
        run()
    assert [type(item) for item in caught.value.partial[:100]] == [Embedding] * 100
    assert caught.value.partial[101:] == [None] * 99
    server.reset()
    nodes = run()
    assert texts_of(server) == sorted(TEXTS[100:])
    assert [node.get_content() for node in nodes] == TEXTS
    assert nodes[99].embedding == caught.value.partial[99].embedding


@pytest.mark.parametrize("seconds", [0.1, 1.5])
def test_slow_parts_are_stored_sooner(seconds: float) -> None:
    """Parts grow to eight rounds of requests while they take no time, and shrink to one when they do."""
    ticks = iter(range(1000))
    texts = [f"글 {i}" for i in range(300)]

    def sizes(clock: Callable[[], float]) -> list[int]:
        parts = list(Lookup(texts, clock).parts(10))
        assert [text for part in parts for text in part] == texts
        return [len(part) for part in parts]

    # The clock is read when a part begins and when it has ended.
    expected = [10, 20, 40, 80, 80, 70] if seconds < 1 else [10] * 30
    assert sizes(lambda: next(ticks) * seconds) == expected
    slow_later = iter([0, 0, 0, 0, 0, 0, 0, 9, 9, 18, 18, 27, 27, 36, *[40] * 99])
    assert sizes(lambda: float(next(slow_later)))[:9] == [10, 20, 40, 80, 40, 20, 10, 10, 20]
