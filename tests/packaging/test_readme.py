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
    # From Python 3.12 on, how LlamaIndex asks for the current event loop is deprecated.
    strict = ["-W", "error", "-W", "ignore:There is no current event loop:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *strict, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("number", [0, 1])
def test_first_examples_are_ten_lines(number: int) -> None:
    """What a reader sees first is ten lines of code for each framework, with Korean text in them."""
    lines = [line for line in EXAMPLES[number].splitlines() if line.strip()]
    assert len(lines) <= 10
    assert re.search("[가-힣]", EXAMPLES[number])
    assert ("langchain_clova", "llama_index_clova")[number] in EXAMPLES[number]


def test_every_api_of_the_table_exists() -> None:
    """The verbs and classes that the table of APIs names are there, and it leaves out no class of an adapter."""
    import clova_studio
    import langchain_clova
    import llama_index_clova

    rows = re.findall(r"^\| (?!API|---)[^|]+\| ([^|]+)\|([^|]*)\|([^|]*)\|$", README, flags=re.MULTILINE)
    assert len(rows) > 10
    for client, *_ in rows:
        for name in re.findall(r"`(\w+)", client):
            assert hasattr(clova_studio.ClovaStudio, name)
    for column, package in ((1, langchain_clova), (2, llama_index_clova)):
        named = {name for row in rows for name in re.findall(r"`(\w+)", row[column])}
        assert named
        for name in named:
            assert hasattr(package, name)
    shown = {name for row in rows for name in re.findall(r"`(\w+)", row[2])}
    unnamed = set(llama_index_clova.__all__) - shown
    assert all(name.startswith("ClovaRerank") for name in unnamed), "what a reranking gives is no API, all else is"
