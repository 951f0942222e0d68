"""The rate limiters of the process, one per quota.

The service counts per main account and model, so one refused call must hold back all others: there is one limiter for
every client, adapter, thread and event loop. A quota that no client holds is forgotten once it is idle.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

from clova_studio._rate_limits.limiter import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio._rate_limits.stores.address import StoreAddress
    from clova_studio._rate_limits.stores.interface import QuotaStore

__all__ = ["Registry", "clear", "limiter_of"]

logger = logging.getLogger("clova_studio")

# Windows after which all that a service may still count is over.
_IDLE_WINDOWS = 5
_MOST = 1_000


class Registry:
    """Rate limiters by their quotas.

    A limiter that a client holds is always found. Of the others 1,000 at most are kept, for clients that live for one
    call: when there are more, those go that were idle for five windows, and a tenth at least, the longest idle first.

    Args:
        clock: Returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        """Forget all limiters and what they learnt; clients that hold one keep it."""
        self._lock = threading.Lock()
        self._known: weakref.WeakValueDictionary[tuple[str, str, str], RateLimiter] = weakref.WeakValueDictionary()
        # Those of them that are kept, and when they were asked for first.
        self._kept: dict[tuple[str, str, str], tuple[RateLimiter, float]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def limiter_of(
        self, base_url: str, group: str, name: str, store: StoreAddress | QuotaStore | None = None
    ) -> RateLimiter:
        """Return the rate limiter of a model or tool, the same one for every client of the account in this process.

        Args:
            base_url: Where the account is.
            group: The client's ``quota_group``, or a hash of its key.
            name: The model or the tool.
            store: Where processes share the quota, None for the store that another client has named, if any.
        """
        key = (base_url, group, name)
        with self._lock:
            kept = self._kept.get(key)
            limiter = self._known.get(key) if kept is None else kept[0]
            if limiter is not None and store is not None and limiter.store != store:
                kept, limiter = None, self._with_store(key, store, limiter)
            if limiter is None:
                limiter = RateLimiter(name) if store is None else self._with_store(key, store)
            self._known[key] = limiter
            if kept is not None:
                return limiter
            # Dropped when the lock is free again.
            dropped = self._forget() if len(self._kept) >= _MOST else []
            self._kept[key] = limiter, self._clock()
        del dropped
        return limiter

    def _with_store(
        self, key: tuple[str, str, str], store: StoreAddress | QuotaStore, before: RateLimiter | None = None
    ) -> RateLimiter:
        """Return the limiter of a quota that is shared through a store, in place of one that was not."""
        if before is not None and before.store is not None:
            logger.warning("two stores were named for the quota of %s: the first one is used", before.name)
            return before
        # Not before there is a store: nobody else pays for it.
        from clova_studio._rate_limits.coordinator import coordinator_of
        from clova_studio._rate_limits.shared_limiter import SharedRateLimiter

        quota = hashlib.sha256("\n".join(key).encode()).hexdigest()[:32]
        limiter = coordinator_of(store, lambda coordinator: SharedRateLimiter(key[2], quota, coordinator))
        limiter.store = store
        if before is not None:
            limiter.follow(before)
        return limiter

    def _forget(self) -> list[RateLimiter]:
        """Keep no longer what is idle, and a tenth at least; return them."""
        now = self._clock()
        used = {key: max(asked, limiter._now) for key, (limiter, asked) in self._kept.items()}  # noqa: SLF001  when last asked
        return [
            self._kept.pop(key)[0]
            for index, key in enumerate(sorted(used, key=used.__getitem__))
            if index < _MOST // 10 or used[key] + _IDLE_WINDOWS * self._kept[key][0].window <= now
        ]


_registry = Registry()
limiter_of = _registry.limiter_of
clear = _registry.clear
if hasattr(os, "register_at_fork"):
    # A forked process has a copy of its parent's limiters, whose locks a thread of the parent may hold.
    os.register_at_fork(after_in_child=_registry.clear)
