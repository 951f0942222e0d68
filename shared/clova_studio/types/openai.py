"""The OpenAI-compatible API. Source: the OpenAI compatibility page of the API guide, and recordings.

The wire uses snake_case, and an answer has no envelope. The guide says of streamed chunks only that they are like
OpenAI's, so every field of a chunk may be missing.
"""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from clova_studio.types._base import Result, Vector
from clova_studio.types._json import parse_json

__all__ = [
    "OpenAIChatChunk",
    "OpenAIChatResult",
    "OpenAIChoice",
    "OpenAIEmbedding",
    "OpenAIEmbeddings",
    "OpenAIFunction",
    "OpenAIMessage",
    "OpenAIModel",
    "OpenAIModels",
    "OpenAIToolCall",
    "OpenAIUsage",
]


class _SnakeModel(BaseModel):
    """An object of this API; unknown fields are kept."""

    model_config = ConfigDict(extra="allow", protected_namespaces=(), defer_build=True)


class _SnakeResult(Result):
    """An answer of this API; unknown fields are kept."""

    model_config = ConfigDict(alias_generator=None)


class OpenAIFunction(_SnakeModel):
    """The function of a tool call.

    Attributes:
        name: The tool's name; None in the later fragments of a stream.
        arguments: The arguments as JSON text; in a stream the next fragment of it.
    """

    name: str | None = None
    arguments: str = ""

    @field_validator("arguments", mode="before")
    @classmethod
    def _arguments_are_text(cls, value: Any) -> Any:
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def parsed(self) -> dict[str, Any]:
        """Return the arguments as a dict.

        Raises:
            ValueError: The text is not a JSON object, as in a truncated answer, or is nested deeper than 200 levels.
        """
        value = parse_json(self.arguments or "{}")
        if not isinstance(value, dict):
            raise ValueError(f"arguments are not a JSON object: {self.arguments[:500]!r}")  # noqa: TRY004  the text is wrong
        return value


class OpenAIToolCall(_SnakeModel):
    """A tool call that the model asks for.

    Attributes:
        id: Its id, which the tool's answer refers to; None in the later fragments of a stream.
        type: ``function``; None in the later fragments of a stream.
        index: In a stream, the index of the call that this fragment belongs to, from 0.
        function: The tool's name and its arguments.
    """

    id: str | None = None
    type: str | None = "function"
    index: int | None = None
    function: OpenAIFunction = Field(default_factory=OpenAIFunction)


