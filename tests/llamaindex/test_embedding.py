"""Embeddings: order, bounds on what is in flight, the cache, failures, and LlamaIndex's own machinery."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.rate_limiter import BaseRateLimiter
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from clova_studio import (
    AsyncClovaStudio,
    ClovaStudio,
    ConfigurationError,
    ContextLengthError,
    Embedding,
    RateLimitError,
    RetryPolicy,
    Timeouts,
)
from clova_studio.emulator import Fault, serve
from llama_index_clova import ClovaEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from clova_studio.emulator import EmulatorServer

TEXTS = [f"{i}번째 문장" for i in range(40)]
LONG = "나" * 60_000
TOPICS = ["환불은 구매 후 7일 안에 신청할 수 있습니다.", "고양이는 하루에 열여섯 시간을 잔다.", "서울의 겨울은 춥다."]


class Turns(BaseRateLimiter):
    """A rate limiter that lets everybody through and counts them."""

    def __init__(self) -> None:
        self.sync = self.asynchronous = 0

    def acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002  the base class's argument
        self.sync += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002  the base class's argument
        self.asynchronous += 1


@pytest.fixture
def make(account: dict[str, Any]) -> Callable[..., ClovaEmbedding]:
    """Make embedding models that talk to the emulator."""
    return lambda **settings: ClovaEmbedding(**{**account, **settings})


@pytest.fixture(params=["sync", "async"])
def embed(request: pytest.FixtureRequest) -> Callable[..., list[list[float]]]:
    """Embed a list of texts, in each of the two ways."""

    def run(model: ClovaEmbedding, texts: list[str], **options: Any) -> list[list[float]]:
        if request.param == "sync":
            return model.get_text_embedding_batch(texts, **options)
        return asyncio.run(model.aget_text_embedding_batch(texts, **options))

    return run


# Every way to a vector, public ones and the hooks below them.
PATHS: dict[str, Callable[[ClovaEmbedding, str], Any]] = {
    "query": lambda model, text: model.get_query_embedding(text),
    "aquery": lambda model, text: asyncio.run(model.aget_query_embedding(text)),
    "text": lambda model, text: model.get_text_embedding(text),
    "atext": lambda model, text: asyncio.run(model.aget_text_embedding(text)),
    "batch": lambda model, text: model.get_text_embedding_batch([text])[0],
    "abatch": lambda model, text: asyncio.run(model.aget_text_embedding_batch([text]))[0],
    "agg": lambda model, text: model.get_agg_embedding_from_queries([text]),
    "hook": lambda model, text: model._get_text_embeddings([text])[0],
    "ahook": lambda model, text: asyncio.run(model._aget_text_embeddings([text]))[0],
}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_gives_the_same_vector(make: Callable[..., ClovaEmbedding], path: str) -> None:
    """A text has one vector whichever way it is asked for: 1,024 Python floats in a list."""
    vector = PATHS[path](make(), "가나다")
    assert type(vector) is list
    assert {type(number) for number in vector} == {float}
    assert len(vector) == 1024
    assert vector == make()._get_query_embedding("가나다")


@pytest.mark.slow
@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("path", PATHS)
def test_busy_service_is_waited_for(make: Callable[..., ClovaEmbedding], server: EmulatorServer, path: str) -> None:
    """429 and 429 again cost two requests, not the vector, on every path."""
    assert len(PATHS[path](make(), "가")) == 1024
    assert len(server.requests) == 3


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"embed_batch_size": 7}, {"embed_batch_size": 7, "num_workers": 3}])
def test_order_and_one_request_a_text(
    make: Callable[..., ClovaEmbedding], embed: Callable[..., Any], server: EmulatorServer, settings: dict[str, Any]
) -> None:
    """Each text gets its own vector and one request, in whatever batches."""
    vectors = embed(make(**settings), TEXTS)
    assert sorted(request.body["text"] for request in server.requests) == sorted(TEXTS)
    assert vectors[7] == make().get_text_embedding(TEXTS[7])
    assert vectors[39] == make().get_text_embedding(TEXTS[39])
    assert len({str(vector) for vector in vectors}) == 40


def test_models_go_to_their_paths(make: Callable[..., ClovaEmbedding], server: EmulatorServer) -> None:
    """bge-m3 is v2 and the default, the others are v1; model is another name of model_name, to read, too."""
    for model in (make(), make(model="clir-emb-dolphin"), make(model_name="clir-sts-dolphin")):
        model.get_query_embedding("가")
        assert model.model == model.model_name
    assert [request.path.rsplit("/", 1)[-1] for request in server.requests] == [
        "v2",
        "clir-emb-dolphin",
        "clir-sts-dolphin",
    ]
    with pytest.raises(ConfigurationError, match="model_name and model are names of one option"):
        make(model="bge-m3", model_name="clir-emb-dolphin")


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


def test_several_event_loops(make: Callable[..., ClovaEmbedding]) -> None:
    """One instance works in one asyncio.run after the other, with requests that wait for others, too."""
    model = make(max_concurrency=2, embed_batch_size=5, num_workers=2)
    vectors = [asyncio.run(model.aget_text_embedding_batch(TEXTS)) for _ in range(3)]
    assert vectors[0] == vectors[1] == vectors[2]
    assert len(model._semaphores._by_loop) == 1


async def test_sync_calls_inside_a_running_loop(make: Callable[..., ClovaEmbedding]) -> None:
    """Synchronous calls work where a loop runs, as in a notebook."""
    model = make()
    assert model.get_text_embedding_batch(TEXTS) == await model.aget_text_embedding_batch(TEXTS)
    assert model.get_query_embedding("가") == await model.aget_query_embedding("가")


def test_no_texts_no_request(make: Callable[..., ClovaEmbedding], embed: Callable[..., Any], server: Any) -> None:
    """An empty list gives an empty list, and nothing is sent."""
    assert embed(make(), []) == []
    assert embed(make(embeddings_cache=SimpleKVStore()), []) == []
    assert server.requests == []


@pytest.mark.parametrize("cached", [False, True])
def test_blank_texts_are_named_before_sending(
    make: Callable[..., ClovaEmbedding],
    embed: Callable[..., Any],
    server: EmulatorServer,
    cached: bool,  # noqa: FBT001
) -> None:
    """A blank text is refused by its index in the whole list, before the batches in front of it are sent."""
    model = make(embed_batch_size=2, embeddings_cache=SimpleKVStore() if cached else None)
    with pytest.raises(ConfigurationError, match=r"texts\[5\] is empty"):
        embed(model, [*TEXTS[:5], " \n", "가"])
    with pytest.raises(ConfigurationError, match="empty"):
        model.get_query_embedding("")
    with pytest.raises(ConfigurationError, match="empty"):
        asyncio.run(model.aget_text_embedding(" "))
    assert server.requests == []


@pytest.mark.parametrize("size", [2, 1024])
@pytest.mark.parametrize("cached", [False, True])
def test_failure_keeps_what_succeeded(
    make: Callable[..., ClovaEmbedding],
    embed: Callable[..., Any],
    size: int,
    cached: bool,  # noqa: FBT001
) -> None:
    """The client's error names the text by its index in the list, and has the vectors on partial by their indices."""
    model = make(
        embed_batch_size=size, max_concurrency=1, num_workers=1, embeddings_cache=SimpleKVStore() if cached else None
    )
    with pytest.raises(ContextLengthError, match=r"^texts\[3\]: ") as caught:
        embed(model, ["가", "나", "다", LONG, "라", "마", "바"])
    partial = caught.value.partial
    assert len(partial) == 7
    assert [type(item) for item in partial[:3]] == [Embedding] * 3
    assert partial[2].embedding == make().get_text_embedding("다")
    assert partial[3] is caught.value
    assert partial[4:] == [None] * 3


