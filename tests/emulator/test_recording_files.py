"""The file of a recording, what matches in it, and the settings and options that lead to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from emulator_support import NO_TLS, connect, user

from clova_studio._cli import main
from clova_studio.emulator import create_app, serve
from clova_studio.emulator.recording.interactions import Interaction, Reply, Request, read_recording, write_lines
from clova_studio.emulator.recording.matching import key_of, nearest
from clova_studio.emulator.recording.writer import RecordingWriter

if TYPE_CHECKING:
    from pathlib import Path

H5 = "/v3/chat-completions/HCX-005"
COMMAND = "import sys; from clova_studio._cli import main; sys.exit(main(sys.argv[1:]))"
HEAD = '{"recording":"clova-studio","version":1}'
ASKED = json.dumps({"method": "POST", "path": H5, "body": {"json": user("a")}, "accept": "*/*"})
ANSWERED = '{"status":200,"headers":{"content-type":"application/json"},"body":{"json":{"a":1}}}'
TIMED = '{"seconds":[0.5]}'


def write(path: Path, *lines: str) -> Path:
    """Write lines to a file."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def chat(*messages: dict[str, Any], **more: Any) -> Request:
    """A request of a chat."""
    return Request("POST", H5, accept="*/*", body={"json": {"messages": list(messages), **more}})


