"""Chat requests: what goes to the wire for each model, and what is refused before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from client_support import MESSAGES, answer, embedded, sample, vector

from clova_studio import ClovaStudio, ConfigurationError, Message, ToolCall, ToolCallFunction

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "날씨",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
OTHER = {"type": "function", "function": {"name": "other", "description": "x"}}
SCHEMA = {"type": "json", "schema": {"type": "object", "properties": {"a": {"type": "number"}}}}
IMAGE = {"type": "image_url", "imageUrl": {"url": "https://example.com/a.png"}}
INLINE = {"type": "image_url", "dataUri": {"data": "data:image/png;base64,aGVsbG8="}}
TEXT = {"type": "text", "text": "무엇?"}


def user(content: Any) -> dict[str, Any]:
    """Return a user message."""
    return {"role": "user", "content": content}


def body_of(both: Any, messages: Any = MESSAGES, **options: Any) -> tuple[str, dict[str, Any]]:
    """Return path and body of a chat request, the same for chat and stream_chat."""
    peer = both(lambda: answer(sample("v3_chat.json")))
    peer.call("chat", messages, **options)
    peer.call("stream_chat", messages, **options)
    one, other = peer.requests
    assert (one.url.path, one.content) == (other.url.path, other.content)
    return one.url.path, json.loads(one.content)


SENT: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({}, "/v3/chat-completions/HCX-005", {}),
    ({"model": "hcx-005"}, "/v3/chat-completions/HCX-005", {}),
    ({"model": "HCX-999 new"}, "/v3/chat-completions/HCX-999 new", {}),
    ({"model": "HCX-999", "max_tokens": 99999, "thinking": "low"}, "/v3/chat-completions/HCX-999",
     {"maxTokens": 99999, "thinking": {"effort": "low"}}),
    ({"model": "HCX-003", "max_tokens": 50, "repeat_penalty": 5, "stop": ["끝"], "temperature": 0.1},
     "/v1/chat-completions/HCX-003",
     {"maxTokens": 50, "repeatPenalty": 5, "stopBefore": ["끝"], "temperature": 0.1}),
    ({"model": "HCX-003", "max_completion_tokens": 50, "repetition_penalty": 5}, "/v1/chat-completions/HCX-003",
     {"maxTokens": 50, "repeatPenalty": 5}),
    ({"temperature": 0, "top_p": 1, "top_k": 128, "repetition_penalty": 2.0, "seed": 4294967295,
      "include_ai_filters": True, "stop": ["a"], "max_tokens": 4096}, "/v3/chat-completions/HCX-005",
     {"temperature": 0, "topP": 1, "topK": 128, "repetitionPenalty": 2.0, "seed": 4294967295,
      "includeAiFilters": True, "stop": ["a"], "maxTokens": 4096}),
    ({"stop": [], "temperature": None}, "/v3/chat-completions/HCX-005", {}),
    ({"stop": "끝"}, "/v3/chat-completions/HCX-005", {"stop": ["끝"]}),
    ({"model": "HCX-007", "max_tokens": 32768}, "/v3/chat-completions/HCX-007", {"maxCompletionTokens": 32768}),
    ({"model": "HCX-007", "thinking": "high"}, "/v3/chat-completions/HCX-007", {"thinking": {"effort": "high"}}),
    ({"model": "HCX-007", "thinking": {"effort": "none"}}, "/v3/chat-completions/HCX-007",
     {"thinking": {"effort": "none"}}),
    ({"model": "HCX-007", "stop": ["a"]}, "/v3/chat-completions/HCX-007",
     {"stop": ["a"], "thinking": {"effort": "none"}}),
    ({"model": "HCX-007", "tools": [TOOL]}, "/v3/chat-completions/HCX-007",
     {"tools": [TOOL], "thinking": {"effort": "none"}}),
    ({"model": "HCX-007", "response_format": SCHEMA}, "/v3/chat-completions/HCX-007",
     {"responseFormat": SCHEMA, "thinking": {"effort": "none"}}),
    ({"tools": [TOOL], "tool_choice": "none", "max_tokens": 1024}, "/v3/chat-completions/HCX-005",
     {"tools": [TOOL], "toolChoice": "none", "maxTokens": 1024}),
    ({"tools": [TOOL, OTHER], "tool_choice": {"function": {"name": "other"}}}, "/v3/chat-completions/HCX-005",
     {"tools": [TOOL, OTHER], "toolChoice": {"type": "function", "function": {"name": "other"}}}),
    ({"tools": []}, "/v3/chat-completions/HCX-005", {}),
    ({"task_id": "abc12"}, "/v3/tasks/abc12/chat-completions", {}),
    ({"task_id": "abc12", "model": "HCX-003"}, "/v1/tasks/abc12/chat-completions", {}),
    ({"task_id": "abc12", "model": "HCX-003", "api_version": "v2"}, "/v2/tasks/abc12/chat-completions", {}),
    ({"model": "HCX-002", "api_version": "v1", "stop": ["x"]}, "/v1/chat-completions/HCX-002", {"stopBefore": ["x"]}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "path", "fields"), SENT)
def test_options_in_the_words_of_the_model(both, options: dict[str, Any], path: str, fields: dict[str, Any]) -> None:
    """Each option reaches the wire under the name that the model's API has for it, and nothing else is sent."""
    sent_path, body = body_of(both, **options)
    assert sent_path == path
    assert body.pop("messages") == MESSAGES
    assert body == fields


