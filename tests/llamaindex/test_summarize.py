"""Summaries as a response synthesizer and as metadata: no model, no question, one layer of retries."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from client_support import open_sockets
from llama_index.core import Document, DocumentSummaryIndex, Settings, SummaryIndex
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode, NodeRelationship, NodeWithScore, TextNode
from pydantic import ValidationError

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, RateLimitError, ServerError
from clova_studio.emulator import Fault, serve
from llama_index_clova import ClovaSegmentationNodeParser, ClovaSummarize, ClovaSummaryExtractor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
CONSTITUTION = (files("langchain_clova") / "_demo" / "constitution-ko.txt").read_text(encoding="utf-8")
TEXT = "환불은 구매 후 7일 안에 신청할 수 있습니다. 배송은 이틀쯤 걸립니다."
QUERY = "환불은 언제까지 되나요?"
LONG = "\n\n".join(f"{i}번째 문단입니다. 내용은 {i * 7}에 관한 이야기입니다. 그리고 끝." for i in range(2500))


@pytest.fixture
def synthesizer(account: dict[str, Any]) -> Callable[..., ClovaSummarize]:
    """Make synthesizers that talk to the emulator."""

    def make(**settings: Any) -> ClovaSummarize:
        return ClovaSummarize(**{**account, **settings})

    return make


@pytest.fixture
def extractor(account: dict[str, Any]) -> Callable[..., ClovaSummaryExtractor]:
    """Make extractors that talk to the emulator and show no bar."""

    def make(**settings: Any) -> ClovaSummaryExtractor:
        return ClovaSummaryExtractor(**{**account, "show_progress": False, **settings})

    return make


@pytest.fixture(params=["sync", "async"])
def respond(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Get a response to texts, in each of the two ways."""

    def run(synthesizer: ClovaSummarize, texts: Sequence[str], **options: Any) -> Any:
        if request.param == "sync":
            return synthesizer.get_response(QUERY, texts, **options)
        return asyncio.run(synthesizer.aget_response(QUERY, texts, **options))

    return run


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


def found(*texts: str, **options: Any) -> list[NodeWithScore]:
    """Return texts as a retriever does."""
    return [NodeWithScore(node=TextNode(text=text, **options), score=0.5) for text in texts]


def sections(count: int = 3, source: str | None = None) -> list[TextNode]:
    """Return nodes with different texts."""
    relationships: Any = {}
    if source is not None:
        relationships[NodeRelationship.SOURCE] = Document(text=source, id_=source).as_related_node_info()
    return [TextNode(text=f"{i}번째 절입니다. {TEXT}", relationships=relationships) for i in range(count)]


# ClovaSummarize


def test_texts_become_one_summary(
    synthesizer: Callable[..., ClovaSummarize], server: EmulatorServer, respond: Callable[..., Any]
) -> None:
    """All texts go in one request, without the question and without blank ones, and are not changed."""
    texts = [TEXT, " \n", "둘째 글입니다."]
    assert respond(synthesizer(), texts).startswith("- ")
    assert [request.body["texts"] for request in server.requests] == [[TEXT, "둘째 글입니다."]]
    assert QUERY not in str(server.requests[0].body)
    assert texts == [TEXT, " \n", "둘째 글입니다."]


@pytest.mark.parametrize("texts", [[], ["", " \u2028\n"]])
def test_nothing_to_say_is_not_sent(
    synthesizer: Callable[..., ClovaSummarize], server: EmulatorServer, respond: Callable[..., Any], texts: list[str]
) -> None:
    """Of nothing but white space the response is the empty one, and nothing is sent."""
    assert respond(synthesizer(), texts) == "Empty Response"
    assert respond(synthesizer(empty_response="없음"), texts) == "없음"
    assert str(synthesizer(empty_response="없음").synthesize(QUERY, [])) == "없음"
    assert server.requests == []


