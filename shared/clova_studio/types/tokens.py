"""Token calculators. Source: the chat v1, chat v3 and embedding v2 token calculator pages of the API guide."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from clova_studio.types._base import Result, WireModel

__all__ = ["MessageTokenCount", "PartTokenCount", "TokenCount"]


class _Counted(WireModel):
    count: int = 0


def _list(value: Any) -> list[Any]:
    if not isinstance(value, (list, type(None))):
        raise ValueError("not a list")  # noqa: TRY004  pydantic turns it into its own error
    return value or []


class PartTokenCount(WireModel):
    """The tokens of one part of a message: a text or an image.

    Attributes:
        type: ``text`` or ``image_url``.
        text: The text that was counted, where the service repeats it.
        count: Tokens.
    """

    type: str | None = None
    text: str | None = None
    count: int = 0


class MessageTokenCount(WireModel):
    """The tokens of one message.

    Attributes:
        role: The role of the message.
        parts: The counts of its parts (v3); empty on v1, which counts whole messages.
        count: Tokens of the whole message.
    """

    role: str | None = None
    parts: list[PartTokenCount] = Field(default_factory=list)
    count: int = 0

    @model_validator(mode="before")
    @classmethod
    def _one_shape(cls, value: Any) -> Any:
        # v1 echoes a string with a count beside it; v3 an array of parts or, on one page, a single part.
        if not isinstance(value, dict) or "parts" in value:
            return value
        content = value.get("content")
        if isinstance(content, dict):
            content = [content]
        if isinstance(content, list):
            parts = [PartTokenCount.model_validate(part) for part in content]
            return {**value, "parts": parts, "count": value.get("count", sum(part.count for part in parts))}
        return value


class TokenCount(Result):
    """The tokens of a chat request or a text.

    Source: the token calculator pages (chat v1, chat v3, embedding v2) of the API guide.

    Attributes:
        total: All tokens counted: messages, tools and response format. The service adds a few for its template, so
            ``usage.prompt_tokens`` of a real call may differ.
        messages: The count of each message, in order.
        tools: Tokens of the tool definitions, 0 without tools.
        response_format: Tokens of the response format, 0 without one.
    """

    total: int = 0
    messages: list[MessageTokenCount] = Field(default_factory=list)
    tools: int = 0
    response_format: int = 0

    @model_validator(mode="before")
    @classmethod
    def _add_up(cls, value: Any) -> Any:
        # The wire has no total.
        if not isinstance(value, dict) or "total" in value:
            return value
        messages = [MessageTokenCount.model_validate(message) for message in _list(value.get("messages"))]
        tools = _Counted.model_validate(value.get("tools") or {}).count
        response_format = _Counted.model_validate(value.get("responseFormat") or {}).count
        text = _Counted.model_validate({"count": value.get("numTokens") or 0}).count
        rest = {name: held for name, held in value.items() if name not in {"messages", "tools", "responseFormat"}}
        return {
            **rest,
            "messages": messages,
            "tools": tools,
            "response_format": response_format,
            "total": sum(message.count for message in messages) + tools + response_format + text,
        }