MESSAGE_FORMS: list[tuple[list[Any], dict[str, Any], list[dict[str, Any]]]] = [
    ([user([TEXT, IMAGE])], {}, [user([TEXT, IMAGE])]),
    ([user([INLINE, TEXT])], {}, [user([INLINE, TEXT])]),
    ([user(["글", {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}])], {},
     [user([{"type": "text", "text": "글"}, INLINE])]),
    ([user([TEXT, TEXT])], {"model": "HCX-003"}, [user("무엇?\n무엇?")]),
    ([user([TEXT, TEXT])], {"tools": [TOOL]}, [user("무엇?\n무엇?")]),
    ([user("a"), {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"서울"}'}}]},
      {"role": "tool", "tool_call_id": "call_1", "content": ""}], {},
     [user("a"), {"role": "assistant", "content": "", "toolCalls": [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "서울"}}}]},
      {"role": "tool", "content": "", "toolCallId": "call_1"}]),
    ([user("a"), Message(content="b", thinking_content="생각", tool_calls=[
        ToolCall(id="c", index=0, function=ToolCallFunction(name="f", arguments={"x": 1}))]),
      {"role": "tool", "toolCallId": "c", "content": "1"}], {},
     [user("a"), {"role": "assistant", "content": "b", "toolCalls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]},
      {"role": "tool", "content": "1", "toolCallId": "c"}]),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "options", "expected"), MESSAGE_FORMS)
def test_messages_in_the_form_of_the_wire(both, messages: list[Any], options: Any, expected: list[Any]) -> None:
    """Parts, data URIs, tool rounds and results sent back as history arrive as the service wants them."""
    before = json.dumps(messages, default=repr)
    _, body = body_of(both, messages, **options)
    assert body["messages"] == expected
    assert json.dumps(messages, default=repr) == before


def test_a_tool_history_switches_thinking_off(both) -> None:
    """HCX-007 gets effort none for a history with tool messages, although no tools are sent."""
    history = MESSAGE_FORMS[5][0]
    assert body_of(both, history, model="HCX-007")[1]["thinking"] == {"effort": "none"}


