"""The attempts of one call: what sync and async share of passing the gate, failing and trying again.

tenacity drives the repetition; what is decided is decided here, once for both clients. The first attempt runs outside
of it, so that a call that succeeds pays nothing for the machinery: only its failure is replayed into tenacity.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from clova_studio._errors import APIStatusError, ClovaStudioError, NotFoundError, RateLimitError
from clova_studio._retries import closes_quota, is_retryable
from clova_studio.types._base import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tenacity import RetryCallState

    from clova_studio._concurrency import CancelSignal
    from clova_studio._rate_limits.limiter import RateLimiter
    from clova_studio._rate_limits.permits import Slot, Ticket
    from clova_studio._requests.call import Call
    from clova_studio._retries import RetryPolicy

__all__ = ["Attempts"]

ResultT = TypeVar("ResultT", bound=Result)

logger = logging.getLogger("clova_studio")

_LOGGED_WAIT = 2.0
_MOMENT = 0.001


@dataclass(slots=True)
class Attempts:
    """The state of one call between its attempts."""

    call: Call[Any]
    quota: RateLimiter
    policy: RetryPolicy
    max_wait: float | None
    clock: Callable[[], float] = time.monotonic
    cancel: CancelSignal | None = None
    failures: int = 0
    last_error: ClovaStudioError | None = None
    ticket: Ticket | None = None
    _order: int | None = None
    _arrived: float = 0.0
    _started: float = field(default=float("nan"))
    _waited: float = 0.0
    _turned_away: bool = False
    _logged: bool = False

    @property
    def request_id(self) -> str:
        """The id that goes with every attempt."""
        return self.call.request_id

    def arrive(self) -> bool:
        """Come to the gate; return whether the attempt may go at once.

        Raises:
            ConfigurationError: The request alone has more tokens than a window.
        """
        self._arrived = now = self.clock()
        self.ticket = ticket = self.quota.enter(now, self.call, self._order)
        # A repetition keeps its call's place in the line.
        self._order = ticket.order
        self._logged = False
        if ticket.slot is None:
            return False
        self._go(now)
        return True

    def at_gate(self, ticket: Ticket) -> float:
        """Return how long to wait before asking again, unless woken; 0 lets the attempt go.

        Raises:
            RateLimitError: The wait is longer than ``max_wait``, or known to become so.
        """
        now = self.clock()
        wait = self.quota.poll(ticket, now)
        if wait is None:
            self._go(now)
            return 0.0
        waited = now - self._arrived
        left = float("inf") if self.max_wait is None else self.max_wait - waited
        if wait.least > left or left < 0:
            self._turned_away = True
            raise RateLimitError(
                f"the quota of {self.quota.name} is used up for another {wait.least:.1f} s, longer than max_wait="
                f"{self.max_wait:g}: wait, raise max_wait, or send less a minute",
                status_code=429,
                code=self.last_error.code if isinstance(self.last_error, APIStatusError) else "42901",
                retry_after=wait.least or None,
                request_id=self.request_id,
            ) from self.last_error
        if wait.least > _LOGGED_WAIT and not self._logged:
            self._logged = True
            logger.warning("quota of %s is used up: request %s waits %.1f s", *self._facts(), wait.least)
        # A little longer than the bound, so that it is over when asked again.
        return min(wait.nap, left + _MOMENT)

    def leave(self) -> None:
        """Give up the place in the line."""
        if self.ticket is not None:
            self.quota.leave(self.ticket)

    def passed(self, result: Result) -> None:
        """Take note that the service has let the attempt through.

        Args:
            result: What came, or the first piece of it.
        """
        slot = self._slot
        if slot is not None:
            self.quota.passed(slot, self.clock(), result.rate_limit)
            self.counted(result)

    def counted(self, result: Result) -> None:
        """Take the service's count of the input, where the result has it."""
        usage = getattr(result, "usage", None)
        tokens = getattr(result, "input_tokens", None) if usage is None else usage.prompt_tokens
        slot = self._slot
        if isinstance(tokens, int) and slot is not None:
            self.quota.counted(slot, tokens)

    def abandoned(self) -> None:
        """Take note that the attempt ended without an answer or an error of ours."""
        if self._slot is not None:
            self.quota.dropped(self._slot)

    def failed(self, error: ClovaStudioError) -> None:
        """Take note of a failed attempt; a used-up quota is closed for everybody, whether or not we try again."""
        self.failures += 1
        self.last_error = error
        slot = self._slot
        if slot is None:
            return
        if closes_quota(error) and isinstance(error, APIStatusError):
            self.quota.refused(
                slot,
                self.clock(),
                self.policy.quota_delay(self.failures, error, self.quota.window),
                error.rate_limit,
                reset_known=error.retry_after is not None,
            )
        else:
            self.quota.dropped(slot)

    @property
    def _slot(self) -> Slot | None:
        return None if self.ticket is None else self.ticket.slot

    def _go(self, now: float) -> None:
        if self._started != self._started:
            self._started = now
        self._waited += now - self._arrived

    def _facts(self) -> tuple[str, str]:
        return self.quota.name, self.request_id

    def parsed(
        self,
        parse_response: Callable[[int, Mapping[str, str], bytes, Call[ResultT]], ResultT],
        status_code: int,
        headers: Mapping[str, str],
        body: bytes,
        call: Call[ResultT],
    ) -> ResultT:
        """Return the result of an answer, where "not found" on a repetition may mean that the work is done."""
        try:
            return parse_response(status_code, headers, body, call)
        except NotFoundError:
            if not (call.gone_is_done and self.failures):
                raise
            return call.result_type()

    def may_retry(self, error: BaseException) -> bool:
        """Return whether the failure is one that another attempt may mend, and one is left."""
        return self._is_retryable(error) and self.failures <= self.policy.attempts

    def settings(self) -> dict[str, Any]:
        """Return what a tenacity controller needs, apart from ``sleep``."""
        return {
            "retry": lambda state: state.outcome.failed and self._is_retryable(state.outcome.exception()),
            "wait": self._wait,
            "stop": self._stop,
            "before_sleep": self._log_retry,
            "reraise": True,
        }

    def _is_retryable(self, error: BaseException) -> bool:
        return not self._turned_away and is_retryable(error, idempotent=self.call.idempotent)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return self.policy.delay(self.failures, error) if error else 0.0

    def _stop(self, state: RetryCallState) -> bool:
        spent = self.clock() - self._started - self._waited
        return self.failures > self.policy.attempts or spent + state.upcoming_sleep > self.policy.total

    def _log_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        code = getattr(error, "code", None)
        logger.warning(
            "request %s failed with %s%s: retry %d of %d %s",
            self.request_id,
            type(error).__name__,
            f" {code}" if code else "",
            self.failures,
            self.policy.attempts,
            "when its quota opens" if error and closes_quota(error) else f"in {state.upcoming_sleep:.1f} s",
        )
