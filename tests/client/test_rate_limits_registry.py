"""Rate limiters of the process: one per quota, and none for ever."""

from __future__ import annotations

import gc
import multiprocessing
import threading
import uuid
import weakref
from typing import TYPE_CHECKING

import pytest
from client_support import Both, Clock, answer, embedded, envelope

import clova_studio as cs
from clova_studio._rate_limits import registry
from clova_studio._rate_limits.registry import Registry
from clova_studio._rate_limits.settings import RateLimits
from clova_studio._requests.text import embed

if TYPE_CHECKING:
    from clova_studio._rate_limits.limiter import RateLimiter


@pytest.mark.slow
def test_ten_thousand_keys_leave_a_bounded_number() -> None:
    """Clients with 10,000 keys that are gone leave 1,000 quotas at most, and none of those that are idle."""
    clock = Clock()
    known = Registry(clock)
    for key in range(10_000):
        use(known.limiter_of("https://host", str(key), "bge-m3"), clock)
    assert len(known) <= 1_000
    known.limiter_of("https://host", "9999", "bge-m3").give((5, None), 60.0)
    assert known.limiter_of("https://host", "9999", "bge-m3").status(clock.now).limit_requests == 5
    clock.now += 400
    for key in range(1_000):
        use(known.limiter_of("https://other", str(key), "bge-m3"), clock)
    assert len(known) == 1_000
    assert known.limiter_of("https://host", "9999", "bge-m3").status(clock.now).limit_requests is None


def use(limiter: RateLimiter, clock: Clock) -> None:
    """Send a request."""
    permit = limiter.enter(clock.now, embed("글", model="bge-m3"))
    limiter.land(permit, clock.now)


def test_a_quota_in_use_is_found_whatever_happens() -> None:
    """What a client holds is one quota for others, too, and what was used last outlives its client."""
    clock = Clock()
    known = Registry(clock)
    held = known.limiter_of("https://host", "held", "bge-m3")
    recent = weakref.ref(known.limiter_of("https://host", "recent", "bge-m3"))
    for key in range(5_000):
        clock.now += 1
        use(known.limiter_of("https://host", str(key), "bge-m3"), clock)
        limiter = recent()
        assert limiter is not None
        use(limiter, clock)
        del limiter
    assert known.limiter_of("https://host", "held", "bge-m3") is held
    assert known.limiter_of("https://host", "recent", "bge-m3") is recent()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_clients_that_live_for_one_call_share_what_was_learnt(kind: str) -> None:
    """A refusal of one client holds back the next one of the same key, though nobody holds the quota between them."""
    group = str(uuid.uuid4())
    refused = answer(envelope("42901", "no"), 429, x_ratelimit_reset_requests="30s")
    first = Both(kind, lambda: refused, quota_group=group, max_retries=0)
    with pytest.raises(cs.RateLimitError):
        first.call("embed", "글")
    del first
    gc.collect()
    second = Both(kind, lambda: answer(embedded()), quota_group=group, max_wait=1)
    with pytest.raises(cs.RateLimitError, match="max_wait"):
        second.call("embed", "글")
    assert not second.requests


@pytest.mark.slow
def test_one_client_with_many_quotas_is_bounded() -> None:
    """A client that calls 10,000 tuned models holds few of their quotas, and their limits hold all the same."""
    client = cs.ClovaStudio("nv-test-key", quota_group=str(uuid.uuid4()), rate_limits=RateLimits({"bge-m3": (7, None)}))
    for number in range(10_000):
        client.quota(f"task {number}")
    assert len(client._limiters) <= 256
    assert client.quota("bge-m3").limit_requests == 7
    gc.collect()
    assert len(registry._registry) <= 1_300


def _limit_in_a_fork() -> None:
    found = registry.limiter_of("https://host", "fork", "bge-m3")
    assert found._budget.requests.given is None


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_no_lock_of_its_parent() -> None:
    """A process that is forked while a thread of its parent asks for quotas has limiters of its own."""
    limiter = registry.limiter_of("https://host", "fork", "bge-m3")
    limiter.give((5, None), 60.0)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with registry._registry._lock:
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(5)
    child = multiprocessing.get_context("fork").Process(target=_limit_in_a_fork)
    child.start()
    child.join(10)
    alive = child.is_alive()
    child.kill()
    done.set()
    thread.join()
    assert not alive
    assert child.exitcode == 0
