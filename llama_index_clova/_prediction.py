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
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.types import Model, PydanticProgramMode

from clova_studio import model_info
from clova_studio.adapters import is_tuned
from llama_index_clova._decorators import dispatcher, span
from llama_index_clova._structured import PartialObjects, object_of, response_format

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.prompts import PromptTemplate

__all__ = ["PredictingLLM"]


# Options that a structured prediction sets itself.
_OWN = ("tool_required", "tool_choice", "allow_parallel_tool_calls")


class PredictingLLM(FunctionCallingLLM):
    """An LLM of this service with structured prediction. It reads fields of ``ChatFields``."""

    if TYPE_CHECKING:  # at run time these would take precedence over the fields of ChatFields
        model: str
        task_id: str | None

    @span
    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Return an object of a pydantic class.

        Source: the structured outputs page (HCX-007) and the function calling page (others) of the API guide.
        ``pydantic_program_mode`` is respected: ``function`` always uses a tool, ``llm`` asks for JSON in the prompt.

        Args:
            output_cls: The class.
            prompt: A prompt template.
            llm_kwargs: Options of the call.
            **prompt_args: Values for the template.

        Raises:
            ValueError: The answer was cut, is not a tool call, or does not fit the class.
            ClovaStudioError: A request failed, or was wrong and not sent.
        """
        way = self._structured_way(llm_kwargs)
        if way is None:
            words: Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return words
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        messages, options = self._structured_call(way, output_cls, prompt, llm_kwargs, prompt_args)
        found = object_of(self.chat(messages, **options), output_cls, native=way == "native")
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
        way = self._structured_way(llm_kwargs)
        if way is None:
            words: Model = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return words
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        messages, options = self._structured_call(way, output_cls, prompt, llm_kwargs, prompt_args)
        found = object_of(await self.achat(messages, **options), output_cls, native=way == "native")
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
        way = self._structured_way(llm_kwargs)
        if way is None:
            yield from super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
            return
        messages, options = self._structured_call(way, output_cls, prompt, llm_kwargs, prompt_args)
        objects = PartialObjects(output_cls, native=way == "native")
        for response in self.stream_chat(messages, **options):
            if (found := objects.take(response)) is not None:
                yield found
        yield objects.whole()

    async def _structured_astream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:
        way = self._structured_way(llm_kwargs)
        if way is None:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        messages, options = self._structured_call(way, output_cls, prompt, llm_kwargs, prompt_args)
        responses = await self.astream_chat(messages, **options)

        async def objects_of() -> AsyncGenerator[Any, None]:
            objects = PartialObjects(output_cls, native=way == "native")
            async for response in responses:
                if (found := objects.take(response)) is not None:
                    yield found
            yield objects.whole()

        return objects_of()

    def _structured_way(self, llm_kwargs: Mapping[str, Any] | None) -> str | None:
        """Return ``"native"`` (a response format), ``"tool"``, or None to leave it to core."""
        given = llm_kwargs or {}
        model = given.get("model") or given.get("model_name") or self.model
        info = model_info(model)
        tuned = is_tuned(model, given.get("task_id", self.task_id))
        mode = self.pydantic_program_mode
        if mode == PydanticProgramMode.DEFAULT and info.known and info.structured_output and not tuned:
            return "native"
        if mode == PydanticProgramMode.FUNCTION or (mode == PydanticProgramMode.DEFAULT and info.tools and not tuned):
            return "tool"
        return None

    def _structured_call(
        self,
        way: str,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: Mapping[str, Any] | None,
        prompt_args: Mapping[str, Any],
    ) -> tuple[list[ChatMessage], dict[str, Any]]:
        """Return the messages and the options of a call."""
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        options = {name: value for name, value in (llm_kwargs or {}).items() if name not in _OWN}
        if way == "native":
            options["response_format"] = response_format(output_cls)
            return messages, options
        tool = get_function_tool(output_cls)
        prepared = self._prepare_chat_with_tools([tool], chat_history=messages, tool_required=True, **options)
        return prepared.pop("messages"), prepared
