"""``clova-studio embed`` when the service refuses, fails or is not there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from embed_support import MODEL, asked, assert_complete, numbered, refused_in, write_rows

from clova_studio import AsyncClovaStudio, ServerError
from clova_studio._cli.embed.asking import Asking
from clova_studio._cli.embed.journal import Journal, Keys
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output of a test."""
    return tmp_path / "out.jsonl"


def test_a_refused_key_ends_the_run(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is refused is an error of the run and of no row; nothing is left behind, and no key anywhere."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-unknown-key")
    ran = cli("embed", write_rows(tmp_path / "a.jsonl", numbered(50)), "-o", str(out), "--concurrency", "4")
    assert ran.code == 1
    assert "40104" in ran.err
    assert "doctor" in ran.err
    assert len(server.requests) <= 4
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_text_that_the_service_refuses(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused text is listed with the service's reason, without a key, and not asked for again unless told to."""
    said = "no, Bearer nv-cli-test-key"
    server.add_fault(Fault("status", code="40005", message=said, times=1))
    rows = numbered(3)
    path = write_rows(tmp_path / "a.jsonl", rows)
    assert cli("embed", path, "-o", str(out), "--concurrency", "1").code == 3
    ((line, reason),) = refused_in(out)
    assert line == 1
    assert "40005" in reason
    assert "nv-cli" not in reason
    assert_complete(out, rows[1:])
    assert cli("embed", path, "-o", str(out)).code == 3
    assert len(server.requests) == 3
    rows = numbered(4)
    write_rows(tmp_path / "a.jsonl", rows)
    assert cli("embed", path, "-o", str(out)).code == 3
    assert len(server.requests) == 4
    assert cli("embed", path, "-o", str(out), "--retry-refused").code == 0
    assert_complete(out, rows)
    assert len(server.requests) == 5
    assert not out.with_name("out.jsonl.refused.jsonl").exists()


def test_refusals_of_all_texts_end_the_run(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path
) -> None:
    """Twenty refusals in turn are no fault of the texts: the run ends, and none of them counts as refused."""
    path = write_rows(tmp_path / "a.jsonl", numbered(1))
    assert cli("embed", path, "-o", str(out)).code == 0
    write_rows(tmp_path / "a.jsonl", numbered(60))
    server.add_fault(Fault("status", code="40083"))
    ran = cli("embed", path, "-o", str(out), "--concurrency", "2")
    assert ran.code == 1
    assert "40083" in ran.err
    assert len(server.requests) <= 23
    server.reset()
    assert cli("embed", path, "-o", str(out)).code == 0
    assert len(server.requests) == 59
    assert_complete(out, numbered(60))


@pytest.mark.slow
def test_texts_without_an_answer(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """A text without an answer after three tries is no bad row: exit code 1 says so, and the next run asks for it."""
    path = write_rows(tmp_path / "a.jsonl", numbered(3))
    # The second, third and fourth request.
    for number in (2, 3, 4):
        server.add_fault(Fault("status", code="50000", every=number, times=1))
    ran = cli("embed", path, "-o", str(out), "--concurrency", "1", "--max-retries", "0")
    assert ran.code == 1
    assert "1 texts got no answer" in ran.err
    assert "50000" in ran.err
    assert "the same command goes on" in ran.err
    assert asked(server) == [row["text"] for row in (numbered(3)[i] for i in (0, 1, 1, 1, 2))]
    assert not out.exists()
    assert cli("embed", path, "-o", str(out)).code == 0
    assert_complete(out, numbered(3))
    assert len(server.requests) == 6


def test_an_outage_in_the_middle(server: EmulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing succeeds for the patience, the run ends with the error; what succeeded is in the journal."""
    keys, texts = Keys(MODEL), [row["text"] for row in numbered(4)]
    with Journal(tmp_path / "journal") as journal:
        client = AsyncClovaStudio(server.api_key, base_url=server.base_url, max_retries=0)
        asking = Asking(
            client,
            iter([(keys.of(text), text) for text in texts]),
            journal,
            model=MODEL,
            concurrency=1,
            truncate=False,
            patience=0.0,
            on_text=lambda: server.add_fault(Fault("status", code="50000")),
        )

        async def run() -> None:
            async with client:
                await asking.run()

        with pytest.raises(ServerError):
            asyncio.run(run())
        assert [journal.vector(keys.of(text)) is not None for text in texts] == [True, False, False, False]


def test_an_unreachable_service(
    cli: Callable[..., Any], tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that cannot be reached ends the run at once, with exit code 1."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-test-key")
    path = write_rows(tmp_path / "a.jsonl", numbered(3))
    ran = cli("embed", path, "-o", str(out), "--base-url", "http://127.0.0.1:9", "--max-retries", "0")
    assert ran.code == 1
    assert "ConnectError" in ran.err
