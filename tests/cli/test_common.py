"""What all subcommands share."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio._cli._terminal import paint

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

COMMANDS = ["chat", "models", "tokens", "tuning", "doctor", "emulator", "demo"]
ASKING = [
    ["chat", "안녕"],
    ["models"],
    ["tokens", "안녕"],
    ["tuning", "list"],
    ["tuning", "get", "x"],
    ["tuning", "delete", "x", "--yes"],
    ["doctor"],
]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), *(["tuning", n] for n in ("list", "create"))])
def test_help(cli: Callable[..., Any], command: list[str]) -> None:
    """Every command explains itself, exit codes included, without key and service."""
    ran = cli(*command, "--help")
    assert ran.code == 0
    assert "exit codes: 0 good, 1" in ran.out
    assert not ran.err


def test_start_is_light() -> None:
    """Help and wrong use load neither the HTTP library nor the models of the answers."""
    code = """
import sys
from clova_studio._cli import main
for arguments in (["--help"], ["chat", "--help"], ["doctor", "--help"], ["tuning", "create"], ["models", "--nonsense"]):
    try:
        main(arguments)
    except SystemExit:
        pass
heavy = ("httpx", "pydantic", "tenacity", "importlib.metadata", "langchain_clova")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
@pytest.mark.parametrize("option", ["--api-key", "--key"])
def test_a_key_is_no_argument(cli: Callable[..., Any], command: list[str], option: str) -> None:
    """A key as an argument is refused with the reason, the way out, and exit code 2; it is not shown again."""
    for words in ([option, "nv-cli-unknown-key"], [f"{option}=NTA0MjU2MWZlZTcxNDJiY"]):
        ran = cli(*command, *words)
        assert ran.code == 2
        assert "process lists" in ran.err
        assert "CLOVASTUDIO_API_KEY" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["--apikeys", "NTA0MjU2MWZlZTcxNDJiY"],
        ["--x=nv-cli-unknown-key"],
        ["--mode", "x"],
        ["--max-tokens", "nv-cli-unknown-key"],
    ],
)
def test_unknown_options(cli: Callable[..., Any], words: list[str]) -> None:
    """An unknown option is named and a shortened name is unknown too; a key in the wrong place is not shown."""
    ran = cli("chat", "안녕", *words)
    assert ran.code == 2
    assert words[0].partition("=")[0] in ran.err


@pytest.mark.parametrize(
    "command", [command for command in ASKING if command not in (["doctor"], ["models"])], ids=" ".join
)
def test_without_a_key(cli: Callable[..., Any], command: list[str]) -> None:
    """Without a key nothing is sent: one line says what to set, in both languages, and exit code 2."""
    ran = cli(*command)
    assert ran.code == 2
    assert "CLOVASTUDIO_API_KEY" in ran.err
    assert "환경 변수" in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_a_refused_key(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any], command: list[str]
) -> None:
    """A refused key is exit code 1 with the service's code, and is not shown."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-unknown-key")
    ran = cli(*command)
    assert ran.code == 1
    assert "40104" in ran.out + ran.err


def test_an_unreachable_service(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """A service that cannot be reached is exit code 1."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-test-key")
    ran = cli("tokens", "안녕", "--base-url", "http://127.0.0.1:9", "--max-retries", "0")
    assert ran.code == 1
    assert "ConnectError" in ran.err


def test_options_of_the_connection(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """The path prefix goes before the path, and a contradiction of region and address is named."""
    assert cli("tokens", "안녕", "--path-prefix", "testapp").code == 0
    assert server.requests[-1].path.startswith("/testapp/v3/")
    for words in (["--region", "gov"], ["--region", "gov", "--base-url", server.base_url], ["--base-url", "x"]):
        ran = cli("tokens", "안녕", *words)
        assert ran.code == 2
        assert words[0] in ran.err or "base_url" in ran.err
    assert len(server.requests) == 1


def test_old_pair(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """The second key of the old pair goes with an old key, and never with a new one."""
    monkeypatch.setenv("NCP_APIGW_API_KEY", "storage-secret-words")
    assert cli("tokens", "안녕").code == 0
    assert "x-ncp-apigw-api-key" not in server.requests[-1].headers
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "NTA0MjU2MWZlZTcxNDJiY")
    assert cli("tokens", "안녕").code == 1
    assert "x-ncp-apigw-api-key" in server.requests[-1].headers
    assert "authorization" not in server.requests[-1].headers


def test_a_reader_that_is_gone(spawn: Callable[..., Any]) -> None:
    """When nobody reads the output any more the command ends at once, without a complaint."""
    read, write = os.pipe()
    process = spawn("models", stdout=write)
    os.close(write)
    os.close(read)
    assert process.communicate()[1] == ""
    assert process.returncode == 141


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour goes to terminals only, and not with NO_COLOR or on a dumb one."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert paint("x", "red", Terminal()) == "\x1b[31mx\x1b[0m"
    assert paint("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("TERM", "dumb")
    assert paint("x", "red", Terminal()) == "x"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", "red", Terminal()) == "x"
