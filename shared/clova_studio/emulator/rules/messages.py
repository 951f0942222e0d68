"""What the service accepts as a v3 conversation, for chat and for its token calculator.

Source: the message tables of the four Chat Completions v3 reference pages.
"""

from collections.abc import Mapping
from typing import Any

from clova_studio.emulator.rules.catalogue import Model
from clova_studio.emulator.rules.checks import is_one_of, message_list
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.images import check_image
from clova_studio.emulator.rules.refusals import Refusal, invalid

_ROLES = frozenset({"system", "user", "assistant", "tool"})
_MAX_IMAGES = 5


def check_messages_v3(
    body: Mapping[str, Any], model: Model, facts: Facts, *, plain: str = "", thinking: bool = False
) -> list[dict[str, Any]]:
    """Check the conversation of a v3 request.

    ``plain`` names the field that excludes images and requires contents to be strings.
    """
    messages = message_list(body)
    images = 0
    calls: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        role = message.get("role")
        if not is_one_of(role, _ROLES):
            raise invalid(f"{where}.role")
        if role == "tool" and thinking:  # the page on thinking does not have this role
            raise invalid("messages", "thinking")
        if role == "tool" and plain == "responseFormat":
            raise invalid("messages", "responseFormat")
        if message.get("thinkingContent") is not None:
            raise invalid("thinkingContent")
        images += _check_content(message, where, model, facts, plain=plain)
        if message.get("toolCalls") is not None:
            calls |= _check_calls(message, where)
        if role == "tool" and not is_one_of(message.get("toolCallId"), calls):
            raise invalid(f"{where}.toolCallId")
    if sum(message["role"] == "system" for message in messages) > 1:
        raise invalid("messages")
    if images > _MAX_IMAGES:
        raise Refusal("40003", "Image limit exceeded")
    return messages


def _check_content(message: Mapping[str, Any], where: str, model: Model, facts: Facts, *, plain: str) -> int:
    """Check the content of one message and return the number of its images."""
    content, role = message.get("content"), message["role"]
    if isinstance(content, str):
        # Answers may be empty (tool calls, a spent thinking budget), and so may tool results.
        if not content and role in {"system", "user"}:
            raise Refusal("40004")
        return 0
    if not isinstance(content, list) or not content or role == "tool":
        raise invalid(f"{where}.content")
    if plain and not any(isinstance(part, dict) and part.get("type") == "image_url" for part in content):
        raise invalid(f"{where}.content")
    images = 0
    for number, part in enumerate(content):
        field = f"{where}.content[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            _check_text(part, field)
        elif kind == "image_url":
            images += 1
            _check_image_part(part, field, model, role, facts, plain=plain)
        else:
            raise invalid(f"{field}.type")
    if images > 1:
        raise Refusal("40000", "Each user message can contain only one image")
    if plain:
        raise invalid(f"{where}.content")
    return images


def _check_text(part: Mapping[str, Any], field: str) -> None:
    if not isinstance(part.get("text"), str):
        raise invalid(f"{field}.text")
    if not part["text"]:
        raise Refusal("40004")


def _check_image_part(
    part: Mapping[str, Any], field: str, model: Model, role: str, facts: Facts, *, plain: str
) -> None:
    if not model.images:
        raise Refusal("40009", "Unsupported input format")
    if plain:
        raise invalid(plain, "image_url")
    if role != "user":
        raise invalid(field)
    check_image(part, field, facts)


def _check_calls(message: Mapping[str, Any], where: str) -> set[str]:
    """Check the tool calls of a replayed answer and return their ids."""
    calls = message["toolCalls"]
    if message["role"] != "assistant" or not isinstance(calls, list) or not calls:
        raise invalid(f"{where}.toolCalls")
    ids: set[str] = set()
    for index, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if (
            not isinstance(function, dict)
            or (call.get("type") is not None and call["type"] != "function")
            or not isinstance(call.get("id"), str)
            or not call["id"]
            or not isinstance(function.get("name"), str)
            or not isinstance(function.get("arguments"), dict)  # an object, never a JSON string
        ):
            raise invalid(f"{where}.toolCalls[{index}]")
        ids.add(call["id"])
    return ids
