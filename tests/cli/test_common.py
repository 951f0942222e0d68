"""What all subcommands share."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio._cli._terminal import paint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

COMMANDS = ["chat", "models", "embed", "tokens", "tuning", "doctor", "emulator", "demo"]
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
    assert "exit codes: 0 success, 1" in ran.out
    assert not ran.err


def test_start_is_light() -> None:
    """Help and wrong use load neither the HTTP library nor the models of the answers."""
    code = """
import sys
from clova_studio._cli import main
wrong = (["tuning", "create"], ["models", "--nonsense"], ["embed", "x"])
for arguments in (["--help"], ["chat", "--help"], ["doctor", "--help"], ["embed", "--help"], *wrong):
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


def test_a_key_under_a_similar_name(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """A missing key whose value stands in a variable of a similar name is said by name, never by value."""
    monkeypatch.setenv("HCX_API_KEY", "nv-cli-test-key")
    ran = cli("chat", "안녕")
    assert ran.code == 2
    assert "HCX_API_KEY is set, CLOVASTUDIO_API_KEY is not: rename the variable" in ran.err


def test_warnings_are_read_by_people(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]
) -> None:
    """What the client warns of is one line of the command: a key in quotes, a model's name that is nearly known."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "'nv-cli-test-key'")
    lines = cli("tokens", "안녕", "--model", "HCX005").err.splitlines()
    assert lines[0].startswith("clova-studio: warning: CLOVASTUDIO_API_KEY: quotes and blanks around the key")
    assert lines[1] == (
        "clova-studio: warning: model 'HCX005' is not known, and is sent as it is: did you mean 'HCX-005'?"
    )
    assert "Did you mean 'HCX-005'?" in lines[2]
    assert len(lines) == 3


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


@pytest.mark.parametrize("command", [[], ["tuning"]])
def test_no_command(cli: Callable[..., Any], command: list[str]) -> None:
    """Who names no command is told which there are, with exit code 2 and nothing on stdout."""
    ran = cli(*command)
    assert ran.code == 2
    assert not ran.out
    assert "exit codes: 0 success" in ran.err
    for name in COMMANDS if not command else ("list", "get", "create", "delete"):
        assert f"\n    {name} " in ran.err


@pytest.mark.parametrize(
    "command", [["chat", "안녕"], ["tokens", "안녕"], ["models"], ["tuning", "list"]], ids=" ".join
)
def test_a_refused_key_leads_to_the_doctor(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any], command: list[str]
) -> None:
    """Where the key is refused the doctor is named, in both languages; where something else is wrong it is not."""
    assert "doctor" not in cli("chat", "안녕", "--model", "HCX-999").err
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-unknown-key")
    ran = cli(*command)
    assert "'clova-studio doctor' finds out why." in ran.err
    assert "'clova-studio doctor'로 확인할 수 있습니다." in ran.err


def no_texts() -> list[Any]:
    """Files that people try: their bytes, and what the error has to say."""
    return [
        pytest.param("환불은 7일 안에 됩니다.".encode("cp949"), "iconv -f cp949 -t utf-8", id="cp949"),
        pytest.param("환불은 7일 안에 됩니다.".encode("utf-16"), "iconv -f utf-16 -t utf-8", id="utf-16"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "pdftotext", id="pdf"),
        pytest.param(b"PK\x03\x04\x14\x00\x06\x00\x08\xff\xfe", "office document", id="docx"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office document", id="hwp"),
        pytest.param(b"\x00\xff\x00\xff", "save it as UTF-8", id="bytes"),
    ]


@pytest.mark.parametrize(("raw", "said"), no_texts())
def test_a_file_that_is_no_text(cli: Callable[..., Any], tmp_path: Path, raw: bytes, said: str) -> None:
    """A file that is not in UTF-8 is named with what it is and the way out, in both languages, with exit code 2."""
    path = tmp_path / "my file.txt"
    path.write_bytes(raw)
    for command in (["demo", str(path)], ["tokens", "--local", "--file", str(path)]):
        ran = cli(*command)
        assert ran.code == 2
        assert not ran.out
        assert said in ran.err
        assert str(path) in ran.err
        assert "UTF-8" in ran.err
        assert re.search("[가-힣]", ran.err)
        assert len(ran.err.splitlines()) == 1
        if "iconv" in said:
            assert f"'{path}' > " in ran.err, "the command can be copied"


def test_a_pdf_of_ascii_alone(cli: Callable[..., Any], tmp_path: Path) -> None:
    """A PDF that could be read as text is refused by the demo all the same."""
    path = tmp_path / "contract.pdf"
    path.write_text("%PDF-1.4\n1 0 obj <</Type /Catalog>> endobj\n")
    ran = cli("demo", str(path))
    assert ran.code == 2
    assert "pdftotext" in ran.err


@pytest.mark.parametrize("command", [["demo"], ["tokens", "--local", "--file"]], ids=" ".join)
def test_a_file_that_cannot_be_read(cli: Callable[..., Any], tmp_path: Path, command: list[str]) -> None:
    """A missing file and a folder are named in one line, with exit code 2."""
    for path, said in ((tmp_path / "none.txt", "No such file"), (tmp_path, "Is a directory")):
        ran = cli(*command, str(path))
        assert ran.code == 2
        assert ran.err == f"clova-studio: {path}: {said}{' or directory' if 'No' in said else ''}\n"


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_file_of_ones_own(cli: Callable[..., Any], tmp_path: Path, start: bytes, end: str) -> None:
    """The demo answers over a file of the user's without a key, however its lines end, with or without a BOM."""
    path = tmp_path / "own.md"
    text = [
        "# 환불 규정",
        "환불은 구매 후 7일 안에 신청할 수 있습니다.",
        "# 배송",
        "배송 조회는 주문 내역에서 합니다.",
        "",
    ]
    path.write_bytes(start + end.join(text).encode())
    ran = cli("demo", str(path), "--question", "환불은 언제까지 신청하나요?")
    assert ran.code == 0
    assert "답변: 환불은 구매 후 7일 안에 신청할 수 있습니다." in ran.out
    assert "\ufeff" not in ran.out


@pytest.mark.parametrize("option", ["--window=0", "--window=nan", "--latency=-1", "--token-latency=x"])
def test_times_of_the_emulator(cli: Callable[..., Any], option: str) -> None:
    """The emulator does not start with a time that is none: the option is named, with exit code 2."""
    ran = cli("emulator", "--port", "0", option)
    assert ran.code == 2
    assert f"argument {option.partition('=')[0]}" in ran.err
