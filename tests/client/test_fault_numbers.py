"""Numbers from the wire: a hint each, never an order, and never more than a typed error."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import httpx
import pytest
from client_support import KEY, MESSAGES, Clock, Pieces, answer, envelope, sample, sse
from fault_support import KINDS, WINDOW, Account, RawServer, plain

import clova_studio as cs
from clova_studio._rate_limits.headers import parse_duration, parse_rate_limit, parse_retry_after

DIGITS = "9" * 400
TEXTS = [
    DIGITS, f"-{DIGITS}", f"{DIGITS}s", f"-{DIGITS}ms", "9" * 60, "-" + "9" * 60, "1e999", "-1e999", "1e40", "nan",
    "inf", "-Infinity", "Infinity", "NaN", "4²²", "٤٢", "1_000", "0x10", "1m" * 31, "1" * 90_000, "1." * 45_000, "",
    " ", "-", "+-", "s", "--5", "0", "-0", "-1", "2.5", "99999999999", "soon", "42 s", "1s1", "100;w=60", "a" * 90_000,
    "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +2359", "Mon, 01 Jan 0001 00:00:00 -0000",
    f"Mon, 01 Jan {DIGITS} 00:00:00 GMT", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "32 Foo 2026 25:61:61",
    "Thu, 01 Jan 1970 00:00:00 +999999999999999999", ", , ,", "1 Jan",
]  # fmt: skip
WILD = [text.encode() for text in TEXTS]
KINDS_OF_HEADER = ("limit", "remaining", "reset")
HEADERS = [f"x_ratelimit_{kind}_{what}" for kind in KINDS_OF_HEADER for what in ("requests", "tokens")]
HEADERS.append("retry_after")
HUGE = int(DIGITS)


def chat(**headers: Any) -> httpx.Response:
    """Return a chat answer."""
    return answer(sample("v3_chat.json"), **headers)


def stream(**headers: Any) -> httpx.Response:
    """Return a streamed chat answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {"content-type": "text/event-stream"}
    return httpx.Response(200, headers={**kind, **named}, stream=Pieces([sample("v3_chat.sse")]))


def refusal(**headers: Any) -> httpx.Response:
    """Return a refusal for the quota."""
    return answer(envelope("42901", "busy"), 429, **headers)


OKS: dict[str, Any] = {"chat": chat, "stream_chat": stream}


@pytest.mark.slow
@pytest.mark.parametrize("verb", OKS)
@pytest.mark.parametrize("header", HEADERS)
def test_no_header_of_a_refusal_does_harm(both: Any, verb: str, header: str) -> None:
    """Whatever a refusal's headers hold, the call succeeds a window or so later, and so do the next ones at once."""
    for value in WILD:
        clock = Clock()
        peer = both(lambda value=value: refusal(**{header: value}), OKS[verb], clock=clock)
        peer.call(verb, MESSAGES)
        assert sum(clock.sleeps) <= 5 * 60, value[:40]
        for _ in range(3):
            peer.call(verb, MESSAGES)
        assert sum(clock.sleeps) <= 5 * 60 + 61, value[:40]
        status = cs.ClovaStudio(KEY, quota_group=peer.settings["quota_group"]).quota("HCX-005")
        assert status.closed_for <= 5 * 60


@pytest.mark.slow
@pytest.mark.parametrize("verb", OKS)
@pytest.mark.parametrize("header", HEADERS)
def test_no_header_of_an_answer_does_harm(both: Any, verb: str, header: str) -> None:
    """Whatever the headers of an answer hold, whole or streamed, it comes, and the next calls do not wait."""
    for value in WILD:
        clock = Clock()
        peer = both(lambda value=value: OKS[verb](**{header: value}), clock=clock)
        for _ in range(3):
            peer.call(verb, MESSAGES)
        assert sum(clock.sleeps) == 0, value[:40]


@pytest.mark.parametrize("limit", ["1", "3", "0", "-5"])
def test_a_limit_that_no_request_can_keep_is_not_believed(both: Any, limit: str) -> None:
    """A token limit below what the refused request costs neither refuses nor slows what follows."""
    clock = Clock()
    peer = both(lambda: refusal(x_ratelimit_limit_tokens=limit, x_ratelimit_reset_tokens="1s"), chat, clock=clock)
    for _ in range(5):
        peer.call("chat", MESSAGES, max_tokens=50)
    assert sum(clock.sleeps) == pytest.approx(1)


