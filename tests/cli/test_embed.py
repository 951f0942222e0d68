"""``clova-studio embed``: its models, outputs and options."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from embed_support import MODEL, numbered, refused_in, rows_in, vector_of, write_rows

from clova_studio.emulator import serve

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
