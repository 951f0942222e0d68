"""The node parser: exact slices of the source, whatever its length and white space, and however they repeat."""

from __future__ import annotations

import asyncio
import copy
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core import Document
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import ImageDocument, ImageNode, MetadataMode, Node, NodeRelationship, TextNode

from clova_studio import ClovaStudio, ConfigurationError, ServerError
from clova_studio.emulator import Fault, serve
from llama_index_clova import ClovaSegmentationNodeParser

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llama_index.core.schema import BaseNode

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
CONSTITUTION = (files("langchain_clova") / "_demo" / "constitution-ko.txt").read_text(encoding="utf-8")
ODD = "\n\n 첫째 문장입니다.   둘째\t문장입니다!\r\n\r\n\u3000셋째\u2028문장입니다. 첫째 문장입니다.\u2029\n\n\n끝.  "
# Its chunks are also parts of the ones before them, where a search would find them.
NESTED = "나나 나 나나 나 나나 나"
PARAGRAPH = "국회는 법률을 만든다. 대통령은 이를 공포한다. " * 40


@pytest.fixture(params=["sync", "async", "call", "acall"])
def parse(request: pytest.FixtureRequest) -> Callable[..., list[Any]]:
    """Parse documents in each of the four ways."""
    way: str = request.param

    def run(parser: ClovaSegmentationNodeParser, documents: Sequence[Any], **kwargs: Any) -> list[Any]:
        if way == "sync":
            return parser.get_nodes_from_documents(documents, **kwargs)
        if way == "async":
            return asyncio.run(parser.aget_nodes_from_documents(documents, **kwargs))
        if way == "call":
            return list(parser(documents, **kwargs))
        return list(asyncio.run(parser.acall(documents, **kwargs)))

    return run


def check_exact(source: str, nodes: Sequence[Any]) -> None:
    """Assert that nodes are slices of the source in order, with only white space between them."""
    end = 0
    for node in nodes:
        assert source[end : node.start_char_idx].strip() == ""
        end = node.end_char_idx
        assert source[node.start_char_idx : end] == node.text == node.text.strip() != ""
    assert source[end:].strip() == ""


def check_linked(nodes: Sequence[BaseNode]) -> None:
    """Assert that each node knows the next and the one before it, and the ends know that they are ends."""
    for left, right in pairwise(nodes):
        assert left.next_node is not None
        assert right.prev_node is not None
        assert (left.next_node.node_id, left.next_node.hash) == (right.node_id, right.hash)
        assert (right.prev_node.node_id, right.prev_node.hash) == (left.node_id, left.hash)
    assert nodes[0].prev_node is None
    assert nodes[-1].next_node is None


@pytest.mark.slow
@pytest.mark.parametrize("source", [CONSTITUTION, ODD, NESTED, "한 문장.", "같은 문장입니다.\n\n" * 50])
@pytest.mark.parametrize("cap", [None, 40, 2])
def test_nodes_are_slices_of_their_document(
    parser: Callable[..., ClovaSegmentationNodeParser], source: str, cap: int | None
) -> None:
    """Every node is text[start_char_idx:end_char_idx], also where text repeats, and only white space is lost."""
    split = parser(max_chunk_size=cap)
    nodes: list[Any] = split.get_nodes_from_documents([Document(text=source)])
    check_exact(source, nodes)
    check_linked(nodes)
    assert [node.text for node in nodes] == split.split_text(source)
    if cap is not None:
        assert max(len(node.text) for node in nodes) <= cap