@pytest.mark.parametrize(
    ("value", "reported"),
    [("3600", 3600.0), ("99999999999", 99999999999.0), ("301s", 301.0), ("9" * 30, 1e30), (DIGITS, None)],
)
@pytest.mark.parametrize("header", ["retry_after", "x_ratelimit_reset_requests", "x_ratelimit_reset_tokens"])
def test_a_reset_beyond_five_windows_is_reported_and_looked_at(
    both: Any, header: str, value: str, reported: float | None
) -> None:
    """A long reset is on the error; the quota closes for a window at most, so a healthy service is found soon."""
    first = lambda: refusal(**{header: value})  # noqa: E731
    peer = both(first, clock=Clock(), max_retries=0)
    with pytest.raises(cs.RateLimitError) as caught:
        peer.call("chat", MESSAGES)
    assert caught.value.retry_after == (None if reported is None else pytest.approx(reported))
    clock = Clock()
    peer = both(first, first, chat, clock=clock)
    peer.call("chat", MESSAGES)
    waits = [wait for wait in clock.sleeps if wait]
    assert len(waits) == 2
    assert all(wait <= 60 for wait in waits)
    if reported is not None:
        assert waits == [pytest.approx(60), pytest.approx(60)]


def test_a_reset_of_five_windows_is_believed(both: Any) -> None:
    """What is not longer than five windows is waited for."""
    clock = Clock()
    both(lambda: refusal(retry_after="300"), chat, clock=clock, max_wait=None).call("chat", MESSAGES)
    assert sum(clock.sleeps) == pytest.approx(300)


COUNTS = [HUGE, -HUGE, 10**25, -1, 0, -(10**25)]


@pytest.mark.parametrize("count", COUNTS, ids=lambda count: f"{count:.0e}" if abs(count) < HUGE else "400 digits")
def test_no_count_of_tokens_does_harm(both: Any, count: int) -> None:
    """Whatever usage an answer has, whole or streamed, the next calls wait for nothing, also with limits given."""
    result = json.loads(sample("v3_chat.json"))
    result["result"]["usage"] = {"promptTokens": count, "completionTokens": count, "totalTokens": count}
    body = json.dumps(result).encode()
    event = b"event:result\ndata:" + json.dumps(result["result"]).encode() + b"\n\n"
    for verb, ok in (("chat", lambda: answer(body)), ("stream_chat", lambda: sse(event))):
        for limits in (None, cs.RateLimits({"HCX-005": (60, 100_000)})):
            clock = Clock()
            peer = both(ok, clock=clock, rate_limits=limits)
            for _ in range(5):
                peer.call(verb, MESSAGES, max_tokens=10)
            assert sum(clock.sleeps) == 0
    vector = b"0.5," * 1023 + b"0.5"
    embedded = b'{"status":{"code":"20000"},"result":{"embedding":[' + vector + b'],"inputTokens":%d}}' % count
    peer = both(lambda: answer(embedded), clock=Clock(), rate_limits=cs.RateLimits({"bge-m3": (60, 100_000)}))
    for _ in range(5):
        peer.call("embed", "글")
    assert sum(peer.clock.sleeps) == 0


@pytest.mark.parametrize("count", ["1e999", "NaN", "-Infinity", '"many"', "[]", "9" * 5_000, "1.5"])
def test_a_count_that_is_no_count_is_typed(both: Any, count: str) -> None:
    """Usage that is no whole number is an InvalidResponseError, whole and streamed."""
    body = sample("v3_chat.json").replace(b'"promptTokens":', b'"promptTokens":%b,"old":' % count.encode())
    event = b'event:result\ndata:{"message":{"content":"a"},"usage":{"promptTokens":%b}}\n\n' % count.encode()
    assert count.encode() in body
    for verb, ok in (("chat", lambda: answer(body)), ("stream_chat", lambda: sse(event))):
        with pytest.raises(cs.InvalidResponseError):
            both(ok, max_retries=0).call(verb, MESSAGES)


CODES = ['"4²²"', '"4²²01"', '"٤٢٩٠١"', '"42901 "', '"' + "4" * 10_000 + '"', "9" * 400, "-42901", "42901.0", "1e999",
         "true", "[[[]]]", "{}", '"6²"', '""', "0", "null"]  # fmt: skip


