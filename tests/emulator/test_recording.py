"""Recording passes everything on as it is, and a replay gives it again."""

from __future__ import annotations

import gzip
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from emulator_support import NO_TLS, connect, user
from fault_support import SSE, Line, RawServer, chunked, head, plain, wait_for

from clova_studio.emulator import EmulatorServer, Fault, serve
from clova_studio.emulator.recording.interactions import read_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

H5 = "/v3/chat-completions/HCX-005"
OPENAI = "/v1/openai/chat/completions"
STREAM = {"accept": "text/event-stream"}
EVENTS = [f'id:{n}\nevent:token\ndata:{{"message":{{"content":"{n}번"}}}}\n\n'.encode() for n in range(3)]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-callers-own")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a recording."""
    return tmp_path / "recording.jsonl"


@pytest.fixture(params=["observed", "documented"])
def upstream(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """The emulator as the service whose answers are recorded."""
    with serve(behaviour=request.param) as server:
        yield server


def plain_client(server: EmulatorServer, **options: Any) -> httpx.Client:
    """A client with a key of its own."""
    headers = {"authorization": "Bearer nv-callers-own", **options.pop("headers", {})}
    return httpx.Client(base_url=server.base_url, headers=headers, verify=NO_TLS, **options)


def read_on(client: httpx.Client, body: dict[str, Any]) -> tuple[str, bytes]:
    """The error that a stream ends with, and what came before it."""
    got = b""
    try:
        with client.stream("POST", H5, json=body, headers=STREAM) as answer:
            for part in answer.iter_raw():
                got += part
    except httpx.TransportError as error:
        return type(error).__name__, got
    return "", got


def lines(file: Path) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]]


def test_request_is_passed_on_as_it_is(file: Path) -> None:
    """Method, path, query, headers and body reach the upstream as sent; only the headers of the connection change."""
    raw = (
        b"POST /v3/a%2Fb/%ED%95%9C|{^}?q=%20<a>&q=b&empty=&plain HTTP/1.1\r\nHost: elsewhere\r\n"
        b"X-Twice: 1\r\nX-Twice: 2\r\nAuthorization: Bearer nv-callers-own\r\nCookie: a=b\r\n"
        b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
        b"Accept-Encoding: br, gzip;q=0.5, zstd\r\nContent-Length: 7\r\nUser-Agent: mine\r\n\r\n\x00\xff{raw}"
    )
    with RawServer(plain(b"{}")) as up, serve(record=file, upstream=up.base_url) as server:
        import socket

        address = server.base_url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1]))) as line:
            line.sendall(raw)
            line.recv(65536)
        (request,) = up.requests
        top, _, body = request.partition(b"\r\n\r\n")
        first, *rest = top.split(b"\r\n")
    assert first == b"POST /v3/a%2Fb/%ED%95%9C|{^}?q=%20<a>&q=b&empty=&plain HTTP/1.1"
    assert body == b"\x00\xff{raw}"
    found = sorted(line.lower() for line in rest if not line.lower().startswith(b"host:"))
    assert found == [
        b"accept-encoding: gzip;q=0.5",
        b"authorization: bearer nv-callers-own",
        b"content-length: 7",
        b"cookie: a=b",
        b"user-agent: mine",
        b"x-twice: 1",
        b"x-twice: 2",
    ]
    assert f"host: 127.0.0.1:{up.port}".encode() in [line.lower() for line in rest]


