"""Control over HTTP: what a test in any language asks and tells the emulator, by the functions that Python has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from emulator_support import NO_TLS, connect, user

from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

H5 = "/v3/chat-completions/HCX-005"
EMBED = "/v1/api-tools/embedding/v2"
ROOT = "/_emulator"
TASK = {"model": "HCX-005"} | {
    f"trainingDataset{part}": value
    for part, value in (("FilePath", "a.csv"), ("Bucket", "b"), ("AccessKey", "storage-a"), ("SecretKey", "storage-b"))
}


@pytest.fixture(scope="module")
def shared() -> Iterator[EmulatorServer]:
    """One server for all tests of this file."""
    with serve() as running:
        yield running


@pytest.fixture
def server(shared: EmulatorServer) -> EmulatorServer:
    """The server, without what the test before left in it."""
    shared.reset()
    shared.set_quotas({}, window=60, counting="fixed")
    shared.set_tuning_seconds(1)
    return shared


@pytest.fixture
def api(server: EmulatorServer) -> Iterator[httpx.Client]:
    """A client of the service's paths."""
    with connect(server) as client:
        yield client


@pytest.fixture
def control(server: EmulatorServer) -> Iterator[httpx.Client]:
    """A client of the control, without a key."""
    with httpx.Client(base_url=server.base_url + ROOT, verify=NO_TLS, timeout=10) as client:
        yield client


def content(answer: httpx.Response) -> str:
    """The text of a successful answer."""
    text: str = answer.json()["result"]["message"]["content"]
    return text


def test_health(server: EmulatorServer, api: httpx.Client, control: httpx.Client) -> None:
    """Health tells that the server runs and counts what it knows; control itself is not counted."""
    api.post(H5, json=user("안녕"))
    server.script(["하나"])
    server.add_fault(Fault("hang", path="/nothing"))
    first, second = (control.get("/health").json() for _ in range(2))
    assert (second["status"], second["behaviour"], second["scripted"], second["faults"]) == ("ok", "observed", 1, 1)
    assert second["requests"]["kept"] == 1
    assert second["requests"]["received"] == first["requests"]["received"] == server.requests_received
    assert second["uptime_seconds"] >= first["uptime_seconds"] > 0


def test_requests(server: EmulatorServer, api: httpx.Client, control: httpx.Client) -> None:
    """Requests are read with body, answer and hint, in order, and without keys and secrets of the storage."""
    api.post(H5, json=user("안녕"), headers={"X-NCP-CLOVASTUDIO-REQUEST-ID": "r-1"})
    api.post(H5, json=user("안녕", topK=500))
    api.post("/tuning/v2/tasks?page=1", json=TASK)
    api.post(H5, content=b"{", headers={"content-type": "application/json"})
    answer = control.get("/requests")
    assert "nv-emulator" not in answer.text
    assert "storage-" not in answer.text
    first, second, third, fourth = answer.json()["requests"]
    assert (first["method"], first["path"], first["status"], first["code"]) == ("POST", H5, 200, "20000")
    assert (first["body"], first["text"]) == (user("안녕"), None)
    assert first["headers"]["x-ncp-clovastudio-request-id"] == "r-1"
    assert first["headers"]["authorization"] == "***"
    assert first["received"].startswith("20")
    assert first["seconds"] > 0
    assert (second["status"], second["code"], second["message"]) == (400, "40001", "Invalid parameter: topK")
    assert second["hint"] == "topK takes a whole number from 0 to 128."
    assert third["body"]["trainingDatasetSecretKey"] == "***"
    assert third["query"] == {"page": "1"}
    assert server.requests[2].body == TASK
    assert (fourth["body"], fourth["text"], fourth["size"]) == (None, "{", 1)
    alone = control.get(f"/requests/{second['number']}").json()
    assert alone["answer"]["body"]["status"]["code"] == "40001"
    assert {**alone, "answer": None} == second
    assert control.get("/requests/999999").status_code == 404


