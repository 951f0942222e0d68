"""A notebook under ``nest_asyncio``, to be run as a program: everything of both adapters, nested and side by side."""

from __future__ import annotations

import asyncio
import faulthandler
from typing import TYPE_CHECKING, Any

import nest_asyncio
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from llama_index.core import Document as LlamaDocument
from llama_index.core import VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import ToolMetadata

import langchain_clova as lc
import llama_index_clova as li
from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TEXT = "환불은 구매 후 7일 안에 신청할 수 있습니다. " * 8
QUERY = "환불은 언제까지 신청할 수 있나요?"
SCHEMA = {
    "title": "answer",
    "description": "답",
    "type": "object",
    "properties": {"days": {"type": "integer"}},
    "required": ["days"],
}
NODES = [TextNode(text=f"{TEXT}{i}") for i in range(6)]


def awaited(account: dict[str, Any]) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return work that is awaited."""
    chat, embeddings = lc.ChatClovaX(**account), lc.ClovaEmbeddings(**account)
    llm, embed_model = li.ClovaX(**account), li.ClovaEmbedding(**account)
    texts = ["하나", "둘"] * 20

    async def streamed() -> list[Any]:
        return [chunk async for chunk in chat.astream("안녕")]

    async def streamed_llm() -> list[Any]:
        return [response async for response in await llm.astream_chat([ChatMessage("안녕")])]

    return {
        "chat": lambda: chat.ainvoke("안녕"),
        "batch": lambda: chat.abatch(["하나", "둘", "셋"]),
        "stream": streamed,
        "structured": lambda: chat.with_structured_output(SCHEMA).ainvoke("기한은 7일"),
        "embeddings": lambda: embeddings.aembed_documents(texts),
        "splitter": lambda: lc.ClovaSegmentationTextSplitter(**account).atransform_documents([Document(TEXT)] * 3),
        "reranker": lambda: lc.ClovaReranker(**account).acompress_documents([Document(TEXT)], QUERY),
        "reasoning": lambda: lc.ClovaRagReasoning(
            retriever=RunnableLambda(lambda _: [Document(TEXT)]), **account
        ).ainvoke(QUERY),
        "router": lambda: lc.ClovaRouter(router_id="travel01", version=1, **account).ainvoke("여행"),
        "summary": lambda: lc.ClovaSummarizationChain(max_characters=100, **account).ainvoke(TEXT),
        "skillset": lambda: lc.ClovaSkillset(skillset_id="weather1", version=1, **account).ainvoke("부산 날씨"),
        "window": lambda: lc.ClovaSlidingWindow(max_tokens=99, **account).ainvoke([HumanMessage("안녕")]),
        "llm": lambda: llm.achat([ChatMessage("안녕")]),
        "llm stream": streamed_llm,
        "embed_model": lambda: embed_model.aget_text_embedding_batch(texts),
        "parser": lambda: li.ClovaSegmentationNodeParser(**account).acall(NODES),
        "extractor": lambda: li.ClovaSummaryExtractor(show_progress=False, **account).aextract(NODES),
        "selector": lambda: li.ClovaRouterSelector(router_id="travel01", version=1, **account).aselect(
            [ToolMetadata("여행 상담", name="여행")], "여행"
        ),
        "synthesizer": lambda: li.ClovaSummarize(**account).aget_response(QUERY, [TEXT] * 3),
        "postprocessor": lambda: li.ClovaRerank(**account).apostprocess_nodes(
            [NodeWithScore(node=NODES[0])], QueryBundle(QUERY)
        ),
    }


def called(account: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """Return work that is called without await while a loop runs; some of it starts a loop inside."""
    chat, embeddings = lc.ChatClovaX(**account), lc.ClovaEmbeddings(**account)
    llm, embed_model = li.ClovaX(**account), li.ClovaEmbedding(**account)

    def index() -> Any:
        built = VectorStoreIndex(NODES, embed_model=embed_model, use_async=True)
        engine = built.as_query_engine(llm=llm, use_async=True, response_mode="tree_summarize")
        return str(engine.query(QUERY))

    def pipeline() -> Any:
        steps = [
            li.ClovaSegmentationNodeParser(**account),
            li.ClovaSummaryExtractor(show_progress=False, **account),
            embed_model,
        ]
        return IngestionPipeline(transformations=steps).run(documents=[LlamaDocument(text=TEXT)])

    return {
        "invoke": lambda: chat.invoke("안녕"),
        "batch": lambda: chat.batch(["하나", "둘"]),
        "stream": lambda: list(chat.stream("안녕")),
        "embed_documents": lambda: embeddings.embed_documents(["하나", "둘"]),
        "index": index,
        "pipeline": pipeline,
        "extractor": lambda: li.ClovaSummaryExtractor(show_progress=False, **account).extract(NODES),
        "nested chat": lambda: asyncio.get_event_loop().run_until_complete(chat.ainvoke("안녕")),
        "nested batch": lambda: asyncio.get_event_loop().run_until_complete(chat.abatch(["하나", "둘"])),
        "nested run": lambda: asyncio.run(embed_model.aget_text_embedding_batch(["하나"] * 5)),
    }


async def in_cell(work: Callable[[], Any]) -> Any:
    """Call work where a loop runs, as a cell of a notebook does."""
    given = work()
    return await given if asyncio.iscoroutine(given) else given


def main() -> None:
    """Do everything twice, alone, side by side, and nested in a loop whose other tasks wait."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    nest_asyncio.apply()
    with serve(behaviour="documented") as server:
        account = {"api_key": server.api_key, "base_url": server.base_url}
        works = {**awaited(account), **{f"called {name}": work for name, work in called(account).items()}}
        for _ in range(2):
            for name, work in works.items():
                assert asyncio.run(in_cell(work)), name
            assert all(asyncio.run(side_by_side(account)))
            assert all(asyncio.get_event_loop().run_until_complete(side_by_side(account)))
            assert asyncio.run(nested(account))
        assert {request.status for request in server.requests} == {200}
    print("done")  # noqa: T201  a program tells its test that it came to its end


async def side_by_side(account: dict[str, Any]) -> list[Any]:
    """Do all that is awaited at once, and what blocks in threads."""
    works, blocking = awaited(account), called(account)
    threads = [asyncio.to_thread(blocking[name]) for name in ("invoke", "batch", "stream", "embed_documents")]
    return list(await asyncio.gather(*(work() for work in works.values()), *threads))


async def nested(account: dict[str, Any]) -> bool:
    """Start loops inside of the loop while a batch of another task is in flight."""
    task = asyncio.ensure_future(lc.ClovaEmbeddings(**account).aembed_documents([f"{i}번째" for i in range(50)]))
    await asyncio.sleep(0)
    inside = [work() for work in called(account).values()]
    return len(await task) == 50 and all(inside)


if __name__ == "__main__":
    faulthandler.dump_traceback_later(90, exit=True)
    main()
