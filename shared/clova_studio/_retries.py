"""When a failed request is sent again, and the one loop that sends it: wait, send once, decide once.

tenacity decides about the repetition: ``Attempts`` hands each failure to its state machine, which asks whether it is
worth another attempt, how long to back off, and whether to stop, each once; the first attempt pays for none of it. A
refusal for the quota needs no back-off: it closes the quota for everybody, and the next attempt waits for the limiter.
"""

from __future__ import annotations

import logging
import random
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clova_studio._errors import (
    APIStatusError,
    ClovaStudioError,
    ConfigurationError,
    NotFoundError,
    RateLimitError,
    closes_quota,
    is_retryable,
)
from clova_studio._rate_limits.belief import believed_input, believed_limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from tenacity import RetryCallState

    from clova_studio._concurrency import CancelSignal
    from clova_studio._rate_limits.limiter import RateLimiter
    from clova_studio._rate_limits.permits import Permit
    from clova_studio._rate_limits.waiters import LoopWaiter, ThreadWaiter
    from clova_studio._requests.call import Call
    from clova_studio.types._base import Result

__all__ = ["Attempts", "RetryPolicy", "arun_attempts", "run_attempts"]

T = TypeVar("T")
ResultT = TypeVar("ResultT", bound="Result")

logger = logging.getLogger("clova_studio")

_QUOTA_SHARES = (1 / 6, 1 / 3, 2 / 3, 1.0)  # of a window, for the first, second, third and every later refusal
# A reset that is more windows away is not waited for: one request per window looks whether it is true.
_MOST_WINDOWS = 5
_LOGGED_WAIT = 2.0  # seconds; shorter waits are not logged
_MOMENT = 0.001
_ROUNDING = 1e-6


def run_attempts(attempts: Attempts[Any], waiter: ThreadWaiter, send: Callable[[], T]) -> T:
    """Return what ``send`` returns; it is called as often as ``attempts`` allows."""
    while True:
        waiter.wait(attempts)
        try:
            return send()
        except BaseException as exc:  # noqa: BLE001  an interrupt gives its permit back, too
            attempts.failed(exc)


async def arun_attempts(attempts: Attempts[Any], waiter: LoopWaiter, send: Callable[[], Awaitable[T]]) -> T:
    """Async variant of ``run_attempts``."""
    while True:
        await waiter.wait(attempts)
        try:
            return await send()
        except BaseException as exc:  # noqa: BLE001  a cancellation gives its permit back, too
            attempts.failed(exc)


