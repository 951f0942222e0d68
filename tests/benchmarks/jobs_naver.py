"""The same jobs as those of the LangChain adapter, with langchain-naver; runs in its environment."""

from __future__ import annotations

import asyncio
import functools
from importlib.metadata import version
from typing import Any

from langchain_naver import ChatClovaX, ClovaXEmbeddings

PACKAGES = ("langchain-naver", "langchain-core", "langchain-openai", "openai", "httpx")
QUESTION = "대한민국의 수도는 어디인가요?"


def versions() -> dict[str, str]:
    """Return what is installed."""
    return {name: version(name) for name in PACKAGES}


@functools.cache
def model(base_url: str) -> Any:
    """Return the chat model for an address."""
    return ChatClovaX(model="HCX-005", api_key="nv-bench", base_url=f"{base_url}/v1/openai")


def embeddings(base_url: str) -> Any:
    """Return new embeddings for an address: its async client is of use on one event loop only."""
    return ClovaXEmbeddings(model="bge-m3", api_key="nv-bench", base_url=f"{base_url}/v1/openai")


def invoke(base_url: str, calls: int) -> None:
    """Ask so many times."""
    asking = model(base_url)
    for _ in range(calls):
        asking.invoke(QUESTION)


def stream(base_url: str, tokens: int) -> None:
    """Read a stream of so many tokens."""
    check(sum(bool(chunk.content) for chunk in model(f"{base_url}/sse/{tokens}").stream(QUESTION)), tokens)


def embed(base_url: str, texts: int) -> None:
    """Embed so many texts."""
    check(len(embeddings(base_url).embed_documents([f"문서 {i}" for i in range(texts)])), texts)


def aembed(base_url: str, texts: int) -> None:
    """Embed so many texts on an event loop."""
    documents = [f"문서 {i}" for i in range(texts)]
    check(len(asyncio.run(embeddings(base_url).aembed_documents(documents))), texts)


def check(found: int, expected: int) -> None:
    """Refuse work that was not done."""
    if found != expected:
        raise RuntimeError(f"{found} instead of {expected}")
