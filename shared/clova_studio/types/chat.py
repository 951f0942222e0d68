"""Chat Completions v1 and v3: messages, results and the chunks of a stream.

Source: the Chat Completions, v3, v3 thinking, v3 function calling and v3 structured outputs pages of the API guide.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from clova_studio.types._base import Result, WireModel
from clova_studio.types._calls import settle_calls
from clova_studio.types._json import parse_object

__all__ = [
    "FINISH_REASONS",
    "AiFilter",
    "ChatChunk",
    "ChatResult",
    "CompletionTokensDetails",
    "Message",
    "ToolCall",
    "ToolCallFunction",
    "Usage",
]

_ABSENT = object()

# v1's stop reasons -> v3's finish reasons. "end_token" is documented as the token-count limit.
FINISH_REASONS = {"stop_before": "stop", "end_token": "length", "length": "length"}


class CompletionTokensDetails(WireModel):
    """Details of the output tokens.

    Attributes:
        thinking_tokens: Tokens spent on thinking; included in ``completion_tokens``.
    """

    thinking_tokens: int | None = None


class Usage(WireModel):
    """Tokens of a request.

    Attributes:
        prompt_tokens: Input tokens; tool definitions are not always counted (observed).
        completion_tokens: Output tokens, thinking included.
        total_tokens: The total that the service reported; not always the sum of the two (observed).
        completion_tokens_details: How much of the output was thinking; None if the service did not report it.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    completion_tokens_details: CompletionTokensDetails | None = None


class AiFilter(WireModel):
    """One finding of the AI filter.

    Attributes:
        group_name: ``curse`` or ``unsafeContents``.
        name: ``discrimination``, ``insult`` or ``sexualHarassment``.
        score: ``"-1"`` filter failed, ``"0"`` likely sensitive, ``"1"`` possibly, ``"2"`` unlikely.
        result: ``OK`` or ``ERROR``; not always sent.
    """

    group_name: str | None = None
    name: str | None = None
    score: str | None = None
    result: str | None = None

    @field_validator("score", mode="before")
    @classmethod
    def _score_is_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value


class ToolCallFunction(WireModel):
    """The function of a tool call.

    Attributes:
        name: The tool's name; None in the later fragments of a stream.
        arguments: The arguments as a dict. ``{}`` in a fragment of a stream and in an invalid call.
        partial_json: JSON text of the arguments: in a fragment of a stream the next piece of it; in the last chunk of a
            stream, the whole text; in an invalid call, the text as it came. None in the calls of a whole answer.
    """

    name: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    partial_json: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _arguments_may_be_text(cls, data: Any) -> Any:
        # The native API sends an object. A JSON text, as OpenAI has it, is taken too; what is no object is the model's
        # slip and not a broken answer, so it stays as text.
        if not isinstance(data, dict) or isinstance(value := data.get("arguments", _ABSENT), dict) or value is _ABSENT:
            return data
        if value is None:
            return {**data, "arguments": {}}
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        arguments = parse_object(text)
        if arguments is not None:
            return {**data, "arguments": arguments}
        rest = {name: held for name, held in data.items() if name not in {"arguments", "partialJson", "partial_json"}}
        return {**rest, "partialJson": data.get("partialJson") or data.get("partial_json") or text}


class ToolCall(WireModel):
    """A tool call that the model asks for.

    Attributes:
        id: ``call_`` and 24 characters; the tool's answer refers to it. None in the later fragments of a stream.
        type: ``function``, the only type.
        function: The tool's name and its arguments.
        index: The index of this call in the answer, from 0; in a stream, of the call that this fragment belongs to.
            The wire has no such field; it is counted here.
    """

    id: str | None = None
    type: str = "function"
    function: ToolCallFunction = Field(default_factory=ToolCallFunction)
    index: int | None = None


