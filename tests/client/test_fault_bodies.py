"""Bodies that are no answer, on every API: never a success, and mended by a retry where a retry is allowed."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from api_table import TABLE
from client_support import MESSAGES, Clock, answer, sample, sse
from fault_support import KINDS, Account

import clova_studio as cs
from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api_row import Row

    from clova_studio.emulator import EmulatorServer

IDS = [row.name for row in TABLE]
ONCE = {"tuning.create", "run_skillset"}


def right(row: Row) -> bytes:
    """Return the answer of the reference."""
    if row.openai:
        return json.dumps(row.result, ensure_ascii=False).encode()
    status = {"status": {"code": "20000", "message": "OK"}}
    return json.dumps(status if row.result is None else {**status, "result": row.result}, ensure_ascii=False).encode()


def call(peer: Any, row: Row) -> Any:
    """Call the method of a row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return peer.call(row.verb, *row.args, **row.kwargs)


NONSENSE: dict[str, tuple[bytes, str]] = {
    "HTML": (b"<html><body><h1>200 OK</h1></body></html>", "text/html"),
    "HTML called JSON": (b"<!doctype html><title>Login</title>", "application/json"),
    "empty": (b"", "application/json"),
    "blank": (b" \r\n\r\n", "application/json"),
    "no bytes of text": (b"\xff\xfe\x00\x00", "application/json"),
    "null": (b"null", "application/json"),
    "a string": (b'"OK"', "application/json"),
    "a list": (b"[]", "application/json"),
    "an object": (b"{}", "application/json"),
    "two answers": (b'{"status":{"code":"20000"},"result":{}}{"status":{"code":"20000"}}', "application/json"),
    "nested too deep": (b'{"status":' * 100_000, "application/json"),
    "a list nested too deep": (b"[" * 100_000, "application/json"),
    "a number too long": (b'{"status":{"code":' + b"9" * 6_000 + b"}}", "application/json"),
    "an endless line": (b"A" * 3_000_000, "text/plain"),
}


@pytest.mark.slow
@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_nonsense_is_no_success_on_any_api(both: Any, row: Row) -> None:
    """A 200 that holds no answer is an InvalidResponseError with id, status and a bounded body; a retry mends it."""
    for body, kind in NONSENSE.values():
        peer = both(lambda body=body, kind=kind: answer(body, kind=kind), max_retries=0)
        with pytest.raises(cs.InvalidResponseError) as caught:
            call(peer, row)
        error = caught.value
        assert (error.status_code, error.request_id) == (200, peer.requests[0].headers["x-ncp-clovastudio-request-id"])
        assert len(error.body) <= 500
        assert len(str(error)) <= 500
    peer = both(lambda: answer(b"", kind="text/html"), lambda: answer(right(row)), clock=Clock())
    if row.verb in ONCE:
        with pytest.raises(cs.InvalidResponseError):
            call(peer, row)
    else:
        call(peer, row)
    assert len(peer.requests) == (1 if row.verb in ONCE else 2)


@pytest.mark.slow
@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_cut_anywhere_an_answer_is_no_success(both: Any, row: Row) -> None:
    """An answer that lacks its end, wherever it was cut, is an InvalidResponseError."""
    whole = right(row)
    for cut in [*range(0, len(whole), max(1, len(whole) // 40)), len(whole) - 1]:
        with pytest.raises(cs.InvalidResponseError):
            call(both(lambda cut=cut: answer(whole[:cut]), max_retries=0), row)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["stream_chat", "openai.stream_chat"])
def test_nonsense_instead_of_a_stream_of_any_type(both: Any, verb: str) -> None:
    """Nonsense where a stream was asked for, whatever type it claims, is an InvalidResponseError."""
    for name, (body, _) in NONSENSE.items():
        for kind in ("application/json", "text/event-stream", "text/html", ""):
            with pytest.raises(cs.InvalidResponseError):
                both(lambda body=body, kind=kind: answer(body, kind=kind), max_retries=0).call(verb, MESSAGES)
        # Of OpenAI's chunks any part may be missing, so an empty one is the first that the caller gets.
        empty = verb.startswith("openai") and name == "an object"
        event = b"data:" + body[:5000] + b"\n\n"
        with pytest.raises(cs.StreamInterruptedError if empty else cs.InvalidResponseError):
            both(lambda event=event: sse(event), max_retries=0).call(verb, MESSAGES)


def test_a_stream_is_mended_after_nonsense(both: Any) -> None:
    """A stream that came as nonsense is asked for again, and its text comes once."""
    for body, kind in NONSENSE.values():
        ok = lambda: sse(sample("v3_chat.sse"))  # noqa: E731
        peer = both(lambda body=body, kind=kind: answer(body, kind=kind), ok, clock=Clock())
        chunks, stream = peer.call("stream_chat", MESSAGES)
        assert "".join(chunk.message.content for chunk in chunks) == stream.result().message.content
        assert len(peer.requests) == 2


@pytest.mark.slow
def test_nonsense_with_an_error_status_is_of_its_status(both: Any) -> None:
    """With an error status the class follows that, whatever the body, also nested too deep to be read."""
    for body, kind in NONSENSE.values():
        for status, wanted in ((400, cs.BadRequestError), (429, cs.RateLimitError), (500, cs.ServerError)):
            for verb in ("chat", "stream_chat"):
                peer = both(lambda s=status, b=body, k=kind: answer(b, s, k), max_retries=0)
                with pytest.raises(wanted) as caught:
                    peer.call(verb, MESSAGES)
                assert len(str(caught.value)) <= 500


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    """One emulator for all faults."""
    with serve() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault("html", status=200), Fault("html"), Fault("empty"), Fault("truncate"),
                                   Fault("reset"), Fault("reset_after_headers"), Fault("ok_error", code="50000"),
                                   Fault("status", status=500), Fault("status", code="64429")],
                         ids=lambda fault: f"{fault.kind}{fault.status or fault.code or ''}")  # fmt: skip
@pytest.mark.parametrize("verb", ["chat", "stream_chat", "segment"])
@pytest.mark.parametrize("kind", KINDS)
def test_faults_of_the_emulator_are_typed_and_mended(
    server: EmulatorServer, kind: str, verb: str, fault: Fault
) -> None:
    """Each fault of the emulator, always there, is typed after N + 1 requests, and once, it costs one more request."""
    args = (MESSAGES,) if "chat" in verb else ("첫째 문장입니다. 둘째 문장입니다.",)
    server.reset()
    server.add_fault(fault)
    with pytest.raises((cs.APIConnectionError, cs.ServerError, cs.RateLimitError)) as caught:
        Account(kind, server.base_url, max_retries=1).call(verb, *args)
    assert caught.value.request_id
    assert len(server.requests) == 2
    server.reset()
    server.add_fault(Fault(fault.kind, status=fault.status, code=fault.code, times=1))
    assert Account(kind, server.base_url).call(verb, *args) is not None
    assert len(server.requests) == 2
