"""Structured prediction: the request of each method, and the objects of complete and streamed answers. Pure.

``StructuredFlow`` decides; this module handles LlamaIndex's messages and responses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole
from llama_index.core.llms.utils import parse_partial_json
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.program.utils import create_flexible_model
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ValidationError

from clova_studio import ConfigurationError, model_info
from clova_studio.adapters import (
    StructuredFlow,
    UnfitAnswerError,
    json_values,
    read_json,
    response_schema,
    structured_methods,
    unwrapped_root,
    validation_words,
    wire_function,
)
from llama_index_clova._messages import has_tools, tool_calls_of
from llama_index_clova._tools import CUT, wire_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.base.llms.types import ChatResponse


__all__ = ["StructuredCall"]

# Options that structured prediction sets itself.
_OWN = ("tools", "tool_required", "tool_choice", "allow_parallel_tool_calls", "response_format")
# Modes that pin the method.
_PINNED: dict[PydanticProgramMode, Literal["function_calling", "json_mode"]] = {
    PydanticProgramMode.FUNCTION: "function_calling",
    PydanticProgramMode.LLM: "json_mode",
}


class StructuredCall:
    """One structured prediction: the next request, and the objects of the answers.

    ``done`` is True once there is an ``outcome``; until then there is another request.
    """

    def __init__(
        self,
        output_cls: type[BaseModel],
        messages: Sequence[ChatMessage],
        llm_kwargs: Mapping[str, Any] | None,
        *,
        mode: PydanticProgramMode,
        model: str,
        task_id: str | None,
    ) -> None:
        given = llm_kwargs or {}
        self._output_cls = output_cls
        self._schema = output_cls.model_json_schema()
        self._flexible: type[BaseModel] | None = None
        self._given = list(messages)
        self._kwargs = {name: value for name, value in given.items() if name not in _OWN}
        name = given.get("model") or given.get("model_name") or model
        pinned = _PINNED.get(mode)
        methods = (
            (pinned,)
            if pinned
            else structured_methods(
                name,
                task_id=given.get("task_id", task_id),
                after_tools=any(has_tools(message) for message in self._given),
                with_images=_shows_images(self._given),
            )
        )
        self.flow = StructuredFlow(methods, model=name, is_pinned=pinned is not None)
        self.done = False
        self.outcome: Any = None
        self._last: ChatResponse | None = None
        self._seen: dict[str, Any] = {}
        self._arguments = ""

    @property
    def messages(self) -> list[ChatMessage]:
        """The conversation of the next request."""
        correction = self.flow.correction
        if correction is None:
            return self._given
        said = [ChatMessage(role=MessageRole.ASSISTANT, content=correction.said)] if correction.said.strip() else []
        return [*self._given, *said, ChatMessage(role=MessageRole.USER, content=correction.request)]

    @property
    def options(self) -> dict[str, Any]:
        """The options of the next request."""
        options = {**self._kwargs, "_structured_output": self.flow.option}
        if self.flow.method == "function_calling":
            # Text without the tool is no answer. What follows is decided here.
            tool = wire_tool(get_function_tool(self._output_cls))
            options |= {"tools": [tool], "tool_choice": "any", "parallel_tool_calls": False, "tool_fallback": "never"}
        elif self.flow.method == "json_schema":
            options["response_format"] = {"type": "json", "schema": response_schema(self._schema, wrap_root=True)}
        else:
            info = model_info(self.flow.model)
            if self.flow.failures and info.known and info.thinking:
                # The ways before this one do without thinking too, which could use up the output cap.
                options.setdefault("thinking", "none")
            options["response_format"] = {"type": "json_object", "schema": self._schema_in_words()}
        return options

    def _schema_in_words(self) -> dict[str, Any]:
        try:
            function: dict[str, Any] = wire_function({"name": "answer", "parameters": self._schema})["function"]
            return dict(function["parameters"])
        except ConfigurationError:  # a recursive schema, which words can tell
            return self._schema

    def take(self, response: ChatResponse) -> None:
        """Handle a complete answer: it is the outcome, or another request follows."""
        try:
            self.outcome = self._object_of(response)
        except UnfitAnswerError as error:
            try:
                self.flow.unfit(error)
            except UnfitAnswerError:
                # Programs of core expect pydantic's own error.
                if (cause := _validation_error(error)) is not None:
                    raise cause from None
                raise
        else:
            self.done = True

    def add(self, response: ChatResponse) -> BaseModel | None:
        """Handle a response of a stream, and return the object so far if it has changed.

        It is of the class if it fits already, else of a class whose fields may all be missing.
        """
        self._last = response
        if response.additional_kwargs.get("finish_reason") is not None:
            return None  # handled by ``end``
        held = self._held(response)
        if not held or held == self._seen:
            return None
        self._seen = held
        try:
            return self._output_cls.model_validate(held)
        except ValidationError:
            if self._flexible is None:
                self._flexible = create_flexible_model(self._output_cls)
        try:
            return self._flexible.model_validate(held)
        except ValidationError:
            return None  # a wrong type, which is an error at the end

    def end(self) -> BaseModel | None:
        """Handle the end of a stream, and return the object; None if another request follows."""
        if self._last is None:
            raise ValueError("the stream gave nothing")
        response, self._last, self._seen, self._arguments = self._last, None, {}, ""
        self.take(response)
        return self.outcome if self.done else None

    def _object_of(self, response: ChatResponse) -> BaseModel:
        text = response.message.content or ""
        calls = tool_calls_of(response.message)
        if response.additional_kwargs.get("finish_reason") == "length":
            raise UnfitAnswerError("cut", CUT.format(what=f"the JSON of a {self._output_cls.__name__}"), said=text)
        if self.flow.method == "function_calling":
            if calls:
                return self._checked(_arguments(calls[0][2], text))
            if not (self.flow.reads_text and json_values(text)):
                raise UnfitAnswerError("no_call", said=text)
        return read_json(text, self._checked, tuple(self._schema.get("properties", ())))

    def _checked(self, found: dict[str, Any]) -> BaseModel:
        try:
            return self._output_cls.model_validate(unwrapped_root(found, self._schema))
        except ValidationError as error:
            raise validation_words(error, found) from error

    def _held(self, response: ChatResponse) -> dict[str, Any]:
        """Return the object as far as it has arrived; empty if nothing has."""
        text = response.message.content or ""
        if self.flow.method == "function_calling":
            calls = tool_calls_of(response.message)
            if calls and not isinstance(calls[0][2], str):
                return dict(calls[0][2])
            text = calls[0][2] if calls else self._fragments(response)
        start = text.find("{")
        try:
            held = parse_partial_json(text[start:]) if start >= 0 else None
        except (ValueError, RecursionError):
            return {}
        return held if isinstance(held, dict) else {}

    def _fragments(self, response: ChatResponse) -> str:
        # They are not certain before the end of the answer, which is enough for a partial object.
        for fragment in getattr(response.raw, "tool_call_fragments", None) or ():
            if fragment.index == 0:
                self._arguments += fragment.function.partial_json or ""
        return self._arguments


def _arguments(given: Any, said: str) -> dict[str, Any]:
    """Return the arguments of a complete call."""
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else {}
        except (ValueError, RecursionError):
            given = None
    if not isinstance(given, Mapping):
        raise UnfitAnswerError(
            "not_json", "The model called the tool with arguments that are not a JSON object.", said=said
        )
    return dict(given)


def _validation_error(error: BaseException | None) -> ValidationError | None:
    while error is not None and not isinstance(error, ValidationError):
        error = error.__cause__
    return error


def _shows_images(messages: Sequence[ChatMessage]) -> bool:
    """Return whether the last message of the user has an image."""
    last = next((message for message in reversed(messages) if message.role == MessageRole.USER), None)
    return last is not None and any(isinstance(block, ImageBlock) for block in last.blocks)
