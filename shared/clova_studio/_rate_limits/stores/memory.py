"""A store in the memory of this process: the plainest one, to try things out and for tests."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from typing import TYPE_CHECKING

from clova_studio._rate_limits.stores.interface import QuotaStore
from clova_studio._rate_limits.stores.records import Delta, Known

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio._rate_limits.stores.records import Change

__all__ = ["MemoryQuotaStore"]


class _Kept:
    """What is kept of a quota."""

    def __init__(self) -> None:
        self.known = Known(uuid.uuid4().hex)
        self.state: str | None = None
        self.expires = float("inf")
        # In the order of their last changes: version, time and text.
        self.permits: OrderedDict[str, tuple[int, float, str]] = OrderedDict()


class MemoryQuotaStore(QuotaStore):
    """Keeps quotas in memory: for several clients of one process, and to try things out.

    Args:
        clock: Returns monotonic seconds.
    """

    kind = "memory"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._quotas: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def update(self, quota: str, known: Known, change: Callable[[Delta], Change | None]) -> Known:
        """See ``QuotaStore.update``.

        Args:
            quota: The name of the quota.
            known: Up to where the caller knows it.
            change: Returns what to write, see there.
        """
        with self._lock:
            now = self._clock()
            kept = self._quotas.get(quota)
            if kept is None or kept.expires <= now:
                kept = _Kept()
            since = known.version if known.epoch == kept.known.epoch else -1
            permits = [(name, text) for name, (version, _, text) in kept.permits.items() if version > since]
            fresh = kept.state if since < kept.known.version else None
            found = change(Delta(now, kept.known, fresh, permits))
            if found is None:
                return kept.known
            kept.known = Known(kept.known.epoch, kept.known.version + 1)
            kept.state, kept.expires = found.state, now + found.expires
            for name, text in found.permits.items():
                kept.permits[name] = kept.known.version, now, text
                kept.permits.move_to_end(name)
            while kept.permits and next(iter(kept.permits.values()))[1] < now - found.keep:
                kept.permits.popitem(last=False)
            self._quotas[quota] = kept
            return kept.known
