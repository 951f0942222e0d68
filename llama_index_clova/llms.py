"""The LLM: HyperCLOVA X for LlamaIndex, over the native API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from llama_index.core.base.llms.types import ChatMessage, LLMMetadata, MessageRole

from clova_studio import model_info
from clova_studio.adapters import (
    TokenCounting,
    default_output_tokens,
    in_thread,
    is_tuned,
    iterate_in_threads,
    no_images_for,
)
from llama_index_clova._answers import ResponseMaker, completion_of
from llama_index_clova._decorators import chat_events, completion_events
from llama_index_clova._fields import ChatFields
from llama_index_clova._messages import to_clova_messages
from llama_index_clova._prediction import PredictingLLM
from llama_index_clova._tools import selections, wire_tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llama_index.core.base.llms.types import (
        ChatResponse,
        ChatResponseAsyncGen,
        ChatResponseGen,
        CompletionResponse,
        CompletionResponseAsyncGen,
        CompletionResponseGen,
    )
    from llama_index.core.llms.llm import ToolSelection
    from llama_index.core.tools.types import BaseTool

    from clova_studio import AsyncClovaStudio, ClovaStudio, TokenCount
    from clova_studio.adapters import Connection, ToolChoiceFlow

    _Call: TypeAlias = tuple[ToolChoiceFlow, Connection, ResponseMaker]

__all__ = ["ClovaX"]

# Options of a call that the adapter itself uses.
_OURS = ("tool_fallback", "parallel_tool_calls", "max_retries")
_FIXED_HINT = "it belongs to the instance: make another ClovaX with its own {name}"
_TOOLS_AND_FORMAT_HINT = ", or ask for the answer as a tool call"


class ClovaX(PredictingLLM, ChatFields):
    """HyperCLOVA X as a LlamaIndex LLM. Source: the Chat Completions v1 and v3 pages of the API guide.

        >>> from llama_index_clova import ClovaX
        >>> llm = ClovaX(model="HCX-007", thinking={"effort": "low"})  # doctest: +SKIP
        >>> response = llm.complete("1부터 100까지 더하면?")  # doctest: +SKIP
        >>> response.text, response.raw["usage"]["total_tokens"]  # doctest: +SKIP
        ('5050입니다.', 172)

    It has chat and completion, both also streamed, sync and async; tools for ``FunctionAgent`` and ``AgentWorkflow``;
    and structured prediction on every model, see ``structured_predict``.

    An answer has at most one ``TextBlock``, a ``ThinkingBlock`` if the model thought, and a ``ToolCallBlock`` for each
    tool call, in a stream only in the last response, in this order: parts of LlamaIndex take the first block for the
    text. Arguments that are not a JSON object are text there, and
    ``get_tool_calls_from_response`` refuses them.
    ``raw`` is the service's result in snake_case, with the tokens of all requests of the call as ``usage``;
    ``additional_kwargs`` has ``prompt_tokens``, ``completion_tokens``, ``total_tokens``, ``finish_reason`` and
    ``request_id``, in a stream only those of its last response. New thinking text in a stream is in
    ``additional_kwargs["thinking_delta"]``. An answer that ended before there was any text is marked
    ``additional_kwargs["empty_answer"]``: ``"thinking"`` if thinking used up ``max_tokens``, which one warning says
    too, ``"max_tokens"`` if something else did.

    Every option can also be given per call (``chat(messages, top_k=3)``). A call's options take precedence over the
    constructor's; for None the service's default applies. Further options of a call: ``tools``, ``tool_choice``
    (``"auto"``, ``"none"``, ``"any"``, the name of a tool or a dict that names one), ``parallel_tool_calls`` (False
    keeps only the first tool call), ``response_format``, ``request_id``, ``max_retries``, ``timeout`` (also
    ``request_timeout``), and ``headers`` (also ``extra_headers``), which go besides those of the constructor. An
    argument that does not exist is refused by name. Ranges and combinations are checked before anything is sent.

    Headers of a call are masked in the events and spans of ``chat``, ``complete`` and their variants. Spans of other
    methods record their arguments as they are: give a key there as a ``SecretStr``.

    The service has no "required" tool choice. ``tool_required=True`` and ``"any"`` force a single tool by name. With
    several tools an instruction asks for a call, and the model is asked once more if its answer is text. If that answer
    is text too, it is marked ``additional_kwargs["tool_choice_unmet"]``.

    Names of tools, parameters and classes may be any text. Those that the service may not take (spaces, brackets, more
    than 64 characters; Hangul, once it was refused) are replaced by ASCII names in requests, and are themselves in
    answers, streams, histories and errors. Two tools with one name are refused.

    ``system_prompt``, ``completion_to_prompt`` and ``rate_limiter`` work where LlamaIndex uses them: the first in
    ``predict``, ``stream`` and structured prediction, not in ``chat``. For the service's quota see ``rate_limits``. A
    URL in an ``ImageBlock`` is passed on to the service, not fetched.

    Raises:
        ConfigurationError: An argument is unknown or invalid, or there is no key. Errors of calls are those of
            ``clova_studio``; structured prediction raises ValueError for an answer that was cut or does not fit.

    See ``clova_studio.adapters.ChatFields`` for the options and ``clova_studio.adapters.ConnectionFields`` for how to
    reach the service. Keys are never part of ``to_dict`` and ``to_json``, but a pickle contains them.
    """

    @classmethod
    def class_name(cls) -> str:
        """Return the class name that dumps use."""
        return "ClovaX"

    @property
    def metadata(self) -> LLMMetadata:
        """The model's metadata for LlamaIndex, from the catalogue.

        ``num_output`` is the output cap in tokens that is sent, or the service's default; ``context_window`` is the
        number of tokens that input and output may have together.
        """
        info = model_info(self.model)
        num_output = default_output_tokens(self.model, self.thinking) if self.max_tokens is None else self.max_tokens
        return LLMMetadata(
            context_window=min(info.context_window, info.max_input_tokens + num_output),
            num_output=num_output,
            is_chat_model=True,
            is_function_calling_model=info.tools and not is_tuned(self.model, self.task_id),
            model_name=self.model,
            system_role=MessageRole.SYSTEM,
        )

    # Answers.

    @chat_events
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Return the answer to a conversation.

        Args:
            messages: The conversation; not changed.
            **kwargs: Options of this call.

        Raises:
            ClovaStudioError: A request failed, or was wrong and not sent.
        """
        return self._chat(messages, **kwargs)

    @chat_events
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Async variant of ``chat``."""
        return await self._achat(messages, **kwargs)

    @chat_events
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Return a generator of the answer as it arrives: ``message`` is the answer so far, ``delta`` the new text.

        Args:
            messages: The conversation; not changed.
            **kwargs: Options of this call.

        Raises:
            ClovaStudioError: A request failed, or was wrong and not sent; while iterating also
                ``StreamInterruptedError``, with what had arrived on ``partial``.
        """
        return self._stream_chat(messages, **kwargs)

    @chat_events
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Async variant of ``stream_chat``."""
        return await self._astream_chat(messages, **kwargs)

    @completion_events
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:  # noqa: FBT001, FBT002  core's signature
        """Return the answer to a prompt, which is sent as a user message.

        Args:
            prompt: The prompt.
            formatted: Whether ``completion_to_prompt`` has been applied to it.
            **kwargs: Options of this call.

        Raises:
            ClovaStudioError: As in ``chat``.
        """
        return completion_of(self._chat(self._asked(prompt, formatted=formatted), **kwargs))

    @completion_events
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:  # noqa: FBT001, FBT002  core's signature
        """Async variant of ``complete``."""
        return completion_of(await self._achat(self._asked(prompt, formatted=formatted), **kwargs))

    @completion_events
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:  # noqa: FBT001, FBT002  core's signature
        """Return a generator of the answer to a prompt; see ``stream_chat``.

        Args:
            prompt: As in ``complete``.
            formatted: As in ``complete``.
            **kwargs: Options of this call.

        Raises:
            ClovaStudioError: As in ``stream_chat``.
        """
        responses = self._stream_chat(self._asked(prompt, formatted=formatted), **kwargs)
        return (completion_of(response) for response in responses)

    @completion_events
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:  # noqa: FBT001, FBT002  core's signature
        """Async variant of ``stream_complete``."""
        responses = await self._astream_chat(self._asked(prompt, formatted=formatted), **kwargs)
        return (completion_of(response) async for response in responses)

    def _asked(self, prompt: str, *, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]

    # The work, without events, so that each public call is one event and calls LlamaIndex's rate limiter once.

    def _chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        flow, connection, maker = self._call(messages, kwargs)
        return maker.whole(flow.run(connection.sync))

    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        if self._connection.asynchronous is None:
            return await in_thread(self._chat, messages, **kwargs)
        flow, connection, maker = self._call(messages, kwargs)
        return maker.whole(await flow.arun(connection.needed_async))

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        # Errors in the arguments are raised now, not when the generator is first iterated.
        flow, connection, maker = self._call(messages, kwargs)
        return self._responses(flow, connection.sync, maker)

    def _responses(self, flow: ToolChoiceFlow, client: ClovaStudio, maker: ResponseMaker) -> ChatResponseGen:
        while not flow.done:
            with flow.open(client) as stream:
                for arrived in stream:
                    for piece, last in flow.streamed(arrived):
                        if last:
                            yield maker.last(piece, stream.result())
                        elif (response := maker.piece(piece)) is not None:
                            yield response

    async def _astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        if self._connection.asynchronous is None:
            return iterate_in_threads(self._stream_chat(messages, **kwargs))
        flow, connection, maker = self._call(messages, kwargs)
        return self._aresponses(flow, connection.needed_async, maker)

    async def _aresponses(
        self, flow: ToolChoiceFlow, client: AsyncClovaStudio, maker: ResponseMaker
    ) -> ChatResponseAsyncGen:
        while not flow.done:
            async with await flow.aopen(client) as stream:
                async for arrived in stream:
                    for piece, last in flow.streamed(arrived):
                        if last:
                            yield maker.last(piece, stream.result())
                        elif (response := maker.piece(piece)) is not None:
                            yield response

    def _call(self, messages: Sequence[ChatMessage], given: Mapping[str, Any]) -> _Call:
        flow, connection, own = self._chat_call(
            given,
            lambda chat: to_clova_messages(messages, no_images=chat.no_images),
            wire_tool,
            own=_OURS,
            fixed_hint=_FIXED_HINT,
            tools_and_format_hint=_TOOLS_AND_FORMAT_HINT,
        )
        return flow, connection, ResponseMaker(flow, single_call=own.get("parallel_tool_calls") is False)

    # Tokens.

    def count_chat_tokens(
        self, messages: Sequence[ChatMessage] | str, *, tools: Sequence[BaseTool] | None = None
    ) -> TokenCount:
        """Return the service's own count. Source: the chat v1 and v3 token calculator pages of the API guide.

        Args:
            messages: What ``chat`` takes, and any part of it in any order, or a prompt as ``complete`` takes it.
            tools: Tools to count too (v3).

        Returns:
            The count of each message as it is sent (system messages are one), of the tools, and their ``total``. What
            the calculator does not take, such as an empty message, is estimated.

        Raises:
            ClovaStudioError: The request to the calculator failed, or was wrong and not sent.
        """
        return self._counting(messages, tools).run(self._connection.sync.count_chat_tokens)

    async def acount_chat_tokens(
        self, messages: Sequence[ChatMessage] | str, *, tools: Sequence[BaseTool] | None = None
    ) -> TokenCount:
        """Async variant of ``count_chat_tokens``."""
        client = self._connection.asynchronous
        if client is None:
            return await in_thread(self.count_chat_tokens, messages, tools=tools)
        return await self._counting(messages, tools).arun(client.count_chat_tokens)

    def _counting(self, messages: Sequence[ChatMessage] | str, tools: Sequence[BaseTool] | None) -> TokenCounting:
        if isinstance(messages, str):
            messages = self._asked(messages, formatted=False)
        wire_tools, model = [wire_tool(tool) for tool in tools or ()], self._counted_model
        wire = to_clova_messages(messages, no_images=no_images_for(model, wire_tools), is_counted=True)
        return TokenCounting(wire, wire_tools, model=model, place=self._connection.place)

    # Tools.

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: FBT001, FBT002, ARG002  core's signature; nothing is printed here
        allow_parallel_tool_calls: bool = False,  # noqa: FBT001, FBT002  core's signature
        tool_required: bool = False,  # noqa: FBT001, FBT002  core's signature
        tool_choice: str | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        # A new list: the caller's history must not grow.
        messages = list(chat_history or ())
        if isinstance(user_msg, str):
            user_msg = ChatMessage(role=MessageRole.USER, content=user_msg)
        if user_msg is not None:
            messages.append(user_msg)
        if tool_choice is None and tool_required:
            tool_choice = "any"
        prepared: dict[str, Any] = {"messages": messages, **kwargs}
        if tools:
            prepared["tools"] = [wire_tool(tool) for tool in tools]
            prepared["parallel_tool_calls"] = allow_parallel_tool_calls
        if tool_choice is not None:
            prepared["tool_choice"] = tool_choice
        return prepared

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,  # noqa: FBT001, FBT002  core's signature
        **kwargs: Any,  # noqa: ARG002  core's signature
    ) -> list[ToolSelection]:
        """Return the tool calls of a response.

        Args:
            response: A response; in a stream only the last one has tool calls.
            error_on_no_tool_call: Whether a response without a tool call is an error.
            **kwargs: Ignored.

        Raises:
            ValueError: There is no tool call, the answer was cut at the output cap in the middle of one, or the
                arguments of one are not a JSON object.
        """
        return selections(response, error_on_no_tool_call=error_on_no_tool_call)
