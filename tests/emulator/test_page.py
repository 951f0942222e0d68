"""The page at the wire: where it is, what its files may load, what it hears, and what is recorded for it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from emulator_support import NO_TLS, connect, user

import clova_studio.emulator
from clova_studio.emulator import Fault, RecordedRequest, serve
from clova_studio.emulator.page.events import Feed
from clova_studio.emulator.server.local_routes import PAGE_FILES
from clova_studio.emulator.server.recorded_answer import MOST_ANSWER_BYTES, RecordedAnswer

if TYPE_CHECKING:
    from collections.abc import Generator

H5 = "/v3/chat-completions/HCX-005"
STATIC = Path(clova_studio.emulator.__file__).parent / "page" / "static"
STREAM = {"accept": "text/event-stream"}


def heard(client: httpx.Client) -> Generator[tuple[str, Any], None, None]:
    """The events of the page."""
    with client.stream("GET", "/_emulator/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


@pytest.mark.parametrize(
    ("host", "control", "status"),
    [("127.0.0.1", None, 200), ("127.0.0.1", False, 404), ("0.0.0.0", None, 404), ("0.0.0.0", True, 200)],
)
def test_where_the_page_is(host: str, control: Any, status: int) -> None:
    """The page and its events are there where control is, and nowhere else."""
    with serve(host=host, control=control) as server:
        port = server.base_url.rpartition(":")[2]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=NO_TLS) as client:
            assert client.get("/").status_code == status
            assert client.get(f"/_emulator/page/{PAGE_FILES[0]}").status_code == status
            with client.stream("GET", "/_emulator/events") as answer:
                assert answer.status_code == status


@pytest.mark.parametrize("path", ["/", "/_emulator/events", "/_emulator/page/main.js"])
def test_a_foreign_host_gets_no_page(path: str) -> None:
    """Who lets a name of theirs lead to loopback gets neither the page nor what it hears."""
    with serve() as server, connect(server) as client:
        assert client.get(path, headers={"host": "evil.example.com"}).status_code == 403
        assert client.get(path, headers={"origin": "http://evil.example.com"}).status_code == 403


def test_the_files_of_the_page() -> None:
    """Every file comes with its type and a policy that lets it load and send nothing elsewhere; none is forgotten."""
    assert {path.name for path in STATIC.iterdir()} == {"index.html", *PAGE_FILES}
    types = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    with serve() as server, connect(server) as client:
        for name in ("", *PAGE_FILES):
            answer = client.get(f"/_emulator/page/{name}" if name else "/")
            assert answer.status_code == 200
            suffix = name.rpartition(".")[2] or "html"
            assert answer.headers["content-type"] == f"{types[suffix]}; charset=utf-8"
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; ")
            assert set(re.findall(r"'[^']+'|https?:\S+|\*", policy)) == {"'none'", "'self'", "'script'"}
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.head("/").headers["content-length"] == str((STATIC / "index.html").stat().st_size)
        assert client.get("/_emulator/page/nothing.js").status_code == 404
        assert client.get("/_emulator/page/../files.py").status_code == 404
        assert client.post("/_emulator/page/main.js").status_code == 405
        assert client.post("/_emulator/events").status_code == 405
        assert server.requests == []


def test_a_program_that_lost_its_path_is_recorded() -> None:
    """A browser's request for the page is the page's: whatever else comes to ``/`` is refused as by the service."""
    with serve() as server, connect(server) as client:
        assert client.post("/", json={}).json()["status"]["code"] == "40400"
        assert [(item.method, item.path) for item in server.requests] == [("POST", "/")]


def test_no_outside_address_and_no_html_from_values() -> None:
    """The files name no address elsewhere, and no script reads a text as HTML."""
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)) <= {"http://www.w3.org"}, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)


def test_every_text_is_there_in_both_languages() -> None:
    """Each text that the page asks for exists in English and in Korean, with the same values in it."""
    found: dict[str, dict[str, str]] = {}
    for name in ("texts.js", "texts_ko.js"):
        source = (STATIC / name).read_text(encoding="utf-8")
        pairs = re.findall(r'(?:"([\w.]+)"|(?<=[ {,])(\w+)): "((?:[^"\\]|\\.)*)"', source)
        found[name] = {quoted or plain: text for quoted, plain, text in pairs}
    english, korean = found["texts.js"], found["texts_ko.js"]
    assert english.keys() == korean.keys()
    assert len(english) > 150
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", korean[key])), key

    asked = set(re.findall(r'data-(?:text|label|hint)="([^"]+)"', (STATIC / "index.html").read_text(encoding="utf-8")))
    scripts = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    asked |= set(re.findall(r'\b(?:t\(|field\(t, )"([\w.]+)"', scripts))
    assert asked <= english.keys()


@pytest.mark.slow
def test_what_the_page_hears() -> None:
    """It hears what the server is, the requests before it, and then each arrival and end, with tokens and hint."""
    with serve(rate_limits={"HCX-005": (5, None)}) as server, connect(server) as client, connect(server) as other:
        other.post(H5, json=user("가"))
        events = heard(client)
        name, about = next(events)
        assert (name, about["behaviour"], about["key"], about["any_key"]) == ("about", "observed", server.api_key, True)
        assert next(model["name"] for model in about["models"]) == "HCX-005"
        name, rows = next(events)
        assert (name, [row["number"] for row in rows]) == ("requests", [1])
        other.post(H5, json=user("나"), headers=STREAM)
        other.post(H5, json=user("다", topK=500))
        server.add_fault(Fault("html", times=3))
        seen: dict[int, dict[str, Any]] = {}
        state: dict[str, Any] = {}
        for name, value in events:
            if name == "requests":
                seen |= {row["number"]: row for row in value}
            else:
                state = value
            if seen.get(3, {}).get("seconds") is not None and state.get("faults"):
                break
        assert (seen[2]["status"], seen[2]["streamed"]) == (200, True)
        assert seen[2]["input_tokens"] > 0 < seen[2]["output_tokens"]
        assert (seen[3]["status"], seen[3]["code"]) == (400, "40001")
        assert "topK takes" in seen[3]["hint"]
        assert state["usage"][0]["requests"]["used"] == 2
        assert state["faults"][0]["fault"]["kind"] == "html"
        assert "body" not in seen[2]


def test_the_page_knows_changed_facts() -> None:
    """A behaviour that a file of facts changes is named by what it starts from, and by how many facts differ."""
    facts = {"behaviour": "documented", "facts": {"limit-headers": "always"}}
    with serve(behaviour=facts) as server, connect(server) as client:
        about = next(heard(client))[1]
        assert (about["behaviour"], about["facts_changed"]) == ("documented", 1)


@pytest.mark.parametrize(("host", "told"), [("127.0.0.1", "nv-mine"), ("0.0.0.0", None)])
def test_a_key_of_the_user_is_told_on_loopback_only(host: str, told: str | None) -> None:
    """A page that others reach does not show them the key that the server was started with."""
    with serve(host=host, control=True, api_keys=["nv-mine"]) as server:
        port = server.base_url.rpartition(":")[2]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=NO_TLS) as client:
            assert next(heard(client))[1]["key"] == told


def test_nobody_listens_for_a_page_that_is_gone() -> None:
    """The server stops to tell a page of requests when the page is closed."""
    with serve() as server, connect(server) as client:
        events = heard(client)
        assert next(events)[0] == "about"
        assert len(server._state.log._listeners) == 1
        events.close()
        until = time.monotonic() + 10
        while server._state.log._listeners and time.monotonic() < until:
            time.sleep(0.01)
        assert server._state.log._listeners == ()


def test_what_a_slow_page_has_not_heard_is_bounded() -> None:
    """However many requests arrive before a page reads, it hears of the newest thousand, of each once."""
    feed = Feed()
    for number in range(1, 3001):
        request = RecordedRequest("POST", H5, {}, number=number)
        feed.hear("arrived", request)
        feed.hear("answered", request)
    taken = feed.take()
    assert [request.number for request in taken] == list(range(2001, 3001))
    assert feed.take() == []


def test_answers_are_recorded() -> None:
    """One request has its answer, as JSON, as a text, or as the events of a stream with their times."""
    with serve(token_latency=0.005) as server, connect(server) as client:
        whole = client.post(H5, json=user("항구 도시는 부산이다.")).json()
        client.post(H5, json=user("가나다 라마바"), headers=STREAM)
        client.post(H5, json=user("가"), headers={"x-clova-emulator-fault": "html"})
        stream = {"model": "HCX-005", "stream": True, **user("가나다")}
        client.post("/v1/openai/chat/completions", json=stream)
        views = [client.get(f"/_emulator/requests/{number}").json()["answer"] for number in (1, 2, 3, 4)]
        assert views[0]["body"] == whole
        assert (views[0]["text"], views[0]["events"]) == (None, [])
        assert views[0]["input_tokens"] == whole["result"]["usage"]["promptTokens"]
        events = views[1]["events"]
        assert [event["event"] for event in events][-2:] == ["result", "signal"]
        assert json.loads(events[0]["data"])["message"]["role"] == "assistant"
        times = [event["seconds"] for event in events]
        assert times == sorted(times)
        assert 0 < times[0] < times[-1]
        assert (views[1]["body"], views[1]["text"]) == (None, None)
        assert "503" in views[2]["text"]
        assert views[3]["events"][-1]["data"] == "[DONE]"
        assert client.get("/_emulator/requests").json()["requests"][0]["answer"] is None
        assert server.requests[0].answer.body == whole


def test_recorded_answers_are_bounded() -> None:
    """Of a long answer the beginning is kept and its tokens are counted; a trickle costs no mark for each byte."""
    answer = RecordedAnswer({"content-type": "text/event-stream"})
    frame = b"event: token\ndata: {}\n\n"
    for _ in range(10_000):
        answer.add(frame)
    answer.add(b'event: result\ndata: {"usage":{"promptTokens":7,"completionTokens":9}}\n\n')
    assert answer.size == 10_000 * len(frame) + 71
    assert len(answer.raw) == MOST_ANSWER_BYTES
    assert answer.is_cut
    assert answer.tokens == (7, 9)
    assert len(answer.events) == MOST_ANSWER_BYTES // len(frame)
    slow = RecordedAnswer({"content-type": "text/event-stream"})
    for index in range(20_000):
        slow.add(frame[index % len(frame) :][:1])
    assert slow.memory < 20_000 + 2**17
    assert slow.events[0].seconds is not None
    assert slow.events[-1].seconds is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_whatever_ends_their_lines(end: str) -> None:
    """The events of another server's stream are read too, whatever its lines end with."""
    answer = RecordedAnswer({"content-type": "text/event-stream;charset=UTF-8"})
    text = end.join(["event: token", "data: 가", "data:나", "", "data: [DONE]", "", "data: half"])
    for byte in text.encode():
        answer.add(bytes([byte]))
    assert [(event.event, event.data) for event in answer.events] == [("token", "가\n나"), ("", "[DONE]")]


