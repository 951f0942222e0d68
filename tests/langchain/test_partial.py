"""Batches that fail in part: every path says what failed, and has what succeeded."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.documents import Document
from langchain_core.exceptions import ContextOverflowError, ModelError, ModelInvalidRequestError

from clova_studio import AsyncClovaStudio, BadRequestError, ClovaStudio, ContextLengthError, Embedding
from clova_studio.emulator import Fault
from langchain_clova import (
    ClovaEmbeddings,
    ClovaSegmentationTextSplitter,
    ClovaSummarizationChain,
    ClovaXEmbeddings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio.emulator import EmulatorServer

TEXTS = [f"{i}번째 문서의 첫 문장입니다. {i}번째 문서의 둘째 문장입니다." for i in range(6)]
TOO_LONG = "나" * 60_000
WRONG = Fault("status", every=3, status=400, code="40001")


@pytest.fixture(params=["sync", "async", "threads"])
def way(request: pytest.FixtureRequest, server: EmulatorServer) -> Iterator[tuple[str, dict[str, Any]]]:
    """Synchronous, asynchronous, and asynchronous with a synchronous client alone; and how to reach the service."""
    if request.param != "threads":
        yield request.param, {"api_key": server.api_key, "base_url": server.base_url}
        return
    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        yield "async", {"client": client}


@pytest.mark.parametrize("kind", [ClovaEmbeddings, ClovaXEmbeddings])
def test_embeddings(way: tuple[str, dict[str, Any]], kind: type[ClovaEmbeddings]) -> None:
    """The first error has the vectors so far and its own index; with on_error="return" all others have vectors."""
    name, account = way
    texts = [*TEXTS[:3], TOO_LONG, *TEXTS[3:], TOO_LONG]

    def embed(**options: Any) -> Any:
        model = kind(**account, max_concurrency=1, **options)
        return model.embed_documents(texts) if name == "sync" else asyncio.run(model.aembed_documents(texts))

    with pytest.raises(ContextLengthError, match=r"^texts\[3\]: ") as caught:
        embed()
    partial = caught.value.partial
    assert [type(item) for item in partial[:3]] == [Embedding] * 3
    assert partial[3] is caught.value
    assert partial[4:] == [None] * 4
    found = embed(on_error="return")
    assert found[:3] == [item.embedding for item in partial[:3]]
    assert [len(vector) for vector in found[4:7]] == [1024] * 3
    for error in (found[3], found[7]):
        assert isinstance(error, ContextLengthError)
        assert isinstance(error, ContextOverflowError)


def test_splitter(way: tuple[str, dict[str, Any]], server: EmulatorServer) -> None:
    """The error of one document says which, and has the spans of the chunks of those before it."""
    name, account = way
    documents = [Document(text, metadata={"i": i}) for i, text in enumerate(TEXTS)]
    before = copy.deepcopy(documents)
    splitter = ClovaSegmentationTextSplitter(**account, max_concurrency=1)
    whole = splitter.split_documents(documents)
    server.reset()
    server.add_fault(WRONG)
    with pytest.raises(ModelInvalidRequestError, match=r"^texts\[2\]: ") as caught:
        _ = (
            splitter.split_documents(documents)
            if name == "sync"
            else asyncio.run(splitter.atransform_documents(documents))
        )
    assert isinstance(caught.value, BadRequestError)
    assert len(server.requests) == 3
    found, partial = [], caught.value.partial
    for text, spans in zip(TEXTS, partial[:2], strict=False):
        found += [text[span.start : span.end] for span in spans]
    assert found == [document.page_content for document in whole if document.metadata["i"] < 2]
    assert partial[2] == [caught.value]
    assert partial[3:] == [[None]] * 3
    assert documents == before


def test_summarization(way: tuple[str, dict[str, Any]], server: EmulatorServer) -> None:
    """The error of one part has the summaries of the others, and is LangChain's among them, too."""
    name, account = way
    server.add_fault(WRONG)
    chain = ClovaSummarizationChain(**account, max_characters=100, max_concurrency=1)
    with pytest.raises(BadRequestError) as caught:
        _ = chain.invoke(TEXTS * 3) if name == "sync" else asyncio.run(chain.ainvoke(TEXTS * 3))
    (failed,) = caught.value.partial
    assert [type(item) for item in failed[:2]] == [str, str]
    assert failed[2] is caught.value
    assert isinstance(failed[2], ModelError)
    assert len(failed) > 3
    assert set(failed[3:]) == {None}
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert again.partial[0][2] is again


@pytest.mark.parametrize("name", ["sync", "async"])
def test_batches_of_runnables(
    chat: Callable[..., Any], account: dict[str, Any], server: EmulatorServer, name: str
) -> None:
    """With return_exceptions, LangChain's own way, each input of a batch has its answer or its error at its index."""
    for runnable in (chat(max_retries=0), ClovaSummarizationChain(**account)):
        server.reset()
        server.add_fault(Fault("status", every=3, status=400, code="40001"))
        config = {"max_concurrency": 1}
        if name == "sync":
            found = runnable.batch(TEXTS, config, return_exceptions=True)
        else:
            found = asyncio.run(runnable.abatch(TEXTS, config, return_exceptions=True))
        assert [isinstance(item, BadRequestError) for item in found] == [False, False, True] * 2
        assert all(isinstance(item, ModelError) for item in found[2::3])


def test_async_client_alone(server: EmulatorServer) -> None:
    """With async_client= alone, the error has what succeeded, too, and no task is left."""

    async def main() -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url) as client:
            server.add_fault(Fault("status", every=4, status=400, code="40001"))
            with pytest.raises(BadRequestError) as caught:
                await ClovaSegmentationTextSplitter(async_client=client, max_concurrency=3).atransform_documents(
                    [Document(text) for text in TEXTS]
                )
            assert sum(place != [None] for place in caught.value.partial) == len(server.requests)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
