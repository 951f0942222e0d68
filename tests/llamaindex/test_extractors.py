"""Summaries as metadata of nodes: their own and their neighbours', in place or not, one layer of retries."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import signal
import threading
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from client_support import open_sockets
from llama_index.core import Document
from llama_index.core.schema import MetadataMode, NodeRelationship, TextNode
from pydantic import ValidationError

from clova_studio import ClovaStudio, ConfigurationError, RateLimitError
from clova_studio.emulator import Fault, serve
from llama_index_clova import ClovaSummaryExtractor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
CONSTITUTION = (files("langchain_clova") / "_demo" / "constitution-ko.txt").read_text(encoding="utf-8")
TEXT = "환불은 구매 후 7일 안에 신청할 수 있습니다. 배송은 이틀쯤 걸립니다."
LONG = "\n\n".join(f"{i}번째 문단입니다. 내용은 {i * 7}에 관한 이야기입니다. 그리고 끝." for i in range(2500))


@pytest.fixture
def extractor(account: dict[str, Any]) -> Callable[..., ClovaSummaryExtractor]:
    """Make extractors that talk to the emulator and show no bar."""

    def make(**settings: Any) -> ClovaSummaryExtractor:
        return ClovaSummaryExtractor(**{**account, "show_progress": False, **settings})

    return make


@pytest.fixture(params=["call", "acall", "process", "in_loop"])
def process(request: pytest.FixtureRequest) -> Callable[..., list[Any]]:
    """Run an extractor on nodes, in each of its ways: the last is the synchronous one where an event loop runs."""
    way: str = request.param

    def run(extractor: ClovaSummaryExtractor, nodes: Sequence[Any], **kwargs: Any) -> list[Any]:
        if way == "call":
            return extractor(nodes, **kwargs)
        if way == "acall":
            return asyncio.run(extractor.acall(nodes, **kwargs))
        if way == "process":
            return extractor.process_nodes(nodes, **kwargs)

        async def main() -> list[Any]:
            return extractor.process_nodes(nodes, **kwargs)

        return asyncio.run(main())

    return run


def sections(count: int = 3, source: str | None = None) -> list[TextNode]:
    """Return nodes with different texts."""
    relationships: Any = {}
    if source is not None:
        relationships[NodeRelationship.SOURCE] = Document(text=source, id_=source).as_related_node_info()
    return [TextNode(text=f"{i}번째 절입니다. {TEXT}", relationships=relationships) for i in range(count)]


def test_nodes_get_summaries(
    extractor: Callable[..., ClovaSummaryExtractor], server: EmulatorServer, process: Callable[..., list[Any]]
) -> None:
    """Each node gets the summary of its own text, which is sent without metadata; the text stays as it is."""
    nodes = [TextNode(text=f"{i}번째 절입니다.", metadata={"file": "헌법"}) for i in range(3)]
    out = process(extractor(), nodes)
    assert [node.metadata for node in out] == [
        {"file": "헌법", "section_summary": f"- {i}번째 절입니다."} for i in range(3)
    ]
    assert sorted(request.body["texts"][0] for request in server.requests) == [f"{i}번째 절입니다." for i in range(3)]
    assert [node.text for node in out] == [f"{i}번째 절입니다." for i in range(3)]


def test_neighbours_are_those_of_the_same_source(extractor: Callable[..., ClovaSummaryExtractor]) -> None:
    """prev, self and next are core's keys, and no summary goes over to another document."""
    nodes = [*sections(2, "헌법"), *sections(3, "민법")]
    own = [found["section_summary"] for found in extractor().extract(nodes)]
    assert extractor(summaries=["prev", "self", "next"]).extract(nodes) == [
        {"section_summary": own[0], "next_section_summary": own[1]},
        {"prev_section_summary": own[0], "section_summary": own[1]},
        {"section_summary": own[2], "next_section_summary": own[3]},
        {"prev_section_summary": own[2], "section_summary": own[3], "next_section_summary": own[4]},
        {"prev_section_summary": own[3], "section_summary": own[4]},
    ]


