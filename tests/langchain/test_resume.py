"""Embedding that is killed or fails in the middle, and what the next run asks for: CacheBackedEmbeddings on a disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.storage import LocalFileStore

from clova_studio import Embedding, RateLimitError, ServerError
from clova_studio.emulator import Fault, serve
from langchain_clova import ClovaEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

TEXTS = [f"{i}번째 문장" for i in range(200)]
BATCH = 20
SCRIPT = """
import asyncio, json, sys

from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.storage import LocalFileStore
from langchain_clova import ClovaEmbeddings

way, url, key, folder, result = sys.argv[1:]
cached = CacheBackedEmbeddings.from_bytes_store(
    ClovaEmbeddings(api_key=key, base_url=url, max_concurrency=4),
    LocalFileStore(folder),
    namespace="bge-m3",
    batch_size=20,
    key_encoder="sha256",
)
texts = [f"{i}번째 문장" for i in range(200)]
vectors = cached.embed_documents(texts) if way == "sync" else asyncio.run(cached.aembed_documents(texts))
with open(result, "w") as file:
    json.dump(vectors, file)
"""


def cache(folder: Path, model: ClovaEmbeddings, batch_size: int | None = BATCH) -> CacheBackedEmbeddings:
    """Return the embeddings of the script."""
    return CacheBackedEmbeddings.from_bytes_store(
        model, LocalFileStore(folder), namespace="bge-m3", batch_size=batch_size, key_encoder="sha256"
    )


def texts_of(server: EmulatorServer) -> list[str]:
    """Return what was asked for so far."""
    # A process that is killed may leave a request without its body.
    return [request.body["text"] for request in server.requests if request.body is not None]


@pytest.fixture(params=["sync", "async"])
def embed(request: pytest.FixtureRequest) -> Callable[..., list[list[float]]]:
    """Embed documents, in each of the two ways."""

    def run(model: Any, texts: list[str]) -> list[list[float]]:
        return model.embed_documents(texts) if request.param == "sync" else asyncio.run(model.aembed_documents(texts))

    return run


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_killed_run_is_taken_up(tmp_path: Path, way: str) -> None:
    """After a kill in the middle a new process asks for what was not stored, and has all vectors in order."""
    result = tmp_path / "vectors.json"
    with serve(latency=0.002) as server:
        arguments = [server.base_url, server.api_key, str(tmp_path / "cache"), str(result)]
        command = [sys.executable, "-c", SCRIPT, way, *arguments]
        # The request after the first three batches never ends, so the kill is in the middle of the fourth.
        server.add_fault(Fault("hang", every=3 * BATCH + 1, times=1))
        process = subprocess.Popen(command, env=os.environ.copy())
        try:
            while len(texts_of(server)) < 4 * BATCH:
                assert process.poll() is None
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert process.returncode == -signal.SIGKILL
        assert not result.exists()
        first = texts_of(server)
        assert sorted(first) == sorted(TEXTS[: 4 * BATCH])
    # What the killed process had sent last does not count here.
    with serve(port=int(server.base_url.rsplit(":", 1)[1])) as server:
        subprocess.run(command, check=True, timeout=60)
        assert sorted(texts_of(server)) == sorted(TEXTS[3 * BATCH :])

        server.reset()
        vectors = cache(tmp_path / "cache", ClovaEmbeddings(api_key=server.api_key, base_url=server.base_url))
        expected = ClovaEmbeddings(api_key=server.api_key, base_url=server.base_url).embed_documents(TEXTS)
        assert len(server.requests) == len(TEXTS)
        assert json.loads(result.read_text()) == expected == vectors.embed_documents(TEXTS)
        assert len(server.requests) == len(TEXTS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 500, "code": "50000"}, ServerError),
        ({"status": 429, "code": "42901", "headers": {"x-ratelimit-reset-requests": "0.01s"}}, RateLimitError),
    ],
)
def test_a_failed_run_is_taken_up(
    embeddings: Callable[..., ClovaEmbeddings],
    server: EmulatorServer,
    tmp_path: Path,
    embed: Callable[..., Any],
    fault: dict[str, Any],
    kind: type[ServerError | RateLimitError],
) -> None:
    """After a failure the batches before it are not asked for again, and the vectors of its own are on partial."""
    model = embeddings(max_retries=0, max_concurrency=1)
    cached = cache(tmp_path, model)
    server.add_fault(Fault("status", every=2 * BATCH + 6, **fault))
    if kind is RateLimitError:
        # A text is asked for again while others get through: refused three times in a row it is an error.
        server.add_fault(Fault("status", every=2 * BATCH + 7, **fault))
        server.add_fault(Fault("status", every=2 * BATCH + 8, **fault))
    with pytest.raises(kind, match=r"texts\[5\]") as caught:
        embed(cached, TEXTS)
    assert [type(item) for item in caught.value.partial[:5]] == [Embedding] * 5
    assert caught.value.partial[5] is caught.value
    server.reset()
    assert embed(cached, TEXTS) == embed(model, TEXTS)
    assert texts_of(server)[: len(TEXTS) - 2 * BATCH] == TEXTS[2 * BATCH :]


@pytest.mark.slow
def test_what_a_failed_batch_had_can_be_stored(
    embeddings: Callable[..., ClovaEmbeddings], server: EmulatorServer, tmp_path: Path, embed: Callable[..., Any]
) -> None:
    """Partial results, and those of on_error="return", go into the cache's own store: nothing is asked for twice."""
    cached = cache(tmp_path, embeddings(), batch_size=None)
    store = cached.document_embedding_store
    server.add_fault(Fault("status", every=31, times=1, status=400, code="40000"))
    with pytest.raises(Exception, match="texts") as caught:
        embed(embeddings(max_concurrency=3), TEXTS)
    pairs = zip(TEXTS, caught.value.partial, strict=True)  # type: ignore[attr-defined]
    store.mset([(text, item.embedding) for text, item in pairs if isinstance(item, Embedding)])
    stored = [text for text, vector in zip(TEXTS, store.mget(TEXTS), strict=True) if vector is not None]
    assert len(stored) >= 30

    server.reset()
    server.add_fault(Fault("status", every=50, status=400, code="40000"))
    missing = [text for text in TEXTS if text not in stored]
    found = embed(embeddings(on_error="return"), missing)
    assert sorted(texts_of(server)) == sorted(missing)
    store.mset([pair for pair in zip(missing, found, strict=True) if not isinstance(pair[1], Exception)])

    failed = [text for text, vector in zip(missing, found, strict=True) if isinstance(vector, Exception)]
    assert len(failed) == len(missing) // 50
    server.reset()
    assert len(embed(cached, TEXTS)) == len(TEXTS)
    assert sorted(texts_of(server)) == sorted(failed)
