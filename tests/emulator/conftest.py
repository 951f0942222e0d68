"""Servers and plain HTTP clients: the emulator is tested at the wire, never through our own client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from emulator_support import CONSTITUTION, connect

from clova_studio.emulator import EmulatorServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@pytest.fixture(scope="session")
def observed_server() -> Iterator[EmulatorServer]:
    """A server in the observed behaviour, for tests that change nothing in it."""
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def documented_server() -> Iterator[EmulatorServer]:
    """The same in the documented behaviour."""
    with serve(behaviour="documented") as server:
        yield server


@pytest.fixture(scope="session")
def observed(observed_server: EmulatorServer) -> Iterator[httpx.Client]:
    """A client of the observed server."""
    with connect(observed_server) as client:
        yield client


@pytest.fixture(scope="session")
def documented(documented_server: EmulatorServer) -> Iterator[httpx.Client]:
    """A client of the documented server."""
    with connect(documented_server) as client:
        yield client


@pytest.fixture(params=["observed", "documented"])
def either(request: pytest.FixtureRequest) -> httpx.Client:
    """A client of the one, then of the other."""
    client: httpx.Client = request.getfixturevalue(request.param)
    return client


@pytest.fixture(scope="session")
def constitution() -> str:
    """The constitution of Korea: 18,884 characters."""
    return CONSTITUTION.read_text(encoding="utf-8")
