"""The quotas of the process, and the line in front of each: what waits there, and what ends the waiting.

The service counts per main account and model, so one refused call must hold back all others: there is one quota for
every client, adapter, thread and event loop.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from clova_studio._errors import ClovaStudioError
from clova_studio._rate_limits.limiter import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BatchCancelledError", "CancelSignal", "limiter_of"]

# By process: a forked one has a copy of its parent's quotas, whose locks somebody may hold who is not there.
_quotas: dict[tuple[int, str, str, str], RateLimiter] = {}
_quotas_lock = threading.Lock()


def limiter_of(base_url: str, group: str, name: str) -> RateLimiter:
    """Return the quota of a model or tool, the same one for every client of the account in this process.

    Args:
        base_url: Where the account is.
        group: The client's ``quota_group``, or a hash of its key.
        name: The model or the tool.
    """
    key = (os.getpid(), base_url, group, name)
    quota = _quotas.get(key)
    if quota is None:
        with _quotas_lock:
            quota = _quotas.setdefault(key, RateLimiter(name))
    return quota


class BatchCancelledError(ClovaStudioError):
    """A request was not sent because its batch had ended. It never leaves the batch."""


class CancelSignal:
    """Ends the waiting of a whole batch: one that failed or is interrupted must not wait for its quota."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []

    def stop(self) -> None:
        """End all waiting, now and later."""
        with self._lock:
            self._stopped.set()
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    def sleep(self, seconds: float) -> None:
        """Sleep, unless it is over."""
        self._stopped.wait(seconds)

    def add(self, wake: Callable[[], None]) -> None:
        """Have something called when it is over."""
        with self._lock:
            self._wakers.append(wake)

    def check(self, request_id: str) -> None:
        """Go no further if it is over.

        Raises:
            BatchCancelledError: It is.
        """
        if self._stopped.is_set():
            raise BatchCancelledError("the batch has ended", request_id=request_id)

    def remove(self, wake: Callable[[], None]) -> None:
        """Have it called no more."""
        with self._lock:
            self._wakers.remove(wake)
