"""The field tables of the API reference: every documented field of every path, with its range, need and refusal.

Written from the reference pages, not from the emulator. Where the pages and what was seen on the service differ, the
row says which behaviour has which. What no page says is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from audit_fields import INVALID, Field, enum, flag, number, refused, strings, text, whole

SEED = whole("seed", 0, 4_294_967_295)
USER: dict[str, Any] = {"messages": [{"role": "user", "content": "안녕"}]}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "d",
        "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
    },
}
FORCED = {"type": "function", "function": {"name": "f"}}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAGQAAABQCAIAAAAA"
SHORT_CODE = "40000"  # of a request without messages, as recorded for the empty list
NONE = {"thinking": {"effort": "none"}}
LOW_EFFORTS = ("low", "medium", "high")


@dataclass(frozen=True)
class Api:
    """The table of one path: a request that is taken, and its fields."""

    name: str
    path: str
    base: dict[str, Any]
    fields: tuple[Field, ...]
    behaviours: tuple[str, ...] = ("observed", "documented")
    method: str = "POST"
    extra: str = ""  # code of the refusal of an unknown field in the body; empty where it is ignored
    inner_extras: bool = True  # whether unknown fields in the objects below are tried too


def roles(*names: str) -> Field:
    """The role of a message."""
    return enum("messages[].role", *names, required=True)


# An empty text is 40004; of a replayed answer it is allowed, so the first message is a question here.
MESSAGES = Field(
    "messages",
    (USER["messages"],),
    ("안녕", {"role": "user"}, 1, ["안녕"]),
    required=True,
    absent=SHORT_CODE,
    special=(([], SHORT_CODE, ""),),
)
PLAIN = (MESSAGES, text("messages[].content", required=True))
SAMPLING_V1 = (
    number("temperature", 0, 1),
    number("topP", 0, 1),
    whole("topK", 0, 128),
    number("repeatPenalty", 0, 10, step=0.1),
    strings("stopBefore"),
)
CHAT_V1 = (
    *PLAIN,
    roles("user", "system", "assistant"),
    *SAMPLING_V1,
    flag("includeAiFilters"),
    SEED,
)
SAMPLING_V3 = (
    number("temperature", 0, 1, with_low=True),
    number("topP", 0, 1),
    whole("topK", 0, 128),
    number("repetitionPenalty", 0, 2),
)
PARTS = Field(
    "messages[].content",
    ("가", [{"type": "text", "text": "가"}]),
    ([], 1, True, {"type": "text"}),
    required=True,
    special=(
        ("", "40004", ""),
        ([{"type": "text", "text": ""}], "40004", ""),
        ([{"type": "text"}], INVALID, "messages[0].content[0].text"),
        ([{"type": "text", "text": None}], INVALID, "messages[0].content[0].text"),
        ([{"type": "text", "text": 1}], INVALID, "messages[0].content[0].text"),
        ([{"type": "TEXT", "text": "가"}], INVALID, "messages[0].content[0].type"),
        ([{"text": "가"}], INVALID, "messages[0].content[0].type"),
        (["가"], INVALID, "messages[0].content[0].type"),
    ),
)
CHAT_V3 = (
    MESSAGES,
    roles("user", "system", "assistant"),
    *SAMPLING_V3,
    strings("stop"),
    flag("includeAiFilters"),
    SEED,
)


def image(**source: Any) -> list[dict[str, Any]]:
    """A content with an image."""
    return [{"type": "image_url", **source}, {"type": "text", "text": "무엇인가?"}]


IMAGES = Field(
    "messages[].content",
    (
        image(imageUrl={"url": "https://a.example/a.png"}),
        *(image(imageUrl={"url": f"https://a.example/a.{end}"}) for end in ("bmp", "jpg", "jpeg", "webp", "PNG")),
        image(dataUri={"data": PIXEL}),
    ),
    (),
    required=True,
    special=(
        (image(imageUrl={"url": "https://a.example/a"}), "40063", "Invalid image url"),
        (image(imageUrl={"url": "https://a.example/a.gif"}), "40060", "Unsupported image format"),
        (image(imageUrl={"url": "a.png"}), "40063", "Invalid image url"),
        (image(imageUrl={}), INVALID, "messages[0].content[0]"),
        (image(imageUrl={"url": 1}), INVALID, "messages[0].content[0]"),
        (image(dataUri={}), INVALID, "messages[0].content[0]"),
        (image(), INVALID, "messages[0].content[0]"),
        (image(dataUri={"data": PIXEL}, imageUrl={"url": "https://a.example/a.png"}), INVALID, "imageUrl, dataUri"),
        (image(dataUri={"data": "data:image/png;base64,"}), "40061", "File size error"),
        (image(dataUri={"data": PIXEL}) * 2, "40000", "Each user message can contain only one image"),
    ),
)
NO_IMAGES = Field(
    "messages[].content",
    (),
    (image(dataUri={"data": PIXEL}),),
    required=True,
    absent=INVALID,
    code="40009",
    named="Unsupported input format",
)
LIMITS_V3 = (
    whole("maxTokens", 1, 4_096),
    whole("maxCompletionTokens", 1, 4_096),
    refused("maxTokens", 9, named="maxTokens, maxCompletionTokens", needs={"maxCompletionTokens": 9}),
)
NOT_HERE = (refused("thinking", NONE["thinking"], {"effort": "low"}, {}), refused("responseFormat", {"type": "json"}))
THINKING = (
    PARTS,
    enum("thinking.effort", "none", *LOW_EFFORTS),
    Field("thinking", ({}, NONE["thinking"]), ("none", 1, True, [])),
    whole("maxCompletionTokens", 1, 32_768),
    refused("maxTokens", 1, 100, 4_096),
    refused("stop", ["끝"], named="stop, thinking"),
    refused("tools", [TOOL], named="tools, thinking"),
    refused("messages[].thinkingContent", "음", named="thinkingContent"),
)


def tools(*, complete: bool = False) -> tuple[Field, ...]:
    """The fields of a tool; ``complete`` where its type and parameters are required."""
    kind = enum("tools[].type", "function", required=complete)
    return (
        kind,
        text("tools[].function.name", empty=INVALID, good=("f", "get_weather"), required=True),
        text("tools[].function.description", empty=INVALID, required=True),
        Field(
            "tools[].function.parameters",
            (TOOL["function"]["parameters"], {"type": "object", "properties": {}}),
            ("object", 1, True, [], {"type": "array"}),
            required=complete,
        ),
        Field("tools[].function", (TOOL["function"],), ("f", 1, []), required=True),
    )


CHOICE = Field(
    "toolChoice",
    ("auto", "none"),
    ("required", "AUTO", "", 1, True, [], {"type": "function"}, {"type": "tool", "function": {"name": "f"}}),
)
FORCES = Field(
    "toolChoice", (FORCED,), ({"type": "function", "function": {"name": "g"}}, {"type": "function", "function": {}})
)
FORCES_NOT = refused("toolChoice", FORCED, code="40009", named="Unsupported function")
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": {"a": "b"}}}
REPLAY = {
    "messages": [
        {"role": "assistant", "content": "", "toolCalls": [CALL]},
        {"role": "tool", "toolCallId": "call_1", "content": "맑음"},
    ]
}
REPLAYED = (
    text("messages[].toolCalls[].id", empty=INVALID, good=("call_1",), required=True, named="messages[0].toolCalls[0]"),
    text(
        "messages[].toolCalls[].function.name",
        empty="20000",
        good=("f",),
        required=True,
        named="messages[0].toolCalls[0]",
    ),
    Field(
        "messages[].toolCalls[].function.arguments",
        ({}, {"a": 1}),
        ("{}", 1, True, []),
        required=True,
        named="messages[0].toolCalls[0]",
    ),
    enum("messages[].toolCalls[].type", "function", named="messages[0].toolCalls[0]"),
)
TOOLS_V3 = (
    *tools(), CHOICE,
    whole("maxTokens", 1_024, 4_096, bad=(4_097, "1024", True), special=((1_023, INVALID, "tools, maxTokens"),)),
    refused("messages[].content", [{"type": "text", "text": "가"}], required=True),
)  # fmt: skip
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def keyword(**schema: Any) -> dict[str, Any]:
    """A schema with a property of these keywords."""
    return {"type": "object", "properties": {"a": schema}}


FORMATS = ("date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
KEYWORDS = (
    *({"type": kind} for kind in ("string", "number", "boolean", "integer", "object")),
    {"type": "array", "items": {"type": "string"}, "minItems": 0, "maxItems": 2},
    *({"type": "string", "format": name} for name in FORMATS),
    *({"type": kind, "minimum": -1, "maximum": 9} for kind in ("number", "integer")),
    {"type": "string", "enum": ["a", "b"]},
    {"enum": ["a", 1]},
    {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    {"type": "string", "description": "d", "title": "A", "default": "a"},
    {"type": "object", "properties": {}, "additionalProperties": False},
)
NOT_KEYWORDS = (
    *({"type": "string", name: value} for name, value in (("pattern", "a"), ("minLength", 1), ("maxLength", 9))),
    *({"type": "number", name: 1} for name in ("exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    {"type": "string", "format": "binary"},
    {"type": "number", "minimum": "1"},
    {"type": "array", "items": {"type": "string"}, "minItems": -1},
    {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    {"type": "text"},
    {"oneOf": [{"type": "string"}]},
    {"allOf": [{"type": "string"}]},
    {"const": "a"},
    {"type": "string", "enum": []},
    {"type": "object", "additionalProperties": {"type": "string"}},
)
OPEN_KEYWORDS = ({"type": "null"}, {"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]})
SCHEMA = Field(
    "responseFormat.schema",
    (
        OBJECT,
        *(keyword(**item) for item in KEYWORDS),
        {**OBJECT, "$schema": "https://json-schema.org/draft/2020-12/schema"},
    ),
    (
        *(keyword(**item) for item in NOT_KEYWORDS),
        {"type": "array", "items": {"type": "string"}},
        {"type": "string"},
        {},
        "object",
        1,
        [],
        {**OBJECT, "required": ["b"]},
        keyword(**{"$ref": "#/$defs/Nothing"}),
    ),
    required=True,
    code="40055",
    named="Invalid response format schema",
)
OPEN_SCHEMAS = tuple(keyword(**item) for item in OPEN_KEYWORDS)
REFERENCE = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
STRUCTURED = (
    enum("responseFormat.type", "json", required=True),
    Field("responseFormat", ({"type": "json", "schema": OBJECT},), ("json", 1, True, [])),
    SCHEMA,
    strings("stop"),
    whole("maxCompletionTokens", 1, 32_768),
    refused("tools", [TOOL], named="tools, responseFormat"),
    *(refused("thinking.effort", effort, named="responseFormat, thinking", required=True, absent=INVALID)
      for effort in LOW_EFFORTS),
    refused("messages[].content", [{"type": "text", "text": "가"}], required=True),
)  # fmt: skip
STRUCTURED_BASE = {**USER, **NONE, "responseFormat": {"type": "json", "schema": OBJECT}}
OPEN_FIELD = "responseFormat.schema"
