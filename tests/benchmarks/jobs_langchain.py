"""Jobs of the LangChain adapter."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_clova import ChatClovaX, ClovaEmbeddings

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTION = "대한민국의 수도는 어디인가요?"


@functools.cache
def model(base_url: str) -> ChatClovaX:
    """Return the chat model for an address."""
    return ChatClovaX(model="HCX-005", api_key="nv-bench", base_url=base_url)


@functools.cache
def embeddings(base_url: str) -> ClovaEmbeddings:
    """Return the embeddings for an address."""
    return ClovaEmbeddings(api_key="nv-bench", base_url=base_url)


def invoke(base_url: str, calls: int) -> None:
    """Ask so many times."""
    asking = model(base_url)
    for _ in range(calls):
        asking.invoke(QUESTION)


def stream(base_url: str, tokens: int, streams: int = 1) -> None:
    """Read so many streams of so many tokens."""
    for _ in range(streams):
        check(sum(bool(chunk.content) for chunk in model(f"{base_url}/sse/{tokens}").stream(QUESTION)), tokens)


class Floor(BaseChatModel):
    """What langchain-core itself takes: a model that asks nobody."""

    tokens: int = 0

    @property
    def _llm_type(self) -> str:
        return "floor"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("서울특별시입니다."))])

    def _stream(self, *_: Any, run_manager: Any = None, **__: Any) -> Iterator[ChatGenerationChunk]:
        for i in range(self.tokens):
            chunk = ChatGenerationChunk(message=AIMessageChunk(f"낱말{i % 10} "))
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def floor_invoke(calls: int) -> None:
    """Ask nobody so many times."""
    model_alone = Floor()
    for _ in range(calls):
        model_alone.invoke(QUESTION)


def floor_stream(tokens: int, streams: int = 1) -> None:
    """Give out so many streams of so many tokens that nobody sent."""
    for _ in range(streams):
        check(sum(bool(chunk.content) for chunk in Floor(tokens=tokens).stream(QUESTION)), tokens)


def embed(base_url: str, texts: int) -> None:
    """Embed so many texts."""
    check(len(embeddings(base_url).embed_documents([f"문서 {i}" for i in range(texts)])), texts)


def aembed(base_url: str, texts: int) -> None:
    """Embed so many texts on an event loop."""
    documents: Any = [f"문서 {i}" for i in range(texts)]
    check(len(asyncio.run(embeddings(base_url).aembed_documents(documents))), texts)


def check(found: int, expected: int) -> None:
    """Refuse work that was not done."""
    if found != expected:
        raise RuntimeError(f"{found} instead of {expected}")
