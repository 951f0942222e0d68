"""Calls that are not idempotent: sent again only where the service surely did not begin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from api_table import TABLE
from client_support import OK, Clock, answer, envelope, sse
from fault_support import KINDS, Account, RawServer, head

import clova_studio as cs

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = {row.verb: row for row in TABLE if row.verb in {"tuning.create", "run_skillset"}}
CREATE, RUN = ROWS["tuning.create"], ROWS["run_skillset"]
CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "tuning.create": (CREATE.args, CREATE.kwargs),
    "run_skillset": (RUN.args, RUN.kwargs),
    "stream_skillset": (RUN.args, RUN.kwargs),
}
PLANNED = b'event:planning\ndata:{"selectedSkill":[]}\n\n'
FINAL = b'event:finalAnswer\ndata:{"finalAnswer":"a"}\n\n'
HOW_TO_LOOK = {"tuning.create": "tuning.list", "run_skillset": "APIs", "stream_skillset": "APIs"}

# What may come after the work was begun, or done.
BEGUN: dict[str, Callable[[], httpx.Response] | Exception] = {
    "500": lambda: answer(envelope("50000", "down"), 500),
    "500 without a code": lambda: answer(b"down", 500, "text/plain"),
    "502": lambda: answer(b"<html>bad gateway</html>", 502, "text/html"),
    "503": lambda: answer(b"", 503),
    "504 page": lambda: answer(b"<html>gateway timeout</html>", 504, "text/html"),
    "504": lambda: answer(envelope("50400", "Gateway timeout"), 504),
    "408": lambda: answer(envelope("40800", "Request timeout"), 408),
    "408 without a code": lambda: answer(b"", 408),
    "50400 in a 200": lambda: answer(envelope("50400", "Gateway timeout")),
    "64000 in a 200": lambda: answer(envelope("64000", "Model unavailable")),
    "cut": lambda: answer(OK + b'{"id":'),
    "HTML in a 200": lambda: answer(b"<html>", kind="text/html"),
    "read timeout": httpx.ReadTimeout("slow"),
    "write timeout": httpx.WriteTimeout("slow"),
    "write error": httpx.WriteError("reset"),
    "read error": httpx.ReadError("reset"),
    "protocol error": httpx.RemoteProtocolError("Server disconnected without sending a response."),
    "broken encoding": httpx.DecodingError("Error -3 while decompressing data"),
}
# What surely comes before.
NOT_BEGUN: dict[str, Callable[[], httpx.Response] | Exception] = {
    **{code: lambda code=code: answer(envelope(code, "busy"), 429) for code in ("42900", "42901", "42902", "42903")},
    "64429": lambda: answer(envelope("64429", "too many requests"), 429),
    "429 without a code": lambda: answer(b"slow down", 429, "text/plain"),
    "42901 in a 200": lambda: answer(envelope("42901", "busy")),
    "connect error": httpx.ConnectError("refused"),
    "connect timeout": httpx.ConnectTimeout("slow"),
    "pool timeout": httpx.PoolTimeout("full"),
    "proxy": httpx.ProxyError("407 Proxy Authentication Required"),
}


def ok(verb: str) -> httpx.Response:
    """Return the answer that a verb waits for."""
    if verb == "stream_skillset":
        return sse(PLANNED + FINAL)
    result = json.dumps(ROWS[verb].result).encode()
    return answer(OK + result + b"}")


@pytest.mark.parametrize("verb", CALLS)
def test_what_may_have_begun_is_sent_once(both: Any, verb: str) -> None:
    """After a failure that leaves the work in doubt there is one request, and the error says so and how to look."""
    args, kwargs = CALLS[verb]
    for name, failure in BEGUN.items():
        peer = both(failure, lambda: ok(verb), clock=Clock(), max_wait=None)
        with pytest.raises((cs.APIConnectionError, cs.APIStatusError)) as caught:
            peer.call(verb, *args, **kwargs)
        assert len(peer.requests) == 1, name
        assert "not sent again" in str(caught.value), name
        assert HOW_TO_LOOK[verb] in str(caught.value), name


@pytest.mark.parametrize("verb", CALLS)
def test_what_has_not_begun_is_sent_again(both: Any, verb: str) -> None:
    """After a refusal for the quota, and where no connection was made, the call is sent again and succeeds."""
    args, kwargs = CALLS[verb]
    for name, failure in NOT_BEGUN.items():
        peer = both(failure, lambda: ok(verb), clock=Clock(), max_wait=None)
        peer.call(verb, *args, **kwargs)
        assert len(peer.requests) == 2, name
        peer = both(failure, clock=Clock(), max_wait=None, max_retries=1)
        with pytest.raises((cs.APIConnectionError, cs.RateLimitError)) as caught:
            peer.call(verb, *args, **kwargs)
        assert "not sent again" not in str(caught.value), name


@pytest.mark.parametrize("verb", CALLS)
def test_a_wrong_request_leaves_no_doubt(both: Any, verb: str) -> None:
    """A request that the service refuses as it is has done nothing, and its error says nothing of the kind."""
    args, kwargs = CALLS[verb]
    for status, code in ((400, "40000"), (401, "40104"), (403, "40300"), (404, "40400"), (501, "50100")):
        peer = both(lambda status=status, code=code: answer(envelope(code, "no"), status))
        with pytest.raises(cs.APIStatusError) as caught:
            peer.call(verb, *args, **kwargs)
        assert len(peer.requests) == 1
        assert "not sent again" not in str(caught.value)


def test_a_skillset_stream_that_breaks_before_its_first_event_is_sent_once(both: Any) -> None:
    """A stream that began without a chunk may have begun its work, too."""
    for body, error in (
        (b"", None),
        (b":\n\n", httpx.ReadError("reset")),
        (b"id:1\n", httpx.ReadTimeout("slow")),
        (b'event:error\ndata:{"status":{"code":"64000","message":"Model unavailable"}}\n\n', None),
        (b"event:token\ndata:{\n\n", None),
    ):
        peer = both(lambda body=body, error=error: sse([body], error=error), lambda: ok("stream_skillset"))
        with pytest.raises((cs.APIConnectionError, cs.ServerError), match="not sent again"):
            peer.call("stream_skillset", *RUN.args)
        assert len(peer.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_over_a_real_connection_a_lost_answer_is_asked_for_once(kind: str, verb: str) -> None:
    """A server that takes the request and then is silent, resets, or cuts its answer gets it once."""
    args, kwargs = CALLS[verb]
    for turn in (
        lambda line: line.hold(),
        lambda line: line.close(reset=True),
        lambda line: line.close(),
        lambda line: (line.send(head(content_length="100") + b'{"status":'), line.close()),
    ):
        with RawServer(turn) as server:
            account = Account(kind, server.base_url, timeout=cs.Timeouts(read=0.2, stream=0.2))
            with pytest.raises(cs.APIConnectionError, match="not sent again"):
                account.call(verb, *args, **kwargs)
            assert len(server.requests) == 1


@pytest.mark.parametrize("failure", ["500", "504 page", "read timeout", "cut"])
def test_a_deletion_that_meets_nothing_on_a_retry_is_done(both: Any, failure: str) -> None:
    """A deletion can be repeated: "not found" after an attempt of unknown end means that it is done."""
    gone = lambda: answer(envelope("40400", "Not found"), 404)  # noqa: E731
    peer = both(BEGUN[failure], gone, clock=Clock())
    assert peer.call("tuning.delete", "k3m9x2qa") is None
    assert len(peer.requests) == 2
    with pytest.raises(cs.NotFoundError):
        both(gone).call("tuning.delete", "k3m9x2qa")
