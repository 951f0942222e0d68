"""Control over HTTP, the access log and pages of other origins, while the emulator records or replays."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from emulator_support import connect, user
from fault_support import RawServer, plain

from clova_studio._cli import main
from clova_studio.emulator import serve

if TYPE_CHECKING:
    from pathlib import Path

H5 = "/v3/chat-completions/HCX-005"
PAGE = "http://localhost:3000"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a recording."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-planted-key")
    return tmp_path / "recording.jsonl"


def test_control(file: Path) -> None:
    """What would change computed answers is refused with 409; requests are listed without keys; a reset begins anew."""
    turns = [plain(b'{"n":%d}' % number) for number in range(2)]
    with RawServer(*turns) as up, serve(record=file, upstream=up.base_url) as server, connect(server) as client:
        for _ in turns:
            client.post(H5, json=user("내 키는 nv-planted-key"))
        assert client.post("/_emulator/script", json={"answers": ["그래"]}).status_code == 409
        listed = client.get("/_emulator/requests").text
        assert "planted" not in listed
        assert "내 키는 ***" in listed
    with serve(replay=file) as server, connect(server) as client:
        for method, path, body in (
            ("POST", "script", {"answers": ["그래"]}),
            ("POST", "faults", {"kind": "html"}),
            ("PUT", "quotas", {"window": 1}),
            ("PUT", "tuning", {"seconds": 1}),
            ("POST", "tuning/advance", {"seconds": 1}),
        ):
            got = client.request(method, f"/_emulator/{path}", json=body)
            assert (got.status_code, "no effect" in got.json()["error"]["message"]) == (409, True), path
        for _ in range(2):
            assert client.post(H5, json=user("내 키는 nv-planted-key")).json() == {"n": 0}
            client.post("/_emulator/reset")


def test_access_log(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each request has its line, one that is not in the recording with what is nearest; no key is in it."""
    caplog.set_level(logging.INFO, "clova_studio.emulator")
    with RawServer(plain(b"{}")) as up, serve(record=file, upstream=up.base_url) as server, connect(server) as client:
        client.post(f"{H5}/nv-planted-key", json={})
    with serve(replay=file) as server, connect(server) as client:
        client.post(H5, json={"a": 1})
    lines = [record.getMessage() for record in caplog.records if "POST" in record.getMessage()]
    assert lines[0].startswith(f"POST {H5}/*** 200 ")
    assert lines[1].startswith(f"POST {H5} 404 40400 ")
    assert "Not in the recording. Nearest: recording.jsonl, line 2" in lines[1]


def test_pages(file: Path) -> None:
    """A page of an allowed origin may read what is passed on and what is replayed."""
    with (
        RawServer(plain(b"{}")) as up,
        serve(record=file, upstream=up.base_url, cors=[PAGE]) as server,
        connect(server, headers={"origin": PAGE}) as client,
    ):
        assert client.post(H5, json={}).headers["access-control-allow-origin"] == PAGE
    assert "access-control" not in file.read_text(encoding="utf-8")
    with serve(replay=file, cors=[PAGE]) as server, connect(server, headers={"origin": PAGE}) as client:
        assert client.post(H5, json={}).headers["access-control-allow-origin"] == PAGE


def test_script_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of scripted answers is refused by its option, where answers are not computed."""
    (tmp_path / "answers.yaml").write_text("- 그래\n", encoding="utf-8")
    options = ["--replay", str(tmp_path / "x"), "--script", str(tmp_path / "answers.yaml")]
    assert main(["emulator", "--port", "0", *options]) == 2
    assert "--script has no effect with --replay" in capsys.readouterr().err


def test_body_that_does_not_end(file: Path) -> None:
    """A body that stops in the middle is refused after the idle timeout, and not passed on."""
    import socket

    with RawServer(plain(b"{}")) as up, serve(record=file, upstream=up.base_url, idle_timeout=0.1) as server:
        host, port = server.base_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as line:
            line.sendall(f"POST {H5} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{".encode())
            assert b" 408 " in line.recv(65536)
        assert up.requests == []
    assert not file.exists()
