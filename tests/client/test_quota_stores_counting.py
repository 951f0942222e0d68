"""Four processes that share a quota, however the service counts, on a clock turned by events.

``tests/benchmarks`` measures the same in real time, with real stores.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from quota_simulator import simulate

from clova_studio import MemoryQuotaStore
from clova_studio._rate_limits.stores.records import QuotaStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _no_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Leave the lines for each retry out of the report of a failure."""
    caplog.set_level(logging.ERROR, "clova_studio")  # until the test ends


class FragileStore(MemoryQuotaStore):
    """A store that can be taken away, with all that it knows."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.gone = False

    def update(self, *arguments: Any) -> Any:
        if self.gone:
            raise QuotaStoreError("gone")
        return super().update(*arguments)

    def take_away(self) -> None:
        self.gone = True
        self._quotas.clear()

    def bring_back(self) -> None:
        self.gone = False


CASES = [
    ("sliding", "none", "tokens", True),
    ("fixed", "none", "tokens", False),
    ("aligned", "reset", "requests", False),
    ("bucket", "none", "requests", False),
]


@pytest.mark.parametrize(("counting", "headers", "scarce", "given"), CASES)
def test_every_way_of_counting(*, counting: str, headers: str, scarce: str, given: bool) -> None:
    """Four processes together get what the service allows, each its part, and are hardly refused."""
    outcome = simulate(counting, headers, scarce=scarce, given=given, processes=4, store=MemoryQuotaStore)
    assert outcome.share >= (0.95 if given else 0.9)
    assert outcome.refused <= (0.01 if given else 0.05)
    assert min(outcome.parts) >= 0.7


def test_one_that_is_killed_leaves_its_part() -> None:
    """After one of four processes is killed, in the middle of its requests, the others have the whole quota."""
    outcome = simulate(
        "sliding",
        "none",
        given=True,
        processes=4,
        in_flight=16,
        limit=40,
        store=MemoryQuotaStore,
        disturb=lambda events, runners: events.after(13.0, runners[1].kill),
    )
    assert outcome.share >= 0.95
    assert outcome.refused <= 0.01
    assert min(outcome.parts[:1] + outcome.parts[2:]) >= 1.0


@pytest.mark.parametrize("given", [True, False])
def test_a_store_that_is_gone_for_two_windows(*, given: bool) -> None:
    """Without the store each process keeps to its part, and with it again they share."""
    stores: list[FragileStore] = []

    def make(clock: Callable[[], float]) -> FragileStore:
        stores.append(FragileStore(clock))
        return stores[0]

    def disturb(events: Any, _: Any) -> None:
        events.after(9.0, stores[0].take_away)
        events.after(21.0, stores[0].bring_back)

    outcome = simulate("sliding", "none", given=given, processes=4, in_flight=16, store=make, disturb=disturb)
    assert outcome.share >= (0.95 if given else 0.9)
    assert outcome.refused <= (0.01 if given else 0.05)
    assert min(outcome.parts) >= 0.7
