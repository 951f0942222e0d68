"""Translates LangChain's messages to the wire's. Pure; the caller's list and messages are never changed.

The service takes one system message, strings or parts of text and image as content, tool calls whose arguments are
objects, and nothing else. What other providers have left in a history (thinking, signatures) is dropped, their forms of
tool calls and results become the service's; what the caller put there for the model is sent or refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.utils.json import parse_partial_json

from clova_studio import ConfigurationError
from clova_studio.adapters import (
    IMAGE_PLACEHOLDER,
    Attachment,
    Conversation,
    FoundCall,
    call_in,
    json_text,
    text_part,
    united_calls,
)
from langchain_clova._content import ForeignBlock, ToolResult, is_own, pieces_of
from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._images import ImageBlock, image_part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clova_studio.adapters import ClovaMessages
    from langchain_clova._content import Piece

__all__ = ["has_tool_turns", "shows_images", "to_clova_messages"]

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
}
_DEEPEST = 8


def to_clova_messages(
    messages: Sequence[BaseMessage],
    *,
    no_images: str | None = None,
    names: Sequence[str] | None = None,
    is_counted: bool = False,
    with_tools: bool = True,
) -> ClovaMessages:
    """Return the messages of a request as new dicts in the wire's form, with all system messages joined into the first.

    ``no_images`` says what rules out images. An image in the last turn is then refused; older ones are replaced.
    ``names`` has what errors call each message, by default ``messages[0]`` and so on. Messages that are only counted
    may be any part of a conversation, in any order: nothing is refused. Without tools, their calls and results are left
    out.
    """
    last_turn = max((i for i, message in enumerate(messages) if _role(message) == "user"), default=-1)
    reader = _Reader(no_images, is_counted=is_counted, with_tools=with_tools)
    for i, message in enumerate(messages):
        where = f"messages[{i}]" if names is None else names[i]
        reader.add(message, where, is_last_turn=i == last_turn)
    return reader.conversation.finished()


def has_tool_turns(messages: Sequence[BaseMessage]) -> bool:
    """Return whether there are tool calls or results of tools in a conversation."""
    return any(
        _role(message) == "tool"
        or (isinstance(message, AIMessage) and bool(message.tool_calls or message.invalid_tool_calls))
        or bool(_calls_in_kwargs(message))
        or (not isinstance(message.content, str) and any(_is_tool(piece) for piece in pieces_of(message.content)))
        for message in messages
    )


def _is_tool(piece: Piece) -> bool:
    return isinstance(piece, (FoundCall, ToolResult))


def shows_images(messages: Sequence[BaseMessage]) -> bool:
    """Return whether the last message of the user has an image."""
    last = next((message for message in reversed(messages) if _role(message) == "user"), None)
    if last is None or isinstance(last.content, str):
        return False
    return any(isinstance(piece, ImageBlock) for piece in pieces_of(last.content))


def _role(message: BaseMessage) -> str | None:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, AIMessage):
        return "assistant"
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, (ToolMessage, FunctionMessage)):
        return "tool"
    return _ROLES.get(message.role) if isinstance(message, ChatMessage) else None


class _Reader:
    """Adds LangChain's messages to a conversation."""

    def __init__(self, no_images: str | None, *, is_counted: bool, with_tools: bool) -> None:
        self.conversation = Conversation(no_images, parse_json=parse_partial_json, is_counted=is_counted)
        self._no_images = no_images
        self._is_counted = is_counted
        self._with_tools = with_tools

    def add(self, message: BaseMessage, where: str, *, is_last_turn: bool) -> None:
        role = _role(message)
        if role is None and not self._is_counted:
            what = f"role {message.role!r}" if isinstance(message, ChatMessage) else type(message).__name__
            raise ClovaConfigurationError(f"{where} is a {what}: the service takes system, human, AI and tool messages")
        if role == "tool":
            kwargs = message.additional_kwargs
            call_id = getattr(message, "tool_call_id", None) or kwargs.get("tool_call_id")
            self._add_result(ToolResult(call_id, message.name or kwargs.get("name"), message.content), where)
        elif role == "assistant":
            self._add_answer(message, where)
        elif role == "system":
            self.conversation.add_system(self._parts(pieces_of(message.content, where), where), where)
        else:
            self._add_user(message, where, is_last_turn=is_last_turn)

    def _add_user(self, message: BaseMessage, where: str, *, is_last_turn: bool) -> None:
        if isinstance(message.content, str):
            text = [text_part(message.content)] if message.content else []
            self.conversation.add_user(text, where, is_last_turn=is_last_turn)
            return
        # Anthropic's, Bedrock's and Gemini's formats have tool results there.
        pieces = list(pieces_of(message.content, where))
        results = [piece for piece in pieces if isinstance(piece, ToolResult)]
        for result in results:
            self._add_result(result, where)
        others = [piece for piece in pieces if not isinstance(piece, ToolResult)]
        if others or not results:
            is_replaced = self._no_images is not None and not is_last_turn
            parts = self._parts(others, where, images_are_replaced=is_replaced)
            self.conversation.add_user(parts, where, is_last_turn=is_last_turn)

    def _parts(
        self, pieces: Any, where: str, *, images_are_replaced: bool = False
    ) -> list[dict[str, Any] | Attachment]:
        """Return the content of a message as parts, without empty texts, which the service refuses."""
        parts: list[dict[str, Any] | Attachment] = []
        for piece in pieces:
            if isinstance(piece, str):
                if piece:
                    parts.append(text_part(piece))
            elif isinstance(piece, Attachment):
                parts.append(piece)
            elif isinstance(piece, ImageBlock):
                parts.append({"type": "image_url"} if images_are_replaced else self._image(piece, where))
            else:
                is_foreign = isinstance(piece, ForeignBlock)
                kind, place = (piece.kind, piece.where) if is_foreign else ("tool_call", where)
                parts.append(Attachment(str(kind), label=f"{place} has type {kind!r}"))
        return parts

    def _image(self, image: ImageBlock, where: str) -> dict[str, Any]:
        try:
            return image_part_of(image, where)
        except ConfigurationError:
            if self._is_counted:
                return {"type": "image_url"}
            raise

    def _add_answer(self, message: BaseMessage, where: str) -> None:
        if isinstance(message.content, str):
            calls = _all_calls(message, []) if self._with_tools else []
            self.conversation.add_assistant(message.content, calls, where=where)
            return
        texts: list[str] = []
        in_content: list[FoundCall] = []
        images = 0
        attachments: list[Attachment] = []
        for piece in pieces_of(message.content, where):
            if isinstance(piece, str):
                texts.append(piece)
            elif isinstance(piece, FoundCall):
                in_content.append(piece)
            elif isinstance(piece, ImageBlock):
                images += 1
                texts.append(f"\n{IMAGE_PLACEHOLDER}\n")
            elif isinstance(piece, Attachment):
                attachments.append(piece)
                texts.append(f"\n{piece.placeholder}\n")
        # Streamed text may be one text in several blocks, so they are joined without a separator.
        text = "".join(texts)
        self.conversation.add_assistant(
            text.strip("\n") if images or attachments else text,
            _all_calls(message, in_content) if self._with_tools else (),
            images=images,
            attachments=attachments,
            where=where,
        )

    def _add_result(self, result: ToolResult, where: str) -> None:
        if not self._with_tools:
            return
        text, images, attachments = _result_text(result.content)
        self.conversation.add_tool_result(
            result.call_id, text, name=result.name, images=images, attachments=attachments, where=where
        )


