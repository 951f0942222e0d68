"""The cache of embeddings: what it saves, and what it keeps after a failure."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_support import LONG, TEXTS

from clova_studio import (
    ContextLengthError,
    Embedding,
)
from llama_index_clova import ClovaEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer


def test_cache_saves_requests(
    embedding: Callable[..., ClovaEmbedding], embed: Callable[..., Any], server: EmulatorServer
) -> None:
    """With a cache no text is sent twice, on whichever path, and the same text in a list only once."""
    model = embedding(embeddings_cache=SimpleKVStore(), embed_batch_size=9)
    vectors = embed(model, [*TEXTS, *TEXTS[:3]])
    sent = len(server.requests)
    assert sent <= 43
    assert embed(model, TEXTS) == vectors[:40]
    assert model.get_text_embedding(TEXTS[0]) == vectors[0] == vectors[40]
    assert asyncio.run(model.aget_query_embedding(TEXTS[1])) == vectors[1]
    assert len(server.requests) == sent
    fresh = embedding(embeddings_cache=SimpleKVStore())
    assert embed(fresh, ["가", "나", "가"])[0] == embed(fresh, ["가"])[0]
    assert len(server.requests) == sent + 2


@pytest.mark.parametrize("size", [3, 1024])
def test_cache_keeps_what_succeeded_before_a_failure(
    embedding: Callable[..., ClovaEmbedding], embed: Callable[..., Any], server: EmulatorServer, size: int
) -> None:
    """After a failure in the middle, the next run sends only what is missing."""
    model = embedding(embeddings_cache=SimpleKVStore(), embed_batch_size=size, max_concurrency=2)
    with pytest.raises(ContextLengthError) as caught:
        embed(model, [*TEXTS[:20], LONG, *TEXTS[20:]])
    succeeded = sum(isinstance(item, Embedding) for item in caught.value.partial)
    assert succeeded >= 18
    server.reset()
    assert len(embed(model, TEXTS)) == 40
    assert len(server.requests) == 40 - succeeded


async def test_cache_keeps_what_succeeded_before_a_cancellation(account: dict[str, Any]) -> None:
    """A cancelled run leaves in the cache what its parts have stored: not a whole batch is lost."""
    store = SimpleKVStore()
    model = ClovaEmbedding(**account, embeddings_cache=store, max_concurrency=1)
    task = asyncio.create_task(model.aget_text_embedding_batch(TEXTS))
    while not store.get_all("embeddings"):  # noqa: ASYNC110  the store tells nobody
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 1 <= len(store.get_all("embeddings")) < 40


def test_cached_failure_names_the_place_in_the_list(embedding: Callable[..., ClovaEmbedding], embed: Any) -> None:
    """Where some texts are known, the error still has the index and the partial results of the whole list."""
    model = embedding(embeddings_cache=SimpleKVStore(), max_concurrency=1)
    embed(model, ["가", "나"])
    with pytest.raises(ContextLengthError, match=r"^texts\[2\]: ") as caught:
        embed(model, ["가", "다", LONG, "나", LONG, "라"])
    kinds = [type(item).__name__ for item in caught.value.partial]
    assert kinds == ["Embedding", "Embedding", "ContextLengthError", "Embedding", "ContextLengthError", "NoneType"]
