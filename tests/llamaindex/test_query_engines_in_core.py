"""The query engines inside of core's own: tools, routers, sub-questions, chat engines, agents and evaluators."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex, get_response_synthesizer
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.chat_engine import CondenseQuestionChatEngine
from llama_index.core.evaluation import FaithfulnessEvaluator
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine import RouterQueryEngine, SubQuestionQueryEngine
from llama_index.core.question_gen.types import BaseQuestionGenerator, SubQuestion
from llama_index.core.schema import QueryBundle, TextNode
from llama_index.core.tools import QueryEngineTool

from llama_index_clova import (
    ClovaRagReasoningQueryEngine,
    ClovaRouterSelector,
    ClovaSkillsetQueryEngine,
    ClovaSkillsetTool,
    ClovaX,
    clova_tokenizer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# LlamaIndex's workflows use deprecated attributes of pydantic's.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The `__fields_set__` attribute:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    # To show a streamed answer as text core runs a loop and just closes it, with the connection that it has opened.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

REFUND = "환불은 구매 후 7일 안에 신청할 수 있습니다."
QUESTION = "환불은 언제까지 되나요?"
WEATHER, TRAVEL = "내일 부산 날씨 알려 줘", "제주 숙소 추천해 줘"


def rag(account: dict[str, Any], text: str = REFUND, **settings: Any) -> ClovaRagReasoningQueryEngine:
    """Return an engine over an index of one document."""
    index = VectorStoreIndex([TextNode(text=text)], embed_model=MockEmbedding(8))
    return ClovaRagReasoningQueryEngine(index.as_retriever(), **settings, **account)


def skillset(account: dict[str, Any], **settings: Any) -> ClovaSkillsetQueryEngine:
    """Return an engine on the emulator's own skillset."""
    return ClovaSkillsetQueryEngine(skillset_id="weather1", version=1, **settings, **account)


def buffer() -> ChatMemoryBuffer:
    """Return a memory; core's newer one, the default, leaves a connection to SQLite open."""
    return ChatMemoryBuffer(token_limit=3_000, tokenizer_fn=clova_tokenizer)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("make", [rag, skillset])
def test_as_a_query_engine_tool(account: dict[str, Any], make: Callable[..., Any], *, streaming: bool) -> None:
    """QueryEngineTool gives the whole answer, sync and async, also where the engine streams."""
    tool = QueryEngineTool.from_defaults(make(account, streaming=streaming), name="find", description="찾는다.")
    text = QUESTION if make is rag else WEATHER
    expected = REFUND if make is rag else str(skillset(account).query(WEATHER))
    assert tool.call(text).content == expected
    assert asyncio.run(tool.acall(input=text)).content == expected


@pytest.mark.parametrize("streaming", [False, True])
def test_in_a_router_query_engine(account: dict[str, Any], *, streaming: bool) -> None:
    """RouterQueryEngine sends each query to its engine and keeps answer, sources, metadata and stream."""
    travel = rag(account, "제주에는 숙소가 많습니다.", streaming=streaming)
    tools = [
        QueryEngineTool.from_defaults(skillset(account, streaming=streaming), name="날씨", description="Weather."),
        QueryEngineTool.from_defaults(travel, name="여행", description="Travel."),
    ]
    selector = ClovaRouterSelector(router_id="travel01", version=1, **account)
    engine = RouterQueryEngine(selector, tools, llm=MockLLM())

    async def main(query: str) -> Any:
        response: Any = await engine.aquery(query)
        if streaming:
            assert [piece async for piece in response.async_response_gen()]
        return response

    for query, key in ((WEATHER, "skillset"), (TRAVEL, "rag_reasoning")):
        response: Any = engine.query(query)
        assert str(response)
        for answer in (response, asyncio.run(main(query))):
            assert len(answer.source_nodes) == 1
            assert answer.metadata[key]["request_id"]
            assert answer.metadata["selector_result"].ind == ["skillset", "rag_reasoning"].index(key)


class Questions(BaseQuestionGenerator):
    """Asks each tool the one question that it knows."""

    def generate(self, tools: Any, query: QueryBundle) -> list[SubQuestion]:  # noqa: ARG002  core's signature
        known = {"refund": QUESTION, "weather": WEATHER}
        return [SubQuestion(sub_question=known[tool.name], tool_name=tool.name) for tool in tools]

    async def agenerate(self, tools: Any, query: QueryBundle) -> list[SubQuestion]:
        return self.generate(tools, query)

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _update_prompts(self, prompts: Any) -> None:
        pass


@pytest.mark.parametrize("use_async", [False, True])
def test_in_a_sub_question_engine(account: dict[str, Any], *, use_async: bool) -> None:
    """SubQuestionQueryEngine asks both engines and answers from what they said, with their sources."""
    tools = [
        QueryEngineTool.from_defaults(rag(account), name="refund", description="환불"),
        QueryEngineTool.from_defaults(skillset(account), name="weather", description="날씨"),
    ]
    llm = ClovaX(**account)
    engine = SubQuestionQueryEngine.from_defaults(
        tools,
        llm=llm,
        question_gen=Questions(),
        response_synthesizer=get_response_synthesizer(llm=llm),
        use_async=use_async,
        verbose=False,
    )
    response: Any = engine.query("환불과 날씨를 알려 주세요.")
    said = " ".join(source.text for source in response.source_nodes)
    assert REFUND in said
    assert "부산" in said


def test_in_a_chat_engine(account: dict[str, Any]) -> None:
    """A chat engine that condenses questions answers from the documents, and streams."""
    llm = ClovaX(**account)
    engine: Any = CondenseQuestionChatEngine.from_defaults(rag(account, streaming=True), llm=llm, memory=buffer())
    assert "".join(engine.stream_chat(QUESTION).response_gen) == REFUND
    assert engine.chat("그게 전부인가요?").response


@pytest.mark.parametrize("model", ["HCX-005", "HCX-007", "HCX-DASH-002"])
def test_in_an_agent(account: dict[str, Any], model: str) -> None:
    """An agent answers by the tool of a skillset and by a retrieval tool."""
    tools = [
        ClovaSkillsetTool(skillset_id="weather1", version=1, name="weather", description="도시의 날씨", **account),
        QueryEngineTool.from_defaults(rag(account), name="refund", description="환불 규정"),
    ]

    async def main() -> Any:
        agent = FunctionAgent(tools=tools, llm=ClovaX(model=model, **account))
        return await agent.run(WEATHER, memory=buffer())

    result = asyncio.run(main())
    assert [call.tool_name for call in result.tool_calls] == ["weather"]
    assert "부산" in str(result)


def test_an_evaluator_reads_the_sources(account: dict[str, Any]) -> None:
    """Core's evaluators find the cited text as the context of the answer."""
    response = rag(account).query(QUESTION)
    evaluation = FaithfulnessEvaluator(llm=ClovaX(**account)).evaluate_response(QUESTION, response)
    assert evaluation.contexts == [REFUND]
