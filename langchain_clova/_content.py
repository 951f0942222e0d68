"""Reads the content blocks of a message: those of LangChain in both versions, and those that providers leave. Pure.

The providers are OpenAI (chat and responses), Anthropic, Bedrock Converse, Gemini and MCP. A block of theirs is a text,
an image, something else that has data, a tool call, a tool's result, or an artefact that means nothing to another
model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from clova_studio.adapters import Attachment, FoundCall, attachment, call_in, field_of
from langchain_clova._images import ImageBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Content", "ForeignBlock", "Piece", "ToolResult", "is_own", "pieces_of"]

Content: TypeAlias = str | list[str | dict[Any, Any]]

# Bedrock and Gemini have blocks without a type: their only field says what they are.
_UNTYPED = frozenset(
    {
        "text",
        "image",
        "document",
        "video",
        "audio",
        "toolUse",
        "toolResult",
        "functionCall",
        "functionResponse",
        "inlineData",
        "inline_data",
        "fileData",
        "file_data",
        "json",
        "guardContent",
        "guard_content",
        "searchResult",
        "reasoningContent",
        "reasoning_content",
        "cachePoint",
        "cache_point",
    }
)
_TEXTS = frozenset({"text", "text-plain", "input_text", "output_text"})
_IMAGES = frozenset({"image", "image_url", "input_image"})
_FILES = {
    "file": "file",
    "input_file": "file",
    "document": "file",
    "text-plain": "file",
    "container_upload": "file",
    "media": "file",
    "inlineData": "file",
    "inline_data": "file",
    "fileData": "file",
    "file_data": "file",
    "resource": "file",
    "resource_link": "file",
    "audio": "audio",
    "audio_url": "audio",
    "input_audio": "audio",
    "video": "video",
    "video_url": "video",
    "input_video": "video",
}
_CALLS = frozenset(
    {"tool_call", "tool_call_chunk", "tool_use", "function_call", "custom_tool_call", "toolUse", "functionCall"}
)
_RESULTS = frozenset(
    {
        "tool_result",
        "toolResult",
        "function_call_output",
        "custom_tool_call_output",
        "functionResponse",
        "function_response",
    }
)
_ARTEFACTS = frozenset(
    {
        "thinking",
        "redacted_thinking",
        "reasoning",
        "reasoningContent",
        "reasoning_content",
        "cachePoint",
        "cache_point",
        "server_tool_call",
        "server_tool_call_chunk",
        "server_tool_use",
    }
)
_DEEPEST = 8


class ToolResult(NamedTuple):
    """A tool's result inside the content of a message.

    Attributes:
        call_id: The id of its call, None if it has none.
        name: The tool's name, None if it is not known.
        content: The result: a string, a list of blocks, or any value.
    """

    call_id: Any
    name: Any
    content: Any


class ForeignBlock(NamedTuple):
    """A block of a kind that nothing here knows, or a value.

    Attributes:
        kind: Its type.
        value: What it holds.
        where: Its name in an error, such as ``messages[0].content[1]``.
    """

    kind: Any
    value: Any
    where: str


Piece: TypeAlias = str | ImageBlock | Attachment | FoundCall | ToolResult | ForeignBlock
"""What a block is to this service; artefacts of providers are nothing."""


def pieces_of(content: Any, where: str = "") -> Iterator[Piece]:
    """Yield what a content has, in order.

    Args:
        content: A string or a list of blocks.
        where: The message's name in an error, such as ``messages[0]``.
    """
    if isinstance(content, str):
        yield content
        return
    for j, block in enumerate(content):
        yield from _pieces(block, f"{where}.content[{j}]", 0)


def _pieces(block: Any, where: str, depth: int) -> Iterator[Piece]:
    if isinstance(block, str):
        yield block
        return
    if not isinstance(block, Mapping) or depth > _DEEPEST:
        yield ForeignBlock(type(block).__name__, block, where)
        return
    kind = block.get("type")
    if kind == "non_standard" and "value" in block:
        yield from _pieces(block["value"], where, depth + 1)
        return
    if not isinstance(kind, str):
        kind = next((name for name in block if name in _UNTYPED), None) if len(block) == 1 else None
    text = _text(kind, block)
    if text is not None:
        yield text
    elif kind in _ARTEFACTS:
        return
    elif (nested := _nested(kind, block)) is not None:
        for held in nested:
            yield from _pieces(held, where, depth + 1)
    else:
        yield _piece(kind, block, where)


def _piece(kind: str | None, block: Mapping[str, Any], where: str) -> Piece:
    if kind in _CALLS and (call := call_in(block)) is not None:
        return call
    if kind == "invalid_tool_call" and (call := call_in(block, is_optional=True)) is not None:
        return call
    if kind in _RESULTS:
        held = field_of(block, "toolResult", "functionResponse", "function_response")
        held = held if isinstance(held, Mapping) else block
        call_id = field_of(held, "tool_use_id", "toolUseId", "call_id", "tool_call_id", "id")
        return ToolResult(call_id, held.get("name"), field_of(held, "content", "output", "response", "result"))
    if kind in _IMAGES:
        return ImageBlock(block)
    if kind in _FILES:
        facts = _facts(block)
        if str(facts.get("mime_type")).startswith("image/") and kind != "document":
            return ImageBlock(facts)
        if not is_own(block):
            return attachment(_FILES[kind], **facts, label=f"{where} has type {kind!r}")
    if kind == "json":
        return ForeignBlock("json", field_of(block, "json", "value"), where)
    return ForeignBlock(kind, block, where)


def is_own(block: Mapping[str, Any]) -> bool:
    """Return whether a block is a value of a tool's own: without data, and with fields that the model should see."""
    return not (set(block) <= _STANDARD or _facts(block)["data"])


