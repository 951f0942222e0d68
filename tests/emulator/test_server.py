"""The server: start and stop, record, scripts, pace, command and fixture."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from emulator_support import connect, events, tool, user

import clova_studio.emulator
from clova_studio.emulator import EmulatorServer, Fault, create_app, serve

H5 = "/v3/chat-completions/HCX-005"
H7 = "/v3/chat-completions/HCX-007"
SSE = {"accept": "text/event-stream"}


def content(answer: httpx.Response) -> str:
    """The text of a successful answer."""
    text: str = answer.json()["result"]["message"]["content"]
    return text


def test_stop_leaves_nothing() -> None:
    """After stop neither thread nor socket is left, and the server can start again."""
    before = set(threading.enumerate())
    server = serve()
    for _ in range(2):
        server.start()
        assert server.start() is server
        with connect(server) as client:
            assert client.post(H5, json=user("안녕")).status_code == 200
        address = server.base_url.removeprefix("http://").split(":")
        server.stop()
        server.stop()
        assert set(threading.enumerate()) == before
        with pytest.raises(OSError, match=r"."):
            socket.create_connection((address[0], int(address[1])), timeout=1)


def test_stop_with_open_streams() -> None:
    """Stopping is quick while streams are open and requests hang, and their clients notice."""
    server = serve(token_latency=30).start()
    with connect(server) as client, connect(server) as other, ThreadPoolExecutor(1) as pool:
        with client.stream("POST", H5, json=user("안녕"), headers=SSE) as answer:
            parts = answer.iter_raw()
            assert next(parts).startswith(b"id:")
            hanging = pool.submit(other.post, H5, json=user("안녕"), headers={"x-clova-emulator-fault": "hang"})
            while len(server.requests) < 2:
                time.sleep(0.005)
            begin = time.monotonic()
            server.stop()
            assert time.monotonic() - begin < 1
            with pytest.raises(httpx.TransportError):
                list(parts)
        assert isinstance(hanging.exception(timeout=5), httpx.TransportError)


def test_fast_start() -> None:
    """A server starts and stops in a fraction of a second."""
    with serve():
        pass
    begin = time.monotonic()
    for _ in range(5):
        with serve():
            pass
    assert (time.monotonic() - begin) / 5 < 0.5


def test_many_at_once() -> None:
    """Servers do not know of each other."""
    with serve() as one, serve(behaviour="documented") as two, connect(one) as first, connect(two) as second:
        assert one.base_url != two.base_url
        one.script(["하나"])
        assert content(second.post(H5, json=user("안녕"))) != "하나"
        assert content(first.post(H5, json=user("안녕"))) == "하나"
        assert (len(one.requests), len(two.requests)) == (1, 1)


def test_port_in_use() -> None:
    """A port that is taken is an OSError, and nothing is left behind."""
    before = set(threading.enumerate())
    with serve() as server:
        port = int(server.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match=r"."):
            serve(port=port).start()
    assert set(threading.enumerate()) == before


def test_not_started() -> None:
    """A server that was not started says so."""
    with pytest.raises(RuntimeError, match="not started"):
        _ = serve().base_url


def test_wrong_behaviour() -> None:
    """An unknown behaviour is refused by name."""
    with pytest.raises(ValueError, match="imagined"):
        serve(behaviour="imagined")  # type: ignore[arg-type]


def test_requests() -> None:
    """Requests are recorded in order with their bodies and answers, and without keys."""
    with serve() as server, connect(server) as client:
        client.post(H5, json=user("안녕"), headers={"X-NCP-CLOVASTUDIO-REQUEST-ID": "r-1"})
        client.post("/testapp" + H5, content=b"{", headers={"content-type": "application/json"})
        client.get("/nowhere")
        first, second, third = server.requests
        assert (first.method, first.path, first.status, first.body) == ("POST", H5, 200, user("안녕"))
        assert first.raw == httpx.Request("POST", "http://x", json=user("안녕")).content
        assert first.headers["x-ncp-clovastudio-request-id"] == "r-1"
        assert first.headers["authorization"] == "***"
        assert server.api_key not in repr(server.requests)
        assert (second.body, second.raw, second.status) == (None, b"{", 400)
        assert (third.method, third.status) == ("GET", 404)
        assert first.time <= second.time <= third.time <= time.monotonic()
        server.reset()
        assert server.requests == []


def test_script() -> None:
    """Scripted answers come in order, whole, then computed ones again; other requests do not use them up."""
    long = "길게 " * 500
    with serve() as server, connect(server) as client:
        server.script(
            [
                "하나",
                Fault("status", code="42902"),
                long,
                {"content": "셋", "thinking": "음", "finish_reason": "length"},
                {"tool_calls": [{"name": "f", "arguments": {"a": 1}}]},
            ]
        )
        client.post("/v1/api-tools/embedding/v2", json={"text": "a"})
        client.post(H5, json={"messages": []})
        assert content(client.post(H5, json=user("a"))) == "하나"
        assert client.post(H5, json=user("a")).json()["status"]["code"] == "42902"
        assert content(client.post(H5, json=user("a", maxTokens=1))) == long
        third = client.post(H7, json=user("a")).json()["result"]
        assert third["message"] == {"role": "assistant", "content": "셋", "thinkingContent": "음"}
        assert (third["finishReason"], third["usage"]["completionTokensDetails"]) == ("length", {"thinkingTokens": 1})
        fourth = client.post(H5, json=user("a")).json()["result"]
        assert fourth["message"]["toolCalls"][0]["function"] == {"name": "f", "arguments": {"a": 1}}
        assert fourth["finishReason"] == "tool_calls"
        assert content(client.post(H5, json=user("a"))) not in {"하나", "셋"}
        with pytest.raises(TypeError):
            server.script([1])  # type: ignore[list-item]


def test_script_streams() -> None:
    """A scripted answer is streamed like any other."""
    with serve() as server, connect(server) as client:
        server.script(["첫 줄\n둘째 줄\u2028셋째 😀"])
        found = events(client.post(H5, json=user("a"), headers=SSE).text)
        assert [name for name, _ in found][-2:] == ["result", "signal"]


def test_peak_in_flight() -> None:
    """The peak is the number of requests that were being answered at once."""
    with serve(latency=0.3) as server, connect(server) as client, ThreadPoolExecutor(8) as pool:
        assert server.peak_in_flight == 0
        list(pool.map(lambda _: client.post(H5, json=user("a")), range(6)))
        assert 2 <= server.peak_in_flight <= 6
        # A request counts until its answer is sent, which the client may have read a moment before.
        until = time.monotonic() + 5
        while server.peak_in_flight and time.monotonic() < until:
            server.reset()
        assert server.peak_in_flight == 0


def test_token_latency() -> None:
    """Tokens come one by one at the given pace."""
    with serve(token_latency=0.05) as server, connect(server) as client:
        arrivals: list[float] = []
        with client.stream("POST", H5, json=user("a", maxTokens=5), headers=SSE) as answer:
            arrivals += [time.monotonic() for part in answer.iter_raw() if b"event:token" in part]
        assert len(arrivals) == 5
        assert arrivals[-1] - arrivals[0] >= 0.18


async def test_bare_app() -> None:
    """The bare ASGI application works without a server; a fault that needs the connection says so."""
    transport = httpx.ASGITransport(app=create_app(behaviour="documented", script=["그래"]))
    headers = {"authorization": "Bearer nv-x"}
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator", headers=headers) as client:
        assert content(await client.post(H5, json=user("a"))) == "그래"
        with pytest.raises(RuntimeError, match="serve"):
            await client.post(H5, json=user("a"), headers={"x-clova-emulator-fault": "reset"})


def test_fixture(clova_studio_server: EmulatorServer) -> None:
    """The fixture gives a running server in the observed behaviour."""
    with connect(clova_studio_server) as client:
        assert client.post(H5, json={}).json() == {
            "status": {"code": "40000", "message": "Bad request"},
            "result": None,
        }


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
    )


def test_lazy_import() -> None:
    """The package, its fault type and the plugin load no server; a server without configuration loads no pydantic."""
    done = run_python(
        "import sys, clova_studio.emulator as e, clova_studio._pytest_plugin; e.Fault('hang');"
        "print([m for m in ('starlette', 'uvicorn', 'httpx') if m in sys.modules]);"
        "e.serve().start().stop();"
        "print([m for m in ('pydantic', 'yaml', 'httpx') if m in sys.modules])"
    )
    assert done.stdout.split() == ["[]", "[]"], done.stderr


def test_missing_extra() -> None:
    """Without the extra, using the emulator is an ImportError that names what to install."""
    done = run_python(
        "import sys; sys.modules['starlette'] = None\n"
        "from clova_studio import emulator\n"
        "try:\n    emulator.serve\n"
        "except ImportError as error:\n    print(error)"
    )
    assert "pip install 'clova-studio[emulator]'" in done.stdout, done.stderr


def test_public_names() -> None:
    """The public names are sorted and all of them exist."""
    assert clova_studio.emulator.__all__ == sorted(clova_studio.emulator.__all__)
    assert set(clova_studio.emulator.__all__) <= set(dir(clova_studio.emulator))
    for name in clova_studio.emulator.__all__:
        assert getattr(clova_studio.emulator, name) is not None
    with pytest.raises(AttributeError):
        _ = clova_studio.emulator.nonsense


COMMAND = (
    "import argparse, sys; from clova_studio.emulator.server import command as c;"
    "p = argparse.ArgumentParser(); c.add_arguments(p); sys.exit(c.run(p.parse_args()))"
)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_command(stop: signal.Signals) -> None:
    """The command prints its URL and key, obeys its options, and ends with 0 on Ctrl-C and SIGTERM."""
    options = [
        "--port",
        "0",
        "--behaviour",
        "documented",
        "--limit",
        "HCX-005=1,-",
        "--fault",
        "status;path=/embedding;code=50000",
        "--ascii-names",
    ]
    with subprocess.Popen([sys.executable, "-c", COMMAND, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        words = line.split()
        url, key = next(word for word in words if word.startswith("http")), words[-1]
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}) as client:
            statuses = [client.post(H5, json=user("a")).status_code for _ in range(2)]
            statuses.append(client.post("/v1/api-tools/embedding/v2", json={"text": "a"}).status_code)
            tools = [tool("날씨", "도시의 날씨")]
            statuses.append(client.post(H7, json=user("a", tools=tools, thinking={"effort": "none"})).status_code)
        process.send_signal(stop)
        assert process.wait(timeout=10) == 0
    assert statuses == [200, 429, 500, 400]


@pytest.mark.parametrize("option", [["--limit", "HCX-005"], ["--limit", "a=b,c"], ["--fault", "nonsense"]])
def test_command_refuses(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An option that cannot be read is refused with its text."""
    import argparse

    from clova_studio.emulator.server.command import add_arguments

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(option)
    assert option[1] in capsys.readouterr().err


def call_tool(client: httpx.Client) -> Any:
    """A tool call."""
    tools = [tool("get_weather", "날씨를 알려 준다.", location={"type": "string"})]
    return client.post(H5, json=user("부산 날씨 어때?", tools=tools)).json()["result"]["message"]["toolCalls"][0]


def test_same_request_same_answer() -> None:
    """Two servers give the same answer to the same request, ids of calls included."""
    with serve() as one, serve() as two, connect(one) as first, connect(two) as second:
        assert call_tool(first) == call_tool(second)
