"""Tool calls of streams: whatever the fragments say, the calls are those of the end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from client_support import MESSAGES, Both, answer, bytewise, sse, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stream_calls import SCENARIO_NAMES, SCENARIOS, Scenario, are, message_of, opened, part, text_of
from stream_calls import sse as events
from stream_calls import whole as whole_call

import clova_studio as cs
from clova_studio.adapters import calls_of

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "도시의 날씨",
        "parameters": {"type": "object", "properties": {}},
    },
}


def found(message: Any) -> tuple[list[Any], list[Any]]:
    """Return the calls of a message that may be carried out, and those that may not."""
    calls = calls_of(message)
    valid = [(call.id, call.name, call.arguments) for call in calls if call.arguments is not None]
    return valid, [(call.id, call.text) for call in calls if call.arguments is None]


@pytest.mark.parametrize("feed", [whole, bytewise])
@pytest.mark.parametrize("name", SCENARIO_NAMES)
def test_calls_are_the_results(both: Any, name: str, feed: Any) -> None:
    """The last chunk has the calls of the result, each once; no chunk before it has any; the result has the same."""
    scenario = SCENARIOS[name]
    chunks, stream = both(lambda: sse(feed(scenario.stream))).call("stream_chat", MESSAGES)
    assert [chunk.message.tool_calls for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    for message in (chunks[-1].message, stream.result().message):
        valid, invalid = found(message)
        assert are(scenario.true, valid)
        assert are(scenario.invalid, invalid)
    assert [json.loads(call.function.partial_json) for call in chunks[-1].message.tool_calls or []] == [
        call.function.arguments for call in chunks[-1].message.tool_calls or []
    ]
    assert "".join(chunk.message.content for chunk in chunks) == scenario.content


@pytest.mark.parametrize("name", SCENARIO_NAMES)
def test_a_whole_answer_says_the_same(both: Any, name: str) -> None:
    """Asked for at once, the answer has the calls of the stream; one request is enough for any slip of the model."""
    scenario = SCENARIOS[name]
    _, stream = both(lambda: sse(scenario.stream)).call("stream_chat", MESSAGES)
    peer = both(lambda: answer(scenario.whole))
    result = peer.call("chat", MESSAGES)
    assert len(peer.requests) == 1
    if not scenario.knows_more:
        assert result == stream.result()
    assert are(scenario.true, found(result.message)[0])


@pytest.mark.parametrize("name", SCENARIO_NAMES)
def test_no_call_is_certain_without_a_result(both: Any, name: str) -> None:
    """A stream that breaks off has its calls as text, among the invalid ones."""
    scenario = SCENARIOS[name]
    if not scenario.tokens:
        return
    with pytest.raises(cs.StreamInterruptedError) as caught:
        both(lambda: sse(scenario.broken_off)).call("stream_chat", MESSAGES)
    assert caught.value.partial is None or caught.value.partial.message.tool_calls is None


def test_fragments_show_the_progress(both: Any) -> None:
    """What arrives of calls is there while it arrives, apart from the calls, with the call that it seems to be of."""
    chunks, _ = both(lambda: sse(SCENARIOS["one call after the other"].stream)).call("stream_chat", MESSAGES)
    texts = ["", ""]
    for chunk in chunks:
        for fragment in chunk.tool_call_fragments or ():
            texts[fragment.index] += fragment.function.partial_json or ""
            assert fragment.function.arguments == {}
    assert [json.loads(text) for text in texts] == [{"city": "서울"}, {"city": "부산"}]
    assert chunks[-1].tool_call_fragments is None


def test_a_search_that_cannot_be_read_is_invalid(both: Any) -> None:
    """RAG reasoning has the same rule for the arguments of its calls."""
    body = {"message": {"role": "assistant", "content": "", "toolCalls": [whole_call("a", "[1"), whole_call("b", {})]}}
    peer = both(lambda: answer(json.dumps({"status": {"code": "20000"}, "result": body}).encode()))
    message = peer.call("reason", MESSAGES, tools=[TOOL]).message
    assert [call.id for call in message.tool_calls] == ["b"]
    assert [(call.id, call.function.partial_json) for call in message.invalid_tool_calls] == [("a", "[1")]


ARGUMENTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
ID = st.sampled_from([None, "", "a", "b", "c"])
NAME = st.sampled_from([None, "", "get_weather", "find_train"])


@st.composite
def distorted(draw: st.DrawFn) -> Scenario:
    """Draw true calls, and fragments of them that are cut, repeated, mixed up, and named as they should not be."""
    calls = draw(st.lists(st.tuples(NAME.filter(bool), ARGUMENTS), max_size=3))
    fragments = []
    for index, (name, arguments) in enumerate(calls):
        text = draw(st.sampled_from([text_of(arguments), json.dumps(arguments), text_of(draw(ARGUMENTS))]))
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
        fragments.append([opened(draw(ID), draw(st.sampled_from([name, None])))])
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            more: dict[str, Any] = {}
            if draw(st.booleans()):
                more["id"] = draw(ID)
            if draw(st.booleans()):
                more["index"] = draw(st.sampled_from([None, 0, index, 7]))
            fragments.append([part(text[start:end], **more)])
    if draw(st.booleans()):
        fragments = draw(st.permutations(fragments))
    kept = draw(st.lists(st.sampled_from(fragments), max_size=12)) if fragments and draw(st.booleans()) else fragments
    made = tuple(whole_call(f"call_{i}", arguments, name) for i, (name, arguments) in enumerate(calls))
    return Scenario(tuple(kept), made, tuple((f"call_{i}", *call) for i, call in enumerate(calls)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(distorted(), st.sampled_from(["sync", "async"]))
@pytest.mark.slow
def test_any_fragments_end_in_the_results_calls(scenario: Scenario, kind: str) -> None:
    """However the fragments of some calls are cut and mixed up, the stream has exactly the calls of its result."""
    chunks, stream = Both(kind, lambda: sse(scenario.stream)).call("stream_chat", MESSAGES)
    assert found(chunks[-1].message) == found(stream.result().message) == ([*scenario.true], [])
    assert not any(chunk.message.tool_calls for chunk in chunks[:-1])


def test_messages_before_the_last_are_no_calls(both: Any) -> None:
    """A token whose calls cannot be read keeps its text."""
    message = {**message_of("네"), "toolCalls": "x"}
    chunks, _ = both(
        lambda: sse(events(("token", {"message": message}), ("result", {"message": message_of("네")})))
    ).call("stream_chat", MESSAGES)
    assert "".join(chunk.message.content for chunk in chunks) == "네"
