"""Who may use and steer the emulator from where: loopback, other machines, and pages in a browser."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from emulator_support import NO_TLS, connect, user

from clova_studio.emulator import create_app, serve
from clova_studio.emulator.server.app import EmulatorApp
from clova_studio.emulator.server.browsers import foreign_page
from clova_studio.emulator.server.local_routes import LocalRoutes, send_json

if TYPE_CHECKING:
    from clova_studio.emulator.server.http_connection import HttpConnection
    from clova_studio.emulator.server.state import State

H5 = "/v3/chat-completions/HCX-005"
HEALTH = "/_emulator/health"
PAGE = "http://localhost:3000"


@pytest.mark.parametrize(
    ("host", "control", "status", "said"),
    [
        ("127.0.0.1", None, 200, None),
        ("localhost", None, 200, None),
        ("127.0.0.1", False, 404, None),
        ("0.0.0.0", None, 404, "listens on 0.0.0.0, beyond loopback; control over HTTP is off"),
        ("0.0.0.0", True, 200, "listens on 0.0.0.0, beyond loopback; control over HTTP is on: whoever reaches it"),
    ],
)
def test_where_control_is(
    host: str, control: Any, status: int, said: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Control is there on loopback only, unless asked for; a server that others can reach says so when it starts."""
    with serve(host=host, control=control) as server:
        port = server.base_url.rpartition(":")[2]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=NO_TLS) as client:
            answer = client.get(HEALTH)
            assert answer.status_code == status
            if status == 404:
                assert answer.json()["status"]["code"] == "40400"
                assert "--control" in answer.headers["x-clova-emulator-hint"]
    warnings = [item.getMessage() for item in caplog.records if item.levelno == logging.WARNING]
    started = [text for text in warnings if "listens" in text]
    assert len(started) == (said is not None)
    assert said is None or said in started[0]


async def test_a_bare_application_has_control_if_asked() -> None:
    """An application in a server of the user's own does not know who reaches it, so control has to be asked for."""
    for settings, status in (({}, 404), ({"control": True}, 200)):
        transport = httpx.ASGITransport(app=create_app(settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get(HEALTH)).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:8765"}, 200),
        ({"host": "127.0.0.1"}, 200),
        ({"host": "[::1]:8765"}, 200),
        ({"host": "emulator:8765"}, 200),
        ({"host": "host.docker.internal:8765"}, 200),
        ({"host": "emulator.default.svc.cluster.local"}, 200),
        ({"host": "evil.example.com:8765"}, 403),
        ({"host": "127.0.0.1.nip.io"}, 403),
        ({"host": "localhost.evil.com"}, 403),
        ({"host": "localhost:8765", "origin": "http://localhost:8765"}, 200),
        ({"host": "localhost:8765", "origin": PAGE}, 403),
        ({"host": "localhost:8765", "origin": "http://evil.example.com"}, 403),
        ({"host": "localhost:8765", "origin": "null"}, 403),
        ({"host": "evil.example.com", "origin": "http://evil.example.com"}, 403),
    ],
)
def test_foreign_pages_do_not_steer(headers: dict[str, str], status: int) -> None:
    """A page elsewhere reaches control neither by a request of its own nor by a name that it lets lead to loopback."""
    with serve() as server, connect(server) as client:
        server.script(["하나"])
        answer = client.request("DELETE", "/_emulator/script", headers=headers)
        assert answer.status_code == status
        assert server.script([]) is None
        left = client.get("/_emulator/script").json()["answers"]
        assert left == ([] if status == 200 else ["하나"])
        if status == 403:
            assert answer.json()["error"]["message"].startswith("Control is not for other pages: the ")


def test_what_a_refused_page_can_do() -> None:
    """The refusal of a page names the option that lets it in."""
    assert "--cors http://a.example" in foreign_page({"host": "localhost", "origin": "http://a.example"}, ())
    assert "use localhost" in foreign_page({"host": "a.example"}, ("*",))


def test_pages_without_cors(clova_studio_server: Any) -> None:
    """Without cors a browser keeps answers from pages, and asks in vain."""
    with connect(clova_studio_server) as client:
        assert "access-control-allow-origin" not in client.post(H5, json=user("a"), headers={"origin": PAGE}).headers
        asked = {"origin": PAGE, "access-control-request-method": "POST"}
        assert client.options(H5, headers=asked).status_code == 404


@pytest.mark.parametrize(("cors", "allowed"), [([PAGE], True), ("*", True), (["http://other:1"], False)])
def test_cors(cors: Any, allowed: Any) -> None:
    """Pages of a named origin use the service's paths and control, and read the headers that clients need."""
    with serve(cors=cors, rate_limits={"HCX-005": (1, None)}) as server, connect(server) as client:
        wanted = "authorization, content-type"
        asked = {
            "origin": PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": wanted,
            "access-control-request-private-network": "true",
        }
        first = client.options(H5, headers=asked)
        answers = [client.post(H5, json=user("a"), headers={"origin": PAGE}) for _ in range(2)]
        fault = client.post(H5, json=user("a"), headers={"origin": PAGE, "x-clova-emulator-fault": "html"})
        reset = client.post("/_emulator/reset", headers={"origin": PAGE})
        assert reset.status_code == (200 if allowed else 403)
        for answer in (*answers, fault, *([reset] if allowed else [])):
            assert (answer.headers.get("access-control-allow-origin") == PAGE) == allowed
            if allowed:
                assert "x-ratelimit-remaining-tokens" in answer.headers["access-control-expose-headers"]
                assert "x-clova-emulator-hint" in answer.headers["access-control-expose-headers"]
                assert answer.headers["vary"] == "Origin"
        assert [answer.status_code for answer in answers] == [200, 429]
        assert first.status_code == (204 if allowed else 404)
        if allowed:
            assert first.headers["access-control-allow-headers"] == wanted
            assert "DELETE" in first.headers["access-control-allow-methods"]
            assert first.headers["access-control-allow-private-network"] == "true"
        assert "access-control-allow-origin" not in client.post(H5, json=user("a")).headers


@pytest.mark.parametrize("origin", ["localhost:3000", "http://localhost:3000/", "http://*.example.com", "ftp://a", ""])
def test_wrong_origins(origin: str) -> None:
    """What is no origin is refused by name, with an example."""
    with pytest.raises(ValueError, match=r"cors: .* is not an origin: .* http://localhost:3000"):
        serve(cors=[origin])


async def test_paths_of_its_own() -> None:
    """Further paths are added to the emulator's own, loaded when asked for, and the service's paths stay its own."""
    loaded: list[str] = []

    def load() -> Any:
        loaded.append("page")

        async def page(connection: HttpConnection, state: State) -> None:
            await send_json(connection, 200, {"path": connection.path, "seen": len(state.log.kept)})

        return page

    app = create_app(control=True)
    assert isinstance(app, EmulatorApp)
    assert isinstance(app.local_routes, LocalRoutes)
    app.local_routes.add("/", load)
    app.local_routes.add("/_emulator/events", load)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        assert (await client.get("/v1/nothing")).status_code == 404
        assert loaded == []
        assert (await client.get("/")).json() == {"path": "/", "seen": 1}
        assert (await client.get("/_emulator/events")).json()["path"] == "/_emulator/events"
        assert (await client.get(HEALTH)).json()["status"] == "ok"
        assert loaded == ["page", "page"]
