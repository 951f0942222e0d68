"""When a failed request is sent again, and how long to wait before.

The policy is a value; deciding is pure. Waiting for a quota is not in here: a 429 closes the quota for everybody in
``_rate_limits``, and the next attempt waits there.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clova_studio._error_codes import lookup
from clova_studio._errors import (
    APIConnectionError,
    APIStatusError,
    ConfigurationError,
    RateLimitError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RetryPolicy", "closes_quota", "is_retryable"]

_REQUEST_TIMEOUT = 408
_NOT_IMPLEMENTED = 501
# Of a window, for the first, second, third and every further refusal of a call.
_QUOTA_SHARES = (1 / 6, 1 / 3, 2 / 3, 1.0)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a failed request is repeated. Times are seconds.

    Attributes:
        attempts: Retries after the first request, so at most ``attempts + 1`` requests. The client's ``max_retries``
            goes before it.
        initial: Upper bound of the first wait; it doubles with each attempt. The wait is drawn between 0 and the bound.
        maximum: The highest upper bound.
        total: No new attempt starts later than this after the first one; a request under way is never cut short, and
            time spent waiting for a quota does not count.

    Raises:
        ConfigurationError: ``attempts`` is no whole number from 0, or a time is below 0.
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
            ConfigurationError: It is no whole number from 0.
        """
        return self if attempts is None else replace(self, attempts=attempts)

    def delay(self, attempt: int, error: BaseException, *, draw: Callable[[], float] = random.random) -> float:
        """Return how long a call itself waits before its next attempt.

        Args:
            attempt: How many attempts have failed, from 1.
            error: The last failure.
            draw: Returns a number from 0 up to 1.

        Returns:
            Seconds; 0 where the quota's gate does the waiting.
        """
        if closes_quota(error):
            return 0.0
        return float(draw() * min(self.maximum, self.initial * 2 ** (attempt - 1)))

    def quota_delay(
        self, attempt: int, error: APIStatusError, window: float, *, draw: Callable[[], float] = random.random
    ) -> float:
        """Return how long a refusal closes the quota, in seconds.

        What the headers say, or, without a usable header, a share of the window (one that is shorter than the window is
        worth a try: where in the window the refusal fell is not known), 20 % more or less so that callers spread.

        Args:
            attempt: How many attempts have failed, from 1.
            error: The refusal.
            window: Seconds in which the service counts.
            draw: Returns a number from 0 up to 1.

        Returns:
            Seconds.
        """
        if error.retry_after is not None:
            return error.retry_after
        share = _QUOTA_SHARES[min(attempt, len(_QUOTA_SHARES)) - 1]
        return float(window * share * (0.8 + 0.4 * draw()))


def closes_quota(error: BaseException) -> bool:
    """Return whether a failure says that the account's quota is used up, for every caller."""
    if not isinstance(error, RateLimitError):
        return False
    row = lookup(error.code, error.message)
    return row is None or row.closes_quota


def is_retryable(error: BaseException, *, idempotent: bool = True) -> bool:
    """Return whether sending the same request again can help and does no harm.

    Args:
        error: The failure.
        idempotent: Whether a request that may have reached the service can be repeated.
    """
    if isinstance(error, APIConnectionError):
        return idempotent
    if not isinstance(error, APIStatusError):
        return False
    row = lookup(error.code, error.message)
    if row is not None:
        return row.retry
    if isinstance(error, ServerError):
        return error.status_code != _NOT_IMPLEMENTED
    return isinstance(error, RateLimitError) or (error.status_code == _REQUEST_TIMEOUT and error.code is None)