def test_only_summaries_that_are_used_are_asked_for(
    extractor: Callable[..., ClovaSummaryExtractor], server: EmulatorServer
) -> None:
    """With neighbours' summaries alone, the one that nobody gets costs no request."""
    assert [list(found) for found in extractor(summaries=["prev"]).extract(sections(3))] == [
        [],
        ["prev_section_summary"],
        ["prev_section_summary"],
    ]
    assert len(server.requests) == 2


def test_wrong_summaries_are_refused(extractor: Callable[..., ClovaSummaryExtractor]) -> None:
    """A name that is none of the three is refused in core's words, as a ValueError."""
    with pytest.raises(ValueError, match=r"summaries must be one of \['self', 'prev', 'next'\]"):
        extractor(summaries=["self", "all"])


def test_blank_nodes_get_no_summary(
    extractor: Callable[..., ClovaSummaryExtractor], server: EmulatorServer, process: Callable[..., list[Any]]
) -> None:
    """A blank node, metadata or not, gets no key, gives none to neighbours, and asks nothing."""
    blank = [TextNode(text=text, metadata={"file": "헌법"}) for text in ("", " \n\u2028")]
    assert [node.metadata for node in process(extractor(metadata_mode=MetadataMode.ALL), blank)] == [
        {"file": "헌법"}
    ] * 2
    assert process(extractor(), []) == []
    assert server.requests == []
    out = process(extractor(summaries=["self", "prev"]), [TextNode(text=" "), TextNode(text=TEXT)])
    assert [set(node.metadata) for node in out] == [set(), {"section_summary"}]


def test_options_of_the_extractor_reach_the_service(
    extractor: Callable[..., ClovaSummaryExtractor], server: EmulatorServer
) -> None:
    """Every option is sent under its name, metadata too where it is asked for."""
    extract = extractor(
        auto_sentence_splitter=False,
        seg_count=2,
        seg_max_size=800,
        seg_min_size=5,
        include_ai_filters=True,
        metadata_mode=MetadataMode.ALL,
    )
    extract([TextNode(text=TEXT, metadata={"file": "헌법"})])
    assert server.requests[0].body == {
        "texts": [f"file: 헌법\n\n{TEXT}"],
        "autoSentenceSplitter": False,
        "segCount": 2,
        "segMaxSize": 800,
        "segMinSize": 5,
        "includeAiFilters": True,
    }


def test_long_nodes_are_summarized_in_rounds(
    extractor: Callable[..., ClovaSummaryExtractor], server: EmulatorServer
) -> None:
    """A node over the limit of a request gets one summary, from several requests."""
    (metadata,) = extractor().extract([TextNode(text=LONG)])
    assert metadata["section_summary"].startswith("- ")
    assert len(server.requests) > 4


@pytest.mark.slow
@pytest.mark.parametrize("texts", [[TEXT] * 9, [LONG[:20_000]], [LONG[:20_000], LONG[:20_000]]])
def test_num_workers_bounds_the_requests(texts: list[str]) -> None:
    """num_workers requests are in flight at once and no more, for many short nodes as for few long ones."""
    with serve(latency=0.05) as running:
        extract = ClovaSummaryExtractor(
            api_key=running.api_key,
            base_url=running.base_url,
            num_workers=4,
            max_characters=2_000,
            show_progress=False,
        )
        asyncio.run(extract.aextract([TextNode(text=text) for text in texts]))
        assert running.peak_in_flight == 4
        extract.extract([TextNode(text=text) for text in texts])
        assert running.peak_in_flight == 4


def test_given_nodes_are_changed_in_place_only(
    extractor: Callable[..., ClovaSummaryExtractor], process: Callable[..., list[Any]]
) -> None:
    """in_place, core's default, changes the given nodes; without it copies are, whatever else is asked for."""
    nodes = [TextNode(text=TEXT, metadata={"tags": ["법"]})]
    before = copy.deepcopy(nodes)
    (out,) = process(
        extractor(in_place=False, disable_template_rewrite=False),
        nodes,
        excluded_embed_metadata_keys=["section_summary"],
        excluded_llm_metadata_keys=["tags"],
    )
    out.metadata["tags"].append("x")
    assert nodes == before
    assert out.id_ == nodes[0].id_
    assert (out.excluded_embed_metadata_keys, out.excluded_llm_metadata_keys) == (["section_summary"], ["tags"])
    assert process(extractor(), nodes)[0] is nodes[0]
    assert "section_summary" in nodes[0].metadata


