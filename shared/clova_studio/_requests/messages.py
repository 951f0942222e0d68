"""Translates the caller's messages to the wire's form. Pure; the caller's objects are never changed.

Source: the ``messages`` tables of the Chat Completions v1 and v3 pages of the API guide, and observed traffic for the
data URI of images.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clova_studio._errors import ConfigurationError
from clova_studio.types._json import parse_json

if TYPE_CHECKING:
    from clova_studio._catalogue import ModelInfo

__all__ = [
    "MAX_IMAGES",
    "ClovaMessage",
    "ClovaMessages",
    "callers_index",
    "check_tool_turns",
    "kind_of",
    "to_clova_messages",
    "where_of",
]

MAX_IMAGES = 5
MAX_IMAGE_BYTES = 20 * 1024 * 1024

_INDEX = re.compile(r"\bmessages\[(\d{1,6})\]")
_ROLES_V1 = ("system", "user", "assistant")
_ROLES_V3 = ("system", "user", "assistant", "tool")
# The names that callers may use -> the wire's names. A result's message has thinking_content, which the service
# refuses, so it is not sent.
_FIELDS = {
    "role": "role",
    "content": "content",
    "tool_calls": "toolCalls",
    "toolCalls": "toolCalls",
    "tool_call_id": "toolCallId",
    "toolCallId": "toolCallId",
    "thinking_content": "",
    "thinkingContent": "",
}


class ClovaMessage(dict[str, Any]):
    """A message that an adapter has put into the wire's form, with its name in the caller's list.

    Attributes:
        where: What errors call it, such as ``messages[2]``: system messages that are joined change the indices.
    """

    __slots__ = ("where",)

    def __init__(self, where: str, **fields: Any) -> None:
        super().__init__(fields)
        self.where = where

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.where, dict(self))


def _rebuilt(where: str, fields: dict[str, Any]) -> ClovaMessage:
    return ClovaMessage(where, **fields)


class ClovaMessages(list[dict[str, Any]]):
    """Messages that an adapter has already put into the wire's form; they are checked, but not copied.

    Contents are strings, or lists of parts with at least one image; the field names are v3's.
    """


def kind_of(messages: Sequence[Any]) -> type[list[dict[str, Any]]]:
    """Return the list type for a longer list of the same kind: ``ClovaMessages`` or a plain list."""
    return ClovaMessages if isinstance(messages, ClovaMessages) else list


def to_clova_messages(messages: Any, *, info: ModelInfo, v1: bool, text_only: str | None) -> list[dict[str, Any]]:
    """Return the messages of a request in the wire's form, checked and in order.

    A content is a string or, on v3, a list of parts: texts, and images in the service's form or OpenAI's.
    ``text_only`` says what rules out images in this request, None if nothing does. Then, and on v1, each content is
    sent as one string, as the pages on tools and structured outputs require.

    Raises:
        ConfigurationError: A message breaks a rule of the API; the error names its index.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence):
        raise ConfigurationError(
            "messages must be a list of messages like {'role': 'user', 'content': '...'}, got "
            f"{type(messages).__name__}"
        )
    if not messages:
        raise ConfigurationError("messages is empty: give at least one message")
    wire: list[dict[str, Any]] = messages if isinstance(messages, ClovaMessages) else _translated(messages)
    for i, message in enumerate(wire):
        _check_message(message, where_of(message, i), v1=v1)
    systems = sum(message["role"] == "system" for message in wire)
    if systems > 1 and not v1:
        raise ConfigurationError(f"messages has {systems} system messages: v3 takes one, join their texts")
    _check_images(wire, info=info, v1=v1, text_only=text_only)
    if v1 or text_only is not None:
        for message in wire:
            if isinstance(message["content"], list):
                message["content"] = "\n".join(part["text"] for part in message["content"])
    return wire


def check_tool_turns(messages: Sequence[Mapping[str, Any]], *, calls: str, call_id: str) -> None:
    """Refuse the result of a tool whose call is missing, and warn of calls without a result.

    Source: the function calling page of the API guide, which has a result's id link to a call before it. Whether a call
    may stay without a result is said nowhere.

    Args:
        messages: The messages of a request in the form of either API.
        calls: The name of the field with the calls.
        call_id: The name of the field with the id of the call that a result answers.

    Raises:
        ConfigurationError: A result answers no call before it; the error names the message.
    """
    open_calls: dict[Any, str] = {}
    made = set()
    for i, message in enumerate(messages):
        for call in message.get(calls) or ():
            if isinstance(call, Mapping) and isinstance(call.get("id"), str):
                made.add(call["id"])
                open_calls[call["id"]] = where_of(message, i)
        if message["role"] == "tool":
            answered = message.get(call_id)
            if answered not in made:
                raise ConfigurationError(
                    f"{where_of(message, i)} is the result of a tool (tool_call_id={answered!r}) whose call is in no "
                    "message before it, which the service refuses: keep the assistant's message with the call, or drop "
                    "the result too; a history that is cut begins with the user's message"
                )
            open_calls.pop(answered, None)
    if open_calls:
        call, where = next(iter(open_calls.items()))
        warnings.warn(
            f"{where} has a tool call without a result (id {call!r}): add the tool's message, or leave the call out",
            stacklevel=2,
        )


