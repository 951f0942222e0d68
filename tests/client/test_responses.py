# mypy: disable-error-code="attr-defined"
"""Answers become results or the right error, whatever arrives."""

from __future__ import annotations

import pickle

import httpx
import pytest
from client_support import KEY, MESSAGES, OK, answer, envelope, sample

import clova_studio as cs

ERRORS = [
    (400, "40000", "Bad request", cs.BadRequestError),
    (400, "40001", "Invalid parameter: tools, maxTokens", cs.BadRequestError),
    (400, "40003", "Context length exceeded", cs.ContextLengthError),
    (400, "40003", "Text too long", cs.ContextLengthError),
    (400, "40003", "Image limit exceeded", cs.BadRequestError),
    (400, "40009", "Unsupported function", cs.UnsupportedFunctionError),
    (400, "40009", "Unsupported input format", cs.BadRequestError),
    (400, "40055", "Invalid response format schema", cs.BadRequestError),
    (400, "40063", "Invalid image url", cs.BadRequestError),
    (400, "40080", "Model not found", cs.NotFoundError),
    (400, "40082", "Model fade out", cs.NotFoundError),
    (400, "40084", "Unsupported API for model", cs.NotFoundError),
    (401, "40100", "Unauthorized", cs.AuthenticationError),
    (401, "40104", "Invalid Key", cs.AuthenticationError),
    (403, "40300", "Forbidden", cs.PermissionDeniedError),
    (404, "40400", "Not found", cs.NotFoundError),
    (408, "40800", "Request timeout", cs.APIStatusError),
    (413, "41300", "Request body size exceeded", cs.BadRequestError),
    (429, "42901", "Too many requests - rate exceeded", cs.RateLimitError),
    (429, "42902", "Too many requests - overloaded", cs.RateLimitError),
    (500, "50000", "Internal server error", cs.ServerError),
    (501, "50100", "Not yet implemented", cs.ServerError),
    (504, "50400", "Gateway timeout", cs.ServerError),
    (400, "61004", "Invalid action input", cs.BadRequestError),
    (400, "64400", "too many tokens", cs.ContextLengthError),
    (400, "65400", "too many tokens", cs.ContextLengthError),
    (429, "64429", "too many requests", cs.RateLimitError),
    (500, "64000", "Model unavailable", cs.ServerError),
    (500, "65002", "Response parsing failed", cs.ServerError),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), ERRORS, ids=[f"{c}-{m}" for _, c, m, _ in ERRORS])
def test_code_decides_the_class(both, status: int, code: str, message: str, kind: type) -> None:
    """Each code is exactly its class, with the HTTP status or inside a 200, with all facts on it."""
    for http in (status, 200):
        peer = both(lambda http=http: answer(envelope(code, message), http), max_retries=0)
        with pytest.raises(cs.ClovaStudioError) as caught:
            peer.call("chat", MESSAGES, request_id="id-1")
        error = caught.value
        assert type(error) is kind
        assert (error.status_code, error.code, error.message, error.request_id) == (http, code, message, "id-1")
        assert error.body["status"]["code"] == code
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_an_error_code_goes_before_a_result(both) -> None:
    """A 200 whose code is an error is one even if it carries a result as well."""
    body = sample("v3_chat.json").replace(b'"20000","message":"OK"', b'"50000","message":"oops"')
    with pytest.raises(cs.ServerError, match="oops"):
        both(lambda: answer(body), max_retries=0).call("chat", MESSAGES)


def test_openai_shape_and_integer_codes_are_read(both) -> None:
    """Both error shapes and a code sent as a number are understood."""
    for body in (
        b'{"error":{"message":"Too many requests","type":null,"param":null,"code":"42901"}}',
        b'{"status":{"code":42901,"message":"Too many requests"}}',
    ):
        with pytest.raises(cs.RateLimitError) as caught:
            both(lambda body=body: answer(body, 429), max_retries=0).call("chat", MESSAGES)
        assert caught.value.code == "42901"


@pytest.mark.parametrize(
    "response",
    [
        lambda: answer(b"<html><body>OK</body></html>", kind="text/html"),
        lambda: answer(sample("v3_chat.json")[:-20]),
        lambda: answer(b""),
        lambda: answer(b'{"hello":"world"}'),
        lambda: answer(OK + b"{}}"),
        lambda: answer(OK + b"null}"),
        lambda: answer(b'{"status":{"code":"20000","message":"OK"}}'),
    ],
    ids=["html", "truncated", "empty", "no envelope", "empty result", "null result", "no result"],
)
def test_a_200_without_an_answer_is_never_a_success(both, response) -> None:
    """HTML, truncated JSON, no envelope and a missing result are InvalidResponseErrors with request id and status."""
    with pytest.raises(cs.InvalidResponseError) as caught:
        both(response, max_retries=0).call("chat", MESSAGES, request_id="id-2")
    assert (caught.value.request_id, caught.value.status_code) == ("id-2", 200)


def test_html_of_a_gateway_is_classified_by_its_status(both) -> None:
    """A gateway's HTML with an error status is the error of that status, with a bounded body."""
    for status, kind in ((503, cs.ServerError), (404, cs.NotFoundError), (429, cs.RateLimitError)):
        with pytest.raises(kind) as caught:
            both(lambda s=status: answer(b"<html>" + b"x" * 9000, s, "text/html"), max_retries=0).call("chat", MESSAGES)
        assert caught.value.code is None
        assert len(caught.value.body) == 500


