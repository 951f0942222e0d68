"""Keys, prefixes, paths and headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from emulator_support import NO_TLS, connect, user

from clova_studio.emulator import EmulatorServer, serve

if TYPE_CHECKING:
    from clova_studio.emulator.server.state import Behaviour

H5 = "/v3/chat-completions/HCX-005"
PAIR = {"x-ncp-clovastudio-api-key": "NTA0MjU2MWZlZTcxNDJiY", "x-ncp-apigw-api-key": "k2"}


def status(answer: httpx.Response) -> tuple[int, str, str]:
    """What an answer says about itself."""
    envelope = answer.json()["status"]
    return answer.status_code, envelope["code"], envelope["message"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (401, "40100", "Unauthorized")),
        ({"x-ncp-clovastudio-api-key": "k1"}, (401, "40100", "Unauthorized")),
        ({"x-ncp-apigw-api-key": "k2"}, (401, "40100", "Unauthorized")),
        ({"authorization": "Bearer"}, (401, "40100", "Unauthorized")),
        ({"authorization": "Basic abc"}, (401, "40102", "Invalid Authentication Type")),
        ({"authorization": "Bearer NTA0MjU2MWZlZTcxNDJiY"}, (401, "40104", "Invalid Key")),
        ({"authorization": "Bearer nv-"}, (401, "40104", "Invalid Key")),
        ({"authorization": "Bearer nv-anything"}, (200, "20000", "OK")),
        (PAIR, (200, "20000", "OK")),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/testapp", "/serviceapp"])
def test_keys(observed_server: EmulatorServer, headers: dict[str, str], expected: tuple[int, str, str], prefix: str):
    """New keys come as Bearer tokens, old ones as a pair of headers of which both are needed, on every prefix."""
    answer = httpx.post(observed_server.base_url + prefix + H5, json=user("안녕"), headers=headers, verify=NO_TLS)
    assert status(answer) == expected


def test_given_keys_only() -> None:
    """With a collection of keys only those are accepted, and the server names one of them."""
    with serve(api_keys=["nv-one", "nv-two"], behaviour="documented") as server, connect(server) as client:
        assert server.api_key == "nv-one"
        assert client.post(H5, json=user("안녕")).status_code == 200
        other = client.post(H5, json=user("안녕"), headers={"authorization": "Bearer nv-three"})
        assert status(other) == (401, "40104", "Invalid key")


EMBED_V1 = "/v1/api-tools/embedding/clir-emb-dolphin"


@pytest.mark.parametrize(("behaviour", "refused"), [("observed", 400), ("documented", 401)])
def test_key_kinds(behaviour: Behaviour, refused: int) -> None:
    """Test keys do not open service apps, a 400 as reported or a 401 as the pages say; service keys no test apps."""
    kinds = {"nv-t": "test", "nv-s": "service"}
    with serve(api_keys=kinds, behaviour=behaviour) as server, connect(server) as client:
        for key, prefix, code in [
            ("nv-t", "/testapp", 200),
            ("nv-t", "/serviceapp", refused),
            ("nv-s", "/serviceapp", 200),
            ("nv-s", "/testapp", 401),
            ("nv-s", "", 200),
        ]:
            answer = client.post(prefix + H5, json=user("안녕"), headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == code, (key, prefix)


@pytest.mark.parametrize(("behaviour", "message"), [("observed", "No Service App"), ("documented", "Unauthorized")])
def test_a_service_key_without_an_app(behaviour: Behaviour, message: str) -> None:
    """A service key whose app is not registered is refused on every path, in the recorded or the documented words."""
    with serve(api_keys={"nv-u": "unregistered"}, behaviour=behaviour) as server, connect(server) as client:
        for prefix in ("", "/testapp", "/serviceapp"):
            assert status(client.post(prefix + H5, json=user("안녕"))) == (401, "40100", message)
        answer = client.get("/v1/openai/models")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "40100")


def test_unknown_kinds_of_keys() -> None:
    """A kind of key that does not exist is refused by name at the start."""
    with pytest.raises(ValueError, match="unknown kind of key 'tset'"):
        serve(api_keys={"nv-t": "tset"})


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/chat-completions/HCX-005",
        "/v3/chat-completions/",
        "/v1/api-tools/embedding/clir-emb-dolphin/a",
        "/v3/x",
    ],
)
def test_unknown_paths(either: httpx.Client, path: str) -> None:
    """An unknown path is 404 40400 in an envelope."""
    assert status(either.post(path, json={})) == (404, "40400", "Not found")


def test_wrong_method(observed: httpx.Client) -> None:
    """A known path with another method is not found either, since no page documents 405."""
    assert status(observed.get(H5)) == (404, "40400", "Not found")


@pytest.mark.parametrize(
    "path",
    [
        "/testapp/v1/api-tools/segmentation/app1",
        "/serviceapp/v1/api-tools/embedding/v2/app1",
        "/testapp/v1/api-tools/embedding/clir-emb-dolphin/app1",
        "/testapp/v1/api-tools/embedding/v2/tokenize",
    ],
)
def test_old_paths(observed: httpx.Client, path: str) -> None:
    """The older forms with a prefix, and with an app id at the end, are served."""
    assert observed.post(path, json={"text": "안녕하세요."}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_content_type(observed: httpx.Client, kind: str | None) -> None:
    """A body that is not declared as JSON is 415 41500."""
    headers = {} if kind is None else {"content-type": kind}
    assert status(observed.post(H5, content=b"{}", headers=headers)) == (415, "41500", "MediaType error")


def test_charset(observed: httpx.Client) -> None:
    """A charset behind the content type does no harm."""
    headers = {"content-type": "application/json; charset=utf-8"}
    assert observed.post(H5, content=httpx.Request("POST", "http://x", json=user("안녕")).content, headers=headers)


@pytest.mark.parametrize(
    ("path", "accept", "code"),
    [
        (H5, "text/html", "40600"),
        (H5, "*/*", "20000"),
        (H5, "application/json", "20000"),
        ("/v1/api-tools/embedding/v2", "text/event-stream", "40600"),
        ("/v1/api-tools/embedding/v2", "application/*", "20000"),
    ],
)
def test_accept(observed: httpx.Client, path: str, accept: str, code: str) -> None:
    """What the API cannot serve is 406 40600."""
    answer = observed.post(path, json={"text": "a", **user("a")}, headers={"accept": accept})
    assert answer.json()["status"]["code"] == code


def test_malformed_json(observed: httpx.Client) -> None:
    """A body that is not valid JSON is refused with 400 40000."""
    answer = observed.post(H5, content=b'{"messages":', headers={"content-type": "application/json"})
    assert status(answer) == (400, "40000", "Bad request")


def test_large_body(observed: httpx.Client) -> None:
    """A body over 50 MB is 413 41300, and the client can hear it."""
    answer = observed.post(H5, content=b" " * (50 * 1024 * 1024 + 1), headers={"content-type": "application/json"})
    assert status(answer) == (413, "41300", "Request body size exceeded")


def test_honest_header(either: httpx.Client) -> None:
    """Every answer says that it is the emulator's, refusals included."""
    for answer in (either.post(H5, json=user("a")), either.post("/nowhere"), either.post(H5, json={})):
        assert answer.headers["x-clova-emulator"] == "1"