def where_of(message: Mapping[str, Any], i: int) -> str:
    """Return what errors call a message, by the index that the caller knows."""
    return getattr(message, "where", None) or f"messages[{i}]"


def callers_index(refusal: str, body: Mapping[str, Any] | None) -> str:
    """Return a hint on a refusal that names a message by its index in the request, where the caller's list differs.

    Args:
        refusal: The words of the service.
        body: The body of the request.
    """
    named = _INDEX.search(refusal)
    messages = (body or {}).get("messages")
    index = int(named[1]) if named else 0
    if named is None or not isinstance(messages, ClovaMessages) or index >= len(messages):
        return ""
    where = getattr(messages[index], "where", "")
    if where == named[0]:
        return ""
    if not where:
        return (
            f"{named[0]} of the request is not in your list, it was added to it. / "
            f"요청의 {named[0]}은(는) 목록에 없고 덧붙인 메시지입니다."
        )
    return f"{named[0]} of the request is your {where}. / 요청의 {named[0]}은(는) 목록의 {where}입니다."


def _check_message(message: dict[str, Any], where: str, *, v1: bool) -> None:
    """Check a message in the wire's form, from a caller or from an adapter."""
    role, content, calls = message["role"], message["content"], message.get("toolCalls")
    roles = _ROLES_V1 if v1 else _ROLES_V3
    if role not in roles:
        hint = "; tools need a v3 model" if v1 and role == "tool" else ""
        raise ConfigurationError(f"{where}.role must be one of {', '.join(roles)}, got {role!r}{hint}")
    if calls and (role != "assistant" or v1):
        raise ConfigurationError(f"{where}.tool_calls belongs to an assistant message of a v3 model")
    for i, call in enumerate(calls or ()):
        _check_tool_call(call, f"{where}.tool_calls[{i}]")
    call_id = message.get("toolCallId")
    if role == "tool" and (not isinstance(call_id, str) or not call_id):
        raise ConfigurationError(f"{where}.tool_call_id is missing: give the id of the call that this answers")
    if role != "tool" and call_id:
        raise ConfigurationError(f"{where}.tool_call_id belongs to a message with role 'tool', not {role!r}")
    if _is_blank(content) and role != "tool" and not calls:
        raise ConfigurationError(f"{where}.content is empty: the service refuses empty text, leave the message out")


def _check_tool_call(call: dict[str, Any], where: str) -> None:
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    for field, value in (("id", call["id"]), ("function.name", name)):
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"{where}.{field} is missing: send the call as the model made it")
    if not isinstance(arguments, Mapping):
        raise ConfigurationError(f"{where}.function.arguments must be an object or the JSON text of one")


def _check_image(part: dict[str, Any], where: str) -> None:
    value = part["dataUri"]["data"] if "dataUri" in part else part["imageUrl"]["url"]
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{where} needs the image as imageUrl.url (a public URL) or dataUri.data (a data URI)")
    if "imageUrl" in part:
        if not value.startswith(("http://", "https://")):
            raise ConfigurationError(f"{where}: imageUrl.url must be a public http or https URL")
        return
    if not value.startswith("data:"):
        # Documented as bare base64; the live service refuses that and takes the full data URI (observed).
        raise ConfigurationError(
            f"{where}: dataUri.data must be a full data URI, data:image/png;base64,... (bare base64 is refused)"
        )
    head, _, encoded = value.partition(",")
    if not head.endswith(";base64") or not encoded:
        raise ConfigurationError(f"{where}: a data URI must look like data:image/png;base64,...")
    if len(encoded) * 3 // 4 > MAX_IMAGE_BYTES:
        raise ConfigurationError(f"{where}: an image may have up to 20 MB, this one has {len(encoded) * 3 // 4 >> 20}")


