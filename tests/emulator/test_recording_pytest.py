"""The options and marks of the pytest plugin, in runs of pytest of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from clova_studio.emulator import EmulatorServer, serve
from clova_studio.emulator.recording.fixture import RecordingError, file_of
from clova_studio.emulator.recording.interactions import read_recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import httpx, pytest

def ask(server, text, path="/v3/chat-completions/HCX-005"):
    headers = {"authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=server.base_url, headers=headers, verify=False) as client:
        answer = client.post(path, json={"messages": [{"role": "user", "content": text}]})
    return answer.status_code

@pytest.mark.parametrize("text", ["안녕", "a/b"])
def test_plain(clova_studio_server, text):
    assert ask(clova_studio_server, text) == 200

class TestMany:
    @pytest.mark.clova_recording("chats/mine")
    def test_marked(self, clova_studio_server):
        assert ask(clova_studio_server, "표시") == 200

@pytest.mark.clova_emulator
def test_scripted(clova_studio_server):
    clova_studio_server.script(["그래"])
    assert ask(clova_studio_server, "뭐든") == 200
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[EmulatorServer]:
    """The emulator as the service; it takes one key alone."""
    with serve(api_keys=["nv-planted-key"]) as server:
        yield server


def run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, with this plugin alone and without the keys of this process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CLOVA", "NCP_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "clova_studio._pytest_plugin", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={**inherited, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a test file."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n", encoding="utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "test_it.py").write_text(PROGRAM, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_record_then_replay(project: Path, upstream: EmulatorServer) -> None:
    """Each test records to a file of its own, replays without key and upstream, and marks say what to do otherwise."""
    service = {"CLOVASTUDIO_API_KEY": "nv-planted-key", "CLOVASTUDIO_BASE_URL": upstream.base_url}
    before = run(project, "--clova-replay")
    assert "1 passed, 3 errors" in before.stdout
    assert "There is no recording" in before.stdout
    assert "pytest --clova-record 'sub/test_it.py::TestMany::test_marked'" in before.stdout

    done = run(project, "--clova-record", **service)
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert len(upstream.requests) == 3
    files = sorted(str(path.relative_to(project)) for path in project.rglob("*.jsonl"))
    assert files[0] == "sub/recordings/chats/mine.jsonl"
    assert [name.rpartition("/")[0] for name in files[1:]] == ["sub/recordings/test_it"] * 2
    assert all("planted" not in path.read_text(encoding="utf-8") for path in project.rglob("*.jsonl"))
    asked = [read_recording(path)[0].request.body["json"] for path in project.rglob("*.jsonl")]
    assert sorted(body["messages"][0]["content"] for body in asked) == sorted(["안녕", "a/b", "표시"])

    done = run(project, "--clova-replay")
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    (project / "sub" / "recordings" / "chats" / "mine.jsonl").write_text("{}", encoding="utf-8")
    done = run(project)  # only the marked one answers from its recording
    assert "3 passed, 1 error" in done.stdout
    assert "mine.jsonl is not a recording" in done.stdout
    assert len(upstream.requests) == 3


@pytest.mark.slow
def test_what_is_wrong(project: Path) -> None:
    """No key, two tests with one file, and both options at once are said by name; the folder can be another."""
    body = PROGRAM.replace("@pytest.mark.parametrize", "@pytest.mark.clova_recording('same')\n@pytest.mark.parametrize")
    (project / "sub" / "test_it.py").write_text(body, encoding="utf-8")
    done = run(project, "--clova-record", "-o", "clova_recordings=tapes", CLOVASTUDIO_BASE_URL="http://127.0.0.1:1")
    assert "set the environment variable CLOVASTUDIO_API_KEY" in done.stdout
    assert "/tapes/same.jsonl has been recorded by sub/test_it.py::test_plain" in done.stdout
    assert "1 passed" in done.stdout
    assert not list(project.rglob("*.jsonl"))
    done = run(project, "--clova-record", "--clova-replay")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--clova-record and --clova-replay exclude each other" in done.stderr


def test_names_of_files(tmp_path: Path) -> None:
    """Each test has a file of its own, with a name that every system takes, and marks cannot leave the folder."""
    module = tmp_path / "test_it.py"

    def name(test: str) -> str:
        return str(file_of(test, module, "recordings").relative_to(tmp_path))

    assert name("TestX::test_a[HCX-005]") == "recordings/test_it/TestX.test_a[HCX-005].jsonl"
    names = [name(f"test_a[{text}]") for text in ("a/b", "a:b", "a-b", "x" * 300, "x" * 301, "..", "\\uc548")]
    assert len(set(names)) == len(names)
    assert all(len(found.rpartition("/")[2]) < 150 and found.count("/") == 2 for found in names)
    assert file_of("t", module, "recordings", "a/b.jsonl") == tmp_path / "recordings" / "a" / "b.jsonl"
    for wrong in ("../x", "/x", "", 5):
        with pytest.raises(RecordingError, match="below the folder 'recordings'"):
            file_of("t", module, "recordings", wrong)  # type: ignore[arg-type]
