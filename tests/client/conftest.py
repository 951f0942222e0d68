"""Fixtures of the client's tests."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest
from client_support import Both
from quota_servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest) -> Any:
    """A client, sync and async, over canned answers."""
    return functools.partial(Both, request.param)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that all tests of a process use: each names quotas of its own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server
