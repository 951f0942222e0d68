"""Each fault as a client sees it on the wire."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from emulator_support import connect, events, tool, user

from clova_studio.emulator import EmulatorServer, Fault, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

H5 = "/v3/chat-completions/HCX-005"
SSE = {"accept": "text/event-stream"}
BODY = user("안녕하세요")


@pytest.fixture(scope="module")
def shared() -> Iterator[EmulatorServer]:
    """One server for all tests of this file."""
    with serve() as running:
        yield running


@pytest.fixture
def server(shared: EmulatorServer) -> Iterator[EmulatorServer]:
    """The server, without what the test before left in it."""
    yield shared
    shared.reset()


@pytest.fixture
def client(server: EmulatorServer) -> Iterator[httpx.Client]:
    """A client of it."""
    with connect(server) as client:
        yield client


def test_status(server: EmulatorServer, client: httpx.Client) -> None:
    """A status fault gives an envelope with the documented message, its own headers, and stops after its times."""
    server.add_fault(Fault("status", times=2, headers={"x-ratelimit-reset-requests": "0.2s"}))
    answers = [client.post(H5, json=BODY) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].json()["status"] == {"code": "42901", "message": "Too many requests - rate exceeded"}
    assert answers[0].headers["x-ratelimit-reset-requests"] == "0.2s"


@pytest.mark.parametrize(
    ("fault", "status", "code", "message"),
    [
        (Fault("status", code="50000"), 500, "50000", "Internal server error"),
        (Fault("status", status=500), 500, "50000", "Internal server error"),
        (Fault("status", code="64429"), 429, "64429", "Too many requests"),
        (Fault("status", code="40063", message="Image download failed"), 400, "40063", "Image download failed"),
        (Fault("ok_error", code="42902"), 200, "42902", "Too many requests - overloaded"),
    ],
)
def test_codes(
    server: EmulatorServer, client: httpx.Client, fault: Fault, status: int, code: str, message: str
) -> None:
    """A fault can have any documented code; an ok_error sends it with HTTP 200."""
    server.add_fault(fault)
    answer = client.post(H5, json=BODY)
    assert (answer.status_code, answer.json()["status"]) == (status, {"code": code, "message": message})


@pytest.mark.parametrize("status", [503, 502, 200])
def test_html(server: EmulatorServer, client: httpx.Client, status: int) -> None:
    """A gateway's page is HTML, also behind HTTP 200."""
    server.add_fault(Fault("html", status=None if status == 503 else status))
    answer = client.post(H5, json=BODY)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html")
    assert answer.text.startswith("<html>")


def test_truncate(server: EmulatorServer, client: httpx.Client) -> None:
    """A truncated answer has a matching length and JSON that ends in its middle."""
    server.add_fault(Fault("truncate"))
    answer = client.post(H5, json=BODY)
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.content.startswith(b'{"status":')
    with pytest.raises(ValueError, match=r"."):
        json.loads(answer.content)


def test_empty(server: EmulatorServer, client: httpx.Client) -> None:
    """An empty answer has no body."""
    server.add_fault(Fault("empty"))
    assert client.post(H5, json=BODY).content == b""


def test_reset(server: EmulatorServer, client: httpx.Client) -> None:
    """A reset breaks the connection before the headers."""
    server.add_fault(Fault("reset", times=1))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.post(H5, json=BODY)
    assert client.post(H5, json=BODY).status_code == 200
    assert [request.status for request in server.requests] == [None, 200]


@pytest.mark.parametrize("headers", [{}, SSE])
def test_reset_after_headers(server: EmulatorServer, client: httpx.Client, headers: dict[str, str]) -> None:
    """A reset after the headers breaks the body."""
    server.add_fault(Fault("reset_after_headers"))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.post(H5, json=BODY, headers=headers)


def test_cut(server: EmulatorServer, client: httpx.Client) -> None:
    """A cut stream ends cleanly after n tokens, without result; ordinary requests do not use the fault up."""
    server.add_fault(Fault("cut", after=2, times=1))
    assert client.post(H5, json=BODY).status_code == 200
    names = [name for name, _ in events(client.post(H5, json=BODY, headers=SSE).text)]
    assert names == ["token", "token"]


def test_cut_abrupt(server: EmulatorServer, client: httpx.Client) -> None:
    """An abrupt cut delivers n tokens and then drops the connection."""
    server.add_fault(Fault("cut_abrupt", after=3))
    received = b""
    with client.stream("POST", H5, json=BODY, headers=SSE) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012 - what came before the error counts
            for part in answer.iter_raw():
                received += part
    assert [name for name, _ in events(received.decode())] == ["token"] * 3


@pytest.mark.parametrize("after", [0, 2])
def test_error_event(server: EmulatorServer, client: httpx.Client, after: int) -> None:
    """An error event comes after n tokens in a 200 stream, which then ends."""
    server.add_fault(Fault("error_event", after=after, code="42902"))
    answer = client.post(H5, json=BODY, headers=SSE)
    assert answer.status_code == 200
    found = events(answer.text)
    assert [name for name, _ in found] == ["token"] * after + ["error"]
    assert found[-1][1] == '{"status":{"code":"42902","message":"Too many requests - overloaded"}}'