def test_options_reach_the_service(
    synthesizer: Callable[..., ClovaSummarize], server: EmulatorServer, respond: Callable[..., Any]
) -> None:
    """Options of the constructor are sent, those of a call go before them, and unknown ones are refused."""
    summarize = synthesizer(
        auto_sentence_splitter=False, seg_count=2, seg_max_size=800, seg_min_size=5, include_ai_filters=True
    )
    respond(summarize, [TEXT], seg_count=3)
    respond(summarize, [TEXT])
    assert [request.body["segCount"] for request in server.requests] == [3, 2]
    body = {name: value for name, value in server.requests[1].body.items() if name != "texts"}
    assert body == {
        "autoSentenceSplitter": False,
        "segCount": 2,
        "segMaxSize": 800,
        "segMinSize": 5,
        "includeAiFilters": True,
    }
    for name in ("seg_cnt", "max_characters", "prev_response"):
        with pytest.raises(ConfigurationError, match=f"'{name}'"):
            respond(summarize, [TEXT], **{name: 3})
    with pytest.raises(ConfigurationError, match="seg_min_size"):
        respond(synthesizer(seg_min_size=2_000), [TEXT])


def test_long_texts_are_summarized_in_rounds(
    synthesizer: Callable[..., ClovaSummarize], server: EmulatorServer, respond: Callable[..., Any]
) -> None:
    """Past 35,000 characters parts are summarized, then their summaries; no character of a part is lost."""
    summary = respond(synthesizer(), [LONG[:60_000], LONG[60_000:]])
    assert summary.startswith("- ")
    *parts, last = (request.body["texts"] for request in server.requests)
    assert len(parts) >= 4
    assert sorted(re.findall(r"\d+번째", "".join(text for part in parts for text in part))) == sorted(
        re.findall(r"\d+번째", LONG)
    )
    assert summary.splitlines()[0][2:] in "\n".join(last)


def test_concurrency_is_used_and_bounded() -> None:
    """Parts are summarized side by side, at most as many as asked for."""
    with serve(latency=0.05) as running:
        account: dict[str, Any] = {"api_key": running.api_key, "base_url": running.base_url}
        summarize = ClovaSummarize(max_characters=6_000, max_concurrency=3, **account)
        summarize.get_response(QUERY, [LONG[:40_000]])
        assert running.peak_in_flight == 3
        asyncio.run(summarize.aget_response(QUERY, [LONG[:40_000]]))
        assert running.peak_in_flight == 3


def test_streams_hold_the_one_text(synthesizer: Callable[..., ClovaSummarize], server: EmulatorServer) -> None:
    """With streaming, sync and async, a response is a stream of the whole text, or an error before there is one."""
    summarize = synthesizer(streaming=True, max_retries=0)
    plain = synthesizer().synthesize(QUERY, found(TEXT))
    assert isinstance(plain, Response)
    response = summarize.synthesize(QUERY, found(TEXT))
    assert isinstance(response, StreamingResponse)
    assert list(response.response_gen) == [plain.response]
    assert len(response.source_nodes) == 1

    async def main() -> list[str]:
        response = await summarize.asynthesize(QUERY, found(TEXT))
        assert isinstance(response, AsyncStreamingResponse)
        return [piece async for piece in response.async_response_gen()]

    assert asyncio.run(main()) == [plain.response]
    server.add_fault(Fault("status", status=500, code="50000"))
    with pytest.raises(ServerError):
        summarize.get_response(QUERY, [TEXT])


