"""Builds the wire's messages from a conversation of any framework. Pure; arguments are never changed.

The service takes one system message, strings or parts of text and image as content, tool calls whose arguments are
objects, and nothing else. The adapters read the blocks of their framework; what is sent of them is decided here.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from clova_studio._errors import ConfigurationError
from clova_studio._requests.messages import ClovaMessage, ClovaMessages, kind_of, where_of
from clova_studio.adapters._attachments import Attachment, attachment, json_text, without_base64
from clova_studio.adapters._foreign_calls import FoundCall
from clova_studio.adapters._images import IMAGE_PLACEHOLDER
from clova_studio.adapters._tool_turns import ToolTurns

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Conversation", "text_part", "tools_as_text", "with_instruction"]

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
    kind, where = kind_of(wire), ""
    if wire and wire[0]["role"] == "system":
        where = where_of(wire[0], 0)
        wire, instruction = wire[1:], f"{wire[0]['content']}\n\n{instruction}"
    return kind([ClovaMessage(where, role="system", content=instruction), *wire])


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
    for i, message in enumerate(wire):
        where = where_of(message, i)
        if message["role"] == "tool":
            text = _RESULT.format(name=names.get(message.get("toolCallId"), "tool"), text=message["content"])
            if after_result:
                text = f"{told.pop()['content']}\n{text}"
            told.append(ClovaMessage(where, role="user", content=text))
        elif calls := message.get("toolCalls"):
            lines = [message["content"]] if message["content"] else []
            for call in calls:
                function = call["function"]
                names[call["id"]] = function["name"]
                lines.append(_CALL.format(name=function["name"], arguments=json_text(function["arguments"])))
            told.append(ClovaMessage(where, role=message["role"], content="\n".join(lines)))
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
        is_counted: Whether the messages are only counted. Then nothing is refused and there are no warnings: frameworks
            also count parts of a conversation, and in reverse order.
    """

    def __init__(self, no_images: str | None, *, parse_json: Callable[[str], Any], is_counted: bool = False) -> None:
        self._no_images = no_images
        self._parse_json = parse_json
        self._is_counted = is_counted
        self._system: list[str] = []
        self._system_where = ""
        self._wire = ClovaMessages()
        self._turns = ToolTurns(is_counted=is_counted)
        self._replaced_images: list[str] = []
        self._replaced: list[tuple[str, Attachment]] = []

    def add_system(self, parts: Sequence[dict[str, Any] | Attachment], where: str) -> None:
        """Add a system message; all system messages are joined into one at the start.

        Args:
            parts: Parts of text.
            where: The message's name in an error, such as ``messages[0]``.

        Raises:
            ConfigurationError: One part is not a text.
        """
        if not self._is_counted:
            _refuse(parts)
            if any(not isinstance(part, Attachment) and part["type"] == "image_url" for part in parts):
                raise ConfigurationError(f"{where} is a system message with an image: images belong in user messages")
        if not self._system:
            self._system_where = where
        self._system.append("\n".join(_text_in(part) for part in parts))

    def add_user(self, parts: Sequence[dict[str, Any] | Attachment], where: str, *, is_last_turn: bool) -> None:
        """Add a message of the user.

        Args:
            parts: Parts of text and image, and what else the message has.
            where: The message's name in an error, such as ``messages[0]``.
            is_last_turn: Whether no message of the user follows.

        Raises:
            ConfigurationError: There is an image in the last turn, and the request cannot carry it, or something that
                is neither text nor image.
        """
        if is_last_turn and not self._is_counted:
            _refuse(parts)
        told: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, Attachment):
                self._replaced.append((where, part))
                told.append(text_part(part.placeholder))
            elif part["type"] == "image_url" and self._no_images is not None:
                if is_last_turn and not self._is_counted:
                    raise ConfigurationError(
                        f"{where} has an image, which cannot be combined with {self._no_images}: leave one of them out"
                    )
                self._replaced_images.append(where)
                told.append(text_part(IMAGE_PLACEHOLDER))
            else:
                told.append(part)
        # A string where possible: the pages on tools and structured outputs require it.
        has_image = any(part["type"] == "image_url" for part in told)
        content = told if has_image else "\n".join(part["text"] for part in told)
        self._wire.append(ClovaMessage(where, role="user", content=content))

    def add_assistant(
        self,
        text: str,
        calls: Sequence[tuple[Any, ...]] = (),
        *,
        images: int = 0,
        attachments: Sequence[Attachment] = (),
        where: str = "",
    ) -> None:
        """Add an answer of the model, unless it has neither text nor tool calls.

        Args:
            text: Its text, without the thinking, which the service refuses in a history, and with a placeholder for
                everything that is not text.
            calls: Id, name and arguments (a mapping or JSON text) of each tool call, as in ``FoundCall``. A call
                without an id is given one, and so are the results that answer it.
            images: The number of images that are replaced in the text.
            attachments: What else is replaced in it.
            where: The message's name in an error, such as ``messages[0]``; empty for the index on the wire.
        """
        self._replaced_images += [where] * images
        self._replaced += [(where, replaced) for replaced in attachments]
        message = ClovaMessage(where, role="assistant", content=text)
        if calls:
            found = [FoundCall(*call) for call in calls]
            self._turns.add_calls(message, [(call, self._call(call)) for call in found])
        if calls or text.strip():
            self._wire.append(message)

    def add_tool_result(
        self,
        call_id: Any,
        text: str,
        *,
        name: Any = None,
        images: int = 0,
        attachments: Sequence[Attachment] = (),
        where: str = "",
    ) -> None:
        """Add the result of a tool. Files that stand in its text as base64 are replaced by a placeholder.

        Args:
            call_id: The id of the call that it answers, or the tool's name; None or empty if neither is known.
            text: The result, with a placeholder for everything that is not text, since the service takes only text
                here.
            name: The tool's name, None if it is not known.
            images: The number of images that are replaced in the text.
            attachments: What else is replaced in it.
            where: The message's name in an error, such as ``messages[0]``; empty for the index on the wire.
        """
        text, hidden = without_base64(text)
        self._replaced_images += [where] * images
        self._replaced += [(where, replaced) for replaced in (*attachments, *hidden)]
        message = ClovaMessage(where, role="tool", toolCallId="", content=text)
        self._turns.add_result(message, call_id, name)
        self._wire.append(message)

    def finished(self) -> ClovaMessages:
        """Return the messages as new dicts, which the client does not translate again.

        Raises:
            ConfigurationError: It cannot be told which call a tool result answers.
        """
        self._turns.settle()
        if not self._is_counted:
            self._warn()
        # A call that nothing answers may have been all of a message.
        wire = [
            message
            for message in self._wire
            if message["role"] != "assistant" or "toolCalls" in message or message["content"].strip()
        ]
        if said := "\n\n".join(text for text in self._system if text.strip()):
            wire.insert(0, ClovaMessage(self._system_where, role="system", content=said))
        return ClovaMessages(wire)

    def _warn(self) -> None:
        if self._replaced_images:
            reason = self._no_images or "answers and tool results"
            first = f" (the first in {self._replaced_images[0]})" if self._replaced_images[0] else ""
            warnings.warn(
                f"{len(self._replaced_images)} image(s) of the history sent as {IMAGE_PLACEHOLDER!r}{first}: images "
                f"cannot be combined with {reason}",
                stacklevel=3,
            )
        if self._replaced:
            where, replaced = self._replaced[0]
            others = f" and {len(self._replaced) - 1} more" if len(self._replaced) > 1 else ""
            warnings.warn(
                f"{where or 'the conversation'} has a part that is sent as {replaced.placeholder!r}{others}: the "
                "service takes text and images, so give the model the text of it",
                stacklevel=3,
            )

    def _call(self, call: FoundCall) -> dict[str, Any]:
        arguments = call.arguments
        if isinstance(arguments, str):
            text = arguments
            try:
                arguments = self._parse_json(text) if text.strip() else {}
            except (ValueError, RecursionError):
                arguments = None
        else:
            text = "" if arguments is None or isinstance(arguments, Mapping) else json_text(arguments)
            arguments = {} if arguments is None else arguments
        if not isinstance(arguments, Mapping):
            # The service takes only objects. In this one the model sees what it wrote.
            arguments = {"invalid_json": text}
        return {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name or "unknown", "arguments": _arguments_of(arguments)},
        }


def _refuse(parts: Sequence[dict[str, Any] | Attachment]) -> None:
    for part in parts:
        if isinstance(part, Attachment):
            raise ConfigurationError(f"{part.label}: the service takes text and images; send its text instead")


def _text_in(part: dict[str, Any] | Attachment) -> str:
    if isinstance(part, Attachment):
        return part.placeholder
    text: str = part.get("text", IMAGE_PLACEHOLDER)
    return text


def _arguments_of(arguments: Mapping[Any, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = _plain(arguments)
    except RecursionError:
        plain = {"invalid_json": json_text(arguments)}
    return plain


def _plain(value: Any) -> Any:
    """Return a value as JSON can represent it: other providers leave protobuf maps, bytes and dates in arguments."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(held) for name, held in value.items()}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return attachment("bytes", data=value).placeholder
    if isinstance(value, (Sequence, AbstractSet)):
        return [_plain(held) for held in value]
    return str(value)
