"""Many texts at once: order, bounds on what is in flight, failures, and LlamaIndex's own machinery."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.rate_limiter import BaseRateLimiter
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_support import LONG, TEXTS

from clova_studio import (
    ClovaStudio,
    ContextLengthError,
    Embedding,
    RateLimitError,
)
from clova_studio.emulator import Fault, serve
from llama_index_clova import ClovaEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from clova_studio.emulator import EmulatorServer


class Turns(BaseRateLimiter):
    """A rate limiter that lets everybody through and counts them."""

    def __init__(self) -> None:
        self.sync = self.asynchronous = 0

    def acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002  the base class's argument
        self.sync += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002  the base class's argument
        self.asynchronous += 1


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"embed_batch_size": 7}, {"embed_batch_size": 7, "num_workers": 3}])
def test_order_and_one_request_a_text(
    embedding: Callable[..., ClovaEmbedding],
    embed: Callable[..., Any],
    server: EmulatorServer,
    settings: dict[str, Any],
) -> None:
    """Each text gets its own vector and one request, in whatever batches."""
    vectors = embed(embedding(**settings), TEXTS)
    assert sorted(request.body["text"] for request in server.requests) == sorted(TEXTS)
    assert vectors[7] == embedding().get_text_embedding(TEXTS[7])
    assert vectors[39] == embedding().get_text_embedding(TEXTS[39])
    assert len({str(vector) for vector in vectors}) == 40


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"embed_batch_size": 4}, {}, {"embed_batch_size": 4, "num_workers": 9}])
def test_concurrency_is_used_and_bounded(embed: Callable[..., Any], settings: dict[str, Any]) -> None:
    """Requests run side by side, and never more of them than asked for, with small and large batches."""
    with serve(latency=0.02) as server:
        embed(ClovaEmbedding(api_key=server.api_key, base_url=server.base_url, max_concurrency=6, **settings), TEXTS)
        assert 2 <= server.peak_in_flight <= 6


@pytest.mark.slow
@pytest.mark.parametrize("threads", [False, True])
def test_bound_holds_for_all_paths_together(threads: bool) -> None:  # noqa: FBT001
    """Batches, hooks, texts and queries of one instance in one loop share the bound, with a sync client, too."""
    with serve(latency=0.02) as server, ClovaStudio(server.api_key, base_url=server.base_url) as client:
        account: dict[str, Any] = {"client": client} if threads else {"api_key": server.api_key}
        if not threads:
            account["base_url"] = server.base_url
        model = ClovaEmbedding(**account, max_concurrency=5, embed_batch_size=3)

        async def main() -> None:
            await asyncio.gather(
                model.aget_text_embedding_batch(TEXTS),
                model.aget_text_embedding_batch(TEXTS),
                model._aget_text_embeddings(TEXTS),
                *(model.aget_text_embedding(text) for text in TEXTS),
                *(model.aget_query_embedding(text) for text in TEXTS),
            )

        asyncio.run(main())
        assert 2 <= server.peak_in_flight <= 5
        assert len(server.requests) == 200


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "most"), [(1, 4), (2, 8)])
def test_num_workers_bounds_batches(workers: int, most: int) -> None:
    """So many batches are in flight at once, one with num_workers=1, also of several calls together."""
    with serve(latency=0.02) as server:
        model = ClovaEmbedding(
            api_key=server.api_key, base_url=server.base_url, embed_batch_size=4, num_workers=workers
        )

        async def main() -> None:
            await asyncio.gather(*(model.aget_text_embedding_batch(TEXTS) for _ in range(3)))

        asyncio.run(main())
        assert 2 <= server.peak_in_flight <= most


@pytest.mark.slow
def test_query_does_not_wait_for_a_batch() -> None:
    """A query is answered while a long batch of the same instance is in flight."""
    with serve(latency=0.01) as server:
        model = ClovaEmbedding(api_key=server.api_key, base_url=server.base_url, max_concurrency=2)

        async def main() -> int:
            batch = asyncio.create_task(model.aget_text_embedding_batch(TEXTS * 3))
            while not server.requests:  # noqa: ASYNC110  another thread's
                await asyncio.sleep(0.001)
            await model.aget_query_embedding("가")
            sent = len(server.requests)
            await batch
            return sent

        assert asyncio.run(main()) < 60


def test_several_event_loops(embedding: Callable[..., ClovaEmbedding]) -> None:
    """One instance works in one asyncio.run after the other, with requests that wait for others, too."""
    model = embedding(max_concurrency=2, embed_batch_size=5, num_workers=2)
    vectors = [asyncio.run(model.aget_text_embedding_batch(TEXTS)) for _ in range(3)]
    assert vectors[0] == vectors[1] == vectors[2]
    assert len(model._semaphores._by_loop) == 1


@pytest.mark.parametrize("size", [2, 1024])
@pytest.mark.parametrize("cached", [False, True])
def test_failure_keeps_what_succeeded(
    embedding: Callable[..., ClovaEmbedding],
    embed: Callable[..., Any],
    size: int,
    cached: bool,  # noqa: FBT001
) -> None:
    """The client's error names the text by its index, and has the vectors on partial at their indexes."""
    model = embedding(
        embed_batch_size=size, max_concurrency=1, num_workers=1, embeddings_cache=SimpleKVStore() if cached else None
    )
    with pytest.raises(ContextLengthError, match=r"^texts\[3\]: ") as caught:
        embed(model, ["가", "나", "다", LONG, "라", "마", "바"])
    partial = caught.value.partial
    assert len(partial) == 7
    assert [type(item) for item in partial[:3]] == [Embedding] * 3
    assert partial[2].embedding == embedding().get_text_embedding("다")
    assert partial[3] is caught.value
    assert partial[4:] == [None] * 3


