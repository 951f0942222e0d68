# mypy: disable-error-code="attr-defined"
"""The quota under any schedule: Hypothesis turns the clock, orders the events and plays the service."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from quota_model import Cost, Service

from clova_studio._rate_limits.limiter import RateLimiter

if TYPE_CHECKING:
    from clova_studio import RateLimit
    from clova_studio._rate_limits.permits import Permit

WINDOW = 10.0
# How long after its sending a request arrives at most, and how stale a reported time may be.
LATEST = 0.1 * WINDOW
STALE = 0.004 * WINDOW
SETTINGS = settings(
    max_examples=100, stateful_step_count=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
pick = st.integers(0, 1_000)


@dataclass(eq=False)
class Request:
    """One attempt of a call, as its caller and the service see it."""

    cost: Cost
    failures: int = 0
    permit: Permit | None = None
    asked: float = 0.0
    arrives: float = math.inf
    let_in: bool | None = None
    reported: RateLimit | None = None
    dead: bool = False

    @property
    def order(self) -> int:
        assert self.permit is not None
        return self.permit.order

    @property
    def granted(self) -> bool:
        assert self.permit is not None
        return self.permit.granted


class QuotaMachine(RuleBasedStateMachine):
    """Any schedule of calls, answers, failures and clocks."""

    alone = False
    given = False

    @initialize(
        requests=st.none() | st.integers(1, 5),
        tokens=st.none() | st.integers(100, 400),
        sliding=st.booleans(),
        headers=st.booleans(),
        seed=st.integers(0, 2**16),
    )
    def start(self, *, requests: int | None, tokens: int | None, sliding: bool, headers: bool, seed: int) -> None:
        self.now = 1_000.0
        self.behind = 0.0
        self.service = Service(WINDOW, requests, tokens, sliding=sliding, headers=headers)
        self.random = Random(seed)  # noqa: S311  a schedule, no secret
        self.quota = RateLimiter("HCX-005")
        self.quota.window = WINDOW
        if self.given:
            self.quota.give((requests, tokens), WINDOW)
        self.waiting: list[Request] = []
        self.in_flight: list[Request] = []
        self.to_repeat: list[Request] = []
        self.sent: list[tuple[float, Request]] = []

    # What the machine is made of.

    def report(self) -> float:
        """Return the time as a thread reports it that may have been held up since it looked."""
        return self.now - self.behind - self.random.uniform(0, STALE)

    def turn(self, to: float) -> None:
        """Turn the clock, and let arrive what arrives on the way."""
        for request in sorted(self.in_flight, key=lambda request: request.arrives):
            if request.let_in is None and request.arrives <= to:
                self.arrive_at_service(request, request.arrives)
        self.now = to

    def arrive_at_service(self, request: Request, now: float) -> None:
        request.let_in = self.service.arrive(now, request.cost.tokens)
        request.reported = self.service.reported(now)
        if self.alone and self.given:
            assert request.let_in, "refused, although the limits were given and nobody else uses them"

    def enter(self, request: Request, order: int | None) -> None:
        request.permit = self.quota.enter(self.report(), request.cost, order)
        request.asked = self.now
        request.permit.wake = lambda: setattr(request, "asked", min(request.asked, self.now))
        self.waiting.append(request)
        self.look(request)

    def look(self, request: Request) -> None:
        """Take note that a request got its permit, after those that came before it."""
        if not request.granted:
            return
        self.waiting.remove(request)
        for other in self.waiting:
            assert other.order > request.order or other.asked < self.now, "somebody who came when asked was passed over"
        request.arrives = self.now + self.random.choice((0, self.random.uniform(0, LATEST), LATEST))
        self.in_flight.append(request)
        self.sent.append((self.now, request))
        if request.arrives <= self.now:
            self.arrive_at_service(request, self.now)

    def ask(self, request: Request) -> None:
        """Ask whether a request may go."""
        assert request.permit is not None
        wait = self.quota.take(request.permit, self.report())
        if wait is None:
            assert request.granted
            self.look(request)
        else:
            assert 0 <= wait.least <= wait.nap
            assert wait.nap > 0
            request.asked = self.now + wait.nap + STALE

    def finish(self, request: Request, *, usage: bool) -> None:
        """Hand out the service's answer."""
        permit = request.permit
        assert permit is not None
        if request.let_in is None:
            self.arrive_at_service(request, self.now)
        self.in_flight.remove(request)
        if request.let_in:
            self.quota.land(permit, self.report(), request.reported)
            if usage:
                self.quota.settle(permit, request.cost.text)
            return
        self.sent = [(time, other) for time, other in self.sent if other is not request]
        resets = [request.reported.reset_requests, request.reported.reset_tokens] if request.reported else []
        reset = max((reset for reset in resets if reset), default=0.0)
        share = (1 / 6, 1 / 3, 2 / 3, 1.0)[min(request.failures, 3)] * self.random.uniform(0.8, 1.2)
        self.quota.refuse(permit, self.report(), reset or share * WINDOW, request.reported, reset_known=bool(reset))
        request.failures += 1
        self.to_repeat.append(request)

    def repeat_now(self, request: Request) -> None:
        self.to_repeat.remove(request)
        self.enter(Request(request.cost, request.failures), request.order)

    # What may happen.

    @rule(text=st.integers(1, 60), output=st.integers(0, 40), times=st.integers(1, 4))
    def calls(self, text: int, output: int, times: int) -> None:
        for _ in range(times):
            self.enter(Request(Cost(text, output)), None)

    @precondition(lambda self: self.service.tokens is not None)
    @rule(less=st.integers(0, 50))
    def big_call(self, less: int) -> None:
        assert self.service.tokens is not None
        self.enter(Request(Cost(self.service.tokens - less, 0)), None)

    @precondition(lambda self: self.to_repeat)
    @rule(which=pick)
    def repetition(self, which: int) -> None:
        self.repeat_now(self.to_repeat[which % len(self.to_repeat)])

    @precondition(lambda self: self.waiting)
    @rule(which=pick)
    def poll(self, which: int) -> None:
        request = self.waiting[which % len(self.waiting)]
        if not request.dead:
            self.ask(request)

    def poll_all_that_are_asked(self, *, backwards: bool) -> None:
        for request in sorted(self.waiting, key=lambda request: request.order, reverse=backwards):
            if request.asked <= self.now and not request.dead:
                self.ask(request)

    @precondition(lambda self: any(not request.dead for request in self.in_flight))
    @rule(which=pick, usage=st.booleans())
    def answer(self, *, which: int, usage: bool) -> None:
        alive = [request for request in self.in_flight if not request.dead]
        self.finish(alive[which % len(alive)], usage=usage)

    @precondition(lambda self: self.in_flight)
    @rule(which=pick, arrived=st.booleans())
    def failure_or_cancellation_in_flight(self, *, which: int, arrived: bool) -> None:
        request = self.in_flight.pop(which % len(self.in_flight))
        if arrived and request.let_in is None:
            self.arrive_at_service(request, self.now)
        assert request.granted
        self.quota.drop(request.permit)
        self.quota.drop(request.permit)

    @precondition(lambda self: self.waiting)
    @rule(which=pick)
    def cancellation_while_waiting(self, which: int) -> None:
        request = self.waiting.pop(which % len(self.waiting))
        assert request.permit is not None
        self.quota.leave(request.permit)
        self.quota.leave(request.permit)

    @precondition(lambda self: self.waiting or self.in_flight)
    @rule(which=pick)
    def event_loop_dies(self, which: int) -> None:
        requests = self.waiting + self.in_flight
        requests[which % len(requests)].dead = True

    @precondition(lambda self: not self.alone)
    @rule(tokens=st.integers(1, 100), times=st.integers(1, 6))
    def others_use_the_account(self, tokens: int, times: int) -> None:
        for _ in range(times):
            self.service.arrive(self.now, tokens)

    @rule(seconds=st.floats(0, 2) | st.floats(0, 2.5 * WINDOW))
    def time_goes_by(self, seconds: float) -> None:
        self.turn(self.now + seconds)

    @precondition(lambda self: any(not request.dead for request in self.waiting))
    @rule(backwards=st.booleans())
    def time_comes_for_the_next(self, *, backwards: bool) -> None:
        self.turn(max(self.now, min(request.asked for request in self.waiting if not request.dead)))
        self.poll_all_that_are_asked(backwards=backwards)

    @rule(seconds=st.floats(0, 3 * WINDOW))
    def clock_is_put_back(self, seconds: float) -> None:
        self.behind += seconds

    # What always holds.

    @invariant()
    def counts_are_right(self) -> None:
        status = self.quota.status(self.report())
        assert status.waiting == len(self.waiting)
        assert status.in_flight == len(self.in_flight)
        assert status.closed_for >= 0
        assert status.remaining_requests is None or status.remaining_requests >= 0
        assert status.remaining_tokens is None or status.remaining_tokens >= 0

    @invariant()
    def no_window_has_more_than_the_limit(self) -> None:
        """Also where the service does not show it; a told reset makes the service forget, so it is left out."""
        if not self.given or (self.service.headers and not self.alone) or not self.sent:
            return
        last = self.sent[-1][0]
        within = [request for time, request in self.sent if time > last - WINDOW]
        assert self.service.requests is None or len(within) <= self.service.requests
        assert self.service.tokens is None or sum(r.cost.tokens for r in within) <= self.service.tokens

    def teardown(self) -> None:
        """Everybody who comes when asked gets through in a bounded number of windows, whoever never comes again."""
        if not hasattr(self, "quota"):
            return
        for request in [request for request in self.in_flight if not request.dead]:
            self.finish(request, usage=True)
        for request in list(self.to_repeat):
            self.repeat_now(request)
        alive = [request for request in self.waiting + self.in_flight if not request.dead]
        end = self.now + self.behind + WINDOW * (10 + 4 * len(alive))
        while alive := [request for request in self.waiting + self.in_flight if not request.dead]:
            assert self.now <= end, f"{len(alive)} wait for ever"
            self.random.shuffle(alive)
            for request in alive:
                if request in self.in_flight:
                    self.finish(request, usage=True)
                elif request in self.waiting and request.asked <= self.now:
                    self.ask(request)
            for request in list(self.to_repeat):
                self.repeat_now(request)
            asked = [request.asked for request in self.waiting if not request.dead]
            if asked and not any(not request.dead for request in self.in_flight):
                self.turn(max(self.now + 0.001, min(asked)))
        self.counts_are_right()


@pytest.mark.slow
@pytest.mark.parametrize("given", [True, False], ids=["given", "learnt"])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "with others"])
def test_any_schedule(*, given: bool, alone: bool) -> None:
    """No schedule exceeds given limits, breaks the order, miscounts, or leaves anybody waiting for ever."""
    kind = type("Machine", (QuotaMachine,), {"given": given, "alone": alone})
    run_state_machine_as_test(kind, settings=SETTINGS)
