"""A service that counts in one of four ways, and calls of the real client against it, on a clock turned by events.

A minute of the service takes milliseconds, and no thread and no sleep is involved.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quota_service import COUNTINGS, HEADERS, QuotaService

from clova_studio import Embedding, RateLimitError, RetryPolicy
from clova_studio._rate_limits.coordinator import Coordinator
from clova_studio._rate_limits.limiter import RateLimiter
from clova_studio._rate_limits.shared_limiter import SharedRateLimiter
from clova_studio._requests.call import Call
from clova_studio._retries import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clova_studio._rate_limits.stores.interface import QuotaStore

__all__ = ["COUNTINGS", "HEADERS", "Outcome", "simulate"]

# In each direction, and what an answer takes beside.
_NETWORK = (0.004, 0.012)
_SERVICE = (0.02, 0.08)
# What a question to a store takes.
_STORE = 0.0005
_ROUND_TRIP = sum(_NETWORK) + sum(_SERVICE) / 2
_WINDOWS = 6


class EventQueue:
    """What happens when, on a virtual clock."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._events, (self.now + seconds, next(self._sequence), action))

    def run(self, until: float) -> None:
        """Let happen what happens until then."""
        while self._events and self._events[0][0] <= until:
            self.now, _, action = heapq.heappop(self._events)
            action()


@dataclass
class Job:
    """One text to embed, or one chat: how many tokens the client estimates, and the service counts."""

    estimate: int
    tokens: int
    output: int = 0


class JobCall(Call[Embedding]):
    """A call whose tokens are the job's."""

    job: Job

    def input_tokens(self) -> int:
        return self.job.estimate

    def output_tokens(self) -> int:
        return self.job.output


@dataclass(eq=False)
class Process:
    """A process with a rate limiter of its own, which works through its jobs.

    Attributes:
        jobs: What is to be done.
        in_flight: Calls at once; None for all at once.
        limits: Requests and tokens that it is given.
        store: Where processes share the quota, None for a process alone.
    """

    events: EventQueue
    service: QuotaService
    window: float
    jobs: deque[Job]
    in_flight: int | None = 32
    limits: tuple[int | None, int | None] | None = None
    store: QuotaStore | None = None
    draw: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311  a schedule, no secret
    done: int = 0
    finished_at: float = math.inf
    errors: int = 0

    def __post_init__(self) -> None:
        self.alive = True
        self._asked_at = math.inf
        if self.store is None:
            self.limiter = RateLimiter("bge-m3")
        else:
            self.coordinator = Coordinator(
                self.store, clock=lambda: self.events.now, wake=lambda: self._ask_after(_STORE)
            )
            self.limiter = SharedRateLimiter("bge-m3", "quota", self.coordinator)
            self.coordinator.add(self.limiter)
        self.limiter.give(self.limits or (None, None), self.window)
        self._all = len(self.jobs)
        for _ in range(min(self.in_flight or self._all, self._all)):
            self.events.after(self.draw.uniform(0, 0.002), self._next)

    def _ask_after(self, seconds: float) -> None:
        """Have the coordinator ask the store, in place of its thread."""
        time = self.events.now + max(_STORE, seconds)
        if time < self._asked_at:
            self._asked_at = time
            self.events.after(time - self.events.now, lambda: self._ask_store(time))

    def _ask_store(self, time: float) -> None:
        if time != self._asked_at or not self.alive:
            return
        self._asked_at = math.inf
        seconds = self.coordinator.step()
        if seconds is not None:
            self._ask_after(seconds)

    def kill(self) -> None:
        """End the process: nothing of it happens any more, and nobody is told."""
        self.alive = False
        self.jobs.clear()

    def _next(self) -> None:
        if self.jobs and self.alive:
            _Caller(self, self.jobs.popleft()).ask()

    def answered(self) -> None:
        """Count a job as done and take the next."""
        self.done += 1
        if self.done == self._all:
            self.finished_at = self.events.now
        self._next()

    def failed(self, job: Job) -> None:
        """Put a job back that was refused too often, as a batch does."""
        self.errors += 1
        self.jobs.appendleft(job)
        self._next()


