"""What adapters send as an image: bytes that begin like one."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from client_support import Both, answer, sample
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage, ImageBlock

import clova_studio as cs
from clova_studio.adapters import data_uri, image_part
from langchain_clova import ChatClovaX
from llama_index_clova import ClovaX

IMAGES = {
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff\xe0",
    "webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
    "bmp": b"BM\x46\x00",
}
FILES = {
    "secret": b"root:x:0:0:root:/root:/bin/bash\n" * 9,
    "gif": b"GIF89a\x01\x00",
    "riff": b"RIFF\x10\x00\x00\x00WAVEfmt ",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pdf": b"%PDF-1.7\n",
    "one byte": b"\x89",
    "nothing": b"",
}


def encoded(content: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("kind", IMAGES)
def test_images_are_told_by_their_first_bytes(kind: str) -> None:
    """Each form that the service takes passes, also with line breaks in its base64."""
    text = encoded(IMAGES[kind])
    uri = f"data:image/{kind};base64,{text}"
    assert data_uri(text, None) == uri
    assert image_part(uri)["dataUri"]["data"] == uri
    assert data_uri(f"\n{text[:3]}\n{text[3:]}", f"image/{kind}").startswith(f"data:image/{kind};base64,")


@pytest.mark.parametrize("name", FILES)
def test_other_bytes_are_refused(name: str) -> None:
    """What is not an image is refused whatever type is claimed for it; a GIF is named."""
    text = encoded(FILES[name])
    for refused in (
        lambda: data_uri(text, "image/png"),
        lambda: data_uri(f"data:image/png;base64,{text}", None),
        lambda: image_part(f"data:image/png;base64,{text}"),
        lambda: image_part("data:image/png,plain"),
        lambda: data_uri(text, None),
    ):
        with pytest.raises(cs.ConfigurationError):
            refused()
    if name == "gif":
        with pytest.raises(cs.ConfigurationError, match="it is a GIF"):
            data_uri(text, "image/png")


def test_a_block_from_json_sends_no_file(tmp_path: Path) -> None:
    """An ImageBlock that came from plain JSON, with the path of any file and a claimed type, sends nothing of it."""
    path = tmp_path / "passwd"
    path.write_bytes(FILES["secret"])
    both = Both("sync", lambda: answer(sample("v3_chat.json")))
    block = {"block_type": "image", "path": str(path), "image_mimetype": "image/png"}
    message = ChatMessage.model_validate_json(json.dumps({"role": "user", "blocks": [block]}))
    assert isinstance(message.blocks[0], ImageBlock)
    client: Any = cs.ClovaStudio("nv-test-key", http_client=_http(both))
    with pytest.raises(cs.ConfigurationError, match="an image must be"):
        ClovaX(client=client).chat([message])
    content: list[Any] = [{"type": "image", "base64": encoded(FILES["secret"]), "mime_type": "image/png"}]
    with pytest.raises(cs.ConfigurationError, match="an image must be"):
        ChatClovaX(client=client).invoke([HumanMessage(content)])
    assert not both.requests


class Endless(io.RawIOBase):
    """A file without an end, which counts what is read of it and gives little at a time."""

    def __init__(self, start: bytes) -> None:
        self.start = start
        self.given = 0

    def readable(self) -> bool:
        """Return so."""
        return True

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Go to the beginning."""
        return 0

    def read(self, size: int = -1) -> bytes:
        """Return some bytes."""
        assert 0 < size < 22 << 20
        some = min(size, 100_000)
        piece = self.start[self.given : self.given + some]
        piece += bytes(some - len(piece))
        self.given += some
        return piece


def refused(block: ImageBlock, match: str) -> None:
    """Assert that a chat with a block is refused before anything is sent."""
    both = Both("sync", lambda: answer(sample("v3_chat.json")))
    client: Any = cs.ClovaStudio("nv-test-key", http_client=_http(both))
    with pytest.raises(cs.ConfigurationError, match=match):
        ClovaX(client=client).chat([ChatMessage(role="user", blocks=[block])])
    assert not both.requests


def test_a_file_is_read_as_far_as_needed() -> None:
    """Of what is no image the first bytes are read, and of an image no more than the service takes."""
    other, image = Endless(FILES["secret"]), Endless(IMAGES["png"])
    refused(ImageBlock.model_construct(image=other), "an image must be")
    assert other.given < 100
    refused(ImageBlock.model_construct(image=image), "up to 20 MB")
    assert image.given == (20 << 20) + 1


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A file that is gone, a folder, a pipe, a device, a text file and a closed one are errors of ours."""
    gone = tmp_path / "gone.png"
    gone.write_bytes(IMAGES["png"])
    block = ImageBlock(path=gone)
    gone.unlink()
    refused(block, "is not a file")
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, Path("/dev/zero"), Path("\0")):
        refused(ImageBlock.model_construct(path=path), "is not a file|cannot be read")
    refused(ImageBlock.model_construct(image=io.StringIO("text")), "cannot be read")
    closed = io.BytesIO(IMAGES["png"])
    closed.close()
    refused(ImageBlock.model_construct(image=closed), "cannot be read")


def test_bytes_of_an_image_are_an_image(tmp_path: Path) -> None:
    """Bytes that are no base64 are the image itself, and a file of it is sent whole."""
    png = IMAGES["png"] + bytes(range(256)) * 2000
    (tmp_path / "a.png").write_bytes(png)
    blocks = [ImageBlock(image=png), ImageBlock(image=io.BytesIO(png)), ImageBlock(path=tmp_path / "a.png")]
    blocks.append(ImageBlock.model_construct(image=png))
    for block in blocks:
        both = Both("sync", lambda: answer(sample("v3_chat.json")))
        client: Any = cs.ClovaStudio("nv-test-key", http_client=_http(both))
        ClovaX(client=client).chat([ChatMessage(role="user", blocks=[block])])
        body = json.loads(both.requests[0].content)
        assert body["messages"][0]["content"][0]["dataUri"]["data"] == f"data:image/png;base64,{encoded(png)}"
    refused(ImageBlock.model_construct(image=b"\xff\xfe of a text"), "an image must be")


def _http(both: Both) -> Any:
    import httpx

    return httpx.Client(transport=httpx.MockTransport(both.wire))