def _text(kind: str | None, block: Mapping[str, Any]) -> str | None:
    """Return the text of a block that is one."""
    held: Any = None
    if kind in _TEXTS:
        held = block.get("text")
    elif kind in {"guard_content", "guardContent"}:
        held = block.get(kind)
        while isinstance(held, Mapping):
            held = held.get("text")
    elif kind == "refusal":
        held = block.get("refusal")
    elif kind == "resource" and isinstance(block.get("resource"), Mapping):
        held = block["resource"].get("text")
    elif kind == "file" and block.get("source_type") == "text":
        held = field_of(block, "text", "data", "url")
    elif kind == "document" and isinstance(source := block.get("source"), Mapping) and source.get("type") == "text":
        held = source.get("data")
    return held if isinstance(held, str) else None


def _nested(kind: str | None, block: Mapping[str, Any]) -> list[Any] | None:
    """Return the blocks that a block has inside, where it is a document or a search result made of them."""
    held: Any = None
    title = None
    if kind == "document" and isinstance(source := block.get("source"), Mapping):
        held = source.get("content")
    elif kind in {"search_result", "searchResult"}:
        inner = block.get("searchResult")
        inner = inner if isinstance(inner, Mapping) else block
        held, title = inner.get("content"), inner.get("title")
    if isinstance(held, str):
        held = [held]
    if not isinstance(held, list):
        return None
    return [title, *held] if isinstance(title, str) and title else held


_INSIDE = frozenset(
    {
        "source",
        "file",
        "document",
        "image",
        "video",
        "audio",
        "input_audio",
        "resource",
        "inlineData",
        "inline_data",
        "fileData",
        "file_data",
        "audio_url",
        "video_url",
        "image_url",
        "extras",
    }
)
_STANDARD = _INSIDE.union(
    _FILES,
    _IMAGES,
    ("type", "id", "index", "url", "file_id", "mime_type", "source_type", "name", "detail", "cache_control"),
    ("imageUrl", "dataUri", "data_uri", "file_url"),
)
_DATA = ("base64", "data", "bytes", "file_data", "blob")
_MIME_TYPES = ("mime_type", "media_type", "mimeType", "format")
_NAMES = ("filename", "name", "title", "displayName")
_URLS = ("url", "uri", "file_uri", "fileUri", "file_url", "audio_url", "video_url")


def _facts(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return data, MIME type, name and address of a block, wherever in it they stand."""
    held: list[Mapping[str, Any]] = [block]
    for outer in held:
        if len(held) < _DEEPEST:
            held += [inner for name, inner in outer.items() if name in _INSIDE and isinstance(inner, Mapping)]

    def first(names: tuple[str, ...], kinds: Any) -> Any:
        values = (outer.get(name) for outer in held for name in names)
        return next((value for value in values if isinstance(value, kinds) and value), None)

    mime_type = first(_MIME_TYPES, str)
    family = _FILES.get(str(block.get("type")), "file")
    if mime_type and "/" not in mime_type and family != "file":
        mime_type = f"{family}/{mime_type}"
    return {
        "data": first(_DATA, (str, bytes, bytearray)),
        "mime_type": mime_type,
        "name": first(_NAMES, str),
        "url": first(_URLS, str),
    }
