"""Retries: what is sent again, how often, after which wait; with a clock that is turned by hand."""

from __future__ import annotations

import logging

import httpx
import pytest
from client_support import KEY, MESSAGES, OK, Clock, answer, bytewise, embedded, envelope, sample, sse

import clova_studio as cs
from clova_studio._rate_limits.headers import parse_duration, parse_retry_after

EMBEDDED = embedded()
SEGMENTED = OK + b'{"topicSeg":[["a."]],"span":[[0]],"inputTokens":3}}'
VERBS = {
    "chat": ((MESSAGES,), lambda: answer(sample("v3_chat.json"))),
    "stream_chat": ((MESSAGES,), lambda: sse(bytewise(sample("v3_chat.sse")))),
    "embed": (("글",), lambda: answer(EMBEDDED)),
    "segment": (("글.",), lambda: answer(SEGMENTED)),
}


def refused(code: str = "42901", status: int = 429, **headers: str):
    """Return a refusal with the given headers."""
    return lambda: answer(envelope(code, "refused"), status, **headers)


def html():
    """Return what a gateway answers while the service is down."""
    return answer(b"<html>503</html>", 503, "text/html")


@pytest.mark.parametrize("verb", VERBS)
def test_429_429_200_succeeds(both, verb: str) -> None:
    """Two refusals with a reset header cost exactly their waits, and the answer comes."""
    args, ok = VERBS[verb]
    clock = Clock()
    first = refused(x_ratelimit_reset_tokens="0.4s", x_ratelimit_reset_requests="200ms")
    peer = both(first, refused(x_ratelimit_reset_requests="600ms"), ok, clock=clock)
    peer.call(verb, *args)
    assert [s for s in clock.sleeps if s] == pytest.approx([0.4, 0.6])
    assert len(peer.requests) == 3


@pytest.mark.parametrize("verb", VERBS)
def test_503_html_then_200_succeeds(both, verb: str) -> None:
    """A gateway's 503 is tried again after a short back-off, with the same request id."""
    args, ok = VERBS[verb]
    clock = Clock()
    peer = both(html, ok, clock=clock)
    peer.call(verb, *args)
    assert len(peer.requests) == 2
    assert len({request.headers["x-ncp-clovastudio-request-id"] for request in peer.requests}) == 1
    assert all(0 <= wait <= 0.5 for wait in clock.sleeps)


def test_refusals_without_headers_wait_shares_of_the_window(both) -> None:
    """Without a usable header the quota closes for 1/6, 1/3, 2/3 and the whole of the window, 20 % more or less."""
    for unusable in ({}, {"x_ratelimit_reset_tokens": "-2s"}, {"retry_after": "0"}, {"retry_after": "soon"}):
        clock = Clock()
        peer = both(*[refused(**unusable)] * 5, VERBS["chat"][1], clock=clock)
        peer.call("chat", MESSAGES)
        waits = [wait for wait in clock.sleeps if wait]
        assert len(waits) == 5
        for wait, share in zip(waits, (1 / 6, 1 / 3, 2 / 3, 1, 1), strict=True):
            assert 0.8 * 60 * share <= wait <= 1.2 * 60 * share


def test_window_is_the_callers(both) -> None:
    """The shares are those of the window that RateLimits names."""
    clock = Clock()
    both(refused(), VERBS["chat"][1], clock=clock, rate_limits=cs.RateLimits(window=6)).call("chat", MESSAGES)
    assert 0.8 <= sum(clock.sleeps) <= 1.2


@pytest.mark.parametrize("code", ["42902", "42903"])
def test_overload_is_a_short_back_off(both, code: str) -> None:
    """An overloaded service is asked again soon, without closing the quota for the others."""
    clock = Clock()
    both(refused(code), refused(code), VERBS["chat"][1], clock=clock).call("chat", MESSAGES)
    assert clock.sleeps[0] <= 0.5
    assert clock.sleeps[1] <= 1.0
    assert len(clock.sleeps) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "40000"),
        (400, "40003"),
        (400, "40009"),
        (401, "40104"),
        (403, "40300"),
        (404, "40400"),
        (501, "50100"),
        (400, "64400"),
        (413, "41300"),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_hopeless_requests_are_sent_once(both, verb: str, status: int, code: str) -> None:
    """What cannot get better is sent once."""
    peer = both(refused(code, status), clock=Clock())
    with pytest.raises(cs.APIStatusError):
        peer.call(verb, *VERBS[verb][0])
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
        lambda: answer(b"<html>", kind="text/html"),
        lambda: answer(OK + b'{"message":'),
        refused("40800", 408),
        refused("50000", 500),
        refused("50400", 504),
        refused("64000", 500),
        refused("64500", 500),
        lambda: answer(envelope("40063", "Image download failed"), 400),
        lambda: answer(envelope("50000", "in a 200"), 200),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_passing_failures_are_sent_again(both, verb: str, failure) -> None:
    """Connection failures, time-outs, unreadable answers and server errors are tried again."""
    args, ok = VERBS[verb]
    peer = both(failure, ok, clock=Clock())
    peer.call(verb, *args)
    assert len(peer.requests) == 2


def test_a_bad_image_is_not_a_failed_download(both) -> None:
    """40063 is tried again for a failed download only."""
    peer = both(lambda: answer(envelope("40063", "Invalid image ratio"), 400), clock=Clock())
    with pytest.raises(cs.BadRequestError):
        peer.call("chat", MESSAGES)
    assert len(peer.requests) == 1


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_max_retries_bounds_the_requests(both, verb: str, retries: int) -> None:
    """N retries are at most N + 1 requests, then the last error is raised."""
    peer = both(refused("50000", 500), clock=Clock(), max_retries=retries)
    with pytest.raises(cs.ServerError):
        peer.call(verb, *VERBS[verb][0])
    assert len(peer.requests) == retries + 1


