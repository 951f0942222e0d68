"""The README as a new user reads it: its examples run as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", EXAMPLES, ids=[example.split("\n")[0][:40] for example in EXAMPLES])
def test_example_runs_as_printed(
    code: str, clova_studio_server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each Python example runs in a process of its own against the emulator, without a warning."""
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", clova_studio_server.base_url)
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", clova_studio_server.api_key)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


def test_first_example_is_ten_lines() -> None:
    """What a reader sees first is ten lines of code with Korean text in them."""
    lines = [line for line in EXAMPLES[0].splitlines() if line.strip()]
    assert len(lines) <= 10
    assert re.search("[가-힣]", EXAMPLES[0])


def test_every_api_of_the_table_exists() -> None:
    """The verbs and classes that the table of APIs names are there."""
    import clova_studio
    import langchain_clova

    rows = re.findall(r"^\| (?!API|---)[^|]+\| ([^|]+)\| ([^|]+)\|$", README, flags=re.MULTILINE)
    assert rows
    for client, adapter in rows:
        for name in re.findall(r"`(\w+)", client):
            assert hasattr(clova_studio.ClovaStudio, name)
        for name in re.findall(r"`(\w+)", adapter):
            assert hasattr(langchain_clova, name)
