"""What adapters send as an image: bytes that begin like one."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from client_support import Both, answer, sample
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage, ImageBlock

import clova_studio as cs
from clova_studio.adapters import data_uri, image_part
from langchain_clova import ChatClovaX
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from pathlib import Path

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


def _http(both: Both) -> Any:
    import httpx

    return httpx.Client(transport=httpx.MockTransport(both.wire))
