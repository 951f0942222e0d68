"""Rate limits: windows, charges and headers."""

from __future__ import annotations

import re
import time

import pytest
from emulator_support import connect, user

from clova_studio.emulator import serve
from clova_studio.emulator.server.windows import Windows, as_reset

H5 = "/v3/chat-completions/HCX-005"
EMBED = "/v1/api-tools/embedding/v2"
LIMIT_HEADERS = [
    f"x-ratelimit-{part}-{unit}" for unit in ("requests", "tokens") for part in ("limit", "remaining", "reset")
]


def test_requests_per_window() -> None:
    """Above the requests per window the answer is 429 42901 with the observed headers and without Retry-After."""
    with serve(rate_limits={"HCX-005": (2, 60_000)}) as server, connect(server) as client:
        first, second, third = (client.post(H5, json=user("안녕", maxTokens=100)) for _ in range(3))
        assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
        assert third.json() == {
            "status": {"code": "42901", "message": "Too many requests - rate exceeded"},
            "result": None,
        }
        assert "retry-after" not in third.headers
        assert third.headers["x-ratelimit-limit-requests"] == "2"
        assert third.headers["x-ratelimit-limit-tokens"] == "60000"
        assert third.headers["x-ratelimit-remaining-requests"] == "0"
        assert re.fullmatch(r"(5\d|60)s", third.headers["x-ratelimit-reset-requests"])
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        used = first.json()["result"]["usage"]["promptTokens"] + 100
        assert first.headers["x-ratelimit-remaining-tokens"] == str(60_000 - used)


def test_streams_count_too() -> None:
    """A stream over the limit is an ordinary 429 before any event."""
    with serve(rate_limits={"*": (1, None)}) as server, connect(server) as client:
        headers = {"accept": "text/event-stream"}
        first, second = (client.post(H5, json=user("안녕"), headers=headers) for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 429)
        assert first.headers["x-ratelimit-remaining-requests"] == "0"
        assert "x-ratelimit-limit-tokens" not in first.headers
        assert second.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "body", "charge"),
    [
        (H5, user("hello"), 5 + 100),  # the last default that the v3 page printed
        (H5, user("hello", maxTokens=1), 5 + 1),
        ("/v1/chat-completions/HCX-003", user("hello"), 5 + 100),
        ("/v3/chat-completions/HCX-007", user("hello"), 5 + 5_120),
        ("/v3/chat-completions/HCX-007", user("hello", thinking={"effort": "none"}), 5 + 512),
        ("/v3/tasks/t/chat-completions", user("hello"), 5 + 100),
        (EMBED, {"text": "hello"}, 1),
    ],
)
def test_charges(path: str, body: dict[str, object], charge: int) -> None:
    """A request is charged its input and the output it asks for, by default what the pages document."""
    with serve(rate_limits={"*": (None, 10_000)}) as server, connect(server) as client:
        remaining = client.post(path, json=body).headers["x-ratelimit-remaining-tokens"]
        assert 10_000 - int(remaining) == charge


def test_tokens_per_window() -> None:
    """The tokens per window are limited too, and a refused request does not count."""
    with serve(rate_limits={"HCX-005": (None, 2_000)}) as server, connect(server) as client:
        assert client.post(H5, json=user("hello", maxTokens=1_500)).status_code == 200
        assert client.post(H5, json=user("hello", maxTokens=1_500)).status_code == 429
        assert client.post(H5, json=user("hello", maxTokens=100)).status_code == 200


def test_apart() -> None:
    """Keys and models have windows of their own; a model that is not named has no limit."""
    with serve(rate_limits={"HCX-005": (1, None)}) as server, connect(server) as client:
        other = {"authorization": "Bearer nv-other"}
        assert client.post(H5, json=user("a")).status_code == 200
        assert client.post(H5, json=user("a"), headers=other).status_code == 200
        assert client.post(H5, json=user("a")).status_code == 429
        assert client.post("/v3/tasks/t/chat-completions", json=user("a")).status_code == 429  # counts on its base
        answer = client.post("/v3/chat-completions/HCX-DASH-002", json=user("a"))
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


