"""Both adapters under ``nest_asyncio``, in a process of its own: it changes asyncio for good."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "support" / "nested_loops.py"


@pytest.mark.slow
def test_everything_works_under_nest_asyncio() -> None:
    """Every component answers in a patched loop: again in another one, side by side, and nested in waiting ones."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], capture_output=True, text=True, check=False, encoding="utf-8", timeout=110
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    assert done.stdout == "done\n"
    assert "never awaited" not in done.stderr
    assert "exception was never retrieved" not in done.stderr