def test_nothing_of_settings_is_asked_for(
    synthesizer: Callable[..., ClovaSummarize], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query engine with this synthesizer works where Settings have no model, no embeddings and no tokenizer."""
    for name in ("_llm", "_embed_model", "_prompt_helper", "_chat_prompt_helper"):
        monkeypatch.setattr(Settings, name, None)
    # Where core's helpers for prompts look for one.
    monkeypatch.setattr(
        "llama_index.core.utilities.token_counting.get_tokenizer", lambda *_: pytest.fail("a tokenizer was loaded")
    )
    index = SummaryIndex(sections())
    engine = RetrieverQueryEngine(index.as_retriever(), response_synthesizer=synthesizer())
    response: Any = engine.query(QUERY)
    assert response.response.startswith("- ")
    assert len(response.source_nodes) == 3
    assert (Settings._llm, Settings._embed_model, Settings._prompt_helper) == (None, None, None)


def test_it_works_in_query_engines(synthesizer: Callable[..., ClovaSummarize]) -> None:
    """as_query_engine of an index takes it, sync, async and streamed, and its prompts are none."""
    index = SummaryIndex(sections())
    engine: Any = index.as_query_engine(response_synthesizer=synthesizer(), llm=MockLLM())
    expected = engine.query(QUERY).response
    assert expected.startswith("- ")
    assert asyncio.run(engine.aquery(QUERY)).response == expected
    streamed: Any = index.as_query_engine(response_synthesizer=synthesizer(streaming=True), llm=MockLLM())
    assert "".join(streamed.query(QUERY).response_gen) == expected
    assert engine.get_prompts() == {}
    assert synthesizer().get_prompts() == {}
    synthesizer().update_prompts({})
    with pytest.raises(ConfigurationError, match=r"has no prompts.*summary_template"):
        engine.update_prompts({"response_synthesizer:summary_template": PromptTemplate("{context_str}")})


def test_it_summarizes_documents_for_their_index(synthesizer: Callable[..., ClovaSummarize]) -> None:
    """A document summary index has its summaries from it."""
    documents = [Document(text=TEXT, id_="refund"), Document(text="둘째 글입니다.", id_="second")]
    index: Any = DocumentSummaryIndex.from_documents(
        documents,
        llm=MockLLM(),
        embed_model=MockEmbedding(embed_dim=4),
        response_synthesizer=synthesizer(),
        transformations=[],
    )
    assert index.get_document_summary("second") == "- 둘째 글입니다."
    assert "환불은" in index.get_document_summary("refund")


def test_callbacks_see_the_response(synthesizer: Callable[..., ClovaSummarize]) -> None:
    """A callback manager gets one event for a response, and none of a model."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    summarize = synthesizer(callback_manager=CallbackManager([debug]))
    response = summarize.synthesize(QUERY, found(TEXT))
    ((_, end),) = debug.get_event_pairs(CBEventType.SYNTHESIZE)
    assert end.payload is not None
    assert end.payload["response"] is response
    assert debug.get_event_pairs(CBEventType.LLM) == []


@pytest.mark.usefixtures("busy")
def test_full_quota_is_waited_for(
    synthesizer: Callable[..., ClovaSummarize], server: EmulatorServer, respond: Callable[..., Any]
) -> None:
    """429, 429, 200 is an answer."""
    assert respond(synthesizer(), [TEXT])
    assert [request.status for request in server.requests] == [429, 429, 200]


def test_one_failed_part_fails_the_whole(
    synthesizer: Callable[..., ClovaSummarize], server: EmulatorServer, respond: Callable[..., Any]
) -> None:
    """Half a summary never looks whole."""
    server.add_fault(Fault("status", status=400, code="40001", every=2))
    with pytest.raises(Exception, match="40001"):
        respond(synthesizer(), [LONG])


def test_three_event_loops_leave_no_socket(synthesizer: Callable[..., ClovaSummarize], server: EmulatorServer) -> None:
    """One instance in three asyncio.run calls works in each, and no socket is left open."""
    summarize = synthesizer()
    for _ in range(3):
        assert asyncio.run(summarize.aget_response(QUERY, [TEXT]))
        assert open_sockets(server.base_url) == 0


@pytest.mark.parametrize("kind", [ClovaSummarize, ClovaSummaryExtractor])
def test_given_clients_answer(server: EmulatorServer, kind: Any) -> None:
    """client= and async_client= do the work, with client= alone in a thread; settings beside them are refused."""

    async def ask(component: Any) -> Any:
        if isinstance(component, ClovaSummarize):
            return await component.aget_response(QUERY, [TEXT])
        return await component.aextract([TextNode(text=TEXT)])

    async def main() -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as client:
            component = kind(async_client=client)
            assert await ask(component)
            if isinstance(component, ClovaSummarize):
                with pytest.raises(ConfigurationError, match="client="):
                    component.get_response(QUERY, [TEXT])

    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        assert asyncio.run(ask(kind(client=client)))
        with pytest.raises(ConfigurationError, match="timeout belongs"):
            kind(client=client, timeout=1)
    asyncio.run(main())
    assert [request.headers["x-who"] for request in server.requests] == ["sync", "async"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seg_cnt": 1}, "did you mean 'seg_count'"),
        ({"llm": None}, "'llm': the summarization API is no model"),
        ({"output_cls": str}, "'output_cls'"),
        ({"max_characters": 99}, "max_characters must be a whole number from 100 to 35,000, got 99"),
        ({"max_characters": 35_001}, "max_characters"),
        ({"max_concurrency": 0}, "max_concurrency must be a whole number from 1, got 0"),
        ({"max_concurrency": True}, "max_concurrency"),
        ({"api_key": None}, "no API key"),
    ],
)
def test_wrong_arguments_are_refused(
    synthesizer: Callable[..., ClovaSummarize], options: dict[str, Any], message: str
) -> None:
    """An argument that does not exist or is out of range, or no key, is refused by name."""
    with pytest.raises(ConfigurationError, match=message):
        synthesizer(**options)


