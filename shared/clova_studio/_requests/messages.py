"""Messages as the caller gives them -> messages as the wire wants them. Pure; the caller's objects are never changed.

Source: the ``messages`` tables of the Chat Completions v1 and v3 pages of the API guide, and observed traffic for the
data URI of images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clova_studio._errors import ConfigurationError
from clova_studio.types._json import parse_json

if TYPE_CHECKING:
    from clova_studio._catalogue import ModelInfo

__all__ = ["MAX_IMAGES", "to_clova_messages"]

MAX_IMAGES = 5
MAX_IMAGE_BYTES = 20 * 1024 * 1024

_ROLES_V1 = ("system", "user", "assistant")
_ROLES_V3 = ("system", "user", "assistant", "tool")
# Known fields by the names that callers may use; thinking_content is what a result's message brings back and the
# service refuses, so it is left behind.
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


def to_clova_messages(messages: Any, *, info: ModelInfo, v1: bool, text_only: str | None) -> list[dict[str, Any]]:
    """Return the messages of a request.

    Args:
        messages: Mappings or ``Message`` objects in order; at least one. ``content`` is a string, or on v3 a list of
            parts: ``{"type": "text", "text": ...}``, ``{"type": "image_url", "imageUrl": {"url": ...}}`` (a public URL)
            or ``{"type": "image_url", "dataUri": {"data": "data:image/png;base64,..."}}``; ``image_url`` as OpenAI
            writes it is taken too.
        info: The model.
        v1: Whether the request goes to the v1 API: strings only.
        text_only: Why images cannot go with this request, None if they can. Then, too, each content is one string, as
            the pages of tools and structured outputs ask for.

    Raises:
        ConfigurationError: A rule of the API is broken; the message names the index as ``messages[i]``.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence):
        raise ConfigurationError(
            "messages must be a list of messages like {'role': 'user', 'content': '...'}, got "
            f"{type(messages).__name__}"
        )
    if not messages:
        raise ConfigurationError("messages is empty: give at least one message")
    wire = [_message(message, f"messages[{i}]", v1=v1) for i, message in enumerate(messages)]
    systems = sum(message["role"] == "system" for message in wire)
    if systems > 1 and not v1:
        raise ConfigurationError(f"messages has {systems} system messages: v3 takes one, join their texts")
    _check_images(wire, info=info, text_only=text_only)
    if text_only is not None:
        for message in wire:
            if isinstance(message["content"], list):
                message["content"] = "\n".join(part["text"] for part in message["content"])
    return wire


def _message(message: Any, where: str, *, v1: bool) -> dict[str, Any]:
    given = _fields_of(message, where)
    role = given.get("role")
    roles = _ROLES_V1 if v1 else _ROLES_V3
    if role not in roles:
        hint = "; tools need a v3 model" if v1 and role == "tool" else ""
        raise ConfigurationError(f"{where}.role must be one of {', '.join(roles)}, got {role!r}{hint}")
    wire: dict[str, Any] = {"role": role, "content": _content(given.get("content"), f"{where}.content", v1=v1)}
    calls = given.get("toolCalls")
    if calls:
        if role != "assistant" or v1:
            raise ConfigurationError(f"{where}.tool_calls belongs to an assistant message of a v3 model")
        wire["toolCalls"] = [_tool_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls)]
    if role == "tool":
        if not isinstance(given.get("toolCallId"), str) or not given["toolCallId"]:
            raise ConfigurationError(f"{where}.tool_call_id is missing: name the id of the call that this answers")
        wire["toolCallId"] = given["toolCallId"]
    elif given.get("toolCallId"):
        raise ConfigurationError(f"{where}.tool_call_id belongs to a message with role 'tool', not {role!r}")
    if _is_blank(wire["content"]) and role != "tool" and not calls:
        raise ConfigurationError(f"{where}.content is empty: the service refuses empty text, leave the message out")
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
        # A Message of a result, sent back as history: what it has beyond the API's fields stays behind.
        return {
            "role": message.role,
            "content": message.content,
            "toolCalls": getattr(message, "tool_calls", None),
            "toolCallId": getattr(message, "tool_call_id", None),
        }
    raise ConfigurationError(f"{where} must be a mapping with role and content, got {type(message).__name__}")


