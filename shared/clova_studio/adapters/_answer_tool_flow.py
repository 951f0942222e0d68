"""The requests of a call that demands a tool call, if one of the tools only carries the answer. Pure decisions.

Agents ask for a structured answer in this form: the schema becomes one more tool, and each turn demands a tool call.
If the model answers in text, or the service answers 40009, a ``ToolChoiceFlow`` ends without the answer. This flow then
sends an instruction that asks for the arguments of that tool as JSON, and returns them as a call of it.
"""

from __future__ import annotations

import json
import logging
import uuid
from typing import TYPE_CHECKING, Any

from clova_studio._catalogue import model_info
from clova_studio._errors import UnsupportedFunctionError
from clova_studio._requests.messages import kind_of
from clova_studio.adapters._answer_calls import has_calls
from clova_studio.adapters._conversation import with_instruction
from clova_studio.adapters._json_answers import UnfitAnswerError, has_json, read_json
from clova_studio.adapters._structured_flow import correction_of, json_instruction
from clova_studio.adapters._tool_choice import ForcedTool
from clova_studio.adapters._tool_choice_flow import ToolChoiceFlow
from clova_studio.types import ToolCall, ToolCallFunction

if TYPE_CHECKING:
    from clova_studio.adapters._tool_choice import ToolChoice
    from clova_studio.adapters._warn_once import WarnOnce
    from clova_studio.types import ChatChunk, ChatResult, Message, Usage

__all__ = ["AnswerToolFlow", "tool_flow"]

logger = logging.getLogger("clova_studio")


def tool_flow(
    request: dict[str, Any],
    *,
    choice: ToolChoice | None,
    tool_fallback: str,
    base_url: str | None,
    warn_once: WarnOnce | None = None,
    answer: str | None = None,
) -> ToolChoiceFlow:
    """Return the flow for a call of a chat model.

    Args:
        request: As in ``ToolChoiceFlow``.
        choice: As there.
        tool_fallback: As there.
        base_url: As there.
        warn_once: As there.
        answer: The name of the tool that only carries the answer, None for none.
    """
    is_demanded = choice == "any" or (isinstance(choice, ForcedTool) and choice.name == answer)
    is_there = any(tool["function"]["name"] == answer for tool in request.get("tools") or ())
    if answer is None or not (is_demanded and is_there):
        return ToolChoiceFlow(
            request, choice=choice, tool_fallback=tool_fallback, base_url=base_url, warn_once=warn_once
        )
    return AnswerToolFlow(
        request, choice=choice, tool_fallback=tool_fallback, base_url=base_url, warn_once=warn_once, answer=answer
    )


