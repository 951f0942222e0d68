# mypy: disable-error-code="attr-defined"
"""What outlives a process: an index on disk, a pipeline's cache, and neither with a key in it."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache, IngestionPipeline
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from clova_studio.emulator import serve
from llama_index_clova import ClovaEmbedding, ClovaSegmentationNodeParser, ClovaSummaryExtractor

if TYPE_CHECKING:
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
QUESTION = "국회의원의 임기는 몇 년인가?"
TEXTS = (
    "국회의원의 임기는 4년으로 한다. 국회의원의 수는 200인 이상으로 한다.",
    "대통령의 임기는 5년으로 한다. 대통령은 중임할 수 없다.",
    "의무교육은 무상으로 한다. 교육의 자주성은 보장된다.",
    "대한민국의 영토는 한반도와 그 부속도서로 한다.",
)
# Qdrant on disk, in this process.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")


@pytest.fixture
def documents() -> list[Document]:
    """Four documents with ids of their own."""
    return [Document(text=text, id_=f"doc-{i}", metadata={"part": i}) for i, text in enumerate(TEXTS)]


def pipeline_of(place: dict[str, Any], **settings: Any) -> IngestionPipeline:
    """Return a pipeline that splits, summarizes and embeds."""
    return IngestionPipeline(
        transformations=[
            ClovaSegmentationNodeParser(**place),
            ClovaSummaryExtractor(show_progress=False, **place),
            ClovaEmbedding(**place),
        ],
        **settings,
    )


def steps(server: EmulatorServer) -> Counter[str]:
    """Return how often each API answered well."""
    return Counter(request.path.split("api-tools/")[-1] for request in server.requests if request.status == 200)


def python(code: str, *arguments: str, folder: Path) -> Any:
    """Run code in a process of its own and return the JSON that it prints."""
    file = folder / "program.py"
    file.write_text(code, encoding="utf-8")
    command = [sys.executable, str(file), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


REOPEN = """
import json, sys
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index_clova import ClovaEmbedding
_, kind, path, base_url, api_key, question = sys.argv
embed_model = ClovaEmbedding(base_url=base_url, api_key=api_key)
if kind == "qdrant":
    from qdrant_client import QdrantClient
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    client = QdrantClient(path=path)
    index = VectorStoreIndex.from_vector_store(QdrantVectorStore("law", client=client), embed_model=embed_model)
else:
    index = load_index_from_storage(StorageContext.from_defaults(persist_dir=path), embed_model=embed_model)
found = index.as_retriever(similarity_top_k=3).retrieve(question)
print(json.dumps([(each.node_id, each.text, each.metadata, round(each.score, 4)) for each in found]))
if kind == "qdrant":
    client.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["qdrant", "simple"])
def test_index_on_disk_is_found_by_another_process(
    server: EmulatorServer, account: dict[str, Any], documents: list[Document], tmp_path: Path, kind: str
) -> None:
    """A second process finds the same nodes in an index on disk, and embeds nothing but the query."""
    path = tmp_path / "index"
    client = QdrantClient(path=str(path)) if kind == "qdrant" else None
    storage = StorageContext.from_defaults(
        vector_store=None if client is None else QdrantVectorStore("law", client=client)
    )
    given = copy.deepcopy(documents)
    index = VectorStoreIndex.from_documents(
        documents,
        transformations=[ClovaSegmentationNodeParser(**account)],
        embed_model=ClovaEmbedding(**account),
        storage_context=storage,
    )
    assert documents == given
    found = index.as_retriever(similarity_top_k=3).retrieve(QUESTION)
    here = [[each.node_id, each.text, each.metadata, round(each.score or 0, 4)] for each in found]
    assert here[0][1] in TEXTS[0]
    if client is None:
        storage.persist(str(path))
    else:
        client.close()
    server.reset()
    assert python(REOPEN, kind, str(path), *reversed(account.values()), QUESTION, folder=tmp_path) == here
    assert steps(server) == {"embedding/v2": 1}
    assert server.requests[0].body == {"text": QUESTION}
    for file in path.rglob("*"):
        assert file.is_dir() or account["api_key"].encode() not in file.read_bytes()


def test_second_run_of_a_pipeline_asks_for_nothing(documents: list[Document], tmp_path: Path) -> None:
    """With its cache on disk a second pipeline makes the same nodes without a request, and no file holds the key."""
    with serve(api_keys=[KEY]) as server:
        place = {"api_key": KEY, "base_url": server.base_url}
        given = copy.deepcopy(documents)
        kept: dict[str, Any] = {"docstore_strategy": DocstoreStrategy.DUPLICATES_ONLY}
        first = pipeline_of(place, docstore=SimpleDocumentStore(), **kept)
        nodes = list(first.run(documents=documents))
        assert documents == given
        assert steps(server) == {
            "segmentation": len(documents),
            "summarization/v2": len(nodes),
            "embedding/v2": len(nodes),
        }
        assert all("section_summary" in node.metadata and len(node.embedding or ()) == 1_024 for node in nodes)
        first.persist(str(tmp_path))
        written = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert len(written) == 2
        for file in written:
            assert KEY not in file.read_text(encoding="utf-8")
        server.reset()
        second = pipeline_of(place)
        second.load(str(tmp_path))
        second.docstore = None
        again = list(second.run(documents=documents))
        assert again == nodes
        assert list(asyncio.run(second.arun(documents=documents))) == nodes
        assert server.requests == []
        # With the documents on disk, too, there is nothing to do.
        third = pipeline_of(place, **kept)
        third.load(str(tmp_path))
        assert list(third.run(documents=documents)) == []
        assert server.requests == []


