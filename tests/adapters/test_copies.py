"""Copies of components: with another key, address or client they ask there; without, where the original does."""

from __future__ import annotations

import asyncio
import copy
import inspect
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField, RunnableLambda
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.storage.chat_store import SimpleChatStore
from pydantic import SecretStr, ValidationError

import langchain_clova
import llama_index_clova
from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError
from clova_studio.adapters import ConnectionFields
from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio.emulator import EmulatorServer

SECOND = "nv-tenant-b-0123456789"
TEXT = "환불은 구매 후 7일 안에 신청할 수 있습니다. " * 10
QUERY = "환불은 언제까지 신청할 수 있나요?"
DOCUMENTS = [Document(TEXT)]
NODES = [NodeWithScore(node=TextNode(text=TEXT), score=0.5)]

# The class, its own arguments, and how it is used, sync and async.
COMPONENTS: dict[str, tuple[Any, dict[str, Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "ChatClovaX": (langchain_clova.ChatClovaX, {}, lambda c: c.invoke("안녕"), lambda c: c.ainvoke("안녕")),
    "ClovaEmbeddings": (
        langchain_clova.ClovaEmbeddings,
        {},
        lambda c: c.embed_documents(["가"]),
        lambda c: c.aembed_query("가"),
    ),
    "ClovaReranker": (
        langchain_clova.ClovaReranker,
        {},
        lambda c: c.compress_documents(DOCUMENTS, QUERY),
        lambda c: c.acompress_documents(DOCUMENTS, QUERY),
    ),
    "ClovaRagReasoning": (
        langchain_clova.ClovaRagReasoning,
        {"retriever": RunnableLambda(lambda _: DOCUMENTS)},
        lambda c: c.invoke("환불은?"),
        lambda c: c.ainvoke("환불은?"),
    ),
    "ClovaRouter": (
        langchain_clova.ClovaRouter,
        {"router_id": "travel01", "version": 1},
        lambda c: c.invoke("환불은?"),
        lambda c: c.ainvoke("환불은?"),
    ),
    "ClovaSummarizationChain": (
        langchain_clova.ClovaSummarizationChain,
        {},
        lambda c: c.invoke(TEXT),
        lambda c: c.ainvoke(TEXT),
    ),
    "ClovaSkillset": (
        langchain_clova.ClovaSkillset,
        {"skillset_id": "weather1", "version": 1},
        lambda c: c.invoke("부산 날씨"),
        lambda c: c.ainvoke("부산 날씨"),
    ),
    "ClovaSlidingWindow": (
        langchain_clova.ClovaSlidingWindow,
        {"max_tokens": 99},
        lambda c: c.invoke([HumanMessage(TEXT)]),
        lambda c: c.ainvoke([HumanMessage(TEXT)]),
    ),
    "ClovaX": (llama_index_clova.ClovaX, {}, lambda c: c.complete("안녕"), lambda c: c.acomplete("안녕")),
    "ClovaEmbedding": (
        llama_index_clova.ClovaEmbedding,
        {},
        lambda c: c.get_text_embedding_batch(["가"]),
        lambda c: c.aget_query_embedding("가"),
    ),
    "ClovaRerank": (
        llama_index_clova.ClovaRerank,
        {},
        lambda c: c.postprocess_nodes(NODES, query_str=QUERY),
        lambda c: c.apostprocess_nodes(NODES, query_str=QUERY),
    ),
    "ClovaSlidingWindowMemory": (
        llama_index_clova.ClovaSlidingWindowMemory,
        {"chat_store": SimpleChatStore(store={"chat_history": [ChatMessage(TEXT)]})},
        lambda c: c.get(),
        lambda c: c.aget(),
    ),
    "ClovaSegmentationNodeParser": (
        llama_index_clova.ClovaSegmentationNodeParser,
        {},
        lambda c: c.split_text(TEXT),
        lambda c: c.asplit_text(TEXT),
    ),
    "ClovaSummaryExtractor": (
        llama_index_clova.ClovaSummaryExtractor,
        {},
        lambda c: c.extract([TextNode(text=TEXT)]),
        lambda c: c.aextract([TextNode(text=TEXT)]),
    ),
}


def set_each(component: Any, update: dict[str, Any]) -> Any:
    """Set the attributes of a copy one by one."""
    copied = copy.copy(component)
    for name, value in update.items():
        setattr(copied, name, value)
    return copied


WAYS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "model_copy": lambda component, update: component.model_copy(update=update),
    "deep": lambda component, update: component.model_copy(update=update, deep=True),
    "attributes": set_each,
}


@pytest.fixture
def first() -> Iterator[EmulatorServer]:
    """Where the originals ask."""
    with serve() as server:
        yield server


@pytest.fixture
def second() -> Iterator[EmulatorServer]:
    """Another place with another key."""
    with serve(api_keys=[SECOND]) as server:
        yield server


def use(name: str, component: Any) -> None:
    """Use a component, sync and async."""
    _, _, now, later = COMPONENTS[name]
    now(component)
    asyncio.run(later(component))


def make(name: str, server: EmulatorServer, **settings: Any) -> Any:
    """Make a component that asks a server."""
    cls, own, _, _ = COMPONENTS[name]
    return cls(**own, **{"api_key": server.api_key, "base_url": server.base_url, **settings})


def test_every_component_is_here() -> None:
    """The table has each public class of both packages that has the connection's fields."""
    classes = {
        getattr(package, name)
        for package in (langchain_clova, llama_index_clova)
        for name in package.__all__
        if inspect.isclass(getattr(package, name)) and issubclass(getattr(package, name), ConnectionFields)
    }
    assert classes - {langchain_clova.ClovaXEmbeddings} == {cls for cls, *_ in COMPONENTS.values()}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", COMPONENTS)
def test_copies_ask_where_they_say(name: str, way: str, first: EmulatorServer, second: EmulatorServer) -> None:
    """With another key and address, as text or secret, a copy asks there; the original does not; no key is shown."""
    original = make(name, first)
    use(name, original)
    seen = len(first.requests)
    for key in (SECOND, SecretStr(SECOND)):
        copied = WAYS[way](original, {"base_url": second.base_url, "api_key": key})
        assert SECOND not in f"{copied!r} {copied.model_dump()}"
        use(name, copied)
    assert len(first.requests) == seen
    assert {request.status for request in second.requests} == {200}
    assert len(second.requests) == 2 * seen
    use(name, original)
    assert len(first.requests) == 2 * seen


@pytest.mark.parametrize("name", COMPONENTS)
def test_copies_take_and_leave_clients(name: str, first: EmulatorServer, second: EmulatorServer) -> None:
    """A client takes the place of all settings; without it, settings count again; both at once are refused."""
    with ClovaStudio(SECOND, base_url=second.base_url) as client:
        copied = make(name, first, timeout=9, headers={"X-Team": "a"}).model_copy(update={"client": client})
        assert copied.api_key is None
        use(name, copied)
        assert not first.requests
        assert second.requests
        with pytest.raises(ConfigurationError, match="timeout belongs to the client"):
            copied.model_copy(update={"timeout": 3})
        back = copied.model_copy(update={"client": None, "api_key": first.api_key, "base_url": first.base_url})
        use(name, back)
        assert first.requests

        async def main() -> None:
            async with AsyncClovaStudio(first.api_key, base_url=first.base_url) as other:
                await COMPONENTS[name][3](copied.model_copy(update={"async_client": other}))

        seen = len(second.requests)
        asyncio.run(main())
        assert len(second.requests) == seen


@pytest.mark.parametrize("name", COMPONENTS)
def test_wrong_changes_are_refused(name: str, first: EmulatorServer) -> None:
    """What does not exist, what is wrong for the connection, and two values for one field are refused by name."""
    original = make(name, first)
    with pytest.raises(ConfigurationError, match="did you mean 'base_url'"):
        original.model_copy(update={"bas_url": "http://127.0.0.1"})
    with pytest.raises(ConfigurationError, match="names of one option"):
        original.model_copy(update={"base_url": "http://127.0.0.1:1", "naver_api_base": "http://127.0.0.1:2"})
    with pytest.raises(ValidationError, match="region") as caught:
        original.model_copy(update={"region": "nowhere", "api_key": SECOND})
    assert SECOND not in str(caught.value)
    with pytest.raises(ConfigurationError, match="client must be a ClovaStudio"):
        original.model_copy(update={"client": "nowhere"})
    assert original.model_copy(update={"naver_api_base": "http://127.0.0.1:1"}).base_url == "http://127.0.0.1:1"


@pytest.mark.parametrize("name", COMPONENTS)
def test_plain_copies_share_connections(name: str, first: EmulatorServer) -> None:
    """A copy of any depth asks the same place over the same connections, with your own HTTP client, too."""
    with httpx.Client(verify=False) as http:  # noqa: S501  loopback
        for original in (make(name, first), make(name, first, http_client=http, headers={"X-Team": "a"})):
            for copied in (copy.copy(original), copy.deepcopy(original), original.model_copy(deep=True)):
                assert copied._connection is original._connection
                assert copied.http_client is original.http_client
                COMPONENTS[name][2](copied)


def test_shared_parts_stay_shared_in_a_deep_copy(first: EmulatorServer) -> None:
    """What two copied components share is one thing in the copies."""
    manager = CallbackManager([])
    originals = [
        make("ClovaX", first, callback_manager=manager),
        make("ClovaEmbedding", first, callback_manager=manager),
    ]
    one, two = copy.deepcopy(originals)
    assert one.callback_manager is two.callback_manager is not manager


@pytest.mark.parametrize("name", ["ChatClovaX", "ClovaX"])
def test_pydantic_1s_copy_asks_where_it_says(name: str, first: EmulatorServer, second: EmulatorServer) -> None:
    """``copy(update=)``, which pydantic still has, is no way around."""
    with pytest.warns(DeprecationWarning, match="model_copy"):
        copied = make(name, first).copy(update={"base_url": second.base_url, "api_key": SECOND})
    use(name, copied)
    assert not first.requests


def test_copies_with_another_model(first: EmulatorServer) -> None:
    """Another model is asked under each of its names, and has its own profile and metadata."""
    chat = make("ChatClovaX", first)
    for update in ({"model": "HCX-007"}, {"model_name": "HCX-007"}):
        other = chat.model_copy(update=update)
        assert other.invoke("안녕").response_metadata["model_name"] == other.model_name == "HCX-007"
        assert other.profile["reasoning_output"]
        assert not chat.profile["reasoning_output"]
    assert chat.model_copy(update={"model": "HCX-007", "profile": {}}).profile == {}
    llm = make("ClovaX", first).model_copy(update={"model_name": "HCX-007"})
    assert llm.metadata.model_name == "HCX-007"
    embedding = make("ClovaEmbedding", first).model_copy(update={"model": "clir-emb-dolphin"})
    embedding.get_query_embedding("가")
    assert first.requests[-1].path.endswith("clir-emb-dolphin")


@pytest.mark.parametrize("name", [name for name in COMPONENTS if hasattr(COMPONENTS[name][0], "with_config")])
def test_configured_components_ask_where_the_config_says(
    name: str, first: EmulatorServer, second: EmulatorServer
) -> None:
    """Fields and alternatives of a config, per call and bound, decide where a runnable asks."""
    original = make(name, first)
    fields = original.configurable_fields(api_key=ConfigurableField("key"), base_url=ConfigurableField("url"))
    config = {"configurable": {"key": SECOND, "url": second.base_url}}
    use(name, fields.with_config(config))
    alternatives = original.configurable_alternatives(
        ConfigurableField("place"), default_key="a", b=make(name, second, api_key=SECOND)
    )
    use(name, alternatives.with_config(configurable={"place": "b"}))
    assert not first.requests
    asked = len(second.requests)
    use(name, fields)
    use(name, alternatives)
    use(name, original.with_config(tags=["a"]))
    assert len(second.requests) == asked
    assert {request.status for request in [*first.requests, *second.requests]} == {200}
