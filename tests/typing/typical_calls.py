"""Calls as users write them; never run, only type-checked."""

from typing import assert_type

from llama_index.core import Document, PromptTemplate, Settings, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import ChatMessage, LLMMetadata
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RouterQueryEngine
from llama_index.core.schema import NodeWithScore
from llama_index.core.tools import QueryEngineTool
from pydantic import BaseModel

from clova_studio import (
    AsyncClovaStudio,
    ChatChunk,
    ChatResult,
    ClovaStudio,
    Embedding,
    Message,
    OpenAIChatResult,
    RateLimits,
    ReasoningResult,
    RerankResult,
    RetryPolicy,
    Segmentation,
    SkillsetChunk,
    SkillsetResult,
    Summary,
    Timeouts,
    TokenCount,
    TuningTask,
)
from clova_studio.types import RouteResult
from llama_index_clova import (
    ClovaEmbedding,
    ClovaRagReasoningQueryEngine,
    ClovaRagResult,
    ClovaRerank,
    ClovaRerankResult,
    ClovaRouterSelector,
    ClovaSegmentationNodeParser,
    ClovaSkillsetQueryEngine,
    ClovaSkillsetTool,
    ClovaSlidingWindowMemory,
    ClovaSummarize,
    ClovaSummaryExtractor,
    ClovaX,
    clova_tokenizer,
)


class Answer(BaseModel):
    """What a structured prediction gives."""

    text: str


def sync_calls(client: ClovaStudio) -> None:
    """Every method has a result type of its own."""
    messages = [{"role": "user", "content": "안녕하세요?"}]
    result = client.chat(messages, model="HCX-005", temperature=0.5, stop=["끝"])
    assert_type(result, ChatResult)
    with client.stream_chat([*messages, result.message], model="HCX-007", thinking="low") as stream:
        for chunk in stream:
            assert_type(chunk, ChatChunk)
        assert_type(stream.result(), ChatResult)
    assert_type(client.embed("하나"), Embedding)
    assert_type(client.embed_many(["하나", "둘"], max_concurrency=4, on_error="return"), list[Embedding])
    assert_type(client.segment("하나. 둘.", alpha=-100), Segmentation)
    assert_type(client.count_chat_tokens(messages, model="HCX-003"), TokenCount)
    assert_type(client.summarize(["하나", "둘"], seg_max_size=500), Summary)
    assert_type(client.slide(messages, max_tokens=200), list[Message])
    assert_type(client.rerank("질문", ["글", {"id": "a", "doc": "글"}]), RerankResult)
    tools = [{"type": "function", "function": {"name": "search", "description": "찾기", "parameters": {}}}]
    assert_type(client.reason(messages, tools=tools, tool_choice="auto"), ReasoningResult)
    assert_type(client.route("travel01", 1, "질문").domain.result, str)
    assert_type(client.run_skillset("weather1", "latest", "질문"), SkillsetResult)
    with client.stream_skillset("weather1", 1, "질문") as steps:
        for step in steps:
            assert_type(step, SkillsetChunk)
    assert_type(client.tuning.wait("k3m9x2qa"), TuningTask)
    assert_type(client.openai.chat(messages, reasoning_effort="low"), OpenAIChatResult)


async def async_calls() -> None:
    """The async client has the same methods, awaited; its streams are not awaited."""
    client = AsyncClovaStudio(
        "key", region="gov", timeout=Timeouts(read=30), retry=RetryPolicy(attempts=2), rate_limits=RateLimits(window=60)
    )
    async with client:
        messages = [{"role": "user", "content": "안녕하세요?"}]
        assert_type(await client.chat(messages, max_tokens=100), ChatResult)
        async with client.stream_chat(messages) as stream:
            async for chunk in stream:
                assert_type(chunk, ChatChunk)
            assert_type(stream.result(), ChatResult)
        assert_type(await client.embed("하나"), Embedding)
        assert_type(await client.embed_many(["하나"]), list[Embedding])


def llama_index(llm: ClovaX, embed_model: ClovaEmbedding, nodes: list[NodeWithScore]) -> None:
    """The components fit where LlamaIndex takes its own, and results have types."""
    # What LlamaIndex decorates has lost its type: these can be called, no more is said of them.
    llm.complete("안녕하세요?", temperature=0.5)
    llm.stream_chat([ChatMessage("안녕하세요?")], max_tokens=100)
    assert_type(llm.metadata, LLMMetadata)
    assert_type(embed_model.get_text_embedding_batch(["하나", "둘"]), list[list[float]])
    rerank = ClovaRerank(top_n=4, on_result=lambda result: result.answer)
    assert_type(rerank.rerank(nodes, "질문"), ClovaRerankResult)
    assert_type(rerank.postprocess_nodes(nodes, query_str="질문"), list[NodeWithScore])
    parser = ClovaSegmentationNodeParser(max_chunk_size=500, region="gov")
    assert_type(parser.split_text("하나. 둘."), list[str])
    IngestionPipeline(transformations=[parser, ClovaSummaryExtractor(summaries=["self"]), embed_model])
    index = VectorStoreIndex.from_documents([Document(text="글")], transformations=[parser], embed_model=embed_model)
    index.as_query_engine(llm=llm, node_postprocessors=[rerank], response_synthesizer=ClovaSummarize(seg_count=2))
    selector = ClovaRouterSelector(router_id="travel01", version=1, default="잡담", domains={"날씨": 0})
    RouterQueryEngine(selector, [QueryEngineTool.from_defaults(index.as_query_engine(llm=llm), name="날씨")], llm=llm)
    assert_type(selector.route("부산 날씨"), RouteResult)
    FunctionAgent(tools=[len], llm=llm)
    assert_type(llm.count_chat_tokens([ChatMessage("안녕하세요?")]), TokenCount)
    assert_type(embed_model.count_tokens("하나"), int)
    Settings.tokenizer = clova_tokenizer
    SentenceSplitter(chunk_size=500, tokenizer=clova_tokenizer)


def llama_index_engines(index: VectorStoreIndex, llm: ClovaX, rerank: ClovaRerank) -> None:
    """RAG reasoning, skillsets and the sliding window stand where LlamaIndex takes engines, tools and memories."""
    rag = ClovaRagReasoningQueryEngine(index.as_retriever(), node_postprocessors=[rerank], max_searches=3)
    assert_type(rag.reason("질문"), ClovaRagResult)
    skillset = ClovaSkillsetQueryEngine(skillset_id="weather1", version=1, streaming=True)
    assert_type(skillset.run("부산 날씨"), SkillsetResult)
    tools = [QueryEngineTool.from_defaults(engine, name="찾기") for engine in (rag, skillset)]
    weather = ClovaSkillsetTool(skillset_id="weather1", version="latest", name="날씨", description="도시의 날씨")
    FunctionAgent(tools=[*tools, weather], llm=llm)
    memory = ClovaSlidingWindowMemory(model="HCX-003", max_tokens=256)
    assert_type(memory.get("질문"), list[ChatMessage])
    SimpleChatEngine.from_defaults(llm=llm, memory=memory)


async def llama_index_awaited(llm: ClovaX, rerank: ClovaRerank, nodes: list[NodeWithScore]) -> None:
    """The same, awaited; a stream is awaited first."""
    answer: Answer = await llm.astructured_predict(Answer, PromptTemplate("{q}"), q="질문")
    async for response in await llm.astream_chat([ChatMessage(answer.text)]):
        str(response.delta)
    assert_type(await rerank.arerank(nodes, "질문"), ClovaRerankResult)
