"""The splitter: exact slices of the source, whatever its length and white space."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.documents import Document
from langchain_core.exceptions import ModelAPIError

import langchain_clova
from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, ServerError
from clova_studio.emulator import Fault
from langchain_clova import ClovaSegmentationTextSplitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

CONSTITUTION = (Path(langchain_clova.__file__).parent / "_demo" / "constitution-ko.txt").read_text(encoding="utf-8")
ODD = "\n\n 첫째 문장입니다.   둘째\t문장입니다!\r\n\r\n\u3000셋째 문장입니다. 첫째 문장입니다.\n\n\n끝.  "


@pytest.fixture
def splitter(server: EmulatorServer) -> Callable[..., ClovaSegmentationTextSplitter]:
    """Make splitters that talk to the emulator."""

    def make(**settings: Any) -> ClovaSegmentationTextSplitter:
        return ClovaSegmentationTextSplitter(**{"api_key": server.api_key, "base_url": server.base_url, **settings})

    return make


def check_exact(source: str, documents: list[Document]) -> None:
    """Assert that documents are slices of the source in order, with only white space between them."""
    end = 0
    for document in documents:
        start = document.metadata["start_index"]
        assert source[end:start].strip() == ""
        end = start + len(document.page_content)
        assert source[start:end] == document.page_content
        assert document.page_content == document.page_content.strip() != ""
    assert source[end:].strip() == ""


@pytest.mark.parametrize("source", [CONSTITUTION, ODD, "한 문장.", ("같은 문장입니다.\n\n" * 50)])
@pytest.mark.parametrize("cap", [None, 40])
def test_chunks_are_slices_of_the_source(
    splitter: Callable[..., ClovaSegmentationTextSplitter], source: str, cap: int | None
) -> None:
    """Every chunk is source[start:end], also where text repeats, and no character but white space is lost."""
    split = splitter(add_start_index=True, max_chunk_size=cap)
    documents = split.create_documents([source])
    check_exact(source, documents)
    assert [document.page_content for document in documents] == split.split_text(source)
    if cap is not None:
        assert max(len(document.page_content) for document in documents) <= cap


def test_async_gives_the_same(splitter: Callable[..., ClovaSegmentationTextSplitter]) -> None:
    """All asynchronous methods give what the synchronous ones give."""
    split = splitter(add_start_index=True)
    sources = [Document(CONSTITUTION[:5_000], metadata={"a": 1}), Document(""), Document(ODD)]
    texts = [source.page_content for source in sources]

    async def main() -> None:
        assert await split.asplit_text(CONSTITUTION) == split.split_text(CONSTITUTION)
        assert await split.acreate_documents(texts) == split.create_documents(texts)
        expected = split.split_documents(sources)
        assert await split.asplit_documents(sources) == expected
        assert await split.atransform_documents(sources) == expected
        assert list(split.transform_documents(sources)) == expected

    asyncio.run(main())


@pytest.mark.parametrize("text", ["", " \n\t\u3000"])
def test_empty_text_gives_nothing_and_asks_nothing(
    splitter: Callable[..., ClovaSegmentationTextSplitter], server: EmulatorServer, text: str
) -> None:
    """Blank text has no chunk and costs no request."""
    assert splitter().split_text(text) == []
    assert asyncio.run(splitter().asplit_text(text)) == []
    assert splitter().create_documents([text]) == []
    assert splitter().split_documents([]) == []
    assert server.requests == []


def test_options_reach_the_wire(splitter: Callable[..., ClovaSegmentationTextSplitter], server: EmulatorServer) -> None:
    """Every option of the API is sent under its name."""
    splitter(alpha=0.5, seg_cnt=3, post_process=True, post_process_min_size=10, post_process_max_size=100).split_text(
        "가나다. 라마바."
    )
    body = server.requests[-1].body
    assert {name: value for name, value in body.items() if name != "text"} == {
        "alpha": 0.5,
        "segCnt": 3,
        "postProcess": True,
        "postProcessMinSize": 10,
        "postProcessMaxSize": 100,
    }


def test_long_text_goes_in_windows(
    splitter: Callable[..., ClovaSegmentationTextSplitter], server: EmulatorServer
) -> None:
    """Text over 120,000 characters is sent in parts that end at paragraph borders, and topics count on."""
    paragraph = "국회는 법률을 만든다. 대통령은 이를 공포한다. " * 40
    source = "\n\n".join(f"{i}. {paragraph}" for i in range(130))
    assert len(source) > 120_000
    documents = splitter(add_start_index=True).create_documents([source])
    check_exact(source, documents)
    sent = sorted((request.body["text"] for request in server.requests), key=source.index)
    assert len(sent) == 2
    assert all(len(text) <= 120_000 for text in sent)
    assert sent[0].rstrip().endswith(paragraph.rstrip())
    assert [document.metadata["topic_index"] for document in documents] == list(range(len(documents)))


def test_metadata_is_copied_and_numbered(splitter: Callable[..., ClovaSegmentationTextSplitter]) -> None:
    """Each chunk has its own copy of the metadata, with the topic's number; pieces of one topic share it."""
    source = Document(CONSTITUTION[:3_000], metadata={"tags": ["법"]})
    documents = splitter(max_chunk_size=50).split_documents([source])
    topics = [document.metadata["topic_index"] for document in documents]
    assert topics == sorted(topics)
    assert set(topics) == set(range(topics[-1] + 1))
    assert len(set(topics)) < len(topics)
    documents[0].metadata["tags"].append("x")
    assert source.metadata == {"tags": ["법"]}
    assert documents[1].metadata["tags"] == ["법"]
    assert "start_index" not in documents[0].metadata


