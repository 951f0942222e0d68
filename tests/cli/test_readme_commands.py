"""The section on the command line of both READMEs, as a reader runs it."""

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

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("readme", "section"), [("README.md", "Command line"), ("README.ko.md", "명령줄")])
def test_the_commands_run_as_printed(readme: str, section: str, server: EmulatorServer, tmp_path: Path) -> None:
    """Every line of the block runs in a shell against the emulator, as installed, and none fails."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    block = re.search(rf"^## {section}\n+```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e", "-c", block[1]],
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
