"""One row is enough: an error code, or a model, that is added to its table is known everywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import clova_studio

SOURCE = Path(clova_studio.__file__).parents[1]
ADAPTERS = SOURCE.parent

ROW = """
    ErrorCode("47011", "ContextLengthError", "Cut it.", "줄이세요.", retry=True, finding="overloaded"),
"""
ASKED_OF_A_CODE = """
import json
from clova_studio._cli._diagnosis import Situation, diagnose
from clova_studio._errors import status_error
from clova_studio._retries import closes_quota, is_retryable

error = status_error("too long", status_code=400, code="47011")
found = diagnose(error, Situation(host="h", model="m"))
print(json.dumps([type(error).__name__, error.hint, is_retryable(error), closes_quota(error), found.id]))
"""
ASKED_OF_A_MODEL = """
import json
from clova_studio import ClovaStudio, ConfigurationError, MODELS
from clova_studio._cli import main
from clova_studio._requests.chat import chat
from langchain_clova import ChatClovaX
from llama_index_clova import ClovaX

def refused(**options):
    try:
        chat([{"role": "user", "content": "글"}], model="HCX-999", options=options)
    except ConfigurationError as error:
        return error.message
    return None

call = chat([{"role": "user", "content": "글"}], model="HCX-999", options={"max_tokens": 10})
main(["models"])
print()
print(json.dumps([call.path, refused(max_tokens=5_000), refused(thinking={"effort": "low"}),
    ChatClovaX(model="HCX-999", api_key="nv-x").profile["max_input_tokens"],
    ClovaX(model="HCX-999", api_key="nv-x").metadata.context_window]))
"""


def ask(tmp_path: Path, file: str, after: str, row: str, program: str) -> tuple[str, Any]:
    """Run a program over a copy of the packages with a row more; return what it printed, the last line as JSON."""
    for package in (SOURCE / "clova_studio", ADAPTERS / "langchain_clova", ADAPTERS / "llama_index_clova"):
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    table = tmp_path / "clova_studio" / file
    head, found, tail = table.read_text("utf-8").partition(after)
    assert found
    table.write_text(head + found + row + tail, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed, _, answer = done.stdout.rstrip().rpartition("\n")
    return printed, json.loads(answer)


def test_an_error_code_is_one_row(tmp_path: Path) -> None:
    """A code that is added to the table has its class, hint, retry and finding, and closes no quota."""
    _, answer = ask(tmp_path, "_error_codes.py", "_ROWS = (", ROW, ASKED_OF_A_CODE)
    assert answer == ["ContextLengthError", "Cut it. / 줄이세요.", True, False, "overloaded"]


def test_a_model_is_one_row(tmp_path: Path) -> None:
    """A model that is added to the catalogue goes to its API with its ranges, in the client and all around it."""
    row = """
            ModelInfo("HCX-999", max_output_tokens=4_000, context_window=5_000, max_input_tokens=4_500),"""
    printed, answer = ask(tmp_path, "_catalogue.py", "        for info in (", row, ASKED_OF_A_MODEL)
    path, too_many, thinks, profile, window = answer
    assert path == "/v3/chat-completions/HCX-999"
    assert "4000" in too_many.replace(",", "")
    assert "HCX-999" in thinks
    assert (profile, window) == (4_500, 5_000)
    assert "HCX-999" in printed
