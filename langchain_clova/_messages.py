"""LangChain's messages -> messages of the wire. Pure; the caller's list and messages are never changed.

The service takes one system message, strings or parts of text and image as content, tool calls whose arguments are
objects, and nothing else: what other providers have left in a history (thinking, tool blocks, signatures) is dropped,
what the caller put there for the model to see is sent or refused by name.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.utils.json import parse_partial_json

from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._images import PLACEHOLDER, image_part, is_image

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["wire_messages", "with_instruction"]

Content: TypeAlias = str | list[str | dict[Any, Any]]

_TEXT_TYPES = frozenset({"text", "text-plain", "input_text", "output_text"})
_ROLES = {"system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant"}


def wire_messages(messages: Sequence[BaseMessage], *, no_images: str | None = None) -> list[dict[str, Any]]:
    """Return the messages of a request.

    Args:
        messages: A conversation.
        no_images: Why this request cannot carry images, None if it can. An image of the last turn is then refused;
            older ones become ``[image]`` with a warning.

    Returns:
        Fresh dicts as ``ClovaStudio.chat`` takes them; the system messages joined into one, in front.

    Raises:
        ConfigurationError: A message holds what the service cannot take.
    """
    last_turn = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    conversation = _Conversation(no_images)
    for i, message in enumerate(messages):
        conversation.add(message, i, is_last_turn=i == last_turn)
    return conversation.finished()


def with_instruction(wire: Sequence[dict[str, Any]], instruction: str) -> list[dict[str, Any]]:
    """Return the messages of a request with a sentence more in the system message."""
    if wire and wire[0]["role"] == "system":
        return [{"role": "system", "content": f"{wire[0]['content']}\n\n{instruction}"}, *wire[1:]]
    return [{"role": "system", "content": instruction}, *wire]


class _Conversation:
    """The messages of a request as they come together."""

    def __init__(self, no_images: str | None) -> None:
        self._no_images = no_images
        self._system: list[str] = []
        self._wire: list[dict[str, Any]] = []
        self._replaced = 0

    def add(self, message: BaseMessage, i: int, *, is_last_turn: bool) -> None:
        role = _role(message, i)
        where = f"messages[{i}]"
        if role == "system":
            self._system.append(_text(message.content, where))
        elif role == "user":
            self._add_user(message.content, where, is_last_turn=is_last_turn)
        elif isinstance(message, ToolMessage):
            self._add_result(message.tool_call_id, message.content)
        elif (answer := _assistant(message)) is not None:
            self._wire.append(answer)

    def _add_user(self, content: Content, where: str, *, is_last_turn: bool) -> None:
        content, results = _without_results(content)
        for result in results:
            self._add_result(result.get("tool_use_id"), result.get("content") or "")
        if results and not content:
            return
        parts = _parts(content, where)
        if self._no_images is not None:
            self._replaced += _without_images(parts, self._no_images, where if is_last_turn else None)
        self._wire.append({"role": "user", "content": _content(parts)})

    def _add_result(self, call_id: Any, content: Content) -> None:
        text, images = _tool_result(content)
        self._replaced += images
        self._wire.append({"role": "tool", "toolCallId": call_id, "content": text})

    def finished(self) -> list[dict[str, Any]]:
        if self._replaced:
            reason = self._no_images or "tool results"
            warnings.warn(
                f"{self._replaced} image(s) of the history sent as {PLACEHOLDER!r}: images cannot go together with "
                f"{reason}",
                stacklevel=2,
            )
        if said := "\n\n".join(text for text in self._system if text.strip()):
            self._wire.insert(0, {"role": "system", "content": said})
        return self._wire


def _role(message: BaseMessage, i: int) -> str:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, AIMessage):
        return "assistant"
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, ToolMessage):
        return "tool"
    if isinstance(message, ChatMessage) and message.role in _ROLES:
        return _ROLES[message.role]
    what = f"role {message.role!r}" if isinstance(message, ChatMessage) else type(message).__name__
    raise ClovaConfigurationError(f"messages[{i}] is a {what}: the service takes system, human, AI and tool messages")


def _parts(content: Content, where: str) -> list[dict[str, Any]]:
    """Return content of a user as parts; empty texts are left out, the service refuses them."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = []
    for j, block in enumerate(content):
        if isinstance(block, Mapping) and is_image(block):
            parts.append(image_part(block))
            continue
        text = _block_text(block)
        if text is None:
            kind = block.get("type") if isinstance(block, Mapping) else type(block).__name__
            raise ClovaConfigurationError(
                f"{where}.content[{j}] has type {kind!r}: the service takes text and images; send its text instead"
            )
        if text:
            parts.append({"type": "text", "text": text})
    return parts


