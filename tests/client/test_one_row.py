"""An error code and a model are one row each: added to a copy of the sources, they are seen everywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run_with_row(tmp_path: Path) -> Callable[[str, str, str, str], Any]:
    """Add a row after a marker in a copy of the packages, run a program there and return the JSON that it prints."""

    def run(file: str, marker: str, row: str, program: str) -> Any:
        kept = shutil.ignore_patterns("__pycache__", "emulator")
        for source in ("shared/clova_studio", "langchain_clova", "llama_index_clova"):
            shutil.copytree(ROOT / source, tmp_path / source, ignore=kept)
        table = tmp_path / "shared/clova_studio" / file
        text = table.read_text(encoding="utf-8")
        assert text.count(marker) == 1
        table.write_text(text.replace(marker, marker + row), encoding="utf-8")
        env = {**os.environ, "PYTHONPATH": f"{tmp_path / 'shared'}{os.pathsep}{tmp_path}"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.slow
def test_an_error_code_is_one_row(run_with_row: Callable[..., Any]) -> None:
    """A new row decides class, hint, retry, quota and the doctor's finding."""
    seen = run_with_row(
        "_error_codes.py",
        "\nCODES = (\n",
        '    ErrorCode("49999", "RateLimitError", "Wait.", "기다리세요.", retry=True, finding="overloaded"),\n'
        '    ErrorCode("49998", "NotFoundError", "Look again.", "다시 보세요.", retry=True),\n'
        '    ErrorCode("49997", "BadRequestError", "Ask less.", "줄이세요."),\n',
        "import json\n"
        "from clova_studio._errors import status_error\n"
        "from clova_studio._errors import closes_quota, is_retryable\n"
        "from clova_studio._cli._diagnosis import Situation, diagnose\n"
        "seen = {}\n"
        "for code in ('49999', '49998', '49997'):\n"
        "    error = status_error('no', status_code=400, code=code)\n"
        "    found = diagnose(error, Situation('host'))\n"
        "    seen[code] = [type(error).__name__, error.hint, is_retryable(error), closes_quota(error), found.id,\n"
        "                  found.remedy['ko']]\n"
        "print(json.dumps(seen))\n",
    )
    assert seen == {
        "49999": ["RateLimitError", "Wait. / 기다리세요.", True, False, "overloaded", seen["49999"][5]],
        "49998": ["NotFoundError", "Look again. / 다시 보세요.", True, False, "wrong_path", seen["49998"][5]],
        "49997": ["BadRequestError", "Ask less. / 줄이세요.", False, False, "refused_request", "줄이세요."],
    }


@pytest.mark.slow
def test_a_model_is_one_row(run_with_row: Callable[..., Any]) -> None:
    """A new row decides the API and ranges of a chat, the list of models, and what the adapters send and say of it."""
    seen = run_with_row(
        "_catalogue.py",
        "        for info in (\n            ModelInfo(\n",
        '                "HCX-NEW", api="v1", context_window=5_000, max_input_tokens=4_000, max_output_tokens=2_000\n'
        "            ),\n            ModelInfo(\n",
        "import contextlib, io, json\n"
        "from clova_studio._errors import ConfigurationError\n"
        "from clova_studio._requests import chat\n"
        "from clova_studio._cli import main\n"
        "from clova_studio.adapters import chat_options, default_output_tokens\n"
        "from langchain_clova._profile import profile_of\n"
        "hello = [{'role': 'user', 'content': 'hello'}]\n"
        "path = chat.chat(hello, model='HCX-NEW', options={'max_tokens': 2_000}).path\n"
        "try:\n"
        "    chat.chat(hello, model='HCX-NEW', options={'max_tokens': 2_001})\n"
        "    refused = ''\n"
        "except ConfigurationError as error:\n"
        "    refused = error.message\n"
        "with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    main(['models'])\n"
        "request = chat_options({'model': 'HCX-NEW'}, {}, tools=[], response_format=None)\n"
        "profile = profile_of('HCX-NEW', tuned=False)\n"
        "print(json.dumps([path, refused, 'HCX-NEW' in out.getvalue(), request.request['max_tokens'],\n"
        "                  request.no_images, profile['max_input_tokens'], profile['tool_calling']]))\n",
    )
    path, refused, listed, default, no_images, most_input, tools = seen
    assert path == "/v1/chat-completions/HCX-NEW"
    assert "up to 2000 for HCX-NEW" in refused
    assert listed
    assert (default, most_input, tools) == (512, 4_000, False)
    assert "HCX-NEW, which takes text only" in no_images
