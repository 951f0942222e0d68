"""Summaries: what can be summarized, long texts in rounds, and an end to them."""

from __future__ import annotations

import asyncio
import copy
import re
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

from clova_studio import ConfigurationError
from clova_studio.adapters._summaries import _parts_of, _Rounds
from clova_studio.emulator import Fault, serve
from langchain_clova import ClovaSummarizationChain

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

TEXT = "환불은 구매 후 7일 안에 신청할 수 있습니다. 배송은 이틀쯤 걸립니다."
LONG = "\n\n".join(f"{i}번째 문단입니다. 내용은 {i * 7}에 관한 이야기입니다. 그리고 끝." for i in range(2500))


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (TEXT, [TEXT]),
        (Document(TEXT, metadata={"a": 1}), [TEXT]),
        ([TEXT, "둘째 글입니다."], [TEXT, "둘째 글입니다."]),
        ([Document(TEXT), Document("  "), Document("둘째 글입니다.")], [TEXT, "둘째 글입니다."]),
        ([Document(TEXT), "둘째 글입니다."], [TEXT, "둘째 글입니다."]),
        (AIMessage(TEXT), [TEXT]),
        ([HumanMessage("환불 되나요?"), AIMessage(TEXT)], [f"Human: 환불 되나요?\n\nAI: {TEXT}"]),
        (PromptTemplate.from_template("{a}").invoke({"a": TEXT}), [TEXT]),
        (ChatPromptTemplate([("user", "{a}")]).invoke({"a": TEXT}), [f"Human: {TEXT}"]),
    ],
)
def test_all_sorts_of_texts_become_one_summary(
    account: dict[str, Any], server: EmulatorServer, given: Any, sent: list[str]
) -> None:
    """Strings, Documents, messages and lists of them go in one request, and are not changed."""
    before = copy.deepcopy(given)
    assert ClovaSummarizationChain(**account).invoke(given).startswith("- ")
    assert [request.body["texts"] for request in server.requests] == [sent]
    assert given == before


@pytest.mark.parametrize("given", ["", " \n", [], [""], [Document(" ")], [HumanMessage(""), AIMessage(" ")]])
def test_nothing_to_say_is_not_sent(
    account: dict[str, Any], server: EmulatorServer, ask: Callable[..., Any], given: Any
) -> None:
    """Of blank text the summary is empty, and nothing is sent."""
    assert ask(ClovaSummarizationChain(**account), given) == ""
    assert server.requests == []


@pytest.mark.parametrize("given", [7, b"bytes", {"text": TEXT}, [TEXT, 7], None])
def test_other_inputs_are_refused(account: dict[str, Any], given: Any) -> None:
    """What is not text is refused by its type."""
    with pytest.raises(ConfigurationError, match=r"must be a (list of strings, Documents|string, a Document)"):
        ClovaSummarizationChain(**account).invoke(given)


def test_options_reach_the_service(account: dict[str, Any], server: EmulatorServer) -> None:
    """Options of the constructor are sent, those of a call go before them, and unknown ones are refused."""
    chain = ClovaSummarizationChain(seg_count=2, include_ai_filters=True, **account)
    chain.invoke(TEXT, seg_count=3, seg_max_size=900)
    body = server.requests[0].body
    assert (body["segCount"], body["segMaxSize"], body["includeAiFilters"]) == (3, 900, True)
    with pytest.raises(ConfigurationError, match="'seg_cnt'"):
        chain.invoke(TEXT, seg_cnt=3)


