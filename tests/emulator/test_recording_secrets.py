"""No key, token or account id of the caller or the service is in a recording, in the log, in an error or in a repr."""

from __future__ import annotations

import base64
import gzip
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from emulator_support import NO_TLS, connect, user
from fault_support import SSE, Line, RawServer, chunked, plain

from clova_studio.emulator import EmulatorServer, serve
from clova_studio.emulator.recording.events import mask_events, split_events
from clova_studio.emulator.recording.interactions import read_recording
from clova_studio.emulator.recording.secrets import Secrets, is_secret_header, is_secret_name

if TYPE_CHECKING:
    from pathlib import Path

H5 = "/v3/chat-completions/HCX-005"
STREAM = {"accept": "text/event-stream"}
KEY = 'nv-planted/"key"+=1'
BUCKET = {
    "trainingDatasetAccessKey": "planted access/key",
    "trainingDatasetSecretKey": "plantedSecret한글",
    "trainingDatasetBucket": "my-bucket",
}
SENT = {
    "authorization": f"Bearer {KEY}",
    "x-ncp-apigw-api-key": "planted-gateway-key",
    "x-ncp-clovastudio-api-key": "planted-studio-key",
    "x-ncp-iam-access-key": "planted-iam-key",
    "cookie": "NID_AUT=planted-cookie; theme=dark",
    "x-auth-token": "planted-auth-token",
    "x-my-api-key": "planted-my-key",
    "x-account-id": "planted-account-1",
    "x-amz-security-token": "planted-amz-token",
    "proxy-authorization": "Basic " + base64.b64encode(b"me:planted-password").decode(),
}
BODY = {
    "messages": [{"role": "user", "content": f"내 키는 {KEY} 입니다"}],
    "memberNo": 9_876_543_210,
    "options": {"password": "short", "credentials": ["planted-credential"], "maxTokens": 7},
}
QUERY = {"apiKey": "planted/query key", "page": "1", "accountId": "planted-account-2"}
PLANTED = (
    KEY,
    "planted",
    "9876543210",
    "short",
    base64.b64encode(b"me:planted-password").decode(),
)


def every_form(value: str) -> set[str]:
    """How a value may be written."""
    once = json.dumps(value)[1:-1]
    return {
        value,
        once,
        json.dumps(once)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value),
        quote(value, safe=""),
    }


def is_clean(text: str) -> bool:
    """Whether nothing that was planted is in a text."""
    left = [form for planted in PLANTED for form in every_form(planted) if form in text]
    return not left


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a recording."""
    return tmp_path / "recording.jsonl"


def echo(line: Line) -> bytes:
    """All that a request said, as the text of an error."""
    return line.requests[-1].decode("utf-8", "replace").encode()


def as_error(line: Line) -> None:
    """Repeat the request in the message of an error, and in headers."""
    message = "Invalid: " + echo(line).decode()
    headers = {"x_received": KEY, "set_cookie": "SESSION=planted-session; HttpOnly", "x_ncp_trace": "planted-trace"}
    line.send(plain(json.dumps({"status": {"code": "40000", "message": message}}).encode(), 400, **headers))


def as_text(line: Line) -> None:
    """Repeat it in a page."""
    line.send(plain(b"<html>" + echo(line) + b"</html>", 502, "text/html"))


def as_zip(line: Line) -> None:
    """Repeat it in a compressed answer."""
    line.send(plain(gzip.compress(json.dumps({"said": echo(line).decode()}).encode()), content_encoding="gzip"))


def as_tokens(line: Line) -> None:
    """Repeat it in a stream, three letters an event, and the events cut into chunks of five bytes."""
    said = echo(line).decode()
    body = "".join(token(said[at : at + 3]) for at in range(0, len(said), 3)) + token(said)
    raw = body.encode()
    line.send(SSE + chunked(*(raw[at : at + 5] for at in range(0, len(raw), 5))))


def token(text: str) -> str:
    """An event of a stream."""
    return f"id:1\nevent:token\ndata:{json.dumps({'message': {'content': text}})}\n\n"


@pytest.mark.parametrize("turn", [as_error, as_text, as_zip, as_tokens])
def test_secrets_everywhere(turn: Any, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is planted in headers, query, body and repeated by the service in whatever form is nowhere afterwards."""
    caplog.set_level(logging.DEBUG)
    with RawServer(turn) as up, serve(record=file, upstream=up.base_url) as server:
        with httpx.Client(base_url=server.base_url, headers=SENT, verify=NO_TLS) as client:
            caplog.clear()
            logging.getLogger("httpx").setLevel(logging.ERROR)  # the caller's own client
            logging.getLogger("httpcore").setLevel(logging.ERROR)
            client.post(H5, json={**BODY, **BUCKET}, params=QUERY)
            logging.getLogger("httpcore").setLevel(logging.NOTSET)
            logging.getLogger("httpx").setLevel(logging.NOTSET)
        assert KEY.encode() in up.requests[0]
        shown = repr(server.requests) + repr(server) + repr(server._state.settings) + repr(server._state.tape)
    text = file.read_text(encoding="utf-8")
    assert is_clean(text)
    assert is_clean(shown)
    assert is_clean(caplog.text)
    assert "my-bucket" in text  # what is no secret stays
    (interaction,) = read_recording(file)
    assert interaction.request.query == [["apiKey", "***"], ["page", "1"], ["accountId", "***"]]
    assert interaction.request.body["json"]["options"] == {"credentials": ["***"], "maxTokens": 7, "password": "***"}