@pytest.mark.parametrize("size", [4, 1024])
def test_nothing_is_started_after_a_failure(
    make: Callable[..., ClovaEmbedding], embed: Callable[..., Any], server: EmulatorServer, size: int
) -> None:
    """A failure ends the work: what is in flight comes to its end, all else stays unsent, also after the call."""
    server.add_fault(Fault("status", status=400, code="40000"))
    model = make(embed_batch_size=size, max_concurrency=2)

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
    make: Callable[..., ClovaEmbedding], server: EmulatorServer
) -> None:
    """Without a retry left, a text that is refused twice is asked for again if another got through, else it fails."""
    full: dict[str, Any] = {"status": 429, "code": "42901", "headers": {"x-ratelimit-reset-requests": "0.05s"}}
    server.add_fault(Fault("status", times=1, **full))
    server.add_fault(Fault("status", every=3, times=1, **full))
    model = make(max_retries=0, max_concurrency=2)
    assert len(asyncio.run(model.aget_text_embedding_batch(TEXTS[:2]))) == 2
    assert len(server.requests) == 4
    server.reset()
    server.add_fault(Fault("status", **full))
    with pytest.raises(RateLimitError, match=r"^texts\[[01]\]: "):
        asyncio.run(model.aget_text_embedding_batch(TEXTS))


