"""Streams of skillsets and of the OpenAI-compatible API: whole, once, and honest about their end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_row import USER
from client_support import answer, bytewise, sse, whole

import clova_studio as cs
from clova_studio.emulator import Fault, serve

CALLS = [{"url": "https://api.example.com/w", "requestBody": "a", "responseBody": "b", "apiOrder": 1}]


def events(*pairs: tuple[str, Any], blank: str = "") -> bytes:
    """Return the bytes of a native stream."""
    return "".join(
        f"id:{blank}x{i}\nevent:{blank}{name}\ndata:{blank}{json.dumps(data, ensure_ascii=False)}\n\n"
        for i, (name, data) in enumerate(pairs)
    ).encode()


PLANNED = [
    {"selectedSkill": [{"nameForHuman": "날씨"}], "tokenCount": 401},
    {"selectedSkill": {"nameForHuman": "날씨"}, "tokenCount": 401},
    {"selectedSkill": {"nameForHuman": ["날씨"]}, "tokenCount": 401},
    {"selectedSkill": ["날씨"], "tokenCount": 401},
]


def skillset(planning: Any = PLANNED[0], *, tokens: bool = True, blank: str = "") -> bytes:
    """Return a skillset stream."""
    said = [("token", {"text": t, "probs": [], "stopReason": None}) for t in ("21도", "입니다.")] if tokens else []
    final = {"finalAnswer": "21도입니다.", "apiResult": CALLS, "tokenCount": 120}
    worked = {"apiResult": CALLS, "tokenCount": 1800}
    return events(("planning", planning), ("cot", worked), *said, ("finalAnswer", final), blank=blank)


@pytest.mark.parametrize("feed", [whole, bytewise])
@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize("planning", PLANNED)
def test_skillset_stream(both, planning: Any, blank: str, feed: Any) -> None:
    """Planning in every shape, calls, tokens and answer arrive as typed chunks; the text is the answer, once."""
    peer = both(lambda: sse(feed(skillset(planning, blank=blank))))
    chunks, stream = peer.call("stream_skillset", "weather1", 1, "부산 날씨")
    result = stream.result()
    assert [chunk.event for chunk in chunks] == ["planning", "cot", "token", "token", "finalAnswer"]
    assert [skill.name_for_human for skill in chunks[0].selected_skill] == ["날씨"]
    assert "".join(chunk.text for chunk in chunks) == result.final_answer == "21도입니다."
    assert result.api_result[0].url == "https://api.example.com/w"
    assert [skill.name_for_human for skill in result.selected_skill] == ["날씨"]
    assert json.loads(peer.requests[0].content)["tokenStream"] is True
    assert peer.requests[0].headers["accept"] == "text/event-stream"


def test_skillset_answer_without_tokens(both) -> None:
    """Without token events the answer comes once, with the last event; answered whole it is one chunk."""
    chunks, stream = both(lambda: sse(skillset(tokens=False))).call("stream_skillset", "weather1", 1, "q")
    assert "".join(chunk.text for chunk in chunks) == stream.result().final_answer
    body = json.dumps({"status": {"code": "20000"}, "result": {"finalAnswer": "21도", "apiResult": CALLS}}).encode()
    chunks, stream = both(lambda: answer(body)).call("stream_skillset", "weather1", 1, "q")
    assert [chunk.text for chunk in chunks] == ["21도"] == [stream.result().final_answer]


def test_skillset_stream_cut_or_failed(both) -> None:
    """A run that breaks off keeps its planning, calls and text; an error event carries its code."""
    body = skillset()
    cut = body[: body.index(b"id:x4")]
    with pytest.raises(cs.StreamInterruptedError) as caught:
        both(lambda: sse(cut)).call("stream_skillset", "weather1", 1, "q")
    partial = caught.value.partial
    assert (partial.final_answer, len(partial.api_result), len(partial.selected_skill)) == ("21도입니다.", 1, 1)
    failed = cut + events(("error", {"status": {"code": "61004", "message": "Invalid action input"}}))
    with pytest.raises(cs.StreamInterruptedError) as caught:
        both(lambda: sse(failed)).call("stream_skillset", "weather1", 1, "q")
    assert caught.value.code == "61004"
    first = events(("error", {"status": {"code": "64000", "message": "Model unavailable"}}))
    with pytest.raises(cs.ServerError):
        both(lambda: sse(first), max_retries=0).call("stream_skillset", "weather1", 1, "q")


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a chunk of an OpenAI stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "6" * 32, "object": "chat.completion.chunk", "created": 1744703673905, "model": "HCX-005",
            "choices": [choice], **more}  # fmt: skip


def openai_sse(*chunks: Any, done: bool = True, blank: str = " ") -> bytes:
    """Return the bytes of an OpenAI stream."""
    lines = [f"data:{blank}{json.dumps(value, ensure_ascii=False)}\n\n" for value in chunks]
    return "".join([*lines, f"data:{blank}[DONE]\n\n" if done else ""]).encode()


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
TEXT = [chunk({"role": "assistant", "content": ""}), chunk({"content": "안녕"}), chunk({"content": "하세요"})]


@pytest.mark.parametrize("feed", [whole, bytewise])
@pytest.mark.parametrize(
    "body",
    [
        openai_sse(*TEXT, chunk({}, "stop", usage=USAGE)),
        openai_sse(*TEXT, chunk({}, "stop"), {"id": "6" * 32, "choices": [], "usage": USAGE}, blank=""),
        openai_sse(*TEXT, chunk({"content": None}, "stop", usage=USAGE), done=False),
        openai_sse(*TEXT, chunk({}, "stop", usage=USAGE)).replace(b"\n", b"\r\n"),
    ],
    ids=["usage with the end", "usage after the end", "no DONE", "CRLF"],
)
def test_openai_stream(both, body: bytes, feed: Any) -> None:
    """In every plausible form the text comes once, with finish reason, usage and seconds on the result."""
    chunks, stream = both(lambda: sse(feed(body))).call("openai.stream_chat", [USER])
    result = stream.result()
    assert "".join(piece.delta.content for piece in chunks) == result.message.content == "안녕하세요"
    assert (result.finish_reason, result.usage.total_tokens, result.created) == ("stop", 5, 1744703673)


@pytest.mark.parametrize("name", ["reasoning_content", "thinking_content"])
def test_openai_reasoning_under_either_name(both, name: str) -> None:
    """The thinking text is read under both of its names, whole and streamed."""
    body = openai_sse(chunk({name: "생각"}), chunk({"content": "답"}, "stop"))
    chunks, stream = both(lambda: sse(body)).call("openai.stream_chat", [USER], model="HCX-007")
    assert chunks[0].delta.reasoning_content == "생각"
    assert stream.result().message.reasoning_content == "생각" == stream.result().message.thinking_content
    plain = {"choices": [{"message": {"role": "assistant", "content": "답", name: "생각"}, "finish_reason": "stop"}]}
    result = both(lambda: answer(json.dumps(plain).encode())).call("openai.chat", [USER], model="HCX-007")
    assert result.message.reasoning_content == "생각"


@pytest.mark.parametrize(
    "fragments",
    [
        [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}},
         {"index": 0, "function": {"arguments": '{"x"'}}, {"index": 0, "function": {"arguments": ":1}"}}],
        [{"id": "c1", "function": {"name": "f", "arguments": '{"x"'}}, {"function": {"arguments": ":1}"}}],
        [{"id": "c1", "function": {"name": "f", "arguments": '{"x"'}}, {"id": "c1", "function": {"arguments": ":1}"}}],
        [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": {"x": 1}}}],
    ],
    ids=["with index", "without index", "id repeated", "an object"],
)  # fmt: skip
def test_openai_tool_fragments(both, fragments: list[Any]) -> None:
    """Fragments with or without index or id join to one call whose arguments can be read."""
    body = openai_sse(*[chunk({"tool_calls": [fragment]}) for fragment in fragments], chunk({}, "tool_calls"))
    _, stream = both(lambda: sse(body)).call("openai.stream_chat", [USER])
    calls = stream.result().message.tool_calls
    assert [(call.id, call.function.name, call.function.parsed()) for call in calls] == [("c1", "f", {"x": 1})]


def test_openai_two_calls_stay_apart(both) -> None:
    """Two calls without index are told apart by their ids."""
    one = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    two = {"id": "b", "function": {"name": "g", "arguments": '{"y":'}}
    rest = {"function": {"arguments": "2}"}}
    body = openai_sse(*[chunk({"tool_calls": [part]}) for part in (one, two, rest)], chunk({}, "tool_calls"))
    _, stream = both(lambda: sse(body)).call("openai.stream_chat", [USER])
    assert [call.function.parsed() for call in stream.result().message.tool_calls] == [{}, {"y": 2}]


def test_openai_stream_cut_or_failed(both) -> None:
    """A cut stream, and an error event of either API, are errors with what had arrived; first, they are retried."""
    with pytest.raises(cs.StreamInterruptedError) as caught:
        both(lambda: sse(openai_sse(*TEXT, done=False))).call("openai.stream_chat", [USER])
    assert caught.value.partial.message.content == "안녕하세요"
    for error in ({"error": {"message": "busy", "code": "50000"}}, {"status": {"code": "50000", "message": "busy"}}):
        with pytest.raises(cs.StreamInterruptedError) as caught:
            both(lambda error=error: sse(openai_sse(*TEXT, error))).call("openai.stream_chat", [USER])
        assert caught.value.code == "50000"
        with pytest.raises(cs.ServerError):
            both(lambda error=error: sse(openai_sse(error)), max_retries=0).call("openai.stream_chat", [USER])
    with pytest.raises(cs.InvalidResponseError):
        both(lambda: sse(openai_sse()), max_retries=0).call("openai.stream_chat", [USER])


@pytest.mark.parametrize("behaviour", ["observed", "documented"])
def test_streams_of_the_emulator_are_whole(behaviour: str) -> None:
    """Against the emulator both streams give the text of the whole answer, and a cut one is an error."""
    with serve(behaviour=behaviour) as server, cs.ClovaStudio(server.api_key, base_url=server.base_url) as client:
        plain = client.openai.chat([USER], max_tokens=200)
        stream = client.openai.stream_chat([USER], max_tokens=200)
        assert "".join(piece.delta.content for piece in stream) == plain.message.content
        assert stream.result().message == plain.message
        run = client.run_skillset("weather1", 1, "부산 날씨 알려줘")
        steps = client.stream_skillset("weather1", 1, "부산 날씨 알려줘")
        assert "".join(step.text for step in steps) == run.final_answer
        assert steps.result().api_result == run.api_result
        for make in (
            lambda: client.openai.stream_chat([USER]),
            lambda: client.stream_skillset("weather1", 1, "부산 날씨 알려줘"),
        ):
            server.add_fault(Fault("cut", after=2, times=1))
            with pytest.raises(cs.StreamInterruptedError):
                list(make())
