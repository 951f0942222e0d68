"""The rate limiters of the process, one per quota.

The service counts per main account and model, so one refused call must hold back all others: there is one limiter for
every client, adapter, thread and event loop.
"""

from __future__ import annotations

import os
import threading

from clova_studio._rate_limits.limiter import RateLimiter

__all__ = ["clear", "limiter_of"]

# By process: a forked one has a copy of its parent's limiters, whose locks a thread of the parent may hold.
_limiters: dict[tuple[int, str, str, str], RateLimiter] = {}
_lock = threading.Lock()


def limiter_of(base_url: str, group: str, name: str) -> RateLimiter:
    """Return the rate limiter of a model or tool, the same one for every client of the account in this process.

    Args:
        base_url: Where the account is.
        group: The client's ``quota_group``, or a hash of its key.
        name: The model or the tool.
    """
    key = (os.getpid(), base_url, group, name)
    limiter = _limiters.get(key)
    if limiter is None:
        with _lock:
            limiter = _limiters.setdefault(key, RateLimiter(name))
    return limiter


def clear() -> None:
    """Forget all limiters and what they learnt; clients that hold one keep it."""
    with _lock:
        _limiters.clear()
