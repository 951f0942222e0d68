"""What the tests of the LangChain adapters share: emulators on loopback, and no key from the environment."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler

from clova_studio.emulator import Fault, serve
from langchain_clova import ChatClovaX, ClovaEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
def chat(server: EmulatorServer) -> Callable[..., ChatClovaX]:
    """Make chat models that talk to the emulator."""

    def make(**settings: Any) -> ChatClovaX:
        return ChatClovaX(**{"api_key": server.api_key, "base_url": server.base_url, **settings})

    return make


@pytest.fixture
def embeddings(server: EmulatorServer) -> Callable[..., ClovaEmbeddings]:
    """Make embeddings that talk to the emulator."""

    def make(**settings: Any) -> ClovaEmbeddings:
        return ClovaEmbeddings(**{"api_key": server.api_key, "base_url": server.base_url, **settings})

    return make


@pytest.fixture
def account(server: EmulatorServer) -> dict[str, Any]:
    """Key and address of the emulator, as every adapter takes them."""
    return {"api_key": server.api_key, "base_url": server.base_url}


@pytest.fixture(params=["invoke", "ainvoke", "batch", "abatch"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Run a component on one input, in each of the four ways."""
    way: str = request.param

    def run(component: Any, given: Any, config: Any = None, **kwargs: Any) -> Any:
        if way == "invoke":
            return component.invoke(given, config, **kwargs)
        if way == "ainvoke":
            return asyncio.run(component.ainvoke(given, config, **kwargs))
        if way == "batch":
            return component.batch([given], config, **kwargs)[0]
        return asyncio.run(component.abatch([given], config, **kwargs))[0]

    return run


@pytest.fixture
def busy(server: EmulatorServer) -> None:
    """The emulator refuses the first two requests with 429, for a moment."""
    server.add_fault(
        Fault("status", status=429, code="42901", headers={"x-ratelimit-reset-requests": "0.05s"}, times=2)
    )


class Recorder(BaseCallbackHandler):
    """A callback handler that keeps the names and tags of runs, what they gave, and which run they are in."""

    def __init__(self) -> None:
        self.names: dict[Any, str] = {}
        self.parents: dict[str, str | None] = {}
        self.tags: dict[str, list[str]] = {}
        self.outputs: dict[str, Any] = {}
        self.errors: list[BaseException] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:  # noqa: ARG002
        name = self.names[kwargs["run_id"]] = kwargs["name"]
        self.parents[name] = self.names.get(kwargs.get("parent_run_id"))
        self.tags[name] = kwargs.get("tags") or []

    on_retriever_start = on_chain_start

    def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
        given = {**kwargs, "name": serialized["name"]}
        self.on_chain_start(serialized, given.pop("inputs", input_str), **given)

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.outputs[self.names[kwargs["run_id"]]] = outputs

    on_retriever_end = on_chain_end

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:  # noqa: ARG002
        self.errors.append(error)


@pytest.fixture
def recorder() -> Recorder:
    """Callbacks that remember what they saw."""
    return Recorder()


@pytest.fixture
def png() -> bytes:
    """A picture of 8 x 8 pixels."""
    return make_png()


def make_png(size: int = 8) -> bytes:
    """Return a black square as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\0\0\0" * size) * size
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture
def _local_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard tests download a picture: they get ours, from no network."""

    def get(url: str, **_: Any) -> httpx.Response:
        assert url.startswith("https://raw.githubusercontent.com/"), url
        return httpx.Response(200, content=make_png(), request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", get)


@pytest.fixture
def vcr_cassette_dir(tmp_path: Path) -> str:
    """Recordings are not kept: the emulator is there in every run."""
    return str(tmp_path)


@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    """Record anew in each run, and no key."""
    return {"record_mode": "all", "filter_headers": ["authorization"]}
