"""Vectors that are none: each is an error with the index of its text, and none reaches an index."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from client_support import KEY, OK, Both, Clock, answer, embedded, vector

import clova_studio as cs
from clova_studio._requests.text import embed
from clova_studio._requests.vectors import VectorCheck
from clova_studio._responses import parse_response

REST = b",0.5" * 1023
BAD = {
    "NaN": b"[NaN" + REST + b"]",
    "NaN at the end": b"[0.5" + REST[4:] + b",NaN]",
    "Infinity": b"[Infinity" + REST + b"]",
    "-Infinity": b"[-Infinity" + REST + b"]",
    "1e999": b"[1e999" + REST + b"]",
    "-1e999": b"[-1e999" + REST + b"]",
    "400 digits": b"[" + b"9" * 400 + REST + b"]",
    "null": b"[null" + REST + b"]",
    "text": b'["0.5"' + REST + b"]",
    "NaN as text": b'["NaN"' + REST + b"]",
    "true": b"[true" + REST + b"]",
    "a list": b"[[0.5]" + REST + b"]",
    "nothing": b"[]",
    "no list": b"null",
    "an object": b'{"0":0.5}',
    "base64": b'"AAAAPwAAAD8="',
    "one short": b"[" + REST[1:] + b"]",
    "one more": b"[0.5,0.5" + REST + b"]",
}
MODELS = ["bge-m3", "clir-emb-dolphin", "clir-sts-dolphin"]


def native(numbers: bytes) -> bytes:
    """Return the answer of the embedding APIs."""
    return OK + b'{"embedding":' + numbers + b',"inputTokens":3}}'


def openai(numbers: bytes) -> bytes:
    """Return the answer of the OpenAI-compatible API."""
    return b'{"data":[{"index":0,"embedding":' + numbers + b'}],"usage":{"prompt_tokens":3}}'


@pytest.mark.parametrize("numbers", BAD.values(), ids=BAD)
@pytest.mark.parametrize(("verb", "body"), [("embed", native), ("openai.embed", openai)])
def test_what_is_no_vector_is_an_invalid_response(both: Any, verb: str, body: Any, numbers: bytes) -> None:
    """It is an InvalidResponseError with the request id, and a retry mends it."""
    for model in MODELS:
        with pytest.raises(cs.InvalidResponseError) as caught:
            both(lambda: answer(body(numbers)), max_retries=0).call(verb, "글", model=model)
        assert caught.value.request_id
        assert len(str(caught.value)) < 500
    good = json.dumps(vector()).encode()
    peer = both(lambda: answer(body(numbers)), lambda: answer(body(good)), clock=Clock())
    assert peer.call(verb, "글").embedding == vector()
    assert len(peer.requests) == 2


def test_whole_numbers_are_numbers(both: Any) -> None:
    """A vector of whole numbers, large and small ones, is a vector of floats."""
    numbers = [1, -2, 0, 10**20, 1e308, 5e-324, *vector()[6:]]
    result = both(lambda: answer(native(json.dumps(numbers).encode()))).call("embed", "글")
    assert result.embedding == [float(number) for number in numbers]
    assert all(type(number) is float for number in result.embedding)


def responder(numbers: bytes) -> Any:
    """Return what answers texts with vectors, and the one text "bad" wrongly."""

    def respond(request: httpx.Request) -> httpx.Response:
        bad = json.loads(request.content)["text"] == "bad"
        return answer(native(numbers) if bad else embedded())

    return respond


@pytest.mark.parametrize("numbers", BAD.values(), ids=BAD)
def test_a_batch_names_the_text(both: Any, numbers: bytes) -> None:
    """In a batch the error has the index of the text; with on_error="return" the other vectors are there."""
    texts = ["a", "b", "bad", "d"]
    peer: Both = both(max_retries=0)
    peer.wire = responder(numbers)
    results = peer.call("embed_many", texts, on_error="return", max_concurrency=1)
    assert isinstance(results[2], cs.InvalidResponseError)
    assert [result.embedding for i, result in enumerate(results) if i != 2] == [vector()] * 3
    with pytest.raises(cs.InvalidResponseError, match=r"texts\[2\]") as caught:
        peer.call("embed_many", texts, max_concurrency=1)
    assert [result.embedding for result in caught.value.partial[:2]] == [vector()] * 2


def test_an_unknown_model_has_any_length(both: Any) -> None:
    """Of a model that is not known any length is a vector, alone."""
    for length in (1, 256, 4096):
        numbers = json.dumps([0.5] * length).encode()
        assert len(both(lambda n=numbers: answer(native(n))).call("embed", "글", model="new-emb").embedding) == length
        result = both(lambda n=numbers: answer(openai(n))).call("openai.embed", "글", model="new-emb")
        assert len(result.embedding) == length
    with pytest.raises(cs.InvalidResponseError):
        both(lambda: answer(native(b"[]")), max_retries=0).call("embed", "글", model="new-emb")


def test_calls_of_a_batch_of_an_unknown_model_share_a_length() -> None:
    """Calls that share a check have vectors of the length of the first one that came."""
    check = VectorCheck("new-emb")
    lengths = []
    for length in (3, 3, 4, 3):
        call = embed("글", model="new-emb", check=check)
        body = native(json.dumps([0.5] * length).encode())
        try:
            lengths.append(len(parse_response(200, {}, body, call).embedding))
        except cs.InvalidResponseError as error:
            lengths.append(error)
    assert (lengths[0], lengths[1], lengths[3]) == (3, 3, 3)
    assert "4 numbers, those of new-emb have 3" in str(lengths[2])


def test_vectors_of_one_openai_answer_have_one_length() -> None:
    """Of several vectors in one answer none is of another length."""
    body = b'{"data":[{"embedding":[0.5]},{"embedding":[0.5,0.5]}]}'
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answer(body)))
    with pytest.raises(cs.InvalidResponseError, match="2 numbers"):
        cs.ClovaStudio(KEY, http_client=http, max_retries=0).openai.embed("글", model="new-emb")