def test_reading_on(api: httpx.Client, control: httpx.Client) -> None:
    """A reader goes on after what it has seen, in pages, and never misses or repeats a request."""
    for _ in range(5):
        api.post(H5, json=user("가"))
    start = control.get("/requests", params={"limit": 2}).json()
    assert len(start["requests"]) == 2
    assert (start["requests"][-1]["number"], start["more"]) == (start["next"], False)
    assert control.get("/requests", params={"since": start["next"]}).json()["requests"] == []
    numbers, since, more = [], start["next"] - 5, True
    while more:
        page = control.get("/requests", params={"since": since, "limit": 2}).json()
        numbers += [item["number"] for item in page["requests"]]
        since, more = page["next"], page["more"]
    assert numbers == list(range(start["next"] - 4, start["next"] + 1))
    api.post(H5, json=user("나"))
    (new,) = control.get("/requests", params={"since": since}).json()["requests"]
    assert new["body"] == user("나")


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ({"method": "get"}, ["/tuning/v2/tasks"]),
        ({"path": "embedding"}, [EMBED]),
        ({"status": 400}, [H5]),
        ({"code": "20000"}, [EMBED, "/tuning/v2/tasks"]),
        ({"code": "20000", "method": "POST"}, [EMBED]),
        ({"limit": 1}, ["/tuning/v2/tasks"]),
    ],
)
def test_filters(api: httpx.Client, control: httpx.Client, query: dict[str, Any], paths: list[str]) -> None:
    """Requests are chosen by method, part of the path, status and code."""
    api.post(H5, json={})
    api.post(EMBED, json={"text": "가"})
    api.get("/tuning/v2/tasks")
    found = control.get("/requests", params={**query, "body": "false"}).json()["requests"]
    assert [item["path"] for item in found] == paths
    assert all(item["body"] is item["text"] is None for item in found)


def test_clearing_requests(server: EmulatorServer, api: httpx.Client, control: httpx.Client) -> None:
    """Clearing forgets the requests and nothing else; a reader that goes on still sees the next one."""
    for _ in range(2):
        api.post(H5, json=user("가"))
    since = control.get("/requests").json()["next"]
    server.script(["하나"])
    assert control.delete("/requests").json() == {"cleared": 2}
    assert server.requests == []
    assert content(api.post(H5, json=user("나"))) == "하나"
    assert len(control.get("/requests", params={"since": since}).json()["requests"]) == 1


def test_script(server: EmulatorServer, api: httpx.Client, control: httpx.Client) -> None:
    """Texts, answers by their parts and faults come in order; what is left can be read and cleared."""
    answers: list[Any] = [
        "하나",
        {"content": "둘", "thinking": "음", "finish_reason": "length"},
        {"tool_calls": [{"name": "f", "arguments": {"a": 1}}]},
        {"fault": {"kind": "status", "code": "42902", "headers": {"x-ratelimit-reset-tokens": "3s"}}},
        "다섯",
    ]
    assert len(control.post("/script", json={"answers": answers}).json()["answers"]) == 5
    assert content(api.post(H5, json=user("a"))) == "하나"
    second = api.post("/v3/chat-completions/HCX-007", json=user("a")).json()["result"]
    assert (second["message"]["thinkingContent"], second["finishReason"]) == ("음", "length")
    third = api.post(H5, json=user("a")).json()["result"]["message"]
    assert third["toolCalls"][0]["function"] == {"name": "f", "arguments": {"a": 1}}
    fourth = api.post(H5, json=user("a"))
    assert (fourth.status_code, fourth.headers["x-ratelimit-reset-tokens"]) == (429, "3s")
    assert control.get("/script").json() == {"answers": ["다섯"]}
    server.script([Fault("hang"), {"content": "여섯"}])
    left = control.get("/script").json()["answers"]
    assert (left[1]["fault"]["kind"], left[2]["content"]) == ("hang", "여섯")
    assert control.delete("/script").json() == {"cleared": 3}
    assert content(api.post(H5, json=user("a"))) not in {"다섯", "여섯"}


def test_faults(server: EmulatorServer, api: httpx.Client, control: httpx.Client) -> None:
    """Faults are added, counted, listed and taken away, one or all."""
    added = control.post("/faults", json={"kind": "status", "code": "50000", "path": "embedding", "every": 2})
    assert added.status_code == 201
    number = added.json()["number"]
    server.add_fault(Fault("status", times=1, path="/v3/"))
    assert [api.post(EMBED, json={"text": "가"}).status_code for _ in range(3)] == [200, 500, 200]
    first, second = control.get("/faults").json()["faults"]
    assert (first["number"], first["seen"], first["hit"]) == (number, 3, 1)
    assert (first["fault"]["kind"], first["fault"]["every"]) == ("status", 2)
    assert second["fault"]["times"] == 1
    assert control.delete(f"/faults/{number}").json() == {"cleared": 1}
    missing = control.delete(f"/faults/{number}")
    assert (missing.status_code, f"There is no fault {number}" in missing.text) == (404, True)
    assert api.post(EMBED, json={"text": "가"}).status_code == 200
    assert api.post(H5, json=user("a")).status_code == 429
    assert control.get("/faults").json() == {"faults": []}
    server.add_fault(Fault("hang"))
    assert control.delete("/faults").json() == {"cleared": 1}
    assert api.post(H5, json=user("a")).status_code == 200


