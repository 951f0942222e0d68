"""Schedules that are hard on a quota, one by one, with a clock that is turned by hand."""

from __future__ import annotations

import weakref

import pytest
from quota_model import Cost

from clova_studio import RateLimit
from clova_studio._rate_limits.limiter import RateLimiter

ONE = Cost(1, 0)


def quota(requests: int | None = None, tokens: int | None = None, window: float = 60.0) -> RateLimiter:
    """Return a quota with given limits."""
    made = RateLimiter("HCX-005")
    made.give((requests, tokens), window)
    return made


def test_a_window_is_filled_at_once_and_not_overrun() -> None:
    """The whole limit goes through at once; one more when a window from the first is over, not before."""
    limiter = quota(requests=3)
    permits = [limiter.enter(0.0, ONE) for _ in range(4)]
    assert [permit.granted for permit in permits] == [True, True, True, False]
    for permit in permits[:3]:
        limiter.land(permit, 0.1)
    assert limiter.take(permits[3], 59.9) is not None
    assert limiter.take(permits[3], 61.0) is None


def test_a_request_counts_from_its_arrival_also_while_it_is_in_flight() -> None:
    """What is in flight for longer than a window may have arrived late: its place is not free right at its end."""
    limiter = quota(requests=1)
    limiter.enter(0.0, ONE)
    waiting = limiter.enter(1.0, ONE)
    assert limiter.take(waiting, 60.5) is not None
    assert limiter.take(waiting, 62.0) is None


def test_a_cancelled_request_may_have_been_counted_late() -> None:
    """A request that was given up has its place until a window after its latest arrival."""
    limiter = quota(requests=1)
    first = limiter.enter(0.0, ONE)
    limiter.drop(first)
    waiting = limiter.enter(1.0, ONE)
    assert limiter.take(waiting, 60.5) is not None
    assert limiter.take(waiting, 62.0) is None


@pytest.mark.parametrize("given", [(None, 100), (2, None)], ids=["tokens", "requests"])
def test_answers_out_of_order_free_nothing_early(given: tuple[int | None, int | None]) -> None:
    """A later request that was answered earlier frees no place of the one before it."""
    limiter = quota(*given)
    first, second = limiter.enter(0.0, Cost(40, 0)), limiter.enter(0.1, Cost(40, 0))
    limiter.land(second, 0.2)
    limiter.settle(second, 40)
    limiter.land(first, 0.9)
    limiter.settle(first, 40)
    if given[0] is not None:
        limiter.give((1, None), 60.0)
    waiting = limiter.enter(1.0, Cost(100, 0))
    assert limiter.take(waiting, 60.7) is not None
    assert limiter.take(waiting, 61.3) is None


def test_requests_that_are_never_answered_hold_nobody_up_for_ever() -> None:
    """After a refusal few requests may be in flight; one whose event loop has stopped counts for a window at most."""
    limiter = RateLimiter("HCX-005")
    lost, refused = limiter.enter(0.0, ONE), limiter.enter(0.0, ONE)
    limiter.refuse(refused, 0.1, 10.0, None, reset_known=False)
    assert lost.granted
    waiting = limiter.enter(1.0, ONE)
    now = 1.0
    while limiter.take(waiting, now) is not None:
        now += 1.0
        assert now < 130, "waits for ever"


def test_whoever_never_comes_again_is_passed_over_and_does_not_swallow_the_wakening() -> None:
    """Behind a permit whose event loop has stopped the next ones are woken as if it were not there."""
    limiter = quota(requests=1, window=10.0)
    first = limiter.enter(0.0, ONE)
    dead, second, third = (limiter.enter(0.0, ONE) for _ in range(3))
    woken = []
    dead.wake = lambda: woken.append("dead")
    third.wake = lambda: woken.append("third")
    assert limiter.take(dead, 0.0) is not None
    for now in range(1, 25):
        limiter.take(second, now)
        limiter.take(third, now)
        if second.granted:
            break
    assert second.granted
    assert not third.granted
    limiter.land(first, 24.0)
    woken.clear()
    limiter.land(second, 24.0)
    assert woken == ["third"]
    assert limiter.status(24.0).waiting == 2
    limiter.leave(dead)
    assert limiter.status(24.0).waiting == 1