def _content(content: Any, where: str, *, v1: bool) -> str | list[dict[str, Any]]:
    if content is None:
        # An assistant turn that only calls tools; the service refuses null.
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or isinstance(content, (bytes, Mapping)):
        raise ConfigurationError(f"{where} must be a string or a list of parts, got {type(content).__name__}")
    if not content:
        raise ConfigurationError(f"{where} is an empty list: give a string or at least one part")
    parts = [_part(part, f"{where}[{i}]") for i, part in enumerate(content)]
    if v1:
        if any(part["type"] != "text" for part in parts):
            raise ConfigurationError(f"{where} has an image: HCX-003 and HCX-DASH-001 take text only, use HCX-005")
        return "\n".join(part["text"] for part in parts)
    return parts


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
    value = linked.get("url") if isinstance(linked, Mapping) else linked
    if linked is None:
        value = inline.get("data") if isinstance(inline, Mapping) else inline
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{where} needs the image as imageUrl.url (a public URL) or dataUri.data (a data URI)")
    if value.startswith("data:"):
        head, _, encoded = value.partition(",")
        if not head.endswith(";base64") or not encoded:
            raise ConfigurationError(f"{where}: a data URI must look like data:image/png;base64,...")
        if len(encoded) * 3 // 4 > MAX_IMAGE_BYTES:
            raise ConfigurationError(
                f"{where}: an image may have up to 20 MB, this one has {len(encoded) * 3 // 4 >> 20}"
            )
        return {"dataUri": {"data": value}}
    if linked is None:
        # Documented as bare base64; the live service refuses that and takes the full data URI (observed).
        raise ConfigurationError(
            f"{where}: dataUri.data must be a full data URI, data:image/png;base64,... (bare base64 is refused)"
        )
    if not value.startswith(("http://", "https://")):
        raise ConfigurationError(f"{where}: imageUrl.url must be a public http or https URL")
    return {"imageUrl": {"url": value}}


def _check_images(wire: list[dict[str, Any]], *, info: ModelInfo, text_only: str | None) -> None:
    total = 0
    for i, message in enumerate(wire):
        if not isinstance(message["content"], list):
            continue
        images = sum(part["type"] == "image_url" for part in message["content"])
        if not images:
            continue
        total += images
        where = f"messages[{i}]"
        if message["role"] != "user":
            raise ConfigurationError(f"{where}: images go in user messages, not in {message['role']!r}")
        if not info.images:
            raise ConfigurationError(f"{where} has an image, {info.name} takes text only: use HCX-005")
        if text_only is not None:
            raise ConfigurationError(f"{where} has an image: images cannot go together with {text_only}")
        if images > 1:
            raise ConfigurationError(f"{where} has {images} images: a turn may have one, spread them over turns")
    if total > MAX_IMAGES:
        raise ConfigurationError(f"messages has {total} images: a request may have {MAX_IMAGES}, drop the oldest")


def _tool_call(call: Any, where: str) -> dict[str, Any]:
    given = call if isinstance(call, Mapping) else getattr(call, "__dict__", {})
    function = given.get("function")
    inner = function if isinstance(function, Mapping) else getattr(function, "__dict__", {})
    name, arguments = inner.get("name"), inner.get("arguments")
    if not isinstance(given.get("id"), str) or not given["id"]:
        raise ConfigurationError(f"{where}.id is missing: repeat the call as the model sent it")
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{where}.function.name is missing: repeat the call as the model sent it")
    if isinstance(arguments, str):
        # A JSON text as the OpenAI-compatible API has it; the native API wants the object.
        try:
            arguments = parse_json(arguments or "{}")
        except ValueError:
            arguments = None
    if not isinstance(arguments, Mapping):
        raise ConfigurationError(f"{where}.function.arguments must be an object or the JSON text of one")
    return {"id": given["id"], "type": "function", "function": {"name": name, "arguments": dict(arguments)}}


def _is_blank(content: str | list[dict[str, Any]]) -> bool:
    if isinstance(content, str):
        return not content.strip()
    return all(part["type"] == "text" and not part["text"].strip() for part in content)
