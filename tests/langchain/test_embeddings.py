"""Embeddings: order, concurrency, names and options."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from langchain_core.exceptions import ModelError, ModelInvalidRequestError
from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, ContextLengthError
from clova_studio.emulator import serve
from langchain_clova import ClovaEmbeddings, ClovaXEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

TEXTS = [f"{i}번째 문장" for i in range(40)]


def test_vectors_keep_the_order_of_their_texts(embeddings: Callable[..., ClovaEmbeddings]) -> None:
    """Sync and async give each text its own vector: 1,024 Python floats in a list."""
    model = embeddings()
    vectors = model.embed_documents(TEXTS)
    assert vectors == asyncio.run(model.aembed_documents(TEXTS))
    assert vectors[7] == model.embed_query(TEXTS[7]) == asyncio.run(model.aembed_query(TEXTS[7]))
    assert type(vectors[0]) is list
    assert {type(number) for number in vectors[0]} == {float}
    assert len(vectors[0]) == 1024


@pytest.mark.slow
@pytest.mark.parametrize("asynchronous", [False, True])
def test_concurrency_is_used_and_bounded(asynchronous: bool) -> None:  # noqa: FBT001
    """Requests run side by side, and never more of them than asked for."""
    with serve(latency=0.02) as server:
        model = ClovaEmbeddings(api_key=server.api_key, base_url=server.base_url, max_concurrency=5)
        if asynchronous:
            asyncio.run(model.aembed_documents(TEXTS))
        else:
            model.embed_documents(TEXTS)
        assert 2 <= server.peak_in_flight <= 5


def test_no_texts_no_request(embeddings: Callable[..., ClovaEmbeddings], server: EmulatorServer) -> None:
    """An empty list gives an empty list, and nothing is sent."""
    assert embeddings().embed_documents([]) == []
    assert asyncio.run(embeddings().aembed_documents([])) == []
    assert server.requests == []


def test_empty_texts_are_named_before_sending(
    embeddings: Callable[..., ClovaEmbeddings], server: EmulatorServer
) -> None:
    """An empty text among others is refused by its index, and nothing is sent."""
    with pytest.raises(ConfigurationError, match=r"texts\[1\]"):
        embeddings().embed_documents(["가", " "])
    with pytest.raises(ConfigurationError, match="empty"):
        embeddings().embed_query("")
    assert server.requests == []


@pytest.mark.parametrize(
    "hold",
    [tuple, iter, np.array, pd.Series, lambda texts: dict.fromkeys(texts).keys()],
    ids=["tuple", "iterator", "array", "column", "keys"],
)
@pytest.mark.parametrize("given", ["settings", "client"])
def test_texts_come_in_any_holder_with_an_order(
    embeddings: Callable[..., ClovaEmbeddings], server: EmulatorServer, hold: Any, given: str
) -> None:
    """Arrays, columns, tuples and generators give the vectors that a list gives, sync and async."""
    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        model = embeddings() if given == "settings" else ClovaEmbeddings(client=client)
        vectors = model.embed_documents(TEXTS[:3])
        assert model.embed_documents(hold(TEXTS[:3])) == vectors
        assert asyncio.run(model.aembed_documents(hold(TEXTS[:3]))) == vectors
        with pytest.raises(ConfigurationError, match="got str: for one text use embed_query"):
            model.embed_documents("가나다")
        with pytest.raises(ConfigurationError, match="text must be a string, got list"):
            model.embed_query(["가"])


@pytest.mark.parametrize("asynchronous", [False, True])
def test_blank_texts_of_a_batch_lose_nothing(
    embeddings: Callable[..., ClovaEmbeddings],
    asynchronous: bool,  # noqa: FBT001
) -> None:
    """A blank text has its error in its place, or with ``on_blank`` a vector; a blank query is always refused."""

    def embed(texts: list[Any], **settings: Any) -> list[Any]:
        model = embeddings(**settings)
        return asyncio.run(model.aembed_documents(texts)) if asynchronous else model.embed_documents(texts)

    first, blank, gap, last = embed(["가", "", None, "나"], on_error="return")
    assert [type(first), type(last)] == [list, list]
    assert isinstance(blank, ConfigurationError)
    assert isinstance(blank, ModelError)
    assert str(blank).startswith("texts[1]: text is empty")
    assert str(gap).startswith("texts[2]: text must be a string")
    filled = embed(["가", " ", "나"], on_blank="placeholder")
    assert filled == [first, embeddings().embed_query("."), last]
    for settings in ({"on_blank": "placeholder"}, {"on_blank": "placeholder", "on_too_long": "truncate"}):
        with pytest.raises(ConfigurationError, match="text is empty"):
            embeddings(**settings).embed_query(" ")


async def test_memory_store_keeps_items_with_blank_fields(embeddings: Callable[..., ClovaEmbeddings]) -> None:
    """LangGraph's store embeds the fields of several items at once: a blank one costs none of them."""
    store = InMemoryStore(index={"dims": 1024, "embed": embeddings(on_blank="placeholder"), "fields": ["memo"]})
    store.put(("u",), "blank", {"memo": ""})
    await store.abatch([PutOp(("u",), f"{i}", {"memo": memo}) for i, memo in enumerate(["매운 음식", " ", "등산"])])
    found = await store.asearch(("u",), query="매운 음식을 좋아하나요?")
    assert found[0].key == "0"
    assert {item.key for item in found} == {"blank", "0", "1", "2"}
    refusing = InMemoryStore(index={"dims": 1024, "embed": embeddings(), "fields": ["memo"]})
    with pytest.raises(ConfigurationError, match=r"texts\[0\] is empty.*on_blank='placeholder'"):
        refusing.put(("u",), "blank", {"memo": ""})