@pytest.mark.parametrize("code", CODES, ids=lambda code: code[:12])
def test_no_code_does_harm(both: Any, code: str) -> None:
    """Whatever the code of an error is, it is typed, whole, in a 200, and in an event; what shows is short."""
    body = b'{"status":{"code":%b,"message":"no"},"result":null}' % code.encode()
    openai = b'{"error":{"code":%b,"message":"no"}}' % code.encode()
    for status in (200, 400, 429, 500):
        for verb, sent in (("chat", body), ("stream_chat", body), ("openai.chat", openai)):
            with pytest.raises((cs.APIStatusError, cs.InvalidResponseError)) as caught:
                both(lambda status=status, sent=sent: answer(sent, status), max_retries=0).call(verb, MESSAGES)
            assert len(str(caught.value)) < 600
    with pytest.raises((cs.APIStatusError, cs.InvalidResponseError)):
        both(lambda: sse(b"event:error\ndata:" + body + b"\n\n"), max_retries=0).call("stream_chat", MESSAGES)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("header", ["retry_after", "x_ratelimit_limit_tokens", "x_ratelimit_reset_requests"])
def test_a_long_header_costs_no_time_over_a_real_connection(kind: str, header: str) -> None:
    """A header of 90,000 digits is read in no time, on a refusal and on an answer."""
    for value in ("9" * 90_000, "9" * 45_000 + "." * 45_000, "1." * 45_000):
        body = plain(envelope("42901", "busy"), 429, **{header: value})
        with RawServer(body, plain(sample("v3_chat.json"), **{header: value})) as server:
            begin = time.perf_counter()
            Account(kind, server.base_url, rate_limits=WINDOW).chat()
            assert time.perf_counter() - begin < 2
            assert len(server.requests) == 2


@pytest.mark.parametrize("header", ["date", "retry-after"])
def test_no_date_does_harm(header: str) -> None:
    """Dates that no clock can hold, here or there, are as if missing."""
    for value in TEXTS:
        headers = {"date": "Thu, 01 Jan 1970 00:01:00 GMT", "retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}
        wait = parse_retry_after({**headers, header: value}, now=60)
        assert wait is None or wait > 0


def test_a_date_counts_from_the_answers_own_date(both: Any) -> None:
    """However wrong the clock here is, a Retry-After that is a date waits as long as the service's clock says."""
    for year in (1999, 2026, 2199):
        clock = Clock()
        dates = {"date": f"Fri, 01 Jan {year} 10:00:00 GMT", "retry_after": f"Fri, 01 Jan {year} 10:00:40 GMT"}
        both(lambda dates=dates: refusal(**dates), chat, clock=clock).call("chat", MESSAGES)
        assert sum(clock.sleeps) == pytest.approx(40)
    # Without a zone it is UTC, wherever this machine is.
    naive = {"date": "Fri, 01 Jan 2027 10:00:00 -0000", "retry-after": "Fri, 01 Jan 2027 10:00:40 GMT"}
    assert parse_retry_after(naive) == 40


def test_counts_are_counts() -> None:
    """A limit with a unit is no limit, and one beyond all measure is left out."""
    assert parse_duration("1" * 65) is None
    read = parse_rate_limit({"x-ratelimit-limit-requests": "1m", "x-ratelimit-limit-tokens": "40000"})
    assert read == cs.RateLimit(limit_tokens=40_000)
    assert parse_rate_limit({"x-ratelimit-limit-tokens": "9" * 20}) is None
    assert parse_rate_limit({"x-ratelimit-remaining-tokens": "-3"}) == cs.RateLimit(remaining_tokens=-3)


def test_a_closed_quota_says_how_long_in_what_a_clock_holds() -> None:
    """After a reset of a century the quota opens within a window."""
    group = str(uuid.uuid4())
    clock = Clock()
    transport = httpx.MockTransport(lambda _: refusal(retry_after="3153600000"))
    client = clock.on(
        cs.ClovaStudio(KEY, quota_group=group, max_retries=0, http_client=httpx.Client(transport=transport))
    )
    with pytest.raises(cs.RateLimitError):
        client.chat(MESSAGES)
    assert 0 < client.quota("HCX-005").closed_for <= 60
