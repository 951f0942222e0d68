"""Translates LlamaIndex's messages to the wire's. The caller's list and messages are never changed.

What other providers have left in a history (thinking, cache points) is dropped, their forms of tool calls and results
become the service's; what the caller put there for the model is sent or refused by name. An image's URL is not fetched;
an image's file is read.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.llms.utils import parse_partial_json

from clova_studio import ConfigurationError
from clova_studio.adapters import (
    IMAGE_PLACEHOLDER,
    Attachment,
    Conversation,
    FoundCall,
    attachment,
    call_in,
    data_uri,
    field_of,
    image_part,
    read_image,
    text_part,
    united_calls,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clova_studio.adapters import ClovaMessages

__all__ = ["has_tools", "to_clova_messages", "tool_calls_of"]

_SYSTEM = frozenset({MessageRole.SYSTEM, MessageRole.DEVELOPER})
_ASSISTANT = frozenset({MessageRole.ASSISTANT, MessageRole.CHATBOT, MessageRole.MODEL})
_TOOL = frozenset({MessageRole.TOOL, MessageRole.FUNCTION})
# Artefacts of a provider, which mean nothing to the model, and tool calls, which are read separately.
_DROPPED = (ThinkingBlock, CachePoint, ToolCallBlock)
_CALL_IDS = ("tool_call_id", "tool_use_id", "toolUseId", "call_id")
_TOOL_NAMES = ("name", "tool_name", "function_name")


def to_clova_messages(
    messages: Sequence[ChatMessage],
    *,
    no_images: str | None = None,
    names: Sequence[str] | None = None,
    is_counted: bool = False,
) -> ClovaMessages:
    """Return the messages of a request as new dicts in the wire's form, with all system messages joined into the first.

    ``no_images`` says what rules out images. An image in the last turn is then refused; older ones are replaced.
    ``names`` has what errors call each message, by default ``messages[0]`` and so on.
    Messages that are only counted may be any part of a conversation, in any order: nothing is refused.
    """
    last_turn = max((i for i, message in enumerate(messages) if message.role == MessageRole.USER), default=-1)
    conversation = Conversation(no_images, parse_json=parse_partial_json, is_counted=is_counted)
    for i, message in enumerate(messages):
        where = f"messages[{i}]" if names is None else names[i]
        is_last_turn = i == last_turn
        if message.role in _ASSISTANT:
            text, images, attachments = _text_of(message, where)
            conversation.add_assistant(text, _found_calls(message), images=images, attachments=attachments, where=where)
        elif message.role in _TOOL:
            text, images, attachments = _text_of(message, where)
            kwargs = message.additional_kwargs
            conversation.add_tool_result(
                field_of(kwargs, *_CALL_IDS),
                text,
                name=field_of(kwargs, *_TOOL_NAMES),
                images=images,
                attachments=attachments,
                where=where,
            )
        else:
            reads_images = no_images is None or (is_last_turn and not is_counted)
            parts = list(_parts(message, where, reads_images=reads_images, is_counted=is_counted))
            if message.role in _SYSTEM:
                conversation.add_system(parts, where)
            else:
                conversation.add_user(parts, where, is_last_turn=is_last_turn)
    return conversation.finished()


def tool_calls_of(message: ChatMessage) -> list[tuple[str, str, Any]]:
    """Return id, name and arguments (a dict or JSON) of each tool call of a message: its blocks, then its kwargs."""
    return [(str(call.id or ""), call.name, call.arguments) for call in _found_calls(message)]


def has_tools(message: ChatMessage) -> bool:
    """Return whether a message is a tool's result, or has tool calls."""
    return message.role in _TOOL or bool(_found_calls(message))


def _found_calls(message: ChatMessage) -> list[FoundCall]:
    in_blocks = [
        FoundCall(block.tool_call_id, block.tool_name, block.tool_kwargs)
        for block in message.blocks
        if isinstance(block, ToolCallBlock)
    ]
    # Messages from versions without blocks, and those of other providers.
    kwargs = message.additional_kwargs
    if not kwargs:
        return in_blocks
    held = kwargs.get("tool_calls")
    held = [held] if isinstance(held, Mapping) else held
    # Of several calls that were taken out of the message later, these are left: without a result none is sent.
    is_optional = bool(in_blocks)
    found = (call_in(raw, is_optional=is_optional) for raw in (held if isinstance(held, (list, tuple)) else ()))
    in_kwargs = [call for call in found if call is not None]
    if not (in_blocks or in_kwargs) and (call := call_in(kwargs.get("function_call"))) is not None:
        in_kwargs = [call]
    return united_calls(in_blocks, in_kwargs) if in_kwargs else in_blocks