def test_cache_knows_settings_and_not_keys(
    server: EmulatorServer, account: dict[str, Any], documents: list[Document], tmp_path: Path
) -> None:
    """Another key, a pickled copy and another address lead to the same entries, another setting to new ones."""
    cache = IngestionCache()
    pipeline = pipeline_of(account, cache=cache)
    nodes = list(pipeline.run(documents=documents))
    entries = json.dumps(cache.cache.get_all(collection=cache.collection), default=str)
    assert account["api_key"] not in entries
    server.reset()
    other_key = pipeline_of({**account, "api_key": KEY}, cache=cache)
    for transformations in (other_key.transformations, pickle.loads(pickle.dumps(pipeline.transformations))):  # noqa: S301  our own
        copied = IngestionPipeline(transformations=transformations, cache=cache)
        assert list(copied.run(documents=documents)) == nodes
    assert server.requests == []
    embedding = ClovaEmbedding(model="clir-emb-dolphin", **account)
    IngestionPipeline(transformations=[*pipeline.transformations[:2], embedding], cache=cache).run(documents=documents)
    assert steps(server) == {"embedding/clir-emb-dolphin": len(nodes)}


WORKERS = """
import asyncio, json, sys
from llama_index.core import Document
from llama_index.core.ingestion import IngestionPipeline
from llama_index_clova import ClovaEmbedding, ClovaSegmentationNodeParser, ClovaSummaryExtractor

def main(way, base_url, api_key, texts):
    place = {"base_url": base_url, "api_key": api_key}
    pipeline = IngestionPipeline(
        transformations=[
            ClovaSegmentationNodeParser(**place),
            ClovaSummaryExtractor(show_progress=False, **place),
            ClovaEmbedding(**place),
        ]
    )
    documents = [Document(text=text, id_=str(i)) for i, text in enumerate(json.loads(texts))]
    if way == "run":
        nodes = pipeline.run(documents=documents, num_workers=4)
    else:
        nodes = asyncio.run(pipeline.arun(documents=documents, num_workers=4))
    print(json.dumps([(node.ref_doc_id, node.text, node.metadata, node.embedding) for node in nodes]))

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["run", "arun"])
def test_pipeline_in_several_processes(
    server: EmulatorServer, account: dict[str, Any], tmp_path: Path, way: str
) -> None:
    """With num_workers=4 the components work in processes of their own, each text once, to the same nodes in order."""
    texts = [*TEXTS, *(f"{text} 다시 한 번." for text in TEXTS)]
    pipeline = pipeline_of(account)
    here = pipeline.run(documents=[Document(text=text, id_=str(i)) for i, text in enumerate(texts)])
    alone = steps(server)
    server.reset()
    found = python(WORKERS, way, *reversed(account.values()), json.dumps(texts), folder=tmp_path)
    assert found == [[node.ref_doc_id, node.text, node.metadata, node.embedding] for node in here]
    assert steps(server) == alone


@pytest.mark.parametrize("way", ["run", "arun"])
@pytest.mark.usefixtures("busy")
def test_a_full_quota_delays_a_pipeline_and_breaks_nothing(
    server: EmulatorServer, account: dict[str, Any], documents: list[Document], way: str
) -> None:
    """A pipeline whose first requests are refused with 429 makes all nodes, with one good request for each step."""
    pipeline = pipeline_of(account)
    nodes = pipeline.run(documents=documents) if way == "run" else asyncio.run(pipeline.arun(documents=documents))
    assert {node.ref_doc_id for node in nodes} == {document.id_ for document in documents}
    assert steps(server) == {
        "segmentation": len(documents),
        "summarization/v2": len(nodes),
        "embedding/v2": len(nodes),
    }
    assert [request.status for request in server.requests].count(429) == 2


def test_pipeline_within_a_running_loop_and_in_several(
    server: EmulatorServer, account: dict[str, Any], documents: list[Document]
) -> None:
    """One pipeline runs synchronously, in three event loops, and synchronously within a loop, to the same nodes."""
    pipeline = pipeline_of(account, disable_cache=True)

    async def within() -> list[Any]:
        return list(pipeline.run(documents=documents))

    def shown(nodes: Any) -> list[Any]:
        return [(node.text, node.metadata, node.embedding) for node in nodes]

    wanted = shown(pipeline.run(documents=documents))
    for _ in range(3):
        assert shown(asyncio.run(pipeline.arun(documents=documents))) == wanted
    assert shown(asyncio.run(within())) == wanted


def test_loaded_index_goes_on(account: dict[str, Any], documents: list[Document], tmp_path: Path) -> None:
    """A persisted index takes more documents after it was loaded, and finds old and new ones."""
    settings: dict[str, Any] = {"embed_model": ClovaEmbedding(**account)}
    first = VectorStoreIndex.from_documents(documents[:2], **settings)
    first.storage_context.persist(str(tmp_path))
    again: Any = load_index_from_storage(StorageContext.from_defaults(persist_dir=str(tmp_path)), **settings)
    again.insert(documents[2])
    retriever = again.as_retriever(similarity_top_k=1)
    assert retriever.retrieve("의무교육은 무상인가?")[0].text == TEXTS[2]
    assert retriever.retrieve(QUESTION)[0].text == TEXTS[0]
