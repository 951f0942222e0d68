"""A whole RAG program over the constitution: split, embed, store in Qdrant, retrieve, answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel, RunnablePassthrough
from langchain_qdrant import QdrantVectorStore
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from clova_studio.emulator import serve
from langchain_clova import (
    ChatClovaX,
    ClovaEmbeddings,
    ClovaRagReasoning,
    ClovaReranker,
    ClovaRerankRetriever,
    ClovaSegmentationTextSplitter,
)
from langchain_clova._demo import CONSTITUTION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.documents import Document

    from clova_studio.emulator import EmulatorServer

# The emulator answers with a sentence of what it was given: the right one has to have been retrieved, and chosen.
QUESTIONS = {
    "국회의원의 임기는 몇 년인가?": "국회의원의 임기는 4년으로 한다.",
    "대통령의 임기는 몇 년이며 중임할 수 있는가?": "대통령의 임기는 5년으로 하며, 중임할 수 없다.",
    "대법관의 임기는 몇 년인가?": "대법관의 임기는 6년으로 하며",
}
PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "아래 발췌문만 근거로 질문에 한국어로 간결하게 답하세요."),
        ("human", "{context}\n\n질문: {question}"),
    ]
)


@pytest.fixture(scope="module")
def service() -> Iterator[EmulatorServer]:
    """One emulator for the whole program."""
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def place(service: EmulatorServer) -> dict[str, Any]:
    """Where every component goes."""
    return {"api_key": service.api_key, "base_url": service.base_url}


@pytest.fixture(scope="module")
def text() -> str:
    """The constitution."""
    return CONSTITUTION.read_text(encoding="utf-8-sig")


@pytest.fixture(scope="module")
def passages(place: dict[str, Any], text: str) -> list[Document]:
    """It, by topic."""
    splitter = ClovaSegmentationTextSplitter(
        post_process=True, post_process_min_size=100, post_process_max_size=300, add_start_index=True, **place
    )
    return splitter.create_documents([text], [{"source": "헌법"}])


@pytest.fixture(scope="module")
def store(place: dict[str, Any], passages: list[Document]) -> Iterator[QdrantVectorStore]:
    """It, in memory."""
    client = QdrantClient(":memory:")
    client.create_collection("law", VectorParams(size=1_024, distance=Distance.COSINE))
    filled = QdrantVectorStore(client, "law", ClovaEmbeddings(**place))
    filled.add_documents(passages)
    yield filled
    client.close()


@pytest.fixture(scope="module")
def rag(place: dict[str, Any], store: QdrantVectorStore) -> Any:
    """The chain of LangChain's documentation."""

    def joined(documents: list[Document]) -> str:
        return "\n\n".join(document.page_content for document in documents)

    return (
        RunnableParallel(context=store.as_retriever(search_kwargs={"k": 6}) | joined, question=RunnablePassthrough())
        | PROMPT
        | ChatClovaX(model="HCX-005", seed=1, **place)
        | StrOutputParser()
    )


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS)
def test_chain_answers_with_the_right_sentence(rag: Any, question: str) -> None:
    """The chain finds the sentence that answers, and gives the same answer all four ways, streamed in pieces."""

    async def main() -> tuple[str, list[str]]:
        return await rag.ainvoke(question), [piece async for piece in rag.astream(question)]

    whole = rag.invoke(question)
    pieces = list(rag.stream(question))
    awaited, awaited_pieces = asyncio.run(main())
    assert QUESTIONS[question] in whole
    assert whole == awaited == "".join(pieces) == "".join(awaited_pieces)
    assert len([piece for piece in pieces if piece]) > 3
    assert len([piece for piece in awaited_pieces if piece]) > 3


def test_batch_keeps_the_order(rag: Any) -> None:
    """Questions asked together are answered each at its index."""
    for answers in (rag.batch(list(QUESTIONS)), asyncio.run(rag.abatch(list(QUESTIONS)))):
        assert all(sentence in answer for sentence, answer in zip(QUESTIONS.values(), answers, strict=True))


def test_passages_come_back_as_they_stand_in_the_text(store: QdrantVectorStore, text: str) -> None:
    """What the store gives back is a slice of the document at the index that it names, with its metadata."""
    found = store.similarity_search("국회의원의 임기", k=4)
    assert len(found) == 4
    for document in found:
        start = document.metadata["start_index"]
        assert text[start : start + len(document.page_content)] == document.page_content
        assert document.metadata["source"] == "헌법"
        assert document.metadata["topic_index"] >= 0


# From Python 3.13 on a connection to SQLite that is not closed is a warning, and Qdrant's client leaves one.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_store_by_its_own_constructors(place: dict[str, Any], passages: list[Document], tmp_path: Path) -> None:
    """QdrantVectorStore measures the vectors itself, sync and async, and an index on disk is found again."""
    embeddings = ClovaEmbeddings(**place)
    few = passages[:10]
    where: Any = {"path": str(tmp_path / "index"), "collection_name": "law"}
    stored = QdrantVectorStore.from_documents(few, embeddings, **where)
    nearest = stored.similarity_search_with_score(few[3].page_content, k=1)[0]
    assert nearest[0].page_content == few[3].page_content
    assert nearest[1] == pytest.approx(1.0, abs=1e-3)
    stored.client.close()
    again = QdrantVectorStore.from_existing_collection(embedding=embeddings, **where)
    assert again.similarity_search(few[5].page_content, k=1)[0].page_content == few[5].page_content
    again.client.close()

    async def main() -> list[Document]:
        made = await QdrantVectorStore.afrom_documents(few, embeddings, location=":memory:", collection_name="a")
        found = await made.asimilarity_search(few[7].page_content, k=1)
        made.client.close()
        return found

    assert asyncio.run(main())[0].page_content == few[7].page_content


def test_reranked_and_reasoned_answers_cite_their_documents(store: QdrantVectorStore, place: dict[str, Any]) -> None:
    """Over the store, reranker and RAG reasoning answer from the constitution; each citation leads to its Document."""
    reranked = ClovaRerankRetriever(
        base_retriever=store.as_retriever(search_kwargs={"k": 8}),
        reranker=ClovaReranker(keep_uncited=True, **place),
        k=4,
    )
    chain = ClovaRagReasoning(retriever=reranked, **place)
    for question, sentence in list(QUESTIONS.items())[:2]:
        assert len(reranked.invoke(question)) == 4
        for found in (chain.invoke(question), asyncio.run(chain.ainvoke(question))):
            assert sentence in found.answer
            assert "<doc" not in found.answer
            assert found.citations
            for citation in found.citations:
                assert found.answer[citation.start : citation.end] == citation.text
                assert citation.document in found.documents
                assert citation.document.metadata["source"] == "헌법"
            cited = [citation.document.page_content for citation in found.citations]
            assert any(sentence in passage for passage in cited)