def test_templates_are_rewritten_when_asked(extractor: Callable[..., ClovaSummaryExtractor]) -> None:
    """text_template stays as it is, unless a rewrite or a template is asked for."""
    given = TextNode(text=TEXT).text_template

    def template(**options: Any) -> str:
        return extractor(**options)([TextNode(text=TEXT)])[0].text_template  # type: ignore[attr-defined, no-any-return]

    assert template() == given
    assert template(disable_template_rewrite=False).startswith("[Excerpt from document]")
    assert template(node_text_template="{content}") == "{content}"
    assert template(node_text_template="{content}", disable_template_rewrite=True) == given


def test_other_nodes_are_refused_unless_asked_for(
    extractor: Callable[..., ClovaSummaryExtractor], server: EmulatorServer
) -> None:
    """Documents are refused as core does it, before anything is sent, and summarized if that is switched off."""
    with pytest.raises(ValueError, match="Only `TextNode` is allowed"):
        extractor().extract([TextNode(text=TEXT), Document(text=TEXT)])
    assert server.requests == []
    assert extractor(is_text_node_only=False).extract([Document(text="둘째 글입니다.")]) == [
        {"section_summary": "- 둘째 글입니다."}
    ]


@pytest.mark.slow
@pytest.mark.parametrize("max_retries", [0, 2, None])
def test_max_retries_is_the_clients(
    extractor: Callable[..., ClovaSummaryExtractor],
    server: EmulatorServer,
    process: Callable[..., list[Any]],
    max_retries: int | None,
) -> None:
    """max_retries=n is n retries of the request and not one more; None is the client's own number."""
    server.add_fault(
        Fault("status", status=429, code="42901", headers={"x-ratelimit-reset-requests": "0.01s"}, times=6)
    )
    with pytest.raises(RateLimitError):
        process(extractor(max_retries=max_retries), sections(1))
    assert len(server.requests) == (6 if max_retries is None else max_retries + 1)


@pytest.mark.usefixtures("busy")
def test_full_quota_is_waited_for_by_the_extractor(
    extractor: Callable[..., ClovaSummaryExtractor], server: EmulatorServer, process: Callable[..., list[Any]]
) -> None:
    """429, 429, 200 is an answer."""
    assert process(extractor(), sections(1))[0].metadata["section_summary"]
    assert [request.status for request in server.requests] == [429, 429, 200]


