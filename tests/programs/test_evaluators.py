"""Evaluators: a model judges answers, in words, in a score, and in a structured verdict; embeddings measure them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

import pytest
from langchain_classic.evaluation import load_evaluator
from langchain_core.prompts import ChatPromptTemplate
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.evaluation import (
    BatchEvalRunner,
    CorrectnessEvaluator,
    FaithfulnessEvaluator,
    GuidelineEvaluator,
    RelevancyEvaluator,
    SemanticSimilarityEvaluator,
)
from program_support import MODELS, bodies, statuses
from pydantic import BaseModel, Field

from langchain_clova import ChatClovaX, ClovaEmbeddings
from llama_index_clova import ClovaEmbedding, ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

QUESTION = "대통령의 임기는 몇 년인가?"
FACT = "대통령의 임기는 5년으로 하며, 중임할 수 없다."
ARTICLES = [FACT, "국회의원의 임기는 4년으로 한다.", "대법관의 임기는 6년으로 한다."]
WRONG = "대통령의 임기는 4년이다."


class Verdict(BaseModel):
    """답변에 대한 판정."""

    reasoning: str = Field(description="판정의 근거")
    verdict: Literal["correct", "partly", "wrong"]
    score: int = Field(ge=1, le=5)


def judged(way: str, evaluator: Any, **given: Any) -> Any:
    """Evaluate in one of the two ways."""
    return evaluator.evaluate(**given) if way == "sync" else asyncio.run(evaluator.aevaluate(**given))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("model", MODELS)
def test_answers_of_an_engine_are_judged(server: EmulatorServer, account: dict[str, Any], model: str, way: str) -> None:
    """The engine's answer is judged faithful and relevant, a wrong one not; each judge sees what it needs."""
    llm = ClovaX(model=model, **account)
    documents = [Document(text=article) for article in ARTICLES]
    index = VectorStoreIndex.from_documents(documents, embed_model=ClovaEmbedding(**account))
    response = index.as_query_engine(llm=llm, similarity_top_k=1).query(QUESTION)
    assert str(response) == FACT
    server.reset()
    server.script(["YES", "YES", "NO", "4.5\n기준 답과 같습니다.", "1.0\n임기가 틀렸습니다."])
    faithful, relevant, correct = (
        kind(llm=llm) for kind in (FaithfulnessEvaluator, RelevancyEvaluator, CorrectnessEvaluator)
    )
    contexts = [node.text for node in response.source_nodes]
    found = judged(way, faithful, query=QUESTION, response=str(response), contexts=contexts)
    assert (found.passing, found.score) == (True, 1.0)
    found = judged(way, relevant, query=QUESTION, response=str(response), contexts=contexts)
    assert (found.passing, found.score) == (True, 1.0)
    found = judged(way, faithful, query=QUESTION, response=WRONG, contexts=contexts)
    assert (found.passing, found.score) == (False, 0.0)
    found = judged(way, correct, query=QUESTION, response=str(response), reference=FACT)
    assert (found.passing, found.score, found.feedback) == (True, 4.5, "기준 답과 같습니다.")
    found = judged(way, correct, query=QUESTION, response=WRONG, reference=FACT)
    assert (found.passing, found.score) == (False, 1.0)
    assert statuses(server) == [200] * 5
    asked = [json.dumps(body["messages"], ensure_ascii=False) for body in bodies(server)]
    assert all(FACT in text for text in asked)
    assert all(WRONG in asked[number] for number in (2, 4))


@pytest.mark.filterwarnings("ignore:asyncio_module:DeprecationWarning")  # of LlamaIndex, by LlamaIndex
def test_many_answers_at_once(server: EmulatorServer, account: dict[str, Any]) -> None:
    """A batch runner judges several answers beside each other and gives a verdict for each, in order."""
    llm = ClovaX(model="HCX-DASH-002", **account)
    server.script(["YES"] * 6)
    runner = BatchEvalRunner(
        {"faithful": FaithfulnessEvaluator(llm=llm), "relevant": RelevancyEvaluator(llm=llm)}, workers=3
    )
    given = {"queries": [QUESTION] * 3, "response_strs": ARTICLES, "contexts_list": [[text] for text in ARTICLES]}
    found = runner.evaluate_response_strs(**given)
    assert {name: [each.response for each in results] for name, results in found.items()} == {
        "faithful": ARTICLES,
        "relevant": ARTICLES,
    }
    assert all(each.passing for results in found.values() for each in results)
    assert statuses(server) == [200] * 6


