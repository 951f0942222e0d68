"""The examples of `docs/emulator.md`, run as printed in the languages that they are written in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from clova_studio.emulator import Fault
from clova_studio.emulator.control.endpoints import ENDPOINTS
from clova_studio.emulator.control.inputs import load_script

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    """The blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def run(server: EmulatorServer, *command: str, program: str) -> str:
    """Run a program against a server and return what it prints; skipped on a machine without the program."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    environment = {**os.environ, "CLOVASTUDIO_BASE_URL": server.base_url}
    done = subprocess.run(
        command, input=program.encode(), capture_output=True, check=False, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_curl(clova_studio_server: EmulatorServer) -> None:
    """Every curl line works: each answers without an error, and the header's fault comes with its header."""
    server = clova_studio_server
    blocks = [block.replace("http://127.0.0.1:8765", server.base_url) for block in examples("sh") if "curl" in block]
    control, header = blocks
    said = run(server, "sh", "-e", program=control)
    assert '"error"' not in said
    assert '"remaining"' not in said
    assert '"tokens": 60000' in said
    assert '"answers": ["부산입니다.", {"fault"' in said
    assert '"status": "ok"' in said
    said = run(server, "sh", "-e", program=header)
    assert said.startswith("HTTP/1.1 429 ")
    assert "x-ratelimit-reset-requests: 0.2s" in said


@pytest.mark.slow
def test_javascript(clova_studio_server: EmulatorServer) -> None:
    """The JavaScript scripts an answer, gets it, and reads the request."""
    (program,) = examples("javascript")
    said = run(clova_studio_server, "node", "--input-type=module", "-", program=program)
    assert said == "부산입니다.\n200 항구 도시는?\n"


@pytest.mark.slow
def test_java(clova_studio_server: EmulatorServer, tmp_path: Path) -> None:
    """The Java scripts an answer and gets it."""
    (program,) = examples("java")
    path = tmp_path / "EmulatorTest.java"
    path.write_text(program, encoding="utf-8")
    utf8 = ("-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8")
    said = run(clova_studio_server, "java", *utf8, str(path), program="")
    assert '"content":"부산입니다."' in said
    assert clova_studio_server.requests[0].body["messages"][0]["content"] == "항구 도시는?"


def test_script_file(tmp_path: Path) -> None:
    """The script file is read as its comments say."""
    (text,) = examples("yaml")
    path = tmp_path / "answers.yaml"
    path.write_text(text, encoding="utf-8")
    answers = load_script(path)
    assert len(answers) == len(yaml.safe_load(text)) == 4
    assert answers[0] == "부산입니다."
    assert answers[3] == Fault("status", code="42902")


def test_every_endpoint_is_listed() -> None:
    """The table has every method and path of control."""
    rows = re.findall(r"^\| ((?:`[A-Z]+`, )*)`([A-Z]+) (/_emulator\S+)` \|", PAGE, flags=re.MULTILINE)
    listed = {(method, path) for others, last, path in rows for method in (*re.findall(r"`(\w+)`", others), last)}
    known = {(endpoint.method, f"/_emulator{endpoint.path}") for endpoint in ENDPOINTS}
    assert listed == known | {("GET", "/_emulator/openapi.json"), ("GET", "/_emulator/events")}
