"""The access log: a line for each request, in Python's logging and on the command's stderr."""

from __future__ import annotations

import logging
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest
from emulator_support import NO_TLS, connect, user

from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clova_studio.emulator import EmulatorServer

H5 = "/v3/chat-completions/HCX-005"
SSE = {"accept": "text/event-stream"}
LOG = "clova_studio.emulator"
NO_API = "No API has this path and method; the tables of the API guide list them."


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of each line, without the time that a request took."""
    found = [(item.levelname, item.getMessage()) for item in caplog.records if item.name == LOG]
    return [(level, re.sub(r"\d+\.\d ms", "T ms", said)) for level, said in found]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[tuple[str, str]]]]:
    """Everything that is logged; read it when the server has stopped."""
    with caplog.at_level(logging.DEBUG, logger=LOG):
        yield lambda: lines(caplog)


def test_a_line_for_each_request(logged: Any) -> None:
    """Answers, streams and refusals are one line with method, path, status, code, time, message and hint."""
    with serve(rate_limits={"HCX-007": (1, None)}) as server, connect(server) as client:
        client.post(H5, json=user("안녕"))
        client.post(H5, json=user("안녕"), headers=SSE)
        client.post(H5, json=user("안녕", topK=500))
        for _ in range(2):
            client.post("/v3/chat-completions/HCX-007", json=user("안녕"))
        client.get("/nowhere?page=1")
    assert logged() == [
        ("INFO", f"POST {H5} 200 20000 T ms"),
        ("INFO", f"POST {H5} 200 20000 T ms"),
        (
            "WARNING",
            f"POST {H5} 400 40001 T ms Invalid parameter: topK. topK takes a whole number from 0 to 128.",
        ),
        ("INFO", "POST /v3/chat-completions/HCX-007 200 20000 T ms"),
        ("INFO", "POST /v3/chat-completions/HCX-007 429 42901 T ms Too many requests - rate exceeded."),
        ("WARNING", f"GET /nowhere 404 40400 T ms Not found. {NO_API}"),
    ]


def test_faults_have_lines(logged: Any) -> None:
    """A fault is named, and a request without an answer has no status."""
    with serve() as server, connect(server) as client:
        for fault in (Fault("status", code="42902", times=1), Fault("html", times=1), Fault("reset", times=1)):
            server.add_fault(fault)
            try:
                client.post(H5, json=user("안녕"))
            except httpx.TransportError:
                continue
        assert [item.fault for item in server.requests] == ["status", "html", "reset"]
    assert logged() == [
        ("INFO", f"POST {H5} 429 42902 T ms fault status Too many requests - overloaded."),
        ("INFO", f"POST {H5} 503 - T ms fault html"),
        ("INFO", f"POST {H5} - - T ms fault reset"),
    ]


def test_neither_keys_nor_texts_are_logged(logged: Any) -> None:
    """Whatever a request has where, its line has no key, no prompt, no second line and a bounded length."""
    with serve() as server, connect(server) as client:
        client.post(H5, json=user("비밀 secret"), headers={"authorization": "Bearer sk-secret-key"})
        client.post("/v3/chat-completions/nv-not-a-real-key", json=user("비밀 secret"))
        client.post(H5, json=user("비밀 secret", topK="비밀 값"))
        client.post(H5, json=user("비밀 secret"), headers={"cookie": "sk-secret-cookie", "x-api-key": "sk-secret"})
        client.post("/v3/x%0Ay" + "z" * 5_000, json={"비밀": 1})
        client.get("/tuning/v2/tasks?api_key=sk-secret")
        assert "sk-secret" not in repr(server.requests)
        assert not re.search("비밀|secret", repr(server.requests))
        assert server.requests[-1].query == {"api_key": "***"}
    said = [text for _, text in logged()]
    assert len(said) == 6
    for text in said:
        assert not re.search("secret|0123456789abcdef|비밀", text)
        assert len(text.splitlines()) == 1
        assert len(text) < 1_200


def test_control_is_logged_apart(logged: Any) -> None:
    """What steers the server has a line too; reading it is for DEBUG alone, since a page may ask all the time."""
    with serve() as server, connect(server) as client:
        client.post("/_emulator/reset")
        client.get("/_emulator/health")
        client.post("/_emulator/script", json={"answers": 5})
    assert logged() == [
        ("INFO", "POST /_emulator/reset 200"),
        ("DEBUG", "GET /_emulator/health 200"),
        ("INFO", "POST /_emulator/script 400 answers must be a valid list, not 5"),
    ]


PROGRAM = [sys.executable, "-m", "clova_studio", "emulator", "--port", "0"]


class Command:
    """The command in a process of its own."""

    def __init__(self, *options: str, **pipes: Any) -> None:
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
        self.process = subprocess.Popen([*PROGRAM, *options], text=True, **settings)
        assert self.process.stdout is not None
        url = next(word for word in self.process.stdout.readline().split() if word.startswith("http"))
        self.client = httpx.Client(base_url=url, headers={"authorization": "Bearer nv-x"}, verify=NO_TLS, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.kill()
        self.process.communicate()

    def stop(self) -> tuple[int, str]:
        """Stop it and return its exit code and what is left on stderr."""
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=20)[1]
        return self.process.returncode, said or ""


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--quiet",)])
def test_the_command_writes_to_stderr(options: tuple[str, ...]) -> None:
    """The command writes a line for each request to stderr, with --quiet only for refusals with a hint."""
    with Command(*options) as command:
        command.client.post(H5, json=user("안녕"))
        command.client.post(H5, json=user("안녕", topK=500))
        code, said = command.stop()
    assert code == 0
    good, refused = (
        r"\d\d:\d\d:\d\d POST \S+ 200 20000 [\d.]+ ms\n",
        r"\d\d:\d\d:\d\d POST \S+ 400 40001 .+ topK takes .+\n",
    )
    assert re.fullmatch(refused if options else good + refused, said), said


@pytest.mark.slow
def test_nobody_reads_the_log() -> None:
    """A pipe that nobody reads fills up, and the server answers and stops all the same."""
    with Command() as command:
        for _ in range(220):
            command.client.get("/" + "x" * 300)
        assert command.client.post(H5, json=user("안녕")).status_code == 200
        command.process.send_signal(signal.SIGTERM)
        assert command.process.wait(20) == 0


@pytest.mark.slow
def test_the_reader_of_the_log_is_gone() -> None:
    """When the reader of stderr or stdout goes while the server runs, it answers and stops all the same."""
    with Command() as command:
        assert command.process.stderr is not None
        assert command.process.stdout is not None
        command.process.stderr.close()
        command.process.stdout.close()
        for _ in range(3):
            assert command.client.post(H5, json=user("안녕")).status_code == 200
            time.sleep(0.05)
        command.process.send_signal(signal.SIGTERM)
        assert command.process.wait(20) == 0


def test_the_logger_alone_decides(clova_studio_server: EmulatorServer, capfd: pytest.CaptureFixture[str]) -> None:
    """A server in Python writes nothing itself: its lines go where the program's logging sends them."""
    with connect(clova_studio_server) as client:
        client.post(H5, json=user("안녕", topK=500))
    assert capfd.readouterr().err == ""
