"""``clova-studio embed``: its plan, its shares of a quota, and its progress."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from embed_support import MODEL, assert_complete, numbered, write_rows

from clova_studio import QuotaStatus
from clova_studio._cli.embed.progress import Progress
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output of a test."""
    return tmp_path / "out.jsonl"


def test_a_plan(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """``--dry-run`` counts requests and tokens of what is not done, and hours by quota; it sends and writes nothing."""
    path = tmp_path / "a.jsonl"
    write_rows(path, numbered(2))
    assert cli("embed", str(path), "-o", str(out)).code == 0
    rows = [*numbered(2), *({"text": f"{i} " + "word " * 1_000} for i in range(100)), {"text": "0 " + "word " * 1_000}]
    write_rows(path, [*rows, "no JSON", {"text": "가나다라마" * 5_000}])
    before = sorted(each.name for each in tmp_path.iterdir())
    ran = cli("embed", str(path), "-o", str(out), "--dry-run", "--json")
    assert ran.code == 0
    plan = json.loads(ran.out)
    assert {name: plan[name] for name in ("rows", "bad_rows", "texts", "done", "requests", "too_long")} == {
        "rows": 105,
        "bad_rows": 1,
        "texts": 103,
        "done": 2,
        "requests": 101,
        "too_long": 1,
    }
    assert 100_000 <= plan["tokens"] <= 115_000
    # 60 requests and 40,000 tokens per minute: here the tokens decide; 540 and 960,000: the requests.
    assert plan["hours"]["test key"] == pytest.approx(plan["tokens"] / 40_000 / 60, abs=0.001)
    assert plan["hours"]["service key"] == pytest.approx(101 / 540 / 60, abs=0.001)
    lines = cli("embed", str(path), "-o", str(out), "--dry-run", "--rate-limits", "10/-").out
    assert "101 to ask" in lines
    assert "10 min" in lines
    assert len(server.requests) == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == before


def test_a_plan_needs_no_key(cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """``--dry-run`` works without a key and without a documented quota; the run itself says what is missing."""
    path = write_rows(tmp_path / "a.jsonl", numbered(2))
    ran = cli("embed", path, "-o", str(out), "--dry-run", "--model", "clir-emb-dolphin")
    assert ran.code == 0
    assert "2 to ask" in ran.out
    assert "QUOTA" not in ran.out
    assert "1 to ask" in cli("embed", "-", "--format", "lines", "-o", str(out), "--dry-run", stdin="글\n").out
    ran = cli("embed", path, "-o", str(out))
    assert ran.code == 2
    assert "환경 변수" in ran.err
    assert [each.name for each in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_plan_of_what_is_left(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """In the middle of a job ``--dry-run`` tells what is left, and leaves what is done as it is."""
    path = write_rows(tmp_path / "a.jsonl", numbered(5))
    server.add_fault(Fault("status", code="40300", every=4))
    assert cli("embed", path, "-o", str(out), "--concurrency", "1").code == 1
    for _ in range(2):
        assert "3 done, 2 to ask" in cli("embed", path, "-o", str(out), "--dry-run").out
    server.reset()
    assert cli("embed", path, "-o", str(out)).code == 0
    assert_complete(out, numbered(5))
    assert len(server.requests) == 2


@pytest.mark.parametrize(("parts", "limit"), [("2", ["30", "20,000"]), ("8", ["7", "8,192"])])
def test_shards_divide_the_quota(
    cli: Callable[..., Any],
    tmp_path: Path,
    parts: str,
    limit: list[str],
) -> None:
    """Each of several processes takes its part of the limits, into which a single text always fits."""
    path = write_rows(tmp_path / "a.jsonl", numbered(200))
    words = ["--dry-run", "--shard", f"1/{parts}", "--rate-limits", "test"]
    ran = cli("embed", path, "-o", str(tmp_path / "out.jsonl"), *words)
    assert ran.out.splitlines()[-1].split()[2:4] == limit


def test_shards_with_a_store_share_the_whole_quota(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes that count together divide nothing: each is given the whole limits."""
    monkeypatch.setenv("CLOVASTUDIO_QUOTA_STORE", f"sqlite:///{tmp_path}/quota.db")
    path = write_rows(tmp_path / "a.jsonl", numbered(200))
    ran = cli("embed", path, "-o", str(tmp_path / "out.jsonl"), "--dry-run", "--shard", "1/2", "--rate-limits", "test")
    assert ran.out.splitlines()[-1].split()[2:4] == ["60", "40,000"]


def status(used: int | None, closed_for: float = 0.0) -> QuotaStatus:
    """Return a quota of 60 requests of which some are used, or one without a known limit."""
    limit, left = (None, None) if used is None else (60, 60 - used)
    return QuotaStatus(MODEL, limit, None, left, None, None, closed_for, 0, 0, 60.0)


def test_progress_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is a line every half minute: texts, rate, share of the quota, time left."""
    now = [0.0]
    with Progress(1_000, 400, lambda: status(45), clock=lambda: now[0]) as progress:
        for _ in range(120):
            now[0] += 0.5
            progress.add()
            progress.show()
    assert capsys.readouterr().err.splitlines() == [
        "460 of 1,000 texts, 120 per minute, 75% of the quota, 4 min 30 s left",
        "520 of 1,000 texts, 120 per minute, 75% of the quota, 4 min 00 s left",
    ]
    with Progress(200_000, 0, lambda: status(None), clock=lambda: now[0]) as progress:
        now[0] += 60
        progress.add()
        progress.show()
    assert capsys.readouterr().err == "1 of 200,000 texts, 1 per minute, 138.9 days left\n"
    with Progress(10, 0, lambda: status(60, 42.4), clock=lambda: now[0]) as progress:
        now[0] += 30
        progress.show()
    assert capsys.readouterr().err == "0 of 10 texts, 0 per minute, the quota opens in 42 s\n"


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal it is a bar on stderr with the same facts, which begins at what is done."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown, now = Terminal(), [0.0]
    monkeypatch.setattr(sys, "stderr", shown)
    with Progress(10, 4, lambda: status(30), clock=lambda: now[0]) as progress:
        for _ in range(6):
            now[0] += 1.0
            progress.add()
            progress.show()
    assert "4/10" in shown.getvalue()
    assert "10/10, 60 per minute, 50% of the quota" in shown.getvalue()
    with Progress(10, 4, lambda: status(30), quiet=True):
        pass