class Message(WireModel):
    """A message of the model, or its next piece in a stream.

    Attributes:
        role: ``assistant``; in a sliding window also ``system`` or ``user``.
        content: The text; ``""`` while the model thinks or calls tools.
        thinking_content: The thinking text of HCX-007, None without any. May expose the system prompt.
        tool_calls: The tools to call, None without any. In a stream they come complete, with the last chunk.
        invalid_tool_calls: Tool calls that must not be carried out, None without any: their arguments are not a JSON
            object, they name no tool, or the answer ended in the middle of the call. ``function.partial_json`` has the
            arguments as text. The service sends no such field.
        tool_call_id: In a tool's answer, the id of the call that it answers; None in every other message.
    """

    role: str = "assistant"
    content: str = ""
    thinking_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    invalid_tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _content_is_text(cls, value: Any) -> Any:
        return "" if value is None else value


class _ChatPayload(Result):
    """What a result and a chunk have in common."""

    message: Message
    finish_reason: str | None = None
    created: int | None = None
    seed: int | None = None
    usage: Usage | None = None
    ai_filter: list[AiFilter] | None = None
    stop_reason: str | None = None
    input_length: int | None = None
    output_length: int | None = None


class ChatResult(_ChatPayload):
    """The whole answer of a chat. Source: the Chat Completions v1 and v3 pages of the API guide.

    Attributes:
        message: The model's message.
        finish_reason: ``stop``, ``length`` or ``tool_calls``; None if the service sent none. v1's ``stop_reason`` is
            translated to these.
        created: Unix time of the answer in seconds (the service sends seconds or milliseconds).
        seed: The seed that was used.
        usage: Tokens; on v1 computed from ``input_length`` and ``output_length``.
        ai_filter: Findings of the AI filter, None where it was off.
        stop_reason: v1 only: ``length``, ``end_token`` or ``stop_before``, as sent.
        input_length: v1 only: input tokens.
        output_length: v1 only: output tokens.
    """

    @model_validator(mode="after")
    def _same_words_for_both_apis(self) -> ChatResult:
        # Straight into __dict__: derived values must not count as fields that were set.
        values = vars(self)
        if values["created"] is not None and values["created"] > 100_000_000_000:  # noqa: PLR2004  then it is milliseconds
            values["created"] //= 1000
        if values["stop_reason"] is not None and values["finish_reason"] is None:
            reason = values["stop_reason"].lower()
            values["finish_reason"] = FINISH_REASONS.get(reason, reason)
        if values["usage"] is None and values["input_length"] is not None:
            read, written = values["input_length"], values["output_length"] or 0
            values["usage"] = Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)
        if values["message"].tool_calls:
            settle_calls(values["message"], is_cut=values["finish_reason"] == "length")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether the output cap was used up before there was any text or tool call: mostly by thinking."""
        message = self.message
        called = message.tool_calls or message.invalid_tool_calls
        return self.finish_reason == "length" and not message.content.strip() and not called

    @classmethod
    def without_content(cls) -> ChatResult:
        """Return the result of a success without content (code 20400)."""
        return cls(message=Message())


class ChatChunk(_ChatPayload):
    """A piece of a streamed answer: ``message`` holds only what is new.

    Source: the Chat Completions v1 and v3 pages of the API guide.

    The last chunk has no new text unless the service sent none before; it carries ``finish_reason``, ``usage``,
    ``ai_filter`` and the tool calls, whole.

    The service streams the arguments of tool calls in fragments that do not say whose they are, and that the answer's
    end can contradict (observed). So no call is in a chunk before the last one, whose calls are those of the result.

    Attributes:
        message: The next piece of the text or of the thinking; in the last chunk also the tool calls.
        tool_call_fragments: What arrived of tool calls, for a display of their progress, None where nothing did:
            ``index`` says to which call a fragment seems to belong, ``function.partial_json`` is the next piece of
            JSON. Never carry these out: none of it is certain before the last chunk.
        finish_reason: In the last chunk, as in ``ChatResult``.
        created: Unix time in seconds, where the service sends it.
        seed: The seed that was used, where the service sends it.
        usage: In the last chunk: the tokens of the request.
        ai_filter: In the last chunk: findings of the AI filter, None where it was off.
        stop_reason: v1 only: ``length``, ``end_token`` or ``stop_before``, as sent.
        input_length: v1 only: input tokens.
        output_length: v1 only: output tokens.
        is_last: Whether it is the last chunk. Other fields do not show that: the guide has ``usage`` in every chunk.
    """

    is_last: ClassVar[bool] = False

    message: Message = Field(default_factory=Message)
    tool_call_fragments: list[ToolCall] | None = None