def test_any_text_is_cut_exactly() -> None:
    """Whatever a text is made of, unusual white space and repetition too, its nodes are its slices in order."""
    with serve() as running:
        split = ClovaSegmentationNodeParser(api_key=running.api_key, base_url=running.base_url, max_chunk_size=7)
        pieces = st.sampled_from(
            ["가", "가가.", "나다", ". ", " ", "\n\n", "\r\n", "\u2028", "\u2029", "\x85", "\u3000", "😀"]
        )

        @settings(max_examples=60, deadline=None)
        @given(st.lists(st.lists(pieces, max_size=30).map("".join), max_size=3))
        def check(texts: list[str]) -> None:
            documents = [Document(text=text) for text in texts]
            nodes: list[Any] = split.get_nodes_from_documents(documents)
            for document in documents:
                check_exact(document.text, [node for node in nodes if node.ref_doc_id == document.id_])

        check()


@pytest.mark.slow
def test_long_documents_go_in_windows(
    parser: Callable[..., ClovaSegmentationNodeParser], server: EmulatorServer, parse: Callable[..., list[Any]]
) -> None:
    """Over 120,000 characters are sent in parts that end at paragraph borders, and topics count on."""
    source = "\n\n".join(f"{i}. {PARAGRAPH}" for i in range(130))
    assert len(source) > 120_000
    nodes = parse(parser(), [Document(text=source)])
    check_exact(source, nodes)
    check_linked(nodes)
    sent = sorted((request.body["text"] for request in server.requests), key=source.index)
    assert len(sent) == 2
    assert all(len(text) <= 120_000 for text in sent)
    assert sent[0].rstrip().endswith(PARAGRAPH.rstrip())
    assert [node.metadata["topic_index"] for node in nodes] == list(range(len(nodes)))


def test_all_ways_give_the_same(parser: Callable[..., ClovaSegmentationNodeParser]) -> None:
    """Synchronous and asynchronous methods, for one text and for several, give the same chunks."""
    split = parser()
    texts = [CONSTITUTION[:5_000], "", ODD]
    expected = split.split_text(texts[0]) + split.split_text(texts[2])

    async def main() -> None:
        assert await split.asplit_text(texts[0]) + await split.asplit_text(texts[2]) == expected
        assert await split.asplit_texts(texts) == expected

    asyncio.run(main())
    assert split.split_texts(texts) == expected
    assert [node.get_content() for node in split([Document(text=text) for text in texts])] == expected


@pytest.mark.parametrize("text", ["", " \n\t\u3000\u2028"])
def test_blank_documents_give_nothing_and_ask_nothing(
    parser: Callable[..., ClovaSegmentationNodeParser],
    server: EmulatorServer,
    parse: Callable[..., list[Any]],
    text: str,
) -> None:
    """A blank document has no node and costs no request; nor does no document."""
    assert parse(parser(), [Document(text=text, metadata={"a": 1}), TextNode(text=text)]) == []
    assert parse(parser(), []) == []
    assert parser().split_texts([text]) == []
    assert server.requests == []


def test_options_reach_the_wire(parser: Callable[..., ClovaSegmentationNodeParser], server: EmulatorServer) -> None:
    """Every option of the API is sent under its name."""
    options = {"alpha": 0.5, "seg_cnt": 3, "post_process": True}
    parser(**options, post_process_min_size=10, post_process_max_size=100).split_text("가나다. 라마바.")
    body = server.requests[-1].body
    assert {name: value for name, value in body.items() if name != "text"} == {
        "alpha": 0.5,
        "segCnt": 3,
        "postProcess": True,
        "postProcessMinSize": 10,
        "postProcessMaxSize": 100,
    }


@pytest.mark.slow
def test_documents_go_side_by_side_within_the_bound() -> None:
    """All documents and windows of a call share the requests that may be in flight at once."""
    documents = [Document(text=f"{i}번째 문서입니다.") for i in range(8)]
    with serve(latency=0.1) as running:
        account: dict[str, Any] = {"api_key": running.api_key, "base_url": running.base_url}
        split = ClovaSegmentationNodeParser(max_concurrency=3, **account)
        assert len(split(documents)) == 8
        assert running.peak_in_flight == 3
        assert len(asyncio.run(split.acall(documents))) == 8
        assert running.peak_in_flight == 3


