"""Quotas: what the account may send, kept once for every client, adapter, thread and event loop of the process.

The service counts per main account and model, so one refused call must hold back all others: a 429 closes the quota's
gate until its reset, and every attempt, also a retry, passes the gate first. No I/O and no sleeping in here: a gate
says how long to wait, the caller waits.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from clova_studio._errors import ConfigurationError

__all__ = ["Quota", "RateLimits", "quota_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What is known of the account's limits.

    Attributes:
        window: Seconds in which the service counts. A refusal without a reset header closes the quota for a share of
            it.
    """

    window: float = 60.0

    def __post_init__(self) -> None:
        if not isinstance(self.window, (int, float)) or isinstance(self.window, bool) or not self.window > 0:
            raise ConfigurationError(f"rate_limits: window must be a number of seconds above 0, got {self.window!r}")


class Quota:
    """The gate in front of one quota. Safe to use from any thread."""

    __slots__ = ("_closed_until", "_lock", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._closed_until = float("-inf")
        self._lock = threading.Lock()

    def wait_needed(self, now: float) -> float:
        """Return the seconds until the gate opens; 0 if it is open.

        Args:
            now: The monotonic time.
        """
        # One read of one reference: no lock on the way of every request.
        return max(0.0, self._closed_until - now)

    def close(self, now: float, seconds: float) -> None:
        """Close the gate for everybody. A shorter closing never opens a longer one."""
        with self._lock:
            self._closed_until = max(self._closed_until, now + seconds)


_quotas: dict[tuple[str, str, str], Quota] = {}
_quotas_lock = threading.Lock()


def quota_of(base_url: str, group: str, name: str) -> Quota:
    """Return the quota of a model or tool, the same one for every client of the account in this process.

    Args:
        base_url: Where the account is.
        group: The client's ``quota_group``, or a hash of its key.
        name: The model or the tool.
    """
    key = (base_url, group, name)
    quota = _quotas.get(key)
    if quota is None:
        with _quotas_lock:
            quota = _quotas.setdefault(key, Quota(name))
    return quota
