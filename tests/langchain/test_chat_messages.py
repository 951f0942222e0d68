"""Messages of LangChain and of other providers: what of them is sent."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool

from clova_studio import ConfigurationError
from langchain_clova._messages import to_clova_messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX


@tool
def look(what: str) -> str:
    """무엇을 봅니다."""
    return what


def test_system_messages_are_joined_in_front() -> None:
    """The service takes one system message: several become one, wherever they stood; empty ones are left out."""
    wire = to_clova_messages(
        [HumanMessage("가"), SystemMessage("하나"), SystemMessage([{"type": "text", "text": "둘"}]), SystemMessage("")]
    )
    assert wire == [{"role": "system", "content": "하나\n\n둘"}, {"role": "user", "content": "가"}]


def test_history_of_this_model_goes_back_without_thinking(
    chat: Callable[..., ChatClovaX], server: EmulatorServer
) -> None:
    """An answer with thinking, in either form of content, is replayed as its text alone."""
    for version in ("v0", "v1"):
        model = chat(model="HCX-007", output_version=version)
        answer = model.invoke("안녕")
        model.invoke([HumanMessage("안녕"), answer, HumanMessage("다시")])
        assert server.requests[-1].body["messages"][1] == {"role": "assistant", "content": answer.text}


def test_artefacts_of_other_providers_are_dropped() -> None:
    """Thinking, tool blocks, signatures and names of others are not sent; text and calls are."""
    message = AIMessage(
        [
            {"type": "thinking", "thinking": "…", "signature": "x"},
            {"type": "reasoning", "reasoning": "…"},
            {"type": "text", "text": "가", "annotations": []},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {"what": "나"}},
            {"type": "redacted_thinking", "data": "x"},
        ],
        tool_calls=[{"id": "t1", "name": "look", "args": {"what": "나"}}],
        additional_kwargs={"reasoning_content": "…", "refusal": None},
        name="bot",
    )
    assert to_clova_messages([message]) == [
        {
            "role": "assistant",
            "content": "가",
            "toolCalls": [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": {"what": "나"}}}],
        }
    ]


def test_call_blocks_without_calls_are_calls() -> None:
    """A tool call that stands in the content alone is sent as one."""
    wire = to_clova_messages([AIMessage([{"type": "tool_use", "id": "t1", "name": "look", "input": {"what": "나"}}])])
    assert wire[0]["toolCalls"][0]["function"] == {"name": "look", "arguments": {"what": "나"}}


def test_invalid_calls_are_sent_with_their_answers(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A call whose arguments were no JSON is replayed as an object, so that the tool message finds its call."""
    broken = {"type": "invalid_tool_call", "id": "c1", "name": "look", "args": "[no", "error": "bad"}
    messages = [
        HumanMessage("봐"),
        AIMessage("", invalid_tool_calls=[broken]),
        ToolMessage("틀렸습니다", tool_call_id="c1", status="error"),
    ]
    assert chat().bind_tools([look]).invoke(messages).text
    assert server.requests[-1].body["messages"][1]["toolCalls"][0] == {
        "id": "c1",
        "type": "function",
        "function": {"name": "look", "arguments": {"invalid_json": "[no"}},
    }


def test_null_and_empty_content() -> None:
    """A call without text has "", an answer of which nothing is left is left out."""
    call = {"id": "c", "name": "look", "args": {}}
    wire = to_clova_messages([HumanMessage("가"), AIMessage([], tool_calls=[call]), AIMessage(""), AIMessage([])])
    assert [message["role"] for message in wire] == ["user", "assistant"]
    assert wire[1]["content"] == ""


def test_tool_results_are_text() -> None:
    """Blocks of a result become one string; data becomes JSON with its Korean readable."""
    content: list[Any] = [{"type": "text", "text": "가"}, "나", {"type": "json", "value": {"값": 1}}]
    wire = to_clova_messages([ToolMessage(content, tool_call_id="c")])
    assert wire == [{"role": "tool", "toolCallId": "c", "content": '가\n나\n{"값": 1}'}]


def test_results_in_human_messages_become_tool_messages() -> None:
    """A tool result as Anthropic has it, inside a human message, is sent as a tool's."""
    content = [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "초록"}]}, "그래서?"]
    assert to_clova_messages([HumanMessage(content)]) == [
        {"role": "tool", "toolCallId": "t1", "content": "초록"},
        {"role": "user", "content": "그래서?"},
    ]


def test_roles_by_name() -> None:
    """Chat messages with a role of the service's are taken; others, and kinds it does not have, are refused."""
    assert to_clova_messages([ChatMessage("가", role="user")]) == [{"role": "user", "content": "가"}]
    for message in (ChatMessage("가", role="judge"), FunctionMessage("가", name="f")):
        with pytest.raises(ConfigurationError, match=r"messages\[0\]"):
            to_clova_messages([message])


def test_what_cannot_be_sent_is_refused_by_place() -> None:
    """A sound or a file of the user's is not dropped silently."""
    block = {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}
    with pytest.raises(ConfigurationError, match=r"messages\[0\]\.content\[1\] has type 'audio'"):
        to_clova_messages([HumanMessage([{"type": "text", "text": "가"}, block])])


