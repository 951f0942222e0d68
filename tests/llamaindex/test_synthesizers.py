"""Summaries as a response synthesizer: no model, no question, one layer of retries."""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
from typing import TYPE_CHECKING, Any

import pytest
from client_support import open_sockets
from llama_index.core import Document, DocumentSummaryIndex, Settings, SummaryIndex
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, TextNode

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, ServerError
from clova_studio.emulator import Fault, serve
from llama_index_clova import ClovaSummarize, ClovaSummaryExtractor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
TEXT = "환불은 구매 후 7일 안에 신청할 수 있습니다. 배송은 이틀쯤 걸립니다."
QUERY = "환불은 언제까지 되나요?"
LONG = "\n\n".join(f"{i}번째 문단입니다. 내용은 {i * 7}에 관한 이야기입니다. 그리고 끝." for i in range(2500))


@pytest.fixture
def synthesizer(account: dict[str, Any]) -> Callable[..., ClovaSummarize]:
    """Make synthesizers that talk to the emulator."""

    def make(**settings: Any) -> ClovaSummarize:
        return ClovaSummarize(**{**account, **settings})

    return make


@pytest.fixture(params=["sync", "async"])
def respond(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Get a response to texts, in each of the two ways."""

    def run(synthesizer: ClovaSummarize, texts: Sequence[str], **options: Any) -> Any:
        if request.param == "sync":
            return synthesizer.get_response(QUERY, texts, **options)
        return asyncio.run(synthesizer.aget_response(QUERY, texts, **options))

    return run


def sections() -> list[TextNode]:
    """Return nodes with different texts."""
    return [TextNode(text=f"{i}번째 절입니다. {TEXT}") for i in range(3)]


def found(*texts: str, **options: Any) -> list[NodeWithScore]:
    """Return texts as a retriever does."""
    return [NodeWithScore(node=TextNode(text=text, **options), score=0.5) for text in texts]


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
    """Of blank texts the response is the empty one, and nothing is sent."""
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


@pytest.mark.slow
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
        ({"llm": None}, "'llm': the summarization API needs no model"),
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
