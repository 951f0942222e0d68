# mypy: disable-error-code="attr-defined"
"""Batches that fail in part: every path says what failed, and has what succeeded."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document
from llama_index.core.schema import TextNode

from clova_studio import AsyncClovaStudio, BadRequestError, ClovaStudio
from clova_studio.emulator import Fault, serve
from llama_index_clova import ClovaEmbedding, ClovaSegmentationNodeParser, ClovaSummarize, ClovaSummaryExtractor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

TEXTS = [f"{i}번째 문서의 첫 문장입니다. {i}번째 문서의 둘째 문장입니다." for i in range(6)]
WRONG = Fault("status", every=3, status=400, code="40001")


@pytest.fixture(params=["sync", "async", "threads"])
def way(request: pytest.FixtureRequest, server: EmulatorServer) -> Iterator[tuple[str, dict[str, Any]]]:
    """Synchronous, asynchronous, and asynchronous with a synchronous client alone; and how to reach the service."""
    if request.param != "threads":
        yield request.param, {"api_key": server.api_key, "base_url": server.base_url}
        return
    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        yield "async", {"client": client}


def test_embedding(way: tuple[str, dict[str, Any]], server: EmulatorServer) -> None:
    """The error of one text has the vectors so far, in small and large batches, in each way."""
    name, account = way
    for size in (2, 1024):
        server.reset()
        server.add_fault(WRONG)
        model = ClovaEmbedding(**account, max_concurrency=1, num_workers=1, embed_batch_size=size)
        with pytest.raises(BadRequestError, match=r"^texts\[2\]: ") as caught:
            _ = (
                model.get_text_embedding_batch(TEXTS)
                if name == "sync"
                else asyncio.run(model.aget_text_embedding_batch(TEXTS))
            )
        kinds = [type(item).__name__ for item in caught.value.partial]
        assert kinds == ["Embedding", "Embedding", "BadRequestError", *["NoneType"] * 3]
        assert len(server.requests) == 3


def test_node_parser(way: tuple[str, dict[str, Any]], server: EmulatorServer) -> None:
    """The error of one document says which, and has the spans of the nodes of those before it."""
    name, account = way
    documents = [Document(text=text, id_=str(i)) for i, text in enumerate(TEXTS)]
    before = copy.deepcopy(documents)
    parser = ClovaSegmentationNodeParser(**account, max_concurrency=1)
    whole = parser.get_nodes_from_documents(documents)
    for show_progress in (False, True):
        server.reset()
        server.add_fault(WRONG)
        with pytest.raises(BadRequestError, match=r"^texts\[2\]: ") as caught:
            _ = (
                parser.get_nodes_from_documents(documents, show_progress=show_progress)
                if name == "sync"
                else asyncio.run(parser.aget_nodes_from_documents(documents, show_progress=show_progress))
            )
        partial = caught.value.partial
        places = [(str(i), span.start, span.end) for i in range(2) for span in partial[i]]
        assert places == [
            (node.ref_doc_id, node.start_char_idx, node.end_char_idx) for node in whole if node.ref_doc_id in {"0", "1"}
        ]
        assert partial[2:] == [[caught.value], [None], [None], [None]]
        assert len(server.requests) == 3
    assert documents == before


def test_synthesizer(way: tuple[str, dict[str, Any]], server: EmulatorServer) -> None:
    """The error of one part has the summaries of the others."""
    name, account = way
    server.add_fault(WRONG)
    synthesizer = ClovaSummarize(**account, max_characters=100, max_concurrency=1)
    with pytest.raises(BadRequestError) as caught:
        _ = (
            synthesizer.get_response("", TEXTS * 3)
            if name == "sync"
            else asyncio.run(synthesizer.aget_response("", TEXTS * 3))
        )
    (failed,) = caught.value.partial
    assert [type(item) for item in failed[:2]] == [str, str]
    assert failed[2] is caught.value
    assert set(failed[3:]) == {None}


def test_extractor(way: tuple[str, dict[str, Any]], server: EmulatorServer) -> None:
    """The error of one node says which, has the summaries of the others by their indices, and ends the work."""
    name, account = way
    nodes = [TextNode(text=text) for text in [TEXTS[0], " ", *TEXTS[1:]]]
    extractor = ClovaSummaryExtractor(**account, num_workers=1, show_progress=False)
    whole = extractor.extract(nodes)
    server.reset()
    server.add_fault(WRONG)
    with pytest.raises(BadRequestError, match=r"^nodes\[3\]: ") as caught:
        _ = extractor.extract(nodes) if name == "sync" else asyncio.run(extractor.aextract(nodes))
    partial = caught.value.partial
    assert partial[:3] == [whole[0]["section_summary"], None, whole[2]["section_summary"]]
    assert partial[3] is caught.value
    assert partial[4:] == [None] * 3
    assert len(server.requests) == 3


def test_extractor_leaves_no_task() -> None:
    """A failure or a cancellation of the extractor ends its requests before it returns."""
    with serve(latency=0.03) as server:

        async def main() -> None:
            async with AsyncClovaStudio(server.api_key, base_url=server.base_url) as client:
                extractor = ClovaSummaryExtractor(async_client=client, num_workers=3, show_progress=False)
                nodes = [TextNode(text=text) for text in TEXTS * 3]
                server.add_fault(Fault("status", every=3, times=1, status=400, code="40001"))
                with pytest.raises(BadRequestError) as caught:
                    await extractor.aextract(nodes)
                assert asyncio.all_tasks() == {asyncio.current_task()}
                assert sum(item is not None for item in caught.value.partial) == len(server.requests) < 18
                sent = len(server.requests)
                task = asyncio.create_task(extractor.aextract(nodes))
                while len(server.requests) == sent:  # noqa: ASYNC110  another thread's
                    await asyncio.sleep(0.001)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(main())
