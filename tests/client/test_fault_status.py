"""Errors that the service or a gateway answers with: each typed, each repeated or not as it deserves, in good time."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from client_support import MESSAGES, Both, Clock, answer, bytewise, embedded, envelope, sample, sse
from fault_support import KINDS, QUICK, Account, RawServer, plain

import clova_studio as cs

if TYPE_CHECKING:
    import httpx

# HTTP status, code, message, class, and whether the same request can help ("4xx" and "5xx" troubleshooting pages).
CODES: list[tuple[int, str, str, type[cs.APIStatusError], bool]] = [
    (400, "40000", "Bad request", cs.BadRequestError, False),
    (400, "40001", "Invalid parameter: topK", cs.BadRequestError, False),
    (400, "40003", "Text too long", cs.ContextLengthError, False),
    (400, "40004", "Text is empty", cs.BadRequestError, False),
    (400, "40009", "Unsupported function", cs.UnsupportedFunctionError, False),
    (400, "40055", "Invalid response format schema", cs.BadRequestError, False),
    (400, "40063", "Invalid image file", cs.BadRequestError, False),
    (400, "40063", "Image download failed", cs.BadRequestError, True),
    (400, "40063", "Image processing error", cs.BadRequestError, True),
    (400, "40080", "Model not found", cs.NotFoundError, False),
    (400, "40082", "Model fade out", cs.NotFoundError, False),
    (400, "40084", "Unsupported API for model", cs.NotFoundError, False),
    (401, "40100", "Unauthorized", cs.AuthenticationError, False),
    (401, "40104", "Invalid Key", cs.AuthenticationError, False),
    (403, "40300", "Forbidden", cs.PermissionDeniedError, False),
    (404, "40400", "Not found", cs.NotFoundError, False),
    (406, "40600", "Not acceptable", cs.BadRequestError, False),
    (408, "40800", "Request timeout", cs.APIStatusError, True),
    (413, "41300", "Request body size exceeded", cs.BadRequestError, False),
    (415, "41500", "Unsupported media type", cs.BadRequestError, False),
    (424, "42400", "Failed dependency", cs.BadRequestError, False),
    (429, "42900", "Too many requests", cs.RateLimitError, True),
    (429, "42901", "Too many requests - rate exceeded", cs.RateLimitError, True),
    (429, "42902", "Too many requests - overloaded", cs.RateLimitError, True),
    (429, "42903", "Too many requests - overloaded", cs.RateLimitError, True),
    (500, "50000", "Internal server error", cs.ServerError, True),
    (501, "50100", "Not yet implemented", cs.ServerError, False),
    (504, "50400", "Gateway timeout", cs.ServerError, True),
    (400, "61002", "Query is empty", cs.BadRequestError, False),
    (400, "61004", "Invalid action input", cs.BadRequestError, False),
    (400, "62001", "Invalid input value", cs.BadRequestError, False),
    (400, "63001", "Invalid action in cot", cs.BadRequestError, False),
    (400, "64400", "too many tokens", cs.ContextLengthError, False),
    (429, "64429", "too many requests", cs.RateLimitError, True),
    (400, "65001", "Invalid label", cs.BadRequestError, False),
    (400, "65400", "too many tokens", cs.ContextLengthError, False),
    (500, "64000", "Model unavailable", cs.ServerError, True),
    (500, "64424", "Model generation failed", cs.ServerError, True),
    (500, "64500", "Model server error", cs.ServerError, True),
    (500, "65002", "Response parsing failed", cs.ServerError, True),
]
OPENAI_WHOLE = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}'
OPENAI_SSE = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
VERBS: dict[str, tuple[tuple[Any, ...], Any]] = {
    "chat": ((MESSAGES,), lambda: answer(sample("v3_chat.json"))),
    "embed": (("글",), lambda: answer(embedded())),
    "openai.chat": ((MESSAGES,), lambda: answer(OPENAI_WHOLE)),
    "stream_chat": ((MESSAGES,), lambda: sse(bytewise(sample("v3_chat.sse")))),
    "openai.stream_chat": ((MESSAGES,), lambda: sse(OPENAI_SSE)),
}


def failures(verb: str, status: int, code: str, message: str) -> list[Any]:
    """Return the ways in which a code can come: with its status, in a 200, and as the first event of a stream."""
    body = envelope(code, message)
    if verb.startswith("openai"):
        body = json.dumps({"error": {"message": message, "type": None, "param": None, "code": code}}).encode()
    ways = [lambda: answer(body, status), lambda: answer(body, 200)]
    if "stream" in verb:
        ways += [lambda: sse(b"event:error\ndata:" + body + b"\n\n"), lambda: sse(b"data: " + body + b"\n\n")]
    return ways


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "passing"), CODES, ids=[f"{row[1]} {row[2]}" for row in CODES]
)
def test_each_code_is_typed_and_repeated_as_it_deserves(
    both: Any, status: int, code: str, message: str, kind: type[cs.APIStatusError], passing: Any
) -> None:
    """In each way to come a code is its class after one request or after N + 1; a passing one is mended by a retry."""
    for verb, (args, ok) in VERBS.items():
        for failure in failures(verb, status, code, message):
            peer = both(failure, clock=Clock(), max_retries=2, max_wait=None)
            with pytest.raises(cs.APIStatusError) as caught:
                peer.call(verb, *args)
            assert (type(caught.value), caught.value.code) == (kind, code), verb
            assert len(peer.requests) == (3 if passing else 1), verb
            if passing:
                peer = both(failure, failure, ok, clock=Clock(), max_wait=None)
                assert peer.call(verb, *args) is not None
                assert len(peer.requests) == 3, verb


CLASSES = {401: cs.AuthenticationError, 403: cs.PermissionDeniedError, 404: cs.NotFoundError, 408: cs.APIStatusError,
           429: cs.RateLimitError}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"<html>no</html>", "text/html"), (b"", "text/plain"), (b'{"message":"no"}', "application/json")],
)
@pytest.mark.parametrize("verb", ["chat", "stream_chat"])
def test_every_status_without_a_code(both: Any, verb: str, body: bytes, content_type: str) -> None:
    """Each HTTP status from 300 to 599 without a code is the class of the status; 408, 429 and 5xx but 501 repeat."""
    args, ok = VERBS[verb]
    for status in range(300, 600):
        by_status = cs.ServerError if status >= 500 else cs.BadRequestError if status >= 400 else cs.APIStatusError
        peer = both(lambda status=status: answer(body, status, content_type), ok, clock=Clock(), max_retries=1)
        if status in {408, 429} or (status >= 500 and status != 501):
            peer.call(verb, *args)
            assert len(peer.requests) == 2, status
            peer = both(lambda status=status: answer(body, status, content_type), max_retries=0)
        with pytest.raises(cs.APIStatusError) as caught:
            peer.call(verb, *args)
        assert (type(caught.value), caught.value.status_code) == (CLASSES.get(status, by_status), status)
        assert caught.value.code is None
        assert len(peer.requests) == 1, status


def test_redirects_are_not_followed(both: Any) -> None:
    """A redirect is an error: the key goes to no other address."""
    for status in (301, 302, 303, 307, 308):
        peer = both(lambda status=status: answer(b"", status, location="https://elsewhere.example.com/"))
        with pytest.raises(cs.APIStatusError) as caught:
            peer.call("chat", MESSAGES)
        assert caught.value.status_code == status
        assert [request.url.host for request in peer.requests] == ["clovastudio.stream.ntruss.com"]


@pytest.mark.slow
@pytest.mark.parametrize(("total", "latency"), list(itertools.product([0.0, 1.0, 12.5, 120.0], [0.05, 3.0])))
@pytest.mark.parametrize("verb", ["chat", "stream_chat"])
def test_total_is_held_from_both_sides(both: Any, verb: str, total: float, latency: float) -> None:
    """Attempts start while one fits into the total, and none after it; waits for the quota do not count."""
    for pause in (0.0, 30.0):
        clock, starts = Clock(), []
        # Per attempt: how many sleeps were before it, and whether a back-off follows it.
        marks: list[tuple[int, int]] = []

        def fail(
            clock: Clock = clock, starts: Any = starts, marks: Any = marks, pause: float = pause
        ) -> httpx.Response:
            starts.append(clock.now)
            clock.now += latency
            is_refused = pause > 0 and len(starts) % 3 == 1
            marks.append((len(clock.sleeps), int(not is_refused)))
            if is_refused:
                return answer(envelope("42901", "busy"), 429, x_ratelimit_reset_requests=f"{pause:g}s")
            return answer(envelope("50000", "down"), 500)

        policy = cs.RetryPolicy(attempts=100_000, initial=0.5, maximum=2.0, total=total)
        peer = both(fail, clock=clock, retry=policy)
        with pytest.raises((cs.ServerError, cs.RateLimitError)):
            peer.call(verb, MESSAGES)
        ends = [*(before for before, _ in marks[1:]), len(clock.sleeps)]
        waits = [clock.sleeps[before + own : end] for (before, own), end in zip(marks, ends, strict=True)]
        waited = sum(map(sum, waits[:-1]))
        spent = starts[-1] - starts[0] - waited
        assert total - policy.maximum - latency <= spent <= total + 1e-6


@pytest.mark.parametrize("limit", [20.0, 75.0, 200.0])
def test_max_wait_is_held_while_others_are_refused(both: Any, limit: float) -> None:
    """A quota that others close again and again is waited for until max_wait, then it is a RateLimitError."""
    clock = Clock()
    refusal = answer_later(10)
    first = both(refusal, clock=clock, max_wait=limit, max_retries=5)
    group = first.settings["quota_group"]
    sleep = clock.sleep

    def sleep_and_be_refused(seconds: float) -> None:
        sleep(seconds / 2)
        other = Both(
            "sync", answer_later(9), clock=Clock(now=clock.now), quota_group=group, max_retries=0, max_wait=None
        )
        with pytest.raises(cs.RateLimitError):
            other.call("chat", MESSAGES)
        sleep(seconds / 2)

    clock.sleep = sleep_and_be_refused  # type: ignore[method-assign]
    with pytest.raises(cs.RateLimitError, match="max_wait"):
        first.call("chat", MESSAGES)
    assert len(first.requests) == 1
    assert limit - 11 <= sum(clock.sleeps) <= limit


def answer_later(seconds: float) -> Any:
    """Return a refusal that closes the quota for so long."""
    return lambda: answer(envelope("42901", "busy"), 429, x_ratelimit_reset_requests=f"{seconds:g}s")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_bounds_hold_by_the_wall_clock(kind: str) -> None:
    """Over a real connection retries end with retry.total and waits with max_wait, each to the second."""
    policy = cs.RetryPolicy(attempts=100_000, initial=0.02, maximum=0.05, total=0.5)
    with RawServer(plain(envelope("50000", "down"), 500)) as server:
        begin = time.monotonic()
        with pytest.raises(cs.ServerError):
            Account(kind, server.base_url, retry=policy).chat()
        assert time.monotonic() - begin <= policy.total + 1
        assert len(server.requests) > 2
    for reset, requests in (("0.2s", 4), ("30s", 1)):
        with RawServer(plain(envelope("42901", "busy"), 429, x_ratelimit_reset_requests=reset)) as server:
            begin = time.monotonic()
            with pytest.raises(cs.RateLimitError):
                Account(kind, server.base_url, retry=QUICK, rate_limits=None, max_wait=1.0).chat()
            assert time.monotonic() - begin <= 3 * 0.2 + 1
            assert len(server.requests) == requests
