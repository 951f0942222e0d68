"""The command ``clova-studio emulator``: its options, what it says of wrong ones, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from emulator_support import NO_TLS, user

from clova_studio._cli import main
from clova_studio.emulator import Fault, serve
from clova_studio.emulator.control.inputs import load_script

if TYPE_CHECKING:
    from pathlib import Path

H5 = "/v3/chat-completions/HCX-005"
PROGRAM = [sys.executable, "-m", "clova_studio", "emulator"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "99999"], "--port: '99999' is not a port: ports are 0 (a free one) to 65535"),
        (["--port", "-1"], "--port: '-1' is not a port"),
        (["--port", "x"], "--port: 'x' is not a port"),
        (["--limit", "HCX-005=-5,-6"], "the requests of HCX-005 must be a whole number of at least 0"),
        (["--limit", "HCX-005=5,-6"], "the tokens of HCX-005 must be a whole number of at least 0"),
        (["--limit", "HCX-005=x"], "'HCX-005=x': REQUESTS and TOKENS are whole numbers"),
        (["--limit", "HCX-05=5"], "'HCX-05' is no model or tool: did you mean HCX-005?"),
        (["--limit", "chat=5"], "Known are HCX-003"),
        (["--latency", "x"], "--latency: 'x' is not a number of seconds of at least 0"),
        (["--window", "0"], "--window: '0' is not a number of seconds above 0"),
        (["--idle-timeout", "-1"], "--idle-timeout: '-1' is not a number of seconds"),
        (["--cors", "localhost"], "--cors: 'localhost' is not an origin"),
        (["--fault", "status;times=x"], "times of fault 'status' must be a number, not 'x'"),
        (["--script", "/nowhere.yaml"], "--script: [Errno 2] No such file or directory: '/nowhere.yaml'"),
    ],
)
def test_wrong_options(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong value is refused before the start, with the option, the value and the rule, and exit code 2."""
    with pytest.raises(SystemExit) as stop:
        main(["emulator", *options])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"port": 99_999}, "port must be a whole number from 0 to 65535, not 99999"),
        ({"port": -1}, "port must be"),
        ({"rate_limits": {"HCX-005": (-5, -6)}}, "rate_limits: the requests of HCX-005 must be a whole number"),
        ({"rate_limits": {"HCX-05": (5, 5)}}, "rate_limits: 'HCX-05' is no model or tool: did you mean HCX-005"),
        ({"rate_limits": {"HCX-005": 5}}, "rate_limits: HCX-005 needs a pair of requests and tokens, not 5"),
        ({"window": 0}, "window must be a number of seconds above 0, not 0"),
        ({"latency": -1}, "latency must be a number of seconds of at least 0, not -1"),
        ({"token_latency": float("nan")}, "token_latency must be a number of seconds of at least 0, not nan"),
        ({"api_keys": "nv-a"}, "api_keys must be a collection of keys, not one string"),
        ({"faults": ["status"]}, "A fault is a Fault, not str"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], said: str) -> None:
    """Python refuses the same values by the name of the setting, before anything listens."""
    with pytest.raises((TypeError, ValueError), match=re.escape(said)):
        serve(**settings)


SCRIPT = """
- 하나
- content: 둘
  thinking: 음
- fault: {kind: status, code: "42902"}
"""


@pytest.mark.parametrize("form", ["list.yaml", "mapping.yaml", "mapping.json"])
def test_script_files(tmp_path: Path, form: str) -> None:
    """A script is a YAML or JSON file with a list of answers, alone or as ``answers``."""
    import yaml

    path = tmp_path / form
    answers = yaml.safe_load(SCRIPT)
    whole = answers if form.startswith("list") else {"answers": answers}
    path.write_text(json.dumps(whole) if form.endswith("json") else yaml.safe_dump(whole), encoding="utf-8")
    first, second, third = load_script(path)
    assert (first, second) == ("하나", {"content": "둘", "thinking": "음"})
    assert third == Fault("status", code="42902")


