"""Whatever comes back, the client gives a result or one of its typed errors."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from api_table import TABLE
from client_support import Both, answer, bytewise, sample, sse
from hypothesis import given, settings
from hypothesis import strategies as st

from clova_studio import ClovaStudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SAMPLES = ("v3_chat", "v3_tools", "v3_thinking", "v1_chat")
FUZZ = settings(max_examples=150, deadline=None, derandomize=True)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of a JSON value."""
    places = [path]
    if isinstance(value, dict):
        places += [place for key in value for place in leaves(value[key], (*path, key))]
    elif isinstance(value, list):
        places += [place for i in range(min(len(value), 3)) for place in leaves(value[i], (*path, i))]
    return places


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a JSON value with one place replaced."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


def ask(row: Any, response: Any) -> None:
    """Call a verb over an answer: a result or a typed error, nothing else."""
    peer = Both("sync", response, max_retries=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            result = peer.call(row.verb, *row.args, **row.kwargs)
        except ClovaStudioError as error:
            assert error.request_id  # noqa: PT017  a typed error is one of the two right outcomes
        else:
            assert result is not None or row.verb == "tuning.delete"


ODD = (None, True, -1, 1.5, 1e400, "x", "", [], {}, [1], [None], {"a": 1}, {"count": "x"}, {"code": {}})


def whole_answer(row: Any) -> Any:
    """Return the whole answer of a row, as JSON."""
    return row.result if row.openai else {"status": {"code": "20000", "message": "OK"}, "result": row.result}


def new_places() -> Iterator[Any]:
    """Yield each row with its places that no row before it has, of the same verb and version."""
    seen: set[Any] = set()
    for row in TABLE:
        places = {(row.verb, row.path.split("/")[1], place): place for place in leaves(whole_answer(row))}
        new = [place for key, place in places.items() if key not in seen]
        seen.update(places)
        if new:
            yield pytest.param(row, new, id=row.name)


@pytest.mark.slow
@pytest.mark.parametrize(("row", "places"), list(new_places()))
def test_answers_with_each_field_odd(row: Any, places: list[Any]) -> None:
    """An answer of any API with each of its parts replaced by each odd value is a result or a typed error."""
    whole = whole_answer(row)
    for place in places:
        for odd in ODD:
            body = json.dumps(replaced(whole, place, odd)).encode()
            ask(row, lambda body=body: answer(body))


@pytest.mark.slow
@FUZZ
@given(st.sampled_from(TABLE), st.data())
def test_answers_with_any_field_changed(row: Any, data: st.DataObject) -> None:
    """An answer of any API with any part of it replaced by anything is a result or a typed error."""
    whole = whole_answer(row)
    place = data.draw(st.sampled_from(leaves(whole)))
    body = json.dumps(replaced(whole, place, data.draw(JSON))).encode()
    ask(row, lambda: answer(body, data.draw(st.sampled_from([200, 200, 200, 201, 204, 400, 429, 500, 503]))))


@pytest.mark.slow
@FUZZ
@given(st.sampled_from(TABLE), st.binary(max_size=60), st.sampled_from([200, 204, 302, 400, 404, 500, 599]))
def test_answers_of_any_bytes(row: Any, body: bytes, status: int) -> None:
    """Any bytes with any status and type are a typed error."""
    ask(row, lambda: answer(body, status, kind="application/octet-stream"))


def read(body: bytes) -> None:
    """Read a stream: chunks and a result whose text they make, or a typed error that keeps what had arrived."""
    peer = Both("sync", lambda: sse(bytewise(body)), max_retries=0)
    try:
        chunks, stream = peer.call("stream_chat", [{"role": "user", "content": "질문"}])
    except ClovaStudioError as error:
        assert error.request_id  # noqa: PT017
    else:
        assert stream.result() is not None
        assert chunks


@pytest.mark.slow
@FUZZ
@given(st.sampled_from(SAMPLES), st.data())
def test_streams_shuffled_and_cut(name: str, data: st.DataObject) -> None:
    """A stream whose events are reordered, repeated, dropped or cut is read or refused, never anything else."""
    frames = sample(f"{name}.sse").split(b"\n\n")[:-1]
    picked = data.draw(st.lists(st.sampled_from(frames), max_size=8))
    body = b"\n\n".join(picked) + b"\n\n"
    read(body[: data.draw(st.integers(0, len(body)))])


@pytest.mark.slow
@FUZZ
@given(st.lists(st.tuples(st.sampled_from(["token", "result", "error", "signal", "x", ""]), JSON), max_size=5))
def test_streams_of_any_data(events: list[tuple[str, Any]]) -> None:
    """Events with any data are read or refused."""
    read("".join(f"event:{name}\ndata:{json.dumps(value)}\n\n" for name, value in events).encode())


@FUZZ
@given(st.binary(max_size=80))
def test_streams_of_any_bytes(body: bytes) -> None:
    """Any bytes as a stream are refused."""
    read(body)


@FUZZ
@given(st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset-tokens", "x-ratelimit-limit-requests"]),
                       st.text("0123456789.smh-+e ,:GMT", max_size=12)))  # fmt: skip
def test_headers_of_any_text(headers: dict[str, str]) -> None:
    """Rate-limit headers with any text never break an answer."""
    body = sample("v3_chat.json")
    peer = Both(
        "sync", lambda: httpx.Response(200, headers={"content-type": "application/json", **headers}, content=body)
    )
    assert peer.call("chat", [{"role": "user", "content": "질문"}]).finish_reason == "stop"
