# mypy: disable-error-code="attr-defined"
"""Whole programs over the constitution: split, embed, index, retrieve, rerank, answer, route."""

from __future__ import annotations

import asyncio
import copy
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document, SummaryIndex, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.query_engine import RetrieverQueryEngine, RouterQueryEngine
from llama_index.core.retrievers import RouterRetriever
from llama_index.core.tools import QueryEngineTool, RetrieverTool

from clova_studio.emulator import Fault, serve
from llama_index_clova import (
    ClovaEmbedding,
    ClovaRerank,
    ClovaRouterSelector,
    ClovaSegmentationNodeParser,
    ClovaSummarize,
    ClovaX,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llama_index.core.schema import NodeWithScore

    from clova_studio.emulator import EmulatorServer

TEXT = (Path(__file__).parents[2] / "langchain_clova/_demo/constitution-ko.txt").read_text(encoding="utf-8-sig")
HEADINGS = [(m.start(), m[1]) for m in re.finditer(r"(?m)^[^\S\n]*(제\d+조)(?=\s)", TEXT[: TEXT.rindex("부칙")])]
QUESTIONS = {
    "국회의원의 임기는 몇 년인가?": "제42조",
    "대통령의 임기는 몇 년이며 중임할 수 있는가?": "제70조",
    "대한민국의 영토는 어디까지인가?": "제3조",
    "헌법재판소 재판관의 임기는 몇 년인가?": "제112조",
    "모든 국민은 법 앞에 평등한가?": "제11조",
    "국회의 정기회는 며칠을 넘을 수 없는가?": "제47조",
    "감사원장은 누가 임명하는가?": "제98조",
    "의무교육은 무상인가?": "제31조",
    "계엄은 누가 선포할 수 있는가?": "제77조",
    "헌법개정안은 국민투표에서 어떻게 확정되는가?": "제130조",
}
QUESTION = next(iter(QUESTIONS))
SENTENCE = "국회의원의 임기는 4년으로 한다."
WAYS = ("query", "aquery")


@pytest.fixture(autouse=True)
def _no_loop() -> None:
    # LlamaIndex counts tokens in a loop of its own, which it closes only in a thread that has had one before.
    asyncio.set_event_loop(None)


@pytest.fixture(scope="module")
def service(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """One emulator, or one of each behaviour."""
    with serve(behaviour=getattr(request, "param", "observed")) as running:
        yield running


@pytest.fixture(scope="module")
def place(service: EmulatorServer) -> dict[str, Any]:
    """Where every component goes."""
    return {"api_key": service.api_key, "base_url": service.base_url}


@pytest.fixture(scope="module")
def index(place: dict[str, Any]) -> VectorStoreIndex:
    """The constitution in memory."""
    return built(Document(text=TEXT, metadata={"source": "헌법"}), place)


def built(document: Document, place: dict[str, Any]) -> VectorStoreIndex:
    """Return an index of a document."""
    return VectorStoreIndex.from_documents(
        [document], transformations=[parser_of(place)], embed_model=ClovaEmbedding(**place)
    )


def parser_of(place: dict[str, Any]) -> ClovaSegmentationNodeParser:
    """Return a parser that makes passages of about an article."""
    return ClovaSegmentationNodeParser(post_process=True, post_process_min_size=100, post_process_max_size=300, **place)


def engine_of(index: VectorStoreIndex, place: dict[str, Any], **settings: Any) -> RetrieverQueryEngine:
    """Return an engine that finds eight passages, of which the reranker leaves four."""
    rerank = ClovaRerank(keep_uncited=True, top_n=4, **place)
    llm = ClovaX(model="HCX-005", seed=1, **place)
    return index.as_query_engine(llm=llm, similarity_top_k=8, node_postprocessors=[rerank], **settings)


def ask(engine: Any, way: str, question: str = QUESTION) -> Any:
    """Ask an engine, async ones in a loop of their own."""
    return asyncio.run(engine.aquery(question)) if way == "aquery" else engine.query(question)


def streamed(engine: Any, way: str, question: str = QUESTION) -> list[str]:
    """Return the pieces of a streamed answer."""
    if way == "query":
        return list(engine.query(question).response_gen)

    async def main() -> list[str]:
        return [piece async for piece in (await engine.aquery(question)).async_response_gen()]

    return asyncio.run(main())


def articles(nodes: Sequence[NodeWithScore]) -> list[str]:
    """Return the articles that nodes touch."""
    return [
        name
        for found in nodes
        for (start, name), (end, _) in zip(HEADINGS, [*HEADINGS[1:], (len(TEXT), "")], strict=True)
        if start < found.node.end_char_idx and found.node.start_char_idx < end
    ]


def requests_of(server: EmulatorServer) -> Counter[str]:
    """Return how often each API answered well."""
    return Counter(request.path.split("/")[-1] for request in server.requests if request.status == 200)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_the_right_article_is_among_four_passages(index: VectorStoreIndex, place: dict[str, Any], way: str) -> None:
    """For at least eight of ten questions the right article is among the four passages that the answer rests on."""
    engine = engine_of(index, place)
    found = {question: articles(ask(engine, way, question).source_nodes) for question in QUESTIONS}
    assert max(map(len, found.values())) < 20, "passages that touch all articles would prove nothing"
    right = [question for question, article in QUESTIONS.items() if article in found[question]]
    assert len(right) >= 8, {question: found[question] for question in QUESTIONS if question not in right}


def test_passages_are_where_they_say(index: VectorStoreIndex) -> None:
    """Every node is the stretch of the document that its indexes name, and has the document as its source."""
    nodes = list(index.docstore.docs.values())
    assert len(nodes) > 50
    for node in nodes:
        assert node.text == TEXT[node.start_char_idx : node.end_char_idx]
        assert node.metadata["source"] == "헌법"
    assert len({node.ref_doc_id for node in nodes}) == 1


@pytest.mark.slow
@pytest.mark.each_behaviour("service")
@pytest.mark.parametrize("mode", ["compact", "refine", "tree_summarize"])
def test_engine_answers_the_same_in_every_way(index: VectorStoreIndex, place: dict[str, Any], mode: str) -> None:
    """Sync and async, whole and streamed in pieces, an engine gives one answer, from the passage that has it."""
    whole, piecewise = (engine_of(index, place, response_mode=mode, streaming=stream) for stream in (False, True))
    answers = [str(ask(whole, way)) for way in WAYS]
    for way in WAYS:
        pieces = streamed(piecewise, way)
        assert len([piece for piece in pieces if piece]) > 3
        answers.append("".join(pieces))
    assert len(set(answers)) == 1
    assert SENTENCE in answers[0]


@pytest.mark.parametrize("way", WAYS)
def test_one_request_for_each_step_of_a_question(
    index: VectorStoreIndex, place: dict[str, Any], service: EmulatorServer, way: str
) -> None:
    """A question is one embedding, one reranking and one chat; its index and the nodes in it stay as they were."""
    before = copy.deepcopy(index.docstore.docs)
    service.reset()
    ask(engine_of(index, place), way)
    assert [request.path.split("/")[-1] for request in service.requests] == ["v2", "reranker", "HCX-005"]
    assert index.docstore.docs == before


@pytest.mark.parametrize("way", WAYS)
def test_summaries_of_what_was_found(
    index: VectorStoreIndex, place: dict[str, Any], service: EmulatorServer, way: str
) -> None:
    """With ClovaSummarize an engine answers with a summary of the passages, whole and streamed, without a chat."""
    synthesizers = (ClovaSummarize(streaming=stream, **place) for stream in (False, True))
    whole, piecewise = (engine_of(index, place, response_synthesizer=synthesizer) for synthesizer in synthesizers)
    service.reset()
    response = ask(whole, way)
    assert requests_of(service) == {"v2": 2, "reranker": 1}, "embedding and summarization are both v2"
    assert response.response.startswith("- ")
    assert response.response == "".join(streamed(piecewise, way))
    for line in response.response.splitlines():
        first = line.removeprefix("- ").split(".")[0]
        assert any(" ".join(first.split()) in " ".join(found.text.split()) for found in response.source_nodes)


def tools_of(place: dict[str, Any]) -> list[Any]:
    """Return two small indexes with the names of the emulator's router's domains."""
    embed_model = ClovaEmbedding(**place)
    weather = VectorStoreIndex.from_documents([Document(text="서울은 오늘 맑고 21도입니다.")], embed_model=embed_model)
    travel = SummaryIndex.from_documents([Document(text="제주에는 바다가 보이는 숙소가 많습니다.")])
    return [("날씨", weather), ("여행", travel)]


@pytest.mark.each_behaviour("service")
@pytest.mark.parametrize("way", WAYS)
def test_router_sends_each_question_to_its_engine(place: dict[str, Any], service: EmulatorServer, way: str) -> None:
    """RouterQueryEngine asks the router once and answers from the engine of the question's domain alone."""
    llm = ClovaX(model="HCX-005", **place)
    selector = ClovaRouterSelector(router_id="travel01", version=1, **place)
    tools = [
        QueryEngineTool.from_defaults(index.as_query_engine(llm=llm), name=name, description=f"{name} 질문")
        for name, index in tools_of(place)
    ]
    engine = RouterQueryEngine(selector, tools, llm=llm)
    for question, number, name, part in (
        ("서울 날씨 알려 줘", 0, "날씨", "21도"),
        ("제주 숙소 추천해 줘", 1, "여행", "숙소가 많습니다"),
    ):
        service.reset()
        response = ask(engine, way, question)
        assert part in str(response)
        (selection,) = response.metadata["selector_result"].selections
        assert (selection.index, selection.reason) == (number, f"domain {name!r}")
        assert requests_of(service) == Counter({"route": 1, "HCX-005": 1, **({"v2": 1} if number == 0 else {})})


@pytest.mark.parametrize("way", ["retrieve", "aretrieve"])
def test_router_sends_each_question_to_its_retriever(place: dict[str, Any], way: str) -> None:
    """RouterRetriever finds in the index of the question's domain, and nothing in the other one."""
    selector = ClovaRouterSelector(router_id="travel01", version=1, **place)
    tools = [
        RetrieverTool.from_defaults(index.as_retriever(), name=name, description=f"{name} 질문")
        for name, index in tools_of(place)
    ]
    retriever = RouterRetriever(selector, tools, llm=ClovaX(**place))
    for question, part in (("서울 날씨 알려 줘", "21도"), ("제주 숙소 추천해 줘", "숙소가 많습니다")):
        found = asyncio.run(retriever.aretrieve(question)) if way == "aretrieve" else retriever.retrieve(question)
        assert [part in node.text for node in found] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("path", ["segmentation", "embedding", "reranker", "chat-completions", "summarization"])
@pytest.mark.parametrize("way", WAYS)
def test_a_full_quota_anywhere_delays_and_breaks_nothing(
    server: EmulatorServer, account: dict[str, Any], way: str, path: str
) -> None:
    """Whichever API first answers 429 twice, the program ends well, with one good request for each step."""
    server.add_fault(
        Fault("status", status=429, code="42901", headers={"x-ratelimit-reset-requests": "0.05s"}, times=2, path=path)
    )
    document = Document(text=f"{SENTENCE}\n\n대통령의 임기는 5년으로 한다.")
    given = copy.deepcopy(document)
    index = built(document, account)
    assert document == given
    settings = {"response_synthesizer": ClovaSummarize(**account)} if path == "summarization" else {}
    assert SENTENCE.removesuffix(".") in str(ask(engine_of(index, account, **settings), way))
    statuses = [request.status for request in server.requests if path in request.path]
    nodes = len(index.docstore.docs)
    wanted = Counter({429: 2, 200: nodes + 1 if path == "embedding" else 1})
    assert Counter(statuses) == wanted
    assert len(server.requests) == 2 + 1 + nodes + 1 + 1 + 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("busy")
def test_a_full_quota_at_the_router(server: EmulatorServer, account: dict[str, Any], way: str) -> None:
    """A router that answers 429 twice is asked until it answers, and the question once."""
    llm = ClovaX(**account)
    tools = [
        QueryEngineTool.from_defaults(
            SummaryIndex.from_documents([Document(text=f"{name} 이야기입니다.")]).as_query_engine(llm=llm),
            name=name,
            description=name,
        )
        for name in ("날씨", "여행")
    ]
    selector = ClovaRouterSelector(router_id="travel01", version=1, **account)
    assert "날씨" in str(ask(RouterQueryEngine(selector, tools, llm=llm), way, "서울 날씨 알려 줘"))
    assert [(request.path.split("/")[-1], request.status) for request in server.requests] == [
        ("route", 429),
        ("route", 429),
        ("route", 200),
        ("HCX-005", 200),
    ]


def test_components_outlive_their_event_loops(server: EmulatorServer, account: dict[str, Any]) -> None:
    """One set of components fills an index in one asyncio.run and answers in two more, and synchronously after."""
    embed_model = ClovaEmbedding(**account)
    pipeline = IngestionPipeline(transformations=[parser_of(account), embed_model])
    index = VectorStoreIndex([], embed_model=embed_model)
    question = "대한민국의 영토는 어디까지인가?"
    document = Document(text=TEXT[:6_000])
    given = copy.deepcopy(document)

    async def fill() -> None:
        await index.ainsert_nodes(await pipeline.arun(documents=[document]))

    async def both() -> list[str]:
        answers = await asyncio.gather(engine.aquery(question), engine.aquery("의무교육은 무상인가?"))
        return [str(answer) for answer in answers]

    asyncio.run(fill())
    assert document == given
    # An engine finds what is in the index when the engine is made.
    engine, piecewise = engine_of(index, account), engine_of(index, account, streaming=True)
    first, second = asyncio.run(both()), asyncio.run(both())
    assert first == second
    assert "한반도와 그 부속도서로 한다" in first[0]
    assert "의무교육은 무상으로 한다" in first[1]
    assert "".join(streamed(piecewise, "aquery", question)) == first[0]
    assert str(engine.query(question)) == first[0]
    assert {request.status for request in server.requests} == {200}


def test_synchronous_calls_within_a_running_loop(account: dict[str, Any]) -> None:
    """Where a loop runs, as in a notebook, the synchronous API works too: it blocks, and answers as ever."""
    document = Document(text=f"{SENTENCE}\n\n대통령의 임기는 5년으로 한다.")

    def program() -> list[Any]:
        index = built(document, account)
        engine = engine_of(index, account)
        summary = ClovaSummarize(**account)
        return [
            str(engine.query(QUESTION)),
            "".join(engine_of(index, account, streaming=True).query(QUESTION).response_gen),
            str(engine_of(index, account, response_synthesizer=summary).query(QUESTION)),
            [node.text for node in engine.retrieve(QUESTION)],
        ]

    async def notebook() -> list[Any]:
        return program()

    outside, inside = program(), asyncio.run(notebook())
    assert inside == outside
    assert SENTENCE in inside[0]
    assert inside[0] == inside[1]
