"""Structured output: a runnable that tries one method after the other.

``StructuredFlow`` decides; this module handles LangChain's messages, streams and traces.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableBinding, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import ensure_config, merge_configs, patch_config
from langchain_core.runnables.configurable import DynamicRunnable
from langchain_core.utils.json import parse_partial_json
from pydantic import ConfigDict, SkipValidation

from clova_studio import BadRequestError, ConfigurationError, model_info
from clova_studio.adapters import (
    StructuredFlow,
    UnfitAnswerError,
    is_tuned,
    json_values,
    structured_methods,
)
from langchain_clova._answer_schema import AnswerSchema
from langchain_clova._errors import ClovaConfigurationError
from langchain_clova._messages import has_tool_turns, shows_images

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping

    from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
    from langchain_core.runnables import Runnable
    from langchain_core.runnables.utils import ConfigurableFieldSpec

    from clova_studio.adapters import StructuredMethod

__all__ = ["Method", "refuse_arguments", "structured"]

Method: TypeAlias = Literal["json_schema", "function_calling", "json_mode"]
_METHODS: tuple[Method, ...] = get_args(Method)
# Options that structured output sets itself. Those that the model was bound with are dropped.
_OWN = ("tools", "tool_choice", "parallel_tool_calls", "response_format", "ls_structured_output_format")


def refuse_arguments(given: Mapping[str, Any]) -> None:
    """Refuse arguments that ``with_structured_output`` does not have."""
    if given:
        raise ValueError(f"with_structured_output has no arguments {sorted(given)}")


def structured(
    model: Runnable[Any, Any],
    schema: Any,
    *,
    method: Method | None,
    include_raw: bool,
    strict: bool | None,
) -> Runnable[LanguageModelInput, Any]:
    """Return the chat model, bound or configurable or as it is, with its answers parsed.

    See ``ChatClovaX.with_structured_output``.
    """
    if method is not None and method not in _METHODS:
        raise ClovaConfigurationError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
    if schema is None and method != "json_mode":
        raise ClovaConfigurationError(
            f"schema is missing: {method or 'structured output'} needs one; only method='json_mode' does without"
        )
    answer = AnswerSchema(schema, strict=strict)
    answer.check(method)
    return StructuredOutput(model=model, answer=answer, method=method, include_raw=include_raw, strict=strict)


class StructuredOutput(RunnableSerializable[LanguageModelInput, Any]):
    """A chat model whose answers are parsed. Each request is a run of the model."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: SkipValidation[Any]
    answer: AnswerSchema
    method: Method | None = None
    include_raw: bool = False
    strict: bool | None = None

    @property
    def OutputType(self) -> Any:  # noqa: N802  core's name
        """The class of the answers."""
        return self.answer.given if self.answer.is_pydantic and not self.include_raw else dict

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        """The configurable fields of the model."""
        return cast("list[ConfigurableFieldSpec]", self.model.config_specs)

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002  core's name
        """Return the parsed answer, after as many requests as it takes."""
        return self._call_with_config(self._run, input, config, **kwargs)

    async def ainvoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002  core's name
        """Async variant of ``invoke``."""
        return await self._acall_with_config(self._arun, input, config, **kwargs)

    def stream(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002  core's name
        """Yield the parsed answer as far as it has arrived; the last item is the complete one."""
        yield from self._transform_stream_with_config(iter([input]), self._pieces, config, **kwargs)

    async def astream(
        self,
        input: LanguageModelInput,  # noqa: A002  core's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """Async variant of ``stream``."""

        async def only() -> AsyncIterator[LanguageModelInput]:
            yield input

        given = cast(
            "AsyncGenerator[Any, None]", self._atransform_stream_with_config(only(), self._apieces, config, **kwargs)
        )
        async with aclosing(given) as pieces:
            async for piece in pieces:
                yield piece

    def _run(
        self, given: LanguageModelInput, run_manager: CallbackManagerForChainRun, config: RunnableConfig, **kwargs: Any
    ) -> Any:
        call = _Call(self, given, patch_config(config, callbacks=run_manager.get_child()), kwargs)
        while not call.done:
            try:
                message = call.model.invoke(call.messages, call.config, **call.options)
            except (BadRequestError, ConfigurationError) as error:
                call.flow.refused(error)
            else:
                call.take(message)
        return call.outcome

    async def _arun(
        self,
        given: LanguageModelInput,
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
        **kwargs: Any,
    ) -> Any:
        call = _Call(self, given, patch_config(config, callbacks=run_manager.get_child()), kwargs)
        while not call.done:
            try:
                message = await call.model.ainvoke(call.messages, call.config, **call.options)
            except (BadRequestError, ConfigurationError) as error:
                call.flow.refused(error)
            else:
                call.take(message)
        return call.outcome

    def _pieces(
        self,
        inputs: Iterator[LanguageModelInput],
        run_manager: CallbackManagerForChainRun,
        config: RunnableConfig,
        **kwargs: Any,
    ) -> Iterator[Any]:
        call = _Call(self, next(inputs), patch_config(config, callbacks=run_manager.get_child()), kwargs)
        while not call.done:
            try:
                for chunk in call.model.stream(call.messages, call.config, **call.options):
                    yield from call.add(chunk)
            except (BadRequestError, ConfigurationError) as error:
                call.flow.refused(error)
            else:
                yield from call.end()

    async def _apieces(
        self,
        inputs: AsyncIterator[LanguageModelInput],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        call = _Call(self, await anext(inputs), patch_config(config, callbacks=run_manager.get_child()), kwargs)
        while not call.done:
            try:
                async with aclosing(call.model.astream(call.messages, call.config, **call.options)) as chunks:
                    async for chunk in chunks:
                        for piece in call.add(chunk):
                            yield piece
            except (BadRequestError, ConfigurationError) as error:
                call.flow.refused(error)
            else:
                for piece in call.end():
                    yield piece


class _Call:
    """One structured answer: the next request, and the value of the answers."""

    def __init__(
        self, runnable: StructuredOutput, given: LanguageModelInput, config: RunnableConfig, kwargs: Mapping[str, Any]
    ) -> None:
        self._answer = runnable.answer
        self._include_raw = runnable.include_raw
        self._method = runnable.method
        self._strict = runnable.strict
        self.model, self.config, bound = _settled(runnable.model, config, kwargs)
        self._kwargs = {name: value for name, value in bound.items() if name not in _OWN}
        self._given = _messages_of(given)
        self.flow = self._flow(runnable.method)
        self.done = False
        self.outcome: Any = None
        self._streamed: Any = None
        self._last_piece: Any = None

    def _flow(self, method: Method | None) -> StructuredFlow:
        name = self._kwargs.get("model") or self._kwargs.get("model_name") or self.model.model
        task_id = self._kwargs.get("task_id", self.model.task_id)
        if method is None:
            methods = structured_methods(
                name,
                task_id=task_id,
                after_tools=has_tool_turns(self._given),
                with_images=shows_images(self._given),
            )
            return StructuredFlow(methods, model=name)
        info = model_info(name)
        if method == "json_mode" and self._answer.given is not None and not is_tuned(name, task_id):
            # HCX-007 alone has a JSON mode, and it wants a schema.
            method = "json_schema" if info.known and info.structured_output else method
        return StructuredFlow([method], model=name, is_pinned=True)

    @property
    def messages(self) -> list[BaseMessage]:
        """The conversation of the next request."""
        correction = self.flow.correction
        if correction is None:
            return self._given
        said = [AIMessage(correction.said)] if correction.said.strip() else []
        return [*self._given, *said, HumanMessage(correction.request)]

    @property
    def options(self) -> dict[str, Any]:
        """The options of the next request."""
        method: StructuredMethod = self.flow.method
        recorded = {
            "kwargs": {"method": self._method or method, "strict": self._strict},
            "schema": self._answer.given,
        }
        options = {
            **self._kwargs,
            "ls_structured_output_format": recorded,
            "_structured_output": self.flow.option,
        }
        if method == "function_calling":
            tool = self._answer.tool
            # Text without the tool is no answer. What follows is decided here.
            return {**options, "tools": [tool], "tool_choice": tool["function"]["name"], "tool_fallback": "never"}
        if method == "json_schema":
            return {**options, "response_format": self._answer.response_format}
        info = model_info(self.flow.model)
        if self.flow.failures and info.known and info.thinking:
            # The ways before this one do without thinking too, which could use up the output cap.
            options.setdefault("thinking", "none")
        return {**options, "response_format": self._answer.instruction}

    def take(self, message: AIMessage) -> None:
        """Handle a complete answer: it is the outcome (``done``), or another request follows."""
        try:
            value = self._value_of(message)
        except UnfitAnswerError as error:
            try:
                self.flow.unfit(error)
            except UnfitAnswerError:
                failure = OutputParserException(str(error), llm_output=error.said or str(message.text))
                if not self._include_raw:
                    raise failure from error
                failure.__cause__ = error
                self._finish(message, None, failure)
            return
        self._finish(message, value, None)

    def add(self, chunk: Any) -> Iterator[Any]:
        """Handle the next chunk of a streamed answer, and yield the object so far if it has changed."""
        self._streamed = chunk if self._streamed is None else self._streamed + chunk
        if self._include_raw or getattr(chunk, "chunk_position", "last") == "last":
            return
        piece = self._partial()
        if piece is not None and piece != self._last_piece:
            self._last_piece = piece
            yield piece

    def end(self) -> Iterator[Any]:
        """Handle the end of a streamed answer, and yield the outcome unless it has been yielded."""
        message, self._streamed = self._streamed, None
        self.take(message)
        if self.done and (self._last_piece is None or self._last_piece != self.outcome):
            yield self.outcome

    def _finish(self, message: AIMessage, value: Any, failure: OutputParserException | None) -> None:
        self.done = True
        self.outcome = value
        if self._include_raw:
            self.outcome = {"raw": message, "parsed": value, "parsing_error": failure}

    def _value_of(self, message: AIMessage) -> Any:
        text = str(message.text)
        if message.response_metadata.get("finish_reason") == "length":
            raise UnfitAnswerError("cut", said=text)
        if self.flow.method == "function_calling":
            if message.tool_calls:
                return self._answer.value_of(_call_of(message, self._answer.tool["function"]["name"])["args"])
            if message.invalid_tool_calls:
                words = "The model answered with a tool call whose arguments are not a JSON object."
                raise UnfitAnswerError("not_json", words, said=text)
            if not (self.flow.reads_text and json_values(text)):
                raise UnfitAnswerError("no_call", said=text)
        return self._answer.read(text)

    def _partial(self) -> Any:
        """Return the object as far as it has arrived, None if there is nothing to pass on."""
        message = self._streamed
        if self.flow.method == "function_calling":
            text = "".join(call["args"] or "" for call in message.tool_call_chunks if not call["index"])
        else:
            text = str(message.text)
            start = text.find("{")
            text = text[start:] if start >= 0 else ""
        try:
            found = parse_partial_json(text) if text else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            return None
        if not self._answer.is_pydantic:
            return found
        try:
            return self._answer.value_of(found)
        except UnfitAnswerError:
            return None


def _call_of(message: AIMessage, name: str) -> Any:
    """Return the tool call that carries the answer. Only one tool was sent, so a wrong name does not matter."""
    return next((call for call in message.tool_calls if call["name"] == name), message.tool_calls[0])


def _messages_of(given: LanguageModelInput) -> list[BaseMessage]:
    if isinstance(given, PromptValue):
        return given.to_messages()
    if isinstance(given, str):
        return [HumanMessage(given)]
    return convert_to_messages(given)


def _settled(
    model: Any, config: RunnableConfig, kwargs: Mapping[str, Any]
) -> tuple[Any, RunnableConfig, dict[str, Any]]:
    """Return the chat model inside bindings and configurable fields, with the config and options that they add."""
    held = dict(kwargs)
    while True:
        if isinstance(model, RunnableBinding):
            config = merge_configs(model.config, config)
            config = merge_configs(config, *(make(config) for make in model.config_factories))
            held = {**model.kwargs, **held}
            model = model.bound
        elif isinstance(model, DynamicRunnable):
            model, config = model.prepare(ensure_config(config))
        else:
            return model, config, held
