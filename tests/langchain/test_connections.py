"""Connections of adapters: shared, closed, sent to other processes, and never showing a key."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import open_sockets
from langchain_core.load import dumpd, dumps, load

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError
from clova_studio.adapters import _connection as connection
from langchain_clova import ChatClovaX, ClovaEmbeddings, ClovaSegmentationTextSplitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"


def test_construction_opens_nothing(server: EmulatorServer) -> None:
    """Building an adapter makes no client and no connection."""
    settings: dict[str, Any] = {"api_key": server.api_key, "base_url": server.base_url}
    models = [ChatClovaX(**settings, top_k=i) for i in range(3)]
    assert all(model._connection._clients._sync is None for model in models)
    assert open_sockets(server.base_url) == 0
    assert server.requests == []


def test_same_settings_share_their_clients(chat: Callable[..., ChatClovaX]) -> None:
    """Chat models, embeddings and splitters of one account share connections; another key does not."""
    model = chat()
    same: dict[str, Any] = {"api_key": model.api_key, "base_url": model.base_url}
    assert chat(temperature=0.1)._connection.sync is model._connection.sync
    assert ClovaEmbeddings(**same)._connection.sync is model._connection.sync
    assert ClovaSegmentationTextSplitter(**same)._connection.sync is model._connection.sync
    assert chat(api_key="nv-other")._connection.sync is not model._connection.sync
    assert chat(timeout=7)._connection.sync is not model._connection.sync


def test_shared_clients_end_with_their_last_user(chat: Callable[..., ChatClovaX]) -> None:
    """When no adapter is left, the connections are closed and nothing is kept."""
    model = chat()
    model.invoke("안녕")
    gc.collect()
    http = model._connection.sync._http
    before = len(connection._shared)
    del model
    gc.collect()
    assert http.is_closed
    assert len(connection._shared) == before - 1


def test_keys_are_not_what_sharing_goes_by(chat: Callable[..., ChatClovaX]) -> None:
    """The table of shared clients holds no key in clear."""
    model = chat(api_key=KEY, apigw_api_key=KEY + "2", headers={"X-Proxy": KEY})
    assert KEY not in repr(list(connection._shared.keys()))
    assert KEY not in repr(model._connection)


def test_three_event_loops_leave_no_socket(
    chat: Callable[..., ChatClovaX], embeddings: Callable[..., ClovaEmbeddings], server: EmulatorServer
) -> None:
    """One chat model and one embeddings in three asyncio.run calls: each works, and no socket is left open."""
    model, vectors = chat(), embeddings()
    seen = []

    async def main() -> None:
        await model.ainvoke("안녕")
        assert [chunk async for chunk in model.astream("안녕")]
        assert len(await vectors.aembed_documents(["가", "나"])) == 2
        seen.append(open_sockets(server.base_url))

    for _ in range(3):
        asyncio.run(main())
        assert open_sockets(server.base_url) == 0
    assert len(seen) == 3
    assert all(seen)


def test_pickling_rebuilds_connections(chat: Callable[..., ChatClovaX]) -> None:
    """A pickled or copied chat model answers, also one that has been used."""
    model = chat(top_k=3, max_wait=9.0)
    before = model.invoke("안녕")
    back = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert back == model
    assert back.invoke("안녕").text == before.text
    assert copy.deepcopy(model).invoke("안녕").text == before.text


def test_http_client_of_the_caller_is_used_and_not_pickled(server: EmulatorServer) -> None:
    """http_client and http_async_client carry the requests, stay open, and refuse pickling by name."""
    seen = []

    def note(request: httpx.Request) -> None:
        seen.append(request.url.path)

    async def note_too(request: httpx.Request) -> None:
        seen.append(request.url.path)

    async def main(http: httpx.Client) -> None:
        async with httpx.AsyncClient(event_hooks={"request": [note_too]}) as other:
            model = ChatClovaX(
                api_key=server.api_key, base_url=server.base_url, http_client=http, http_async_client=other
            )
            await model.ainvoke("안녕")
            model.invoke("안녕")
            with pytest.raises(ConfigurationError, match="http_client"):
                pickle.dumps(model)

    with httpx.Client(event_hooks={"request": [note]}) as http:
        asyncio.run(main(http))
        assert not http.is_closed
    assert len(seen) == 2


def test_given_clients_answer(server: EmulatorServer) -> None:
    """client= and async_client= do the work in all four ways; with client= alone, a thread does."""

    async def main(client: ClovaStudio, given: dict[str, Any]) -> None:
        model = ChatClovaX(client=client, **given)
        assert (await model.ainvoke("안녕")).text
        assert [chunk async for chunk in model.astream("안녕")][-1].chunk_position == "last"

    async def with_async(client: ClovaStudio) -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as other:
            await main(client, {"async_client": other})

    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        assert ChatClovaX(client=client).invoke("안녕").text
        assert list(ChatClovaX(client=client).stream("안녕"))
        asyncio.run(main(client, {}))
        asyncio.run(with_async(client))
        assert ChatClovaX(client=client)._identifying_params["base_url"] == server.base_url
    assert [request.headers["x-who"] for request in server.requests] == ["sync"] * 4 + ["async"] * 2


def test_no_key_in_any_text() -> None:
    """repr, str, dumps, identity and the errors of wrong use show no key."""
    model = ChatClovaX(api_key=KEY, apigw_api_key=KEY, headers={"X-Proxy-Key": KEY}, top_k=1)
    shown = [repr(model), str(model), dumps(model), str(model._identifying_params), model._get_llm_string()]
    for wrong in ({"region": "nowhere"}, {"temprature": 1}, {"top_k": "many"}, {"http": KEY}):
        with pytest.raises(Exception) as caught:  # noqa: PT011  any error at all
            ChatClovaX(api_key=KEY, **wrong)
        shown.append(f"{caught.value!r} {caught.value}")
    with pytest.raises(ValueError, match="api_key") as caught:
        ChatClovaX(api_key=[KEY])
    shown.append(str(caught.value))
    assert KEY not in "".join(shown)


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_dump_and_load_give_the_same_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dumped chat model loads with the key from the environment, all its options kept."""
    model = ChatClovaX(
        api_key=KEY,
        model="HCX-007",
        thinking={"effort": "high"},
        max_completion_tokens=9,
        repeat_penalty=1.2,
        stop=["a"],
        base_url="http://127.0.0.1:1",
        stream_usage=False,
    )
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", KEY)
    back = load(dumpd(model), allowed_objects=[ChatClovaX], valid_namespaces=["langchain_clova"], secrets_from_env=True)
    assert back == model
    assert back.api_key.get_secret_value() == KEY