def test_answer_is_passed_back_as_it_is(file: Path) -> None:
    """Status, headers and bytes of an answer reach the caller as they came, compressed ones too, with nothing added."""
    packed = gzip.compress('{"result":"한글"}'.encode())
    answer = plain(
        packed, 418, "application/json", content_encoding="gzip", x_ratelimit_remaining_tokens="7", date="then"
    )
    with RawServer(answer) as up, serve(record=file, upstream=up.base_url) as server, plain_client(server) as client:
        got = client.post(H5, content=b"{}")
        with client.stream("POST", H5, content=b"{}") as streamed:
            assert b"".join(streamed.iter_raw()) == packed
    assert (got.status_code, got.json()) == (418, {"result": "한글"})
    assert dict(got.headers) == {
        "content-type": "application/json",
        "content-length": str(len(packed)),
        "content-encoding": "gzip",
        "x-ratelimit-remaining-tokens": "7",
        "date": "then",
    }
    with serve(replay=file) as server, plain_client(server) as client:
        again = client.post(H5, content=b"{}")
    assert (again.status_code, again.content) == (418, '{"result":"한글"}'.encode())
    assert again.headers["x-ratelimit-remaining-tokens"] == "7"
    assert again.headers["x-clova-emulator"] == "1"
    assert "content-encoding" not in again.headers


def test_redirects_and_cookies_are_the_callers(file: Path) -> None:
    """A redirect is passed back, not followed, and a cookie of one caller is not sent for another."""
    moved = plain(b"", 307, location="/elsewhere", set_cookie="session=secret-of-one")
    with RawServer(moved) as up, serve(record=file, upstream=up.base_url) as server:
        for _ in range(2):
            with plain_client(server) as client:
                got = client.post(H5, content=b"{}")
                assert (got.status_code, got.headers["location"]) == (307, "/elsewhere")
                assert got.headers["set-cookie"] == "session=secret-of-one"
        assert len(up.requests) == 2
        assert not any(b"cookie" in request.lower() for request in up.requests)


def test_first_event_does_not_wait_for_the_last(file: Path) -> None:
    """Each event reaches the caller while the upstream still holds the next one back."""
    gate = threading.Semaphore(0)

    def turn(line: Line) -> bool:
        line.send(SSE)
        for event in EVENTS:
            assert gate.acquire(timeout=20)
            line.send(chunked(event, end=False))
        line.send(b"0\r\n\r\n")
        return True

    with (
        RawServer(turn) as up,
        serve(record=file, upstream=up.base_url) as server,
        plain_client(server) as client,
        client.stream("POST", H5, json={}, headers=STREAM) as answer,
    ):
        parts = answer.iter_raw()
        for event in EVENTS:
            gate.release()
            assert next(parts) == event
        assert list(parts) == []
    assert read_recording(file)[0].reply.events == [event.decode() for event in EVENTS]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_events_are_written_whole(file: Path, size: int) -> None:
    """However a stream is cut, in the middle of a letter too, the file has its events and a replay its bytes."""
    body = b"".join(EVENTS) + b": comment\r\n\r\ndata: [DONE]\n\n"
    cut = SSE + chunked(*(body[at : at + size] for at in range(0, len(body), size)))
    with RawServer(cut) as up, serve(record=file, upstream=up.base_url) as server, plain_client(server) as client:
        assert client.post(H5, json={}, headers=STREAM).content == body
    (interaction,) = read_recording(file)
    assert interaction.reply.events == [*(e.decode() for e in EVENTS), ": comment\r\n\r\n", "data: [DONE]\n\n"]
    with serve(replay=file) as server, plain_client(server) as client:
        assert client.post(H5, json={}, headers=STREAM).content == body


def test_replay_gives_the_same(upstream: EmulatorServer, file: Path) -> None:
    """Answers, streams, refusals of both forms and an unknown path come back byte for byte, ids and times apart."""
    calls: list[tuple[str, dict[str, Any], dict[str, str]]] = [
        (H5, user("안녕"), {}),
        (H5, user("안녕"), STREAM),
        (H5, user("안녕", temperature=9), {}),
        (OPENAI, {"model": "HCX-005", **user("안녕")}, {}),
        (OPENAI, {"model": "HCX-005", "stream": True, **user("안녕")}, {}),
        (OPENAI, {"model": "HCX-999", **user("안녕")}, {}),
        ("/nowhere?page=1", {}, {}),
        ("/v1/api-tools/embedding/v2", {"text": "안녕"}, {}),
    ]

    def ask(server: EmulatorServer) -> list[Any]:
        with connect(server) as client:
            answers = [client.post(path, json=body, headers=headers) for path, body, headers in calls]
        return [(got.status_code, got.headers["content-type"], steady(got.text)) for got in answers]

    with serve(record=file, upstream=upstream.base_url) as recorder:
        recorded = ask(recorder)
    assert [status for status, *_ in recorded] == [200, 200, 400, 200, 200, 400, 404, 200]
    with serve(replay=file) as server:
        assert ask(server) == recorded
        assert [request.status for request in server.requests] == [status for status, *_ in recorded]