def test_a_sleepy_one_that_comes_after_all_keeps_its_place() -> None:
    """One that was passed over and comes late is still before those that came later."""
    limiter = quota(requests=1, window=10.0)
    first = limiter.enter(0.0, ONE)
    late, next_one, last = (limiter.enter(0.0, ONE) for _ in range(3))
    limiter.land(first, 0.0)
    limiter.take(late, 0.0)
    assert limiter.take(next_one, 30.0) is None
    limiter.land(next_one, 30.0)
    assert limiter.take(late, 45.0) is None
    assert limiter.take(last, 45.0) is not None


def test_a_refusal_that_tells_an_earlier_reset_wakes_the_next() -> None:
    """Who was told to wait for the end of the window learns that the service opens earlier."""
    limiter = quota(requests=2)
    first, second = limiter.enter(0.0, ONE), limiter.enter(0.0, ONE)
    limiter.land(first, 0.0)
    waiting = limiter.enter(0.5, ONE)
    woken = []
    waiting.wake = lambda: woken.append(True)
    wait = limiter.take(waiting, 0.5)
    assert wait is not None
    assert wait.nap > 55
    limiter.refuse(second, 1.0, 5.0, RateLimit(reset_requests=5.0), reset_known=True)
    assert woken
    wait = limiter.take(waiting, 1.0)
    assert wait is not None
    assert wait.nap == pytest.approx(5.0)
    assert limiter.take(waiting, 6.5) is None


def test_a_refused_request_uses_nothing_up() -> None:
    """The place of a refused request is given to the next as soon as the quota opens, for its tokens as well."""
    limiter = quota(tokens=100)
    permit = limiter.enter(0.0, Cost(80, 20))
    limiter.refuse(permit, 1.0, 5.0, None, reset_known=True)
    again = limiter.enter(1.0, Cost(80, 20), permit.order)
    assert limiter.take(again, 5.0) is not None
    assert limiter.take(again, 6.1) is None


def test_a_repetition_goes_before_later_calls() -> None:
    """A refused call keeps its turn: it is before the calls that came while it was in flight."""
    limiter = RateLimiter("HCX-005")
    first = limiter.enter(0.0, ONE)
    limiter.refuse(first, 0.1, 5.0, None, reset_known=True)
    later = limiter.enter(0.2, ONE)
    again = limiter.enter(0.3, ONE, first.order)
    limiter.take(again, 0.3)
    assert limiter.take(later, 5.2) is not None
    assert limiter.take(again, 5.2) is None


@pytest.mark.parametrize("reported", [0, -1])
def test_senseless_limits_in_headers_are_ignored(reported: int) -> None:
    """A limit of nothing, or less, in a header bounds nothing and breaks nothing."""
    limiter = RateLimiter("HCX-005")
    headers = RateLimit(limit_requests=reported, limit_tokens=reported)
    first, second = limiter.enter(0.0, ONE), limiter.enter(0.0, ONE)
    limiter.land(first, 0.1, headers)
    limiter.refuse(second, 0.2, 5.0, headers, reset_known=True)
    again = limiter.enter(6.0, ONE, second.order)
    assert again.granted
    status = limiter.status(6.0)
    # What got through before the refusal: one request of one token.
    assert (status.limit_requests, status.limit_tokens, status.source) == (1, 1, "inferred")