URL = "https://example.com/a.png"
DATA = {"type": "image_url", "dataUri": {"data": "data:image/png;base64,iVBORw0="}}
LINK = {"type": "image_url", "imageUrl": {"url": URL}}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "image", "url": URL}, LINK),
        ({"type": "image", "base64": "iVBORw0=", "mime_type": "image/png"}, DATA),
        ({"type": "image", "base64": "iVBORw0="}, DATA),
        ({"type": "image_url", "image_url": {"url": URL, "detail": "low"}}, LINK),
        ({"type": "image_url", "image_url": URL}, LINK),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}, DATA),
        ({"type": "image_url", "imageUrl": {"url": URL}}, LINK),
        ({"type": "image_url", "dataUri": {"data": "data:image/png;base64,iVBORw0="}}, DATA),
        ({"type": "image_url", "dataUri": {"data": "iVBORw0="}}, DATA),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}}, DATA),
        ({"type": "image", "source": {"type": "url", "url": URL}}, LINK),
    ],
)
def test_every_form_of_image(block: dict[str, Any], part: dict[str, Any]) -> None:
    """Images of LangChain, OpenAI, Anthropic and the service itself become the wire's parts."""
    assert to_clova_messages([HumanMessage(["무엇?", block])]) == [
        {"role": "user", "content": [{"type": "text", "text": "무엇?"}, part]}
    ]


@pytest.mark.parametrize("block", [{"type": "image", "file_id": "f"}, {"type": "image", "base64": "QUJD"}])
def test_images_without_a_picture_are_refused(block: dict[str, Any]) -> None:
    """An image that names a file of another provider, or is of unknown kind, is refused."""
    with pytest.raises(ConfigurationError, match="image"):
        to_clova_messages([HumanMessage([block])])


@pytest.mark.each_behaviour
def test_picture_is_seen(chat: Callable[..., ChatClovaX], png: bytes) -> None:
    """HCX-005 takes a picture and counts its tokens."""
    block = {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}
    answer = chat().invoke([HumanMessage([{"type": "text", "text": "무엇이 보이나요?"}, block])])
    assert answer.text
    assert answer.usage_metadata["input_tokens"] > 50


@pytest.mark.parametrize("case", ["text-only model", "tools", "response format"])
def test_pictures_that_cannot_go_along(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, png: bytes, case: str
) -> None:
    """A picture in the last turn is refused unsent; an older one becomes "[image]" with a warning."""
    block = {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}
    picture = HumanMessage([{"type": "text", "text": "보세요"}, block])
    model: Any = chat(model="HCX-DASH-002")
    if case == "tools":
        model = chat().bind_tools([look])
    elif case == "response format":
        model = chat(model="HCX-007").with_structured_output(look.args_schema)
    with pytest.raises(ConfigurationError, match="image"):
        model.invoke([picture])
    assert server.requests == []
    with pytest.warns(UserWarning, match=r"1 image\(s\) of the history .*messages\[0\]"):
        model.invoke([picture, AIMessage("보았습니다."), HumanMessage("무엇이었나요? what 을 보세요")])
    assert server.requests[-1].body["messages"][0]["content"] == "보세요\n[image]"
    assert picture.content[1] == block


def test_pictures_of_tools_become_a_placeholder() -> None:
    """A tool's picture cannot be sent: its place is kept, with a warning."""
    result = ToolMessage([{"type": "image", "base64": "iVBORw0=", "mime_type": "image/png"}], tool_call_id="c")
    with pytest.warns(UserWarning, match="tool results"):
        assert to_clova_messages([result])[0]["content"] == "[image]"


def test_too_many_pictures_are_refused(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """The documented limits on count are checked before sending."""
    block = {"type": "image", "url": URL}
    with pytest.raises(ConfigurationError, match="2 images"):
        chat().invoke([HumanMessage(["무엇?", block, block])])
    turns = [HumanMessage([f"{i}", block]) for i in range(6)]
    with pytest.raises(ConfigurationError, match="6 images"):
        chat().invoke(turns)
    assert server.requests == []


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
def test_a_result_without_its_call_is_named(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """The index is the caller's, though system messages are joined and empty answers left out; nothing is sent."""
    messages = [
        SystemMessage("가"),
        SystemMessage("나"),
        AIMessage(""),
        ToolMessage("맑음", tool_call_id="call_1"),
        HumanMessage("다"),
    ]

    def ask() -> None:
        model = chat()
        if way == "ainvoke":
            asyncio.run(model.ainvoke(messages))
        elif way == "stream":
            list(model.stream(messages))
        else:
            model.invoke(messages)

    with pytest.raises(ConfigurationError, match=r"messages\[3\] is the result of a tool .*'call_1'"):
        ask()
    assert server.requests == []
    messages[3:4] = [AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "call_1"}])]
    with pytest.warns(UserWarning, match=r"messages\[3\] has a tool call without a result"):
        ask()
