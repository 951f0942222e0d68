"""``clova-studio tuning``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

CREATE = ["tuning", "create", "train/data.csv", "--bucket", "my-bucket", "--model", "HCX-005"]
WAIT = ["--wait", "--poll-interval", "0.1"]
STORAGE = {"NCLOUD_ACCESS_KEY": "storage-access-words", "NCLOUD_SECRET_KEY": "storage-secret-words"}


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of a bucket."""
    for name, value in STORAGE.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("storage")
def test_a_task_from_its_start_to_its_end(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """A task is created with every option, waited for, listed, shown and deleted."""
    words = "--name mine --train-epochs 2 --learning-rate 0.001 --validation-split-ratio 0.1 --lora-r 4 --lora-alpha 8"
    created = cli(*CREATE, *words.split(), *WAIT, "--json")
    assert created.code == 0
    task = json.loads(created.out)
    assert task["status"] == "SUCCEEDED"
    assert [line.split()[-1] for line in created.err.splitlines()[1:]][-1] == "SUCCEEDED"
    sent = next(request.body for request in server.requests if request.method == "POST")
    assert sent == {
        "model": "HCX-005",
        "name": "mine",
        "trainEpochs": sent["trainEpochs"],
        "learningRate": sent["learningRate"],
        "validationSplitRatio": 0.1,
        "loraR": 4,
        "loraAlpha": 8,
        "trainingDatasetFilePath": "train/data.csv",
        "trainingDatasetBucket": "my-bucket",
        "trainingDatasetAccessKey": "storage-access-words",
        "trainingDatasetSecretKey": "storage-secret-words",
    }
    assert (float(sent["trainEpochs"]), float(sent["learningRate"])) == (2, 0.001)
    assert [found["id"] for found in json.loads(cli("tuning", "list", "--json").out)] == [task["id"]]
    assert task["id"] in cli("tuning", "list", "--all").out
    assert "SUCCEEDED" in cli("tuning", "get", task["id"]).out
    assert json.loads(cli("tuning", "delete", task["id"], "--yes", "--json").out) == {"deleted": [task["id"]]}
    assert json.loads(cli("tuning", "list", "--json").out) == []
    assert cli("tuning", "get", task["id"]).code == 1


@pytest.mark.usefixtures("storage")
def test_a_task_that_fails(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """A task that fails while it is waited for is exit code 1 with the service's reason."""
    arguments = [word.replace("data.csv", "file.encoding.csv") for word in CREATE]
    ran = cli(*arguments, *WAIT)
    assert ran.code == 1
    assert "file.encoding" in ran.err


@pytest.mark.usefixtures("storage")
def test_the_dataset_is_checked_first(server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path) -> None:
    """A local copy that a task would fail for stops the command before anything is sent; a good one is advised on."""
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    bad.write_text("C_ID,T_ID,Text\n0,0,안녕\n", encoding="utf-8-sig")
    rows = "".join(f"{i},0,질문 {i},답 {i}\n" for i in range(120))
    good.write_text(f"C_ID,T_ID,Text,Completion\n{rows}", encoding="utf-8-sig")
    ran = cli(*CREATE, "--check", str(bad))
    assert ran.code == 2
    assert "Completion" in ran.err
    assert cli(*CREATE, "--check", str(tmp_path / "none.csv")).code == 2
    assert not server.requests
    ran = cli(*CREATE, "--check", str(good))
    assert ran.code == 0
    assert "120 rows" in ran.err
    assert "recommended" in ran.err


@pytest.mark.parametrize("option", ["--access-key", "--secret-key"])
def test_storage_keys_are_no_arguments(server: EmulatorServer, cli: Callable[..., Any], option: str) -> None:
    """A key of the bucket as an argument is refused with the reason and the variables to set."""
    ran = cli(*CREATE, option, "storage-secret-words")
    assert ran.code == 2
    assert "process lists" in ran.err
    assert "NCLOUD_SECRET_KEY" in ran.err


def test_storage_keys_that_are_missing(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """Where nobody can type them, missing keys of the bucket are named; nothing is sent."""
    ran = cli(*CREATE)
    assert ran.code == 2
    assert "NCLOUD_ACCESS_KEY" in ran.err
    assert not server.requests


def test_storage_keys_that_are_typed(server: EmulatorServer, spawn: Callable[..., Any]) -> None:
    """On a terminal missing keys of the bucket are asked for and not echoed."""
    import pty

    ours, theirs = pty.openpty()
    process = spawn(*CREATE, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = b""
    for secret in STORAGE.values():
        while shown.count(b"not shown") <= list(STORAGE.values()).index(secret):
            shown += os.read(ours, 1024)
        os.write(ours, f"{secret}\n".encode())
    try:
        while piece := os.read(ours, 1024):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.wait() == 0, shown.decode()
    assert server.requests[-1].body["trainingDatasetSecretKey"] == STORAGE["NCLOUD_SECRET_KEY"]
    assert not [secret for secret in STORAGE.values() if secret.encode() in shown]


def test_deleting_asks_first(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """Without --yes nothing is deleted where nobody can answer."""
    ran = cli("tuning", "delete", "x")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert not server.requests


def test_an_unknown_task(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """A task that does not exist is exit code 1 with the code."""
    for action in (["get", "nope"], ["delete", "nope", "--yes"], ["get", "nope", *WAIT]):
        ran = cli("tuning", *action)
        assert ran.code == 1
        assert "40400" in ran.err


@pytest.mark.usefixtures("storage")
def test_interrupted_waiting(spawn: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while waiting is exit code 130, and says that the task goes on and how to wait again."""
    with serve(tuning_seconds=60) as server:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", server.base_url)
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", server.api_key)
        process = spawn(*CREATE, "--wait")
        for line in process.stderr:
            if line.rstrip().endswith(("WAIT", "RUNNING")):
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "tuning get" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("without", ["", "tqdm"], ids=["tqdm", "no tqdm"])
@pytest.mark.usefixtures("storage")
def test_progress_on_a_terminal(server: EmulatorServer, without: str) -> None:
    """On a terminal waiting shows a bar of the training steps, without tqdm the changes of the status."""
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    hidden = f"import sys; sys.modules.update(dict.fromkeys({without.split()!r}))"
    code = f"{hidden}; from clova_studio._cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *CREATE, *WAIT], stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 1024):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert (b"SUCCEEDED: 100%|" in shown) is not bool(without)
    assert (b": SUCCEEDED\r\n" in shown) is bool(without)