def test_no_signal(server: EmulatorServer, client: httpx.Client) -> None:
    """A stream without signal ends at its result."""
    server.add_fault(Fault("no_signal"))
    assert events(client.post(H5, json=BODY, headers=SSE).text)[-1][0] == "result"


def test_hang_after_result(server: EmulatorServer, client: httpx.Client) -> None:
    """The connection stays open after the last event until the client goes."""
    server.add_fault(Fault("hang_after_result"))
    received = ""
    with (  # noqa: PT012 - what came before the error counts
        client.stream("POST", H5, json=BODY, headers=SSE, timeout=0.5) as answer,
        pytest.raises(httpx.ReadTimeout),
    ):
        for part in answer.iter_text():
            received += part
    assert events(received)[-1][0] == "signal"


def test_hang(server: EmulatorServer, client: httpx.Client) -> None:
    """A hanging request gets no answer."""
    server.add_fault(Fault("hang"))
    with pytest.raises(httpx.ReadTimeout):
        client.post(H5, json=BODY, timeout=0.3)


@pytest.mark.parametrize("headers", [{}, SSE])
def test_trickle(server: EmulatorServer, client: httpx.Client, headers: dict[str, str]) -> None:
    """A trickle delivers the same bytes one by one."""
    whole = client.post(H5, json=user("가", maxTokens=1), headers=headers).content
    server.add_fault(Fault("trickle", delay=0.0001))
    with client.stream("POST", H5, json=user("가", maxTokens=1), headers=headers) as answer:
        parts = [part for part in answer.iter_raw() if part]
    assert len(parts) > 10
    assert len(b"".join(parts)) == len(whole)


def test_delay(server: EmulatorServer, client: httpx.Client) -> None:
    """A delayed answer is the ordinary one, later."""
    server.add_fault(Fault("delay", seconds=0.2))
    begin = time.monotonic()
    assert client.post(H5, json=BODY).status_code == 200
    assert time.monotonic() - begin >= 0.2


def test_invented_tool(server: EmulatorServer, client: httpx.Client) -> None:
    """An invented tool is 40009, only for requests that let the model call tools."""
    server.add_fault(Fault("invented_tool"))
    tools = {"tools": [tool("get_weather", "날씨를 알려 준다.", location={"type": "string"})]}
    assert client.post(H5, json=BODY).status_code == 200
    assert client.post(H5, json={**BODY, **tools, "toolChoice": "none"}).status_code == 200
    answer = client.post(H5, json={**BODY, **tools})
    assert (answer.status_code, answer.json()["status"]["code"]) == (400, "40009")


def test_every(server: EmulatorServer, client: httpx.Client) -> None:
    """every=3 hits each third matching request, and path chooses what matches."""
    server.add_fault(Fault("status", every=3, path="/embedding/"))
    embeds = [client.post("/v1/api-tools/embedding/v2", json={"text": "가"}).status_code for _ in range(6)]
    assert embeds == [200, 200, 429, 200, 200, 429]
    assert client.post(H5, json=BODY).status_code == 200


def test_by_header(client: httpx.Client) -> None:
    """One request can ask for its own fault."""
    asked = {"x-clova-emulator-fault": "status;code=42902;header.x-ratelimit-reset-tokens=3s"}
    answer = client.post(H5, json=BODY, headers=asked)
    assert (answer.json()["status"]["code"], answer.headers["x-ratelimit-reset-tokens"]) == ("42902", "3s")
    assert client.post(H5, json=BODY, headers={"x-clova-emulator-fault": "nonsense"}).status_code == 400


def test_at_start() -> None:
    """Faults can be given at start, and reset forgets them."""
    with serve(faults=[Fault("status", status=500)]) as server, connect(server) as client:
        assert client.post(H5, json=BODY).status_code == 500
        server.reset()
        assert client.post(H5, json=BODY).status_code == 200


@pytest.mark.parametrize("text", ["nonsense", "status;nonsense=1", "status;times=x", "status;times=0"])
def test_wrong_texts(text: str) -> None:
    """A fault that cannot be read is refused by name."""
    with pytest.raises(ValueError, match=r"."):
        Fault.parse(text)


@pytest.mark.parametrize("wait", [float("inf"), float("nan"), -1, 1e9, "3"])
@pytest.mark.parametrize("name", ["seconds", "delay"])
def test_waits_without_end_are_refused(name: str, wait: Any) -> None:
    """A fault waits from 0 seconds to a day; the text form is held to the same."""
    with pytest.raises(ValueError, match=name):
        Fault("delay", **{name: wait})
    with pytest.raises(ValueError, match=name if wait != "3" else "Unknown"):
        Fault.parse(f"delay;{name}={wait}" if wait != "3" else "delay;x=3")


@pytest.mark.parametrize("status", [0, -1, 42, 101, 103, 199, 600, 1000, 10**30])
def test_impossible_statuses_are_refused(status: int) -> None:
    """A fault answers with a final status of HTTP."""
    with pytest.raises(ValueError, match="status must be"):
        Fault("status", status=status)
    with pytest.raises(ValueError, match="status must be"):
        Fault.parse(f"html;status={status}")
    with pytest.raises(ValueError, match="after must be"):
        Fault("cut", after=-1)