class AnswerToolFlow(ToolChoiceFlow):
    """One call of a chat model that demands a tool call, and can make one from JSON in an answer.

    Args:
        request: As in ``ToolChoiceFlow``.
        choice: As there; a demand for a tool call.
        tool_fallback: As there. ``"never"`` also rules out the instruction.
        base_url: As there.
        warn_once: As there.
        answer: The name of the tool that carries the answer.
    """

    def __init__(
        self,
        request: dict[str, Any],
        *,
        choice: ToolChoice | None,
        tool_fallback: str,
        base_url: str | None,
        warn_once: WarnOnce | None,
        answer: str,
    ) -> None:
        super().__init__(request, choice=choice, tool_fallback=tool_fallback, base_url=base_url, warn_once=warn_once)
        self.takes_text = has_json
        self._answer = self._only(answer)[0]["function"]
        self._instructed = False
        self._corrected = False
        self._kept: list[tuple[ChatChunk, bool]] = []
        self._is_call_seen = False
        self._json: list[str] = []

    def refused(self, error: UnsupportedFunctionError) -> None:
        """Handle a 40009: prepare another request, or raise the error.

        Args:
            error: The refusal of the current request.

        Raises:
            UnsupportedFunctionError: The same error, if no other request can help, or if there are other tools and none
                has been called yet: an answer made up without them must not look whole.
        """
        if self._instructed:
            raise error
        try:
            super().refused(error)
        except UnsupportedFunctionError:
            if self._tool_fallback == "never" or not self._is_only_tool():
                raise
            self._instruct(f"{error.code} {error.message}", f"answered {error.code}")
            self._start_over()
        else:
            if self.request.get("tool_choice") == "none":
                self._instruct(f"{error.code} {error.message}", "")  # logged already

    def answered(self, result: ChatResult) -> bool:
        """Take a whole answer.

        Args:
            result: The answer to the current request. It becomes a tool call if it has the arguments as JSON.

        Returns:
            Whether it is final; otherwise there is another request.
        """
        message = result.message
        if not self._instructed:
            if not super().answered(result):
                return False
            if not self._is_missed(message, result.finish_reason):
                return True
        call = self._call_in(message.content, result.usage, is_cut=result.finish_reason == "length")
        if call is not None:
            message.content, message.tool_calls = "", [call]
            result.finish_reason = "tool_calls"
        return self.done

    def streamed(self, piece: ChatChunk) -> list[tuple[ChatChunk, bool]]:
        """Take a piece of a streamed answer.

        Args:
            piece: The next chunk of the answer to the current request.

        Returns:
            The pieces that can be passed on, each with whether it is the last one.
        """
        if self._instructed:
            return self._json_piece(piece)
        ready = [*self._kept, *super().streamed(piece)]
        self._kept = []
        self._is_call_seen = self._is_call_seen or any(has_calls(held.message) for held, _ in ready)
        if self._is_call_seen:
            return ready
        if not self.done:
            self._kept = ready  # text, which is dropped if a call follows
            return []
        if not self._is_missed(piece.message, piece.finish_reason):
            return ready
        self._json = [held.message.content for held, _ in ready]
        return self._json_end(piece, ready)

    def _json_piece(self, piece: ChatChunk) -> list[tuple[ChatChunk, bool]]:
        self._json.append(piece.message.content)
        return self._json_end(piece, [(piece, True)]) if piece.is_last else []

    def _json_end(self, last: ChatChunk, instead: list[tuple[ChatChunk, bool]]) -> list[tuple[ChatChunk, bool]]:
        text, self._json = "".join(self._json), []
        call = self._call_in(text, last.usage, is_cut=last.finish_reason == "length")
        if call is not None:
            message = last.message.model_copy(update={"content": "", "tool_calls": [call]})
            return [(last.model_copy(update={"message": message, "finish_reason": "tool_calls"}), True)]
        if not self.done:
            return []
        if len(instead) == 1:
            message = last.message.model_copy(update={"content": text})
            instead = [(last.model_copy(update={"message": message}), True)]
        return instead

    def _is_missed(self, message: Message, finish_reason: str | None) -> bool:
        """Return whether an answer is text although a call was demanded, and another request may help."""
        return not has_calls(message) and finish_reason != "length" and self._tool_fallback != "never"

    @property
    def _text_tool(self) -> str | None:
        return str(self._answer["name"])

    def _is_only_tool(self) -> bool:
        return len(self._plain["tools"]) == 1

    def _call_in(self, text: str, usage: Usage | None, *, is_cut: bool) -> ToolCall | None:
        """Return the call for the JSON in a text; None if there is another request, or (``done``) no answer."""
        self.done = True
        if is_cut:
            self.marks["tool_choice_unmet"] = True
            return None
        properties = self._answer["parameters"].get("properties", {})
        try:
            arguments = read_json(text, lambda found: found, tuple(properties))
        except UnfitAnswerError as error:
            if not self._instructed:
                self._instruct("the answer is text", "no tool call")
            elif not self._corrected:
                self._corrected = True
                self._correct(error)
            else:
                self.marks["tool_choice_unmet"] = True
                return None
            self.done = False
            self._spent = self.total_usage(usage)
            return None
        self.marks.pop("tool_choice_unmet", None)
        self.marks["structured_output_method"] = "json_mode"
        written = json.dumps(arguments, ensure_ascii=False)
        function = ToolCallFunction(name=self._answer["name"], arguments=arguments, partial_json=written)
        return ToolCall(id=f"call_{uuid.uuid4().hex[:24]}", function=function, index=0)

    def _instruct(self, why: str, reason: str) -> None:
        """Prepare the request that asks for the arguments as JSON."""
        if reason:
            logger.warning(
                "structured output of %s with function_calling failed (%s): sending another request",
                self.model,
                reason,
            )
        self._instructed = True
        self.marks.pop("tool_choice_unmet", None)
        self.marks.setdefault("structured_output_fallback", []).append(f"function_calling: {why.strip()}")
        request = {name: value for name, value in self._plain.items() if name not in {"tools", "tool_choice"}}
        described = {"description": self._answer["description"], **self._answer["parameters"]}
        request["messages"] = with_instruction(request["messages"], json_instruction(described))
        info = model_info(self.model)
        if info.known and info.thinking:
            # As with tools, where thinking is off too: it could use up the output cap.
            request.setdefault("thinking", "none")
        self._prepare(lambda: request)

    def _correct(self, error: UnfitAnswerError) -> None:
        correction = correction_of(error)
        said = [{"role": "assistant", "content": correction.said}] if correction.said.strip() else []
        messages = [*self.request["messages"], *said, {"role": "user", "content": correction.request}]
        request = {**self.request, "messages": kind_of(self.request["messages"])(messages)}
        self._prepare(lambda: request)