def test_failures_are_left_out_when_asked(
    extractor: Callable[..., ClovaSummaryExtractor],
    server: EmulatorServer,
    process: Callable[..., list[Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """raise_on_error=False leaves out the summary of the node that failed alone, and says so in one warning."""
    server.add_fault(Fault("status", status=400, code="40001", every=2))
    extract = extractor(raise_on_error=False, num_workers=1)
    with caplog.at_level(logging.WARNING, "llama_index_clova"):
        out = process(extract, sections(3))
    assert ["section_summary" in node.metadata for node in out] == [True, False, True]
    (record,) = [record for record in caplog.records if record.name.startswith("llama_index_clova")]
    assert "1 of 3 nodes" in record.message
    with pytest.raises(Exception, match="40001"):
        process(extractor(), sections(3))


def test_the_bar_counts_nodes(
    extractor: Callable[..., ClovaSummaryExtractor], capsys: pytest.CaptureFixture[str]
) -> None:
    """With show_progress, core's default, a bar counts the nodes that are asked for."""
    assert ClovaSummaryExtractor(api_key=KEY).show_progress
    extractor().extract(sections(3))
    assert capsys.readouterr().err == ""
    extractor(show_progress=True).extract([*sections(3), TextNode(text=" ")])
    assert "Summarizing nodes: 100%" in (written := capsys.readouterr().err)
    assert "3/3" in written


@pytest.mark.slow
def test_the_event_loop_is_not_blocked() -> None:
    """While nodes are summarized asynchronously, other tasks run, with client= alone too."""

    async def main(extract: ClovaSummaryExtractor) -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        task = asyncio.create_task(tick())
        assert await extract.acall(sections(1))
        task.cancel()
        return ticks

    with serve(latency=0.3) as running:
        account: dict[str, Any] = {"api_key": running.api_key, "base_url": running.base_url}
        assert asyncio.run(main(ClovaSummaryExtractor(show_progress=False, **account))) > 10
        with ClovaStudio(running.api_key, base_url=running.base_url) as client:
            assert asyncio.run(main(ClovaSummaryExtractor(show_progress=False, client=client))) > 10


def test_loops_come_and_go(extractor: Callable[..., ClovaSummaryExtractor], server: EmulatorServer) -> None:
    """Three asyncio.run calls, and synchronous calls in and out of loops, leave no socket and the thread's loop."""
    extract = extractor()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        for _ in range(2):
            assert extract(sections(2))
            assert open_sockets(server.base_url) == 0
            assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()

    async def main() -> None:
        assert extract.extract(sections(2))
        assert extract(sections(2))
        assert open_sockets(server.base_url) == 0
        assert await extract.acall(sections(2))

    for _ in range(3):
        asyncio.run(main())
        assert open_sockets(server.base_url) == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"llm": None}, ConfigurationError, "'llm': the summarization API needs no model"),
        ({"prompt_template": "{context_str}"}, ConfigurationError, "'prompt_template'"),
        ({"seg_cnt": 1}, ConfigurationError, "did you mean 'seg_count'"),
        ({"retry_backoff": 2.0}, ConfigurationError, "retry_backoff"),
        ({"api_key": None}, ConfigurationError, "no API key"),
        ({"num_workers": 0}, ValidationError, "num_workers"),
        ({"max_retries": -1}, ValidationError, "max_retries"),
        ({"max_characters": 99}, ValidationError, "max_characters"),
    ],
)
def test_wrong_arguments_of_the_extractor_are_refused(
    extractor: Callable[..., ClovaSummaryExtractor], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """An argument that does not exist, means nothing here or is out of range, or no key, is refused by name."""
    with pytest.raises(error, match=message):
        extractor(**options)


def test_dumps_and_pickles_come_back(extractor: Callable[..., ClovaSummaryExtractor]) -> None:
    """A dump with the key, a pickle and a copy make the same extractor, which summarizes the same; none changes it."""
    extract = extractor(summaries=["self", "next"], seg_count=2, max_retries=1, node_text_template="{content}")
    expected = extract.extract(sections(2))
    dump = extract.to_dict()
    before = copy.deepcopy(dump)
    back = ClovaSummaryExtractor.from_dict(dump, api_key=extract.api_key)
    assert dump == before
    for other in (back, pickle.loads(pickle.dumps(extract)), copy.deepcopy(extract)):  # noqa: S301
        assert other.to_dict() == dump
        assert other.extract(sections(2)) == expected


def test_an_interrupt_in_a_notebook_ends_it() -> None:
    """Ctrl-C while a loop runs ends the extraction at once although the service never answers."""
    with serve(faults=[Fault("hang")]) as server:
        extractor = ClovaSummaryExtractor(api_key=server.api_key, base_url=server.base_url, show_progress=False)

        def interrupt() -> None:
            while not server.requests:
                time.sleep(0.01)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        async def cell() -> None:
            extractor.extract([TextNode(text=TEXT)])

        # Not asyncio.run, whose own handler waits for the cell to end; a notebook has none.
        loop = asyncio.new_event_loop()
        threading.Thread(target=interrupt).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(cell())
        assert time.monotonic() - start < 5
        loop.close()
        assert [thread.name for thread in threading.enumerate() if thread.name == "clova-loop"] == []