def test_a_result_message_is_history(both) -> None:
    """The message of a result can be sent back as it is."""
    result = both(lambda: answer(sample("v3_thinking.json"))).call("chat", MESSAGES, model="HCX-007")
    _, body = body_of(both, [*MESSAGES, result.message, user("그리고?")])
    assert body["messages"][1] == {"role": "assistant", "content": "일주일은 칠 일입니다."}


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    ([], {}, "messages is empty"),
    ("hello", {}, "messages must be a list"),
    ({"role": "user", "content": "a"}, {}, "messages must be a list"),
    ([{"role": "robot", "content": "a"}], {}, r"messages\[0\].role"),
    ([user("")], {}, r"messages\[0\].content is empty"),
    ([user("  \n")], {}, r"messages\[0\].content is empty"),
    ([user(None)], {}, r"messages\[0\].content is empty"),
    ([user([])], {}, r"messages\[0\].content is an empty list"),
    ([user(5)], {}, r"messages\[0\].content must be"),
    ([user("a"), user([{"type": "audio"}])], {}, r"messages\[1\].content\[0\].type"),
    ([{"role": "user", "content": "a", "name": "b"}], {}, "'name'"),
    ([{"role": "system", "content": "a"}, {"role": "system", "content": "b"}, user("c")], {}, "2 system messages"),
    ([user("a"), {"role": "tool", "content": "1"}], {}, "tool_call_id"),
    ([user("a"), {"role": "tool", "content": "1", "tool_call_id": "x"}], {"model": "HCX-003"}, "role"),
    ([user("a"), {"role": "assistant", "content": "", "tool_calls": [{"id": "x"}]}], {}, "function.name"),
    ([user([TEXT, IMAGE, IMAGE])], {}, "has 2 images"),
    ([user([TEXT, IMAGE])] * 6, {}, "has 6 images"),
    ([user([TEXT, IMAGE])], {"model": "HCX-DASH-002"}, "HCX-005"),
    ([user([TEXT, IMAGE])], {"model": "HCX-003"}, "HCX-005"),
    ([user([TEXT, IMAGE])], {"tools": [TOOL]}, "tools"),
    ([user([TEXT, IMAGE])], {"task_id": "t"}, "tuned"),
    ([user([TEXT, {"type": "image_url", "dataUri": {"data": "aGVsbG8="}}])], {}, "data URI"),
    ([user([TEXT, {"type": "image_url", "imageUrl": {"url": "file:///etc/passwd"}}])], {}, "http"),
    ([user([TEXT, {**IMAGE, **INLINE}])], {}, "exactly one"),
    (MESSAGES, {"temperature": 1.1}, "temperature"),
    (MESSAGES, {"temperature": -0.1}, "temperature"),
    (MESSAGES, {"temperature": float("nan")}, "temperature"),
    (MESSAGES, {"temperature": "0.5"}, "temperature"),
    (MESSAGES, {"model": "HCX-003", "temperature": 0}, "temperature"),
    (MESSAGES, {"top_p": 0}, "top_p"),
    (MESSAGES, {"top_k": 129}, "top_k"),
    (MESSAGES, {"top_k": 1.0}, "top_k"),
    (MESSAGES, {"top_k": True}, "top_k"),
    (MESSAGES, {"repetition_penalty": 2.1}, "repetition_penalty"),
    (MESSAGES, {"model": "HCX-003", "repeat_penalty": 10.5}, "repeat_penalty"),
    (MESSAGES, {"repetition_penalty": 1.0, "repeat_penalty": 1.1}, "two names"),
    (MESSAGES, {"max_tokens": 1, "max_completion_tokens": 2}, "two names"),
    (MESSAGES, {"max_tokens": 0}, "max_tokens"),
    (MESSAGES, {"max_tokens": 4097}, "max_tokens"),
    (MESSAGES, {"model": "HCX-007", "max_tokens": 32769}, "max_tokens"),
    (MESSAGES, {"seed": -1}, "seed"),
    (MESSAGES, {"seed": 4294967296}, "seed"),
    (MESSAGES, {"stop": 3}, "stop"),
    (MESSAGES, {"stop": ""}, "stop"),
    (MESSAGES, {"stop": [""]}, "stop"),
    (MESSAGES, {"include_ai_filters": 1}, "include_ai_filters"),
    (MESSAGES, {"temprature": 1}, "did you mean 'temperature'"),
    (MESSAGES, {"model": ""}, "model"),
    (MESSAGES, {"model": "HCX-005", "api_version": "v1"}, "v3 only"),
    (MESSAGES, {"model": "HCX-003", "api_version": "v3"}, "v1 only"),
    (MESSAGES, {"model": "HCX-003", "api_version": "v2"}, "task_id"),
    (MESSAGES, {"thinking": "low"}, "HCX-005 does not take thinking"),
    (MESSAGES, {"model": "HCX-DASH-002", "thinking": "none"}, "HCX-DASH-002 does not take thinking"),
    (MESSAGES, {"model": "HCX-007", "thinking": "max"}, "thinking must be"),
    (MESSAGES, {"model": "HCX-007", "thinking": "low", "tools": [TOOL]}, "tools"),
    (MESSAGES, {"model": "HCX-007", "thinking": "low", "stop": ["a"]}, "stop"),
    (MESSAGES, {"model": "HCX-007", "thinking": "low", "response_format": SCHEMA}, "response_format"),
    (MESSAGES, {"response_format": SCHEMA}, "HCX-005 does not take response_format"),
    (MESSAGES, {"model": "HCX-003", "response_format": SCHEMA}, "HCX-003 does not take response_format"),
    (MESSAGES, {"model": "HCX-007", "response_format": {"type": "json_object"}}, "response_format must be"),
    (MESSAGES, {"model": "HCX-007", "response_format": SCHEMA, "tools": [TOOL]}, "cannot be combined"),
    (MESSAGES, {"model": "HCX-003", "tools": [TOOL]}, "HCX-003 does not take tools"),
    (MESSAGES, {"tools": [TOOL], "max_tokens": 1023}, "1024"),
    (MESSAGES, {"tools": [TOOL], "tool_choice": "required"}, "no 'required'"),
    (MESSAGES, {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "not one of"),
    (MESSAGES, {"tools": [TOOL, TOOL]}, "same name"),
    (MESSAGES, {"tools": [{"type": "function", "function": {"name": "x"}}]}, "description"),
    (MESSAGES, {"tools": TOOL}, "tools must be a list"),
    (MESSAGES, {"tool_choice": "auto"}, "tool_choice needs tools"),
    (MESSAGES, {"task_id": "t", "tools": [TOOL]}, "tuned"),
    (MESSAGES, {"task_id": ""}, "task_id"),
    (MESSAGES, {"request_id": "a b"}, "request_id"),
    ([user("\ud800")], {}, "surrogate"),
]