def test_after_a_burst_of_refusals_concurrency_halves_once_and_grows_one_by_one() -> None:
    """A burst of refusals is one decrease; each answer adds one, up to as many as before."""
    limiter = RateLimiter("HCX-005")
    # A reported limit with what is left: nothing is inferred, so that only the concurrency counts.
    limiter.window = 1.0
    headers = RateLimit(limit_requests=1_000, remaining_requests=990)
    burst = [limiter.enter(0.0, ONE) for _ in range(8)]
    for permit in burst[4:]:
        limiter.refuse(permit, 0.1, 1.0, headers, reset_known=True)
    for permit in burst[:4]:
        limiter.land(permit, 0.1)
    sizes = []
    in_flight = []
    now = 2.0
    for _ in range(6):
        while True:
            permit = limiter.enter(now, ONE)
            if not permit.granted or len(in_flight) >= 20:
                limiter.leave(permit)
                break
            in_flight.append(permit)
        sizes.append(len(in_flight))
        limiter.land(in_flight.pop(0), now)
    assert sizes == [4, 5, 6, 7, 20, 20]


def test_a_request_beyond_a_reported_limit_is_sent_when_it_is_alone() -> None:
    """A token limit in a header is a hint: a larger request waits for the others, and then the service decides."""
    limiter = RateLimiter("HCX-005")
    first, second = limiter.enter(0.0, ONE), limiter.enter(0.0, ONE)
    limiter.land(first, 0.1)
    limiter.refuse(second, 0.2, 5.0, RateLimit(limit_tokens=100), reset_known=False)
    large = limiter.enter(6.0, Cost(400, 100))
    assert not large.granted
    assert limiter.take(large, 70.0) is None


def test_a_failed_request_is_not_held() -> None:
    """Of a request that failed the limiter keeps what it is charged, not its body."""
    limiter = quota(tokens=1_000)
    cost = Cost(300, 100)
    limiter.drop(limiter.enter(0.0, cost))
    held = weakref.ref(cost)
    del cost
    assert held() is None
    assert limiter.status(0.1).remaining_tokens == 1_000 - (300 * 1.2 + 100)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e300, 10**400, 301.0])
def test_a_closing_that_is_too_long_is_not_believed(seconds: float) -> None:
    """A quota that says it is closed for more than five windows lets one request through each window to look."""
    limiter = RateLimiter("HCX-005")
    refused = limiter.enter(0.0, ONE)
    limiter.refuse(refused, 0.0, seconds, None, reset_known=True)
    first, second = limiter.enter(1.0, ONE, refused.order), limiter.enter(1.0, ONE)
    assert limiter.take(first, 59.0) is not None
    assert limiter.take(first, 60.1) is None
    assert limiter.take(second, 60.2) is not None
    limiter.land(first, 60.3)
    assert limiter.take(second, 60.4) is None


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**18, 0, -1])
def test_no_number_of_the_service_is_too_large(number: int) -> None:
    """Limits, remaining amounts and usage of any size are reckoned with, and break nothing."""
    limiter = RateLimiter("HCX-005")
    headers = RateLimit.model_construct(
        limit_requests=number,
        limit_tokens=number,
        remaining_requests=number,
        remaining_tokens=number,
        reset_requests=float("inf"),
        reset_tokens=float("nan"),
    )
    first, second = limiter.enter(0.0, ONE), limiter.enter(0.0, ONE)
    limiter.land(first, 0.1, headers)
    limiter.settle(first, number)
    limiter.refuse(second, 0.2, 5.0, headers, reset_known=True)
    limiter.status(0.3)
    again = limiter.enter(400.0, ONE, second.order)
    assert again.granted


def test_a_reported_limit_below_one_request_is_not_believed() -> None:
    """A limit of one token per window makes no later call an error."""
    limiter = RateLimiter("HCX-005")
    refused = limiter.enter(0.0, Cost(80, 20))
    headers = RateLimit(limit_tokens=1)
    limiter.refuse(refused, 0.1, 5.0, headers, reset_known=True)
    again = limiter.enter(6.0, Cost(80, 20), refused.order)
    assert again.granted
    assert limiter.status(6.0).limit_tokens is None
