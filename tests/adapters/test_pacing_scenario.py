"""Hundreds of chats at once, through both adapters, from threads and tasks: nothing is lost to the quota."""

from __future__ import annotations

import pytest
from pacing_scenario import run

from clova_studio import RateLimits

# Four windows: the client learns in the first one and shows in the others what it has learnt.
CALLS = 240
WINDOW = 2.0


@pytest.mark.slow
def test_with_limits_hardly_any_request_is_refused() -> None:
    """120 chats from 20 threads and 120 tasks all succeed, and at most 1 % of their requests meet a 429."""
    limits = RateLimits({"HCX-005": (60, 60_000)}, window=WINDOW)
    outcome = run(window=WINDOW, limits=(60, 60_000), calls=CALLS, rate_limits=limits)
    assert outcome.answered == outcome.calls == CALLS
    assert outcome.refused <= 0.01 * outcome.sent


@pytest.mark.slow
@pytest.mark.parametrize("headers", [True, False], ids=["headers", "headerless"])
def test_without_limits_nothing_is_lost_either(*, headers: bool) -> None:
    """Without limits, and without any header in the refusals, all succeed within their five retries."""
    limits = RateLimits(window=WINDOW)
    outcome = run(window=WINDOW, limits=(60, 60_000), calls=CALLS, rate_limits=limits, headers=headers)
    assert outcome.answered == outcome.calls == CALLS
    # Each window lets through 60, of which the client has learnt not to overrun the next ones: most are sent once.
    assert outcome.sent <= 2.5 * outcome.calls