def test_quotas(server: EmulatorServer, api: httpx.Client, control: httpx.Client) -> None:
    """Quotas are read with their usage by account, changed while the server runs, and given back."""
    limits = {"HCX-005": {"requests": 2, "tokens": None}, "*": {"tokens": 100_000}}
    assert control.put("/quotas", json={"limits": limits, "window": 30}).status_code == 200
    assert [api.post(H5, json=user("a")).status_code for _ in range(3)] == [200, 200, 429]
    api.post(EMBED, json={"text": "가"})
    other = {"authorization": "Bearer nv-another"}
    assert api.post(H5, json=user("a"), headers=other).status_code == 200
    found = control.get("/quotas").json()
    assert (found["window"], found["counting"]) == (30, "fixed")
    assert found["limits"] == {"HCX-005": limits["HCX-005"], "*": {"requests": None, "tokens": 100_000}}
    full, embedding, one = found["usage"]
    assert full["requests"]["remaining"] == 0
    assert 0 < full["requests"]["reset_seconds"] <= 30
    assert (full["name"], one["name"], embedding["requests"]) == ("HCX-005", "HCX-005", None)
    assert embedding["tokens"]["used"] > 0
    assert full["account"] != one["account"]
    assert "nv-" not in str(found)
    assert control.delete("/quotas/usage").json()["usage"] == []
    assert api.post(H5, json=user("a")).status_code == 200
    assert control.put("/quotas", json={"window": 60}).json()["usage"] == []
    server.set_quotas({"HCX-005": (1, None)}, counting="sliding")
    assert [api.post(H5, json=user("a")).status_code for _ in range(2)] == [200, 429]
    assert control.get("/quotas").json()["counting"] == "sliding"
    assert control.put("/quotas", json={"limits": {}}).json()["limits"] == {}
    assert api.post(H5, json=user("a")).status_code == 200


def test_tuning(server: EmulatorServer, api: httpx.Client, control: httpx.Client) -> None:
    """Nobody has to wait for training: its length is set, and time passes on demand."""
    control.put("/tuning", json={"seconds": 3_600})
    task = api.post("/tuning/v2/tasks", json=TASK).json()["result"]["id"]

    def status() -> str:
        text: str = api.get(f"/tuning/v2/tasks/{task}").json()["result"]["status"]
        return text

    assert status() == "WAIT"
    found = control.post("/tuning/advance", json={"seconds": 1_800}).json()
    assert (found["seconds"], found["ahead"]) == (3_600, 1_800)
    assert [(item["id"], item["model"], item["status"]) for item in found["tasks"]] == [(task, "HCX-005", "RUNNING")]
    assert status() == "RUNNING"
    server.advance_tuning(1_801)
    assert status() == "SUCCEEDED"
    assert api.post(f"/v3/tasks/{task}/chat-completions", json=user("a")).status_code == 200
    for wrong in (-1, float("inf"), 10**12):
        with pytest.raises(ValueError, match="seconds must be"):
            server.advance_tuning(wrong)
    with pytest.raises(ValueError, match="seconds must be"):
        server.set_tuning_seconds(-1)