@pytest.mark.slow
def test_the_event_loop_is_not_blocked() -> None:
    """While documents are parsed asynchronously, other tasks run, with client= alone too."""

    async def main(split: ClovaSegmentationNodeParser) -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        task = asyncio.create_task(tick())
        assert await split.aget_nodes_from_documents([Document(text="가나다.")])
        task.cancel()
        return ticks

    with serve(latency=0.3) as running:
        account: dict[str, Any] = {"api_key": running.api_key, "base_url": running.base_url}
        assert asyncio.run(main(ClovaSegmentationNodeParser(**account))) > 10
        with ClovaStudio(running.api_key, base_url=running.base_url) as client:
            assert asyncio.run(main(ClovaSegmentationNodeParser(client=client))) > 10


def test_metadata_is_copied_and_numbered(
    parser: Callable[..., ClovaSegmentationNodeParser], parse: Callable[..., list[Any]]
) -> None:
    """Each node has its own copy of the metadata and its topic's number, which no text shows; the document is kept."""
    document = Document(
        text=CONSTITUTION[:3_000],
        metadata={"tags": ["법"], "file": "헌법"},
        excluded_embed_metadata_keys=["file"],
        excluded_llm_metadata_keys=["tags"],
    )
    before = copy.deepcopy(document)
    nodes = parse(parser(max_chunk_size=50), [document])
    topics = [node.metadata["topic_index"] for node in nodes]
    assert topics == sorted(topics)
    assert set(topics) == set(range(topics[-1] + 1))
    assert len(set(topics)) < len(topics)
    assert nodes[0].get_metadata_str(mode=MetadataMode.EMBED) == "tags: ['법']"
    assert nodes[0].get_metadata_str(mode=MetadataMode.LLM) == "file: 헌법"
    assert "topic_index: 0" in nodes[0].get_metadata_str()
    nodes[0].metadata["tags"].append("x")
    nodes[0].source_node.metadata["tags"].append("x")
    nodes[0].excluded_embed_metadata_keys.append("x")
    assert document == before
    assert nodes[1].metadata == {"tags": ["법"], "file": "헌법", "topic_index": topics[1]}


def test_nodes_belong_to_their_documents(
    parser: Callable[..., ClovaSegmentationNodeParser], parse: Callable[..., list[Any]]
) -> None:
    """The source of a node is its document, neighbours are of the same one, and the switches switch."""
    documents = [Document(text=CONSTITUTION[:2_000], metadata={"a": 1}), Document(text=CONSTITUTION[2_000:4_000])]
    nodes = parse(parser(), documents)
    for document in documents:
        own = [node for node in nodes if node.source_node.node_id == document.id_]
        assert len(own) > 1
        assert own[0].source_node.hash == document.hash
        check_exact(document.text, own)
        check_linked(own)

    def name(i: int, doc: BaseNode) -> str:
        return f"{doc.metadata.get('a')}-{i}"

    bare = parse(parser(include_metadata=False, include_prev_next_rel=False, id_func=name), documents)
    assert [node.id_ for node in bare][:2] == ["1-0", "1-1"]
    assert all(node.metadata == {} and set(node.relationships) == {NodeRelationship.SOURCE} for node in bare)
    check_exact(documents[0].text, [node for node in bare if node.id_.startswith("1-")])


def test_pieces_of_a_document_are_split_in_place(
    parser: Callable[..., ClovaSegmentationNodeParser], parse: Callable[..., list[Any]]
) -> None:
    """Nodes cut out of a document give nodes of that document, whose indices are counted there."""
    text = "\n\n".join(f"{i}번째 문장입니다. {NESTED}. 다른 문장입니다." for i in range(40))
    document = Document(text=text, metadata={"a": 1})
    children = SentenceSplitter(chunk_size=64, chunk_overlap=0)([document])
    assert len(children) > 3
    before = copy.deepcopy(children)
    nodes = parse(parser(max_chunk_size=2), children)
    check_exact(text, nodes)
    check_linked(nodes)
    assert {node.ref_doc_id for node in nodes} == {document.id_}
    assert all(node.metadata["a"] == 1 for node in nodes)
    nodes[0].source_node.metadata["a"] = 2
    assert children == before