@pytest.mark.parametrize("path", ["query", "aquery", "text", "atext", "batch", "abatch"])
def test_long_texts_can_be_truncated(make: Callable[..., ClovaEmbedding], path: str) -> None:
    """on_too_long="truncate" shortens what is too long on every path; "error" is the default."""
    assert len(PATHS[path](make(on_too_long="truncate"), LONG)) == 1024
    with pytest.raises(ContextLengthError):
        PATHS[path](make(), LONG)


def test_cache_saves_requests(
    make: Callable[..., ClovaEmbedding], embed: Callable[..., Any], server: EmulatorServer
) -> None:
    """With a cache no text is sent twice, on whichever path, and the same text in a list only once."""
    model = make(embeddings_cache=SimpleKVStore(), embed_batch_size=9)
    vectors = embed(model, [*TEXTS, *TEXTS[:3]])
    sent = len(server.requests)
    assert sent <= 43
    assert embed(model, TEXTS) == vectors[:40]
    assert model.get_text_embedding(TEXTS[0]) == vectors[0] == vectors[40]
    assert asyncio.run(model.aget_query_embedding(TEXTS[1])) == vectors[1]
    assert len(server.requests) == sent
    fresh = make(embeddings_cache=SimpleKVStore())
    assert embed(fresh, ["가", "나", "가"])[0] == embed(fresh, ["가"])[0]
    assert len(server.requests) == sent + 2


@pytest.mark.parametrize("size", [3, 1024])
def test_cache_keeps_what_succeeded_before_a_failure(
    make: Callable[..., ClovaEmbedding], embed: Callable[..., Any], server: EmulatorServer, size: int
) -> None:
    """After a failure in the middle, the next run sends only what is missing."""
    model = make(embeddings_cache=SimpleKVStore(), embed_batch_size=size, max_concurrency=2)
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


def test_cached_failure_names_the_place_in_the_list(make: Callable[..., ClovaEmbedding], embed: Any) -> None:
    """Where some texts are known, the error still has the index and the partial results of the whole list."""
    model = make(embeddings_cache=SimpleKVStore(), max_concurrency=1)
    embed(model, ["가", "나"])
    with pytest.raises(ContextLengthError, match=r"^texts\[2\]: ") as caught:
        embed(model, ["가", "다", LONG, "나", LONG, "라"])
    kinds = [type(item).__name__ for item in caught.value.partial]
    assert kinds == ["Embedding", "Embedding", "ContextLengthError", "Embedding", "ContextLengthError", "NoneType"]