def test_window_ends() -> None:
    """After the window requests pass again, and the reset header said when."""
    with serve(rate_limits={"*": (1, None)}, window=0.4) as server, connect(server) as client:
        assert client.post(EMBED, json={"text": "a"}).status_code == 200
        refused = client.post(EMBED, json={"text": "a"})
        reset = re.fullmatch(r"(\d+)ms", refused.headers["x-ratelimit-reset-requests"])
        assert reset
        assert int(reset[1]) <= 400
        time.sleep(int(reset[1]) / 1000 + 0.01)
        assert client.post(EMBED, json={"text": "a"}).status_code == 200


@pytest.mark.parametrize(
    ("behaviour", "forced", "shown"),
    [("observed", None, True), ("documented", None, False), ("observed", False, False), ("documented", True, True)],
)
def test_headers_by_behaviour(behaviour: str, forced: bool | None, shown: bool) -> None:  # noqa: FBT001 - a table's columns
    """The headers are observed, not documented; either can be forced."""
    options = {"behaviour": behaviour, "rate_limit_headers": forced}
    with serve(rate_limits={"*": (1, 10)}, **options) as server, connect(server) as client:
        for status in (200, 429):
            answer = client.post(EMBED, json={"text": "a"})
            assert answer.status_code == status
            assert [name for name in LIMIT_HEADERS if name in answer.headers] == (LIMIT_HEADERS if shown else [])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(42, "42s"), (59.2, "60s"), (2.5, "2.5s"), (2.41, "2.5s"), (1, "1s"), (0.6, "600ms"), (0.0001, "1ms"), (-2, "0s")],
)
def test_reset_form(seconds: float, text: str) -> None:
    """Waiting times have the recorded form and are never shorter than the wait."""
    assert as_reset(seconds) == text


def test_clock() -> None:
    """A window begins with its first request and lasts its length."""
    now = 100.0
    windows = Windows({"*": (1, None)}, 60, clock=lambda: now)

    def passes() -> bool:
        verdict = windows.charge("key", "model", 1)
        assert verdict is not None
        return verdict.allowed

    assert passes()
    now = 159.9
    assert not passes()
    now = 160.0
    assert passes()


@pytest.mark.parametrize(
    ("counting", "passing"),
    [("fixed", [0, 2, 0]), ("aligned", [2, 0, 2]), ("sliding", [0, 1, 1]), ("bucket", [1, 1, 1])],
)
def test_ways_of_counting(counting: str, passing: list[int]) -> None:
    """Of two requests per 60 s, used at 90 and 100 s, the way of counting says how many pass at later times."""
    now = 0.0
    windows = Windows({"*": (2, None)}, 60, clock=lambda: now, counting=counting)

    def passed(at: float, times: int) -> int:
        nonlocal now
        now = at
        verdicts = [windows.charge("key", "model", 1) for _ in range(times)]
        return sum(verdict is not None and verdict.allowed for verdict in verdicts)

    assert [passed(90, 1), passed(100, 1)] == [1, 1]
    assert [passed(125, 3), passed(151, 3), passed(181, 3)] == passing


def test_a_reset_of_what_has_no_end_is_when_one_more_passes() -> None:
    """In a sliding window and a bucket the header says when one request may pass, and it does."""
    for counting in ("sliding", "bucket"):
        now = 100.0
        windows = Windows({"*": (4, None)}, 60, clock=lambda: now, counting=counting)  # noqa: B023  called at once
        for _ in range(5):
            verdict = windows.charge("key", "model", 1)
            now += 1
        assert verdict is not None
        assert not verdict.allowed
        now += float(verdict.headers["x-ratelimit-reset-requests"].removesuffix("s")) - 1
        assert [windows.charge("key", "model", 1).allowed for _ in range(2)] == [True, False]


def test_an_unknown_way_of_counting_is_refused() -> None:
    """The message names the ways."""
    with pytest.raises(ValueError, match="sliding, fixed, aligned, bucket"):
        serve(counting="hourly")
