"""Structured prediction of the LLM: by response format or tool call, sync and async, whole and streamed.

Core's own also uses a tool, but it loses the system prompt in asynchronous calls, does not demand the tool call in
streams, and takes an answer without a tool call for an empty object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.types import Model, PydanticProgramMode

from clova_studio import BadRequestError, ConfigurationError
from llama_index_clova._decorators import dispatcher, span
from llama_index_clova._structured import StructuredCall

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from llama_index.core.prompts import PromptTemplate

__all__ = ["PredictingLLM"]


_MODES = frozenset({PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION, PydanticProgramMode.LLM})


class PredictingLLM(FunctionCallingLLM):
    """An LLM of this service with structured prediction. It reads fields of ``ChatFields``."""

    if TYPE_CHECKING:  # at run time these would take precedence over the fields of ChatFields
        model: str = ""
        task_id: str | None = None

    @span
    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Return an object of a pydantic class.

        Source: the structured outputs and function calling pages of the API guide.

        A method that fails is followed by the next one that the model and the conversation allow: the service's
        structured outputs (HCX-007, not with tool messages), a call of a tool that carries the object (HCX-007,
        HCX-005, HCX-DASH-002, not with images), and an instruction with the schema (every model). JSON is found in code
        fences and among text, and what does not fit the class is asked for once more, with the words of the validation.
        After tool messages HCX-007 is asked by a tool first.

        A method fails if the service refuses it (40009, 40055, a parameter error that names the schema or the tools),
        or if its answer is no call, no JSON, or does not fit. Failures of key, quota, connection, service or length are
        raised at once, and so is an answer that was cut, which the same output cap would cut again.

        **Each of these is another request**: up to four answers on HCX-007, three on HCX-005 and HCX-DASH-002, two on
        others, and what the tool choice needs. The first failure of a call logs one WARNING; the responses in events
        and callbacks carry ``structured_output_method`` and ``structured_output_fallback`` in ``additional_kwargs``.

        ``pydantic_program_mode`` pins the method, so that no other one follows: ``function`` a tool, ``llm`` an
        instruction. Streams yield what has arrived so far, and start again with each method; the last object is the
        whole one.

        Args:
            output_cls: The class.
            prompt: A prompt template.
            llm_kwargs: Options of the call.
            **prompt_args: Values for the template.

        Raises:
            ValueError: The answer was cut, is not a tool call, or does not fit the class.
            ClovaStudioError: A request failed, or was wrong and not sent.
        """
        if self._is_cores_mode:
            words: Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return words
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)
        while not call.done:
            try:
                response = self.chat(call.messages, **call.options)
            except (BadRequestError, ConfigurationError) as error:
                call.flow.refused(error)
            else:
                call.take(response)
        found: Model = call.outcome
        dispatcher.event(LLMStructuredPredictEndEvent(output=found))
        return found

    @span
    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Async variant of ``structured_predict``."""
        if self._is_cores_mode:
            words: Model = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return words
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)
        while not call.done:
            try:
                response = await self.achat(call.messages, **call.options)
            except (BadRequestError, ConfigurationError) as error:
                call.flow.refused(error)
            else:
                call.take(response)
        found: Model = call.outcome
        dispatcher.event(LLMStructuredPredictEndEvent(output=found))
        return found

    # stream_structured_predict and astream_structured_predict are core's; they call these two and send the events.

    def _structured_stream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any, None, None]:
        if self._is_cores_mode:
            yield from super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
            return
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)
        while not call.done:
            try:
                for response in self.stream_chat(call.messages, **call.options):
                    if (found := call.add(response)) is not None:
                        yield found
            except (BadRequestError, ConfigurationError) as error:
                call.flow.refused(error)
            else:
                if (found := call.end()) is not None:
                    yield found

    async def _structured_astream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:
        if self._is_cores_mode:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)

        async def objects() -> AsyncGenerator[Any, None]:
            while not call.done:
                try:
                    async for response in await self.astream_chat(call.messages, **call.options):
                        if (found := call.add(response)) is not None:
                            yield found
                except (BadRequestError, ConfigurationError) as error:
                    call.flow.refused(error)
                else:
                    if (found := call.end()) is not None:
                        yield found

        return objects()

    @property
    def _is_cores_mode(self) -> bool:
        """Whether only core supports the mode of structured prediction."""
        return self.pydantic_program_mode not in _MODES

    def _structured_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: Mapping[str, Any] | None,
        prompt_args: Mapping[str, Any],
    ) -> StructuredCall:
        return StructuredCall(
            output_cls,
            self._extend_messages(prompt.format_messages(llm=self, **prompt_args)),
            llm_kwargs,
            mode=self.pydantic_program_mode,
            model=self.model,
            task_id=self.task_id,
        )
