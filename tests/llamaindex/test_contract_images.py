"""Images in messages: what is sent of them, and what is refused before it is sent."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    VideoBlock,
)
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.core.types import PydanticProgramMode
from llama_support import CHAT, STRUCTURED, WITH_TOOLS, replay, run
from pydantic import BaseModel

from clova_studio import ConfigurationError
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer


def make_png(size: int = 8) -> bytes:
    """Return a black square as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\0\0\0" * size) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PNG = make_png()
BMP = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 8, 8, 1, 24, 0, 4, 0, 0, 0, 0) + b"\0" * 4
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xc0\0\x0b\x08\0\x08\0\x08\1\1\x11\0" + b"\0" * 16
WEBP = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x07\0\0\x07\0\0" + b"\0" * 4
URL = "https://img.example.com/a%20dir/dog.png?size=1&x=%ED%95%9C"


class Seen(BaseModel):
    """본 것."""

    what: str


def look(what: str) -> str:
    """무엇을 봅니다."""
    return what


LOOK = FunctionTool.from_defaults(look)


def picture(**given: Any) -> ChatMessage:
    """Return a question with a picture behind it."""
    return ChatMessage(blocks=[TextBlock(text="무엇이 보이나요?"), ImageBlock(**given)])


def data_part(content: bytes, kind: str = "png") -> dict[str, Any]:
    """Return the wire's part for an image that is sent along."""
    data = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return {"type": "image_url", "dataUri": {"data": data}}


@pytest.mark.parametrize("way", CHAT)
def test_addresses_are_passed_on(server: EmulatorServer, account: Any, way: str) -> None:
    """A URL is sent as it was given and never fetched; text and image keep their order."""
    near = f"{server.base_url}/secret/cat.jpg"
    for url in (URL, near):
        last = run(ClovaX(**account), way, [picture(url=url)])[-1]
        assert server.requests[-1].body["messages"] == [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "무엇이 보이나요?"},
                    {"type": "image_url", "imageUrl": {"url": url}},
                ],
            }
        ]
        assert last.message.content == replay(server)["message"]["content"]
    assert all(request.method == "POST" for request in server.requests)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", CHAT)
def test_picture_in_any_form(server: EmulatorServer, account: Any, tmp_path: Path, way: str) -> None:
    """Bytes, base64, a file, an open file and a data URI are all sent as the full data URI."""
    path = tmp_path / "그림 1.png"
    path.write_bytes(PNG)
    encoded = base64.b64encode(PNG)
    forms: list[dict[str, Any]] = [
        {"image": PNG},
        {"image": encoded},
        {"image": encoded, "image_mimetype": "image/png"},
        {"path": path},
        {"image": io.BytesIO(PNG)},
        {"url": f"data:image/png;base64,{encoded.decode()}"},
    ]
    llm = ClovaX(**account)
    for form in forms:
        assert run(llm, way, [picture(**form)])[-1].message.content
        assert server.requests[-1].body["messages"][0]["content"][1] == data_part(PNG), form


@pytest.mark.parametrize(
    ("content", "kind"), [(BMP, "bmp"), (JPEG, "jpeg"), (WEBP, "webp")], ids=["bmp", "jpeg", "webp"]
)
def test_kinds_of_pictures(server: EmulatorServer, account: Any, content: bytes, kind: str) -> None:
    """The type of a picture is told by its bytes."""
    ClovaX(**account).chat([picture(image=content)])
    assert server.requests[-1].body["messages"][0]["content"][1] == data_part(content, kind)


def test_picture_alone_and_before_the_text(server: EmulatorServer, account: Any) -> None:
    """A picture needs no text, and may stand before it."""
    llm = ClovaX(**account)
    llm.chat([ChatMessage(blocks=[ImageBlock(image=PNG)])])
    llm.chat([ChatMessage(blocks=[ImageBlock(image=PNG), TextBlock(text="무엇?")])])
    contents = [request.body["messages"][0]["content"] for request in server.requests]
    assert contents == [[data_part(PNG)], [data_part(PNG), {"type": "text", "text": "무엇?"}]]


@pytest.mark.parametrize("way", CHAT)
def test_limits_are_checked_before_sending(server: EmulatorServer, account: Any, way: str) -> None:
    """Two pictures in a message, and six in a request, are refused; five in five messages are not."""
    llm = ClovaX(**account)
    two = ChatMessage(blocks=[TextBlock(text="무엇?"), ImageBlock(image=PNG), ImageBlock(url=URL)])
    for messages in ([two], [picture(url=URL) for _ in range(6)]):
        with pytest.raises(ConfigurationError, match="image"):
            run(llm, way, messages)
    assert server.requests == []
    assert run(llm, way, [picture(url=URL) for _ in range(5)])[-1].message.content