SAID = {"role": "user", "content": "안녕"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "is not a recording: its first line must be"),
        (["{}"], "is not a recording"),
        (['{"recording":"clova-studio","version":2}'], "line 1 has the version 2"),
        ([HEAD, ASKED, ANSWERED, TIMED, "{torn"], "line 5 is not JSON"),
        ([HEAD, ASKED, ANSWERED, TIMED, "[1]"], "line 5 is not a JSON object"),
        ([HEAD, ASKED], "line 2 is the last one: a request, its answer and its times are three lines"),
        ([HEAD, ASKED, ANSWERED], "line 3 is the last one"),
        ([HEAD, ANSWERED, ASKED, TIMED], "line 2 needs the field 'method' as a string"),
        ([HEAD, ASKED, TIMED, ANSWERED], "line 3 needs the field 'status' as a whole number"),
        ([HEAD, ASKED, '{"status":99}', TIMED], "line 3 needs the field 'status' from 200 to 599"),
        ([HEAD, ASKED, '{"end":"bored"}', TIMED], "line 3 has the end 'bored'; known are unreachable"),
        ([HEAD, ASKED, '{"status":200,"headers":{"a":"b\\n"}}', TIMED], "line 3 needs the field 'headers'"),
        ([HEAD, ASKED, '{"status":200,"headers":{"a":"한"}}', TIMED], "line 3 needs the field 'headers'"),
        ([HEAD, ASKED, '{"status":200,"events":"x"}', TIMED], "line 3 needs the field 'events' as a list"),
        ([HEAD, ASKED, '{"status":200,"body":{"text":1}}', TIMED], "line 3 needs the field 'body' as an object"),
        ([HEAD, '{"method":"GET","path":"/","query":[["a"]]}', ANSWERED, TIMED], "line 2 needs the field 'query'"),
        ([HEAD, ASKED, ANSWERED, '{"seconds":[-1]}'], "line 4 needs the field 'seconds' as a list of numbers"),
    ],
)
def test_broken_file(tmp_path: Path, lines: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no recording is refused before the server starts, with its name, the line and the rule."""
    file = write(tmp_path / "broken.jsonl", *lines)
    with pytest.raises(ValueError, match=r"broken\.jsonl") as caught:
        serve(replay=file)
    assert expected in str(caught.value)
    assert main(["emulator", "--replay", str(file)]) == 2
    assert expected in capsys.readouterr().err


def test_file_of_bytes(tmp_path: Path) -> None:
    """What is not UTF-8 or not JSON, in requests and answers, is written as JSON lines and read as the same bytes."""
    body = {"text": b"\xff\x00 \xed\x95\x9c\xed".decode("utf-8", "surrogateescape")}
    reply = Reply(200, {"b": "2", "a": "1"}, dict(body), seconds=[0.25])
    file = tmp_path / "bytes.jsonl"
    file.write_bytes(f"{HEAD}\n".encode() + write_lines(Request("POST", "/x", body=body), reply))
    for line in file.read_bytes().splitlines():
        assert list(json.loads(line)) == sorted(json.loads(line))
    (interaction,) = read_recording(file)
    assert interaction.reply == reply
    assert interaction.reply.parts == [b"\xff\x00 \xed\x95\x9c\xed"]
    assert interaction.request.body == body


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (chat(SAID, seed=1), chat(SAID, seed=2)),
        (chat(SAID, seed=1), chat(SAID)),
        (chat(SAID, temperature=1), chat(SAID, temperature=1.0)),
        (chat({"content": "안녕", "role": "user"}), chat({"role": "user", "content": "안녕"})),
        (
            chat({"toolCalls": [{"id": "call_1"}], "toolCallId": "call_1"}),
            chat({"toolCalls": [{"id": "x"}], "toolCallId": "x"}),
        ),
        (chat(SAID, created=1_700_000_000), chat(SAID, created=1)),
        (
            chat({"content": "now 2026-11-28T10:00:00Z, 2026-11-28 10:00, id 3f2c8f0e-1111-4222-8333-abcdefabcdef"}),
            chat(
                {"content": "now 2025-01-01T23:59:59.5+0900, 2025-01-01 23:59, id 00000000-1111-4222-8333-abcdefabcdef"}
            ),
        ),
        (Request("GET", "/a%20b", [["a", "1"], ["b", "2"]]), Request("GET", "/a%20b", [["b", "2"], ["a", "1"]])),
        (Request("GET", "/%ED%95%9C"), Request("GET", "/%ed%95%9c")),
    ],
)
def test_what_is_equal(one: Request, other: Request) -> None:
    """Ids, seeds and times, the order of fields and of a query's parts, and ways of writing make no difference."""
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other", "fields"),
    [
        (chat(SAID), chat({**SAID, "content": "안녕!"}), ["body.messages[0].content"]),
        (chat(SAID), chat(SAID, SAID), ["body.messages (1 in the request, 2 in the recording)"]),
        (chat(SAID, topP=0.5), chat(SAID), ["body.topP (not in the recording)"]),
        (chat(SAID), chat(SAID, topK=1), ["body.topK (only in the recording)"]),
        (chat(SAID, a=True), chat(SAID, a=1), ["body.a"]),
        (
            chat({"toolCalls": [{"id": "a"}, {"id": "b"}], "toolCallId": "b"}),
            chat({"toolCalls": [{"id": "a"}, {"id": "b"}], "toolCallId": "a"}),
            ["body.messages[0].toolCalls[0].id", "body.messages[0].toolCalls[1].id"],
        ),
        (
            chat({"function": {"arguments": {"order_id": "A-17"}}}),
            chat({"function": {"arguments": {"order_id": "A-18"}}}),
            ["body.messages[0].function.arguments.order_id"],
        ),
        (chat({"content": "on 2026-11-28"}), chat({"content": "on 2026-11-29"}), ["body.messages[0].content"]),
        (Request("GET", "/a", [["page", "1"]]), Request("GET", "/a", [["page", "2"]]), ["query[0][1]"]),
        (Request("GET", "/a"), Request("DELETE", "/a"), ["method"]),
        (Request("GET", "/a"), Request("GET", "/b"), ["path"]),
        (Request("POST", "/a", accept="text/event-stream"), Request("POST", "/a", accept="*/*"), ["accept"]),
    ],
)
def test_what_differs(one: Request, other: Request, fields: list[str]) -> None:
    """Everything else makes another request, and what differs is named by its field."""
    assert key_of(one) != key_of(other)
    found = nearest(one, [Interaction(other, Reply(200))])
    assert found is not None
    assert found[1] == fields


