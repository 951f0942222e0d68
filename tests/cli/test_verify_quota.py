"""How ``clova-studio verify --quota`` finds out the way of counting, on a clock of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio._cli.verify.check import UnsettledError
from clova_studio._cli.verify.quota import MOST_REQUESTS, Measured, measure, quota_outcomes
from clova_studio._cli.verify.wire import Sender
from clova_studio._config import make_config
from clova_studio._rate_limits.headers import parse_duration
from clova_studio.emulator import serve
from clova_studio.emulator.server.windows import COUNTINGS, Windows

if TYPE_CHECKING:
    from collections.abc import Callable

MEANS = {"fixed": "all-may-pass", "aligned": "all-may-pass", "sliding": "one-may-pass", "bucket": "one-may-pass"}


class Service:
    """The emulator's quotas on a clock that a request moves on by its latency."""

    def __init__(self, counting: Any, *, start: float, limit: int, latency: float, headers: bool = True) -> None:
        self.now = start
        self.headers = headers
        self._latency = latency
        self._windows = Windows({"bge-m3": (limit, None)}, 60.0, clock=lambda: self.now, counting=counting)

    def send(self) -> tuple[bool, float | None]:
        """One request."""
        self.now += self._latency
        verdict = self._windows.charge("key", "bge-m3", 1)
        assert verdict is not None
        wait = parse_duration(verdict.headers["x-ratelimit-reset-requests"]) if self.headers else None
        return verdict.allowed, None if verdict.allowed else wait

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def measured(self) -> Measured:
        """What is found."""
        return measure(self.send, 60.0, lambda: self.now, self.sleep)


@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("start", [0.0, 7.3, 29.9, 31.0, 56.5, 57.0, 59.9])
@pytest.mark.parametrize(("limit", "latency"), [(60, 0.02), (60, 0.15), (20, 0.4), (90, 0.3)])
def test_each_way_of_counting(counting: Any, start: float, limit: int, latency: float) -> None:
    """Whatever the limit, the latency and the second of the minute: the way of counting and the reset's meaning."""
    service = Service(counting, start=start, limit=limit, latency=latency)
    assert service.measured() == Measured(counting, MEANS[counting])


@pytest.mark.parametrize("counting", COUNTINGS)
def test_without_headers(counting: Any) -> None:
    """Refusals without headers: the way of counting is found, and the reset is missing."""
    assert Service(counting, start=3.0, limit=60, latency=0.1, headers=False).measured() == Measured(
        counting, "missing"
    )


def test_a_limit_that_is_not_reached() -> None:
    """A limit that one connection cannot reach, or one of a few requests, settles nothing and says why."""
    with pytest.raises(UnsettledError, match="more than one connection"):
        Service("fixed", start=0.0, limit=500, latency=0.5).measured()
    with pytest.raises(UnsettledError, match="too few"):
        Service("fixed", start=0.0, limit=3, latency=0.1).measured()


@pytest.mark.slow
@pytest.mark.parametrize("counting", COUNTINGS)
def test_over_real_requests(counting: Any) -> None:
    """Requests over loopback to an emulator whose quotas follow a clock of the test's: the same is found."""
    now = [1_000.0]
    key = "nv-quota-test-key"
    with serve(rate_limits={"bge-m3": (12, None)}, counting=counting) as server:
        server._state.windows._clock = lambda: now[0]
        sender = Sender(make_config(api_key=key, base_url=server.base_url), timeout=10.0, patience=0.0)
        found = quota_outcomes(sender, 60.0, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
        sender.close()
    assert [outcome.answer for outcome in found] == [counting, MEANS[counting]]
    assert {item["code"] for outcome in found for item in outcome.came} == {"42901"}


def test_without_a_limit() -> None:
    """An account without a limit: it gives up after as many requests as it said, and says so."""
    sent = []

    def send() -> tuple[bool, float | None]:
        sent.append(1)
        return True, None

    with pytest.raises(UnsettledError, match="no answer after 600 requests"):
        measure(send, 60.0, lambda: 0.0, lambda _: None)
    assert len(sent) == MOST_REQUESTS


@pytest.mark.slow
def test_the_command_measures_only_when_asked(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """``--quota`` says its cost and measures after the checks; without it no request is sent for that."""
    with serve(api_keys={"nv-cli-test-key": "test"}, rate_limits={"bge-m3": (8, None)}, window=0.3) as server:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", server.base_url)
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-test-key")
        plain = cli("verify", "--yes", "--json", "--only", "error-result")
        assert len(json.loads(plain.out)["checks"]) == len(server.requests) == 1
        ran = cli("verify", "--yes", "--json", "--only", "error-result", "--quota", "--quota-window", "0.3")
    assert [check["id"] for check in json.loads(ran.out)["checks"]] == ["error-result", "counting", "reset-meaning"]
    assert "at most 601 requests" in ran.err
    refused = cli("verify", "--yes", "--quota", "--max-tokens", "100")
    assert refused.code == 2
    assert "--quota can use" in refused.err
