"""Builds the wire's messages from a conversation of any framework. Pure; arguments are never changed.

The service takes one system message, strings or parts of text and image as content, tool calls whose arguments are
objects, and nothing else. The adapters read the blocks of their framework; what is sent of them is decided here.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clova_studio._errors import ConfigurationError
from clova_studio._requests.messages import ClovaMessage, ClovaMessages, kind_of
from clova_studio.adapters._images import IMAGE_PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Conversation", "json_text", "text_part", "tools_as_text", "with_instruction"]


# Tool calls and tool results in requests that can only contain them as text.
_CALL = "[tool call] {name}({arguments})"
_RESULT = "[tool result] {name}: {text}"


def text_part(text: str) -> dict[str, Any]:
    """Return the wire's part for a text.

    Args:
        text: The text, as it is.
    """
    return {"type": "text", "text": text}


def with_instruction(wire: Sequence[dict[str, Any]], instruction: str) -> list[dict[str, Any]]:
    """Return the messages of a request with one more sentence in the system message.

    Args:
        wire: The messages in the wire's form; they are not changed. If the first is no system message, one is added.
        instruction: The sentence.
    """
    kind = kind_of(wire)
    if wire and wire[0]["role"] == "system":
        wire, instruction = wire[1:], f"{wire[0]['content']}\n\n{instruction}"
    return kind([{"role": "system", "content": instruction}, *wire])


def tools_as_text(wire: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages of a request with tool calls and their results as text of the model and of the user.

    Args:
        wire: The messages in the wire's form; they are not changed.
    """
    if not any(message["role"] == "tool" or "toolCalls" in message for message in wire):
        return wire
    names: dict[Any, str] = {}
    told: list[dict[str, Any]] = []
    after_result = False
    for message in wire:
        if message["role"] == "tool":
            text = _RESULT.format(name=names.get(message.get("toolCallId"), "tool"), text=message["content"])
            if after_result:
                text = f"{told.pop()['content']}\n{text}"
            told.append({"role": "user", "content": text})
        elif calls := message.get("toolCalls"):
            lines = [message["content"]] if message["content"] else []
            for call in calls:
                function = call["function"]
                names[call["id"]] = function["name"]
                lines.append(_CALL.format(name=function["name"], arguments=json_text(function["arguments"])))
            told.append({"role": message["role"], "content": "\n".join(lines)})
        else:
            told.append(message)
        after_result = message["role"] == "tool"
    return kind_of(wire)(told)


class Conversation:
    """Collects the messages of a request.

    Args:
        no_images: What rules out images in this request, None if nothing does. If something does, an image in the last
            turn is refused; older ones become ``[image]`` with a warning.
        parse_json: Parses the arguments of a tool call from text, which may be truncated. It raises ValueError or
            returns something other than a mapping if it cannot.
    """

    def __init__(self, no_images: str | None, *, parse_json: Callable[[str], Any]) -> None:
        self._no_images = no_images
        self._parse_json = parse_json
        self._system: list[str] = []
        self._wire = ClovaMessages()
        self._replaced = 0

    def add_system(self, parts: list[dict[str, Any]], where: str) -> None:
        """Add a system message; all system messages are joined into one at the start.

        Args:
            parts: Parts of text.
            where: The message's name in an error, such as ``messages[0]``.

        Raises:
            ConfigurationError: One part is an image.
        """
        if any(part["type"] == "image_url" for part in parts):
            raise ConfigurationError(f"{where} is a system message with an image: images belong in user messages")
        self._system.append("\n".join(part["text"] for part in parts))

    def add_user(self, parts: list[dict[str, Any]], where: str, *, is_last_turn: bool) -> None:
        """Add a message of the user.

        Args:
            parts: Parts of text and image.
            where: The message's name in an error, such as ``messages[0]``.
            is_last_turn: Whether no message of the user follows.

        Raises:
            ConfigurationError: There is an image in the last turn, and the request cannot carry it.
        """
        if self._no_images is not None:
            images = [j for j, part in enumerate(parts) if part["type"] == "image_url"]
            if images and is_last_turn:
                raise ConfigurationError(
                    f"{where} has an image, which cannot be combined with {self._no_images}: leave one of them out"
                )
            parts = [text_part(IMAGE_PLACEHOLDER) if j in images else part for j, part in enumerate(parts)]
            self._replaced += len(images)
        # A string where possible: the pages on tools and structured outputs require it.
        has_image = any(part["type"] == "image_url" for part in parts)
        content = parts if has_image else "\n".join(part["text"] for part in parts)
        self._wire.append(ClovaMessage(where, role="user", content=content))

    def add_assistant(self, text: str, calls: Sequence[tuple[Any, Any, Any]] = (), *, where: str = "") -> None:
        """Add an answer of the model, unless it has neither text nor tool calls.

        Args:
            text: Its text, without the thinking, which the service refuses in a history.
            calls: Id, name and arguments (a mapping or JSON text) of each tool call.
            where: The message's name in an error, such as ``messages[0]``; empty for the index on the wire.
        """
        wire = ClovaMessage(where, role="assistant", content=text)
        if calls:
            wire["toolCalls"] = [self._call(*call) for call in calls]
        if calls or text.strip():
            self._wire.append(wire)

    def add_tool_result(self, call_id: Any, text: str, *, images: int = 0, where: str = "") -> None:
        """Add the result of a tool.

        Args:
            call_id: The id of the call that it answers.
            text: The result, with ``[image]`` for each image, since the service takes only text here.
            images: The number of these images.
            where: The message's name in an error, such as ``messages[0]``; empty for the index on the wire.
        """
        self._replaced += images
        self._wire.append(ClovaMessage(where, role="tool", toolCallId=call_id, content=text))

    def finished(self) -> ClovaMessages:
        """Return the messages as new dicts, which the client does not translate again."""
        if self._replaced:
            reason = self._no_images or "tool results"
            warnings.warn(
                f"{self._replaced} image(s) of the history sent as {IMAGE_PLACEHOLDER!r}: images cannot be combined "
                f"with {reason}",
                stacklevel=2,
            )
        if said := "\n\n".join(text for text in self._system if text.strip()):
            self._wire.insert(0, {"role": "system", "content": said})
        return self._wire

    def _call(self, call_id: Any, name: Any, arguments: Any) -> dict[str, Any]:
        if isinstance(arguments, str):
            text = arguments
            try:
                arguments = self._parse_json(text) if text.strip() else {}
            except (ValueError, RecursionError):
                arguments = None
            if not isinstance(arguments, Mapping):
                # The service takes only objects. In this one the model sees what it wrote.
                arguments = {"invalid_json": text}
        return {
            "id": call_id,
            "type": "function",
            "function": {"name": name or "unknown", "arguments": dict(arguments or {})},
        }


def json_text(value: Any) -> str:
    """Return a value as readable JSON: Hangul is not escaped, and what JSON cannot represent becomes a string.

    Args:
        value: Any value.
    """
    return json.dumps(value, ensure_ascii=False, default=str)