@dataclass(slots=True, eq=False)
class Attempts(Generic[ResultT]):
    """The attempts of one call: when the next may be sent, and what follows from the last. It decides, without I/O.

    Attributes:
        call: What to send.
        limiter: The rate limiter of the call's quota.
        policy: How failed requests are repeated.
        max_wait: Seconds to wait for the limiter before an attempt, None for no bound.
        clock: Returns monotonic seconds.
        signals: End the waiting: of the batch that the call belongs to, of its client.
    """

    call: Call[ResultT]
    limiter: RateLimiter
    policy: RetryPolicy
    max_wait: float | None
    clock: Callable[[], float]
    signals: tuple[CancelSignal, ...] = ()
    _permit: Permit | None = field(default=None, init=False)
    _order: int | None = field(default=None, init=False)
    _wake: Callable[[], None] | None = field(default=None, init=False)
    _asked: float = field(default=0.0, init=False)
    _waited: float = field(default=0.0, init=False)
    _not_before: float = field(default=0.0, init=False)
    _started: float | None = field(default=None, init=False)
    _logged: bool = field(default=False, init=False)
    _failures: int = field(default=0, init=False)
    _error: ClovaStudioError | None = field(default=None, init=False)
    _closes_quota: bool = field(default=False, init=False)
    _state: RetryCallState | None = field(default=None, init=False)

    # Before an attempt.

    def wait_time(self) -> float:
        """Return how long to wait before asking again, unless woken, in seconds; 0 if the attempt may be sent.

        Raises:
            APIConnectionError: The client was closed.
            BatchCancelledError: The batch that the call belongs to has ended.
            ConfigurationError: The request alone has more tokens than a window.
            RateLimitError: The wait is longer than ``max_wait``, or known to become so.
        """
        for signal in self.signals:
            signal.check(self.call.request_id)
        now = self.clock()
        if (back_off := self._not_before - now) > _ROUNDING:
            return back_off
        permit = self._permit
        if permit is None:
            self._asked, self._logged = now, False
            # A retry keeps its call's turn.
            permit = self._permit = self.limiter.enter(now, self.call, self._order)
            permit.wake, self._order = self._wake, permit.order
        wait = self.limiter.take(permit, now)
        if wait is None:
            self._started = now if self._started is None else self._started
            self._waited += now - self._asked
            return 0.0
        left = float("inf") if self.max_wait is None else self.max_wait - (now - self._asked)
        if wait.unknown:
            return wait.nap
        if wait.least > left or left < 0:
            raise RateLimitError(
                f"the quota of {self.limiter.name} is used up for another {wait.least:.1f} s, longer than max_wait="
                f"{self.max_wait:g}: wait, raise max_wait, or send fewer requests per minute",
                status_code=429,
                code=self._error.code if isinstance(self._error, APIStatusError) else "42901",
                retry_after=wait.least or None,
                request_id=self.call.request_id,
            ) from self._error
        if wait.least > _LOGGED_WAIT and not self._logged:
            self._logged = True
            facts = self.limiter.name, self.call.request_id, wait.least
            logger.warning("quota of %s is used up: request %s waits %.1f s", *facts)
        # A little longer than the bound, so that it is over when asked again.
        return min(wait.nap, left + _MOMENT)

    @contextmanager
    def woken_by(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have ``wake`` called whenever it is worth asking again."""
        self._wake = wake
        if self._permit is not None:
            self._permit.wake = wake
        for signal in self.signals:
            signal.add(wake)
        try:
            yield
        finally:
            self._wake = None
            for signal in self.signals:
                signal.remove(wake)

    def leave(self) -> None:
        """Give up the call's turn, if it has one."""
        if self._permit is not None:
            self.limiter.leave(self._permit)

    # After it.

    def parse(self, status_code: int, headers: Mapping[str, str], body: bytes) -> ResultT:
        """Return the result of an answer, and note that the service let the attempt through.

        Raises:
            ClovaStudioError: The answer is an error, or cannot be read.
        """
        from clova_studio._responses import parse_response

        try:
            result = parse_response(status_code, headers, body, self.call)
        except NotFoundError:
            # On a retry it may mean that the attempt before did the work.
            if not (self.call.gone_is_done and self._failures):
                raise
            result = self.call.result_type()
        self.landed(result)
        return result

    def landed(self, result: Result) -> None:
        """Note that the service let the attempt through.

        Args:
            result: The answer, or the first chunk of it.
        """
        if self._permit is not None:
            reported = result.rate_limit
            if reported is not None:
                reported = believed_limits(reported, (believed_input(result) or 0) + self.call.output_tokens())
            self.limiter.land(self._permit, self.clock(), reported)
            self.settle(result)

    def settle(self, result: Result) -> None:
        """Take the service's count of the input, where the result has it."""
        tokens = believed_input(result)
        if tokens is not None and self._permit is not None:
            self.limiter.settle(self._permit, tokens)

    def give_up(self) -> None:
        """Allow no attempt after this one."""
        self.policy = replace(self.policy, attempts=0)

    def failed(self, exc: BaseException) -> None:
        """Decide what follows from a failed attempt, and return if that is another attempt.

        A refusal closes the quota for everybody, whether or not this call is tried again.

        Raises:
            BaseException: ``exc``, or the client's error for it: there is no other attempt.
        """
        permit, self._permit = self._permit, None
        error = self._error = self._error_of(exc)
        if error is None:
            if permit is not None:
                self.limiter.drop(permit)
            raise exc
        self._failures += 1
        self._closes_quota = closes_quota(error)
        if permit is not None:
            self._return(permit, error)
        if error is not exc:
            error.__cause__ = exc
        if self.call.in_doubt and is_retryable(error) and not is_retryable(error, idempotent=False):
            error.message = f"{error.message}; {self.call.in_doubt}"
        self._decide(error)

    def _error_of(self, exc: BaseException) -> ClovaStudioError | None:
        """Return our error for what an attempt raised, None if it is the caller's own."""
        if isinstance(exc, ClovaStudioError):
            return exc
        from clova_studio._responses import transport_error

        return transport_error(exc, self.call.request_id)

    def _return(self, permit: Permit, error: ClovaStudioError) -> None:
        if not (self._closes_quota and isinstance(error, APIStatusError)):
            self.limiter.drop(permit)
            return
        window = self.limiter.window
        seconds = self.policy.quota_delay(self._failures, error, window)
        reported = error.rate_limit
        if reported is not None:
            reported = believed_limits(reported, self.call.input_tokens() + self.call.output_tokens())
        reset_known = error.retry_after is not None and error.retry_after <= _MOST_WINDOWS * window
        self.limiter.refuse(permit, self.clock(), seconds, reported, reset_known=reset_known)

    def _decide(self, error: ClovaStudioError) -> None:
        """Let tenacity decide about another attempt; it raises the error if there is none."""
        state = self._state
        if state is None:
            state = self._state = self._first_state()
        state.set_exception((type(error), error, error.__traceback__))
        try:
            state.retry_object.iter(state)
        except BaseException:
            # The traceback leads here: without these it would be a cycle that holds the connection.
            self._state = self._error = None
            raise
        self._not_before = self.clock() + state.upcoming_sleep
        state.prepare_for_next_attempt()

    def _first_state(self) -> RetryCallState:
        from tenacity import RetryCallState, Retrying, retry_if_exception

        engine = Retrying(
            retry=retry_if_exception(lambda error: is_retryable(error, idempotent=not self.call.in_doubt)),
            wait=lambda state: 0.0 if self._closes_quota else self.policy.back_off(state.attempt_number),
            stop=self._is_over,
            before_sleep=self._log_retry,
            reraise=True,
        )
        engine.begin()
        return RetryCallState(engine, fn=None, args=(), kwargs={})

    def _is_over(self, state: RetryCallState) -> bool:
        spent = self.clock() - (self._started or 0.0) - self._waited
        return state.attempt_number > self.policy.attempts or spent + state.upcoming_sleep > self.policy.total

    def _log_retry(self, state: RetryCallState) -> None:
        logger.warning(
            "request %s failed with %s: retry %d of %d %s",
            self.call.request_id,
            f"{type(self._error).__name__} {getattr(self._error, 'code', None) or ''}".strip(),
            state.attempt_number,
            self.policy.attempts,
            "when its quota opens" if self._closes_quota else f"in {state.upcoming_sleep:.1f} s",
        )


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a failed request is repeated. Times are seconds.

    Attributes:
        attempts: Retries after the first request, so at most ``attempts + 1`` requests. The client's ``max_retries``
            takes precedence.
        initial: Upper bound of the first wait; it doubles with each attempt. The wait is drawn between 0 and the bound.
        maximum: The highest upper bound.
        total: No new attempt starts later than this after the first one; a request in flight is never cut short, and
            time spent waiting for a quota does not count.

    Raises:
        ConfigurationError: ``attempts`` is not a whole number from 0, or a time is below 0.
    """

    attempts: int = 5
    initial: float = 0.5
    maximum: float = 8.0
    total: float = 120.0

    def __post_init__(self) -> None:
        if not isinstance(self.attempts, int) or isinstance(self.attempts, bool) or self.attempts < 0:
            raise ConfigurationError(f"max_retries must be a whole number from 0, got {self.attempts!r}")
        for name in ("initial", "maximum", "total"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not value >= 0:
                raise ConfigurationError(f"retry: {name} must be seconds from 0, got {value!r}")

    def with_attempts(self, attempts: int | None) -> RetryPolicy:
        """Return the policy with another number of retries.

        Args:
            attempts: Retries after the first request, from 0; None leaves the policy as it is.

        Raises:
            ConfigurationError: It is not a whole number from 0.
        """
        return self if attempts is None else replace(self, attempts=attempts)

    def delay(self, attempt: int, error: BaseException, *, draw: Callable[[], float] = random.random) -> float:
        """Return how long a call itself waits before its next attempt.

        Args:
            attempt: How many attempts have failed, from 1.
            error: The last failure.
            draw: Returns a number from 0 up to 1.

        Returns:
            Seconds; 0 where the rate limiter does the waiting.
        """
        return 0.0 if closes_quota(error) else self.back_off(attempt, draw=draw)

    def back_off(self, attempt: int, *, draw: Callable[[], float] = random.random) -> float:
        """Return how long a call backs off before its next attempt, whatever the failure.

        Args:
            attempt: How many attempts have failed, from 1.
            draw: Returns a number from 0 up to 1.

        Returns:
            Seconds.
        """
        return float(draw() * min(self.maximum, self.initial * 2 ** (attempt - 1)))

    def quota_delay(
        self, attempt: int, error: APIStatusError, window: float, *, draw: Callable[[], float] = random.random
    ) -> float:
        """Return how long a refusal closes the quota, in seconds.

        What the headers say; a whole window where they name more than five. Without a usable header a share of the
        window (one that is shorter than the window is worth a try: where in the window the refusal fell is not known),
        20 % more or less so that callers spread.

        Args:
            attempt: How many attempts have failed, from 1.
            error: The refusal.
            window: Seconds in which the service counts.
            draw: Returns a number from 0 up to 1.

        Returns:
            Seconds.
        """
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= _MOST_WINDOWS * window else window
        share = _QUOTA_SHARES[min(attempt, len(_QUOTA_SHARES)) - 1]
        return float(window * share * (0.8 + 0.4 * draw()))
