"""Schedules that are hard on a quota, one by one, with a clock that is turned by hand."""

from __future__ import annotations

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
    gate = quota(requests=3)
    tickets = [gate.enter(0.0, ONE) for _ in range(4)]
    assert [ticket.slot is not None for ticket in tickets] == [True, True, True, False]
    for ticket in tickets[:3]:
        gate.passed(ticket.slot, 0.1)
    assert gate.poll(tickets[3], 59.9) is not None
    assert gate.poll(tickets[3], 61.0) is None


def test_a_request_counts_from_its_arrival_also_while_it_is_under_way() -> None:
    """What is under way for longer than a window may have arrived late: its place is not free right at its end."""
    gate = quota(requests=1)
    gate.enter(0.0, ONE)
    waiting = gate.enter(1.0, ONE)
    assert gate.poll(waiting, 60.5) is not None
    assert gate.poll(waiting, 62.0) is None


def test_a_cancelled_request_may_have_been_counted_late() -> None:
    """A request that was given up has its place until a window after its latest arrival."""
    gate = quota(requests=1)
    first = gate.enter(0.0, ONE)
    gate.dropped(first.slot)
    waiting = gate.enter(1.0, ONE)
    assert gate.poll(waiting, 60.5) is not None
    assert gate.poll(waiting, 62.0) is None


@pytest.mark.parametrize("given", [(None, 100), (2, None)], ids=["tokens", "requests"])
def test_answers_out_of_order_free_nothing_early(given: tuple[int | None, int | None]) -> None:
    """A later request that was answered earlier frees no place of the one before it."""
    gate = quota(*given)
    first, second = gate.enter(0.0, Cost(40, 0)), gate.enter(0.1, Cost(40, 0))
    gate.passed(second.slot, 0.2)
    gate.counted(second.slot, 40)
    gate.passed(first.slot, 0.9)
    gate.counted(first.slot, 40)
    if given[0] is not None:
        gate.give((1, None), 60.0)
    waiting = gate.enter(1.0, Cost(100, 0))
    assert gate.poll(waiting, 60.7) is not None
    assert gate.poll(waiting, 61.3) is None


def test_requests_that_are_never_answered_hold_nobody_up_for_ever() -> None:
    """After a refusal few requests may be under way; one whose event loop has stopped counts for a window at most."""
    gate = RateLimiter("HCX-005")
    lost, refused = gate.enter(0.0, ONE), gate.enter(0.0, ONE)
    gate.refused(refused.slot, 0.1, 10.0, None, reset_known=False)
    assert lost.slot is not None
    waiting = gate.enter(1.0, ONE)
    now = 1.0
    while gate.poll(waiting, now) is not None:
        now += 1.0
        assert now < 130, "waits for ever"


def test_whoever_never_comes_again_is_passed_over_and_does_not_swallow_the_wakening() -> None:
    """Behind a ticket whose event loop has stopped the next ones are woken as if it were not there."""
    gate = quota(requests=1, window=10.0)
    first = gate.enter(0.0, ONE)
    dead, second, third = (gate.enter(0.0, ONE) for _ in range(3))
    woken = []
    dead.wake = lambda: woken.append("dead")
    third.wake = lambda: woken.append("third")
    assert gate.poll(dead, 0.0) is not None
    for now in range(1, 25):
        gate.poll(second, now)
        gate.poll(third, now)
        if second.slot is not None:
            break
    assert second.slot is not None
    assert third.slot is None
    gate.passed(first.slot, 24.0)
    woken.clear()
    gate.passed(second.slot, 24.0)
    assert woken == ["third"]
    assert gate.status(24.0).waiting == 2
    gate.leave(dead)
    assert gate.status(24.0).waiting == 1


