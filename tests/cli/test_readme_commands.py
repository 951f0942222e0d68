"""The command lines of both READMEs, as a reader runs them."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.ko.md")
KEY = "nv-cli-test-key"


def block_with(command: str) -> str:
    """Return the block of shell lines in which a command stands: one in each README, the same but for the comments."""
    found = {}
    for readme in READMES:
        text = (ROOT / readme).read_text(encoding="utf-8")
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        (block,) = [block for block in blocks if command in block]
        lines = tuple(tuple(shlex.split(line, comments=True)) for line in block.splitlines())
        found[lines] = block
    (block,) = found.values()
    return block


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs lines in a folder where this environment is `.venv`, as make sets it up."""
    programs = Path(sys.executable).parent
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(programs, target_is_directory=True)
    (tmp_path / "my.txt").write_text(
        "환불은 구매 후 7일 안에 신청할 수 있습니다.\n\n배송은 이틀쯤 걸립니다.\n", encoding="utf-8"
    )

    (tmp_path / "faq.csv").write_text("id,text\n1,환불은 언제까지 되나요?\n", encoding="utf-8")

    def run(lines: str) -> subprocess.CompletedProcess[str]:
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-e", "-c", lines],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
            encoding="utf-8",
            env={**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"},
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_the_commands_run_as_printed(
    server: EmulatorServer, shell: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    """Every line of the block runs in a shell against the emulator, as installed, and none fails."""
    done = shell(block_with("clova-studio doctor"))
    assert "대통령의 임기는 5년" in done.stdout
    assert "No problem found." in done.stdout
    assert '"total"' in done.stdout
    assert server.api_key not in done.stdout + done.stderr


@pytest.mark.parametrize("has_key", [True, False])
def test_a_file_of_ones_own_takes_three_lines(
    has_key: bool,  # noqa: FBT001  a parameter of the test
    server: EmulatorServer,
    shell: Callable[[str], subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After `make demo` an answer over a reader's own file is one command away, with a key and without one."""
    first, export, demo = block_with("my.txt").splitlines()
    assert first == "make demo"
    monkeypatch.delenv("CLOVASTUDIO_API_KEY")
    if not has_key:
        monkeypatch.delenv("CLOVASTUDIO_BASE_URL")
    done = shell("\n".join([export.replace("nv-...", KEY), demo] if has_key else [demo]))
    assert "환불은 구매 후 7일 안에 신청할 수 있습니다." in done.stdout
    assert bool(server.requests) is has_key


def test_the_emulator_starts_and_is_found(
    spawn: Callable[..., Any], shell: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    """The first line starts an emulator, and what the second one sets leads a client to it."""
    block = block_with("clova-studio emulator")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command, export = block.replace("8765", port).splitlines()
    running = spawn(*command.split()[1:])
    assert f"http://127.0.0.1:{port}" in running.stdout.readline()
    assert "No problem found." in shell(f"{export}\nclova-studio doctor").stdout
