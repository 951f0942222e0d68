"""Tool calls of streams of the OpenAI-compatible API: each comes once, whole, however its fragments are named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from client_support import MESSAGES, bytewise, sse, whole
from openai_stream_calls import CHUNKS, body_of, delta, piece

import clova_studio as cs


@pytest.mark.parametrize("feed", [whole, bytewise])
@pytest.mark.parametrize("name", CHUNKS)
def test_calls_come_whole(both: Any, name: str, feed: Any) -> None:
    """Added up by index, the chunks have each call once, whole, and are the result."""
    sent, expected = CHUNKS[name]
    chunks, stream = both(lambda: sse(feed(body_of(sent)))).call("openai.stream_chat", MESSAGES)
    added: dict[int, list[Any]] = {}
    for call in [call for chunk in chunks for call in chunk.delta.tool_calls or ()]:
        known = added.setdefault(call.index, [None, "", ""])
        known[0] = call.id or known[0]
        known[1] += call.function.name or ""
        known[2] += call.function.arguments
    result = stream.result().message
    assert [(call_id, name, json.loads(text)) for call_id, name, text in added.values()] == expected
    assert [(call.id, call.function.name, call.function.parsed()) for call in result.tool_calls] == expected
    assert "".join(chunk.delta.content for chunk in chunks) == result.content


@pytest.mark.parametrize("text", ["", '{"a": {"b": 1}', '{"a": {"a": 1}', '{"city": "서'])
def test_a_cut_call_is_not_whole(both: Any, text: str) -> None:
    """What the cap cut is no call without arguments, and no other one than was meant."""
    pieces = [delta(piece("", "a", "f", 0)), delta(piece(text[:6])), delta(piece(text[6:]))]
    chunks, stream = both(lambda: sse(body_of([*pieces, delta(finish="length")]))).call("openai.stream_chat", MESSAGES)
    passed_on = [call.function.arguments for chunk in chunks for call in chunk.delta.tool_calls or ()]
    assert passed_on == [text] * bool(text)
    check_cut(stream.result().message, text)


@pytest.mark.parametrize("text", ["", '{"a": {"b": 1}', '{"city": "서'])
def test_a_call_that_broke_off_is_not_whole(both: Any, text: str) -> None:
    """The same for what had arrived of a stream that breaks off."""
    body = body_of([delta(piece("", "a", "f", 0)), delta(piece(text))]).removesuffix(b"data: [DONE]\n\n")
    with pytest.raises(cs.StreamInterruptedError) as caught:
        both(lambda: sse(body)).call("openai.stream_chat", MESSAGES)
    check_cut(caught.value.partial.message, text)


def check_cut(message: Any, text: str) -> None:
    """Check that a message has a call with the text, which cannot be parsed, and none without any."""
    assert [call.function.arguments for call in message.tool_calls or ()] == [text] * bool(text)
    for call in message.tool_calls or ():
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|JSON"):
            call.function.parsed()
