"""What the whole programs share: one emulator for each file, empty at the start of each test, and its address."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CLOVASTUDIO_API_KEY",
        "NCP_CLOVASTUDIO_API_KEY",
        "CLOVASTUDIO_BASE_URL",
        "CLOVASTUDIO_API_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_loop() -> None:
    # LlamaIndex runs what it awaits in a loop of its own, which it closes only in a thread that has had one before.
    asyncio.set_event_loop(None)


@pytest.fixture(scope="module")
def _running(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    with serve(behaviour=getattr(request, "param", "observed")) as running:
        yield running


@pytest.fixture
def server(_running: EmulatorServer) -> EmulatorServer:
    """The emulator, with nothing left of the test before."""
    _running.reset()
    return _running


@pytest.fixture
def account(server: EmulatorServer) -> dict[str, Any]:
    """Its key and address, as every adapter takes them."""
    return {"api_key": server.api_key, "base_url": server.base_url}