@pytest.mark.parametrize("model", MODELS)
def test_guideline_and_similarity(server: EmulatorServer, account: dict[str, Any], model: str) -> None:
    """A guideline is judged in JSON, and likeness is measured by embeddings, without a judge."""
    server.script([json.dumps({"passing": False, "feedback": "존댓말이 아닙니다."}, ensure_ascii=False)])
    llm = ClovaX(model=model, **account)
    found = GuidelineEvaluator(llm=llm, guidelines="존댓말로 답한다.").evaluate(
        query=QUESTION, response=FACT, contexts=[FACT]
    )
    assert (found.passing, found.feedback) == (False, "존댓말이 아닙니다.")
    similar = SemanticSimilarityEvaluator(embed_model=ClovaEmbedding(**account), similarity_threshold=0.9)
    assert similar.evaluate(response=FACT, reference=FACT).passing
    assert not similar.evaluate(response="점심은 비빔밥입니다.", reference=FACT).passing


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_langchain_criteria(server: EmulatorServer, account: dict[str, Any], model: str) -> None:
    """LangChain's evaluators read the verdicts of the model: by criteria, with a reference, between two answers."""
    llm = ChatClovaX(model=model, **account)
    server.script(
        [
            "간결합니다.\n\nY",
            "기준 답과 다릅니다.\n\nN",
            "둘째가 맞습니다. [[B]]",
            "좋은 답입니다. Rating: [[8]]",
        ]
    )
    concise = load_evaluator("criteria", criteria="conciseness", llm=llm)
    assert concise.evaluate_strings(prediction=FACT, input=QUESTION)["score"] == 1
    correct = load_evaluator("labeled_criteria", criteria="correctness", llm=llm)
    found = asyncio.run(correct.aevaluate_strings(prediction=WRONG, input=QUESTION, reference=FACT))
    assert (found["value"], found["score"]) == ("N", 0)
    pair = load_evaluator("pairwise_string", llm=llm)
    found = pair.evaluate_string_pairs(prediction=WRONG, prediction_b=FACT, input=QUESTION)
    assert (found["value"], found["score"]) == ("B", 0)
    scored = load_evaluator("score_string", llm=llm)
    assert asyncio.run(scored.aevaluate_strings(prediction=FACT, input=QUESTION))["score"] == 8
    distance = load_evaluator("embedding_distance", embeddings=ClovaEmbeddings(**account))
    near = distance.evaluate_strings(prediction="대통령 임기는 5년이다.", reference=FACT)["score"]
    far = asyncio.run(distance.aevaluate_strings(prediction="점심은 비빔밥입니다.", reference=FACT))["score"]
    assert near < far
    assert statuses(server) == [200] * 4


@pytest.mark.each_behaviour("_running")
@pytest.mark.parametrize("model", MODELS)
def test_structured_judge(server: EmulatorServer, account: dict[str, Any], model: str) -> None:
    """A judge gives verdicts of a schema, one answer at a time and many at once, sync and async."""
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", "질문과 기준 답을 보고 답변을 판정하세요."),
            ("human", "질문: {question}\n기준: {fact}\n답변: {answer}"),
        ]
    )
    judge = prompt | ChatClovaX(model=model, **account).with_structured_output(Verdict)
    verdicts = [
        {"reasoning": "기준과 같습니다.", "verdict": "correct", "score": 5},
        {"reasoning": "임기가 다릅니다.", "verdict": "wrong", "score": 1},
    ]
    native = model == "HCX-007"
    scripted = [
        json.dumps(verdict) if native else {"tool_calls": [{"name": "Verdict", "arguments": verdict}]}
        for verdict in verdicts
    ]
    given = [{"question": QUESTION, "fact": FACT, "answer": answer} for answer in (FACT, WRONG)]
    server.script([*scripted, *scripted])
    assert [judge.invoke(each) for each in given] == [Verdict(**verdict) for verdict in verdicts]
    assert [asyncio.run(judge.ainvoke(each)) for each in given] == [Verdict(**verdict) for verdict in verdicts]
    asked = [request.body["messages"][-1]["content"] for request in server.requests if request.status == 200]
    assert [WRONG in text for text in asked] == [False, True, False, True]
    for found in (judge.batch(given), asyncio.run(judge.abatch(given))):
        assert [type(each) for each in found] == [Verdict, Verdict]