def _parts(
    message: ChatMessage, where: str, *, reads_images: bool, is_counted: bool
) -> Iterator[dict[str, Any] | Attachment]:
    """Yield the parts of a message, without empty texts, which the service refuses."""
    for j, block in enumerate(message.blocks):
        for piece in _pieces(block, f"{where}.blocks[{j}]"):
            if isinstance(piece, str):
                if piece:
                    yield text_part(piece)
            elif isinstance(piece, Attachment):
                yield piece
            elif not reads_images:
                yield {"type": "image_url"}
            else:
                yield _image_part(piece, f"{where}.blocks[{j}]", is_counted=is_counted)


def _text_of(message: ChatMessage, where: str) -> tuple[str, int, list[Attachment]]:
    """Return the text of an answer or a result, the number of its images, and what else is replaced in it."""
    texts: list[str] = []
    images = 0
    attachments: list[Attachment] = []
    for j, block in enumerate(message.blocks):
        for piece in _pieces(block, f"{where}.blocks[{j}]"):
            if isinstance(piece, ImageBlock):
                images += 1
                texts.append(IMAGE_PLACEHOLDER)
            elif isinstance(piece, Attachment):
                attachments.append(piece)
                texts.append(piece.placeholder)
            else:
                texts.append(piece)
    return "\n".join(texts), images, attachments


def _pieces(block: Any, where: str) -> Iterator[str | ImageBlock | Attachment]:
    """Yield what a block is to this service; artefacts of providers are nothing."""
    if isinstance(block, TextBlock):
        yield block.text
    elif isinstance(block, ImageBlock):
        yield block
    elif isinstance(block, CitableBlock):
        for held in block.content:
            yield from _pieces(held, where)
    elif isinstance(block, CitationBlock):
        yield from _pieces(block.cited_content, where)
    elif not isinstance(block, _DROPPED):
        yield _attachment(block, f"{where} is a {type(block).__name__}")


def _attachment(block: Any, label: str) -> Attachment:
    if isinstance(block, DocumentBlock):
        title = None if block.title == "input_document" else block.title  # the name that LlamaIndex gives by itself
        return _described("file", block, block.data, block.document_mimetype, label, name=title)
    if isinstance(block, AudioBlock):
        mime_type = f"audio/{block.format}" if block.format else None
        return _described("audio", block, block.audio, mime_type, label)
    if isinstance(block, VideoBlock):
        return _described("video", block, block.video, block.video_mimetype, label)
    kind = getattr(block, "block_type", None)
    return Attachment(kind if isinstance(kind, str) else type(block).__name__, label=label)


def _described(
    kind: str, block: Any, data: Any, mime_type: str | None, label: str, *, name: str | None = None
) -> Attachment:
    size = None
    if isinstance(data, (bytes, bytearray)):
        # Base64, as these blocks keep whatever they were given.
        data = bytes(data).decode("ascii", "replace")
    elif data is not None:
        data, size = None, _size_of(data)
    elif block.path is not None:
        path = Path(block.path)
        name = name or path.name
        size = path.stat().st_size if path.is_file() else None
    url = None if block.url is None else str(block.url)
    return attachment(kind, data=data, mime_type=mime_type, name=name, url=url, size=size, label=label)


def _size_of(file: Any) -> int | None:
    """Return the number of bytes of an open file, which is left where it was."""
    try:
        position = file.tell()
        size: int = file.seek(0, 2)
        file.seek(position)
    except (OSError, ValueError, AttributeError):
        return None
    return size


def _image_part(block: ImageBlock, where: str, *, is_counted: bool) -> dict[str, Any]:
    try:
        return image_part(_image(block))
    except ConfigurationError as error:
        if is_counted:
            return {"type": "image_url"}
        raise ConfigurationError(f"{where}: {error.message}") from error


def _image(block: ImageBlock) -> str:
    """Return an image as a URL or a data URI."""
    if block.url is not None:
        return str(block.url)
    if isinstance(block.image, bytes):
        try:
            # Base64, as the block keeps whatever it was given; what was put there later may be the image itself.
            encoded = block.image.decode("ascii")
        except UnicodeDecodeError:
            encoded = base64.b64encode(block.image).decode("ascii")
        return data_uri(encoded, block.image_mimetype)
    try:
        if block.image is not None:
            block.image.seek(0)
            return read_image(block.image, block.image_mimetype)
        if block.path is not None:
            if not Path(block.path).is_file():
                raise ConfigurationError(f"the image {block.path} is not a file")
            with Path(block.path).open("rb") as file:
                return read_image(file, block.image_mimetype)
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"the image cannot be read: {exc}") from exc
    raise ConfigurationError("an empty ImageBlock: give it an image, a path or a url")
