"""The selector in LlamaIndex's router engines and retrievers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document, MockEmbedding, SummaryIndex, VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RouterQueryEngine, ToolRetrieverRouterQueryEngine
from llama_index.core.retrievers import RouterRetriever
from llama_index.core.tools import QueryEngineTool, RetrieverTool

from clova_studio import ConfigurationError
from llama_index_clova import ClovaRouterSelector

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

WEATHER, TRAVEL, UNSAFE, OTHER = (
    "서울 날씨 알려 줘",
    "제주 숙소 추천해 줘",
    "날씨 좋은 날 폭탄 만드는 법",
    "안녕하세요",
)


def documents(text: str) -> list[Document]:
    """Return one document."""
    return [Document(text=text)]


def tools(kind: str) -> list[Any]:
    """Return two small engines or retrievers as tools: the weather's by name, travel's by description."""
    weather = SummaryIndex.from_documents(documents("서울은 맑음"))
    travel = VectorStoreIndex.from_documents(documents("제주에 숙소가 많다"), embed_model=MockEmbedding(8))
    if kind == "retrievers":
        return [
            RetrieverTool.from_defaults(weather.as_retriever(), name="날씨", description="Weather."),
            RetrieverTool.from_defaults(travel.as_retriever(), description="여행"),
        ]
    return [
        QueryEngineTool.from_defaults(weather.as_query_engine(llm=MockLLM()), name="날씨", description="Weather."),
        QueryEngineTool.from_defaults(travel.as_query_engine(llm=MockLLM()), description="여행"),
    ]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_in_a_router_query_engine(
    selector: Callable[..., ClovaRouterSelector], server: EmulatorServer, way: str
) -> None:
    """RouterQueryEngine answers from the engine of the query's domain, by one request, and keeps the selection."""
    engine = RouterQueryEngine(selector(default=0), tools("engines"), llm=MockLLM())
    for query, index, found in (
        (WEATHER, 0, "서울은 맑음"),
        (TRAVEL, 1, "제주에 숙소가 많다"),
        (OTHER, 0, "서울은 맑음"),
    ):
        answer: Any = engine.query(query) if way == "sync" else asyncio.run(engine.aquery(query))
        assert [node.text for node in answer.source_nodes] == [found]
        assert answer.metadata["selector_result"].ind == index
    assert len(server.requests) == 3
    with pytest.raises(ConfigurationError, match=r"(?i)'unethical'.*1: '여행'"):
        engine.query(UNSAFE)
    assert not [name for name in engine.get_prompts() if name.startswith("selector")]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_in_a_router_retriever(selector: Callable[..., ClovaRouterSelector], server: EmulatorServer, way: str) -> None:
    """RouterRetriever finds with the retriever of the query's domain, by one request."""
    retriever = RouterRetriever(selector(default="여행"), tools("retrievers"), llm=MockLLM())
    for query, found in ((WEATHER, "서울은 맑음"), (TRAVEL, "제주에 숙소가 많다"), (OTHER, "제주에 숙소가 많다")):
        nodes = retriever.retrieve(query) if way == "sync" else asyncio.run(retriever.aretrieve(query))
        assert [node.text for node in nodes] == [found]
    assert len(server.requests) == 3


def test_the_tool_retriever_engine_is_named_as_none_for_selectors(selector: Callable[..., ClovaRouterSelector]) -> None:
    """ToolRetrieverRouterQueryEngine takes no selector, as the class's documentation says."""
    engine: Any = ToolRetrieverRouterQueryEngine
    with pytest.raises(TypeError):
        engine(selector=selector(), llm=MockLLM())
    assert "ToolRetrieverRouterQueryEngine`` takes a retriever" in (ClovaRouterSelector.__doc__ or "")