def test_no_content_is_a_success_without_content(both) -> None:
    """Code 20400 gives an empty answer for chat, and an error where a result cannot be empty."""
    for response in (
        lambda: answer(b'{"status":{"code":"20400","message":"No content"}}'),
        lambda: answer(b'{"status":{"code":"20400","message":"No content"},"result":null}'),
        lambda: answer(b"", 204),
    ):
        assert both(response).call("chat", MESSAGES).message.content == ""
        with pytest.raises(cs.InvalidResponseError):
            both(response, max_retries=0).call("embed", "글")


def test_unknown_fields_are_kept(both) -> None:
    """Fields that this version does not know stay on the result, at every level."""
    body = OK + b'{"message":{"role":"assistant","content":"a","mood":"calm"},"newField":{"x":1}}}'
    result = both(lambda: answer(body)).call("chat", MESSAGES)
    assert result.model_extra == {"newField": {"x": 1}}
    assert result.message.model_extra == {"mood": "calm"}


def test_created_is_seconds_whatever_the_service_sends(both) -> None:
    """Seconds and milliseconds both arrive as seconds."""
    for sent in (1744703673, 1744703673905):
        body = OK + b'{"message":{"role":"assistant","content":"a"},"created":%d}}' % sent
        assert both(lambda body=body: answer(body)).call("chat", MESSAGES).created == 1744703673


def test_ai_filter_missing_null_or_empty_is_no_finding(both) -> None:
    """The AI filter's three ways of having nothing to say are all falsy; scores are strings."""
    for part in (b"", b',"aiFilter":null', b',"aiFilter":[]'):
        body = OK + b'{"message":{"role":"assistant","content":"a"}' + part + b"}}"
        assert not both(lambda body=body: answer(body)).call("chat", MESSAGES).ai_filter
    result = both(lambda: answer(sample("v3_chat.json"))).call("chat", MESSAGES)
    assert (result.ai_filter[0].group_name, result.ai_filter[0].score) == ("curse", "2")


def test_v1_speaks_the_words_of_v3_too(both) -> None:
    """v1's stop reason and lengths are on the result as sent, and as finish_reason and usage."""
    result = both(lambda: answer(sample("v1_chat.json"))).call("chat", MESSAGES, model="HCX-003")
    assert (result.stop_reason, result.finish_reason) == ("stop_before", "stop")
    assert (result.input_length, result.output_length) == (89, 7)
    assert (result.usage.prompt_tokens, result.usage.completion_tokens, result.usage.total_tokens) == (89, 7, 96)
    upper = sample("v1_chat.json").replace(b"stop_before", b"LENGTH")
    assert both(lambda: answer(upper)).call("chat", MESSAGES, model="HCX-003").finish_reason == "length"


def test_results_carry_rate_limit_headers(both) -> None:
    """The x-ratelimit headers are numbers on the result; negative and fractional resets are read."""
    headers = {
        "x_ratelimit_limit_requests": "60",
        "x_ratelimit_remaining_tokens": "0",
        "x_ratelimit_reset_tokens": "-2s",
        "x_ratelimit_reset_requests": "600ms",
    }
    limit = both(lambda: answer(sample("v3_chat.json"), **headers)).call("chat", MESSAGES).rate_limit
    assert (limit.limit_requests, limit.remaining_tokens, limit.reset_tokens, limit.reset_requests) == (
        60,
        0,
        -2.0,
        0.6,
    )
    assert both(lambda: answer(sample("v3_chat.json"))).call("chat", MESSAGES).rate_limit is None


def test_transport_failures_hold_no_request(both) -> None:
    """Connection and time-out errors are ours, keep the original as cause, and neither holds the request or the key."""
    for raised, kind in (
        (httpx.ConnectError("refused"), cs.APIConnectionError),
        (httpx.ReadTimeout("slow"), cs.APITimeoutError),
        (httpx.RemoteProtocolError("peer closed"), cs.APIConnectionError),
    ):
        with pytest.raises(kind) as caught:
            both(raised, max_retries=0).call("chat", MESSAGES, request_id="id-3")
        assert caught.value.request_id == "id-3"
        cause = caught.value.__cause__
        assert isinstance(cause, httpx.TransportError)
        assert getattr(cause, "_request", None) is None
        assert KEY not in repr(vars(caught.value)) + repr(vars(cause)) + str(caught.value)


def test_token_counts_of_every_recorded_shape(both) -> None:
    """Content echoed as a string, an object or an array is counted; tools and format add to the total."""
    v1 = OK + b'{"messages":[{"role":"system","content":"a","count":11},{"role":"user","content":"b","count":7}]}}'
    count = both(lambda: answer(v1)).call("count_chat_tokens", MESSAGES, model="HCX-003")
    assert (count.total, [m.count for m in count.messages]) == (18, [11, 7])
    v3 = OK + (
        b'{"messages":[{"role":"system","content":{"type":"text","text":"a","count":14}},{"role":"user","content":['
        b'{"type":"image_url","imageUrl":{"url":"https://x/a.png"},"count":1478},{"type":"text","text":"b","count":9}]}],'
        b'"tools":{"count":118},"responseFormat":{"count":86}}}'
    )
    count = both(lambda: answer(v3)).call("count_chat_tokens", MESSAGES)
    assert (count.total, count.tools, count.response_format) == (1705, 118, 86)
    assert [part.count for part in count.messages[1].parts] == [1478, 9]
