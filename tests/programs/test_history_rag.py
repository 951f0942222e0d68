"""RAG over a conversation: a question that leans on the ones before it is rewritten, then looked up and answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from chromadb import PersistentClient
from chromadb.config import Settings
from langchain_chroma import Chroma
from langchain_classic.chains import create_history_aware_retriever, create_retrieval_chain
from langchain_classic.chains.combine_documents import create_stuff_documents_chain
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.memory import ChatMemoryBuffer
from program_support import MODELS, WAYS, statuses

from langchain_clova import ChatClovaX, ClovaEmbeddings
from llama_index_clova import ClovaEmbedding, ClovaX

if TYPE_CHECKING:
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

ARTICLES = [
    "환불은 구매한 날부터 7일 안에 신청할 수 있습니다. 포장을 뜯은 음반은 환불할 수 없습니다.",
    "배송은 서울은 하루, 제주는 사흘이 걸립니다. 배송 비용은 3,000원입니다.",
    "회원 등급은 은, 금, 다이아의 세 단계입니다. 등급을 올리는 비용은 없습니다.",
]
FIRST, FOUND_FIRST = "배송은 며칠이 걸립니까?", "서울은 하루, 제주는 사흘"
SECOND, FOUND_SECOND = "그 비용은 얼마입니까?", "3,000원"
ALONE = "배송 비용은 얼마입니까?"
REWRITE = (
    "Given a chat history and the latest user question which might reference context in the chat history, formulate "
    "a standalone question which can be understood without the chat history. Do NOT answer the question, just "
    "reformulate it if needed and otherwise return it as is."
)
ANSWER = "아래 발췌문만 근거로 질문에 한국어로 간결하게 답하세요.\n\n{context}"


def shop(folder: Path, account: dict[str, Any]) -> Chroma:
    """Open the shop's collection in a folder; it sends nothing anywhere and has no embedding model of its own."""
    client = PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    return Chroma("shop", ClovaEmbeddings(**account), client=client)


def chain_of(account: dict[str, Any], folder: Path, model: str) -> Any:
    """Build the chain of LangChain's tutorial."""
    llm = ChatClovaX(model=model, **account)
    rewrite, answer = (
        ChatPromptTemplate.from_messages([("system", text), MessagesPlaceholder("chat_history"), ("human", "{input}")])
        for text in (REWRITE, ANSWER)
    )
    found = create_history_aware_retriever(llm, shop(folder, account).as_retriever(search_kwargs={"k": 1}), rewrite)
    return create_retrieval_chain(found, create_stuff_documents_chain(llm, answer))


def ask(chain: Any, way: str, question: str, history: list[tuple[str, str]]) -> tuple[str, list[str], int]:
    """Return the answer, the texts it is from, and the number of pieces in which it came."""
    asked = {"input": question, "chat_history": history}

    async def gather() -> list[dict[str, Any]]:
        return [await chain.ainvoke(asked)] if way == "ainvoke" else [piece async for piece in chain.astream(asked)]

    if way.startswith("a"):
        given = asyncio.run(gather())
    else:
        given = [chain.invoke(asked)] if way == "invoke" else list(chain.stream(asked))
    pieces = [piece["answer"] for piece in given if piece.get("answer")]
    context = [document.page_content for piece in given for document in piece.get("context", [])]
    return "".join(pieces), context, len(pieces)


@pytest.mark.slow
def test_a_question_is_looked_up_as_it_is_meant(
    server: EmulatorServer, account: dict[str, Any], tmp_path: Path
) -> None:
    """The second question is searched for with what the first one was about, so the right article answers it.

    The articles were stored by another instance; every model answers so, whole and streamed, sync and async.
    """
    shop(tmp_path, account).add_texts(ARTICLES)
    for model in MODELS:
        chain = chain_of(account, tmp_path, model)
        for way in WAYS:
            server.reset()
            answer, context, _ = ask(chain, way, FIRST, [])
            assert FOUND_FIRST in answer
            assert context == [ARTICLES[1]]
            history = [("human", FIRST), ("ai", answer)]
            answer, context, pieces = ask(chain, way, SECOND, history)
            assert FOUND_SECOND in answer
            assert context == [ARTICLES[1]]
            assert (pieces > 2) == way.endswith("stream")
            assert statuses(server) == [200] * 3  # the first question has no history to be rewritten with
            searched = [request.body["text"] for request in server.requests if "/embedding/" in request.path]
            assert searched == [FIRST, ALONE]


@pytest.mark.slow
def test_chat_engine_condenses_and_looks_up(server: EmulatorServer, account: dict[str, Any]) -> None:
    """LlamaIndex's engine "condense_plus_context" does the same, in the four ways of asking, on every model."""
    index = VectorStoreIndex.from_documents(
        [Document(text=article) for article in ARTICLES], embed_model=ClovaEmbedding(**account)
    )

    async def converse(engine: Any, way: str) -> list[tuple[str, Any]]:
        turns = []
        for question in (FIRST, SECOND):
            if way == "ainvoke":
                response = await engine.achat(question)
                turns.append((str(response), response.source_nodes))
            else:
                response = await engine.astream_chat(question)
                pieces = [piece async for piece in response.async_response_gen()]
                assert len(pieces) > 2
                turns.append(("".join(pieces), response.source_nodes))
        return turns

    def converse_in_a_thread(engine: Any, way: str) -> list[tuple[str, Any]]:
        turns = []
        for question in (FIRST, SECOND):
            response = engine.chat(question) if way == "invoke" else engine.stream_chat(question)
            text = str(response) if way == "invoke" else "".join(response.response_gen)
            turns.append((text, response.source_nodes))
        return turns

    for model in MODELS:
        for way in WAYS:
            server.reset()
            engine = index.as_chat_engine(
                "condense_plus_context",
                llm=ClovaX(model=model, **account),
                memory=ChatMemoryBuffer.from_defaults(token_limit=3_000),
                similarity_top_k=1,
            )
            turns = asyncio.run(converse(engine, way)) if way.startswith("a") else converse_in_a_thread(engine, way)
            for (answer, sources), found in zip(turns, (FOUND_FIRST, FOUND_SECOND), strict=True):
                assert found in answer
                assert [source.text for source in sources] == [ARTICLES[1]]
            assert statuses(server) == [200] * 3