@pytest.mark.parametrize("size", [4, 1024])
def test_nothing_is_started_after_a_failure(
    embedding: Callable[..., ClovaEmbedding], embed: Callable[..., Any], server: EmulatorServer, size: int
) -> None:
    """A failure ends the work: what is in flight comes to its end, all else stays unsent, also after the call."""
    server.add_fault(Fault("status", status=400, code="40000"))
    model = embedding(embed_batch_size=size, max_concurrency=2)

    async def main() -> int:
        with pytest.raises(Exception, match="texts"):
            await model.aget_text_embedding_batch(TEXTS)
        sent = len(server.requests)
        await asyncio.sleep(0.05)
        assert len(server.requests) == sent
        return sent

    assert asyncio.run(main()) <= 8
    with pytest.raises(Exception, match="texts"):
        embed(model, TEXTS)
    assert len(server.requests) <= 16


def test_quota_refusals_go_back_while_others_get_through(
    embedding: Callable[..., ClovaEmbedding], server: EmulatorServer
) -> None:
    """Without a retry left, a text that is refused twice is asked for again if another got through, else it fails."""
    full: dict[str, Any] = {"status": 429, "code": "42901", "headers": {"x-ratelimit-reset-requests": "0.05s"}}
    server.add_fault(Fault("status", times=1, **full))
    server.add_fault(Fault("status", every=3, times=1, **full))
    model = embedding(max_retries=0, max_concurrency=2)
    assert len(asyncio.run(model.aget_text_embedding_batch(TEXTS[:2]))) == 2
    assert len(server.requests) == 4
    server.reset()
    server.add_fault(Fault("status", **full))
    with pytest.raises(RateLimitError, match=r"^texts\[[01]\]: "):
        asyncio.run(model.aget_text_embedding_batch(TEXTS))


def test_rate_limiter_has_its_turns(embedding: Callable[..., ClovaEmbedding]) -> None:
    """A rate limiter is asked once a batch or text, also on the async path with a cache, and for known texts never."""
    turns = Turns()
    plain = embedding(rate_limiter=turns, embed_batch_size=10)
    plain.get_text_embedding_batch(TEXTS)
    plain.get_query_embedding("가")
    assert (turns.sync, turns.asynchronous) == (5, 0)
    asyncio.run(plain.aget_text_embedding_batch(TEXTS))
    asyncio.run(plain.aget_query_embedding("가"))
    assert (turns.sync, turns.asynchronous) == (5, 5)
    turns = Turns()
    cached = embedding(rate_limiter=turns, embed_batch_size=10, embeddings_cache=SimpleKVStore())
    asyncio.run(cached.aget_text_embedding_batch(TEXTS))
    assert turns.asynchronous == 4
    asyncio.run(cached.aget_text_embedding_batch(TEXTS))
    assert turns.asynchronous == 4
    cached.get_text_embedding_batch(["가"])
    assert turns.sync == 1


def test_callbacks_see_each_batch_once(embedding: Callable[..., ClovaEmbedding], embed: Callable[..., Any]) -> None:
    """Each batch is one event with its texts and vectors, and every event ends, also after a failure."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    model = embedding(callback_manager=CallbackManager([debug]), embed_batch_size=15)
    embed(model, TEXTS)
    pairs = debug.get_event_pairs(CBEventType.EMBEDDING)
    assert sorted(len(pair[1].payload["chunks"]) for pair in pairs) == [10, 15, 15]
    assert all(len(pair[1].payload["embeddings"]) == len(pair[1].payload["chunks"]) for pair in pairs)
    debug.flush_event_logs()
    with pytest.raises(ContextLengthError):
        embed(model, [LONG, *TEXTS])
    pairs = debug.get_event_pairs(CBEventType.EMBEDDING)
    assert pairs
    assert all(len(pair) == 2 for pair in pairs)


def test_progress_bar(
    embedding: Callable[..., ClovaEmbedding], embed: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """show_progress draws a bar, and there is none by default."""
    embed(embedding(), TEXTS)
    assert capsys.readouterr().err == ""
    embed(embedding(embed_batch_size=10), TEXTS, show_progress=True)
    assert "40/40" in capsys.readouterr().err


def test_single_texts_by_the_hundred(embedding: Callable[..., ClovaEmbedding]) -> None:
    """Many texts asked for one by one are no problem either: each waits for its turn."""
    model = embedding(max_concurrency=4)

    async def main() -> list[list[float]]:
        jobs: list[Coroutine[Any, Any, list[float]]] = [model.aget_text_embedding(text) for text in TEXTS * 5]
        return await asyncio.gather(*jobs)

    assert len(asyncio.run(main())) == 200
