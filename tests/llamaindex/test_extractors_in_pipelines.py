"""Summaries of nodes in ingestion pipelines: cached, and in other processes."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document
from llama_index.core.ingestion import IngestionCache, IngestionPipeline

from clova_studio.emulator import serve
from llama_index_clova import ClovaSegmentationNodeParser, ClovaSummaryExtractor

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
CONSTITUTION = (files("langchain_clova") / "_demo" / "constitution-ko.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_cached_run_asks_nothing(account: dict[str, Any], server: EmulatorServer, *, asynchronous: bool) -> None:
    """A pipeline of node parser and extractor asks once; its cache goes by the options and not by the key."""
    cache = IngestionCache()
    documents = [Document(text=CONSTITUTION[:2_000], metadata={"file": "헌법"})]

    def run(key: str = account["api_key"], **options: Any) -> list[Any]:
        where: dict[str, Any] = {"api_key": key, "base_url": account["base_url"]}
        steps = [ClovaSegmentationNodeParser(**where), ClovaSummaryExtractor(show_progress=False, **where, **options)]
        pipeline = IngestionPipeline(transformations=steps, cache=cache)
        if asynchronous:
            return list(asyncio.run(pipeline.arun(documents=documents)))
        return list(pipeline.run(documents=documents))

    first = run()
    assert all(node.metadata["section_summary"] for node in first)
    count = len(server.requests)
    assert count == 1 + len(first)
    assert [node.metadata for node in run()] == [node.metadata for node in run("another-key")]
    assert len(server.requests) == count
    run(seg_count=2)
    assert len(server.requests) == count + len(first)


@pytest.mark.slow
def test_pipelines_summarize_in_other_processes() -> None:
    """A pipeline with several processes gives the summaries that one process gives."""
    documents = [Document(text=CONSTITUTION[i * 1_000 : (i + 1) * 1_000]) for i in range(2)]
    with serve() as running:
        account: dict[str, Any] = {"api_key": running.api_key, "base_url": running.base_url}
        steps = [ClovaSegmentationNodeParser(**account), ClovaSummaryExtractor(show_progress=False, **account)]
        several, one = (
            IngestionPipeline(transformations=steps).run(documents=documents, num_workers=count) for count in (2, None)
        )
        assert [node.metadata for node in several] == [node.metadata for node in one]
        assert all(node.metadata["section_summary"] for node in several)