def test_upstream_log(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The upstream's connection logs nothing, not even at DEBUG: its library would log headers that repeat a key."""
    caplog.set_level(logging.DEBUG)
    with RawServer(as_error) as up, serve(record=file, upstream=up.base_url) as server:
        import socket

        host, port = server.base_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as line:
            line.sendall(
                f"POST {H5}?token=planted-token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
            )
            assert line.recv(65536)
    assert is_clean(caplog.text)
    assert "httpcore" not in {record.name.partition(".")[0] for record in caplog.records}


@pytest.mark.parametrize("size", [1, 2, 5, 11])
def test_secret_in_pieces(size: int) -> None:
    """A key that a stream gives piece by piece is masked in every field, however it is cut; what is around it stays."""
    secrets = Secrets()
    secrets.learn(KEY)
    said = f"앞{KEY}뒤"
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    for make in (
        lambda piece: {"message": {"content": piece}},
        lambda piece: {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": piece}}]}}]},
    ):
        texts = [f"data: {json.dumps(make(piece), ensure_ascii=False)}\n\n" for piece in pieces]
        chunks = [(0.0, "".join(texts).encode()[at : at + 3]) for at in range(0, len("".join(texts).encode()), 3)]
        masked = mask_events([text for _, text in split_events(chunks)], secrets, cut=False)
        whole = "".join(leaf(json.loads(text[6:])) for text in masked)
        assert whole == "앞***뒤"
        assert len(masked) == len(texts)


def leaf(value: Any) -> str:
    """The one string in a JSON value."""
    while not isinstance(value, str):
        value = next(iter(value.values() if isinstance(value, dict) else value))
    return value


def test_secret_that_is_cut_off(file: Path) -> None:
    """Of a key that a broken stream cut off nothing is left either, in whole events and in the last, torn one."""
    torn = token("키는 nv-plan") + token("ted-key-0123456789")[:-20]

    def turn(line: Line) -> bool:
        line.send(SSE + chunked(torn.encode(), end=False))
        return True

    headers = {"authorization": "Bearer nv-planted-key-0123456789", **STREAM}
    with (
        RawServer(turn) as up,
        serve(record=file, upstream=up.base_url) as server,
        httpx.Client(base_url=server.base_url, headers=headers, verify=NO_TLS) as client,
        pytest.raises(httpx.TransportError),
    ):
        client.post(H5, json={})
    text = file.read_text(encoding="utf-8")
    assert "키는 " in text
    assert not any(part in text for part in ("nv-plan", "ted-key", "key-0123"))


def test_secret_that_the_service_makes(file: Path) -> None:
    """A secret that an answer shows first is masked there, in the request, in later ones, and in forms."""
    made = {
        "accessToken": "made-by-the-service",
        "keys": {"secretKey": "xy"},
        "tokens": 3,
        "nextToken": "page-two-of-it",
    }

    def turn(line: Line) -> None:
        line.send(plain(json.dumps(made).encode()) if b"first" in line.requests[-1] else plain(echo(line)))

    with RawServer(turn) as up, serve(record=file, upstream=up.base_url) as server, connect_as(server) as client:
        client.post(H5, json={"text": "first made-by-the-service"})
        client.post(H5, data={"client_secret": "xyz", "note": "made-by-the-service", "password": "formed%20secret"})
        parts = {"trainingDatasetSecretKey": (None, "planted-in-part"), "pwd": (None, "pq"), "name": (None, "task")}
        client.post(H5, files=parts)
    text = file.read_text(encoding="utf-8")
    for secret in ("made-by-the-service", "planted-in-part", "formed", "=xyz", '"xy"', "\\npq\\r"):
        assert secret not in text, secret
    first, *_ = read_recording(file)
    assert first.reply.body["json"] == {**made, "accessToken": "***", "keys": {"secretKey": "***"}}
    assert first.request.body["json"] == {"text": "first ***"}


def connect_as(server: EmulatorServer) -> httpx.Client:
    """A client with the planted key."""
    return httpx.Client(base_url=server.base_url, headers={"authorization": f"Bearer {KEY}"}, verify=NO_TLS)


def test_keys_that_nobody_named(file: Path) -> None:
    """Bearer tokens, keys of the service and access keys of the cloud are masked by their form, in an answer too."""
    said = "use Bearer not-a-real-token or nv-notarealkeynotarealkey or ncp_iam_notarealkey"
    with (
        RawServer(plain(json.dumps({"text": said}).encode())) as up,
        serve(record=file, upstream=up.base_url) as server,
        connect_as(server) as client,
    ):
        client.post(H5, json={"text": said})
    (interaction,) = read_recording(file)
    for body in (interaction.request.body, interaction.reply.body):
        assert body["json"]["text"] == "use Bearer *** or *** or ***"


@pytest.mark.parametrize(
    "said",
    [
        "GET https://weather.example.com/now?city=seoul&serviceKey=planted%2Fservice%3D&page=1",
        "GET https://weather.example.com/now?key=planted-0123456789&city=seoul",
        "see https://me:planted-word@example.com/ and planted-word",
        '{"city": "seoul", "login": {"password": "planted-login"}}',
        '[{"apiKey": "planted-in-a-list"}] ',
    ],
)
def test_keys_within_texts(said: str, file: Path) -> None:
    """Keys in addresses and in JSON that stand in a text are masked there and elsewhere, whole and streamed."""
    pieces = "".join(token(said[at : at + 4]) for at in range(0, len(said), 4)) + token(said)

    def turn(line: Line) -> None:
        streamed = b"text/event-stream" in line.requests[-1]
        line.send(SSE + chunked(pieces.encode()) if streamed else plain(json.dumps({"arguments": said}).encode()))

    with RawServer(turn) as up, serve(record=file, upstream=up.base_url) as server, connect_as(server) as client:
        client.post(H5, json={"n": 1}, headers=STREAM)
        client.post(H5, json={"text": said})
    text = file.read_text(encoding="utf-8")
    assert is_clean(text)
    assert said[:8] in text.replace('\\"', '"').replace('\\"', '"')


def test_keys_of_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys in the environment are masked even if another one is sent; only `api_key` gives one."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", " 'planted-of-environment' ")
    monkeypatch.setenv("NCP_APIGW_API_KEY", "planted-second-one")
    answer = plain(b'{"a":"planted-of-environment planted-second-one"}')
    with RawServer(answer) as up, serve(record=file, upstream=up.base_url) as server, connect_as(server) as client:
        assert server.api_key == "planted-of-environment"
        client.post(H5, json={"text": "planted-of-environment"})
        assert is_clean(repr(server) + repr(server.requests))
    assert is_clean(file.read_text(encoding="utf-8"))


def test_no_key_of_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key in the environment the server that records has none to give, and says which variable is read."""
    for name in ("CLOVASTUDIO_API_KEY", "NCP_CLOVASTUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    server = serve(record=file, upstream="http://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="CLOVASTUDIO_API_KEY"):
        _ = server.api_key


def test_replay_with_another_key(file: Path) -> None:
    """A request that has its key in its body is found with another key too, and without any header."""
    with serve() as up, serve(record=file, upstream=up.base_url) as server, connect_as(server) as client:
        client.headers["authorization"] = "Bearer nv-planted-first-key"
        first = client.post(H5, json=user("키는 nv-planted-first-key"))
        assert first.status_code == 200
    assert is_clean(file.read_text(encoding="utf-8"))
    with serve(replay=file) as server, connect(server) as client:
        assert client.post(H5, json=user(f"키는 {server.api_key}")).status_code == 200
        client.headers.pop("authorization")
        assert client.post(H5, json=user("키는 nv-notarealkeynotarealkey")).status_code == 200


def test_unknown_request_shows_no_key(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A request that is not in the recording is refused, logged and listed without the keys in it."""
    file.write_text('{"recording":"clova-studio","version":1}\n', encoding="utf-8")
    with serve(replay=file) as server, connect_as(server) as client:
        got = client.post("/v3/planted-0123", json={**BODY, "token": "planted-0123"}, params=QUERY)
        assert got.status_code == 404
        assert is_clean(got.text + repr(got.headers) + repr(server.requests))
    assert is_clean("".join(record.getMessage() for record in caplog.records if record.name.startswith("clova")))


@pytest.mark.parametrize(
    "names",
    [
        ("Authorization", "X-NCP-APIGW-API-KEY", "X-NCP-ANYTHING", "Cookie", "set-cookie", "X-Session-Id"),
        ("api_key", "apiKey", "accessKey", "trainingDatasetSecretKey", "privateKey", "client-secret", "signature"),
        ("password", "id_token", "memberNo", "account_id", "mainAccountId", "userId", "openai-organization"),
    ],
)
def test_names_of_secrets(names: tuple[str, ...]) -> None:
    """Headers and fields of these names hold secrets."""
    assert [name for name in names if not is_secret_header(name)] == []


@pytest.mark.parametrize(
    "names",
    [
        (
            "maxTokens",
            "x-ratelimit-remaining-tokens",
            "promptTokens",
            "tokens",
            "numTokens",
            "tokenStream",
            "nextToken",
        ),
        ("content", "name", "user", "role", "seed", "stopBefore", "author", "monkey", "key"),
        ("userName", "accountName", "projectName", "customerId", "secretary", "publicKey"),
        ("x-ncp-clovastudio-request-id",),
    ],
)
def test_names_that_are_harmless(names: tuple[str, ...]) -> None:
    """Fields of these names do not."""
    assert [name for name in names if is_secret_header(name) or is_secret_name(name)] == []


def test_words_are_not_masked() -> None:
    """A schema with a field of such a name, digits of an account inside a number, and short values mask no words."""
    secrets = Secrets()
    schema = {"properties": {"password": {"type": "string"}, "token": "string"}, "accountId": 123456, "api_key": "a"}
    secrets.learn_json(schema)
    clean = {"type": "string", "vector": [0.123456, 91234567], "text": "an apple, 0.1234567"}
    assert secrets.mask_json(clean) == clean
    assert secrets.mask(json.dumps(clean)) == json.dumps(clean)
    assert secrets.mask_json({"n": 123456, "t": "no 123456"}) == {"n": "***", "t": "no ***"}
