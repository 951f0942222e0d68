"""embed_many: every text its own vector, in order, under the bound, and nothing lost."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from typing import Any

import httpx
import pytest
from client_support import KEY, Clock, answer, embedded, envelope, vector

from clova_studio import (
    AsyncClovaStudio,
    AuthenticationError,
    ClovaStudio,
    ClovaStudioError,
    ConfigurationError,
    ContextLengthError,
    Embedding,
    RateLimitError,
)
from clova_studio.emulator import Fault, serve

CLIENTS = [ClovaStudio, AsyncClovaStudio]


def embed_many(make: Any, texts: Any, client_settings: dict[str, Any], **options: Any) -> list[Any]:
    """Run embed_many on a client of the given kind."""
    if make is ClovaStudio:
        with ClovaStudio(KEY, **client_settings) as client:
            return client.embed_many(texts, **options)

    async def main() -> list[Any]:
        async with AsyncClovaStudio(KEY, **client_settings) as client:
            return await client.embed_many(texts, **options)

    return asyncio.run(main())


def canned(make: Any, handler: Any, texts: Any, **options: Any) -> list[Any]:
    """Run embed_many over a function that answers requests."""
    transport = httpx.MockTransport(handler)
    http = httpx.Client(transport=transport) if make is ClovaStudio else httpx.AsyncClient(transport=transport)
    return embed_many(make, texts, {"http_client": http, "quota_group": f"g{time.monotonic_ns()}"}, **options)


def vector_of(request: httpx.Request) -> httpx.Response:
    """Answer with a vector that tells the text."""
    number = int(json.loads(request.content)["text"].split()[-1])
    return answer(embedded(number, 1))


TEXTS = [f"글 {i}" for i in range(50)]


@pytest.mark.slow
@pytest.mark.parametrize("make", CLIENTS)
def test_a_thousand_texts_with_every_fifth_request_refused(make: Any) -> None:
    """1,000 texts give 1,000 vectors, each of its own text, in order, although every fifth request is a 429."""
    texts = [f"{i}번째 글: {'가나다라마바사'[i % 7]} {i * i}" for i in range(1000)]
    fault = Fault("status", status=429, code="42901", headers={"x-ratelimit-reset-requests": "5ms"}, every=5)
    with serve(latency=0.002) as server:
        with ClovaStudio(server.api_key, base_url=server.base_url) as client:
            own = {i: client.embed(texts[i]).embedding for i in range(0, 1000, 83)}
        server.reset()
        server.add_fault(fault)
        statuses: list[int | None] = []  # of more requests than the server keeps
        server.subscribe(lambda event, request: statuses.append(request.status) if event == "answered" else None)
        vectors = embed_many(make, texts, {"base_url": server.base_url}, max_concurrency=8)
        peak = server.peak_in_flight
    assert statuses.count(429) >= 245  # a quarter of 1,000, give or take where the count began
    assert statuses.count(200) == 1000
    assert len(vectors) == 1000
    assert all(vectors[i].embedding == vector for i, vector in own.items())
    assert len({tuple(vector.embedding) for vector in vectors}) == 1000
    assert 1 < peak <= 8


@pytest.mark.slow
@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize("bound", [1, 3, 32])
def test_requests_in_flight_stay_under_the_bound(make: Any, bound: int) -> None:
    """Never more requests at once than the bound, and as many as it when there is work."""
    with serve(latency=0.02) as server:
        vectors = embed_many(make, TEXTS, {"base_url": server.base_url}, max_concurrency=bound)
        assert server.peak_in_flight <= bound
        assert server.peak_in_flight >= min(bound, 3)
        assert len(vectors) == len(TEXTS)


@pytest.mark.parametrize("make", CLIENTS)
def test_order_is_the_inputs(make: Any) -> None:
    """Vectors stand in the order of their texts, whichever request is answered first."""

    def handler(request: httpx.Request) -> httpx.Response:
        return vector_of(request)

    vectors = canned(make, handler, TEXTS)
    assert [found.embedding for found in vectors] == [vector(i) for i in range(50)]
    assert canned(make, handler, []) == []


@pytest.mark.parametrize("make", CLIENTS)
def test_empty_texts_are_named_by_index_before_sending(make: Any) -> None:
    """An empty text anywhere is refused with its index, and so is a single string; nothing is sent."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError("sent")

    for texts, named in (
        (["a 1", " ", "b 2"], r"texts\[1\]"),
        (["a 1", None], r"texts\[1\]"),
        ("abc", "texts must be"),
    ):
        with pytest.raises(ConfigurationError, match=named):
            canned(make, handler, texts)
    for wrong in ({"max_concurrency": 0}, {"on_error": "ignore"}, {"on_too_long": "cut"}, {"max_wait": -1}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            canned(make, handler, TEXTS, **wrong)


@pytest.mark.parametrize("make", CLIENTS)
def test_on_error_return_keeps_every_vector(make: Any) -> None:
    """With on_error="return" errors are at their indices and every other text has its vector."""

    def handler(request: httpx.Request) -> httpx.Response:
        number = int(json.loads(request.content)["text"].split()[-1])
        return answer(envelope("40003", "Context length exceeded"), 400) if number % 7 == 3 else vector_of(request)

    results = canned(make, handler, TEXTS, on_error="return")
    for i, result in enumerate(results):
        if i % 7 == 3:
            assert isinstance(result, ContextLengthError)
        else:
            assert result.embedding == vector(i)


@pytest.mark.parametrize("make", CLIENTS)
def test_on_error_raise_keeps_what_succeeded(make: Any) -> None:
    """The first error is raised with its index and the vectors that came; no new request is started after it."""
    seen: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        number = int(json.loads(request.content)["text"].split()[-1])
        seen.append(number)
        time.sleep(0.002)  # or one thread sends a dozen while the other is not even running
        return answer(envelope("40104", "Invalid key"), 401) if number == 9 else vector_of(request)

    with pytest.raises(AuthenticationError, match=r"texts\[9\]") as caught:
        canned(make, handler, TEXTS, max_concurrency=2)
    partial = caught.value.partial
    assert len(partial) == 50
    assert partial[9] is caught.value
    assert all(isinstance(partial[i], Embedding) and partial[i].embedding == vector(i) for i in range(9))
    assert len(seen) < 15


@pytest.mark.parametrize("make", CLIENTS)
def test_too_long_texts_are_cut_only_if_asked(make: Any) -> None:
    """A text over the limit is an error with its index; with on_too_long="truncate" its beginning is embedded."""

    def handler(request: httpx.Request) -> httpx.Response:
        text = json.loads(request.content)["text"]
        if len(text) > 1000:
            return answer(envelope("40003", "Text too long"), 400)
        return answer(embedded(len(text)))

    texts = ["짧은 글", "가" * 100_000]
    with pytest.raises(ContextLengthError, match=r"texts\[1\]"):
        canned(make, handler, texts)
    short, long = canned(make, handler, texts, on_too_long="truncate")
    assert short.embedding == vector(4)
    assert 700 < long.embedding[0] <= 1000
    assert len(texts[1]) == 100_000


def test_a_quota_that_lets_nobody_pass_ends_the_batch() -> None:
    """When every request is refused the batch ends with the refusal instead of trying for ever."""
    clock = Clock()
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answer(envelope("42901", "no"), 429)))
    client = ClovaStudio(KEY, http_client=http, max_retries=1, quota_group="nobody")
    clock.on(client)
    with pytest.raises(RateLimitError):
        client.embed_many(TEXTS[:3], max_concurrency=1)