def _all_calls(message: BaseMessage, in_content: list[FoundCall]) -> list[FoundCall]:
    """Return the tool calls of an answer, each once, wherever it stands."""
    # A tool message that answers an invalid call must follow its call. Without an answer the service refuses the call.
    known: list[FoundCall] = []
    if isinstance(message, AIMessage):
        known = [FoundCall(call.get("id"), call["name"], call["args"]) for call in message.tool_calls]
        for invalid in message.invalid_tool_calls:
            known.append(FoundCall(invalid.get("id"), invalid.get("name"), invalid.get("args"), is_optional=True))
    in_kwargs = _calls_in_kwargs(message)
    if not (in_content or in_kwargs):
        return known
    if known:
        # The other places still have calls that were taken out of the message later.
        in_content = [call._replace(is_optional=True) for call in in_content]
    return united_calls(known, in_content, in_kwargs)


def _calls_in_kwargs(message: BaseMessage) -> list[FoundCall]:
    """Return the tool calls where integrations keep those of their provider."""
    kwargs = message.additional_kwargs
    if not kwargs:
        return []
    held = kwargs.get("tool_calls")
    raws = held if isinstance(held, list) and held else [kwargs.get("function_call")]
    return [call for raw in raws if (call := call_in(raw, is_optional=True)) is not None]


def _result_text(content: Any, depth: int = 0) -> tuple[str, int, list[Attachment]]:
    """Return the text of a tool's result, the number of its images and what else is replaced in it."""
    if isinstance(content, str) or content is None:
        return content or "", 0, []
    if not isinstance(content, (list, tuple)) or depth > _DEEPEST:
        return json_text(content), 0, []
    texts: list[str] = []
    images = 0
    attachments: list[Attachment] = []
    for piece in pieces_of(content):
        if isinstance(piece, str):
            texts.append(piece)
        elif isinstance(piece, ImageBlock):
            if is_own(piece.block):
                texts.append(json_text(piece.block))
                continue
            images += 1
            texts.append(IMAGE_PLACEHOLDER)
        elif isinstance(piece, Attachment):
            attachments.append(piece)
            texts.append(piece.placeholder)
        elif isinstance(piece, ToolResult):
            text, more, others = _result_text(piece.content, depth + 1)
            texts.append(text)
            images += more
            attachments += others
        else:
            texts.append(json_text(piece.value if isinstance(piece, ForeignBlock) else piece._asdict()))
    return "\n".join(texts), images, attachments
