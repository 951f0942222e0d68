"""Embeddings: one vector on every path, what is refused, clients, copies and dumps."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.node_parser import SemanticSplitterNodeParser
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_support import LONG, TEXTS

from clova_studio import (
    AsyncClovaStudio,
    ClovaStudio,
    ConfigurationError,
    ContextLengthError,
    RetryPolicy,
    Timeouts,
)
from llama_index_clova import ClovaEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

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
def test_every_path_gives_the_same_vector(embedding: Callable[..., ClovaEmbedding], path: str) -> None:
    """A text has one vector whichever way it is asked for: 1,024 Python floats in a list."""
    vector = PATHS[path](embedding(), "가나다")
    assert type(vector) is list
    assert {type(number) for number in vector} == {float}
    assert len(vector) == 1024
    assert vector == embedding()._get_query_embedding("가나다")


@pytest.mark.slow
@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("path", PATHS)
def test_busy_service_is_waited_for(
    embedding: Callable[..., ClovaEmbedding], server: EmulatorServer, path: str
) -> None:
    """429 and 429 again cost two requests, not the vector, on every path."""
    assert len(PATHS[path](embedding(), "가")) == 1024
    assert len(server.requests) == 3


def test_models_go_to_their_paths(embedding: Callable[..., ClovaEmbedding], server: EmulatorServer) -> None:
    """bge-m3 is v2 and the default, the others are v1; model is another name of model_name, to read, too."""
    for model in (embedding(), embedding(model="clir-emb-dolphin"), embedding(model_name="clir-sts-dolphin")):
        model.get_query_embedding("가")
        assert model.model == model.model_name
    assert [request.path.rsplit("/", 1)[-1] for request in server.requests] == [
        "v2",
        "clir-emb-dolphin",
        "clir-sts-dolphin",
    ]
    with pytest.raises(ConfigurationError, match="model_name and model are names of one option"):
        embedding(model="bge-m3", model_name="clir-emb-dolphin")


async def test_sync_calls_inside_a_running_loop(embedding: Callable[..., ClovaEmbedding]) -> None:
    """Synchronous calls work where a loop runs, as in a notebook."""
    model = embedding()
    assert model.get_text_embedding_batch(TEXTS) == await model.aget_text_embedding_batch(TEXTS)
    assert model.get_query_embedding("가") == await model.aget_query_embedding("가")


def test_no_texts_no_request(embedding: Callable[..., ClovaEmbedding], embed: Callable[..., Any], server: Any) -> None:
    """An empty list gives an empty list, and nothing is sent."""
    assert embed(embedding(), []) == []
    assert embed(embedding(embeddings_cache=SimpleKVStore()), []) == []
    assert server.requests == []


@pytest.mark.parametrize("cached", [False, True])
def test_blank_texts_are_named_before_sending(
    embedding: Callable[..., ClovaEmbedding],
    embed: Callable[..., Any],
    server: EmulatorServer,
    cached: bool,  # noqa: FBT001
) -> None:
    """A blank text is refused by its index in the whole list, before the batches in front of it are sent."""
    model = embedding(embed_batch_size=2, embeddings_cache=SimpleKVStore() if cached else None)
    with pytest.raises(ConfigurationError, match=r"texts\[5\] is empty"):
        embed(model, [*TEXTS[:5], " \n", "가"])
    with pytest.raises(ConfigurationError, match="empty"):
        model.get_query_embedding("")
    with pytest.raises(ConfigurationError, match="empty"):
        asyncio.run(model.aget_text_embedding(" "))
    assert server.requests == []


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize(
    "hold",
    [tuple, iter, np.array, pd.Series, lambda texts: dict.fromkeys(texts).keys()],
    ids=["tuple", "iterator", "array", "column", "keys"],
)
def test_texts_come_in_any_holder_with_an_order(
    embedding: Callable[..., ClovaEmbedding],
    embed: Callable[..., Any],
    hold: Any,
    cached: bool,  # noqa: FBT001
) -> None:
    """Arrays, columns, tuples and generators give the vectors that a list gives."""
    model = embedding(embed_batch_size=2, embeddings_cache=SimpleKVStore() if cached else None)
    assert embed(model, hold(TEXTS[:3])) == embed(embedding(), TEXTS[:3])
    for wrong, named in (("가나다", "got str"), ({"가"}, "got set"), (pd.DataFrame({"글": ["가"]}), "got DataFrame")):
        with pytest.raises(ConfigurationError, match=f"texts must be a list of strings, {named}"):
            embed(model, wrong)
    with pytest.raises(ConfigurationError, match=r"texts\[1\] must be a string, got float"):
        embed(model, pd.Series(["가", float("nan")], dtype=object))


@pytest.mark.parametrize("cached", [False, True])
def test_blank_texts_can_have_a_vector(
    embedding: Callable[..., ClovaEmbedding],
    embed: Callable[..., Any],
    cached: bool,  # noqa: FBT001
) -> None:
    """With ``on_blank="placeholder"`` a full stop is embedded in place of each blank text; no query is replaced."""
    cache = SimpleKVStore() if cached else None
    model = embedding(on_blank="placeholder", embed_batch_size=2, embeddings_cache=cache)
    placeholder = embedding().get_text_embedding(".")
    for _ in range(2):
        found = embed(model, ["가", "", "나", " \n"])
        assert found == [*embed(embedding(), ["가", "."]), embedding().get_text_embedding("나"), placeholder]
    assert model.get_text_embedding("\t") == asyncio.run(model.aget_text_embedding("")) == placeholder
    with pytest.raises(ConfigurationError, match="text is empty"):
        model.get_query_embedding(" ")


def test_splitter_and_index_with_blank_texts(embedding: Callable[..., ClovaEmbedding]) -> None:
    """An index and the semantic splitter of LlamaIndex work on blank texts, with vectors that can be compared."""
    model = embedding(on_blank="placeholder")
    index = VectorStoreIndex([TextNode(text="환불은 7일"), TextNode(text=" ")], embed_model=model)
    assert len(index.as_retriever(similarity_top_k=2).retrieve("환불")) == 2
    splitter = SemanticSplitterNodeParser(
        embed_model=model, buffer_size=0, sentence_splitter=lambda text: text.split("."), include_metadata=False
    )
    with np.errstate(all="raise"):
        parts = splitter.get_nodes_from_documents([Document(text="비가 온다.눈이 온다..환불은 7일 안에 한다.")])
    assert "".join(part.get_content() for part in parts) == "비가 온다눈이 온다환불은 7일 안에 한다"


@pytest.mark.parametrize("path", ["query", "aquery", "text", "atext", "batch", "abatch"])
def test_long_texts_can_be_truncated(embedding: Callable[..., ClovaEmbedding], path: str) -> None:
    """on_too_long="truncate" shortens what is too long on every path; "error" is the default."""
    assert len(PATHS[path](embedding(on_too_long="truncate"), LONG)) == 1024
    with pytest.raises(ContextLengthError):
        PATHS[path](embedding(), LONG)


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


def test_dumps_hold_no_key_and_rebuild(embedding: Callable[..., ClovaEmbedding], server: EmulatorServer) -> None:
    """to_dict, to_json, to_payload and repr hold no key, header or store; from_dict with a key gives the same model."""
    model = embedding(
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


def test_copies_and_pickles_work(embedding: Callable[..., ClovaEmbedding]) -> None:
    """A used instance can be pickled and copied, with its key, and what comes out works in other loops."""
    model = embedding(max_concurrency=2, num_workers=1)
    vectors = asyncio.run(model.aget_text_embedding_batch(TEXTS))
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):  # noqa: S301
        assert other.max_concurrency == 2
        assert asyncio.run(other.aget_text_embedding_batch(TEXTS)) == vectors
        assert other.get_query_embedding(TEXTS[0]) == vectors[0]
