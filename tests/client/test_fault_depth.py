"""Depth and size of what is answered: no recursion error, and no error that is as large as its answer."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from api_tools import SEARCH
from client_support import MESSAGES, OK, answer, sse

import clova_studio as cs

# At 500 levels Python's parser still works and what writes the value again does not.
DEEP = [
    *(opening * levels for levels in (500, 100_000) for opening in ("[", '{"a":')),
    *('{"a":' + "[" * levels + "]" * levels + "}" for levels in (250, 500, 900, 100_000)),
    '{"a":' * 250 + "1" + "}" * 250,
]
IDS = [f"{text[:6]}{len(text)}" for text in DEEP]
LARGE = 5_000_000


def call(arguments: Any, **more: Any) -> dict[str, Any]:
    """Return a message with one tool call."""
    function = {"name": "f", "arguments": arguments, **more}
    return {
        "role": "assistant",
        "content": "",
        "toolCalls": [{"id": "call_1", "type": "function", "function": function}],
    }


def use(result: Any) -> None:
    """Do with a result what callers do."""
    assert result == result.model_copy()
    pickle.loads(pickle.dumps(result))  # noqa: S301  our own
    result.model_dump_json()
    repr(result)


@pytest.mark.slow
@pytest.mark.parametrize("text", DEEP, ids=IDS)
def test_deep_arguments_of_a_whole_answer(both: Any, text: str) -> None:
    """Tool arguments nested too deep make an answer that cannot be read; as text, an invalid call that keeps it."""
    as_text = OK + json.dumps({"message": call(text)}).encode() + b"}"
    as_json = OK + b'{"message":' + json.dumps(call("HERE")).encode().replace(b'"HERE"', text.encode()) + b"}}"
    for verb in ("chat", "reason", "stream_chat"):
        more = {"tools": [SEARCH]} if verb == "reason" else {}
        result = both(lambda: answer(as_text), max_retries=0).call(verb, MESSAGES, **more)
        message = (result if verb != "stream_chat" else result[1].result()).message
        assert message.tool_calls is None
        assert [c.function.partial_json for c in message.invalid_tool_calls] == [text]
        use(message)
        with pytest.raises(cs.InvalidResponseError):
            both(lambda: answer(as_json), max_retries=0).call(verb, MESSAGES, **more)


@pytest.mark.parametrize("text", DEEP, ids=IDS)
def test_deep_arguments_of_a_stream(both: Any, text: str) -> None:
    """In a stream they are text, whichever event brings them; ``partial`` keeps it."""
    data = json.dumps({"message": call(text)}).encode()
    chunks, stream = both(lambda: sse(b"event:result\ndata:%b\n\n" % data)).call("stream_chat", MESSAGES)
    for message in (chunks[-1].message, stream.result().message):
        assert [c.function.partial_json for c in message.invalid_tool_calls] == [text]
    with pytest.raises(cs.StreamInterruptedError) as caught:
        both(lambda: sse(b"event:token\ndata:%b\n\n" % data)).call("stream_chat", MESSAGES)
    assert caught.value.partial.message.invalid_tool_calls[0].function.partial_json == text
    half = len(text) // 2
    tokens = b""
    for part in (text[:half], text[half:]):
        message = call({}, partialJson=part)
        if tokens:
            del message["toolCalls"][0]["id"]
        tokens += b"event:token\ndata:%b\n\n" % json.dumps({"message": message}).encode()
    with pytest.raises(cs.StreamInterruptedError) as caught:
        both(lambda: sse(tokens)).call("stream_chat", MESSAGES)
    function = caught.value.partial.message.invalid_tool_calls[0].function
    assert (function.partial_json, function.arguments) == (text, {})
    use(caught.value.partial)


@pytest.mark.parametrize("text", DEEP, ids=IDS)
def test_deep_arguments_of_the_openai_api(both: Any, text: str) -> None:
    """There they are text: the answer comes, and parsing the text is a ValueError as for any that is not an object."""
    message = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": text}}]}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()
    chunk = json.dumps({"choices": [{"delta": message, "finish_reason": "tool_calls"}]}).encode()
    whole = both(lambda: answer(body)).call("openai.chat", MESSAGES)
    _, stream = both(lambda: sse(b"data:" + chunk + b"\n\ndata:[DONE]\n\n")).call("openai.stream_chat", MESSAGES)
    for result in (whole, stream.result()):
        function = result.message.tool_calls[0].function
        assert function.arguments == text
        with pytest.raises(ValueError, match=r"JSON|Expecting") as caught:
            function.parsed()
        assert len(str(caught.value)) < 1_000
        use(result)


@pytest.mark.parametrize("text", DEEP, ids=IDS)
def test_deep_arguments_of_the_caller(both: Any, text: str) -> None:
    """Sent back in a history, they are refused before anything is sent."""
    history = [*MESSAGES, call(text), {"role": "tool", "tool_call_id": "call_1", "content": "x"}]
    history[1]["tool_calls"] = history[1].pop("toolCalls")
    peer = both(lambda: answer(b""))
    with pytest.raises(cs.ConfigurationError, match="arguments"):
        peer.call("chat", history)
    assert not peer.requests


def test_arguments_of_some_depth_are_read(both: Any) -> None:
    """What is nested as no schema is, 150 levels, and has many brackets, is still read."""
    for value in ({"a": [[]] * 1_000}, json.loads('{"a":' * 150 + "1" + "}" * 150)):
        body = OK + json.dumps({"message": call(json.dumps(value))}).encode() + b"}"
        result = both(lambda body=body: answer(body)).call("chat", MESSAGES)
        assert result.message.tool_calls[0].function.arguments == value
        use(result)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["chat", "stream_chat", "openai.chat"])
def test_a_large_error_is_small(both: Any, verb: str) -> None:
    """Of an error message of 5 MB 2,000 characters show, and of its body 500 are kept, pickled too."""
    text = "x" * LARGE
    native = json.dumps({"status": {"code": "40000", "message": text}, "result": None}).encode()
    openai = json.dumps({"error": {"code": "40000", "message": text}}).encode()
    body = openai if verb.startswith("openai") else native
    for status in (200, 400, 401, 503):
        with pytest.raises(cs.APIStatusError) as caught:
            both(lambda status=status: answer(body, status), max_retries=0).call(verb, MESSAGES)
        assert caught.value.message.startswith("x" * 2_000 + "...")
        assert len(str(caught.value)) < 2_500
        assert len(pickle.dumps(caught.value)) < 10_000


@pytest.mark.slow
@pytest.mark.parametrize("token", [b"", b'event:token\ndata:{"message":{"content":"a"}}\n\n'], ids=["before", "after"])
def test_a_large_error_event_is_small(both: Any, token: bytes) -> None:
    """The same for an error event, before and after the first token."""
    envelope = json.dumps({"status": {"code": "64000", "message": "x" * LARGE}}).encode()
    with pytest.raises((cs.ServerError, cs.StreamInterruptedError)) as caught:
        both(lambda: sse(token + b"event:error\ndata:" + envelope + b"\n\n"), max_retries=0).call(
            "stream_chat", MESSAGES
        )
    assert len(str(caught.value)) < 2_500
    assert (caught.value.partial is not None) == bool(token)
    assert len(pickle.dumps(caught.value)) < 20_000


def test_a_body_is_kept_as_far_as_it_is_small(both: Any) -> None:
    """A body of ordinary size and depth is kept as parsed JSON, another by its first 500 characters."""
    small = {"status": {"code": "40000", "message": "no"}, "result": {"a": list(range(100))}}
    deep = {**small, "result": json.loads('{"a":' * 100 + "1" + "}" * 100)}
    wide = {**small, "result": list(range(10_000))}
    for body, kept in ((small, True), (deep, False), (wide, False)):
        sent = json.dumps(body).encode()
        with pytest.raises(cs.BadRequestError) as caught:
            both(lambda sent=sent: answer(sent, 400)).call("chat", MESSAGES)
        assert caught.value.body == (body if kept else sent.decode()[:500])
        pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own


@pytest.mark.slow
def test_other_large_texts_of_an_answer_show_small(both: Any) -> None:
    """A content type, a code and a failed task's reason of any length show in an error of bounded length."""
    for made in (
        lambda: answer(b"x", kind="text/" + "x" * 80_000),
        lambda: answer(json.dumps({"status": {"code": "4" * LARGE, "message": "no"}}).encode(), 400),
    ):
        with pytest.raises(cs.ClovaStudioError) as caught:
            both(made, max_retries=0).call("chat", MESSAGES)
        assert len(str(caught.value)) < 600
    failed = {"id": "a", "status": "FAILED", "statusInfo": {"failureReason": "r", "message": "x" * LARGE}}
    with pytest.raises(cs.TuningTaskError) as caught:
        both(lambda: answer(OK + json.dumps(failed).encode() + b"}")).call("tuning.wait", "a")
    assert len(str(caught.value)) < 2_500
