"""The options of a chat as fields of a chat model, and the requests that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AliasChoices, Field, PrivateAttr

from clova_studio._catalogue import is_tuned
from clova_studio.adapters._answer_tool_flow import tool_flow
from clova_studio.adapters._conversation import tools_as_text, with_instruction
from clova_studio.adapters._fields import ConnectionFields, StopStrings
from clova_studio.adapters._json_answers import has_json
from clova_studio.adapters._options import CHAT_OPTIONS, chat_options, options_of_call, warn_of_raised_cap
from clova_studio.adapters._tool_choice import tool_choice_of
from clova_studio.adapters._tool_names import refuse_same_names
from clova_studio.adapters._warn_once import WarnOnce

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import InitVar

    from clova_studio.adapters._connection import Connection
    from clova_studio.adapters._options import ChatRequest
    from clova_studio.adapters._tool_choice_flow import ToolChoiceFlow

__all__ = ["ChatFields"]

# Options that only the adapters set: those of a request for structured output, and the name of the tool that only
# carries the answer of an agent.
_STRUCTURED, _ANSWER_TOOL = "_structured_output", "_answer_tool"


class ChatFields(ConnectionFields):
    """A chat model's options, and how to reach the service.

    Source: the Chat Completions v1 and v3 pages of the API guide. For None the service's default applies.

    Attributes:
        model: HCX-005 (images), HCX-007 (thinking, structured output) and HCX-DASH-002 go to v3, HCX-003 and
            HCX-DASH-001 to v1. ``"ft:"`` and a task's id name a tuned v3 model. An unknown name goes to v3 as it is.
            Also ``model_name``.
        temperature: 0 to 1 (v1: above 0); service default 0.5.
        top_p: Above 0, up to 1; service default 0.8.
        top_k: 0 to 128; service default 0.
        max_tokens: Output cap in tokens, thinking included. Default: the service's, but without tools 512 for models
            that do not think, since the service's 100 would cut most answers. With tools at least 1,024: a smaller
            value of the constructor is raised, with one warning. Also ``max_completion_tokens``.
        repetition_penalty: v3 above 0, up to 2; v1 above 0, up to 10. Also ``repeat_penalty``.
        stop: One string or several at which the answer ends. Also ``stop_sequences``.
        seed: 0 (random) to 4294967295.
        include_ai_filters: Whether to run the AI filter.
        thinking: HCX-007: ``{"effort": "none" | "low" | "medium" | "high"}``, or the effort alone. By default the model
            thinks with effort "low"; it does not think with tools, tool messages, structured output or ``stop``.
        task_id: The id of the tuning task, to call a tuned model whose base is ``model``.
        base_model: The model whose quota a tuned model counts on.
        api_version: Overrides the API that the model's name implies.
        tool_fallback: What to do when the service answers 40009 to a call with tools, because the model invented a tool
            or the declarations are too long for it: ``"after_tool_result"`` asks once more without tools if the last
            message is a tool's result, ``"always"`` asks once more in any case, ``"never"`` raises. Such an answer is
            marked ``tool_fallback``.
    """

    model: str = Field(default="HCX-005", validation_alias=AliasChoices("model", "model_name"), min_length=1)
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = Field(default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens"))
    repetition_penalty: float | None = Field(
        default=None, validation_alias=AliasChoices("repetition_penalty", "repeat_penalty")
    )
    stop: StopStrings | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    seed: int | None = None
    include_ai_filters: bool | None = None
    thinking: dict[str, Any] | Literal["none", "low", "medium", "high"] | None = None
    task_id: str | None = None
    base_model: str | None = None
    api_version: Literal["v1", "v2", "v3"] | None = None
    tool_fallback: Literal["after_tool_result", "always", "never"] = "after_tool_result"

    if TYPE_CHECKING:  # type checkers do not know of the other names of a field
        model_name: InitVar[str] = ""
        max_completion_tokens: InitVar[int | None] = None
        repeat_penalty: InitVar[float | None] = None
        stop_sequences: InitVar[StopStrings | None] = None

    _warn_once: WarnOnce = PrivateAttr(default_factory=WarnOnce)

    def _chat_call(
        self,
        given: Mapping[str, Any],
        to_messages: Callable[[ChatRequest], list[dict[str, Any]]],
        wire_tool: Callable[[Any], dict[str, Any]],
        *,
        own: Sequence[str],
        ignored: Sequence[str] = (),
        fixed_hint: str,
        tools_and_format_hint: str,
    ) -> tuple[ToolChoiceFlow, Connection, dict[str, Any]]:
        """Return the flow of requests for a call, the connection to send them with, and the adapter's own options.

        Args:
            given: The options of the call.
            to_messages: Translates the framework's messages.
            wire_tool: Translates one of the framework's tools.
            own: The names of the adapter's own options.
            ignored: The names of options that the framework passes through for its own use.
            fixed_hint: As in ``options_of_call``.
            tools_and_format_hint: As in ``chat_options``.
        """
        options = options_of_call(
            given,
            own=(*own, _STRUCTURED, _ANSWER_TOOL),
            ignored=ignored,
            what=type(self).__name__,
            fixed_hint=fixed_hint,
        )
        structured, answer = options.pop(_STRUCTURED, None), options.pop(_ANSWER_TOOL, None)
        mine = {name: options.pop(name) for name in own if name in options}
        tools = [wire_tool(tool) for tool in options.pop("tools", None) or ()]
        refuse_same_names(tools)
        given_choice = options.pop("tool_choice", None)
        choice = tool_choice_of(given_choice, [tool["function"]["name"] for tool in tools])
        if isinstance(given_choice, Mapping) and given_choice.get("disable_parallel_tool_use"):  # Anthropic's form
            mine.setdefault("parallel_tool_calls", False)
        response_format = options.pop("response_format", None)
        chat = chat_options(
            self._default_options(),
            options,
            tools=tools,
            response_format=response_format,
            tools_and_format_hint=tools_and_format_hint,
        )
        messages = to_messages(chat)
        if chat.request.get("response_format"):
            # The service refuses tool messages together with a response format.
            messages = tools_as_text(messages)
        if chat.instruction is not None:
            messages = with_instruction(messages, chat.instruction)
        chat.request["messages"] = messages
        if chat.raised_cap is not None:
            warn_of_raised_cap(chat.raised_cap, self._warn_once)
        connection = self._connection
        if mine.get("max_retries") is not None:
            connection = connection.with_max_retries(mine["max_retries"])
        fallback = mine.get("tool_fallback", self.tool_fallback)
        flow = tool_flow(
            chat.request,
            choice=choice,
            tool_fallback=fallback,
            base_url=connection.place,
            warn_once=self._warn_once,
            answer=answer,
        )
        if structured is not None:
            flow.marks.update(structured["marks"])
            if structured["reads_text"]:
                flow.takes_text = has_json
        return flow, connection, mine

    @property
    def _counted_model(self) -> str:
        # The calculator has no tuned models.
        return self.base_model if self.base_model is not None and is_tuned(self.model) else self.model

    def _default_options(self) -> dict[str, Any]:
        """Return the options of a request that are not None."""
        held = self.__dict__
        return {name: held[name] for name in CHAT_OPTIONS if held[name] is not None}
