"""Node parsers as objects: loops, clients, wrong arguments, dumps, pickles and pipelines that cache."""

from __future__ import annotations

import asyncio
import copy
import pickle
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from client_support import open_sockets
from llama_index.core import Document
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from pydantic import ValidationError

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError
from clova_studio.emulator import serve
from llama_index_clova import ClovaSegmentationNodeParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from llama_index.core.schema import BaseNode

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
CONSTITUTION = (files("langchain_clova") / "_demo" / "constitution-ko.txt").read_text(encoding="utf-8")
ODD = "\n\n 첫째 문장입니다.   둘째\t문장입니다!\r\n\r\n\u3000셋째\u2028문장입니다. 첫째 문장입니다.\u2029\n\n\n끝.  "


def test_three_event_loops_leave_no_socket(
    parser: Callable[..., ClovaSegmentationNodeParser], server: EmulatorServer
) -> None:
    """One instance in three asyncio.run calls works in each, and no socket is left open."""
    split = parser()
    for _ in range(3):
        assert asyncio.run(split.acall([Document(text=ODD)]))
        assert open_sockets(server.base_url) == 0


def test_given_clients_answer(server: EmulatorServer) -> None:
    """client= and async_client= do the work, with client= alone in a thread; settings beside them are refused."""

    async def main() -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as client:
            split = ClovaSegmentationNodeParser(async_client=client)
            assert await split.acall([Document(text=ODD)])
            with pytest.raises(ConfigurationError, match="client="):
                split.split_text(ODD)

    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        split = ClovaSegmentationNodeParser(client=client)
        assert asyncio.run(split.asplit_text(ODD)) == split.split_text(ODD)
        assert asyncio.run(split.acall([Document(text=ODD)], show_progress=False))
        with pytest.raises(ConfigurationError, match="timeout belongs"):
            ClovaSegmentationNodeParser(client=client, timeout=1)
    asyncio.run(main())
    assert [request.headers["x-who"] for request in server.requests] == ["sync"] * 3 + ["async"]


@pytest.mark.parametrize("name", ["chunk_size", "chunk_overlap", "separator", "seg_count", "n", "tokenizer"])
def test_unknown_arguments_are_refused(parser: Callable[..., ClovaSegmentationNodeParser], name: str) -> None:
    """Arguments of other splitters that mean nothing here are refused by name."""
    with pytest.raises(ConfigurationError, match=f"'{name}'"):
        parser(**{name: 1})


def test_wrong_values_are_refused(parser: Callable[..., ClovaSegmentationNodeParser], server: EmulatorServer) -> None:
    """Values out of range are refused unsent, and so is a missing key."""
    with pytest.raises(ValidationError, match="max_chunk_size"):
        parser(max_chunk_size=0)
    with pytest.raises(ValidationError, match="max_concurrency"):
        parser(max_concurrency=0)
    with pytest.raises(ConfigurationError, match="alpha"):
        parser(alpha=9).split_text("가")
    with pytest.raises(ConfigurationError, match="API key"):
        ClovaSegmentationNodeParser()
    with pytest.raises(ConfigurationError, match="texts must be a list"):
        parser().split_texts("가나다")  # type: ignore[arg-type]
    assert server.requests == []


def test_no_key_in_any_text() -> None:
    """repr, str and the dumps show no key."""
    split = ClovaSegmentationNodeParser(api_key=KEY, apigw_api_key=KEY, headers={"X-Key": KEY})
    assert KEY not in f"{split!r} {split} {split.to_dict()} {split.to_json()} {split.json()}"


def test_dumps_and_pickles_come_back(parser: Callable[..., ClovaSegmentationNodeParser]) -> None:
    """A dump with the key, a pickle and a copy make the same parser, which splits the same."""
    split = parser(seg_cnt=2, max_chunk_size=30, max_retries=1, include_prev_next_rel=False)
    expected = split.split_text(CONSTITUTION[:2_000])
    dump = split.to_dict()
    before = copy.deepcopy(dump)
    back = ClovaSegmentationNodeParser.from_dict(dump, api_key=split.api_key)
    assert dump == before
    for other in (back, pickle.loads(pickle.dumps(split)), copy.deepcopy(split)):  # noqa: S301
        assert other.to_dict() == dump
        assert other.split_text(CONSTITUTION[:2_000]) == expected


def test_functions_are_not_dumped(parser: Callable[..., ClovaSegmentationNodeParser]) -> None:
    """A dump with an id_func of the caller's needs that function to come back."""

    def name(i: int, doc: BaseNode) -> str:
        return f"{i}"

    split = parser(id_func=name)
    with pytest.raises(ConfigurationError, match="'name'"):
        ClovaSegmentationNodeParser.from_dict(split.to_dict(), api_key=KEY)
    assert ClovaSegmentationNodeParser.from_dict(split.to_dict(), api_key=KEY, id_func=name).id_func is name


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_cached_run_asks_nothing(
    parser: Callable[..., ClovaSegmentationNodeParser], server: EmulatorServer, *, asynchronous: bool
) -> None:
    """A pipeline's cache goes by the options and not by the key, and gives back the same nodes."""
    cache = IngestionCache()
    documents = [Document(text=CONSTITUTION[:2_000], metadata={"a": 1})]

    def run(**options: Any) -> list[Any]:
        pipeline = IngestionPipeline(transformations=[parser(**options)], cache=cache)
        if asynchronous:
            return list(asyncio.run(pipeline.arun(documents=documents)))
        return list(pipeline.run(documents=documents))

    first = run()
    assert len(server.requests) == 1
    assert run() == first
    assert run(api_key="another-key") == first
    assert len(server.requests) == 1
    assert run(seg_cnt=2) != first
    assert len(server.requests) == 2


@pytest.mark.slow
def test_pipelines_split_in_other_processes() -> None:
    """A pipeline with several processes gives the nodes that one process gives."""
    documents = [Document(text=CONSTITUTION[i * 1_000 : (i + 1) * 1_000]) for i in range(4)]
    with serve() as running:
        split = ClovaSegmentationNodeParser(api_key=running.api_key, base_url=running.base_url)
        nodes: Any = IngestionPipeline(transformations=[split]).run(documents=documents, num_workers=2)
        assert [node.text for node in nodes] == [node.get_content() for node in split(documents)]