def steady(text: str) -> str:
    """A text without the ids and times that each answer has of its own."""
    import re

    text = re.sub(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", "ID", text)
    return re.sub(r'("created": ?)\d+', r"\1T", text)


def test_equal_requests_in_order(file: Path) -> None:
    """Equal requests are answered in the order of recording, then with the last answer; a reset begins again."""
    turns = [plain(b'{"n":%d}' % n, 200 + n) for n in range(3)]
    with RawServer(*turns) as up, serve(record=file, upstream=up.base_url) as server, plain_client(server) as client:
        for _ in turns:
            client.post(H5, json={"a": 1})
    with serve(replay=file) as server, plain_client(server) as client:
        for expected in ([200, 201, 202, 202, 202], [200, 201]):
            assert [client.post(H5, json={"a": 1}).status_code for _ in expected] == expected
            server.reset()


def test_pace_of_a_replay(file: Path) -> None:
    """A replay keeps the recorded pace, divided by its factor: the first event does not wait for the last."""
    with serve(token_latency=0.04) as up, serve(record=file, upstream=up.base_url) as server, connect(server) as client:
        assert client.post(H5, json=user("a", maxTokens=5), headers=STREAM).status_code == 200
    (interaction,) = read_recording(file)
    taken = interaction.reply.seconds[-1]
    assert taken >= 0.15
    assert interaction.reply.seconds == sorted(interaction.reply.seconds)
    for speed in (1.0, 2.0):
        with serve(replay=file, speed=speed) as server, connect(server) as client:
            begin = time.monotonic()
            with client.stream("POST", H5, json=user("a", maxTokens=5), headers=STREAM) as answer:
                parts = list(answer.iter_raw())
            assert time.monotonic() - begin >= taken / speed - 0.02
            assert len(parts) > 1


@pytest.mark.parametrize(
    ("kind", "end", "status"),
    [
        ("reset", "reset", None),
        ("reset_after_headers", "reset", 200),
        ("cut_abrupt;after=2", "closed", 200),
    ],
)
def test_broken_answers(upstream: EmulatorServer, file: Path, kind: str, end: str, status: int | None) -> None:
    """What breaks at the upstream breaks at the caller in the same way, is recorded as such, and breaks in a replay."""

    def ask(server: EmulatorServer) -> tuple[str, bytes]:
        with connect(server) as client:
            return read_on(client, user("a b c d"))

    upstream.add_fault(Fault.parse(kind))
    broken, _ = ask(upstream)
    with serve(record=file, upstream=upstream.base_url) as server:
        assert ask(server)[0] == broken
    reply = read_recording(file)[0].reply
    assert (reply.end, reply.status) == (end, status)
    with serve(replay=file) as server:
        assert ask(server) == (broken, "".join(reply.events or []).encode())


def test_unreachable_upstream(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without an upstream the caller's connection breaks, the log says why, and a replay breaks likewise."""
    with RawServer() as gone:
        address = gone.base_url
    with serve(record=file, upstream=address) as server, plain_client(server) as client:
        assert read_on(client, {})[0]
    assert f"{address} gave POST {H5} no whole answer: ConnectError" in caplog.text
    assert lines(file)[2] == {"end": "unreachable", "headers": {}}
    with serve(replay=file) as server, plain_client(server) as client:
        assert read_on(client, {})[0]


def hold_after(*events: bytes) -> Callable[[Line], bool]:
    """A turn that begins a stream, if at all, and then is silent until the other side leaves."""

    def turn(line: Line) -> bool:
        line.send(SSE + chunked(*events, end=False) if events else b"")
        line.hold()
        return True

    return turn


def test_time_out(file: Path) -> None:
    """A caller that gives up on a silent upstream ends that request too, and meets the same silence in a replay."""
    patience = httpx.Timeout(20, read=0.2)
    with RawServer(hold_after()) as up, serve(record=file, upstream=up.base_url) as server:
        with plain_client(server, timeout=patience) as client:
            assert read_on(client, {}) == ("ReadTimeout", b"")
        wait_for(up.lines[0].gone.is_set)
        assert up.lines[0].gone.is_set()
    reply = read_recording(file)[0].reply
    assert (reply.status, reply.end) == (None, "abandoned")
    with serve(replay=file) as server, plain_client(server, timeout=patience) as client:
        assert read_on(client, {}) == ("ReadTimeout", b"")


@pytest.mark.slow
def test_caller_that_leaves_a_stream(file: Path) -> None:
    """A caller that leaves a stream ends it at the upstream; a replay has what came, and is silent then."""
    with RawServer(hold_after(EVENTS[0])) as up, serve(record=file, upstream=up.base_url) as server:
        with plain_client(server) as client, client.stream("POST", H5, json={}, headers=STREAM) as answer:
            assert next(answer.iter_raw()) == EVENTS[0]
        wait_for(up.lines[0].gone.is_set)
        assert up.lines[0].gone.is_set()
    assert read_recording(file)[0].reply.end == "abandoned"
    with serve(replay=file) as server, plain_client(server, timeout=httpx.Timeout(20, read=1)) as client:
        assert read_on(client, {}) == ("ReadTimeout", EVENTS[0])


def test_stop_ends_the_file(file: Path) -> None:
    """Stopping while a stream is open leaves a whole file that says so, and no thread."""
    before = set(threading.enumerate())

    with RawServer(hold_after(EVENTS[0])) as up:
        server = serve(record=file, upstream=up.base_url).start()
        with plain_client(server) as client, client.stream("POST", H5, json={}, headers=STREAM) as answer:
            next(answer.iter_raw())
            server.stop()
    assert set(threading.enumerate()) == before
    (interaction,) = read_recording(file)
    assert (interaction.reply.events, interaction.reply.end) == ([EVENTS[0].decode()], "abandoned")


def test_second_start_goes_on(file: Path) -> None:
    """A server that is started again adds to what it recorded; a new one replaces the file when it has something."""
    with RawServer(plain(b"{}")) as up:
        server = serve(record=file, upstream=up.base_url)
        for number in range(2):
            with server, plain_client(server) as client:
                client.post(H5, json={"n": number})
        assert [item.request.body["json"]["n"] for item in read_recording(file)] == [0, 1]
        with serve(record=file, upstream=up.base_url) as other:
            assert len(read_recording(file)) == 2
            with plain_client(other) as client:
                client.post(H5, json={"n": 2})
    assert [item.request.body["json"]["n"] for item in read_recording(file)] == [2]


def test_recording_again_changes_times_alone(file: Path, tmp_path: Path) -> None:
    """Two recordings of the same calls, many at once among them, differ in the lines of the times alone."""
    together = threading.Barrier(12)

    def turn(line: Line) -> None:
        answer = {"id": f"chatcmpl-{uuid.uuid4()}", "created": int(time.time() * 1000), "content": "그래"}
        if b"first" in line.requests[-1]:
            line.send(plain(json.dumps({**answer, "createdDate": time.strftime("%Y-%m-%dT%H:%M:%S+0900")}).encode()))
            return
        together.wait(20)
        events = [f"id:{uuid.uuid4()}\nevent:token\ndata:{json.dumps(answer)}\n\n".encode() for _ in range(3)]
        line.send(SSE + chunked(*events, b"data: [DONE]\n\n"))

    files = [file, tmp_path / "again.jsonl"]
    for path, order in zip(files, (range(12), range(11, -1, -1)), strict=True):
        with RawServer(turn) as up, serve(record=path, upstream=up.base_url) as server, plain_client(server) as client:
            client.post(H5, json={"n": "first"}, headers={"x-ncp-clovastudio-request-id": str(uuid.uuid4())})
            with ThreadPoolExecutor(12) as pool:
                list(pool.map(lambda n: client.post(H5, json={"n": n}, headers=STREAM), order))
    first, again = ([line for line in lines(path) if "seconds" not in line] for path in files)
    assert first == again
    assert len(first) == 1 + 2 * 13
    assert len({event.partition("\n")[0] for line in first for event in line.get("events", [])}) == 12 * 3 + 1


def test_ids_that_are_repeated(file: Path) -> None:
    """The id of a request, repeated by the service, is the new one's in a replay; ids of answers stay usable."""
    made = "3f2c8f0e-1111-4222-8333-abcdefabcdef"

    def turn(line: Line) -> None:
        name = line.requests[-1].partition(b"request-id: ")[2].partition(b"\r\n")[0].decode()
        line.send(plain(json.dumps({"requestId": name, "id": made}).encode(), x_request=name))

    def ask(server: EmulatorServer, name: str) -> Any:
        with plain_client(server, headers={"x-ncp-clovastudio-request-id": name}) as client:
            got = client.post(H5, json={"seed": len(name)})
            body = got.json()
            assert (got.headers["x-request"], body["requestId"]) == (name, name)
            return client.get(f"/tuning/v2/tasks/{body['id']}").status_code

    with RawServer(turn) as up, serve(record=file, upstream=up.base_url) as server:
        assert ask(server, "the-first-request") == 200
    assert made not in file.read_text(encoding="utf-8")
    assert "the-first-request" not in file.read_text(encoding="utf-8")
    with serve(replay=file) as server:
        assert ask(server, "quite-another-request") == 200


def test_scripts_and_faults_have_no_effect(file: Path) -> None:
    """Scripts and faults are refused on a server that does not compute its answers."""
    with serve() as up, serve(record=file, upstream=up.base_url) as recorder:
        for call in (lambda: recorder.script(["x"]), lambda: recorder.add_fault(Fault("reset"))):
            with pytest.raises(RuntimeError, match="no effect on a server that records"):
                call()
        with connect(recorder) as client:
            client.post(H5, json=user("a"))
    with serve(replay=file) as server, pytest.raises(RuntimeError, match="replays"):
        server.script(["x"])


@pytest.mark.slow
def test_body_that_is_too_large(file: Path) -> None:
    """Over 50 MB, the service's limit, a request is refused as the service does, and not passed on."""
    with (
        RawServer(plain(b"{}")) as up,
        serve(record=file, upstream=up.base_url) as server,
        plain_client(server) as client,
    ):
        got = client.post(H5, content=b" " * (50 * 1024 * 1024 + 1))
        assert (got.status_code, got.json()["status"]["code"], up.requests) == (413, "41300", [])
    assert not file.exists()


def test_coding_that_cannot_be_read(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An answer in a coding that nobody asked for is passed back, not written, and the log says so."""
    answer = plain(b"nv-callers-own", content_encoding="br")
    with (
        RawServer(answer) as up,
        serve(record=file, upstream=up.base_url) as server,
        plain_client(server) as client,
        client.stream("POST", H5, json={}) as got,
    ):
        assert b"".join(got.iter_raw()) == b"nv-callers-own"
    assert not file.exists()
    assert f"Not recorded: the answer to POST {H5}" in caplog.text


def test_head_without_body(file: Path) -> None:
    """Answers without a body, 204 and those to HEAD, pass and are replayed."""
    with RawServer(head(204)) as up, serve(record=file, upstream=up.base_url) as server, plain_client(server) as client:
        assert client.delete("/tuning/v2/tasks/abc").status_code == 204
        assert client.head(H5).status_code == 204
    with serve(replay=file) as server, plain_client(server) as client:
        assert client.delete("/tuning/v2/tasks/abc").status_code == 204
        assert client.head(H5).status_code == 204
