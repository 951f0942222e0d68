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
from clova_studio._retry import closes_quota, is_retryable
from clova_studio.types._base import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tenacity import RetryCallState

    from clova_studio._calls._call import Call
    from clova_studio._pacing import Quota
    from clova_studio._retry import RetryPolicy

__all__ = ["Attempts"]

ResultT = TypeVar("ResultT", bound=Result)

logger = logging.getLogger("clova_studio")

_LOGGED_WAIT = 2.0


@dataclass(slots=True)
class Attempts:
    """The state of one call between its attempts."""

    quota: Quota
    policy: RetryPolicy
    window: float
    max_wait: float | None
    idempotent: bool
    request_id: str
    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    last_error: ClovaStudioError | None = None
    _started: float = field(default=float("nan"))
    _waited: float = 0.0
    _turned_away: bool = False

    def gate_wait(self, waited: float) -> float:
        """Return how long to wait at the gate now; 0 lets the attempt go.

        Args:
            waited: Seconds already spent at the gate before this attempt.

        Raises:
            RateLimitError: The wait is known to be longer than ``max_wait``.
        """
        now = self.clock()
        needed = self.quota.wait_needed(now)
        if needed <= 0:
            if self._started != self._started:
                self._started = now
            self._waited += waited
            return 0.0
        if self.max_wait is not None and waited + needed > self.max_wait:
            self._turned_away = True
            raise RateLimitError(
                f"the quota of {self.quota.name} is closed for another {needed:.1f} s, longer than max_wait="
                f"{self.max_wait:g}: wait, raise max_wait, or send less a minute",
                status_code=429,
                code=self.last_error.code if isinstance(self.last_error, APIStatusError) else "42901",
                retry_after=needed,
                request_id=self.request_id,
            ) from self.last_error
        if needed > _LOGGED_WAIT:
            logger.warning("quota of %s is closed: request %s waits %.1f s", self.quota.name, self.request_id, needed)
        return needed

    def failed(self, error: ClovaStudioError) -> None:
        """Take note of a failed attempt; a used-up quota is closed for everybody, whether or not we try again."""
        if self._turned_away:
            return
        self.failures += 1
        self.last_error = error
        if closes_quota(error) and isinstance(error, APIStatusError):
            self.quota.close(self.clock(), self.policy.quota_delay(self.failures, error, self.window))

    def judged(
        self,
        judge: Callable[[int, Mapping[str, str], bytes, Call[ResultT]], ResultT],
        status_code: int,
        headers: Mapping[str, str],
        body: bytes,
        call: Call[ResultT],
    ) -> ResultT:
        """Return the result of an answer, where "not found" on a repetition may mean that the work is done."""
        try:
            return judge(status_code, headers, body, call)
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
        return not self._turned_away and is_retryable(error, idempotent=self.idempotent)

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
