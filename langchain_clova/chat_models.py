"""The chat model: HyperCLOVA X for LangChain, over the native API."""

from __future__ import annotations

import functools
from contextlib import aclosing
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from pydantic import model_validator

from clova_studio.adapters import (
    in_thread,
    iterate_in_threads,
    mask_headers,
    refuse_tools_with_format,
    tool_choice_of,
    wire_response_format,
)
from langchain_clova._answers import AnswerMaker
from langchain_clova._errors import langchain_errors
from langchain_clova._fields import Dumpable
from langchain_clova._identity import IdentifiedChatModel
from langchain_clova._messages import to_clova_messages
from langchain_clova._schemas import is_answer_tool, wire_tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

    from clova_studio.adapters import Connection, ToolChoiceFlow
    from langchain_clova._structured import Method

    _Call: TypeAlias = tuple[ToolChoiceFlow, Connection, AnswerMaker]

__all__ = ["ChatClovaX"]

_TOOLS_AND_FORMAT_HINT = (
    ". With create_agent give response_format=ToolStrategy(Schema), which asks for the answer as a tool call"
)
_FIXED_HINT = "it belongs to the instance: make another one, or use configurable_fields({name}=...)"
# Options of a call that the adapter itself uses, and those that langchain-core passes through for itself.
_OWN_OPTIONS = ("stream_usage", "tool_fallback", "parallel_tool_calls", "max_retries")
_CORE_OPTIONS = ("stream", "ls_structured_output_format", "structured_output_format")


