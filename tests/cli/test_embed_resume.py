"""``clova-studio embed`` stopped, killed and run again; and several processes on one input."""

from __future__ import annotations

import random
import re
import resource
import signal
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest
from embed_support import asked, assert_complete, numbered, refused_in, rows_in, vector_of, write_rows

from clova_studio import ConfigurationError
from clova_studio._cli.embed.finishing import write_all
from clova_studio._cli.embed.inputs import Inputs
from clova_studio._cli.embed.journal import Journal, Keys
from clova_studio._cli.embed.outputs import JsonLines, RefusedRows
from clova_studio._cli.embed.plan import Shard
from clova_studio._cli.embed.rows import Columns
from clova_studio._cli.embed.work_folder import WorkFolder
from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

CONCURRENCY = 8


@pytest.fixture
def slow_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorServer]:
    """An emulator whose answers take 50 ms, so that a run can be stopped in the middle."""
    with serve(latency=0.05) as running:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", running.base_url)
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-test-key")
        yield running


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output of a test."""
    return tmp_path / "out.jsonl"


def wait_for(server: EmulatorServer, count: int, process: Any) -> None:
    """Wait until so many requests have arrived."""
    end = time.monotonic() + 30
    while len(server.requests) < count and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_killed_five_times(slow_server: EmulatorServer, spawn: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """Killed five times at random, the output is complete and in order; only what was in flight is asked for twice."""
    rows = numbered(200)
    command = ["embed", write_rows(tmp_path / "a.jsonl", rows), "-o", str(out), "--concurrency", str(CONCURRENCY)]
    dice = random.Random(17)  # noqa: S311  no secret
    for _ in range(5):
        process = spawn(*command)
        wait_for(slow_server, len(slow_server.requests) + dice.randint(5, 30), process)
        time.sleep(dice.random() * 0.05)
        process.kill()
        process.wait()
        assert not out.exists()
    last = spawn(*command)
    _, err = last.communicate()
    assert last.returncode == 0, err
    assert_complete(out, rows)
    texts = asked(slow_server)
    assert set(texts) == {row["text"] for row in rows}
    assert len(texts) - len(rows) <= 5 * CONCURRENCY
    assert 0 < int(re.search(r"(\d+) done before", err)[1]) < len(rows)


def test_killed_while_it_writes(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """What a killed run had begun to write is no output: the next run writes it anew, and asks for nothing."""
    rows = numbered(5)
    path = write_rows(tmp_path / "a.jsonl", rows)
    server.add_fault(Fault("status", code="40300", every=5))
    assert cli("embed", path, "-o", str(out), "--concurrency", "1").code == 1
    (tmp_path / "out.jsonl.part" / "output").write_bytes(b'{"id": 0, "te')
    assert not out.exists()
    server.reset()
    assert cli("embed", path, "-o", str(out)).code == 0
    assert_complete(out, rows)
    assert asked(server) == [rows[4]["text"]]


@pytest.mark.slow
def test_interrupted(slow_server: EmulatorServer, spawn: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """Ctrl-C ends a run, keeps what is done and what is just being answered, and says how to go on."""
    rows = numbered(150)
    command = ["embed", write_rows(tmp_path / "a.jsonl", rows), "-o", str(out), "--concurrency", str(CONCURRENCY)]
    process = spawn(*command)
    wait_for(slow_server, 40, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert f"what is done is kept in {out}.part" in err
    assert "같은 명령을 다시 실행하면" in err
    assert err.splitlines()[-1] == "clova-studio: interrupted"
    last = spawn(*command)
    assert last.communicate()[0] == ""
    assert last.returncode == 0
    assert_complete(out, rows)
    # What was in flight had its moment to end.
    assert len(slow_server.requests) == len(rows)


@pytest.mark.slow
def test_interrupted_while_the_quota_is_used_up(
    monkeypatch: pytest.MonkeyPatch, spawn: Callable[..., Any], tmp_path: Path, out: Path
) -> None:
    """Ctrl-C ends a run at once also where all requests wait for the next minute."""
    with serve(rate_limits={"bge-m3": (3, None)}) as server:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", server.base_url)
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-test-key")
        process = spawn("embed", write_rows(tmp_path / "a.jsonl", numbered(20)), "-o", str(out), "--rate-limits", "3")
        wait_for(server, 3, process)
        process.send_signal(signal.SIGINT)
        # It takes half a second; the window would take a minute.
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert len(err.splitlines()) == 2, "waiting is no line per request"


def test_a_finished_output_asks_nothing(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path
) -> None:
    """A run over a finished output sends nothing and leaves the file as it is."""
    path = write_rows(tmp_path / "a.jsonl", numbered(5))
    assert cli("embed", path, "-o", str(out)).code == 0
    before = out.stat()
    ran = cli("embed", path, "-o", str(out), "--json")
    assert ran.code == 0
    assert '"asked": 0' in ran.out
    assert '"rows": 5' in ran.out
    assert out.stat().st_ino == before.st_ino
    assert len(server.requests) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "out.jsonl"]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_an_input_that_grew(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, suffix: str) -> None:
    """Of a changed input only new texts are asked for; moved rows and changed columns need no request."""
    out = tmp_path / f"out.{suffix}"
    rows = numbered(4)
    assert cli("embed", write_rows(tmp_path / "a.jsonl", rows), "-o", str(out)).code == 0
    rows = [*numbered(1, 9), *reversed(rows)]
    rows[-1]["id"] = "changed"
    assert cli("embed", write_rows(tmp_path / "a.jsonl", rows), "-o", str(out)).code == 0
    assert len(server.requests) == 5
    rows[0]["id"] = "changed too"
    write_rows(tmp_path / "a.jsonl", rows)
    assert "nothing to ask" not in cli("embed", str(tmp_path / "a.jsonl"), "-o", str(out)).err
    again = cli("embed", str(tmp_path / "a.jsonl"), "-o", str(out))
    assert "nothing to ask" in again.err
    assert len(server.requests) == 5
    if suffix == "jsonl":
        assert_complete(out, rows)


def test_equal_texts_are_asked_once(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """Equal texts in one input cost one request, also when they are in flight together, and have one vector each."""
    rows = [{"id": i, "text": f"같은 글 {i % 2}"} for i in range(40)]
    assert cli("embed", write_rows(tmp_path / "a.jsonl", rows), "-o", str(out)).code == 0
    assert sorted(asked(server)) == ["같은 글 0", "같은 글 1"]
    assert_complete(out, rows)


def test_paid_vectors_are_not_dropped_unasked(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path
) -> None:
    """An output with vectors of other texts or of another model is not replaced, unless it is asked for."""
    assert cli("embed", write_rows(tmp_path / "a.jsonl", numbered(4)), "-o", str(out)).code == 0
    before = out.read_bytes()
    other = write_rows(tmp_path / "b.jsonl", numbered(2))
    for words in (
        [other, "-o", str(out)],
        [str(tmp_path / "a.jsonl"), "-o", str(out), "--model", "clir-emb-dolphin"],
    ):
        ran = cli("embed", *words)
        assert ran.code == 2
        assert "--replace" in ran.err
        assert out.read_bytes() == before
    assert len(server.requests) == 4
    assert cli("embed", other, "-o", str(out), "--replace").code == 0
    assert_complete(out, numbered(2))
    assert len(server.requests) == 4


def test_vectors_of_another_address_do_not_count(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path
) -> None:
    """Vectors of an emulator are not taken for the service's own: the address is part of the key."""
    path = write_rows(tmp_path / "a.jsonl", numbered(2))
    assert cli("embed", path, "-o", str(out)).code == 0
    ran = cli("embed", path, "-o", str(out), "--base-url", "https://clovastudio.stream.ntruss.com")
    assert ran.code == 2
    assert "another model or address" in ran.err