@pytest.mark.parametrize("verb", ["chat", "stream_chat"])
@pytest.mark.parametrize(("messages", "options", "named"), REFUSED)
def test_broken_rules_are_refused_before_sending(
    both, verb: str, messages: Any, options: dict[str, Any], named: str
) -> None:
    """Each broken rule is a ConfigurationError that names parameter and rule; nothing is sent."""
    peer = both(lambda: answer(sample("v3_chat.json")))
    with pytest.raises(ConfigurationError, match=named):
        peer.call(verb, messages, **options)
    assert peer.requests == []


@pytest.mark.slow
def test_a_request_over_50_mb_is_refused(both) -> None:
    """A body that the service would refuse for its size is not sent."""
    peer = both(lambda: answer(sample("v3_chat.json")))
    part = {"type": "image_url", "dataUri": {"data": "data:image/png;base64," + "A" * 14_000_000}}
    with pytest.raises(ConfigurationError, match="50"):
        peer.call("chat", [user([TEXT, part])] * 4)
    with pytest.raises(ConfigurationError, match="20 MB"):
        peer.call(
            "chat", [user([{"type": "image_url", "dataUri": {"data": "data:image/png;base64," + "A" * 30_000_000}}])]
        )
    assert peer.requests == []


COUNTED: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({}, "/v3/api-tools/chat-tokenize/HCX-005", {}),
    ({"model": "HCX-003"}, "/v1/api-tools/chat-tokenize/HCX-003", {}),
    ({"tools": [TOOL]}, "/v3/api-tools/chat-tokenize/HCX-005", {"tools": [TOOL]}),
    ({"model": "HCX-007", "response_format": SCHEMA, "tools": [TOOL]}, "/v3/api-tools/chat-tokenize/HCX-007",
     {"responseFormat": SCHEMA, "tools": [TOOL]}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "path", "fields"), COUNTED)