def test_rate_limiter_has_its_turns(make: Callable[..., ClovaEmbedding]) -> None:
    """A rate limiter is asked once a batch or text, also on the async path with a cache, and for known texts never."""
    turns = Turns()
    plain = make(rate_limiter=turns, embed_batch_size=10)
    plain.get_text_embedding_batch(TEXTS)
    plain.get_query_embedding("가")
    assert (turns.sync, turns.asynchronous) == (5, 0)
    asyncio.run(plain.aget_text_embedding_batch(TEXTS))
    asyncio.run(plain.aget_query_embedding("가"))
    assert (turns.sync, turns.asynchronous) == (5, 5)
    turns = Turns()
    cached = make(rate_limiter=turns, embed_batch_size=10, embeddings_cache=SimpleKVStore())
    asyncio.run(cached.aget_text_embedding_batch(TEXTS))
    assert turns.asynchronous == 4
    asyncio.run(cached.aget_text_embedding_batch(TEXTS))
    assert turns.asynchronous == 4
    cached.get_text_embedding_batch(["가"])
    assert turns.sync == 1


def test_callbacks_see_each_batch_once(make: Callable[..., ClovaEmbedding], embed: Callable[..., Any]) -> None:
    """Each batch is one event with its texts and vectors, and every event ends, also after a failure."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    model = make(callback_manager=CallbackManager([debug]), embed_batch_size=15)
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
    make: Callable[..., ClovaEmbedding], embed: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """show_progress draws a bar, and there is none by default."""
    embed(make(), TEXTS)
    assert capsys.readouterr().err == ""
    embed(make(embed_batch_size=10), TEXTS, show_progress=True)
    assert "40/40" in capsys.readouterr().err


def test_hooks_of_subclasses_are_used(account: dict[str, Any], embed: Callable[..., Any]) -> None:
    """A subclass that changes the hooks changes the batches, as with every embedding model of LlamaIndex."""

    class Shouting(ClovaEmbedding):
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return super()._get_text_embeddings([f"{text}!" for text in texts])

        async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return await super()._aget_text_embeddings([f"{text}!" for text in texts])

    assert embed(Shouting(**account), ["가"]) == embed(ClovaEmbedding(**account), ["가!"])


def test_given_clients_are_used(server: EmulatorServer) -> None:
    """client= and async_client= do the work; with client= alone, async calls run it in threads."""
    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        alone = ClovaEmbedding(client=client)
        vector = alone.get_query_embedding("가")
        assert asyncio.run(alone.aget_text_embedding_batch(["가"])) == [vector]
        assert asyncio.run(alone.aget_query_embedding("가")) == vector

        async def main() -> None:
            async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as other:
                assert await ClovaEmbedding(async_client=other).aget_text_embedding("가") == vector
                with pytest.raises(ConfigurationError, match="client="):
                    ClovaEmbedding(async_client=other).get_query_embedding("가")

        asyncio.run(main())
    assert [request.headers["x-who"] for request in server.requests] == ["sync"] * 3 + ["async"]


@pytest.mark.parametrize("name", ["dimensions", "api_base", "additional_kwargs", "modle", "reuse_client"])
def test_unknown_arguments_are_refused(name: str) -> None:
    """Arguments that would be ignored are refused by name."""
    with pytest.raises(ConfigurationError, match=f"'{name}'"):
        ClovaEmbedding(api_key="nv-x", **{name: 1})


@pytest.mark.parametrize(
    "settings",
    [
        {"max_concurrency": 0},
        {"embed_batch_size": 0},
        {"embed_batch_size": 2049},
        {"num_workers": 0},
        {"on_too_long": "cut"},
        {"model": ""},
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    """A value that cannot be is refused when the model is made."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        ClovaEmbedding(api_key="nv-x", **settings)


