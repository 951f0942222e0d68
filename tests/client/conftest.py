"""Fixtures of the client's tests."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from client_support import Both


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest) -> Any:
    """A client, sync and async, over canned answers."""
    return functools.partial(Both, request.param)