@pytest.mark.parametrize(
    "raw",
    [
        b"my own file\n",
        b'{"id": 1, "embedding": [1.0]}\n',
        b'{"id": 1, "embedding_key": "x',
        b'{"id": 1, "embedding_key": "x:00112233445566778899aabbccddeeff", "embedding": [[1.0]]}\n',
    ],
)
@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_file_that_is_not_ours(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, raw: bytes, name: str
) -> None:
    """A file that this command did not write is not touched."""
    (tmp_path / name).write_bytes(raw)
    ran = cli("embed", write_rows(tmp_path / "a.jsonl", numbered(2)), "-o", str(tmp_path / name), "--replace")
    assert ran.code == 2
    assert "not an output of this command" in ran.err
    assert (tmp_path / name).read_bytes() == raw
    assert not server.requests


def test_two_runs_on_one_output(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """While a run works on an output another one is refused, a trial too; afterwards it is not."""
    path = write_rows(tmp_path / "a.jsonl", numbered(2))
    with WorkFolder(out) as folder:
        for words in ([], ["--dry-run"]):
            ran = cli("embed", path, "-o", str(out), *words)
            assert ran.code == 2
            assert "another run works on" in ran.err
            assert "다른 실행이" in ran.err
        folder.remove()
    assert not server.requests
    assert cli("embed", path, "-o", str(out)).code == 0


def test_a_journal_that_is_broken(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """A journal that cannot be read is named, with what to remove."""
    part = tmp_path / "out.jsonl.part"
    part.mkdir()
    (part / "journal").write_bytes(b"x" * 8192)
    ran = cli("embed", write_rows(tmp_path / "a.jsonl", numbered(2)), "-o", str(out))
    assert ran.code == 2
    assert str(part) in ran.err
    assert "remove its folder" in ran.err
    assert (part / "journal").exists()
    assert not server.requests


def test_an_input_that_changes_during_the_run(tmp_path: Path, out: Path) -> None:
    """A text that was not there when texts were asked for is no missing row: the run says that the input changed."""
    path, columns, keys = tmp_path / "a.jsonl", Columns(), Keys("bge-m3")
    inputs = Inputs([write_rows(path, numbered(3))], kind=None, columns=columns, own=lambda _: False)
    with Journal(None) as journal, out.open("wb") as file:
        for row in numbered(3):
            journal.add(keys.of(row["text"]), [1.0], cut=False)
        write = (keys, Shard(), journal, JsonLines(columns).writer(file), RefusedRows(None))
        assert write_all(inputs, *write) == 3
        write_rows(path, numbered(4))
        with pytest.raises(ConfigurationError, match="the input changed"):
            write_all(inputs, *write)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_shards(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, suffix: str) -> None:
    """The parts of three shards joined are what one run writes; every text is asked for once in all."""
    rows = [
        *numbered(20),
        {"id": "double", "text": numbered(1)[0]["text"]},
        "no JSON",
        {"text": " "},
        {"text": "길다 " * 9_000},
    ]
    path = write_rows(tmp_path / "a.jsonl", rows)
    whole = tmp_path / f"whole.{suffix}"
    assert cli("embed", path, "-o", str(tmp_path / f"one.{suffix}")).code == 3
    first = len(server.requests)
    for number in (1, 2, 3):
        cli("embed", path, "-o", str(whole), "--shard", f"{number}/3")
    assert len(server.requests) == 2 * first == 42
    parts = [tmp_path / f"whole.{number}-of-3.{suffix}.refused.jsonl" for number in (1, 2, 3)]
    assert sum(len(rows_in(part)) for part in parts if part.exists()) == 3, "each bad row is in one part"
    assert all((tmp_path / f"whole.{n}-of-3.{suffix}").stat().st_size for n in (1, 2, 3))
    ran = cli("embed", path, "-o", str(whole), "--merge")
    assert ran.code == 3
    assert "21 rows, joined from 3 parts" in ran.err
    assert whole.read_bytes() == (tmp_path / f"one.{suffix}").read_bytes()
    listed = [
        [(line, reason[:20]) for line, reason in refused_in(tmp_path / f"{n}.{suffix}")] for n in ("whole", "one")
    ]
    assert listed[0] == listed[1]
    assert len(server.requests) == 42
    assert cli("embed", path, "-o", str(whole), "--merge").code == 2
    assert cli("embed", path, "-o", str(whole), "--merge", "--replace").code == 3


def test_shards_that_do_not_fit(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """Joining names the shard that is missing, that has other rows, or that belongs to another division."""
    path = write_rows(tmp_path / "a.jsonl", numbered(12))
    merge = ["embed", path, "-o", str(out), "--merge"]
    assert "no part" in cli(*merge).err
    cli("embed", path, "-o", str(out), "--shard", "2/2")
    ran = cli(*merge)
    assert ran.code == 2
    assert "run --shard 1/2 to its end" in ran.err
    cli("embed", path, "-o", str(out), "--shard", "1/2")
    assert "give --model bge-m3" in cli(*merge, "--model", "clir-emb-dolphin").err
    write_rows(tmp_path / "a.jsonl", numbered(13))
    ran = cli(*merge)
    assert ran.code == 2
    assert "does not have" in ran.err
    assert f"{path}:13" in ran.err
    write_rows(tmp_path / "a.jsonl", numbered(11))
    assert "rows that the input does not have" in cli(*merge).err
    cli("embed", path, "-o", str(out), "--shard", "1/3")
    assert "parts of 2 and 3" in cli(*merge).err
    assert not out.exists()


@pytest.mark.slow
def test_a_full_disk(server: EmulatorServer, spawn: Callable[..., Any], tmp_path: Path, out: Path) -> None:
    """When nothing more can be written the run ends with what to do; what fitted is kept and not asked for again."""

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    rows = numbered(80)
    command = ["embed", write_rows(tmp_path / "a.jsonl", rows), "-o", str(out), "--concurrency", str(CONCURRENCY)]
    process = spawn(*command, preexec_fn=small)
    _, err = process.communicate()
    assert process.returncode == 2
    assert "full" in err
    assert "Traceback" not in err
    assert not out.exists()
    with sqlite3.connect(tmp_path / "out.jsonl.part" / "journal") as journal:
        (kept,) = journal.execute("SELECT count(*) FROM vectors").fetchone()
    journal.close()
    assert kept > 10
    before = len(server.requests)
    last = spawn(*command)
    assert last.communicate()[0] == ""
    assert_complete(out, rows)
    assert len(server.requests) - before == len(rows) - kept


def test_a_vector_of_a_shortened_text(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, out: Path
) -> None:
    """A text that is too long is listed, or shortened when asked to; only a run that shortens takes such a vector."""
    rows = [{"id": 1, "text": "짧다"}, {"id": 2, "text": "가나다라 " * 8_000}]
    path = write_rows(tmp_path / "a.jsonl", rows)
    assert cli("embed", path, "-o", str(out)).code == 3
    ((line, reason),) = refused_in(out)
    assert line == 2
    assert "40003" in reason
    before = len(server.requests)
    assert cli("embed", path, "-o", str(out)).code == 3
    assert len(server.requests) == before, "a refusal is remembered"
    ran = cli("embed", path, "-o", str(out), "--on-too-long", "truncate", "--json")
    assert ran.code == 0
    assert '"shortened": 1' in ran.out
    row = rows_in(out)[1]
    assert row["text"] == rows[1]["text"]
    assert row["embedding_key"].endswith(":cut")
    assert row["embedding"] == vector_of(asked(server)[-1])
    before = len(server.requests)
    assert cli("embed", path, "-o", str(out), "--on-too-long", "truncate").code == 0
    assert len(server.requests) == before
    assert cli("embed", path, "-o", str(out)).code == 3
    assert [row["id"] for row in rows_in(out)] == [1]