@pytest.mark.parametrize("name", ["chunk_size", "chunk_overlap", "length_function", "seg_count", "n"])
def test_unknown_arguments_are_refused(splitter: Callable[..., ClovaSegmentationTextSplitter], name: str) -> None:
    """Arguments of other splitters that mean nothing here are refused by name."""
    with pytest.raises(ConfigurationError, match=f"'{name}'"):
        splitter(**{name: 1})


def test_wrong_values_are_refused(
    splitter: Callable[..., ClovaSegmentationTextSplitter], server: EmulatorServer
) -> None:
    """Values out of range are refused unsent, and so is a missing key."""
    with pytest.raises(ConfigurationError, match="max_chunk_size"):
        splitter(max_chunk_size=0)
    with pytest.raises(ConfigurationError, match="alpha"):
        splitter(alpha=9).split_text("가")
    with pytest.raises(ConfigurationError, match="API key"):
        ClovaSegmentationTextSplitter()
    assert server.requests == []


def test_errors_are_langchains_too(
    splitter: Callable[..., ClovaSegmentationTextSplitter], server: EmulatorServer
) -> None:
    """A failure of the service is the client's error and LangChain's, sync and async."""
    server.add_fault(Fault("status", status=500, code="50000"))
    split = splitter(max_retries=0)
    for ask in (split.split_text, lambda text: asyncio.run(split.asplit_text(text))):
        with pytest.raises(ServerError) as caught:
            ask("가나다.")
        assert isinstance(caught.value, ModelAPIError)


def test_given_clients_and_pickling(
    splitter: Callable[..., ClovaSegmentationTextSplitter], server: EmulatorServer
) -> None:
    """client= and async_client= do the work, with client= alone in a thread; a pickled splitter splits."""

    async def main(expected: list[str]) -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url) as other:
            assert await ClovaSegmentationTextSplitter(async_client=other).asplit_text(ODD) == expected

    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        split = ClovaSegmentationTextSplitter(client=client)
        expected = split.split_text(ODD)
        assert asyncio.run(split.asplit_text(ODD)) == expected
        with pytest.raises(ConfigurationError, match="timeout belongs"):
            ClovaSegmentationTextSplitter(client=client, timeout=1)
    asyncio.run(main(expected))
    assert pickle.loads(pickle.dumps(splitter())).split_text(ODD) == expected  # noqa: S301