def _check_images(wire: list[dict[str, Any]], *, info: ModelInfo, v1: bool, text_only: str | None) -> None:
    total = 0
    for i, message in enumerate(wire):
        parts = message["content"] if isinstance(message["content"], list) else ()
        images = [j for j, part in enumerate(parts) if part["type"] == "image_url"]
        if not images:
            continue
        where = where_of(message, i)
        for j in images:
            _check_image(parts[j], f"{where}.content[{j}]")
        if v1:
            raise ConfigurationError(
                f"{where}.content has an image: HCX-003 and HCX-DASH-001 take text only, use HCX-005"
            )
        total += len(images)
        if message["role"] != "user":
            raise ConfigurationError(f"{where}: images belong in user messages, not in {message['role']!r}")
        if not info.images:
            raise ConfigurationError(f"{where} has an image, but {info.name} takes text only: use HCX-005")
        if text_only is not None:
            raise ConfigurationError(f"{where} has an image: images cannot be combined with {text_only}")
        if len(images) > 1:
            raise ConfigurationError(f"{where} has {len(images)} images: a turn may have one, spread them over turns")
    if total > MAX_IMAGES:
        raise ConfigurationError(f"messages has {total} images: a request may have {MAX_IMAGES}, drop the oldest")


def _is_blank(content: str | list[dict[str, Any]]) -> bool:
    if isinstance(content, str):
        return not content.strip()
    return all(part["type"] == "text" and not part["text"].strip() for part in content)


def _translated(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a caller's messages in the wire's form; ``_check_message`` then finds what is wrong or missing."""
    wire: list[dict[str, Any]] = []
    for i, message in enumerate(messages):
        given = _fields_of(message, f"messages[{i}]")
        content = _content(given.get("content"), f"messages[{i}].content")
        wire.append({"role": given.get("role"), "content": content})
        if given.get("toolCalls"):
            wire[-1]["toolCalls"] = [_tool_call(call) for call in given["toolCalls"]]
        if given.get("toolCallId"):
            wire[-1]["toolCallId"] = given["toolCallId"]
    return wire


def _fields_of(message: Any, where: str) -> dict[str, Any]:
    if isinstance(message, Mapping):
        unknown = [name for name in message if name not in _FIELDS]
        if unknown:
            raise ConfigurationError(
                f"{where} has a field that the service does not have: {unknown[0]!r} (fields: role, content, "
                "tool_calls, tool_call_id)"
            )
        return {_FIELDS[name]: value for name, value in message.items()}
    if hasattr(message, "role") and hasattr(message, "content"):
        # A Message of a result, sent back as history: its other fields are not sent.
        return {
            "role": message.role,
            "content": message.content,
            "toolCalls": getattr(message, "tool_calls", None),
            "toolCallId": getattr(message, "tool_call_id", None),
        }
    raise ConfigurationError(f"{where} must be a mapping with role and content, got {type(message).__name__}")


def _content(content: Any, where: str) -> str | list[dict[str, Any]]:
    if content is None:
        # An assistant turn that only calls tools; the service refuses null.
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or isinstance(content, (bytes, Mapping)):
        raise ConfigurationError(f"{where} must be a string or a list of parts, got {type(content).__name__}")
    if not content:
        raise ConfigurationError(f"{where} is an empty list: give a string or at least one part")
    return [_part(part, f"{where}[{i}]") for i, part in enumerate(content)]


def _part(part: Any, where: str) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if not isinstance(part, Mapping):
        raise ConfigurationError(f"{where} must be a mapping with a type, got {type(part).__name__}")
    kind = part.get("type")
    if kind == "text":
        if not isinstance(part.get("text"), str):
            raise ConfigurationError(f"{where}.text must be a string")
        return {"type": "text", "text": part["text"]}
    if kind == "image_url":
        return {"type": "image_url", **_image(part, where)}
    raise ConfigurationError(f"{where}.type must be 'text' or 'image_url', got {kind!r}")


def _image(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    linked = part.get("imageUrl", part.get("image_url"))
    inline = part.get("dataUri", part.get("data_uri"))
    if (linked is None) == (inline is None):
        raise ConfigurationError(f"{where} needs exactly one of imageUrl and dataUri")
    held, name = (inline, "data") if linked is None else (linked, "url")
    value = held.get(name) if isinstance(held, Mapping) else held
    if linked is None or (isinstance(value, str) and value.startswith("data:")):
        return {"dataUri": {"data": value}}
    return {"imageUrl": {"url": value}}


def _tool_call(call: Any) -> dict[str, Any]:
    given = call if isinstance(call, Mapping) else getattr(call, "__dict__", {})
    function = given.get("function")
    inner = function if isinstance(function, Mapping) else getattr(function, "__dict__", {})
    arguments = inner.get("arguments")
    if isinstance(arguments, str):
        # JSON text, as in the OpenAI-compatible API; the native API takes an object.
        with suppress(ValueError):
            arguments = parse_json(arguments or "{}")
    if isinstance(arguments, Mapping):
        arguments = dict(arguments)
    return {"id": given.get("id"), "type": "function", "function": {"name": inner.get("name"), "arguments": arguments}}