def test_no_key_in_any_text() -> None:
    """repr, str and the dumps show no key, and repr shows the options."""
    secrets: dict[str, Any] = {"api_key": KEY, "apigw_api_key": KEY, "headers": {"X-Key": KEY}}
    summarize, extract = ClovaSummarize(seg_count=7, **secrets), ClovaSummaryExtractor(**secrets)
    assert KEY not in f"{summarize!r} {summarize} {extract!r} {extract} {extract.to_dict()} {extract.to_json()}"
    assert "seg_count=7" in repr(summarize)


def test_copies_and_pickles_answer(synthesizer: Callable[..., ClovaSummarize]) -> None:
    """Copies of a synthesizer, and one from another process, give what it gives, also when it has been used."""
    summarize = synthesizer(seg_count=2, empty_response="없음")
    expected = summarize.get_response(QUERY, [TEXT])
    for other in (copy.copy(summarize), copy.deepcopy(summarize), pickle.loads(pickle.dumps(summarize))):  # noqa: S301
        assert repr(other) == repr(summarize)
        assert other.get_response(QUERY, [TEXT]) == expected
        assert other.get_response(QUERY, []) == "없음"


# ClovaSummaryExtractor


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
    """A node of nothing but white space, metadata or not, gets no key, gives none to neighbours, and asks nothing."""
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


@pytest.mark.parametrize("texts", [[TEXT] * 9, [LONG[:20_000]], [LONG[:20_000], LONG[:20_000]]])
def test_num_workers_bounds_the_requests(texts: list[str]) -> None:
    """num_workers requests are under way at once and no more, for many short nodes as for few long ones."""
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
        ({"llm": None}, ConfigurationError, "'llm': the summarization API is no model"),
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


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_cached_run_asks_nothing(account: dict[str, Any], server: EmulatorServer, *, asynchronous: bool) -> None:
    """A pipeline of node parser and extractor asks once; its cache goes by the options and not by the key."""
    cache = IngestionCache()
    documents = [Document(text=CONSTITUTION[:2_000], metadata={"file": "헌법"})]

    def run(key: str = account["api_key"], **options: Any) -> list[Any]:
        where: dict[str, Any] = {"api_key": key, "base_url": account["base_url"]}
        steps = [ClovaSegmentationNodeParser(**where), ClovaSummaryExtractor(show_progress=False, **where, **options)]
        pipeline = IngestionPipeline(transformations=steps, cache=cache)
        if asynchronous:
            return list(asyncio.run(pipeline.arun(documents=documents)))
        return list(pipeline.run(documents=documents))

    first = run()
    assert all(node.metadata["section_summary"] for node in first)
    count = len(server.requests)
    assert count == 1 + len(first)
    assert [node.metadata for node in run()] == [node.metadata for node in run("another-key")]
    assert len(server.requests) == count
    run(seg_count=2)
    assert len(server.requests) == count + len(first)


def test_pipelines_summarize_in_other_processes() -> None:
    """A pipeline with several processes gives the summaries that one process gives."""
    documents = [Document(text=CONSTITUTION[i * 1_000 : (i + 1) * 1_000]) for i in range(2)]
    with serve() as running:
        account: dict[str, Any] = {"api_key": running.api_key, "base_url": running.base_url}
        steps = [ClovaSegmentationNodeParser(**account), ClovaSummaryExtractor(show_progress=False, **account)]
        several, one = (
            IngestionPipeline(transformations=steps).run(documents=documents, num_workers=count) for count in (2, None)
        )
        assert [node.metadata for node in several] == [node.metadata for node in one]
        assert all(node.metadata["section_summary"] for node in several)
