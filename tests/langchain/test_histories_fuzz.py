"""Whatever stands in a history, it is sent or refused by its index, and it can be counted."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage

from clova_studio import ConfigurationError
from clova_studio.adapters import TokenCounting
from langchain_clova._messages import has_tool_turns, shows_images, to_clova_messages

if TYPE_CHECKING:
    from clova_studio.adapters import ClovaMessages

BASE64 = "JVBERi0" + "aB3/" * 400
# The types and fields of LangChain's, OpenAI's, Anthropic's, Bedrock's, Gemini's and MCP's blocks.
TYPES = [
    "text",
    "text-plain",
    "image",
    "image_url",
    "input_image",
    "file",
    "input_file",
    "document",
    "media",
    "audio",
    "input_audio",
    "video",
    "resource",
    "resource_link",
    "json",
    "refusal",
    "guard_content",
    "search_result",
    "non_standard",
    "thinking",
    "tool_call",
    "tool_use",
    "function_call",
    "invalid_tool_call",
    "tool_result",
    "function_call_output",
    "hologram",
]
FIELDS = [
    "text",
    "content",
    "value",
    "input",
    "args",
    "arguments",
    "output",
    "response",
    "json",
    "id",
    "call_id",
    "tool_use_id",
    "name",
    "url",
    "uri",
    "base64",
    "data",
    "bytes",
    "blob",
    "file_data",
    "mime_type",
    "mimeType",
    "format",
    "title",
    "source",
    "source_type",
    "file",
    "image",
    "image_url",
    "resource",
    "inlineData",
    "toolUse",
    "toolResult",
    "functionCall",
    "functionResponse",
    "document",
    "function",
    "refusal",
    "guard_content",
]
LEAVES = (
    st.none()
    | st.sampled_from([0, 1.5, True, float("nan"), b"\x89PNG" * 500, BASE64])
    | st.sampled_from(["", "가", "c", "image/png", "https://a.test/b.png", "base64", '{"x": 1}', "[1]", "{"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
BLOCKS = st.builds(
    lambda kind, fields: fields if kind is None else {**fields, "type": kind},
    st.none() | st.sampled_from(TYPES),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
)
CONTENTS: Any = st.sampled_from(["", "가", BASE64]) | st.lists(BLOCKS | st.sampled_from(["", "가"]), max_size=2)
KWARGS = st.just({}) | st.dictionaries(
    st.sampled_from(["tool_calls", "function_call", "name"]), VALUES | BLOCKS | st.lists(BLOCKS, max_size=2), max_size=1
)
IDS = st.sampled_from(["", "c", "d", "f"])
CALLS = st.builds(
    lambda name, call_id: {"name": name, "args": {"x": 1}, "id": call_id}, st.sampled_from("fg"), IDS | st.none()
)
MESSAGES: st.SearchStrategy[BaseMessage] = st.one_of(
    st.builds(HumanMessage, CONTENTS, additional_kwargs=KWARGS),
    st.builds(SystemMessage, CONTENTS),
    st.builds(AIMessage, CONTENTS, tool_calls=st.lists(CALLS, max_size=2), additional_kwargs=KWARGS),
    st.builds(ToolMessage, CONTENTS, tool_call_id=IDS, name=st.none() | st.sampled_from("fg")),
    st.builds(FunctionMessage, CONTENTS, name=st.sampled_from("fg")),
)


def check(wire: ClovaMessages) -> None:
    """Check what a request needs: JSON, ids that differ, and results that are text without files."""
    json.dumps(wire, allow_nan=False)
    ids = [call["id"] for message in wire for call in message.get("toolCalls", ())]
    assert len(set(ids)) == len(ids)
    for message in wire:
        if message["role"] == "tool":
            assert message["toolCallId"]
            assert BASE64 not in message["content"]


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(MESSAGES, min_size=1, max_size=5))
def test_any_history(messages: list[BaseMessage]) -> None:
    """Blocks of any kind and calls with any ids are sent in the service's form, or the message is named."""
    has_tool_turns(messages)
    shows_images(messages)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counted = to_clova_messages(messages, is_counted=True)
    check(counted)
    for model in ("HCX-005", "HCX-003"):
        assert len(TokenCounting(counted, model=model).requests) <= len(messages) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check(to_clova_messages(messages))
        except ConfigurationError as error:
            assert "messages[" in str(error)  # noqa: PT017  one of the two right outcomes
