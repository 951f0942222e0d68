"""Batches of adapters: the first failure ends them, and nothing that succeeded is lost."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from cancel_support import survives
from client_support import envelope
from fault_support import Account, RawServer, plain

from clova_studio import (
    AsyncClovaStudio,
    BadRequestError,
    ClovaStudio,
    ConfigurationError,
    RateLimitError,
    RateLimits,
    ServerError,
)
from clova_studio.adapters import (
    TopicSpan,
    asegment_texts,
    asummarize_texts,
    segment_texts,
    summarize_texts,
)
from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

KINDS = ["sync", "async"]
WRONG = {"status": 400, "code": "40001"}
TEXTS = [f"{i}번째 문서의 첫 문장입니다. {i}번째 문서의 둘째 문장입니다." for i in range(12)]
PARAGRAPH = "같은 이야기를 하는 문장입니다. " * 50
WINDOWS = "\n\n".join([PARAGRAPH] * 380)
LONG = "\n\n".join(f"{i}번째 문단입니다. 내용은 {i * 7}에 관한 이야기입니다. 그리고 끝." for i in range(400))


@pytest.fixture(params=KINDS)
def work(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Run one of the two works on an emulator, sync and async."""
    names = {"segment": (segment_texts, asegment_texts), "summarize": (summarize_texts, asummarize_texts)}

    def run(name: str, server: EmulatorServer, texts: list[str], **options: Any) -> Any:
        settings: dict[str, Any] = {"base_url": server.base_url, "max_retries": 0}
        if name == "segment":
            options.setdefault("max_chunk_size", None)
        if request.param == "sync":
            with ClovaStudio(server.api_key, **settings) as client:
                return names[name][0](client, texts, **options)

        async def main() -> Any:
            async with AsyncClovaStudio(server.api_key, **settings) as client:
                try:
                    return await names[name][1](client, texts, **options)
                finally:
                    assert asyncio.all_tasks() == {asyncio.current_task()}

        return asyncio.run(main())

    return run


def kinds(items: list[Any]) -> list[str]:
    """Return what a list holds."""
    return [type(item).__name__ for item in items]


def test_failed_text_is_named_and_the_others_are_kept(work: Callable[..., Any]) -> None:
    """The error of one text says which, has the chunks of those before it, and None for those that were not asked."""
    with serve() as server:
        whole = work("segment", server, TEXTS, max_concurrency=1)
        server.reset()
        server.add_fault(Fault("status", every=4, **WRONG))
        with pytest.raises(BadRequestError, match=r"^texts\[4\]: ") as caught:
            work("segment", server, [TEXTS[0], " ", *TEXTS[1:]], max_concurrency=1)
        assert len(server.requests) == 4
    partial = caught.value.partial
    assert partial[:4] == [whole[0], [], whole[1], whole[2]]
    assert partial[4] == [caught.value]
    assert partial[5:] == [[None]] * 8


@pytest.mark.slow
@pytest.mark.parametrize("name", ["segment", "summarize"])
@pytest.mark.parametrize("bound", [3, 50])
def test_what_is_in_flight_is_kept_and_nothing_else_is_started(work: Callable[..., Any], name: str, bound: int) -> None:
    """After a failure no request is started; the answer of every one that was sent is at its index."""
    options: dict[str, Any] = {"max_concurrency": bound}
    texts = TEXTS if name == "segment" else [LONG]
    if name == "summarize":
        options["max_characters"] = 700
    with serve(latency=0.05) as server:
        server.add_fault(Fault("status", every=3, times=1, **WRONG))
        with pytest.raises(BadRequestError) as caught:
            work(name, server, texts, **options)
        sent = len(server.requests)
        assert sent >= 3
        found = caught.value.partial
        places = [place[0] for place in found] if name == "segment" else found[-1]
        assert sum(place is not None for place in places) == sent
        assert sum(place is caught.value for place in places) == 1
        assert all(kind in {"TopicSpan", "str", "BadRequestError", "NoneType"} for kind in kinds(places))
        assert bound == 50 or (places[-1] is None and sent < len(places))


@pytest.mark.slow
def test_windows_of_one_text_are_kept(work: Callable[..., Any]) -> None:
    """Where a window of a long text fails, the chunks of the others are there in order, and it has the error."""
    with serve() as server:
        server.add_fault(Fault("status", every=2, times=1, **WRONG))
        with pytest.raises(BadRequestError, match="40001") as caught:
            work("segment", server, [WINDOWS], max_concurrency=1)
        assert not caught.value.message.startswith("texts")
        assert len(server.requests) == 2
    ((*spans, error, last),) = caught.value.partial
    assert error is caught.value
    assert last is None
    assert set(kinds(spans)) == {"TopicSpan"}
    assert spans[0].start == 0
    assert [span.topic for span in spans] == list(range(len(spans)))


