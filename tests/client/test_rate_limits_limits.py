"""Limits: what is given, told and inferred, who shares a quota, and what a request is estimated to cost."""

from __future__ import annotations

import logging
import math
import pickle
import uuid
from itertools import pairwise
from typing import Any

import httpx
import pytest
from client_support import KEY, MESSAGES, Clock, answer, embedded, envelope

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, RateLimitError, RateLimits
from clova_studio._rate_limits.learnt import Bound

REFUSED = envelope("42901", "Too many requests - rate exceeded")


def client(respond: Any, clock: Clock | None = None, make: Any = ClovaStudio, **settings: Any) -> Any:
    """Return a client over a function that answers requests, with a quota of its own unless told otherwise."""
    kind = httpx.Client if make is ClovaStudio else httpx.AsyncClient
    http = kind(transport=httpx.MockTransport(lambda _: respond()))
    settings = {"quota_group": str(uuid.uuid4()), **settings}
    made = make(settings.pop("key", KEY), http_client=http, **settings)
    if clock is not None:
        clock.on(made)
    return made


def counted(tokens: int = 3) -> Any:
    """Return what answers every request with a vector."""
    return lambda: answer(embedded(tokens=tokens))


@pytest.mark.parametrize(
    ("kind", "model", "limit"),
    [
        ("test", "HCX-007", (60, 60_000)),
        ("test", "HCX-005", (60, 60_000)),
        ("test", "HCX-DASH-002", (90, 80_000)),
        ("test", "HCX-003", (200, 30_000)),
        ("test", "HCX-DASH-001", (200, 30_000)),
        ("test", "bge-m3", (60, 40_000)),
        ("service", "HCX-007", (180, 300_000)),
        ("service", "HCX-005", (300, 180_000)),
        ("service", "bge-m3", (540, 960_000)),
        ("service", "HCX-003", (None, None)),
        ("test", "segmentation", (None, None)),
        ("test", "router", (None, None)),
    ],
)
def test_presets_are_the_references_numbers(kind: Any, model: str, limit: Any) -> None:
    """The presets have the documented numbers, none where none was found, and a client shows them."""
    assert RateLimits.preset(kind).of(model) == limit
    status = client(counted(), rate_limits=kind).quota(model)
    assert (status.limit_requests, status.limit_tokens) == limit
    assert status.window == 60
    assert status.source == (None if limit == (None, None) else "given")


def test_limits_are_values() -> None:
    """Limits compare, hash and pickle by what they say, in whatever order and case of a model's name it was said."""
    limits = RateLimits({"HCX-005": (60, None), "reranker": [None, 7]}, window=30)
    same = RateLimits([("reranker", (None, 7)), ("hcx-005", (60, None))], window=30)
    assert limits == same
    assert hash(limits) == hash(same)
    assert pickle.loads(pickle.dumps(limits)) == limits  # noqa: S301
    assert limits != RateLimits(limits.limits, window=31)
    assert limits.of("hcx-005") == limits.of("HCX-005") == (60, None)
    assert limits.of("HCX-007") == (None, None)
    http_free = ClovaStudio(KEY, rate_limits=limits, quota_group=str(uuid.uuid4()))
    assert pickle.loads(pickle.dumps(http_free)).quota("reranker").limit_tokens == 7  # noqa: S301


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda: RateLimits({"HCX-005": (0, 1)}), "HCX-005"),
        (lambda: RateLimits({"HCX-005": (1, -1)}), "HCX-005"),
        (lambda: RateLimits({"HCX-005": (1.5, None)}), "HCX-005"),
        (lambda: RateLimits({"HCX-005": (True, None)}), "HCX-005"),
        (lambda: RateLimits({"HCX-005": (1,)}), "HCX-005"),
        (lambda: RateLimits({"HCX-005": 60}), "HCX-005"),
        (lambda: RateLimits({"HCX-005": "60"}), "HCX-005"),
        (lambda: RateLimits({5: (1, 1)}), "rate_limits"),
        (lambda: RateLimits(5), "rate_limits"),
        (lambda: RateLimits(["HCX-005"]), "rate_limits"),
        (lambda: RateLimits(window=0), "window"),
        (lambda: RateLimits(window=math.inf), "window"),
        (lambda: RateLimits(window=math.nan), "window"),
        (lambda: RateLimits(window="60"), "window"),
        (lambda: RateLimits.preset("free"), "'free'"),
        (lambda: ClovaStudio(KEY, rate_limits="free"), "'free'"),
        (lambda: AsyncClovaStudio(KEY, rate_limits={"HCX-005": (1, 1)}), "rate_limits"),
        (lambda: ClovaStudio(KEY, rate_limits=60), "rate_limits"),
        (lambda: ClovaStudio(KEY, max_wait=-1), "max_wait"),
    ],
)
def test_wrong_limits_are_refused_by_name(wrong: Any, named: str) -> None:
    """A limit that is no limit is refused where it is given, with its name."""
    with pytest.raises(ConfigurationError, match=named):
        wrong()


