"""Translates LangChain's messages to the wire's. Pure; the caller's list and messages are never changed.

The service takes one system message, strings or parts of text and image as content, tool calls whose arguments are
objects, and nothing else. What other providers have left in a history (thinking, tool blocks, signatures) is dropped;
what the caller put there for the model is sent or refused by name.
"""

from __future__ import annotations

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

from clova_studio.adapters import IMAGE_PLACEHOLDER, Conversation, json_text, text_part
from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._images import image_part_of, is_image

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from clova_studio.adapters import ClovaMessages

__all__ = ["has_tool_turns", "shows_images", "to_clova_messages"]

Content: TypeAlias = str | list[str | dict[Any, Any]]

_TEXT_TYPES = frozenset({"text", "text-plain", "input_text", "output_text"})
_TOOL_TYPES = frozenset({"tool_call", "tool_use", "tool_result"})
_ROLES = {"system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant"}


def to_clova_messages(messages: Sequence[BaseMessage], *, no_images: str | None = None) -> ClovaMessages:
    """Return the messages of a request as new dicts in the wire's form, with all system messages joined into the first.

    ``no_images`` says what rules out images. An image in the last turn is then refused; older ones are replaced.
    """
    last_turn = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    conversation = Conversation(no_images, parse_json=parse_partial_json)
    for i, message in enumerate(messages):
        role = _role(message, i)
        where = f"messages[{i}]"
        if role == "system":
            conversation.add_system(_parts(message.content, where), where)
        elif role == "user":
            _add_user(conversation, message.content, where, is_last_turn=i == last_turn)
        elif isinstance(message, ToolMessage):
            _add_result(conversation, message.tool_call_id, message.content, where)
        else:
            conversation.add_assistant(*_answer(message, answered), where=where)
    return conversation.finished()


def has_tool_turns(messages: Sequence[BaseMessage]) -> bool:
    """Return whether there are tool calls or results of tools in a conversation."""
    return any(
        isinstance(message, ToolMessage)
        or (isinstance(message, AIMessage) and bool(message.tool_calls or message.invalid_tool_calls))
        or _has_tool_blocks(message.content)
        for message in messages
    )


def _has_tool_blocks(content: Content) -> bool:
    return not isinstance(content, str) and any(
        isinstance(block, Mapping) and block.get("type") in _TOOL_TYPES for block in content
    )


def shows_images(messages: Sequence[BaseMessage]) -> bool:
    """Return whether the last message of the user has an image."""
    last = next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)
    if last is None or isinstance(last.content, str):
        return False
    return any(isinstance(block, Mapping) and is_image(block) for block in last.content)


def _add_user(conversation: Conversation, content: Content, where: str, *, is_last_turn: bool) -> None:
    content, results = _without_results(content)
    for result in results:
        _add_result(conversation, result.get("tool_use_id"), result.get("content") or "", where)
    if content or not results:
        conversation.add_user(_parts(content, where), where, is_last_turn=is_last_turn)


def _add_result(conversation: Conversation, call_id: Any, content: Content, where: str) -> None:
    text, images = _tool_result(content)
    conversation.add_tool_result(call_id, text, images=images, where=where)


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
    """Return the content of a message as parts, without empty texts, which the service refuses."""
    if isinstance(content, str):
        return [text_part(content)]
    parts = []
    for j, block in enumerate(content):
        if isinstance(block, Mapping) and is_image(block):
            parts.append(image_part_of(block))
            continue
        text = _block_text(block)
        if text is None:
            kind = block.get("type") if isinstance(block, Mapping) else type(block).__name__
            raise ClovaConfigurationError(
                f"{where}.content[{j}] has type {kind!r}: the service takes text and images; send its text instead"
            )
        if text:
            parts.append(text_part(text))
    return parts


def _without_results(content: Content) -> tuple[Content, list[dict[Any, Any]]]:
    """Return a user's content without tool results, which Anthropic's format has there, and those results."""
    if isinstance(content, str):
        return content, []
    results = [block for block in content if isinstance(block, dict) and block.get("type") == "tool_result"]
    return [block for block in content if block not in results], results


def _block_text(block: Any) -> str | None:
    """Return the text of a block, None if it is not a text block."""
    if isinstance(block, str):
        return block
    if isinstance(block, Mapping) and block.get("type") in _TEXT_TYPES and isinstance(block.get("text"), str):
        text: str = block["text"]
        return text
    return None


def _answer(message: BaseMessage, answered: Container[Any]) -> tuple[str, list[tuple[Any, Any, Any]]]:
    """Return the text and the tool calls of a model's answer."""
    content: Any = message.content
    if isinstance(content, list):
        # Streamed text may be one text in several blocks, so they are joined without a separator.
        content = "".join(text for block in content if (text := _block_text(block)) is not None)
    return content or "", _calls(message, answered) if isinstance(message, AIMessage) else []


def _calls(message: AIMessage, answered: Container[Any]) -> list[tuple[Any, Any, Any]]:
    # A tool message that answers an invalid call must follow its call. Without an answer the service refuses the call.
    both = [*message.tool_calls, *(call for call in message.invalid_tool_calls if call.get("id") in answered)]
    calls: list[tuple[Any, Any, Any]] = [(call["id"], call["name"], call["args"]) for call in both if call.get("id")]
    known = {call[0] for call in calls}
    if isinstance(message.content, list):
        # Blocks that are only in the content: in messages made by hand or by another provider.
        for block in message.content:
            if not isinstance(block, Mapping) or block.get("type") not in {"tool_call", "tool_use"}:
                continue
            if isinstance(block.get("id"), str) and block["id"] not in known:
                calls.append((block["id"], block.get("name"), block.get("args", block.get("input"))))
    return calls


def _tool_result(content: Content) -> tuple[str, int]:
    """Return the text of a tool's result, and the number of images in it, which are replaced."""
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
            texts.append(IMAGE_PLACEHOLDER)
        elif isinstance(block, Mapping):
            held = block.get("value") if block.get("type") in {"json", "non_standard"} and "value" in block else block
            texts.append(json_text(held))
    return "\n".join(texts), images
