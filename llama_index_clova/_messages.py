"""Translates LlamaIndex's messages to the wire's. The caller's list and messages are never changed.

What other providers have left in a history (thinking, cache points) is dropped; what the caller put there for the model
is sent or refused by name. An image's URL is not fetched; an image's file is read.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.llms.utils import parse_partial_json

from clova_studio import ConfigurationError
from clova_studio.adapters import IMAGE_PLACEHOLDER, Conversation, data_uri, image_part, read_image, text_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clova_studio.adapters import ClovaMessages

__all__ = ["to_clova_messages", "tool_calls_of"]

_SYSTEM = frozenset({MessageRole.SYSTEM, MessageRole.DEVELOPER})
_ASSISTANT = frozenset({MessageRole.ASSISTANT, MessageRole.CHATBOT, MessageRole.MODEL})
_TOOL = frozenset({MessageRole.TOOL, MessageRole.FUNCTION})
# Artefacts of a provider, which mean nothing to the model, and tool calls, which are read separately.
_DROPPED = (ThinkingBlock, CachePoint, ToolCallBlock)


def to_clova_messages(messages: Sequence[ChatMessage], *, no_images: str | None = None) -> ClovaMessages:
    """Return the messages of a request as new dicts in the wire's form, with all system messages joined into the first.

    ``no_images`` says what rules out images. An image in the last turn is then refused; older ones are replaced.
    """
    last_turn = max((i for i, message in enumerate(messages) if message.role == MessageRole.USER), default=-1)
    conversation = Conversation(no_images, parse_json=parse_partial_json)
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        if message.role in _SYSTEM:
            conversation.add_system(list(_parts(message, where)), where)
        elif message.role in _ASSISTANT:
            _check_ids(message, where)
            conversation.add_assistant(_said(message), tool_calls_of(message), where=where)
        elif message.role in _TOOL:
            _add_result(conversation, message, where)
        else:
            conversation.add_user(list(_parts(message, where)), where, is_last_turn=i == last_turn)
    return conversation.finished()


def tool_calls_of(message: ChatMessage) -> list[tuple[str, str, Any]]:
    """Return id, name and arguments (a dict or JSON) of each tool call of a message: its blocks, then its kwargs."""
    calls: list[tuple[str, str, Any]] = [
        (block.tool_call_id, block.tool_name, block.tool_kwargs)
        for block in message.blocks
        if isinstance(block, ToolCallBlock) and block.tool_call_id
    ]
    known = {call[0] for call in calls}
    # Messages from versions without blocks, and those of other providers.
    held = message.additional_kwargs.get("tool_calls")
    for call in held if isinstance(held, list) else ():
        function = _get(call, "function")
        call_id = _get(call, "id")
        if function is not None and isinstance(call_id, str) and call_id not in known:
            calls.append((call_id, _get(function, "name"), _get(function, "arguments")))
    return calls


def _get(held: Any, name: str) -> Any:
    return held.get(name) if isinstance(held, Mapping) else getattr(held, name, None)


def _parts(message: ChatMessage, where: str) -> Iterator[dict[str, Any]]:
    """Yield the parts of a message, without empty texts, which the service refuses."""
    for j, block in enumerate(message.blocks):
        yield from _block_parts(block, f"{where}.blocks[{j}]")


def _block_parts(block: Any, where: str) -> Iterator[dict[str, Any]]:
    if isinstance(block, TextBlock):
        if block.text:
            yield text_part(block.text)
    elif isinstance(block, ImageBlock):
        yield image_part(_image(block, where))
    elif isinstance(block, CitableBlock):
        for held in block.content:
            yield from _block_parts(held, where)
    elif isinstance(block, CitationBlock):
        yield from _block_parts(block.cited_content, where)
    elif not isinstance(block, _DROPPED):
        raise ConfigurationError(
            f"{where} is a {type(block).__name__}: the service takes text and images; send its text instead"
        )


def _image(block: ImageBlock, where: str) -> str:
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
                raise ConfigurationError(f"{where}: the image {block.path} is not a file")
            with Path(block.path).open("rb") as file:
                return read_image(file, block.image_mimetype)
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{where}: the image cannot be read: {exc}") from exc
    raise ConfigurationError(f"{where} is an empty ImageBlock: give it an image, a path or a url")


def _check_ids(message: ChatMessage, where: str) -> None:
    for j, block in enumerate(message.blocks):
        if isinstance(block, ToolCallBlock) and not block.tool_call_id:
            raise ConfigurationError(
                f"{where}.blocks[{j}] is a call of {block.tool_name} without a tool_call_id: give it the one that the "
                "tool's result names"
            )


def _said(message: ChatMessage) -> str:
    return "\n".join(block.text for block in message.blocks if isinstance(block, TextBlock))


def _add_result(conversation: Conversation, message: ChatMessage, where: str) -> None:
    call_id = message.additional_kwargs.get("tool_call_id")
    if not call_id:
        raise ConfigurationError(
            f"{where} is a tool result that names no call: give it additional_kwargs={{'tool_call_id': ...}}"
        )
    texts = []
    images = 0
    for block in message.blocks:
        if isinstance(block, ImageBlock):
            images += 1
            texts.append(IMAGE_PLACEHOLDER)
        else:
            texts += [part["text"] for part in _block_parts(block, where) if part["type"] == "text"]
    conversation.add_tool_result(call_id, "\n".join(texts), images=images, where=where)