def test_exact_recording_takes_precedence(tmp_path: Path) -> None:
    """Of recordings that differ in seeds alone, the one with the same seed answers; without one they come in order."""
    lines = [HEAD]
    for seed in (1, 2, 3):
        lines += [json.dumps({"method": "POST", "path": H5, "body": {"json": {"seed": seed}}})]
        lines += [json.dumps({"status": 200, "body": {"json": seed}}), TIMED]
    with serve(replay=write(tmp_path / "seeds.jsonl", *lines)) as server, connect(server) as client:
        assert [client.post(H5, json={"seed": seed}).json() for seed in (3, 2, 9, 8, 2)] == [3, 2, 1, 3, 2]


@pytest.mark.each_behaviour("behaviour")
def test_not_in_the_recording(tmp_path: Path, behaviour: str) -> None:
    """What matches nothing is a 404 in the form of its path that names the nearest recording and what differs."""
    lines = [
        HEAD,
        json.dumps({"method": "POST", "path": "/v3/x", "body": {"json": user("a", topP=0.5)}}),
        ANSWERED,
        TIMED,
    ]
    lines += [ASKED, ANSWERED, TIMED]
    file = write(tmp_path / "near.jsonl", *lines)
    with serve(replay=file, behaviour=behaviour) as server, connect(server) as client:
        got = client.post(H5, json=user("b", topP=0.5))
        compatible = client.post("/v1/openai/chat/completions", json={})
        hint = server.requests[0].hint
    fields = "body.messages[0].content, body.topP (not in the recording)"
    near = f"Nearest: near.jsonl, line 5, POST {H5}. What differs: {fields}"
    assert got.status_code == compatible.status_code == 404
    assert got.json()["status"] == {"code": "40400", "message": f"Not in the recording: POST {H5}. {near}"}
    assert ("result" in got.json()) is (behaviour == "observed")
    assert got.headers["x-clova-emulator-hint"] == hint == near
    assert compatible.json()["error"]["code"] == "40400"
    with serve(replay=write(tmp_path / "empty.jsonl", HEAD)) as server, connect(server) as client:
        assert "empty.jsonl has no requests" in client.get("/x").text


@pytest.fixture
def behaviour(request: pytest.FixtureRequest) -> str:
    """The behaviour of a server."""
    return str(request.param)


def test_overlapping_requests_have_an_order(tmp_path: Path) -> None:
    """Requests that wait together stand by what they ask, whichever ends first; those before and after by arrival."""
    texts = []
    for order in ([0, 1, 2], [2, 0, 1]):
        writer = RecordingWriter(tmp_path / "order.jsonl")
        writer.end(writer.begin("z"), b"z\n")
        places = {number: writer.begin("cab"[number]) for number in order}
        for number in reversed(order):
            writer.end(places[number], b"%d\n" % number)
        writer.end(writer.begin("a"), b"a\n")
        writer.close()
        texts.append((tmp_path / "order.jsonl").read_text(encoding="utf-8").split()[1:])
    assert texts == [["z", "1", "2", "0", "a"]] * 2


def test_request_that_never_ends(tmp_path: Path) -> None:
    """What has ended is in the file while an earlier request is still open, and the open one takes its place later."""
    file = tmp_path / "open.jsonl"
    writer = RecordingWriter(file)
    slow = writer.begin("slow")
    writer.answered(slow)
    writer.end(writer.begin("quick"), b"quick\n")
    writer.close()
    assert file.read_text(encoding="utf-8").split()[1:] == ["quick"]
    writer.end(slow, b"slow\n")
    writer.end(writer.begin("left out"), b"")
    writer.close()
    assert file.read_text(encoding="utf-8").split()[1:] == ["slow", "quick"]


def test_long_recording(tmp_path: Path) -> None:
    """A long recording is written part by part, keeps every line, and leaves nothing beside it."""
    writer = RecordingWriter(tmp_path / "long.jsonl")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: writer.end(writer.begin("k"), b"%d %s\n" % (number, b"x" * 500)), range(2_000)))
    writer.close()
    lines = (tmp_path / "long.jsonl").read_bytes().splitlines()[1:]
    assert sorted(int(line.split()[0]) for line in lines) == list(range(2_000))
    assert [path.name for path in tmp_path.iterdir()] == ["long.jsonl"]