def test_token_count_requests(both, options: dict[str, Any], path: str, fields: dict[str, Any]) -> None:
    """The calculator of the model's API gets messages, tools and response format as they would be sent."""
    peer = both(lambda: answer(b'{"status":{"code":"20000","message":"OK"},"result":{"messages":[]}}'))
    peer.call("count_chat_tokens", MESSAGES, **options)
    assert peer.requests[0].url.path == path
    assert json.loads(peer.requests[0].content) == {"messages": MESSAGES, **fields}


SEGMENTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"alpha": -100.0, "segCnt": -1, "postProcess": False, "postProcessMaxSize": 1000, "postProcessMinSize": 300}),
    ({"alpha": 1.5, "seg_cnt": 3, "post_process": True, "post_process_max_size": 10, "post_process_min_size": -1},
     {"alpha": 1.5, "segCnt": 3, "postProcess": True, "postProcessMaxSize": 10, "postProcessMinSize": -1}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "fields"), SEGMENTS)
def test_segmentation_requests(both, options: dict[str, Any], fields: dict[str, Any]) -> None:
    """Segmentation gets one string and its options under the wire's names."""
    peer = both(lambda: answer(b'{"status":{"code":"20000","message":"OK"},"result":{"topicSeg":[["a."]]}}'))
    assert peer.call("segment", "a.", **options).topic_seg == [["a."]]
    assert peer.requests[0].url.path == "/v1/api-tools/segmentation"
    assert json.loads(peer.requests[0].content) == {"text": "a.", **fields}


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [("", {}, "text is empty"), (" ", {}, "text is empty"), (["a"], {}, "text must be a string"),
     ("a" * 120_001, {}, "120,000"), ("a", {"alpha": 1.6}, "alpha"), ("a", {"alpha": -2}, "alpha"),
     ("a", {"seg_cnt": 0}, "seg_cnt"), ("a", {"post_process": 1}, "post_process"),
     ("a", {"post_process_max_size": 0}, "post_process_max_size"), ("a", {"post_process_min_size": -2}, "min_size"),
     ("a", {"post_process_min_size": 11, "post_process_max_size": 10}, "min_size")],
)  # fmt: skip
def test_wrong_segmentation_is_refused(both, text: Any, options: dict[str, Any], named: str) -> None:
    """Empty or too long text and options out of range are refused by name; nothing is sent."""
    peer = both(lambda: answer(sample("v3_chat.json")))
    with pytest.raises(ConfigurationError, match=named):
        peer.call("segment", text, **options)
    assert peer.requests == []


@pytest.mark.parametrize(
    ("model", "path"),
    [("bge-m3", "/v1/api-tools/embedding/v2"), ("clir-emb-dolphin", "/v1/api-tools/embedding/clir-emb-dolphin"),
     ("clir-sts-dolphin", "/v1/api-tools/embedding/clir-sts-dolphin"), ("new-emb", "/v1/api-tools/embedding/new-emb")],
)  # fmt: skip
def test_embedding_requests(both, model: str, path: str) -> None:
    """bge-m3 goes to v2, the other models to v1 by name; the body is the text alone."""
    peer = both(lambda: answer(embedded(2, 2)))
    result = peer.call("embed", "내일", model=model)
    assert (result.embedding, result.input_tokens) == (vector(2.0), 2)
    assert peer.requests[0].url.path == path
    assert json.loads(peer.requests[0].content) == {"text": "내일"}
    for wrong in ("", "  ", None):
        with pytest.raises(ConfigurationError, match="text"):
            peer.call("embed", wrong)


def test_streams_are_checked_when_they_are_made() -> None:
    """A wrong streamed request is refused by stream_chat itself, not by the first iteration."""
    with pytest.raises(ConfigurationError):
        ClovaStudio("nv-test-key").stream_chat([])
