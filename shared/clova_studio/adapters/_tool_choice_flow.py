"""The requests that one call of a chat model needs, and the loops that send them. All decisions are pure methods.

Usually that is one request. The service has no "required" tool choice, may answer a forced one with 40009, and also
answers 40009 when the model invents a tool, so a call with tools may need more requests:

* any of several tools: ``auto`` with an instruction. If the answer is text, the model is asked once more; if that
  answer is text too, it is marked ``tool_choice_unmet``.
* one specific tool: declared alone and forced by name; after 40009 without force, as above. Where that happens twice,
  force is left out for a while.
* any other 40009: the same without tools if ``tool_fallback`` allows it, marked ``tool_fallback``.
* a refusal of names with Hangul: the same with ASCII names, see ``NamedRequests``.

Requests and answers are in the caller's names here, and in those that are sent only on their way.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from clova_studio._errors import BadRequestError, ConfigurationError, UnsupportedFunctionError
from clova_studio._requests.messages import kind_of
from clova_studio.adapters._answer_calls import has_calls
from clova_studio.adapters._conversation import with_instruction
from clova_studio.adapters._empty_answers import thinking_tokens, why_empty
from clova_studio.adapters._named_requests import NamedRequests, forget_refused_names
from clova_studio.adapters._refused_force import RefusedForce
from clova_studio.adapters._usage import sum_of_usage
from clova_studio.adapters._warn_once import WarnOnce

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio import AsyncClovaStudio, ClovaStudio
    from clova_studio._streaming.streams import AsyncChatStream, ChatStream
    from clova_studio.adapters._refused_force import Target
    from clova_studio.adapters._tool_choice import ToolChoice
    from clova_studio.types import ChatChunk, ChatResult, Usage

__all__ = ["ToolChoiceFlow"]

logger = logging.getLogger("clova_studio")

_INSTRUCTION = (
    "You must answer by calling one of these tools: {names}. Never answer in text alone. / "
    "반드시 다음 도구 중 하나를 호출하여 답하세요: {names}."
)
_AGAIN = (
    "You answered in text. Call one of these tools now, with arguments that fit my request: {names}. / "
    "지금 다음 도구 중 하나를 호출하세요: {names}."
)

_refused_force = RefusedForce()


def forget_refusals() -> None:
    """Forget where forced choices and names were refused."""
    _refused_force.clear()
    forget_refused_names()


class ToolChoiceFlow:
    """One call of a chat model: its next request, and its answer once no request is left.

    Args:
        request: Arguments for ``chat`` or ``stream_chat``, with ``messages`` in the wire's form, without tool choice.
        choice: The tool choice, as ``tool_choice_of`` returns it.
        tool_fallback: When to go on without tools after 40009: ``"after_tool_result"``, ``"always"`` or ``"never"``.
        base_url: Where the request goes: the base URL if it is known, or another name for it.
        refused_force: What is known of refused forced choices; None for what the process knows.
        warn_once: The component's warnings; None gives each again.

    Raises:
        ConfigurationError: ``tool_fallback`` is not one of the three.

    Attributes:
        request: Arguments of the next request.
        done: Whether the answer is complete, so that no request is left.
        marks: Marks to put on the answer: ``tool_fallback``, ``tool_choice_unmet``, or ``empty_answer`` for one that
            ended before it began: ``"thinking"`` if thinking used up the output cap, else ``"max_tokens"``.
        takes_text: Whether a text is as good as a call, None if none is. Then it is not asked for a call again.
    """

    def __init__(
        self,
        request: dict[str, Any],
        *,
        choice: ToolChoice | None,
        tool_fallback: str,
        base_url: str | None,
        refused_force: RefusedForce | None = None,
        warn_once: WarnOnce | None = None,
    ) -> None:
        if tool_fallback not in {"after_tool_result", "always", "never"}:
            raise ConfigurationError(
                f"tool_fallback must be 'after_tool_result', 'always' or 'never', got {tool_fallback!r}"
            )
        self._plain = request
        self._names = NamedRequests(request, base_url)
        self._tool_fallback = tool_fallback
        self._target: Target = (base_url, request["model"])
        self._refused_force = _refused_force if refused_force is None else refused_force
        self._warn_once = WarnOnce() if warn_once is None else warn_once
        self._must_call = False
        self._asked_again = False
        self._forced: str | None = None
        self._doubted_force = False
        self._spent: Usage | None = None
        self.marks: dict[str, Any] = {}
        self.takes_text: Callable[[str], bool] | None = None
        # Of the streamed answer that is arriving.
        self._held: list[tuple[ChatChunk, bool]] = []
        self._text: list[str] = []
        self._has_calls = False
        self._has_said = False
        self._has_thought = False
        self._at_end = False
        self.done = False
        self.request: dict[str, Any] = {}
        self._prepare(lambda: self._first(choice))

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self._target[1]

    def run(self, client: ClovaStudio) -> ChatResult:
        """Return the answer, after as many requests as it takes.

        Args:
            client: The client that sends them.

        Raises:
            ClovaStudioError: A request failed, or was wrong and not sent.
        """
        while True:
            try:
                result = client.chat(**self._names.sent(self.request))
            except BadRequestError as error:
                self._turned_down(error)
            else:
                result = self._names.result(result, text_of=self._text_tool)
                if self.answered(result):
                    return result

    async def arun(self, client: AsyncClovaStudio) -> ChatResult:
        """Async variant of ``run``."""
        while True:
            try:
                result = await client.chat(**self._names.sent(self.request))
            except BadRequestError as error:
                self._turned_down(error)
            else:
                result = self._names.result(result, text_of=self._text_tool)
                if self.answered(result):
                    return result

    def open(self, client: ClovaStudio) -> ChatStream:
        """Return the open stream of the next answer; its chunks go to ``streamed``, until the flow is ``done``.

        Args:
            client: The client that sends the requests.

        Raises:
            ClovaStudioError: A request failed, or was wrong and not sent.
        """
        while True:
            try:
                # A refusal comes in place of a first chunk: an open stream is never refused.
                stream = client.stream_chat(**self._names.sent(self.request)).__enter__()
            except BadRequestError as error:
                self._turned_down(error)
            else:
                return self._names.stream(stream, text_of=self._text_tool)

    async def aopen(self, client: AsyncClovaStudio) -> AsyncChatStream:
        """Async variant of ``open``."""
        while True:
            try:
                stream = await client.stream_chat(**self._names.sent(self.request)).__aenter__()
            except BadRequestError as error:
                self._turned_down(error)
            else:
                return self._names.astream(stream, text_of=self._text_tool)

    def _prepare(self, make: Callable[[], dict[str, Any]]) -> None:
        """Set the next request, which is made anew if its names are refused: instructions contain them."""
        self._make = make
        self.request = make()

    def _turned_down(self, error: BadRequestError) -> None:
        """Handle a refusal of any kind: prepare another request, or raise the error."""
        if self._names.refused(error):
            self._prepare(self._make)
        elif isinstance(error, UnsupportedFunctionError):
            self.refused(error)
        else:
            raise error

    @property
    def _text_tool(self) -> str | None:
        """The tool whose arguments an answer in text may have as JSON; see ``NamedRequests.text_of``."""
        return self._names.text_of(self.request, takes_text=self.takes_text is not None)

    def _first(self, choice: ToolChoice | None) -> dict[str, Any]:
        if choice is None:
            return self._plain
        if choice == "any":
            return self._demand(self._plain["tools"])
        if isinstance(choice, str):
            return {**self._plain, "tool_choice": choice}
        # The other tools cannot be called: without them the declarations are shorter, and with or without force the
        # request is otherwise the same.
        tools = self._only(choice.name)
        if self._refused_force.is_known(self._target):
            return self._demand(tools)
        self._forced = choice.name
        return {
            **self._plain,
            "tools": tools,
            "tool_choice": {"type": "function", "function": {"name": choice.name}},
        }

    def _only(self, name: str) -> list[dict[str, Any]]:
        return [tool for tool in self._plain["tools"] if tool["function"]["name"] == name]

    def _demand(self, tools: list[dict[str, Any]]) -> dict[str, Any]:
        self._must_call = True
        messages = with_instruction(self._plain["messages"], _INSTRUCTION.format(names=self._listed(tools)))
        return {**self._plain, "messages": messages, "tools": tools, "tool_choice": "auto"}

    def _listed(self, tools: list[dict[str, Any]]) -> str:
        """Return the names of tools as the model knows them."""
        return ", ".join(self._names.name(tool["function"]["name"]) for tool in tools)

    def _again(self, request: dict[str, Any], text: str) -> dict[str, Any]:
        """Return the request that asks once more for a tool call."""
        said = [{"role": "assistant", "content": text}] if text.strip() else []
        again = {"role": "user", "content": _AGAIN.format(names=self._listed(request["tools"]))}
        messages = kind_of(request["messages"])([*request["messages"], *said, again])
        return {**request, "messages": messages}

    def refused(self, error: UnsupportedFunctionError) -> None:
        """Handle a 40009: prepare another request, or raise the error.

        Args:
            error: The refusal of the current request.

        Raises:
            UnsupportedFunctionError: The same error, if no other request can help.
        """
        request = self.request
        if not request.get("tools") or request.get("tool_choice") == "none":
            raise error
        if self._forced is not None and not self._doubted_force:
            self._doubted_force = True
            tools = self._only(self._forced)
            self._prepare(lambda: self._demand(tools))
        elif self._may_do_without_tools():
            logger.warning(
                "%s answered 40009 (request id %s): it invented a tool, or the declarations are too long; asking once "
                "more without tools",
                self.model,
                error.request_id,
            )
            self._must_call = self._doubted_force = False
            self._forced = None
            self.marks["tool_fallback"] = True
            self._prepare(lambda: {**self._plain, "tool_choice": "none"})
        else:
            raise error
        self._start_over()

    def _may_do_without_tools(self) -> bool:
        if self._tool_fallback == "after_tool_result":
            return bool(self._plain["messages"][-1]["role"] == "tool")
        return self._tool_fallback == "always"

    def answered(self, result: ChatResult) -> bool:
        """Handle a complete answer.

        Args:
            result: The answer to the current request.

        Returns:
            Whether it is final; otherwise there is another request.
        """
        self._learn()
        message = result.message
        text = None if result.finish_reason == "length" else message.content
        if self._asks_again(calls=has_calls(message), text=text, usage=result.usage):
            return False
        self.done = True
        if result.is_empty:
            self._note_empty(result.usage, thought=bool(result.message.thinking_content))
        return True

    def total_usage(self, usage: Usage | None) -> Usage | None:
        """Return the tokens of all requests of the call.

        Args:
            usage: Those of the last one; None if the service did not report them.
        """
        return usage if self._spent is None else sum_of_usage(self._spent, usage)

    def streamed(self, piece: ChatChunk) -> list[tuple[ChatChunk, bool]]:
        """Handle a chunk of a streamed answer.

        Args:
            piece: The next chunk of the answer to the current request.

        Returns:
            The chunks that can be passed on, each with whether it is the last one.
        """
        if self._at_end:  # of the previous answer
            self._start_over()
        if not self._has_said:
            self._listen(piece)
        if piece.is_last:
            return self._last(piece)
        if not self._must_call:
            return [(piece, False)]
        self._look_at(piece)
        if self._asked_again or not (piece.message.content or piece.message.thinking_content or self._has_calls):
            return [(piece, False)]
        # If no tool call follows, the text is dropped: nothing is passed on before there is a tool call.
        self._held.append((piece, False))
        return self._released() if self._has_calls else []

    def _last(self, piece: ChatChunk) -> list[tuple[ChatChunk, bool]]:
        self._at_end = True
        self._learn()
        self._look_at(piece)
        text = None if piece.finish_reason == "length" else "".join(self._text)
        if self._asks_again(calls=self._has_calls, text=text, usage=piece.usage):
            return []
        self.done = True
        if piece.finish_reason == "length" and not self._has_said:
            self._note_empty(piece.usage, thought=self._has_thought)
        return [*self._released(), (piece, True)]

    def _listen(self, piece: ChatChunk) -> None:
        """Look whether an answer has begun, or the model only thinks."""
        message = piece.message
        if message.thinking_content:
            self._has_thought = True
        if has_calls(message) or message.content.strip():
            self._has_said = True

    def _note_empty(self, usage: Usage | None, *, thought: bool) -> None:
        thought = thought or thinking_tokens(usage) > 0
        self.marks["empty_answer"] = "thinking" if thought else "max_tokens"
        if thought:  # otherwise the cap was small, which the finish reason says
            cap = self.request.get("max_tokens")
            self._warn_once.warn("empty answer", why_empty(self.model, cap, usage, thought=True))

    def _look_at(self, piece: ChatChunk) -> None:
        self._text.append(piece.message.content)
        if has_calls(piece.message):
            self._has_calls = True

    def _asks_again(self, *, calls: bool, text: str | None, usage: Usage | None) -> bool:
        """Return whether to ask again after an answer; ``text`` is None if the output cap has cut it."""
        if not self._must_call or calls or (text and self.takes_text is not None and self.takes_text(text)):
            return False
        if self._asked_again or text is None:  # the same cap would cut the next answer too
            self.marks["tool_choice_unmet"] = True
            return False
        self._asked_again = True
        self._spent = usage
        request = self.request
        self._prepare(lambda: self._again(request, text))
        return True

    def _learn(self) -> None:
        """Take what the first accepted request says about force."""
        if self._forced is None:
            return
        self._forced = None
        if not self._doubted_force:
            self._refused_force.accepted(self._target)
        elif self._refused_force.refused(self._target):
            logger.info(
                "%s answers forced tool choices with 40009: tools are asked for in words for a while", self.model
            )

    def _released(self) -> list[tuple[ChatChunk, bool]]:
        held, self._held = self._held, []
        return held

    def _start_over(self) -> None:
        self._held = []
        self._text = []
        self._has_calls = False
        self._has_said = False
        self._has_thought = False
        self._at_end = False