def test_a_sleepy_one_that_comes_after_all_keeps_its_place() -> None:
    """One that was passed over and comes late is still before those that came later."""
    gate = quota(requests=1, window=10.0)
    first = gate.enter(0.0, ONE)
    late, next_one, last = (gate.enter(0.0, ONE) for _ in range(3))
    gate.passed(first.slot, 0.0)
    gate.poll(late, 0.0)
    assert gate.poll(next_one, 30.0) is None
    gate.passed(next_one.slot, 30.0)
    assert gate.poll(late, 45.0) is None
    assert gate.poll(last, 45.0) is not None


def test_a_refusal_that_tells_an_earlier_reset_wakes_the_next() -> None:
    """Who was told to wait for the end of the window learns that the service opens earlier."""
    gate = quota(requests=2)
    first, second = gate.enter(0.0, ONE), gate.enter(0.0, ONE)
    gate.passed(first.slot, 0.0)
    waiting = gate.enter(0.5, ONE)
    woken = []
    waiting.wake = lambda: woken.append(True)
    wait = gate.poll(waiting, 0.5)
    assert wait is not None
    assert wait.nap > 55
    gate.refused(second.slot, 1.0, 5.0, RateLimit(reset_requests=5.0), reset_known=True)
    assert woken
    wait = gate.poll(waiting, 1.0)
    assert wait is not None
    assert wait.nap == pytest.approx(5.0)
    assert gate.poll(waiting, 6.5) is None


def test_a_refused_request_uses_nothing_up() -> None:
    """The place of a refused request is given to the next as soon as the gate opens, for its tokens as well."""
    gate = quota(tokens=100)
    ticket = gate.enter(0.0, Cost(80, 20))
    gate.refused(ticket.slot, 1.0, 5.0, None, reset_known=True)
    again = gate.enter(1.0, Cost(80, 20), ticket.order)
    assert gate.poll(again, 5.0) is not None
    assert gate.poll(again, 6.1) is None


def test_a_repetition_goes_before_later_calls() -> None:
    """A refused call keeps its turn: it is before the calls that came while it was under way."""
    gate = RateLimiter("HCX-005")
    first = gate.enter(0.0, ONE)
    gate.refused(first.slot, 0.1, 5.0, None, reset_known=True)
    later = gate.enter(0.2, ONE)
    again = gate.enter(0.3, ONE, first.order)
    gate.poll(again, 0.3)
    assert gate.poll(later, 5.2) is not None
    assert gate.poll(again, 5.2) is None


@pytest.mark.parametrize("told", [0, -1])
def test_senseless_limits_in_headers_are_ignored(told: int) -> None:
    """A limit of nothing, or less, in a header bounds nothing and breaks nothing."""
    gate = RateLimiter("HCX-005")
    headers = RateLimit(limit_requests=told, limit_tokens=told)
    first, second = gate.enter(0.0, ONE), gate.enter(0.0, ONE)
    gate.passed(first.slot, 0.1, headers)
    gate.refused(second.slot, 0.2, 5.0, headers, reset_known=True)
    again = gate.enter(6.0, ONE, second.order)
    assert again.slot is not None
    status = gate.status(6.0)
    assert (status.limit_requests, status.limit_tokens, status.source) == (None, None, None)


def test_after_a_burst_of_refusals_concurrency_halves_once_and_grows_one_by_one() -> None:
    """A burst of refusals is one decrease; each answer adds one, up to as many as before."""
    gate = RateLimiter("HCX-005")
    burst = [gate.enter(0.0, ONE) for _ in range(8)]
    for ticket in burst[4:]:
        gate.refused(ticket.slot, 0.1, 1.0, None, reset_known=True)
    for ticket in burst[:4]:
        gate.passed(ticket.slot, 0.1)
    sizes = []
    under_way = []
    now = 2.0
    for _ in range(6):
        while True:
            ticket = gate.enter(now, ONE)
            if ticket.slot is None or len(under_way) >= 20:
                gate.leave(ticket)
                break
            under_way.append(ticket)
        sizes.append(len(under_way))
        gate.passed(under_way.pop(0).slot, now)
    assert sizes == [4, 5, 6, 7, 20, 20]
