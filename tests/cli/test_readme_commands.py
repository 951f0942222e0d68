"""The README's section on the command line, as a reader runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCK = re.search(r"^## Command line\n+```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_the_commands_run_as_printed(server: EmulatorServer, tmp_path: Path) -> None:
    """Every line of the block runs in a shell against the emulator, as installed, and none fails."""
    assert BLOCK is not None
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e", "-c", BLOCK[1]],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    assert "No problem found." in done.stdout
    assert '"total"' in done.stdout
    assert server.api_key not in done.stdout + done.stderr
