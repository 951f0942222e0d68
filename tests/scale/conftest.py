"""One Ray for all tests of a run: its start takes a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scale_support import RayCluster, quota_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayCluster]:
    """A Ray whose workers have the key, over an emulator with a small quota."""
    pytest.importorskip("ray", reason="the package index has no wheel of ray for this machine")
    with quota_server() as server, RayCluster(server) as started:
        assert started.address.startswith("127.0.0.1:")
        yield started