def test_stream_errors_before_the_first_token_are_retried(both) -> None:
    """A stream that fails, breaks or carries an error before its first token is tried again, each in its way."""
    refusal = b'event:error\ndata:{"status":{"code":"42901","message":"Too many requests"}}\n\n'
    for failure in (
        lambda: sse(refusal),
        lambda: sse(b""),
        lambda: sse([b"id:1\n"], error=httpx.ReadError("reset")),
        lambda: sse(b":comment\n\n", error=httpx.ReadTimeout("slow")),
    ):
        peer = both(failure, VERBS["stream_chat"][1], clock=Clock())
        chunks, _ = peer.call("stream_chat", MESSAGES)
        assert "".join(chunk.message.content for chunk in chunks).endswith("입니다.")
        assert len(peer.requests) == 2


def test_total_bounds_the_time_of_retries(both) -> None:
    """No attempt starts later than retry.total after the first; waiting for the quota does not count."""
    clock = Clock()
    policy = cs.RetryPolicy(attempts=50, total=3.0)

    def slow() -> httpx.Response:
        clock.now += 1.0
        return answer(envelope("50000", "x"), 500)

    peer = both(slow, clock=clock, retry=policy)
    with pytest.raises(cs.ServerError):
        peer.call("chat", MESSAGES)
    assert 1 <= len(peer.requests) <= 3
    clock = Clock()
    peer = both(*[refused(x_ratelimit_reset_tokens="40s")] * 4, VERBS["chat"][1], clock=clock, retry=policy)
    peer.call("chat", MESSAGES)
    assert sum(clock.sleeps) == pytest.approx(160)


def test_a_wait_longer_than_max_wait_is_refused_at_once(both) -> None:
    """With the quota closed for longer than max_wait the call raises at once, saying how long."""
    clock = Clock()
    peer = both(refused(x_ratelimit_reset_tokens="300s"), clock=clock)
    with pytest.raises(cs.RateLimitError, match="max_wait") as caught:
        peer.call("chat", MESSAGES, request_id="id-9")
    assert caught.value.retry_after == pytest.approx(300)
    assert (caught.value.code, caught.value.request_id) == ("42901", "id-9")
    assert not clock.sleeps or max(clock.sleeps) == 0
    assert len(peer.requests) == 1
    clock = Clock()
    both(refused(x_ratelimit_reset_tokens="300s"), VERBS["chat"][1], clock=clock, max_wait=None).call("chat", MESSAGES)
    assert sum(clock.sleeps) == pytest.approx(300)


def test_one_refusal_holds_back_every_client_of_the_account() -> None:
    """A 429 of one client closes the quota of its model for the others of the account, and for no one else."""
    clock = Clock()
    answers = iter([refused(x_ratelimit_reset_tokens="30s")])

    def handler(_: httpx.Request) -> httpx.Response:
        return next(answers, VERBS["chat"][1])()

    def client(**settings) -> cs.ClovaStudio:
        http = httpx.Client(transport=httpx.MockTransport(handler))
        made = cs.ClovaStudio(KEY, http_client=http, **settings)
        clock.on(made)
        return made

    first, second = client(quota_group="one", max_retries=0), client(quota_group="one")
    with pytest.raises(cs.RateLimitError):
        first.chat(MESSAGES)
    client(quota_group="other").chat(MESSAGES)
    second.chat(MESSAGES, model="HCX-DASH-002")
    assert sum(clock.sleeps) == 0
    second.chat(MESSAGES)
    assert sum(clock.sleeps) == pytest.approx(30)


def test_retries_and_long_waits_are_logged_once_and_without_secrets(both, caplog: pytest.LogCaptureFixture) -> None:
    """Each retry and each wait over 2 s is one WARNING line with the request id and no key."""
    with caplog.at_level(logging.DEBUG, "clova_studio"):
        peer = both(refused(x_ratelimit_reset_tokens="30s"), html, VERBS["chat"][1], clock=Clock())
        peer.call("chat", MESSAGES, request_id="id-7")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert all("id-7" in line and KEY not in line for line in lines)
    assert {record.levelname for record in caplog.records} == {"WARNING"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("42s", 42),
        ("2.5s", 2.5),
        ("600ms", 0.6),
        ("1m30s", 90),
        ("-2s", -2),
        ("7", 7),
        ("0", 0),
        ("", None),
        ("soon", None),
        (None, None),
        ("s", None),
        ("1h", 3600),
        ("3 apples", None),
    ],
)
def test_durations(text: str | None, seconds: float | None) -> None:
    """Every observed form of a reset is read, anything else is nothing."""
    assert parse_duration(text) == (pytest.approx(seconds) if seconds is not None else None)


def test_the_larger_wait_counts() -> None:
    """Of Retry-After and the two resets the largest usable one is the wait; a date is read too."""
    headers = {"retry-after": "3", "x-ratelimit-reset-requests": "6s", "x-ratelimit-reset-tokens": "-1s"}
    assert parse_retry_after(headers) == 6
    assert parse_retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, now=40) == 60
    assert parse_retry_after({"x-ratelimit-reset-requests": "0s"}) is None


def test_back_off_doubles_up_to_its_maximum() -> None:
    """The bound of the back-off is 0.5 s, doubles, and stays at 8 s; the wait is drawn below it."""
    policy, error = cs.RetryPolicy(), cs.APIConnectionError("x")
    bounds = [policy.delay(attempt, error, draw=lambda: 1.0) for attempt in range(1, 8)]
    assert bounds == [0.5, 1, 2, 4, 8, 8, 8]
    assert policy.delay(3, error, draw=lambda: 0.0) == 0