def test_default_models_are_those_of_their_names(server: EmulatorServer) -> None:
    """ClovaEmbeddings asks v2, langchain-naver's name asks the model that it always had."""
    settings: dict[str, Any] = {"api_key": server.api_key, "base_url": server.base_url}
    ClovaEmbeddings(**settings).embed_query("가")
    ClovaXEmbeddings(**settings).embed_query("가")
    ClovaEmbeddings(**settings, model_name="clir-sts-dolphin").embed_query("가")
    assert [request.path.rsplit("/", 1)[-1] for request in server.requests] == [
        "v2",
        "clir-emb-dolphin",
        "clir-sts-dolphin",
    ]


def test_errors_can_stand_in_their_places(embeddings: Callable[..., ClovaEmbeddings]) -> None:
    """on_error="return" gives the vectors that succeeded, and the error where there is none."""
    found = embeddings(on_error="return").embed_documents(["가", "나" * 60_000, "다"])
    assert [type(item) for item in found[::2]] == [list, list]
    assert isinstance(found[1], ContextLengthError)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_long_texts_can_be_truncated(embeddings: Callable[..., ClovaEmbeddings], asynchronous: bool) -> None:  # noqa: FBT001
    """on_too_long="truncate" shortens what is too long, of documents and queries."""
    model = embeddings(on_too_long="truncate")
    text = "나" * 60_000
    if asynchronous:
        assert len(asyncio.run(model.aembed_query(text))) == 1024
    else:
        assert len(model.embed_documents([text, "가"])[0]) == 1024


def test_progress_bar(embeddings: Callable[..., ClovaEmbeddings], capsys: pytest.CaptureFixture[str]) -> None:
    """show_progress_bar draws one, and is silent by default."""
    embeddings().embed_documents(TEXTS)
    assert capsys.readouterr().err == ""
    embeddings(show_progress_bar=True).embed_documents(TEXTS)
    assert "40/40" in capsys.readouterr().err


def test_given_clients_are_used(server: EmulatorServer) -> None:
    """client= and async_client= do the work; with client= alone, async calls run it in a thread."""
    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        alone = ClovaEmbeddings(client=client)
        vector = alone.embed_query("가")
        assert asyncio.run(alone.aembed_documents(["가"])) == [vector]
        assert asyncio.run(alone.aembed_query("가")) == vector

        async def main() -> None:
            async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as other:
                assert await ClovaEmbeddings(async_client=other).aembed_query("가") == vector
                with pytest.raises(ConfigurationError, match="client="):
                    ClovaEmbeddings(async_client=other).embed_query("가")

        asyncio.run(main())
    assert [request.headers["x-who"] for request in server.requests] == ["sync"] * 3 + ["async"]


def test_settings_beside_a_client_are_refused(server: EmulatorServer) -> None:
    """A setting that a given client would make meaningless is refused by name."""
    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        with pytest.raises(ConfigurationError, match="max_retries belongs to the client"):
            ClovaEmbeddings(client=client, max_retries=3)
        with pytest.raises(ConfigurationError, match="async_client must be an AsyncClovaStudio"):
            ClovaEmbeddings(async_client=client)


@pytest.mark.parametrize("name", ["dimensions", "chunk_size", "embed_batch_size", "modle"])
def test_unknown_arguments_are_refused(name: str) -> None:
    """Arguments that would be ignored are refused, with the way out."""
    with pytest.raises(ConfigurationError, match=f"'{name}'"):
        ClovaEmbeddings(api_key="nv-x", **{name: 1})


def test_pickling_and_no_key_in_sight(embeddings: Callable[..., ClovaEmbeddings], server: EmulatorServer) -> None:
    """A pickled instance works in another place; the key stands in no repr."""
    model = embeddings()
    vector = model.embed_query("가")
    assert pickle.loads(pickle.dumps(model)).embed_query("가") == vector  # noqa: S301
    assert server.api_key not in f"{model!r} {model}"


def test_tokens_are_counted_by_the_service(account: dict[str, Any], server: EmulatorServer) -> None:
    """The calculator of embedding v2 counts a text, sync and async; the models of v1, which it has not, are refused."""
    embeddings = ClovaEmbeddings(**account)
    count = embeddings.count_tokens("대한민국의 수도는?")
    assert count == asyncio.run(embeddings.acount_tokens("대한민국의 수도는?")) > 3
    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        assert asyncio.run(ClovaEmbeddings(client=client).acount_tokens("대한민국의 수도는?")) == count
    old = ClovaXEmbeddings(**account)
    for counted in (old.count_tokens, lambda text: asyncio.run(old.acount_tokens(text))):
        with pytest.raises(ModelInvalidRequestError, match="not of clir-emb-dolphin"):
            counted("글")
    assert [request.path for request in server.requests] == ["/v1/api-tools/embedding/v2/tokenize"] * 3
