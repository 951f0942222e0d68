"""embed_many and its quota: fewer at once after a refusal, nothing lost, and errors where they belong."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from typing import Any

import httpx
import pytest
from client_support import KEY, Clock, answer, embedded, envelope, vector

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, Embedding, RateLimitError, RateLimits

CLIENTS = [ClovaStudio, AsyncClovaStudio]
REFUSED = envelope("42901", "Too many requests - rate exceeded")


def vector_of(request: httpx.Request) -> httpx.Response:
    """Answer with a vector that tells the text."""
    number = int(json.loads(request.content)["text"].split()[-1])
    return answer(embedded(number, 2))


def run(make: Any, decide: Any, texts: list[str], *, settings: Any = None, pause: float = 0.0, **options: Any) -> Any:
    """Run embed_many over a function that answers requests, each after a pause."""
    settings = {"quota_group": str(uuid.uuid4()), **(settings or {})}

    def handler(request: httpx.Request) -> httpx.Response:
        answered = decide(request)
        time.sleep(pause)
        return answered() if callable(answered) else answered

    async def async_handler(request: httpx.Request) -> httpx.Response:
        answered = decide(request)
        await asyncio.sleep(pause)
        return answered() if callable(answered) else answered

    if make is ClovaStudio:
        client = ClovaStudio(KEY, http_client=httpx.Client(transport=httpx.MockTransport(handler)), **settings)
        return client.embed_many(texts, **options)
    twin = AsyncClovaStudio(
        KEY, http_client=httpx.AsyncClient(transport=httpx.MockTransport(async_handler)), **settings
    )
    return asyncio.run(twin.embed_many(texts, **options))


@pytest.mark.slow
@pytest.mark.parametrize("make", CLIENTS)
def test_after_a_refusal_half_as_many_go_at_once_and_one_more_after_each_answer(make: Any) -> None:
    """Concurrency halves at a 429, grows by one with each answer, reaches the bound again and never passes it."""
    lock = threading.Lock()
    in_flight = arrived = answered = 0
    closed_at: int | None = None
    after: list[tuple[int, int]] = []
    peak = 0

    def decide(request: httpx.Request) -> Any:
        nonlocal in_flight, arrived, peak, closed_at
        with lock:
            arrived += 1
            in_flight += 1
            peak = max(peak, in_flight)
            refuse = arrived == 40
            if closed_at is not None and time.monotonic() > opens:
                after.append((in_flight, answered))

        def respond() -> httpx.Response:
            nonlocal in_flight, answered, closed_at, opens
            with lock:
                in_flight -= 1
                if refuse:
                    closed_at, opens = arrived, time.monotonic() + 0.2
                    return answer(REFUSED, 429, x_ratelimit_reset_requests="0.3s")
                if closed_at is not None and time.monotonic() > opens:
                    answered += 1
            return vector_of(request)

        return respond

    opens = 0.0
    texts = [f"글 {i}" for i in range(300)]
    vectors = run(make, decide, texts, pause=0.02, max_concurrency=16)
    assert [vector.embedding for vector in vectors] == [vector(i) for i in range(300)]
    assert arrived == 301
    assert peak == 16
    assert after[0][0] <= 8
    assert all(at_once <= 8 + grown for at_once, grown in after)
    assert max(at_once for at_once, _ in after) == 16


@pytest.mark.parametrize("make", CLIENTS)
def test_a_quota_that_stays_closed_raises_with_what_succeeded(make: Any) -> None:
    """With "raise" the refusal comes with its index, its wait and the vectors that came before it."""
    count = iter(range(100))

    def decide(request: httpx.Request) -> httpx.Response:
        return vector_of(request) if next(count) < 5 else answer(REFUSED, 429, x_ratelimit_reset_requests="90s")

    texts = [f"글 {i}" for i in range(9)]
    with pytest.raises(RateLimitError, match=r"texts\[5\]") as caught:
        run(make, decide, texts, max_concurrency=1, max_wait=30)
    partial = caught.value.partial
    assert [isinstance(item, Embedding) for item in partial] == [True] * 5 + [False] * 4
    assert 85 < caught.value.retry_after <= 90


@pytest.mark.parametrize("make", CLIENTS)
def test_a_text_over_the_whole_window_has_its_error_in_its_place(make: Any) -> None:
    """A text that no window can take is a ConfigurationError at its index, or raised with its index."""
    settings = {"rate_limits": RateLimits({"bge-m3": (None, 40)}, window=0.05)}
    texts = ["글 0", "가" * 200 + " 1", "글 2"]
    results = run(make, vector_of, texts, settings=settings, on_error="return", max_concurrency=2)
    assert [getattr(result, "embedding", None) for result in results] == [vector(0), None, vector(2)]
    assert isinstance(results[1], ConfigurationError)
    with pytest.raises(ConfigurationError, match=r"texts\[1\].*rate_limits"):
        run(make, vector_of, texts, settings=settings, max_concurrency=1)


@pytest.mark.slow
def test_a_text_is_not_given_up_while_another_is_getting_through() -> None:
    """A text that is refused twice is tried on if another got through, though its answer came after the refusal.

    A refusal is faster than an answer: that nobody has an answer yet does not mean that nobody gets through.
    """
    refused_again = threading.Event()
    attempts: dict[str, int] = {}
    seconds: list[str] = []
    lock = threading.Lock()
    together = threading.Barrier(4, timeout=10)

    def decide(request: httpx.Request) -> httpx.Response:
        text = json.loads(request.content)["text"]
        with lock:
            attempts[text] = count = attempts.get(text, 0) + 1
            if count == 2:
                seconds.append(text)
        if count == 1:
            together.wait()
            return answer(REFUSED, 429, x_ratelimit_reset_requests="0.05s")
        if count == 2 and text == seconds[0]:
            # The service lets it in, refuses the next one at once, and answers after that.
            assert refused_again.wait(10)
            time.sleep(0.1)
        elif count == 2 and text == seconds[1]:
            refused_again.set()
            return answer(REFUSED, 429, x_ratelimit_reset_requests="0.2s")
        return vector_of(request)

    texts = [f"글 {i}" for i in range(4)]
    vectors = run(ClovaStudio, decide, texts, settings={"max_retries": 0}, max_concurrency=4)
    assert [vector.embedding for vector in vectors] == [vector(i) for i in range(4)]


def test_a_quota_that_lets_nobody_pass_ends_a_batch_of_many_workers() -> None:
    """When all are refused for ever, the batch ends after a bounded number of requests."""
    sent: list[httpx.Request] = []
    clock = Clock()
    transport = httpx.MockTransport(lambda request: sent.append(request) or answer(REFUSED, 429))
    client = ClovaStudio(KEY, http_client=httpx.Client(transport=transport), quota_group=str(uuid.uuid4()))
    clock.on(client)
    with pytest.raises(RateLimitError, match=r"texts\["):
        client.embed_many([f"글 {i}" for i in range(20)], max_concurrency=1)
    assert len(sent) <= 18