def test_tokens_that_a_text_speaks_of_do_not_count() -> None:
    """What an answer says about tokens is none of its count."""
    said = json.dumps({"result": {"message": {"content": '{"promptTokens":99}'}, "usage": {"promptTokens": 3}}})
    answer = RecordedAnswer({"content-type": "application/json"})
    answer.add(said.replace(": ", ":").encode())
    assert answer.tokens == (3, None)


def test_a_recording_server_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it records, the page is told no key, and an answer is shown as it is written: with its events, masked."""
    key = "nv-planted-key-of-mine"
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", key)
    with serve() as upstream:
        upstream.script([f"열쇠는 {key} 입니다", f"또 {key} 입니다"])
        with serve(record=tmp_path / "a.jsonl", upstream=upstream.base_url) as server, connect(server) as client:
            name, about = next(heard(client))
            assert (name, about["mode"], about["upstream"], about["key"]) == (
                "about",
                "record",
                upstream.base_url,
                None,
            )
            assert key in client.post(H5, json=user("가")).text
            client.post(H5, json=user("나"), headers=STREAM)
            until = time.monotonic() + 10
            while any(item.seconds is None for item in server.requests) and time.monotonic() < until:
                time.sleep(0.01)
            views = [client.get(f"/_emulator/requests/{number}").json() for number in (1, 2)]
            assert key not in json.dumps(views, ensure_ascii=False)
            assert views[0]["answer"]["body"]["result"]["message"]["content"] == "열쇠는 *** 입니다"
            assert views[1]["answer"]["events"][-2]["event"] == "result"
            assert views[1]["answer"]["events"][0]["seconds"] is not None
    with serve(replay=tmp_path / "a.jsonl") as server, connect(server) as client:
        assert next(heard(client))[1]["mode"] == "replay"
        client.post(H5, json=user("나"), headers=STREAM)
        assert client.get("/_emulator/requests/1").json()["answer"]["events"][-2]["event"] == "result"
