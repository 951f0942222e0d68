"""The rate limiters of the process, one per quota.

The service counts per main account and model, so one refused call must hold back all others: there is one quota for
every client, adapter, thread and event loop.
"""

from __future__ import annotations

import os
import threading

from clova_studio._rate_limits.limiter import RateLimiter

__all__ = ["clear", "limiter_of"]

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


def clear() -> None:
    """Forget all quotas, and what was learnt of them; clients that hold one keep it."""
    with _quotas_lock:
        _quotas.clear()