class ChatClovaX(Dumpable, IdentifiedChatModel):
    """HyperCLOVA X as a LangChain chat model. Source: the Chat Completions v1 and v3 pages of the API guide.

        >>> from langchain_clova import ChatClovaX
        >>> model = ChatClovaX(model="HCX-007", thinking={"effort": "low"})  # doctest: +SKIP
        >>> answer = model.invoke("1부터 100까지 더하면?")  # doctest: +SKIP
        >>> answer.text, answer.content_blocks[0]["type"]  # doctest: +SKIP
        ('5050입니다.', 'reasoning')

    Thinking arrives as reasoning blocks (``content_blocks``, ``output_version="v1"``) and in
    ``additional_kwargs["thinking_content"]``. ``response_metadata`` has ``model_name``, ``model_provider``,
    ``finish_reason``, ``created``, ``seed``, ``request_id`` and ``ai_filter``, and the marks ``tool_fallback``,
    ``tool_choice_unmet``, ``structured_output_method``, ``structured_output_fallback`` and ``empty_answer``:
    ``"thinking"`` if thinking used up ``max_tokens`` before there was any text, which one warning says too,
    ``"max_tokens"`` if something else did.

    A stream gives text and thinking token by token, and tool calls complete at its end: their fragments can differ from
    the calls that the answer ends with, and a chunk cannot be taken back. The sum of the chunks is the message of
    ``invoke``. A call whose arguments are not a JSON object, or that was cut at the output cap, is among the
    ``invalid_tool_calls``.

    Every option can also be given per call (``invoke(..., top_k=3)``) and with ``bind``. A call's options take
    precedence over the constructor's; for None the service's default applies. An argument that does not exist is
    refused by name. Ranges and combinations are checked before anything is sent. Further options of a call: ``tools``,
    ``tool_choice``, ``response_format``, ``parallel_tool_calls``, ``request_id``, ``max_retries``, ``timeout`` (also
    ``request_timeout``), and ``headers`` (also ``extra_headers``), which go besides those of the constructor and are
    masked in traces and reprs.

    Attributes:
        streaming: True streams even in ``invoke``, False never streams; None, the default, streams if the call does.
        stream_usage: Whether streams end with the usage.
        token_counting: ``"local"`` estimates in ``get_num_tokens`` and ``get_num_tokens_from_messages``; ``"api"`` asks
            the service's calculator, which blocks, and caches its counts.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key. Errors of calls are those of
            ``clova_studio`` and, at the same time, of langchain-core's ``ModelError`` family, from ``invoke`` and
            ``stream`` alike.

    See ``ChatFields`` for the options: ``model``, ``temperature``, ``max_tokens``, ``stop``, ``thinking``, ``task_id``,
    ``tool_fallback`` and others. See ``ConnectionFields`` for how to reach the service: ``api_key``, ``base_url``,
    ``region``, ``path_prefix``, ``timeout``, ``max_retries``, ``rate_limits``, ``client``, ``async_client`` and others.
    Instances with the same settings share connections. A pickle has the settings, including the key, but not the
    connections.
    """

    # None and not False: langchain-core takes an explicit False, even one from rebuilding a configurable instance, as a
    # ban on streaming.
    streaming: bool | None = None
    stream_usage: bool = True

    @model_validator(mode="after")
    def _set_langchain_clova_version(self) -> Self:
        self._add_version("langchain-clova", _version())
        return self

    if TYPE_CHECKING:  # as in ChatFields, but this class has it as an attribute, too
        model_name: str = ""
    else:

        @property
        def model_name(self) -> str:
            """The model, under langchain-naver's name."""
            return self.model

    # Answers.

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  no tokens to report here
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors:
            flow, connection, maker = self._call(messages, stop, kwargs)
            return maker.whole(flow.run(connection.sync))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors:
            if self._connection.asynchronous is None:
                manager = None if run_manager is None else run_manager.get_sync()
                return await in_thread(self._generate, messages, stop, manager, **kwargs)
            flow, connection, maker = self._call(messages, stop, kwargs)
            return maker.whole(await flow.arun(connection.needed_async))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Generator[ChatGenerationChunk, None, None]:
        with langchain_errors:
            flow, connection, maker = self._call(messages, stop, kwargs)
            while not flow.done:
                with flow.open(connection.sync) as stream:
                    for arrived in stream:
                        for piece, last in flow.streamed(arrived):
                            for chunk in maker.chunks(piece, last=last):
                                if run_manager is not None:
                                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with langchain_errors:
            if self._connection.asynchronous is None:
                manager = None if run_manager is None else run_manager.get_sync()
                async with aclosing(iterate_in_threads(self._stream(messages, stop, manager, **kwargs))) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            flow, connection, maker = self._call(messages, stop, kwargs)
            while not flow.done:
                async with await flow.aopen(connection.needed_async) as stream:
                    async for arrived in stream:
                        for piece, last in flow.streamed(arrived):
                            for chunk in maker.chunks(piece, last=last):
                                if run_manager is not None:
                                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                                yield chunk

    def _call(self, messages: list[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any]) -> _Call:
        given = kwargs if stop is None else {**kwargs, "stop": stop}
        flow, connection, own = self._chat_call(
            given,
            lambda chat: to_clova_messages(messages, no_images=chat.no_images),
            wire_tool,
            own=_OWN_OPTIONS,
            ignored=_CORE_OPTIONS,
            fixed_hint=_FIXED_HINT,
            tools_and_format_hint=_TOOLS_AND_FORMAT_HINT,
        )
        maker = AnswerMaker(
            flow,
            with_usage=own.get("stream_usage", self.stream_usage),
            single_call=own.get("parallel_tool_calls") is False,
        )
        return flow, connection, maker

    # Tools and structured output.

    if not TYPE_CHECKING:  # the types are core's

        def bind(self, **kwargs: Any) -> Any:
            """Return the model with options of the call bound; structured output keeps them.

            Args:
                **kwargs: Options of the call.
            """
            from langchain_clova._bound import BoundChatModel

            # Bound options stand in reprs and dumps.
            return BoundChatModel(bound=self, kwargs=mask_headers(kwargs), config={})

        def configurable_fields(self, **kwargs: Any) -> Any:
            """Return the model with configurable fields; structured output keeps them.

            Args:
                **kwargs: A ``ConfigurableField`` for each field.
            """
            from langchain_clova._bound import ConfigurableChatModel

            core = super().configurable_fields(**kwargs)
            return ConfigurableChatModel(default=core.default, fields=core.fields)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with tools bound. Source: the Chat Completions v3 function calling page of the API guide.

        Schemas are made acceptable to the service: references are inlined, null unions folded, and keywords that
        pydantic adds left out. The service does not take tools together with images, thinking or a response format.

        Names of tools and parameters may be any text. Those that the service may not take (spaces, brackets, more than
        64 characters; Hangul, once it was refused) are replaced by ASCII names in requests, and are themselves in
        answers, streams, histories and errors.

        Args:
            tools: LangChain tools, functions, pydantic classes, TypedDicts, or dicts in OpenAI's, Anthropic's or JSON
                Schema form.
            tool_choice: ``"auto"``, ``"none"``, the name of a tool, or a dict that names one. None and False have no
                effect: the model chooses. ``"any"``, ``"required"`` and True demand a tool call. With one tool it is
                forced by name. With several, for which the service has no such choice, an instruction asks for a call,
                and the model is asked once more if its answer is text. If that answer is text too,
                ``response_metadata["tool_choice_unmet"]`` is True. An agent's tool that only carries its structured
                answer is different: then an instruction asks for the arguments as JSON, also after 40009, and they
                become the call; marked as in ``with_structured_output``.
            strict: True makes all properties required; the service has no such switch.
            parallel_tool_calls: False keeps only the first tool call of an answer; the service has no such switch.
            response_format: ``{"type": "json_schema", "json_schema": {"schema": ...}}``, without tools only.
            **kwargs: Options of the call.

        Returns:
            The model with the tools bound.

        Raises:
            ConfigurationError: ``tool_choice`` names no tool, tools and ``response_format`` are both given, or a schema
                is recursive; when it is run: two tools have one name.
        """
        wire = [wire_tool(tool, strict=strict) for tool in tools]
        with langchain_errors:
            choice = tool_choice_of(tool_choice, [tool["function"]["name"] for tool in wire])
        if wire:
            kwargs["tools"] = wire
            if tool_choice:
                kwargs["tool_choice"] = tool_choice
            answers = [tool.name for tool in tools if is_answer_tool(tool)]
            if len(answers) == 1 and choice not in (None, "auto", "none"):
                kwargs["_answer_tool"] = answers[0]
        if response_format is not None:
            with langchain_errors:
                refuse_tools_with_format(wire, response_format, _TOOLS_AND_FORMAT_HINT)
                kwargs["response_format"] = wire_response_format(response_format)
        if parallel_tool_calls is not None:
            kwargs["parallel_tool_calls"] = parallel_tool_calls
        return self.bind(**kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Method | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return the model with its answers parsed.

        Source: the Chat Completions v3 structured outputs and function calling pages of the API guide.

        Without ``method``, a method that fails is followed by the next one that the model and the conversation allow:

        1. ``"json_schema"``, the service's structured outputs: HCX-007, not with tool messages.
        2. ``"function_calling"``, a call of a tool that carries the answer: HCX-007, HCX-005, HCX-DASH-002, not with
           images. On HCX-007 it comes first after tool messages; ``json_schema`` then gets these as text.
        3. ``"json_mode"``, an instruction with the schema: every model. JSON is found in code fences and among text.
           An answer that does not fit is asked for once more, with the words of the validation.

        A method fails if the service refuses it (40009, 40055, a parameter error that names the schema or the tools),
        or if its answer is no call, no JSON, or does not fit the schema. Failures of key, quota, connection, service or
        length are raised at once, and so is an answer that was cut, which the same output cap would cut again.

        **Each of these is another request**, with a run of its own in traces: up to four answers on HCX-007, three on
        HCX-005 and HCX-DASH-002, two on others, and what the tool choice needs. The first failure of a call logs one
        WARNING. ``response_metadata["structured_output_method"]`` of each answer names its method, and
        ``response_metadata["structured_output_fallback"]``, only there after a failure, lists the reasons.

        ``stream`` yields what has arrived so far, and starts again with each method; the last item is the answer.

        Args:
            schema: A pydantic class of version 1 or 2, a TypedDict, or a JSON Schema with an object at its root. None
                is allowed with ``json_mode`` only. Answers are validated for each kind.
            method: One of the three: the only method then, which no other one follows, and an answer that does not fit
                is not asked for again. ``"json_mode"`` with a schema is ``"json_schema"`` on HCX-007.
            include_raw: Whether to return ``{"raw": message, "parsed": ..., "parsing_error": ...}`` with the last
                message, where a parsing error is not raised.
            strict: True makes all properties required; the service has no such switch.
            **kwargs: None are accepted.

        Returns:
            A runnable that returns an instance of the pydantic class, or a dict for other schemas; never None. It also
            takes options of the call (``invoke(..., model=...)``), and keeps those that the model was bound or
            configured with.

        Raises:
            ConfigurationError: The schema is missing, recursive, or has no object at its root; when it is run: options
                of the call rule out the first method.
            ValueError: An argument does not exist.
            OutputParserException: When it is run: the answer was cut at the output cap, is not a tool call, or does not
                fit the schema, and no other method is left.
        """
        from langchain_clova._structured import refuse_arguments, structured

        refuse_arguments(kwargs)
        return structured(self, schema, method=method, include_raw=include_raw, strict=strict)


@functools.cache
def _version() -> str:
    try:
        return version("clova-studio")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"