def test_pieces_whose_place_is_not_known_are_split_by_themselves(
    parser: Callable[..., ClovaSegmentationNodeParser],
) -> None:
    """Nodes without a span in their document, or changed since, give indices in their own text."""
    source = Document(text="나나 " * 20).as_related_node_info()
    unplaced = TextNode(text=NESTED, relationships={NodeRelationship.SOURCE: source})
    changed = TextNode(text=NESTED, start_char_idx=7, end_char_idx=9, relationships={NodeRelationship.SOURCE: source})
    for child in (unplaced, changed, TextNode(text=NESTED, start_char_idx=7, end_char_idx=7 + len(NESTED))):
        nodes: list[Any] = parser(max_chunk_size=2)([child])
        check_exact(NESTED, nodes)
        check_linked(nodes)


def test_images_stay_images(parser: Callable[..., ClovaSegmentationNodeParser], server: EmulatorServer) -> None:
    """Text of an image document gives image nodes; a node of which none can be made is refused before it is sent."""
    nodes = parser()([ImageDocument(text="사진 설명입니다.", image="MTIzNDU2Nzg=")])
    assert [type(node) for node in nodes] == [ImageNode]
    assert nodes[0].image == "MTIzNDU2Nzg="  # type: ignore[attr-defined]
    before = len(server.requests)
    with pytest.raises(ConfigurationError, match="node 1 must be"):
        parser()([Document(text="가."), Node()])
    assert len(server.requests) == before


@pytest.mark.slow
def test_the_bar_counts_requests(
    parser: Callable[..., ClovaSegmentationNodeParser],
    capsys: pytest.CaptureFixture[str],
    parse: Callable[..., list[Any]],
) -> None:
    """With show_progress a bar counts the answers, otherwise nothing is written; the nodes are the same."""
    documents = [Document(text=f"{i}. {PARAGRAPH}" * 10) for i in range(3)] + [Document(text=" ")]
    quiet = parse(parser(), documents)
    assert capsys.readouterr().err == ""
    shown = parse(parser(), documents, show_progress=True)
    assert "Parsing nodes: 100%" in (written := capsys.readouterr().err)
    assert "3/3" in written
    assert [node.text for node in shown] == [node.text for node in quiet]


def test_callbacks_see_the_parsing(
    parser: Callable[..., ClovaSegmentationNodeParser], parse: Callable[..., list[Any]]
) -> None:
    """A callback manager gets one event per call, with the nodes."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    nodes = parse(parser(callback_manager=CallbackManager([debug])), [Document(text=ODD)])
    ((_, end),) = debug.get_event_pairs(CBEventType.NODE_PARSING)
    assert end.payload is not None
    assert end.payload["nodes"] == nodes


@pytest.mark.usefixtures("busy")
def test_full_quota_is_waited_for(
    parser: Callable[..., ClovaSegmentationNodeParser], server: EmulatorServer, parse: Callable[..., list[Any]]
) -> None:
    """429, 429, 200 is an answer."""
    assert parse(parser(), [Document(text=ODD)])
    assert [request.status for request in server.requests] == [429, 429, 200]


def test_a_failure_is_the_clients_error(
    parser: Callable[..., ClovaSegmentationNodeParser], server: EmulatorServer, parse: Callable[..., list[Any]]
) -> None:
    """An error of one document fails the call, as the client's own class, after the client's retries only."""
    server.add_fault(Fault("status", status=500, code="50000"))
    with pytest.raises(ServerError):
        parse(parser(max_retries=0), [Document(text=ODD)])
    assert len(server.requests) == 1
