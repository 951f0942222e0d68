"""Content blocks of LangChain, of providers and of MCP: what stands for a part that is neither text nor image."""

from __future__ import annotations

import base64
import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.content import create_file_block, create_text_block
from langchain_core.tools import tool

from clova_studio import ConfigurationError
from langchain_clova._messages import to_clova_messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

RAW = b"%PDF-1.7" + bytes(range(256)) * 1_200
DATA = base64.b64encode(RAW).decode()
URI = f"data:application/pdf;base64,{DATA}"
PDF = "[file: application/pdf, 307 kB]"
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(2_000)).decode()

FILES: list[tuple[dict[str, Any], str]] = [
    ({"type": "file", "base64": DATA, "mime_type": "application/pdf"}, PDF),
    ({"type": "file", "base64": DATA}, PDF),
    ({"type": "file", "source_type": "base64", "data": DATA, "mime_type": "application/pdf"}, PDF),
    ({"type": "file", "url": "https://a.test/b.pdf"}, "[file: https://a.test/b.pdf]"),
    ({"type": "file", "url": URI}, PDF),
    ({"type": "file", "file_id": "f"}, "[file]"),
    ({"type": "file", "file": {"file_data": URI, "filename": "보고.pdf"}}, "[file: 보고.pdf, application/pdf, 307 kB]"),
    ({"type": "input_file", "file_data": URI, "filename": "a.pdf"}, "[file: a.pdf, application/pdf, 307 kB]"),
    ({"type": "audio", "base64": DATA, "mime_type": "audio/wav"}, "[audio: audio/wav, 307 kB]"),
    ({"type": "audio", "data": DATA, "mimeType": "audio/wav"}, "[audio: audio/wav, 307 kB]"),
    ({"type": "input_audio", "input_audio": {"data": DATA, "format": "mp3"}}, "[audio: audio/mp3, 307 kB]"),
    ({"type": "video", "base64": DATA, "mime_type": "video/mp4"}, "[video: video/mp4, 307 kB]"),
    ({"type": "media", "mime_type": "video/mp4", "data": RAW}, "[video: video/mp4, 307 kB]"),
    ({"type": "text-plain", "base64": DATA, "mime_type": "text/plain"}, "[file: text/plain, 307 kB]"),
    (
        {"type": "document", "source": {"type": "base64", "data": DATA}, "title": "보고"},
        "[file: 보고, application/pdf, 307 kB]",
    ),
    ({"document": {"format": "pdf", "name": "보고", "source": {"bytes": RAW}}}, "[file: 보고, pdf, 307 kB]"),
    ({"inlineData": {"mimeType": "application/pdf", "data": DATA}}, PDF),
    (
        {"type": "resource", "resource": {"uri": "file:///a.pdf", "mimeType": "application/pdf", "blob": DATA}},
        "[file: application/pdf, 307 kB, file:///a.pdf]",
    ),
]
VALUES: list[tuple[dict[str, Any], str]] = [
    ({"type": "hologram", "blob": DATA}, json.dumps({"type": "hologram", "blob": PDF})),
    ({"type": "non_standard", "value": {"blob": DATA}}, json.dumps({"blob": PDF})),
    ({"type": "json", "json": {"blob": DATA}}, json.dumps({"blob": PDF})),
    ({"name": "a", "blob": DATA}, json.dumps({"name": "a", "blob": PDF})),
]
TEXTS: list[tuple[dict[str, Any], str]] = [
    ({"type": "resource", "resource": {"uri": "file:///a", "text": "글"}}, "글"),
    ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "글"}}, "글"),
    ({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "글"}]}}, "글"),
    (
        {"type": "search_result", "source": "s", "title": "제목", "content": [{"type": "text", "text": "글"}]},
        "제목\n글",
    ),
    ({"type": "file", "source_type": "text", "mime_type": "text/plain", "text": "글"}, "글"),
    ({"type": "guard_content", "guard_content": {"text": {"text": "글"}}}, "글"),
    ({"text": "글"}, "글"),
    ({"json": {"값": 1}}, '{"값": 1}'),
    ({"text": "글", "score": 1}, '{"text": "글", "score": 1}'),
    ({"type": "image", "url": "u", "caption": "글"}, '{"type": "image", "url": "u", "caption": "글"}'),
    ({"type": "weather", "temp": 3}, '{"type": "weather", "temp": 3}'),
    ({"type": "file", "path": "a.txt", "size": 3}, '{"type": "file", "path": "a.txt", "size": 3}'),
    ({"type": "tool_result", "tool_use_id": "c", "content": ["가", {"type": "text", "text": "나"}]}, "가\n나"),
    ({"type": "reasoning", "reasoning": "비밀"}, ""),
    ({"cachePoint": {"type": "default"}}, ""),
]


@pytest.mark.parametrize(("block", "expected"), [*FILES, *VALUES])
def test_files_in_results_become_a_line(block: dict[str, Any], expected: str) -> None:
    """A file in a tool's result is a line with its type and size, with one warning; its base64 is nowhere."""
    with pytest.warns(UserWarning, match=r"messages\[0\] has a part that is sent as '\[") as caught:
        (wire,) = to_clova_messages([ToolMessage([{"type": "text", "text": "결과"}, block], tool_call_id="c")])
    assert wire["content"] == f"결과\n{expected}"
    assert len(caught) == 1


