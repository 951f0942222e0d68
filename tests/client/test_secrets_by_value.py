"""Secrets without a pattern, repeated by whoever answers: masked by value wherever an error shows them."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from client_support import MESSAGES, Both, answer, sample, sse
from fault_support import Account, Line, RawServer, plain

import clova_studio as cs
from clova_studio import _secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ["sync", "async"]
KEY, OLD, PROXY = 'Old"Key/With+Signs', "gateway\\key=2", "c2VjcmV0OnByb3h5"
ACCESS, BUCKET = "bucket.access.키", "bucket/secret+키=="
SECRETS = [KEY, OLD, PROXY, ACCESS, BUCKET]
SETTINGS: dict[str, Any] = {
    "api_key": KEY,
    "apigw_api_key": OLD,
    "headers": {"Proxy-Authorization": f"Basic {PROXY}"},
    "max_retries": 0,
}
TUNING: dict[str, Any] = {
    "model": "HCX-005",
    "training_dataset_file_path": "a.csv",
    "training_dataset_bucket": "bucket",
    "training_dataset_access_key": ACCESS,
    "training_dataset_secret_key": BUCKET,
}


def written(secret: str) -> list[str]:
    """Return how a secret may stand in an answer or a message."""
    return [
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        quote(secret, safe=""),
    ]


FORMS = [form for secret in SECRETS for form in written(secret)]


def views(error: BaseException) -> Iterator[str]:
    """Yield every text of an error and of what led to it."""
    yield "".join(traceback.format_exception(error))
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield f"{one} {one!r} {one.args!r} {vars(one)!r}"
            pending += [one.__cause__, one.__context__]
    yield str(pickle.loads(pickle.dumps(error)))  # noqa: S301  our own


def check(error: BaseException) -> None:
    """Assert that no form of a secret shows, not even its first half."""
    for text in views(error):
        assert not [form for form in FORMS if form in text]
        assert not [secret for secret in SECRETS if secret[: len(secret) // 2] in text]


def echoes() -> list[Any]:
    """Return answers that repeat every secret, as a service, a gateway or a stream would."""
    said = " ".join(SECRETS)
    escaped = "".join(f"\\u{ord(char):04x}" for char in said)
    envelope = json.dumps({"status": {"code": "40000", "message": said, said: [{"deep": said}]}, "result": None})
    return [
        lambda: answer(envelope.encode(), 400),
        lambda: answer(envelope.encode(), 200),
        lambda: answer(b'{"status":{"code":"40000","message":"%b"}}' % escaped.encode(), 400),
        lambda: answer(b'{"status":{"code":"%b","message":"%b"}}' % (escaped.encode(), escaped.encode() * 99), 400),
        lambda: answer(json.dumps({"error": {"code": "40104", "message": said}}, ensure_ascii=False).encode(), 401),
        lambda: answer(f"<html>{said}</html>".encode() * 99, 502, "text/html"),
        lambda: answer((quote(said) + KEY * 200).encode(), 200, "text/plain"),
        lambda: answer((BUCKET * 99).encode(), 200, f"text/{OLD}"),
        lambda: answer(envelope.encode(), 429, retry_after=OLD, x_ratelimit_reset_requests=OLD),
        lambda: sse(b"event:error\ndata:" + envelope.encode() + b"\n\n"),
        lambda: sse(sample("v3_chat.sse").split(b"\n\n")[0] + b"\n\nevent:error\ndata:" + envelope.encode() + b"\n\n"),
        lambda: sse(b"event:token\ndata:" + said.encode() + b"\n\n"),
    ]


@pytest.mark.parametrize("verb", ["chat", "stream_chat", "tuning.create"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_an_answer_repeats_is_masked(kind: str, verb: str) -> None:
    """Keys of the client and of the request show in no message, body, cause or pickle of an error."""
    for turn in echoes():
        both = Both(kind, turn, **SETTINGS)
        # Alive, as the call that sent them is.
        call = cs._requests.tuning.create_task(**TUNING)  # type: ignore[attr-defined]
        with pytest.raises(cs.ClovaStudioError) as caught:
            both.call(verb, **(TUNING if verb == "tuning.create" else {"messages": MESSAGES}))
        assert call.secrets is not None
        check(caught.value)


def test_a_secret_where_a_message_is_cut_is_masked() -> None:
    """Of a message that is too long to be shown whole, no half of a secret shows at its end."""
    client = cs.ClovaStudio(**SETTINGS)
    assert client
    for secret in (KEY, OLD, PROXY):
        for before in range(len(secret)):
            # Masks are shorter than secrets, so that the end of what is read shows.
            error = cs.ClovaStudioError("." * before + secret * 1_000)
            shown, _, _ = str(error).rpartition("... (")
            assert 1_000 < len(shown) < 2_000
            assert len(shown.replace("*", "").strip(".")) <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_malformed_answer_repeats_is_masked(kind: str) -> None:
    """Bytes that are not HTTP come back in the text of the HTTP library's exceptions, without the keys."""
    templates = [b"HTTP/1.1 200 OK\r\n@ @\r\n\r\n", b"@\r\n\r\n", b"HTTP/1.1 @ OK\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\ncontent-length: @\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: \x00@\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\ntransfer-encoding: @\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n@\r\n"]  # fmt: skip
    for template in templates:
        data = template.replace(b"@", OLD.encode())

        def malformed(line: Line, data: bytes = data) -> bool:
            line.send(data)
            return True

        with RawServer(malformed) as server:
            account = Account(kind, server.base_url, **SETTINGS)
            for verb in ("chat", "stream_chat"):
                with pytest.raises(cs.ClovaStudioError) as caught:
                    account.call(verb, MESSAGES)
                check(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_as_a_wrong_argument_is_masked(kind: str) -> None:
    """A message that shows the value it got does not show a secret that was given by mistake."""
    both = Both(kind, lambda: answer(b""), **SETTINGS)
    client = cs.ClovaStudio(**SETTINGS)
    for secret in (KEY, OLD, PROXY):
        for kwargs in ({"temperature": secret}, {"stop": {secret}}, {"request_id": f"{secret} "}, {secret: 1}):
            with pytest.raises(cs.ConfigurationError) as caught:
                both.call("chat", MESSAGES, **kwargs)
            check(caught.value)
    for secret in (ACCESS, BUCKET):
        for name in ("learning_rate", "train_epochs", "lora_r", "validation_split_ratio"):
            with pytest.raises(cs.ConfigurationError) as caught:
                both.call("tuning.create", **{**TUNING, name: secret})
            check(caught.value)
        with pytest.raises(cs.ConfigurationError) as caught:
            both.call("tuning.create", **{**TUNING, "name": f"\ud800 {secret}"})
        check(caught.value)
    for name in ("region", "base_url", "path_prefix", "timeout", "max_wait", "max_retries", "rate_limits"):
        with pytest.raises(cs.ConfigurationError) as caught:
            cs.ClovaStudio(**{**SETTINGS, name: KEY})
        check(caught.value)
    del client


def test_pickled_clients_mask_in_their_new_process() -> None:
    """A client that was pickled masks its secrets where it is rebuilt."""
    client = pickle.loads(pickle.dumps(cs.ClovaStudio("pickled-secret", apigw_api_key="pickled-other")))  # noqa: S301
    assert cs.ConfigurationError("pickled-secret pickled-other").message == "*** ***"
    assert client.base_url


@pytest.mark.slow
def test_secrets_are_forgotten_with_what_used_them() -> None:
    """Ten thousand clients leave no secret behind."""
    gc.collect()
    before = len(_secrets._in_use)
    for i in range(10_000):
        cs.ClovaStudio(f"forgotten-{i}")
    gc.collect()
    assert len(_secrets._in_use) <= before
    assert "forgotten-1" in cs.ConfigurationError("forgotten-1").message


def test_no_plain_word_is_masked() -> None:
    """Short values and the names of software stay readable."""
    client = cs.ClovaStudio("nv-1", headers={"User-Agent": "browser/12345678", "X-Env": "prod"})
    assert cs.ConfigurationError("browser/12345678 prod").message == "browser/12345678 prod"
    assert asyncio.iscoroutinefunction(client.chat) is False


def test_plain_is_whole() -> None:
    """A service that repeats nothing is shown as it is."""
    with RawServer(plain(b"{}", 400)) as server, pytest.raises(cs.BadRequestError) as caught:
        Account("sync", server.base_url, **SETTINGS).chat()
    assert caught.value.body == {}
