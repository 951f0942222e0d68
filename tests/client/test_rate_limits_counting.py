"""The sixteen ways in which a service may count and report a quota, and processes beside each other.

``pytest -s tests/client/test_quota_counting.py`` prints the figures.
"""

from __future__ import annotations

import logging

import pytest
from quota_simulator import COUNTINGS, HEADERS, simulate


@pytest.fixture(autouse=True)
def _no_log_lines() -> None:
    """Leave the lines for each retry out of the report of a failure."""
    logging.getLogger("clova_studio").setLevel(logging.ERROR)


@pytest.mark.slow
@pytest.mark.parametrize("in_flight", [32, None], ids=["32 at once", "all at once"])
@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("scarce", ["requests", "tokens"])
@pytest.mark.parametrize("given", [False, True], ids=["reactive", "given"])
def test_every_way_of_counting(*, given: bool, scarce: str, counting: str, headers: str, in_flight: int | None) -> None:
    """Alone a client gets what the service allows in the five windows after the first, and is hardly refused."""
    outcome = simulate(counting, headers, scarce=scarce, given=given, in_flight=in_flight)
    what = f"{counting:8} {headers:8} {scarce:8} {'given' if given else 'reactive':8}"
    print(f"{what} {outcome.share:4.0%} {outcome.refused:5.1%} refused")  # noqa: T201  the table
    assert outcome.share >= (0.95 if given else 0.9)
    assert outcome.refused <= (0.01 if given else 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("counting", COUNTINGS)
def test_processes_beside_each_other(*, counting: str, headers: str, processes: int) -> None:
    """Processes with one key that know nothing of each other use the quota together, and none of them starves."""
    outcome = simulate(counting, headers, processes=processes)
    what = f"{counting:8} {headers:8} {processes}"
    print(f"{what} {outcome.share:4.0%}, {min(outcome.parts):4.0%} at least")  # noqa: T201  the table
    assert outcome.share >= 0.8
    assert min(outcome.parts) >= 0.25