def test_dumps_hold_no_key_and_rebuild(make: Callable[..., ClovaEmbedding], server: EmulatorServer) -> None:
    """to_dict, to_json, to_payload and repr hold no key, header or store; from_dict with a key gives the same model."""
    model = make(
        model="clir-emb-dolphin",
        max_concurrency=3,
        num_workers=2,
        apigw_api_key="nv-second",
        headers={"X-Secret": "hidden"},
        timeout=Timeouts(connect=7.0),
        retry=RetryPolicy(attempts=3),
        embeddings_cache=SimpleKVStore(),
    )
    dumps = f"{model.to_dict()} {model.to_json()} {model.to_payload()} {model!r} {model}"
    for secret in (server.api_key, "nv-second", "hidden"):
        assert secret not in dumps
    assert model.class_name() == model.to_dict()["class_name"] == "ClovaEmbedding"
    again = ClovaEmbedding.from_dict(json.loads(model.to_json()), api_key=server.api_key)
    assert again.to_dict() == model.to_dict()
    assert again.get_query_embedding("가") == model.get_query_embedding("가")


def test_copies_and_pickles_work(make: Callable[..., ClovaEmbedding]) -> None:
    """A used instance can be pickled and copied, with its key, and what comes out works in other loops."""
    model = make(max_concurrency=2, num_workers=1)
    vectors = asyncio.run(model.aget_text_embedding_batch(TEXTS))
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):  # noqa: S301
        assert other.max_concurrency == 2
        assert asyncio.run(other.aget_text_embedding_batch(TEXTS)) == vectors
        assert other.get_query_embedding(TEXTS[0]) == vectors[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Specified num_workers exceed")  # goes by the machine
@pytest.mark.parametrize("asynchronous", [False, True])
def test_ingestion_pipeline_in_processes(make: Callable[..., ClovaEmbedding], asynchronous: bool) -> None:  # noqa: FBT001
    """An ingestion pipeline sends the component to other processes, which embed with it."""
    pipeline = IngestionPipeline(transformations=[make(num_workers=2)], disable_cache=True)
    nodes = [TextNode(text=text) for text in TEXTS[:8]]
    if asynchronous:
        done = asyncio.run(pipeline.arun(nodes=nodes, num_workers=4))
    else:
        done = pipeline.run(nodes=nodes, num_workers=4)
    expected = make().get_text_embedding_batch(TEXTS[:8])
    assert {node.get_content(): node.embedding for node in done} == dict(zip(TEXTS[:8], expected, strict=True))


def test_ingestion_pipeline_knows_what_it_did(make: Callable[..., ClovaEmbedding], server: EmulatorServer) -> None:
    """A pipeline's cache serves the same texts with the same settings, and not another model's vectors."""
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(), make()])
    documents = [Document(text=text) for text in TOPICS]
    first = pipeline.run(documents=documents)
    sent = len(server.requests)
    assert [node.embedding for node in pipeline.run(documents=documents)] == [node.embedding for node in first]
    assert len(server.requests) == sent == 3
    pipeline.transformations[-1] = make(model="clir-emb-dolphin")
    asyncio.run(pipeline.arun(documents=documents))
    assert len(server.requests) == 6


@pytest.mark.parametrize("use_async", [False, True])
def test_index_finds_the_right_node(make: Callable[..., ClovaEmbedding], use_async: bool) -> None:  # noqa: FBT001
    """An index that is built with the model retrieves the text that the query is about, sync and async."""
    documents = [Document(text=text) for text in TOPICS]
    index = VectorStoreIndex.from_documents(documents, embed_model=make(), use_async=use_async)
    retriever = index.as_retriever(similarity_top_k=1)
    assert retriever.retrieve("환불은 언제까지 신청할 수 있나요?")[0].get_content() == TOPICS[0]
    assert asyncio.run(retriever.aretrieve("고양이는 얼마나 자나?"))[0].get_content() == TOPICS[1]


def test_single_texts_by_the_hundred(make: Callable[..., ClovaEmbedding]) -> None:
    """Many texts asked for one by one are no problem either: each waits for its turn."""
    model = make(max_concurrency=4)

    async def main() -> list[list[float]]:
        jobs: list[Coroutine[Any, Any, list[float]]] = [model.aget_text_embedding(text) for text in TEXTS * 5]
        return await asyncio.gather(*jobs)

    assert len(asyncio.run(main())) == 200
