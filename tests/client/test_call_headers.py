"""Headers of one call: sent with it alone, before the client's, and masked wherever it leaves a trace."""

from __future__ import annotations

import functools
import json
import logging
import traceback
from typing import Any

import pytest
from client_support import MESSAGES, Both, answer, sample, sse
from pydantic import SecretStr

from clova_studio import BadRequestError, ConfigurationError, ServerError, StreamInterruptedError
from clova_studio._requests.chat import chat

SECRET = "gateway-secret-0123456789"
WAYS = ["chat", "stream_chat"]


def good(verb: str) -> Any:
    """Return an answer for a method."""
    return functools.partial(sse, sample("v3_chat.sse")) if "stream" in verb else lambda: answer(sample("v3_chat.json"))


@pytest.mark.parametrize("value", [SECRET, SecretStr(SECRET)])
@pytest.mark.parametrize("verb", WAYS)
def test_headers_of_a_call_go_before_the_clients(both: Any, verb: str, value: Any) -> None:
    """They are sent with this call alone, in place of the client's of the same name, and again with its retries."""
    bad = functools.partial(answer, b'{"status":{"code":"50000","message":"x"}}', 500)
    peer: Both = both(bad, good(verb), headers={"X-Team": "all", "X-Other": "kept"})
    given = {"x-team": value, "User-Agent": "mine/1"}
    peer.call(verb, MESSAGES, headers=given)
    peer.call(verb, MESSAGES)
    sent = [(r.headers["x-team"], r.headers["x-other"], r.headers["user-agent"] == "mine/1") for r in peer.requests]
    assert sent == [(SECRET, "kept", True), (SECRET, "kept", True), ("all", "kept", False)]
    assert given == {"x-team": value, "User-Agent": "mine/1"}
    for empty in ({}, None):
        peer.call(verb, MESSAGES, headers=empty)


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Authorization": "Bearer x"}, "Authorization"),
        ({"x-ncp-clovastudio-request-id": "x"}, "request_id="),
        ({"X-A": "줄"}, "X-A must be"),
        ({"X-A": "a\r\nX-B: b"}, "X-A must be"),
        ({"X-A": 3}, "X-A must be"),
        ({"X A": "b"}, "not a valid header name"),
        ("X-A: b", "headers must be a mapping"),
        ([("X-A", "b")], "headers must be a mapping"),
    ],
)
@pytest.mark.parametrize("verb", WAYS)
def test_wrong_headers_are_refused_before_sending(both: Any, verb: str, headers: Any, named: str) -> None:
    """What the client sets itself and what no header can carry is refused by name, without the value."""
    peer: Both = both(good(verb))
    with pytest.raises(ConfigurationError, match=named):
        peer.call(verb, MESSAGES, headers=headers)
    assert not peer.requests


@pytest.mark.parametrize("verb", WAYS)
def test_headers_of_a_call_show_nowhere(both: Any, verb: str, caplog: pytest.LogCaptureFixture) -> None:
    """A service or gateway that repeats a header's value, and our own reprs and logs, do not show it."""
    body = json.dumps({"status": {"code": "40000", "message": f"no {SECRET} here"}}).encode()
    html = f"<html>proxy saw {SECRET}</html>".encode()
    caplog.set_level(logging.DEBUG)
    headers = {"X-Gateway-Key": SECRET}
    shown = []
    for respond, kind in (
        (functools.partial(answer, body, 400), BadRequestError),
        (functools.partial(answer, html, 502, "text/html"), ServerError),
    ):
        with pytest.raises(kind) as caught:
            both(respond, max_retries=1).call(verb, MESSAGES, headers=headers)
        shown += [*traceback.format_exception(caught.value), repr(caught.value), str(vars(caught.value))]
    if "stream" in verb:
        event = f'event:error\ndata:{{"status":{{"code":"50000","message":"{SECRET}"}}}}\n\n'.encode()
        peer: Both = both(functools.partial(sse, sample("v3_chat.sse").split(b"event:result")[0] + event))
        with pytest.raises(StreamInterruptedError) as broken:
            peer.call(verb, MESSAGES, headers=headers)
        shown += [*traceback.format_exception(broken.value), repr(broken.value), str(vars(broken.value))]
    shown += [caplog.text, repr(chat(MESSAGES, model="HCX-005", headers=headers, options={}))]
    assert "***" in "".join(shown)
    assert SECRET not in "".join(shown)
