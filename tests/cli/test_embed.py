"""``clova-studio embed``: its outputs, its plan, its options, and what it does when the service fails."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tracemalloc
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from embed_support import MODEL, asked, assert_complete, numbered, refused_in, rows_in, vector_of, write_rows

from clova_studio import AsyncClovaStudio, QuotaStatus, ServerError
from clova_studio._cli.embed.asking import Asking
from clova_studio._cli.embed.journal import Journal, Keys
from clova_studio._cli.embed.progress import Progress
from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output of a test."""
    return tmp_path / "out.jsonl"


@pytest.mark.parametrize("model", ["bge-m3", "clir-emb-dolphin", "clir-sts-dolphin"])
def test_models(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path, model: str) -> None:
    """Each model embeds at its own path, and stands in the key."""
    assert cli("embed", write_rows(tmp_path / "a.jsonl", numbered(1)), "-o", str(out), "--model", model).code == 0
    (row,) = rows_in(out)
    assert row["embedding"] == vector_of(row["text"], model)
    assert row["embedding_key"].startswith(f"{model}@")
    assert server.requests[0].path.endswith("v2" if model == MODEL else model)


def test_a_model_that_is_not_known(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """A name that is nearly a known one is warned of and sent; refused for all, it ends the run, with nothing left."""
    ran = cli("embed", write_rows(tmp_path / "a.jsonl", numbered(3)), "-o", str(out), "--model", "bge-m33")
    assert ran.code == 1
    assert "did you mean" in ran.err or "known here are bge-m3" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_parquet(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path) -> None:
    """Parquet has a column of one type for each of the input, then key and vector; mixed and nested values are JSON."""
    rows = [
        {"id": 1, "text": "하나", "price": 1, "good": True, "mixed": 1, "deep": {"가": [1]}, "none": None},
        {"id": 2, "text": "둘", "price": 2.5, "good": None, "mixed": "x", "half": "\ud800"},
        {"id": 3, "text": " "},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "out.parquet"
    assert cli("embed", str(path), "-o", str(out)).code == 3
    table = import_module("pyarrow.parquet").read_table(out)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["id"] == "int64"
    assert types["price"] == "double"
    assert types["good"] == "bool"
    assert list(types)[-2:] == ["embedding_key", "embedding"]
    first, second = table.to_pylist()
    assert (first["price"], second["price"]) == (1.0, 2.5)
    assert (first["mixed"], second["mixed"]) == ("1", '"x"')
    assert (first["deep"], second["deep"]) == ('{"가": [1]}', None)
    assert second["half"] == "?"
    for row in (first, second):
        assert row["embedding"] == vector_of(row["text"])
    assert refused_in(out) == [(3, "the text is blank")]
    assert "nothing to ask" in cli("embed", str(path), "-o", str(out)).err
    assert len(server.requests) == 2


def test_parquet_without_pyarrow(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Without pyarrow a Parquet output is refused with what to install, in both languages."""
    path = write_rows(tmp_path / "a.jsonl", numbered(1))
    blocked = "import sys; sys.modules['pyarrow'] = None; "
    program = [sys.executable, "-c", blocked + "from clova_studio._cli import main; sys.exit(main())"]
    done = subprocess.run(
        [*program, "embed", path, "-o", str(tmp_path / "out.parquet")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install pyarrow" in done.stderr
    assert "필요합니다" in done.stderr


def test_standard_output(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """``-o -`` writes the same lines to stdout, names bad rows on stderr, and leaves no file."""
    path = write_rows(tmp_path / "a.jsonl", [*numbered(3), "no JSON"])
    assert cli("embed", path, "-o", str(out)).code == 3
    ran = cli("embed", path, "-o", "-")
    assert ran.code == 3
    assert ran.out == out.read_text(encoding="utf-8")
    assert f"{path}:4: not valid JSON" in ran.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.jsonl", "out.jsonl", "out.jsonl.refused.jsonl"]


@pytest.mark.slow
def test_a_reader_that_is_gone_and_a_full_device(
    server: EmulatorServer, spawn: Callable[..., Any], tmp_path: Path
) -> None:
    """A closed pipe ends the command with 141 and without a word; a device without room with 2 and its reason."""
    path = write_rows(tmp_path / "a.jsonl", numbered(20))
    read, write = os.pipe()
    gone = spawn("embed", path, "-o", "-", "--quiet", stdout=write)
    os.close(write)
    os.close(read)
    with open("/dev/full", "wb") as full:  # noqa: PTH123  a device
        process = spawn("embed", path, "-o", "-", "--quiet", stdout=full)
        _, err = process.communicate()
    assert process.returncode == 2
    assert err == "clova-studio: [Errno 28] No space left on device\n"
    assert gone.communicate()[1] == ""
    assert gone.returncode == 141


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/sys/out.jsonl", "/sys/out.jsonl.part"),
        ("no-such-folder/out.jsonl", "no-such-folder/out.jsonl.part: No such file or directory"),
        ("/dev/full", "must end with"),
        ("out.txt", "must end with"),
        ("folder.jsonl", "is not a file"),
    ],
)
def test_places_where_nothing_can_be_written(
    server: EmulatorServer,
    cli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    said: str,
) -> None:
    """An output that cannot be written, in a read-only folder too, is named before anything is sent."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.jsonl").mkdir()
    ran = cli("embed", write_rows(tmp_path / "a.jsonl", numbered(1)), "-o", name)
    assert ran.code == 2
    assert said in ran.err
    assert not server.requests


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--concurrency", "0"], "--concurrency"),
        (["--rate-limits", "fast"], "--rate-limits"),
        (["--rate-limits", "0/5"], "--rate-limits"),
        (["--rate-limits", "test", "--model", "clir-emb-dolphin"], "60/40000"),
        (["--shard", "3/2"], "--shard"),
        (["--shard", "2"], "--shard"),
        (["--vector-column", " "], "--vector-column"),
        (["--merge", "--dry-run"], "--merge"),
        (["--model", ".."], "model"),
        (["--region", "gov"], "--region"),
    ],
)
def test_wrong_use(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path, words: list[str], said: str
) -> None:
    """Wrong use names the option, with exit code 2, before anything is sent."""
    ran = cli("embed", write_rows(tmp_path / "a.jsonl", numbered(1)), "-o", str(out), *words)
    assert ran.code == 2
    assert said in ran.err
    assert not server.requests