@pytest.mark.parametrize(("block", "expected"), TEXTS)
def test_texts_in_results_are_sent(block: dict[str, Any], expected: str) -> None:
    """What a block of a result has as text or as values is sent, without a warning; artefacts are not."""
    message = ToolMessage([block], tool_call_id="c", artifact={"raw": DATA}, name="report", status="error")
    assert to_clova_messages([message]) == [{"role": "tool", "toolCallId": "c", "content": expected}]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "data": PICTURE, "mimeType": "image/png"},
        {"type": "image", "source_type": "base64", "data": PICTURE, "mime_type": "image/png"},
        {"type": "media", "mime_type": "image/png", "data": PICTURE},
        {"type": "file", "base64": PICTURE, "mime_type": "image/png"},
        {"type": "resource", "resource": {"mimeType": "image/png", "blob": PICTURE}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}"},
        {"image": {"format": "png", "source": {"bytes": base64.b64decode(PICTURE)}}},
    ],
)
def test_images_of_every_provider(block: dict[str, Any]) -> None:
    """An image of the user's is sent as one; in a tool's result or an answer the service takes none: a placeholder."""
    part = {"type": "image_url", "dataUri": {"data": f"data:image/png;base64,{PICTURE}"}}
    assert to_clova_messages([HumanMessage([block])]) == [{"role": "user", "content": [part]}]
    for message in (ToolMessage([block], tool_call_id="c"), AIMessage([block])):
        with pytest.warns(UserWarning, match=r"1 image\(s\)"):
            assert to_clova_messages([message])[0]["content"] == "[image]"


def test_content_that_is_no_list_of_blocks() -> None:
    """A dict, or blocks as a JSON text, as the content of a result lose their base64 too."""
    for content in (
        {"type": "file", "data": DATA},
        json.dumps([{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}]),
        f"content=[ImageContent(type='image', data='{PICTURE}')]",
    ):
        with pytest.warns(UserWarning, match="has a part"):
            (wire,) = to_clova_messages([ToolMessage(content, tool_call_id="c")])  # type: ignore[arg-type]
        assert len(wire["content"]) < 200


@pytest.mark.parametrize(("block", "expected"), FILES)
def test_files_of_the_user(block: dict[str, Any], expected: str) -> None:
    """A file in the user's last message is refused by name; in an earlier one it is a line, with one warning."""
    asked = HumanMessage([{"type": "text", "text": "읽어 주세요"}, block])
    with pytest.raises(
        ConfigurationError, match=r"messages\[0\]\.content\[1\] has type '[^']+': the service takes text"
    ):
        to_clova_messages([asked, AIMessage("네")])
    with pytest.warns(UserWarning, match=r"messages\[0\] has a part") as caught:
        wire = to_clova_messages([asked, AIMessage("네"), HumanMessage("요약은?")])
    assert wire[0]["content"] == f"읽어 주세요\n{expected}"
    assert len(caught) == 1


def test_files_of_an_answer() -> None:
    """What another model made is a line in its answer; what it thought or searched is dropped; a refusal is text."""
    made: list[Any] = [
        {"type": "text", "text": "여기 "},
        {"type": "text", "text": "있어요"},
        {"type": "audio", "base64": DATA, "mime_type": "audio/wav"},
        {"type": "server_tool_call", "id": "s", "name": "search", "args": {}},
        {"type": "hologram"},
    ]
    with pytest.warns(UserWarning, match=r"messages\[0\] has a part"):
        (wire,) = to_clova_messages([AIMessage(made)])
    assert wire == {"role": "assistant", "content": "여기 있어요\n[audio: audio/wav, 307 kB]"}
    assert to_clova_messages([AIMessage([{"type": "refusal", "refusal": "싫어요"}])])[0]["content"] == "싫어요"


def test_several_files_are_one_warning() -> None:
    """One warning says which message is the first, and how many parts more there are."""
    block = {"type": "file", "base64": DATA}
    messages: list[BaseMessage] = [
        ToolMessage([block, block], tool_call_id="c"),
        ToolMessage([block], tool_call_id="d"),
    ]
    with pytest.warns(UserWarning, match=r"messages\[0\].* and 2 more") as caught:
        to_clova_messages(messages)
    assert len(caught) == 1


@tool
def report(name: str) -> str:
    """보고서를 찾습니다."""
    return name


def test_a_large_file_of_a_tool_is_a_small_request(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """The service reads a line in place of 82,000 tokens of base64; the estimate says so; the caller's list stays."""
    content: list[Any] = [
        create_text_block(text="보고서입니다"),
        create_file_block(base64=DATA, mime_type="application/pdf"),
    ]
    messages: list[BaseMessage] = [
        HumanMessage("보고서"),
        AIMessage("", tool_calls=[{"name": "report", "args": {"name": "a"}, "id": "c"}]),
        ToolMessage(content, tool_call_id="c"),
    ]
    model = chat().bind_tools([report])
    with pytest.warns(UserWarning, match=r"messages\[2\]"):
        assert model.invoke(messages)
    assert server.requests[-1].body["messages"][-1]["content"] == f"보고서입니다\n{PDF}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chat().get_num_tokens_from_messages(messages) < 100
    assert messages[-1].content == content
