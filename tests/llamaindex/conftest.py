"""What the tests of the LlamaIndex adapters share: emulators on loopback, and no key from the environment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio.emulator import Fault, serve
from llama_index_clova import ClovaEmbedding, ClovaRouterSelector, ClovaSegmentationNodeParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """An emulator of its own for each test, as recorded; in both behaviours with the marker ``each_behaviour``."""
    with serve(behaviour=getattr(request, "param", "observed")) as running:
        yield running


@pytest.fixture
def account(server: EmulatorServer) -> dict[str, Any]:
    """Key and address of the emulator, as every adapter takes them."""
    return {"api_key": server.api_key, "base_url": server.base_url}


@pytest.fixture
def embedding(account: dict[str, Any]) -> Callable[..., ClovaEmbedding]:
    """Make embedding models that talk to the emulator."""
    return lambda **settings: ClovaEmbedding(**{**account, **settings})


@pytest.fixture(params=["sync", "async"])
def embed(request: pytest.FixtureRequest) -> Callable[..., list[list[float]]]:
    """Embed a list of texts, in each of the two ways."""

    def run(model: ClovaEmbedding, texts: list[str], **options: Any) -> list[list[float]]:
        if request.param == "sync":
            return model.get_text_embedding_batch(texts, **options)
        return asyncio.run(model.aget_text_embedding_batch(texts, **options))

    return run


@pytest.fixture
def parser(account: dict[str, Any]) -> Callable[..., ClovaSegmentationNodeParser]:
    """Make node parsers that talk to the emulator."""

    def make(**settings: Any) -> ClovaSegmentationNodeParser:
        return ClovaSegmentationNodeParser(**{**account, **settings})

    return make


@pytest.fixture
def selector(account: dict[str, Any]) -> Callable[..., ClovaRouterSelector]:
    """Make selectors on the emulator's own router."""

    def make(**settings: Any) -> ClovaRouterSelector:
        return ClovaRouterSelector(**{"router_id": "travel01", "version": 1, **account, **settings})

    return make


@pytest.fixture
def busy(server: EmulatorServer) -> None:
    """The emulator refuses the first two requests with 429, for a moment."""
    server.add_fault(
        Fault("status", status=429, code="42901", headers={"x-ratelimit-reset-requests": "0.05s"}, times=2)
    )