def test_wrong_script_files(tmp_path: Path) -> None:
    """What is wrong in a script file is named with the file and the field."""
    path = tmp_path / "script.yaml"
    for text, said in (
        ("- 1", "answers[0] must be a text or a mapping, not 1"),
        ("answer: [a]", "The script has the unknown field 'answer'; known are answers"),
        ("- {fault: {kind: nope}}", "answers[0].fault.kind must be one of"),
        ("{", "script.yaml: "),
        ("", "The script must be a mapping, not None"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=re.escape(said)) as error:
            load_script(path)
        assert str(error.value).startswith(str(path))


def start(*options: str, **pipes: Any) -> subprocess.Popen[str]:
    """Start the command."""
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, **pipes}
    return subprocess.Popen([*PROGRAM, *options], text=True, **settings)


@pytest.mark.slow
def test_options_take_effect(tmp_path: Path) -> None:
    """A script, quotas, control and pages given on the command line are those of the server; Ctrl-C ends it with 0."""
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT, encoding="utf-8")
    options = ["--script", str(path), "--limit", "HCX-005=2,-", "--no-control", "--cors", "http://localhost:3000"]
    with start("--port", "0", *options) as process:
        try:
            assert process.stdout is not None
            url = next(word for word in process.stdout.readline().split() if word.startswith("http"))
            headers = {"authorization": "Bearer nv-x", "origin": "http://localhost:3000"}
            with httpx.Client(base_url=url, headers=headers, verify=NO_TLS, timeout=20) as client:
                answers = [client.post(H5, json=user("a")) for _ in range(4)]
                assert client.get("/_emulator/health").status_code == 404
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[0].json()["result"]["message"]["content"] == "하나"
    assert [answer.json()["status"]["code"] for answer in answers[2:]] == ["42902", "42901"]
    assert answers[0].headers["access-control-allow-origin"] == "http://localhost:3000"


@pytest.mark.slow
@pytest.mark.parametrize(("option", "named"), [("--control", True), ("--no-control", False)])
def test_it_names_its_page(option: str, named: Any) -> None:
    """Whoever starts it reads where its page is, if it has one."""
    with start("--port", "0", option) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            url = next(word for word in first.split() if word.startswith("http"))
            if named:
                assert process.stdout.readline() == f"Open {url}/ in a browser to see its requests\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.read() == ""
        finally:
            process.kill()


def test_an_address_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """An address that cannot be used is exit code 1, with the address and the reason, and leaves nothing behind."""
    threads = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["emulator", "--port", port]) == 1
    assert f"Cannot listen on 127.0.0.1:{port}: " in capsys.readouterr().err
    assert main(["emulator", "--host", "192.0.2.1", "--port", "0"]) == 1
    assert "Cannot listen on 192.0.2.1:0: " in capsys.readouterr().err
    assert set(threading.enumerate()) == threads


@pytest.mark.slow
def test_nobody_reads_the_address() -> None:
    """When the reader of the output is gone before the address is written, the exit code is 141, with no complaint."""
    read, write = os.pipe()
    with start("--port", "0", stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        os.close(read)
        try:
            assert process.communicate(timeout=30)[1] == ""
        finally:
            process.kill()
        assert process.returncode == 141


@pytest.mark.slow
def test_without_an_output() -> None:
    """A closed output is no reason not to serve."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shell = f'exec "$0" -m clova_studio emulator --port {port} >&-'
    with subprocess.Popen(["sh", "-c", shell, sys.executable], stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 30
            status = None
            while status is None and time.monotonic() < until:
                try:
                    status = httpx.get(f"http://127.0.0.1:{port}/_emulator/health", verify=NO_TLS).status_code
                except httpx.ConnectError:
                    time.sleep(0.05)
            assert status == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_help_says_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists the codes that the tests of this file see, and no other."""
    with pytest.raises(SystemExit):
        main(["emulator", "--help"])
    said = capsys.readouterr().out.partition("exit codes: ")[2]
    assert re.findall(r"\b(\d+) [a-z]", said) == ["0", "1", "2", "141"]
