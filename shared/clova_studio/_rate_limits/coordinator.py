"""The one thread of a process that talks to a store of shared quotas, for all calls and event loops.

Nobody waits for it: it lets calls through and wakes them, and if the store fails, or takes too long, they go on alone.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid
import weakref
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from clova_studio._rate_limits.shared_facts import Facts
from clova_studio._rate_limits.stores.address import StoreAddress
from clova_studio._rate_limits.stores.records import QuotaStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio._rate_limits.shared_limiter import SharedRateLimiter
    from clova_studio._rate_limits.stores.interface import QuotaStore

__all__ = ["Coordinator", "coordinator_of"]

logger = logging.getLogger("clova_studio")

# Seconds: between two looks whether a store that failed answers, between two looks whether anybody uses it, and between
# two counts of what all processes use.
_PING = 0.5
_IDLE = 30.0
_COUNT = 0.2
# Seconds that the end of the process may wait for the last reports.
_FAREWELL = 0.3


class Coordinator:
    """Asks one store for all shared quotas of this process.

    Args:
        store: The store.
        shown: How messages name it, without secrets.
        clock: Returns the monotonic seconds that the limiters have, too.
        wake: Is called when ``step`` is to be called; default: a thread does that.

    Attributes:
        process: The id of this process in the store.
        failing: Whether the store is left out.
        patience: Seconds after which nobody waits for an answer of the store any more.
    """

    # A store bounds each of its steps by a quarter of a second. This is for what it has no power over.
    patience = 1.0

    def __init__(
        self,
        store: QuotaStore,
        shown: str = "",
        *,
        clock: Callable[[], float] = time.monotonic,
        wake: Callable[[], object] | None = None,
    ) -> None:
        self.process = uuid.uuid4().hex[:12]
        self.failing = False
        self._store = store
        self._shown = shown or store.kind
        self._clock = clock
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._wake = wake
        self._pid = os.getpid()
        self._limiters: dict[str, weakref.ref[SharedRateLimiter]] = {}
        # When each quota was counted, and heard of, last.
        self._counted: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._ending = self._retired = False
        # When the question began that the store has not answered yet.
        self._asked: float | None = None
        self._why = ""
        self._ping_at = 0.0
        # A question that was given up is not taken for answered later.
        self._failures = 0

    # In any thread.

    @property
    def kind(self) -> str:
        """What kind of store it is."""
        return self._store.kind

    @property
    def complaint(self) -> str:
        """What is wrong with the store, in words."""
        return f"the quota store {self._shown} does not work ({self._why})"

    def add(self, limiter: SharedRateLimiter) -> None:
        """Ask for the calls of a limiter, too, as long as it is in use."""
        self._limiters[limiter.quota] = weakref.ref(limiter, lambda _: self.wake())

    def check(self) -> None:
        """Leave the store out if it takes too long."""
        asked = self._asked
        if asked is not None and not self.failing and self._clock() - asked > self.patience:
            self._fail(f"no answer within {self.patience:g} s")

    def wake(self) -> None:
        """Have the store asked as soon as possible. Never waits, and may be called again while it runs."""
        if self._wake is not None:
            self._wake()
            return
        self._wakes.put(None)
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        with self._starting:
            if (self._thread is not None and self._thread.is_alive()) or self._retired or os.getpid() != self._pid:
                return
            self._thread = threading.Thread(target=self._run, name="clova-quota-store", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as exc:  # the interpreter ends
                self._why, self.failing = str(exc), True

    def _fail(self, why: str) -> None:
        self._why, self.failing = why, True
        self._failures += 1
        self._ping_at = self._clock() + _PING
        if not self._ending:
            logger.warning("%s: this process goes on with its own share of the quota until it does", self.complaint)

    # In the thread.

    def _run(self) -> None:
        while not self._ending:
            seconds = self.step()
            try:
                self._wakes.get(timeout=_IDLE if seconds is None else max(0.0, seconds))
                while True:
                    self._wakes.get_nowait()
            except Empty:
                pass
            if self._unused():
                break
        else:
            for limiter in self._alive():
                limiter.asks_at = float("-inf")
            self.step()
        self._store.close()

    def _unused(self) -> bool:
        """Return whether no limiter is left; then the next one gets another coordinator."""
        with _lock:
            if self._alive():
                return False
            for key in [key for key, other in _known.items() if other is self]:
                del _known[key]
            self._retired = True
            return True

    def step(self) -> float | None:
        """Ask what is to be asked now; return in how many seconds there is more, None if nobody knows."""
        now = self._clock()
        if self.failing:
            if now < self._ping_at or not self._works():
                return max(0.0, self._ping_at - self._clock())
            logger.warning("the quota store %s works again: the quota is shared", self._shown)
            for limiter in self._alive():
                limiter.rejoin(self._clock())
        for limiter in self._alive():
            if limiter.asks_at <= self._clock():
                self._ask(limiter)
            if self.failing:
                self._part()
                return max(0.0, self._ping_at - self._clock())
        soonest = min((limiter.asks_at for limiter in self._alive()), default=float("inf"))
        return None if soonest == float("inf") else max(0.0, soonest - self._clock())

    def _ask(self, limiter: SharedRateLimiter) -> None:
        questions = limiter.questions(self._clock())
        if questions is None:
            return
        quota, failures = limiter.quota, self._failures
        self._asked = self._clock()
        try:
            answers = self._store.ask(quota, self.process, questions.operations, questions.member)
        except Exception as exc:  # noqa: BLE001  whatever it is, no call fails for it
            if failures == self._failures:
                self._fail(_reason(exc))
            return
        finally:
            self._asked = None
        if failures != self._failures:
            return
        now = self._heard[quota] = self._clock()
        facts = None
        if now >= self._counted.get(quota, 0.0) + _COUNT or not questions.takes:
            self._counted[quota] = now
            facts = self._facts(limiter)
        clash = limiter.answered(questions, answers, now, facts)
        if clash is not None:
            logger.warning(clash)

    def _facts(self, limiter: SharedRateLimiter) -> Facts:
        view = self._store.view(limiter.quota, self.process)
        time = self._heard.get(limiter.quota, self._clock())
        return Facts(view.status(), view.limits(), view.share(), view.of_others(), time)

    def _part(self) -> None:
        """Have all calls go on without the store, with what is known of their quotas."""
        for limiter in self._alive():
            if limiter.quota in self._heard:
                limiter.learn(self._facts(limiter))
            limiter.part(self._clock())

    def _works(self) -> bool:
        try:
            self._store.check()
            for limiter in self._alive():
                # The trouble may be with what is kept of one quota.
                self._store.ask(limiter.quota, self.process, ())
        except Exception as exc:  # noqa: BLE001  as above
            self._why = _reason(exc)
            self._ping_at = self._clock() + _PING
            return False
        self._why, self.failing = "", False
        return True

    def _alive(self) -> list[SharedRateLimiter]:
        found = []
        for quota, known in list(self._limiters.items()):
            limiter = known()
            if limiter is not None:
                found.append(limiter)
            elif self._limiters.get(quota) is known:
                del self._limiters[quota]
                self._counted.pop(quota, None)
                self._heard.pop(quota, None)
                self._store.forget(quota, self.process)
        return found

    def finish(self) -> None:
        """Tell the store the last things, at the end of the process."""
        thread = self._thread
        if thread is not None and thread.is_alive() and os.getpid() == self._pid:
            self._ending = True
            self._wakes.put(None)
            thread.join(_FAREWELL)


def _reason(exc: Exception) -> str:
    return str(exc) if isinstance(exc, QuotaStoreError) else type(exc).__name__


_lock = threading.RLock()
_known: dict[Any, Coordinator] = {}


def coordinator_of(
    store: StoreAddress | QuotaStore, limiter_of: Callable[[Coordinator], SharedRateLimiter]
) -> SharedRateLimiter:
    """Return a new limiter with the coordinator of its store, which is one for the process.

    Args:
        store: The store.
        limiter_of: Returns the limiter.
    """
    with _lock:
        coordinator = _known.get(store)
        if coordinator is None:
            if not _known:
                atexit.unregister(_finish)
                atexit.register(_finish)
            opened = store.open() if isinstance(store, StoreAddress) else store
            coordinator = _known[store] = Coordinator(opened, str(store) if isinstance(store, StoreAddress) else "")
        limiter = limiter_of(coordinator)
        coordinator.add(limiter)
    return limiter


def _finish() -> None:
    for coordinator in list(_known.values()):
        coordinator.finish()


def _begin_anew() -> None:
    """Begin without coordinators in a forked process: threads and connections are its parent's."""
    global _lock, _known
    _lock, _known = threading.RLock(), {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
