"""Streams that are left in the middle, and threads that hang, in loops that end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hang_support import left_behind
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import ToolMetadata

from clova_studio.emulator import serve
from llama_index_clova import (
    ClovaEmbedding,
    ClovaRagReasoningQueryEngine,
    ClovaRerank,
    ClovaRouterSelector,
    ClovaSegmentationNodeParser,
    ClovaSkillsetQueryEngine,
    ClovaSlidingWindowMemory,
    ClovaSummarize,
    ClovaSummaryExtractor,
    ClovaX,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio import ClovaStudio


@pytest.mark.parametrize("way", ["astream_chat", "astream_complete"])
def test_leaving_a_stream_as_the_last_act_of_a_loop_logs_no_error(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """A loop that ends while LlamaIndex's generators around a stream are being closed has nothing to complain of."""

    async def leave(llm: ClovaX) -> None:
        asked = "안녕하세요" if way == "astream_complete" else [ChatMessage("안녕하세요")]
        async for _ in await getattr(llm, way)(asked):
            break

    with serve(token_latency=0.005) as server, caplog.at_level(logging.ERROR):
        llm = ClovaX(api_key=server.api_key, base_url=server.base_url)
        for _ in range(10):
            asyncio.run(leave(llm))
    assert caplog.records == []


ASKED = [ChatMessage("안녕하세요")]
NODES = [TextNode(text="환불은 7일 안에 한다.")]
CHOICES = [ToolMetadata("여행 상담", name="travel")]


async def _first_of_a_stream(llm: ClovaX) -> Any:
    return await anext(await llm.astream_chat(ASKED))


def _skillset(client: ClovaStudio, *, streaming: bool = False) -> ClovaSkillsetQueryEngine:
    return ClovaSkillsetQueryEngine(client=client, skillset_id="weather1", version=1, streaming=streaming)


async def _first_of_a_skillset(client: ClovaStudio) -> Any:
    response: Any = await _skillset(client, streaming=True).aquery("날씨")
    return await anext(response.response_gen)


WORKS: dict[str, Callable[[ClovaStudio], Any]] = {
    "chat": lambda client: ClovaX(client=client).achat(ASKED),
    "stream": lambda client: _first_of_a_stream(ClovaX(client=client)),
    "embedding": lambda client: ClovaEmbedding(client=client).aget_text_embedding("글"),
    "embeddings": lambda client: ClovaEmbedding(client=client).aget_text_embedding_batch(["글", "말"]),
    "segmentation": lambda client: ClovaSegmentationNodeParser(client=client).acall(NODES),
    "rerank": lambda client: ClovaRerank(client=client).apostprocess_nodes(
        [NodeWithScore(node=NODES[0])], QueryBundle("환불")
    ),
    "router": lambda client: ClovaRouterSelector(client=client, router_id="travel01", version=1).aselect(
        CHOICES, "여행"
    ),
    "summary": lambda client: ClovaSummarize(client=client).aget_response("질문", ["긴 글 " * 50]),
    "rag reasoning": lambda client: ClovaRagReasoningQueryEngine(
        VectorStoreIndex(NODES, embed_model=MockEmbedding(4)).as_retriever(), client=client
    ).aquery("환불"),
    "skillset": lambda client: ClovaSkillsetQueryEngine(client=client, skillset_id="weather1", version=1).aquery(
        "날씨"
    ),
    "skillset stream": _first_of_a_skillset,
    "memory": lambda client: ClovaSlidingWindowMemory.from_defaults(ASKED, client=client).aget(),
    "chat tokens": lambda client: ClovaX(client=client).acount_chat_tokens(ASKED),
    "embedding tokens": lambda client: ClovaEmbedding(client=client).acount_tokens("글"),
    "extractor": lambda client: ClovaSummaryExtractor(client=client).aextract(NODES),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKS)
def test_a_loop_does_not_wait_for_a_synchronous_client(name: str) -> None:
    """Asynchronous calls over a synchronous client, cancelled while the service is silent, hold no loop."""
    left_behind(WORKS[name])