@pytest.mark.slow
def test_long_texts_are_summarized_in_rounds(
    account: dict[str, Any], server: EmulatorServer, ask: Callable[..., Any]
) -> None:
    """Past 35,000 characters parts are summarized, then their summaries; no character of a part is lost."""
    assert len(LONG) > 3 * 35_000
    summary = ask(ClovaSummarizationChain(**account), LONG)
    assert summary.startswith("- ")
    assert len(summary) < 2_000
    *parts, last = (request.body["texts"] for request in server.requests)
    assert len(parts) == -(-len(LONG) // 35_000)
    assert sorted(re.findall(r"\d+번째", "".join(text for part in parts for text in part))) == sorted(
        re.findall(r"\d+번째", LONG)
    )
    assert all(sum(map(len, part)) <= 35_000 for part in parts)
    assert summary.splitlines()[0][2:] in "\n".join(last)


def test_long_lists_are_packed_in_order(account: dict[str, Any], server: EmulatorServer) -> None:
    """Many documents go together in as few requests as they need."""
    documents = [Document(f"{i}번째 문서입니다. " + "가나다 " * 400) for i in range(40)]
    assert ClovaSummarizationChain(max_concurrency=1, **account).invoke(documents)
    firsts = [request.body["texts"] for request in server.requests][:2]
    assert [text.split()[0] for part in firsts for text in part] == [f"{i}번째" for i in range(40)]


@pytest.mark.parametrize("limit", [100, 101, 999, 35_000])
@pytest.mark.parametrize("texts", [[LONG], ["가" * 5_000], [LONG[:1500], "나" * 400, LONG[:90]], ["a b " * 600] * 3])
def test_parts_fit_and_hold_everything(texts: list[str], limit: int) -> None:
    """Parts are within the limit, in order, and hold all but white space."""
    parts = _parts_of(texts, limit)
    assert all(0 < sum(map(len, part)) <= limit for part in parts)
    assert "".join("".join(text for part in parts for text in part).split()) == "".join("".join(texts).split())


def test_parts_are_of_about_the_same_size() -> None:
    """A text a little over the limit is halved: no scrap is left to be summarized alone."""
    sizes = [sum(map(len, part)) for part in _parts_of([LONG[:35_200]], 35_000)]
    assert len(sizes) == 2
    assert min(sizes) > 12_000


@pytest.mark.slow
def test_concurrency_is_used_and_bounded() -> None:
    """Parts are summarized side by side, at most as many as asked for, also by the call's config."""
    with serve(latency=0.05) as server:
        account: dict[str, Any] = {"api_key": server.api_key, "base_url": server.base_url}
        chain = ClovaSummarizationChain(max_characters=6_000, max_concurrency=3, **account)
        chain.invoke(LONG[:40_000])
        assert server.peak_in_flight == 3
        asyncio.run(chain.ainvoke(LONG[:40_000]))
        assert server.peak_in_flight == 3
    with serve(latency=0.02) as server:
        chain = ClovaSummarizationChain(max_characters=6_000, api_key=server.api_key, base_url=server.base_url)
        asyncio.run(chain.ainvoke(LONG[:20_000], {"max_concurrency": 1}))
        chain.invoke(LONG[:20_000], {"max_concurrency": 1})
        assert server.peak_in_flight == 1


def test_rounds_end_when_summaries_do_not_shrink() -> None:
    """A service that gives texts back as they are ends the rounds, with everything that it said."""
    rounds = _Rounds(["가" * 300], 100)
    count = 0
    while rounds.parts:
        count += 1
        rounds.add([text for part in rounds.parts for text in part])
    assert count == 1
    assert rounds.summary.replace("\n", "") == "가" * 300


def test_rounds_end_when_summaries_shrink_slowly() -> None:
    """Round by round the texts get shorter until one request takes them."""
    rounds = _Rounds(["가" * 3_000], 100)
    count = 0
    while rounds.parts:
        count += 1
        rounds.add([part[0][: len(part[0]) * 4 // 5] for part in rounds.parts])
    assert count > 5
    assert len(rounds.summary) <= 100


@pytest.mark.slow
def test_one_failed_part_fails_the_whole(
    account: dict[str, Any], server: EmulatorServer, ask: Callable[..., Any], recorder: Any
) -> None:
    """Half a summary never looks whole, and the trace has the error."""
    server.add_fault(Fault("status", status=400, code="40001", every=2))
    with pytest.raises(Exception, match="40001"):
        ask(ClovaSummarizationChain(**account), LONG, {"callbacks": [recorder]})
    assert len(recorder.errors) == 1


def test_it_summarizes_for_the_middleware(account: dict[str, Any], chat: Callable[..., Any]) -> None:
    """As the summarizer of SummarizationMiddleware it shortens an agent's history."""
    from langchain.agents.middleware import SummarizationMiddleware

    summarizer = ClovaSummarizationChain(**account)
    middleware = SummarizationMiddleware(
        model=chat(), summarizer=summarizer, trigger=("messages", 4), keep=("messages", 1)
    )
    call = {"name": "f", "args": {}, "id": "c"}
    history: list[Any] = [
        HumanMessage("환불 되나요?", id="1"),
        AIMessage("", tool_calls=[call], id="2"),
        ToolMessage(TEXT, tool_call_id="c", id="3"),
        AIMessage("7일 안에 됩니다.", id="4"),
        HumanMessage("고마워요", id="5"),
    ]
    update = middleware.before_model({"messages": history}, None)
    assert update is not None
    assert any("- " in message.text for message in update["messages"] if isinstance(message, HumanMessage))


def test_it_follows_a_model_in_a_chain(account: dict[str, Any], chat: Callable[..., Any]) -> None:
    """A model's answer goes straight in, and callbacks see a run by its name."""
    assert (chat() | ClovaSummarizationChain(**account)).invoke("환불은 언제까지 되나요?").startswith("- ")


@pytest.mark.slow
def test_a_hundred_thousand_characters_by_map_reduce(account: dict[str, Any]) -> None:
    """Of 100,000 characters every sentence is in exactly one map call, in order, several calls in flight at once."""
    sentences = [f"{i}번째 문장은 이렇게 이어집니다." for i in range(5_000)]
    text = " ".join(sentences)[:100_000].rsplit(" ", 1)[0]
    with serve(latency=0.2) as running:
        where = {**account, "base_url": running.base_url}
        summary = ClovaSummarizationChain(**where).invoke(text)
        *maps, last = [request.body["texts"] for request in running.requests]
        peak = running.peak_in_flight
    assert summary
    assert sum(map(len, last)) < 35_000
    maps.sort(key=lambda texts: text.index(texts[0][:30]))
    sent = [word for texts in maps for part in texts for word in part.split()]
    assert sent == text.split()
    assert len(maps) >= 3
    assert peak > 1
