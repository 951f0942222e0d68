"""Embeddings in ingestion pipelines and indexes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import TextNode
from llama_support import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from llama_index_clova import ClovaEmbedding

TOPICS = ["환불은 구매 후 7일 안에 신청할 수 있습니다.", "고양이는 하루에 열여섯 시간을 잔다.", "서울의 겨울은 춥다."]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Specified num_workers exceed")  # goes by the machine
@pytest.mark.parametrize("asynchronous", [False, True])
def test_ingestion_pipeline_in_processes(embedding: Callable[..., ClovaEmbedding], asynchronous: bool) -> None:  # noqa: FBT001
    """An ingestion pipeline sends the component to other processes, which embed with it."""
    pipeline = IngestionPipeline(transformations=[embedding(num_workers=2)], disable_cache=True)
    nodes = [TextNode(text=text) for text in TEXTS[:8]]
    if asynchronous:
        done = asyncio.run(pipeline.arun(nodes=nodes, num_workers=4))
    else:
        done = pipeline.run(nodes=nodes, num_workers=4)
    expected = embedding().get_text_embedding_batch(TEXTS[:8])
    assert {node.get_content(): node.embedding for node in done} == dict(zip(TEXTS[:8], expected, strict=True))


def test_ingestion_pipeline_knows_what_it_did(embedding: Callable[..., ClovaEmbedding], server: EmulatorServer) -> None:
    """A pipeline's cache serves the same texts with the same settings, and not another model's vectors."""
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(), embedding()])
    documents = [Document(text=text) for text in TOPICS]
    first = pipeline.run(documents=documents)
    sent = len(server.requests)
    assert [node.embedding for node in pipeline.run(documents=documents)] == [node.embedding for node in first]
    assert len(server.requests) == sent == 3
    pipeline.transformations[-1] = embedding(model="clir-emb-dolphin")
    asyncio.run(pipeline.arun(documents=documents))
    assert len(server.requests) == 6


@pytest.mark.parametrize("use_async", [False, True])
def test_index_finds_the_right_node(embedding: Callable[..., ClovaEmbedding], use_async: bool) -> None:  # noqa: FBT001
    """An index that is built with the model retrieves the text that the query is about, sync and async."""
    documents = [Document(text=text) for text in TOPICS]
    index = VectorStoreIndex.from_documents(documents, embed_model=embedding(), use_async=use_async)
    retriever = index.as_retriever(similarity_top_k=1)
    assert retriever.retrieve("환불은 언제까지 신청할 수 있나요?")[0].get_content() == TOPICS[0]
    assert asyncio.run(retriever.aretrieve("고양이는 얼마나 자나?"))[0].get_content() == TOPICS[1]