def _without_results(content: Content) -> tuple[Content, list[dict[Any, Any]]]:
    """Return a user's content without the tool results that Anthropic puts there, and these."""
    if isinstance(content, str):
        return content, []
    results = [block for block in content if isinstance(block, dict) and block.get("type") == "tool_result"]
    return [block for block in content if block not in results], results


def _without_images(parts: list[dict[str, Any]], reason: str, last_turn: str | None) -> int:
    """Put the placeholder in the place of images and return how many there were; refuse them in the last turn."""
    images = [j for j, part in enumerate(parts) if part["type"] == "image_url"]
    if images and last_turn is not None:
        raise ClovaConfigurationError(
            f"{last_turn} has an image, which cannot go together with {reason}: leave one of them out"
        )
    for j in images:
        parts[j] = {"type": "text", "text": PLACEHOLDER}
    return len(images)


def _content(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return parts in their simplest form: the pages of tools and structured outputs want strings."""
    if any(part["type"] == "image_url" for part in parts):
        return parts
    return "\n".join(part["text"] for part in parts)


def _text(content: Content, where: str) -> str:
    parts = _parts(content, where)
    if any(part["type"] == "image_url" for part in parts):
        raise ClovaConfigurationError(f"{where} is a system message with an image: images go in human messages")
    return "\n".join(part["text"] for part in parts)


def _block_text(block: Any) -> str | None:
    """Return the text of a block, None if it is none."""
    if isinstance(block, str):
        return block
    if isinstance(block, Mapping) and block.get("type") in _TEXT_TYPES and isinstance(block.get("text"), str):
        text: str = block["text"]
        return text
    return None


def _assistant(message: BaseMessage) -> dict[str, Any] | None:
    """Return an answer of a model as history; None for one of which nothing is left to send.

    Thinking is not sent back: the service refuses it.
    """
    content: Any = message.content
    if isinstance(content, list):
        # Text streamed in pieces may be several blocks of one text, so nothing goes in between.
        content = "".join(text for block in content if (text := _block_text(block)) is not None)
    wire: dict[str, Any] = {"role": "assistant", "content": content or ""}
    calls = _calls(message) if isinstance(message, AIMessage) else []
    if calls:
        wire["toolCalls"] = calls
    return wire if calls or wire["content"].strip() else None


def _calls(message: AIMessage) -> list[dict[str, Any]]:
    calls = [_call(call["id"], call["name"], call["args"]) for call in message.tool_calls if call.get("id")]
    # An agent answers an invalid call with a tool message, which needs its call in front of it.
    calls += [_call(call["id"], call["name"], call["args"]) for call in message.invalid_tool_calls if call.get("id")]
    known = {call["id"] for call in calls}
    if isinstance(message.content, list):
        # Blocks that stand in the content alone: messages put together by hand or by another provider.
        for block in message.content:
            if not isinstance(block, Mapping) or block.get("type") not in {"tool_call", "tool_use"}:
                continue
            if isinstance(block.get("id"), str) and block["id"] not in known:
                calls.append(_call(block["id"], block.get("name"), block.get("args", block.get("input"))))
    return calls


def _call(call_id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    if isinstance(arguments, str):
        text = arguments
        try:
            arguments = parse_partial_json(text) if text.strip() else {}
        except ValueError:
            arguments = None
        if not isinstance(arguments, Mapping):
            # The service takes objects only; the model gets to see what it wrote.
            arguments = {"invalid_json": text}
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name or "unknown", "arguments": dict(arguments or {})},
    }


def _tool_result(content: Content) -> tuple[str, int]:
    """Return the text of a tool's result and the number of images in it, which the service does not take there."""
    if isinstance(content, str):
        return content, 0
    texts = []
    images = 0
    for block in content:
        text = _block_text(block)
        if text is not None:
            texts.append(text)
        elif isinstance(block, Mapping) and is_image(block):
            images += 1
            texts.append(PLACEHOLDER)
        elif isinstance(block, Mapping):
            held = block.get("value") if block.get("type") in {"json", "non_standard"} and "value" in block else block
            texts.append(json.dumps(held, ensure_ascii=False, default=str))
    return "\n".join(texts), images