@pytest.mark.slow
def test_kill(tmp_path: Path) -> None:
    """A recorder that is killed in the middle leaves a recording that can be read and replayed, and no line torn."""
    file = tmp_path / "killed.jsonl"
    with serve() as up:
        command = [sys.executable, "-c", COMMAND, "emulator", "--port", "0", "--record", str(file)]
        with subprocess.Popen([*command, "--upstream", up.base_url], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = [word for word in process.stdout.readline().split() if word.startswith("http://127")][-1]
            enough = threading.Event()

            def ask(number: int) -> None:
                try:
                    with httpx.Client(base_url=url, headers={"authorization": "Bearer nv-x"}, verify=NO_TLS) as client:
                        while not enough.is_set():
                            client.post("/v1/api-tools/embedding/v2", json={"text": f"{number}"})
                except httpx.TransportError:
                    return

            with ThreadPoolExecutor(3) as pool:
                for number in range(3):
                    pool.submit(ask, number)
                while not file.exists() or file.stat().st_size < 400_000:
                    enough.wait(0.01)
                process.kill()
                process.wait()
                enough.set()
    assert len(read_recording(file)) > 5
    with serve(replay=file) as server, connect(server) as client:
        assert client.post("/v1/api-tools/embedding/v2", json={"text": "1"}).status_code == 200
    with serve(record=file, upstream=server.base_url):  # removes what the killed one left
        assert [path.name for path in tmp_path.iterdir()] == ["killed.jsonl"]


@pytest.mark.slow
def test_command(tmp_path: Path) -> None:
    """The command records an upstream, says so, ends with a whole file, and replays it to a client without the key."""
    file = tmp_path / "command.jsonl"
    answers = []
    with serve() as up:
        for options in (
            ["--record", str(file), "--upstream", f"{up.base_url}/"],
            ["--replay", str(file), "--speed", "0"],
        ):
            command = [sys.executable, "-c", COMMAND, "emulator", "--port", "0", *options]
            environment = {**os.environ, "CLOVASTUDIO_API_KEY": "nv-planted"}
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
                assert process.stdout is not None
                line = process.stdout.readline()
                assert "nv-planted" not in line
                url = [word for word in line.split() if word.startswith("http://127")][-1]
                key = "nv-planted" if "--record" in options else line.split()[-1]
                with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, verify=NO_TLS) as client:
                    answers.append(client.post(H5, json=user("안녕", seed=7)).json()["result"]["message"])
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=10) == 0
        assert len(up.requests) == 1
    assert answers[0] == answers[1]
    assert str(file) in line