def test_max_wait_bounds_a_batch_that_asks_for_it() -> None:
    """A batch waits for its quota without a bound unless given one; with one a longer wait is an error at once."""
    refused = answer(envelope("42901", "no"), 429, x_ratelimit_reset_requests="300s")
    clock, turn = Clock(), iter([refused])

    def handler(request: httpx.Request) -> httpx.Response:
        return next(turn, None) or vector_of(request)

    client = ClovaStudio(KEY, http_client=httpx.Client(transport=httpx.MockTransport(handler)), quota_group="bounded")
    clock.on(client)
    with pytest.raises(RateLimitError, match="max_wait"):
        client.embed_many(TEXTS[:3], max_concurrency=1, max_wait=100)
    assert len(client.embed_many(TEXTS[:3], max_concurrency=1)) == 3
    assert sum(clock.sleeps) == pytest.approx(300)


@pytest.mark.slow
@pytest.mark.parametrize("make", CLIENTS)
def test_a_failed_batch_waits_for_no_quota(make: Any) -> None:
    """A failure ends the batch at once, although other texts of it wait for a quota that is closed for minutes."""
    in_flight = threading.Event()

    def answered(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["text"] == TEXTS[0]:
            return answer(envelope("42901", "no"), 429, x_ratelimit_reset_requests="500s")
        return answer(envelope("40104", "Invalid key"), 401)

    def handler(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["text"] == TEXTS[0]:
            in_flight.wait(20)
        else:
            in_flight.set()
            time.sleep(0.2)  # in which the other is refused, and waits for the quota
        return answered(request)

    async def ahandler(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.05 if json.loads(request.content)["text"] == TEXTS[0] else 0.2)
        return answered(request)

    with pytest.raises(AuthenticationError, match=r"texts\[1\]") as caught:
        canned(make, handler if make is ClovaStudio else ahandler, TEXTS[:2], max_concurrency=2)
    assert caught.value.partial == [None, caught.value]


@pytest.mark.slow
@pytest.mark.parametrize("make", CLIENTS)
def test_two_thousand_texts_of_all_speeds_keep_their_order(make: Any) -> None:
    """However long each answer takes, vectors stand in the order of their texts, and few are in flight at once."""
    speeds = random.Random(7)  # noqa: S311  no secret
    helpers: set[int] = set()

    def handler(request: httpx.Request) -> httpx.Response:
        helpers.add(sum(thread.name.startswith("clova-batch") for thread in threading.enumerate()))
        time.sleep(speeds.choice((0, 0, 0.001, 0.005)))
        return vector_of(request)

    async def ahandler(request: httpx.Request) -> httpx.Response:
        helpers.add(len(asyncio.all_tasks()) - 1)
        await asyncio.sleep(speeds.choice((0, 0, 0.001, 0.005)))
        return vector_of(request)

    vectors = canned(make, handler if make is ClovaStudio else ahandler, [f"글 {i}" for i in range(2000)])
    assert [vector.embedding for vector in vectors] == [vector(i) for i in range(2000)]
    assert max(helpers) == 32  # one per request in flight, not one per text


def test_progress_is_drawn_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """show_progress draws a bar that reaches the number of texts."""
    canned(ClovaStudio, vector_of, TEXTS, show_progress=True)
    assert "50/50" in capsys.readouterr().err
    canned(ClovaStudio, vector_of, TEXTS)
    assert capsys.readouterr().err == ""


async def test_cancelling_a_batch_stops_its_requests() -> None:
    """A cancelled async batch leaves no task behind and sends nothing more."""
    sent: list[float] = []

    async def handler(request: httpx.Request) -> httpx.Response:
        sent.append(time.monotonic())
        await asyncio.sleep(30)
        return vector_of(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        client = AsyncClovaStudio(KEY, http_client=http)
        before = asyncio.all_tasks()
        task = asyncio.create_task(client.embed_many(TEXTS, max_concurrency=4))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == before
        assert len(sent) == 4


def test_threads_share_one_client() -> None:
    """One sync client serves many threads at once, each with its own answer."""
    errors: list[ClovaStudioError] = []
    with serve() as server, ClovaStudio(KEY, base_url=server.base_url) as client:
        expected = {i: client.embed(f"글 {i}").embedding for i in range(8)}

        def work(i: int) -> None:
            try:
                for _ in range(10):
                    assert client.embed(f"글 {i}").embedding == expected[i]
            except ClovaStudioError as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
