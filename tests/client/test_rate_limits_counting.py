"""The sixteen ways in which a service may count and report a quota, processes beside each other, and no quota at all.

``tests/benchmarks/quota_matrix.py`` prints the whole matrix; here is one seed of most of it.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

import pytest
from quota_simulator import COUNTINGS, HEADERS, simulate

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _no_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Leave the lines for each retry out of the report of a failure."""
    caplog.set_level(logging.ERROR, "clova_studio")  # until the test ends


# All at once a client meets its limit in one burst, whatever the scarce thing is; given limits it never meets.
CONCURRENT = [("requests", 32, False), ("requests", None, False), ("tokens", 32, False), ("tokens", 32, True)]


@pytest.mark.slow
@pytest.mark.parametrize(("scarce", "in_flight", "given"), CONCURRENT)
@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("counting", COUNTINGS)
def test_every_way_of_counting(*, counting: str, headers: str, scarce: str, in_flight: int | None, given: bool) -> None:
    """Alone a client gets what the service allows in the five windows after the first, and is hardly refused."""
    outcome = simulate(counting, headers, scarce=scarce, given=given, in_flight=in_flight)
    assert outcome.share >= (0.95 if given else 0.9)
    assert outcome.refused <= (0.01 if given else 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [15, 60])
@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("counting", COUNTINGS)
def test_windows_of_a_minute(*, counting: str, headers: str, limit: int) -> None:
    """A client alone does as well where a window is a minute and has fewer requests."""
    outcome = simulate(counting, headers, window=60.0, limit=limit)
    assert outcome.share >= 0.9
    assert outcome.refused <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("counting", COUNTINGS)
def test_processes_beside_each_other(*, counting: str, headers: str) -> None:
    """Four processes with one key that know nothing of each other use the quota together, and none of them starves."""
    outcome = simulate(counting, headers, processes=4)
    assert outcome.share >= 0.8
    assert min(outcome.parts) >= 0.25


def refused_at(number: int) -> Callable[[int], bool]:
    """Return what refuses one request."""
    return lambda arrived: arrived == number


def scattered(share: float) -> Callable[[int], bool]:
    """Return what refuses a share of the requests, here and there."""
    draw = random.Random(7)  # noqa: S311  a schedule, no secret
    return lambda _: draw.random() < share


@pytest.mark.slow
@pytest.mark.parametrize("limit", [None, 60], ids=["no quota", "a quota"])
@pytest.mark.parametrize("number", [10, 50])
@pytest.mark.parametrize("reset", [None, 0.05, 0.5])
def test_a_single_refusal_without_a_reason_costs_little(limit: int | None, number: int, reset: float | None) -> None:
    """After one refusal that no quota explains a client has 75 % of what it could have had in the next five windows."""
    outcome = simulate("sliding", "none", limit=limit, in_flight=4, stray=refused_at(number), stray_reset=reset)
    assert outcome.parts[0] >= 0.75


# Of what four calls at once could do in five windows, and of a quota of 60. Each refusal closes for the reset that it
# names: with ten refusals and resets of 0.5 s that leaves hardly a sixth of the time without a quota.
SCATTERED = [
    (0.1, 0.05, None, 0.5),
    (0.2, 0.05, None, 0.3),
    (0.1, 0.5, None, 0.1),
    (0.1, 0.5, 60, 0.6),
    (0.2, 0.5, 60, 0.4),
]


@pytest.mark.slow
@pytest.mark.parametrize(("share", "reset", "limit", "least"), SCATTERED)
def test_refusals_here_and_there_bound_nothing(share: float, reset: float, limit: int | None, least: float) -> None:
    """Where refusals come here and there no limit is made of them: a client goes on when the service says so."""
    outcome = simulate("sliding", "none", limit=limit, in_flight=4, stray=scattered(share), stray_reset=reset)
    assert outcome.parts[0] >= least


@pytest.mark.slow
def test_every_fifth_request_refused_bounds_nothing() -> None:
    """One call after the other with every fifth refused for 50 ms: what the closings leave is used."""
    outcome = simulate(
        "sliding", "none", limit=None, in_flight=1, stray=lambda arrived: arrived % 5 == 0, stray_reset=0.05
    )
    assert outcome.parts[0] >= 0.6
