"""Fixtures of the command line's tests: an account at an emulator, and the command in this process and in others."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from clova_studio._cli import main
from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio.emulator import EmulatorServer

KEYS = {"nv-cli-test-key": "test", "nv-cli-service-key": "service", "nv-cli-lonely-key": "unregistered"}
STORAGE = {"NCLOUD_ACCESS_KEY": "storage-access-words", "NCLOUD_SECRET_KEY": "storage-secret-words"}
SECRETS = (*KEYS, *STORAGE.values(), "nv-cli-unknown-key", "NTA0MjU2MWZlZTcxNDJiY", "proxy-password-words")
VARIABLES = (
    "CLOVASTUDIO_API_KEY",
    "NCP_CLOVASTUDIO_API_KEY",
    "NCP_APIGW_API_KEY",
    "CLOVASTUDIO_BASE_URL",
    "NCLOUD_ACCESS_KEY",
    "NCLOUD_SECRET_KEY",
    "NO_COLOR",
    *(name for each in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for name in (each, each.lower())),
)
PROGRAM = [sys.executable, "-W", "error", "-c", "import sys; from clova_studio._cli import main; sys.exit(main())"]


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, address or proxy of the machine's own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorServer]:
    """An emulator that the environment points to, with a test key."""
    with serve(api_keys=KEYS, tuning_seconds=0.3) as running:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", running.base_url)
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-test-key")
        yield running


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """The command in this process. Whatever it does, its output shows no key."""

    def run(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        out, err = capsys.readouterr()
        assert not [secret for secret in SECRETS if secret in out + err]
        return Ran(code, out, err)

    return run


@pytest.fixture
def spawn() -> Iterator[Callable[..., Any]]:
    """The command in a process of its own, as `subprocess.Popen`; it does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **settings: Any) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        started.append(subprocess.Popen([*PROGRAM, *arguments], env=environment, text=True, encoding="utf-8", **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        with process:
            pass