def test_of_two_limits_the_stricter_holds_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Two clients of one account with different limits get the smaller numbers, the longer window and one warning."""
    group = str(uuid.uuid4())
    first = client(counted(), quota_group=group, rate_limits=RateLimits({"bge-m3": (10, 2_000)}, window=60))
    second = client(counted(), quota_group=group, rate_limits=RateLimits({"bge-m3": (20, 1_000)}, window=60))
    elsewhere = client(counted(), quota_group=group, rate_limits=RateLimits({"HCX-005": (1, 1)}, window=1))
    with caplog.at_level(logging.WARNING, "clova_studio"):
        for _ in range(3):
            first.embed("글")
            second.embed("글")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "bge-m3" in caplog.text
    elsewhere.embed("글")
    status = first.quota("bge-m3")
    assert (status.limit_requests, status.limit_tokens, status.window) == (10, 1_000, 60)
    assert status.remaining_requests == 3
    assert second.quota("bge-m3") == status


@pytest.mark.parametrize("verb", ["embed", "chat"])
def test_a_request_over_the_whole_window_is_refused_before_sending(both, verb: str) -> None:
    """One request with more tokens than a window is a ConfigurationError with a way out, never an endless wait."""
    limits = RateLimits({"bge-m3": (None, 50), "HCX-005": (None, 1_000)})
    peer = both(counted(), clock=Clock(), rate_limits=limits)
    args, options = (("가" * 200,), {}) if verb == "embed" else ((MESSAGES,), {"max_tokens": 1_000})
    with pytest.raises(ConfigurationError, match="rate_limits"):
        peer.call(verb, *args, **options)
    assert peer.requests == []
    assert peer.clock.sleeps == []


def test_given_limits_hold_calls_back_without_a_refusal(both) -> None:
    """With limits given, calls over them wait for the window locally: the service never has to refuse."""
    clock = Clock()
    peer = both(counted(), clock=clock, rate_limits=RateLimits({"bge-m3": (2, None)}, window=30))
    marks = []
    for _ in range(6):
        peer.call("embed", "글")
        marks.append(clock.now)
    assert all(later - earlier >= 30 for earlier, later in zip(marks, marks[2:], strict=False))
    assert marks[-1] - marks[0] < 62
    status = client(counted(), clock, **{name: peer.settings[name] for name in ("quota_group",)}).quota("bge-m3")
    assert (status.remaining_requests, status.waiting, status.in_flight) == (0, 0, 0)


def test_limits_are_learnt_from_headers_and_shown() -> None:
    """Limits that headers tell are shown, with what is left; a refusal shows for how long the quota is closed."""
    clock = Clock()
    told = {"x_ratelimit_limit_requests": "60", "x_ratelimit_limit_tokens": "40000"}
    turns = iter([answer(embedded(tokens=3), **told), answer(REFUSED, 429, x_ratelimit_reset_requests="42s", **told)])
    made = client(lambda: next(turns), clock, max_retries=0)
    empty = made.quota("bge-m3")
    assert (empty.limit_requests, empty.remaining_requests, empty.source, empty.name) == (None, None, None, "bge-m3")
    made.embed("글")
    status = made.quota("bge-m3")
    assert (status.limit_requests, status.limit_tokens, status.source) == (60, 40_000, "headers")
    assert (status.remaining_requests, status.remaining_tokens) == (59, 39_997)
    assert status.closed_for == 0
    with pytest.raises(RateLimitError):
        made.embed("글")
    assert made.quota("bge-m3").closed_for == pytest.approx(42)
    clock.now += 43
    assert made.quota("bge-m3").closed_for == 0


def test_a_limit_is_inferred_from_refusals_without_headers(both) -> None:
    """Without headers the number that got through in the window of a refusal is the limit of the next windows."""
    clock = Clock()
    peer = both(*[counted()] * 5, lambda: answer(REFUSED, 429), counted(), clock=clock)
    for _ in range(6):
        peer.call("embed", "글")
    status = client(counted(), clock, quota_group=peer.settings["quota_group"]).quota("bge-m3")
    assert (status.limit_requests, status.source) == (5, "inferred")
    marks = [clock.now]
    # One more than was inferred: the bound is tried after a window without a refusal.
    for _ in range(6):
        peer.call("embed", "글")
        marks.append(clock.now)
    assert len(peer.requests) == 13
    assert marks[-1] - marks[0] >= 55


def pressed(bound: Bound, since: float, until: float, window: float = 60.0) -> list[float]:
    """Return what a bound is second by second while somebody waits for it."""
    seen = []
    for second in range(int(since), int(until)):
        bound.press(float(second), window)
        seen.append(bound.limit(refused=True) or 0.0)
    return seen


def test_an_inferred_bound_grows_more_and_more_while_nothing_is_refused() -> None:
    """A bound that is too small grows by a little after a window, and by more and more where that is not refused."""
    bound = Bound()
    bound.infer(100, 1, now=0.0)
    first = pressed(bound, 0, 62)
    assert set(first) == {100}
    seen = [100.0, *sorted(set(pressed(bound, 62, 500)) - {100})]
    steps = [later - earlier for earlier, later in pairwise(seen)]
    assert 0 < steps[0] <= 2
    assert all(later >= earlier for earlier, later in pairwise(steps))
    assert seen[-1] > 200


def test_an_inferred_bound_whose_growth_is_refused_is_what_it_was_and_waits_longer() -> None:
    """After a refusal that only the growth explains the bound is as before, and the next try comes later each time."""
    bound = Bound()
    bound.infer(100, 1, now=0.0)
    now, tries = 0.0, []
    for _ in range(4):
        start = now
        while bound.limit(refused=True) == 100:
            now += 1
            bound.press(now, 60.0)
        tries.append(now - start)
        bound.infer(100, 1, now)
        assert bound.limit(refused=True) == 100
    assert 60 < tries[0] < 70
    assert tries[1] >= 1.9 * tries[0]
    assert tries[2] >= 1.9 * tries[1]
    assert tries[3] < 300


def test_an_inferred_bound_that_others_cut_grows_soon() -> None:
    """Where less than the bound got through others took it: it grows within a window, as they may stop at any time."""
    bound = Bound()
    bound.infer(100, 1, now=0.0)
    bound.infer(20, 1, now=600.0)
    assert bound.limit(refused=True) == 20
    assert pressed(bound, 600, 720)[-1] > 30


def test_a_given_bound_holds_whatever_was_inferred() -> None:
    """The smallest of what is known holds."""
    bound = Bound()
    bound.infer(100, 1, now=0.0)
    bound.given = 90
    assert bound.limit(refused=True) == bound.limit(refused=False) == 90