@pytest.mark.parametrize("model", ["HCX-007", "HCX-DASH-002", "HCX-003"])
@pytest.mark.parametrize("way", CHAT)
def test_models_of_text_alone(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """A picture in the last turn is refused unsent; an older one becomes a placeholder with a warning."""
    llm = ClovaX(model=model, **account)
    with pytest.raises(ConfigurationError, match="image"):
        run(llm, way, [picture(image=PNG)])
    assert server.requests == []
    history = [picture(image=PNG), ChatMessage("강아지", role="assistant"), ChatMessage("정말?")]
    with pytest.warns(UserWarning, match="image"):
        run(llm, way, history)
    assert server.requests[-1].body["messages"][0]["content"] == "무엇이 보이나요?\n[image]"
    assert history[0].blocks[1].block_type == "image"


@pytest.mark.parametrize("way", WITH_TOOLS)
def test_pictures_do_not_go_with_tools(server: EmulatorServer, account: Any, way: str) -> None:
    """With tools a picture in the last turn is refused unsent, and an older one becomes a placeholder."""
    llm = ClovaX(**account)
    with pytest.raises(ConfigurationError, match=r"image.*tools"):
        run(llm, way, [LOOK], user_msg=picture(url=URL))
    assert server.requests == []
    with pytest.warns(UserWarning, match="tools"):
        run(llm, way, [LOOK], user_msg="안녕", chat_history=[picture(url=URL)])
    assert "[image]" in server.requests[-1].body["messages"][0]["content"]


@pytest.mark.parametrize("settings", [{"model": "HCX-007"}, {"pydantic_program_mode": PydanticProgramMode.FUNCTION}])
@pytest.mark.parametrize("way", STRUCTURED)
def test_pictures_do_not_go_with_objects(server: EmulatorServer, account: Any, settings: Any, way: str) -> None:
    """About a picture a model that sees none, and a tool that is pinned, are refused unsent."""
    prompt = ChatPromptTemplate([picture(url=URL)])
    with pytest.raises(ConfigurationError, match="image"):
        run(ClovaX(**settings, **account), way, Seen, prompt)
    assert server.requests == []


def test_pictures_elsewhere(server: EmulatorServer, account: Any) -> None:
    """A picture in a system message is refused; one in a tool's result becomes a placeholder with a warning."""
    llm = ClovaX(**account)
    with pytest.raises(ConfigurationError, match="image"):
        llm.chat([ChatMessage(role="system", blocks=[ImageBlock(url=URL)]), ChatMessage("안녕")])
    assert server.requests == []
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": {"what": "개"}}}
    result = ChatMessage(
        role="tool",
        blocks=[TextBlock(text="보세요"), ImageBlock(image=PNG)],
        additional_kwargs={"tool_call_id": "call_1"},
    )
    answer = ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [call]})
    with pytest.warns(UserWarning, match="image"):
        llm.chat([ChatMessage("개를 보여 줘"), answer, result])
    assert server.requests[-1].body["messages"][2]["content"] == "보세요\n[image]"


def test_unusable_images_are_told(server: EmulatorServer, account: Any, tmp_path: Path) -> None:
    """An image block without an image, or of an unknown kind, is refused and nothing is sent or downloaded."""
    for given in ({}, {"image": b"\0\1\2 no picture"}, {"url": "ftp://img.example.com/a.png"}):
        with pytest.raises((ConfigurationError, ValueError)):
            ClovaX(**account).chat([picture(**given)])
    assert server.requests == []


@pytest.mark.parametrize(
    "block",
    [
        AudioBlock(audio=b"RIFF----WAVE", format="wav"),
        VideoBlock(video=b"----ftyp", video_mimetype="video/mp4"),
        DocumentBlock(data=b"%PDF-1.4", document_mimetype="application/pdf"),
    ],
    ids=["audio", "video", "document"],
)
def test_what_the_service_cannot_take_is_refused(server: EmulatorServer, account: Any, block: Any) -> None:
    """Sounds, films and files are refused by name, never dropped silently."""
    with pytest.raises(ConfigurationError, match=type(block).__name__):
        ClovaX(**account).chat([ChatMessage(blocks=[TextBlock(text="무엇?"), block])])
    assert server.requests == []


def test_cache_points_are_no_content(server: EmulatorServer, account: Any) -> None:
    """A hint for another provider's cache is left out."""
    point = CachePoint(cache_control=CacheControl(type="ephemeral"))
    ClovaX(**account).chat([ChatMessage(blocks=[TextBlock(text="안녕"), point])])
    assert server.requests[-1].body["messages"] == [{"role": "user", "content": "안녕"}]