class OpenAIMessage(_SnakeModel):
    """A message of the model, or its next piece in a stream.

    Attributes:
        role: ``assistant``; None in the later chunks of a stream.
        content: The text; ``""`` while the model thinks or calls tools.
        reasoning_content: The thinking text of HCX-007, which the service may also send as ``thinking_content``; None
            without any.
        tool_calls: The tools to call, None without any.
    """

    role: str | None = None
    content: str = ""
    reasoning_content: str | None = None
    tool_calls: list[OpenAIToolCall] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_name(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("thinking_content") and not value.get("reasoning_content"):
            return {**value, "reasoning_content": value["thinking_content"]}
        return value

    @field_validator("content", mode="before")
    @classmethod
    def _none_is_no_text(cls, value: Any) -> Any:
        return "" if value is None else value

    @property
    def thinking_content(self) -> str | None:
        """The thinking text, under the native API's name."""
        return self.reasoning_content


class OpenAIChoice(_SnakeModel):
    """A choice; there is always one.

    Attributes:
        index: Its index, 0.
        message: The message, in a whole answer.
        delta: What is new, in a stream.
        finish_reason: ``stop``, ``length`` or ``tool_calls``; None before the end of a stream.
    """

    index: int = 0
    message: OpenAIMessage = Field(default_factory=OpenAIMessage)
    delta: OpenAIMessage = Field(default_factory=OpenAIMessage)
    finish_reason: str | None = None

    @field_validator("message", "delta", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value


class OpenAIUsage(_SnakeModel):
    """Tokens of a request.

    Attributes:
        prompt_tokens: Input tokens.
        completion_tokens: Output tokens, thinking included.
        total_tokens: The total that the service reported.
        completion_tokens_details: Has ``reasoning_tokens``, the tokens spent on thinking; None if not reported.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    completion_tokens_details: dict[str, Any] | None = None

    @property
    def reasoning_tokens(self) -> int | None:
        """Tokens spent on thinking, None if the service did not report them."""
        value = (self.completion_tokens_details or {}).get("reasoning_tokens")
        return value if isinstance(value, int) else None


class _OpenAIChat(_SnakeResult):
    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[OpenAIChoice] = Field(default_factory=list)
    usage: OpenAIUsage | None = None
    seed: int | None = None

    @model_validator(mode="after")
    def _seconds(self) -> Self:
        # The service sends milliseconds here (observed), the SDKs expect seconds.
        values = vars(self)
        created = values["created"]
        if created is not None and created > 100_000_000_000:  # noqa: PLR2004  then it is milliseconds
            values["created"] = created // 1000
        return self


class OpenAIChatResult(_OpenAIChat):
    """A whole answer. Source: the OpenAI compatibility page of the API guide.

    Attributes:
        id: 32 hexadecimal characters.
        object: ``chat.completion``, where the service sends it.
        created: Unix time in seconds (the service sends milliseconds, observed).
        model: The model; the base model for a tuned one.
        choices: One choice.
        usage: Tokens, None if a stream did not report them.
        seed: The seed that was used, where the service sends it.
    """

    choices: list[OpenAIChoice] = Field(min_length=1)

    @property
    def message(self) -> OpenAIMessage:
        """The message of the one choice."""
        return self.choices[0].message

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the one choice."""
        return self.choices[0].finish_reason

    @property
    def is_empty(self) -> bool:
        """Whether the output cap was used up before there was any text or tool call: mostly by thinking."""
        message = self.message
        return self.finish_reason == "length" and not (message.content or "").strip() and not message.tool_calls


class OpenAIChatChunk(_OpenAIChat):
    """A piece of a streamed answer: ``choices[0].delta`` holds only what is new.

    Source: the OpenAI compatibility page of the API guide, which says only that it is like OpenAI's.

    Attributes:
        id: The id of the answer, where the service sends it.
        object: ``chat.completion.chunk``, where the service sends it.
        created: Unix time in seconds.
        model: The model; the base model for a tuned one.
        choices: One choice; none in a chunk that carries only usage. Tool calls come whole, with the finish reason.
        usage: Tokens, in the chunk that has them.
        seed: The seed that was used, where the service sends it.
        tool_call_fragments: What arrived of tool calls, for a display of their progress, None where nothing did. Never
            carry these out: none of it is certain before the end.
    """

    tool_call_fragments: list[OpenAIToolCall] | None = None

    @property
    def delta(self) -> OpenAIMessage:
        """The delta of the one choice; empty in a chunk that carries only usage."""
        return self.choices[0].delta if self.choices else OpenAIMessage()

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the one choice, None before the end."""
        return self.choices[0].finish_reason if self.choices else None


class OpenAIEmbedding(_SnakeModel):
    """The vector of a text.

    Attributes:
        index: Its index in the answer, from 0.
        embedding: 1,024 floats, not of unit length.
    """

    index: int = 0
    embedding: Vector


class OpenAIEmbeddings(_SnakeResult):
    """Vectors. Source: the OpenAI compatibility page of the API guide.

    Attributes:
        model: The model.
        data: One vector, of 1,024 floats.
        usage: Tokens of the text, None if the service did not report them.
    """

    model: str | None = None
    data: list[OpenAIEmbedding] = Field(min_length=1)
    usage: OpenAIUsage | None = None

    @property
    def embedding(self) -> list[float]:
        """The vector of the text."""
        return self.data[0].embedding


class OpenAIModel(_SnakeModel):
    """A model of the list.

    Attributes:
        id: Its name, as ``model=`` takes it.
        created: Unix time as sent, where the service sends it.
        owned_by: The owner, where the service sends it.
    """

    id: str
    created: int | None = None
    owned_by: str | None = None


class OpenAIModels(_SnakeResult):
    """The models that the key can use. Source: the OpenAI compatibility page of the API guide.

    No answer of this API is on record; the shape is OpenAI's.

    Attributes:
        data: The models.
    """

    data: list[OpenAIModel]