@pytest.mark.slow
def test_summaries_of_earlier_rounds_are_kept(work: Callable[..., Any]) -> None:
    """A failure in a later round has the summaries of the rounds before it, and of its own parts so far."""
    with serve() as server:
        work("summarize", server, [LONG], max_characters=500, max_concurrency=1)
        first = sum(request.body["texts"][0] in LONG for request in server.requests)
        assert len(server.requests) > first + 1
        server.reset()
        server.add_fault(Fault("status", every=first + 2, status=500, code="50000"))
        with pytest.raises(ServerError) as caught:
            work("summarize", server, [LONG], max_characters=500, max_concurrency=1)
        assert len(server.requests) == first + 2
    done, failed = caught.value.partial
    assert kinds(done) == ["str"] * first
    assert isinstance(failed[0], str)
    assert failed[1] is caught.value
    assert set(failed[2:]) <= {None}


def test_one_request_that_fails_is_a_list_of_one(work: Callable[..., Any]) -> None:
    """Partial results have one form, also where the only request failed."""
    with serve(faults=[Fault("status", status=429, code="42901")]) as server:
        for name, more in (("segment", {}), ("summarize", {"max_characters": 35_000})):
            with pytest.raises(RateLimitError) as caught:
                work(name, server, TEXTS[:1], max_concurrency=4, **more)
            assert caught.value.partial == [[caught.value]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more"), [("segment", {"max_chunk_size": None}), ("summarize", {"max_characters": 40})]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_quota_that_stays_closed_ends_them_after_five_windows(kind: str, name: str, more: dict[str, Any]) -> None:
    """The work ends after five windows without a success; the client's settings say how long a window is."""
    refusal = plain(envelope("42901", "Too many requests"), 429)
    works = {"segment": (segment_texts, asegment_texts), "summarize": (summarize_texts, asummarize_texts)}
    with RawServer(refusal) as server:
        settings = {**Account(kind, server.base_url).settings, "retry": None, "rate_limits": RateLimits(window=0.1)}

        async def asynchronous() -> None:
            async with AsyncClovaStudio(**settings) as client:
                await works[name][1](client, TEXTS, max_concurrency=1, **more)

        def synchronous() -> None:
            with ClovaStudio(**settings) as client:
                works[name][0](client, TEXTS, max_concurrency=1, **more)

        with pytest.raises(RateLimitError):
            synchronous() if kind == "sync" else asyncio.run(asynchronous())
        # Two calls with their five retries take more than five windows; a third one is not made.
        assert len(server.requests) <= 12


def test_wrong_options_are_found_before_anything_is_sent(work: Callable[..., Any]) -> None:
    """An option out of range ends the work at its first text, and nothing is sent."""
    with serve() as server:
        with pytest.raises(ConfigurationError, match="alpha"):
            work("segment", server, TEXTS, max_concurrency=2, alpha=9)
        assert server.requests == []


def test_errors_that_hold_themselves_can_be_pickled_and_copied(work: Callable[..., Any]) -> None:
    """An error with partial results goes to other processes, and its own index among them stays its own."""
    with serve(faults=[Fault("status", every=2, **WRONG)]) as server, pytest.raises(BadRequestError) as caught:
        work("segment", server, TEXTS, max_concurrency=1)
    for again in (pickle.loads(pickle.dumps(caught.value)), copy.deepcopy(caught.value)):  # noqa: S301
        assert str(again) == str(caught.value)
        assert again.partial[1][0] is again
        assert again.partial[0] == caught.value.partial[0]
        assert isinstance(again.partial[0][0], TopicSpan)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["segment", "summarize"])
def test_cancelling_at_every_await_leaves_nothing(name: str) -> None:
    """Cancelled at any await, the work leaves no task and no busy connection behind, and can be done again."""
    with serve() as server:

        async def main() -> None:
            async with AsyncClovaStudio(server.api_key, base_url=server.base_url) as client:

                async def segment() -> None:
                    assert len(await asegment_texts(client, TEXTS[:4], max_chunk_size=None, max_concurrency=3)) == 4

                async def summarize() -> None:
                    assert await asummarize_texts(client, [LONG[:1500]], max_characters=500, max_concurrency=3)

                assert await survives(client, segment if name == "segment" else summarize) > 10

        asyncio.run(main())