def test_reset(server: EmulatorServer, api: httpx.Client, control: httpx.Client) -> None:
    """Reset forgets what happened and what was prepared, over HTTP as in Python; quotas keep their limits."""
    server.set_quotas({"HCX-005": (1, None)})
    api.post(H5, json=user("a"))
    api.post("/tuning/v2/tasks", json=TASK)
    server.script(["하나"])
    server.add_fault(Fault("status", path="/v3/"))
    server.advance_tuning(5)
    found = control.post("/reset").json()
    assert (found["scripted"], found["faults"], found["requests"]["kept"]) == (0, 0, 0)
    assert control.get("/tuning").json() == {"seconds": 1, "ahead": 0, "tasks": []}
    assert control.get("/quotas").json()["usage"] == []
    assert [api.post(H5, json=user("a")).status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("method", "path", "body", "fields"),
    [
        ("POST", "/script", {"answers": [{"content": 5}]}, {"answers[0].content": "must be a valid string, not 5"}),
        ("POST", "/script", {"answers": ["a", 7]}, {"answers[1]": "must be a text or a mapping, not 7"}),
        ("POST", "/script", {"answers": [{"text": "a"}]}, {"answers[0].text": "has the unknown field 'text'"}),
        ("POST", "/script", {"answers": [{"tool_calls": [{}]}]}, {"answers[0].tool_calls[0].name": "is missing"}),
        ("POST", "/script", {"answers": [{"fault": {"kind": "x"}}]}, {"answers[0].fault.kind": "must be one of cut,"}),
        ("POST", "/script", ["a"], {"": "must be a mapping, not ['a']"}),
        ("POST", "/script", {}, {"answers": "is missing"}),
        ("POST", "/faults", {"kind": "status", "times": 0}, {"times": "must be greater than or equal to 1, not 0"}),
        ("POST", "/faults", {"kind": "html", "status": 99}, {"status": "must be greater than or equal to 200, not 99"}),
        ("POST", "/faults", {"kind": "delay", "seconds": "3"}, {"seconds": "must be a valid number, not '3'"}),
        ("POST", "/faults", {"kind": "status", "headers": {"a b": "c"}}, {"": "headers: 'a b' cannot be sent"}),
        (
            "PUT",
            "/quotas",
            {"limits": {"HCX-05": {}, "HCX-005": {"requests": -5, "tokens": 1.5}}, "counting": "x"},
            {
                "limits.HCX-05": "is no model or tool: did you mean HCX-005?",
                "limits.HCX-005.requests": "must be greater than or equal to 0, not -5",
                "limits.HCX-005.tokens": "must be a valid integer, not 1.5",
                "counting": "must be 'sliding', 'fixed', 'aligned' or 'bucket', not 'x'",
            },
        ),
        ("PUT", "/quotas", {"window": 0}, {"window": "must be greater than 0, not 0"}),
        ("PUT", "/tuning", {"seconds": -1}, {"seconds": "must be greater than or equal to 0, not -1"}),
        ("POST", "/tuning/advance", {"second": 1}, {"second": "has the unknown field 'second'; known are seconds"}),
        ("GET", "/requests?limit=0", None, {"limit": "must be greater than or equal to 1, not '0'"}),
        ("GET", "/requests?sinse=1", None, {"sinse": "has the unknown field 'sinse'; known are since, limit"}),
        ("GET", "/requests?since=x", None, {"since": "must be a valid integer"}),
    ],
)
def test_wrong_fields(control: httpx.Client, method: str, path: str, body: Any, fields: dict[str, str]) -> None:
    """A wrong field is a 400 that names it in full, with the rule and the value; nothing is changed."""
    before = [control.get(name).json() for name in ("/script", "/faults", "/quotas", "/tuning")]
    answer = control.request(method, path, json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    found = {item["field"]: item["rule"] for item in error["fields"]}
    assert found.keys() == fields.keys()
    for name, rule in fields.items():
        assert found[name].startswith(rule), found[name]
        assert rule in error["message"]
    assert [control.get(name).json() for name in ("/script", "/faults", "/quotas", "/tuning")] == before


@pytest.mark.parametrize(("raw", "said"), [(b"", "empty"), (b"{", "not valid JSON"), (b"\xff", "not valid JSON")])
def test_bodies_that_are_no_json(control: httpx.Client, raw: bytes, said: str) -> None:
    """A body that cannot be read is a 400 that says so, whatever type it is declared as."""
    answer = control.post("/script", content=raw, headers={"content-type": "text/plain"})
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (400, True)
    assert control.post("/script", content=b'{"answers": []}', headers={"content-type": "x/y"}).status_code == 200


def test_unknown_paths(control: httpx.Client) -> None:
    """An unknown path is a 404 that lists the known ones, and a wrong method a 405 that names the right ones."""
    unknown = control.get("/request")
    assert unknown.status_code == 404
    assert "/_emulator/requests/{number}" in unknown.json()["error"]["message"]
    wrong = control.post("/requests")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, DELETE")
    assert control.get("/requests/x").status_code == 404
    assert control.get("").status_code == 404
    assert control.get("/health/").status_code == 200


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (1, r"answers\[1\]: a scripted answer is a str, a mapping or a Fault, not int"),
        ({"text": "a"}, r"answers\[1\] has the unknown field 'text'; known are content, thinking"),
        ({"content": 1}, r"answers\[1\].content must be a string, not int"),
        ({"tool_calls": "f"}, r"answers\[1\].tool_calls must be a list, not str"),
        ({"tool_calls": ["f"]}, r"answers\[1\].tool_calls\[0\] must be a mapping with name and arguments, not str"),
        ({"tool_calls": [{"arguments": {}}]}, r"answers\[1\].tool_calls\[0\].name must be a string"),
        ({"tool_calls": [{"name": "f", "arguments": "{}"}]}, r"tool_calls\[0\].arguments must be a mapping, not str"),
        ({"tool_calls": [{"name": "f", "id": "x"}]}, r"answers\[1\].tool_calls\[0\] has the unknown field 'id'"),
    ],
)
def test_wrong_answers_in_python(server: EmulatorServer, answer: Any, message: str) -> None:
    """Python's script is checked when it is given, with the part that is wrong, and nothing of it is queued."""
    with pytest.raises((TypeError, ValueError), match=message):
        server.script(["하나", answer])
    with connect(server) as client:
        assert content(client.post(H5, json=user("a"))) != "하나"