class _Caller:
    """One call with its attempts: what a thread does in ``run_attempts``, event by event."""

    def __init__(self, process: Process, job: Job) -> None:
        self._process = process
        self._job = job
        call = JobCall("POST", "/v1/api-tools/embedding/v2", {}, Embedding, "bge-m3", request_id="1")
        object.__setattr__(call, "job", job)
        self._attempts = Attempts(call, process.limiter, RetryPolicy(), max_wait=None, clock=lambda: process.events.now)
        self._turn = 0
        self._waiting: ExitStack | None = None

    def ask(self) -> None:
        """Ask for the permit, and send the request or wait."""
        if not self._process.alive:
            return
        self._turn += 1
        events = self._process.events
        seconds = self._attempts.wait_time()
        if seconds:
            if self._waiting is None:
                self._waiting = ExitStack()
                self._waiting.enter_context(self._attempts.woken_by(lambda: self._ask_at(0.0)))
            self._ask_at(seconds)
            return
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None
        events.after(self._process.draw.uniform(*_NETWORK), self._arrive)

    def _ask_at(self, seconds: float) -> None:
        turn = self._turn

        def ask() -> None:
            # Woken and due at once: the first of both asks.
            if self._waiting is not None and turn == self._turn:
                self.ask()

        self._process.events.after(seconds, ask)

    def _arrive(self) -> None:
        process, job = self._process, self._job
        passed, reported, retry_after = process.service.arrive(process.events.now, job.tokens + job.output, process)
        back = process.draw.uniform(*_NETWORK)
        if passed:
            result = Embedding(embedding=[1.0], input_tokens=job.tokens, rate_limit=reported)
            process.events.after(back + process.draw.uniform(*_SERVICE), lambda: self._landed(result))
        else:
            error = RateLimitError("no", status_code=429, code="42901", retry_after=retry_after)
            error.rate_limit = reported
            process.events.after(back, lambda: self._refused(error))

    def _landed(self, result: Embedding) -> None:
        if not self._process.alive:
            return
        self._attempts.landed(result)
        self._process.answered()

    def _refused(self, error: RateLimitError) -> None:
        if not self._process.alive:
            return
        try:
            self._attempts.failed(error)
        except RateLimitError:
            self._process.failed(self._job)
        else:
            self.ask()


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        share: Of what the service allows in the five windows after the first.
        refused: Of the requests that arrived in these windows, the share that was refused.
        refused_in_all: The same with the first window.
        parts: Of each process: what it got of an equal share, in the same windows.
        seconds: Until all jobs were done.
    """

    share: float
    refused: float
    refused_in_all: float
    parts: tuple[float, ...]
    seconds: float


def simulate(
    counting: str,
    headers: str,
    *,
    scarce: str = "requests",
    given: bool = False,
    processes: int = 1,
    in_flight: int | None = 32,
    window: float = 6.0,
    limit: int | None = 60,
    seed: int = 7,
    jobs: int | None = None,
    stray: Callable[[int], bool] | None = None,
    stray_reset: float | None = None,
    store: Callable[[Callable[[], float]], QuotaStore] | None = None,
    disturb: Callable[[EventQueue, Sequence[Process]], object] | None = None,
) -> Outcome:
    """Run the first window of a service and the five after it, which are measured.

    Args:
        counting: One of ``COUNTINGS``.
        headers: One of ``HEADERS``.
        scarce: ``"requests"`` or ``"tokens"``.
        given: Whether the limits are given to the client.
        processes: Processes with a rate limiter each, with the same number of jobs.
        in_flight: Calls at once of each process, None for all.
        window: Seconds.
        limit: Requests per window, or as many requests of the average size. None for a service without a quota, which
            allows as much as the calls in flight can do.
        seed: Of all that is drawn.
        jobs: How many jobs there are, and all of them are done; without, more than the windows take.
        stray: Whether a request is refused without a reason, by its number from 1.
        stray_reset: The reset that such a refusal names, None for no header.
        store: Returns the store that the processes share, with their clock.
        disturb: Has something happen in the middle.
    """
    draw = random.Random(seed)  # noqa: S311  a schedule, no secret
    random.seed(seed)
    events = EventQueue()
    begin = events.now
    most = int((in_flight or 1) * window / _ROUND_TRIP) if limit is None else limit
    work = [_job(draw) for _ in range(jobs or most * _WINDOWS * 3 // 2)]
    if scarce == "tokens":
        most = int(sum(job.tokens + job.output for job in work) / len(work) * most)
    limits = (None, None) if limit is None else (most, None) if scarce == "requests" else (None, most)
    service = QuotaService(
        counting,
        headers,
        window=window,
        requests=limits[0],
        tokens=limits[1],
        phase=begin + draw.uniform(0.2, 0.8) * window,
        stray=stray,
        stray_reset=stray_reset,
    )
    shared = None if store is None else store(lambda: events.now)
    runners = [
        Process(
            events,
            service,
            window,
            deque(work[i::processes]),
            in_flight=in_flight,
            limits=limits if given else None,
            store=shared,
            draw=random.Random(seed + i),  # noqa: S311
        )
        for i in range(processes)
    ]
    if disturb is not None:
        disturb(events, runners)
    events.run(begin + window * (_WINDOWS if jobs is None else 100))
    cost = 0 if scarce == "requests" else 1
    passed = [(time - begin, tokens if cost else 1, who) for time, tokens, who in service.passed]
    end = begin + _WINDOWS * window
    got = [sum(amount for time, amount, who in passed if who is runner and time >= window) for runner in runners]
    return Outcome(
        share=_share([(time, amount) for time, amount, _ in passed], most, window),
        refused=_refused(service, begin + window, end),
        refused_in_all=_refused(service, begin, end),
        parts=tuple(part / (most * (_WINDOWS - 1) / processes) for part in got),
        seconds=max(runner.finished_at for runner in runners) - begin,
    )


def _job(draw: random.Random) -> Job:
    estimate = draw.randint(100, 500)
    return Job(estimate, int(estimate * draw.uniform(0.75, 0.95)), output=100)


def _share(passed: Sequence[tuple[float, int]], limit: int, window: float) -> float:
    """Return the share of the rate that is allowed after the first window, which is full at once.

    Full windows come at once, too: a rate is taken from the first request to the end of such a burst.
    """
    used, best = 0, 0.0
    for time, amount in passed:
        used += amount
        if (_WINDOWS - 1) * window <= time < _WINDOWS * window:
            best = max(best, (used / limit - 1) * window / (time - passed[0][0]))
    return min(1.0, best)


def _refused(service: QuotaService, since: float, until: float) -> float:
    refused = sum(since <= time < until for time, _ in service.refused)
    return refused / max(1, refused + sum(since <= time < until for time, _, _ in service.passed))