@pytest.mark.parametrize("words", [["--shard", "1/2"], ["--merge"], ["--json"]])
def test_what_stdout_is_not_for(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, words: list[str]
) -> None:
    """What needs a file, or stdout for itself, is refused with ``-o -``."""
    ran = cli("embed", write_rows(tmp_path / "a.jsonl", numbered(1)), "-o", "-", *words)
    assert ran.code == 2
    assert "--output -" in ran.err
    ran = cli("embed", "-", "-", "--format", "lines", "-o", str(tmp_path / "x.jsonl"))
    assert ran.code == 2
    assert not server.requests


def test_an_input_that_is_missing(server: EmulatorServer, cli: Callable[..., Any], out: Path) -> None:
    """A missing input is one line, with exit code 2."""
    ran = cli("embed", "gone.jsonl", "-o", str(out))
    assert ran.code == 2
    assert ran.err == "clova-studio: gone.jsonl: No such file or directory\n"


def test_limits_are_kept(cli: Callable[..., Any], tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``--rate-limits`` requests wait so that none is refused, and each text is asked for once."""
    with serve(rate_limits={"bge-m3": (20, None)}) as server:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", server.base_url)
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-test-key")
        words = ["--rate-limits", "20/40,000", "--quiet"]
        ran = cli("embed", write_rows(tmp_path / "a.jsonl", numbered(20)), "-o", str(out), *words)
        assert {request.status for request in server.requests} == {200}
    assert (ran.code, ran.out, ran.err) == (0, "", "")


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


@pytest.mark.slow
def test_memory_does_not_follow_the_input(cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """A plan over an input of 20 MB holds a small part of it at any time, whether in long lines or in short ones."""
    for rows, text in ((10, "x" * 2_000_000), (10_000, "x" * 2_000)):
        path = write_rows(tmp_path / f"{rows}.jsonl", ({"id": i, "text": f"{i} {text}"} for i in range(rows)))
        tracemalloc.start()
        try:
            assert cli("embed", path, "-o", str(out), "--dry-run").code == 0
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 * len(text) + 2_000_000