UPSTREAM = ["--upstream", "http://127.0.0.1:1"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--record", "{tmp}/x.jsonl"], "--record needs --upstream: the address"),
        (UPSTREAM, "--upstream needs --record: the file to write"),
        (["--record", "{tmp}/x", "--replay", "{tmp}/y", *UPSTREAM], "--record and --replay exclude each other"),
        (["--record", "{tmp}/no/x.jsonl", *UPSTREAM], "{tmp}/no/x.jsonl"),
        (["--record", "{tmp}", *UPSTREAM], "A recording must be an ordinary file: '{tmp}'"),
        (["--replay", "{tmp}/none.jsonl"], "No such file or directory: '{tmp}/none.jsonl'"),
        (["--record", "{tmp}/x", "--upstream", "ftp://x"], "--upstream is no http or https address"),
        (
            ["--record", "{tmp}/x", "--upstream", "clovastudio.stream.ntruss.com"],
            "--upstream is no http or https address",
        ),
        (["--record", "{tmp}/x", "--upstream", "https://x:99999"], "--upstream is no http or https address"),
        (["--record", "{tmp}/x", "--upstream", "https://me:planted@x"], "--upstream must not have a user or password"),
        (["--record", "{tmp}/x", "--upstream", "https://x/?key=planted"], "--upstream must have no query"),
        (["--replay", "{tmp}/x", "--limit", "HCX-005=1"], "--limit has no effect with --replay, where the answers are"),
        (["--replay", "{tmp}/x", "--api-key", "planted"], "--api-key has no effect with --replay"),
        (["--replay", "{tmp}/x", "--fault", "reset"], "--fault has no effect with --replay"),
        (["--replay", "{tmp}/x", "--latency", "1"], "--latency has no effect with --replay"),
        (["--replay", "{tmp}/x", "--token-latency", "1"], "--token-latency has no effect"),
        (["--replay", "{tmp}/x", "--tuning-seconds", "0"], "--tuning-seconds has no effect"),
        (["--replay", "{tmp}/x", "--ascii-names"], "--ascii-names has no effect"),
        (
            ["--record", "{tmp}/x", *UPSTREAM, "--window", "5"],
            "--window has no effect with --record, where the upstream",
        ),
        (["--record", "{tmp}/x", *UPSTREAM, "--counting", "bucket"], "--counting has no effect with --record"),
        (["--record", "{tmp}/x", *UPSTREAM, "--behaviour", "documented"], "--behaviour has no effect with --record"),
        (["--record", "{tmp}/x", *UPSTREAM, "--speed", "1"], "--speed needs --replay"),
        (["--speed", "1"], "--speed needs --replay"),
        (["--replay", "{tmp}/x", "--speed", "-1"], "--speed must be a number of at least 0"),
        (["--replay", "{tmp}/x", "--speed", "nan"], "--speed must be a number of at least 0"),
    ],
)
def test_command_refuses(options: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Options that do not go together and files that cannot be used are refused by name, without a key, with code 2."""
    (tmp_path / "x").write_text("old", encoding="utf-8")
    assert main(["emulator", "--port", "0", *(option.format(tmp=tmp_path) for option in options)]) == 2
    said = capsys.readouterr()
    assert expected.format(tmp=tmp_path) in said.err
    assert said.out == ""
    assert "planted" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"record": "x"}, "record needs upstream"),
        ({"upstream": "http://x"}, "upstream needs record"),
        ({"record": "x", "replay": "x"}, "record and replay exclude each other"),
        ({"replay": "x", "rate_limits": {"*": (1, 1)}}, "rate_limits has no effect with replay"),
        ({"replay": "x", "api_keys": ["nv-planted"]}, "api_keys has no effect with replay"),
        ({"replay": "x", "config": {}}, "config has no effect with replay"),
        ({"replay": "x", "rate_limit_headers": False}, "rate_limit_headers has no effect"),
        ({"replay": "x", "speed": True}, "speed must be a number"),
        ({"replay": "x", "speed": float("inf")}, "speed must be a number"),
    ],
)
def test_settings_are_refused(settings: dict[str, Any], expected: str) -> None:
    """In Python the same is a ValueError that names the settings."""
    with pytest.raises(ValueError, match=expected) as caught:
        serve(**settings)
    assert "planted" not in str(caught.value)


async def test_bare_application(tmp_path: Path) -> None:
    """The bare application replays; to record it needs the server, which ends the file."""
    file = write(tmp_path / "x.jsonl", HEAD, ASKED, ANSWERED, TIMED)
    transport = httpx.ASGITransport(app=create_app(replay=file))
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
        assert (await client.post(H5, json=user("a"))).json() == {"a": 1}
    with pytest.raises(ValueError, match=r"use serve\(\)"):
        create_app(record=tmp_path / "y.jsonl", upstream="http://x")


def test_link_stays_a_link(tmp_path: Path) -> None:
    """Recording through a link writes the file that it leads to."""
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    writer = RecordingWriter(tmp_path / "link.jsonl")
    writer.end(writer.begin("k"), b"line\n")
    writer.close()
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "real.jsonl").read_bytes().endswith(b"line\n")


def test_disk_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that vanished is logged with the file's name, and the server's stop does not hang."""
    (tmp_path / "folder").mkdir()
    writer = RecordingWriter(tmp_path / "folder" / "x.jsonl")
    (tmp_path / "folder").rmdir()
    writer.end(writer.begin("k"), b"line\n")
    writer.close()
    assert "x.jsonl cannot be written" in caplog.text
