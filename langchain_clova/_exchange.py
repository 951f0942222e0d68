"""The requests that one call consists of, and what is made of their answers. No I/O, so sync and async share it.

Usually that is one request. The service has no "required" tool choice, may answer a forced one with 40009, and answers
a tool that the model invented with 40009 too, so a call with tools can be a second one:

* any of several tools: ``auto`` with an instruction; when the answer is text, asked once more; when that is text too,
  ``response_metadata["tool_choice_unmet"]`` says so;
* one certain tool: forced by name; after 40009 that tool alone, as above, which is remembered;
* 40009 otherwise: the same without tools where ``tool_fallback`` allows it, marked
  ``response_metadata["tool_fallback"]``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from langchain_core.messages.ai import add_usage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from langchain_core.outputs import ChatResult as LangChainResult

from langchain_clova._answers import ChunkMaker, message_of, usage_of
from langchain_clova._messages import with_instruction

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

    from clova_studio import ChatChunk, ChatResult, UnsupportedFunctionError

__all__ = ["Exchange"]

logger = logging.getLogger("langchain_clova")

_INSTRUCTION = (
    "You must answer by calling one of these tools: {names}. Never answer in text alone. / "
    "반드시 다음 도구 중 하나를 호출하여 답하세요: {names}."
)
_AGAIN = (
    "You answered in text. Call one of these tools now, with arguments that fit my request: {names}. / "
    "지금 다음 도구 중 하나를 호출하세요: {names}."
)

# Where a forced choice was answered with 40009 while the same tool was accepted without it: (base URL, model).
_refuses_forced: set[tuple[str | None, str]] = set()


class Exchange:
    """One call: its next request, and its answer once no request is left.

    Args:
        request: Arguments for ``chat`` or ``stream_chat``, with ``messages`` as the wire has them, without tool choice.
        choice: None, ``"auto"``, ``"none"``, ``"any"``, or the name of a tool after ``"="``.
        tool_fallback: When to go on without tools after 40009.
        base_url: Where the request goes, as far as it is known.
        with_usage: Whether a stream ends with the usage.
        single_call: Whether to keep only the first tool call.

    Attributes:
        request: Arguments of the next request, None when the answer is there.
    """

    def __init__(
        self,
        request: dict[str, Any],
        *,
        choice: str | None,
        tool_fallback: str,
        base_url: str | None,
        with_usage: bool,
        single_call: bool,
    ) -> None:
        self._plain = request
        self._tool_fallback = tool_fallback
        self._place = (base_url, request["model"])
        self._with_usage = with_usage
        self._single_call = single_call
        self._must_call = False
        self._asked_again = False
        self._forced: str | None = None
        self._doubted_force = False
        self._marks: dict[str, Any] = {}
        self._spent: UsageMetadata | None = None
        self._answer: LangChainResult | None = None
        self._held: list[ChatGenerationChunk] = []
        self._chunks = self._maker()
        self._at_end = False
        self.request: dict[str, Any] | None = self._first(choice)

    def _first(self, choice: str | None) -> dict[str, Any]:
        if choice is None:
            return self._plain
        if choice in {"auto", "none"}:
            return {**self._plain, "tool_choice": choice}
        if choice == "any":
            return self._demand(self._plain["tools"])
        name = choice[1:]
        if self._place in _refuses_forced:
            return self._demand(self._only(name))
        self._forced = name
        return {**self._plain, "tool_choice": {"type": "function", "function": {"name": name}}}

    def _only(self, name: str) -> list[dict[str, Any]]:
        return [tool for tool in self._plain["tools"] if tool["function"]["name"] == name]

    def _demand(self, tools: list[dict[str, Any]]) -> dict[str, Any]:
        self._must_call = True
        names = ", ".join(tool["function"]["name"] for tool in tools)
        messages = with_instruction(self._plain["messages"], _INSTRUCTION.format(names=names))
        return {**self._plain, "messages": messages, "tools": tools, "tool_choice": "auto"}

    def _again(self, text: str) -> dict[str, Any]:
        """Return the request that asks once more for a tool call."""
        request = self.request or self._plain
        names = ", ".join(tool["function"]["name"] for tool in request["tools"])
        said = [{"role": "assistant", "content": text}] if text.strip() else []
        messages = [*request["messages"], *said, {"role": "user", "content": _AGAIN.format(names=names)}]
        return {**request, "messages": messages}

    def refused(self, error: UnsupportedFunctionError) -> None:
        """Take a 40009: there is another request then, or the error is raised.

        Args:
            error: The refusal of the current request.

        Raises:
            UnsupportedFunctionError: It, when no other request can help.
        """
        request = self.request or self._plain
        if not request.get("tools") or request.get("tool_choice") == "none":
            raise error
        if self._forced is not None and not self._doubted_force:
            self._doubted_force = True
            self.request = self._demand(self._only(self._forced))
        elif self._may_do_without_tools():
            logger.warning(
                "%s answered 40009 (request id %s), which mostly is a tool that the model invented: asked once more "
                "without tools",
                self._place[1],
                error.request_id,
            )
            self._must_call = self._doubted_force = False
            self._marks["tool_fallback"] = True
            self.request = {**self._plain, "tool_choice": "none"}
        else:
            raise error
        self._start_over()

    def _may_do_without_tools(self) -> bool:
        if self._tool_fallback == "after_tool_result":
            return bool(self._plain["messages"][-1]["role"] == "tool")
        return self._tool_fallback == "always"

    def answered(self, result: ChatResult) -> None:
        """Take a whole answer: it stands, or there is another request."""
        self._learn()
        calls = bool(result.message.tool_calls)
        usage = usage_of(result.usage)
        if self._asks_again(calls=calls, text=result.message.content, usage=usage):
            return
        message = message_of(result, self._place[1], single_call=self._single_call)
        message.response_metadata.update(self._marks)
        message.usage_metadata = _sum(self._spent, usage)
        self._answer = LangChainResult(generations=[ChatGeneration(message=message)])
        self.request = None

    @property
    def answer(self) -> LangChainResult:
        """The answer, once there is no request left."""
        if self._answer is None:
            raise RuntimeError("the exchange is not at its end")
        return self._answer

    def streamed(self, piece: ChatChunk) -> list[ChatGenerationChunk]:
        """Take a piece of a streamed answer and return the chunks that can be given out."""
        if self._at_end:  # of the answer before this one
            self._start_over()
        # Only the last piece says how the answer ended and what it cost.
        if piece.finish_reason is not None or piece.usage is not None:
            return self._last(piece)
        chunk = self._chunks.chunk(piece, last=False)
        if not self._must_call or self._asked_again:
            return [chunk]
        # A text may have to be taken back for a tool call: nothing is given out before there is one.
        self._held.append(chunk)
        return self._released() if self._chunks.has_calls else []

    def stream_ended(self, result: ChatResult) -> list[ChatGenerationChunk]:
        """Take the end of a stream and return the chunks that are left."""
        if self._at_end:
            return []
        from clova_studio import ChatChunk

        # A service that said neither how the answer ended nor what it cost.
        return self._last(ChatChunk(seed=result.seed, created=result.created, request_id=result.request_id))

    def _last(self, piece: ChatChunk) -> list[ChatGenerationChunk]:
        self._at_end = True
        self._learn()
        chunk = self._chunks.chunk(piece, last=True)
        usage = usage_of(piece.usage)
        if self._asks_again(calls=self._chunks.has_calls, text=self._chunks.text, usage=usage):
            self._held = []
            return []
        chunk.message.response_metadata.update(self._marks)
        if self._with_usage and self._spent is not None:
            chunk.message.usage_metadata = _sum(self._spent, usage)  # type: ignore[attr-defined]  # an AIMessageChunk
        self.request = None
        return [*self._released(), chunk]

    def _asks_again(self, *, calls: bool, text: str, usage: UsageMetadata | None) -> bool:
        if not self._must_call or calls:
            return False
        if self._asked_again:
            self._marks["tool_choice_unmet"] = True
            return False
        self._asked_again = True
        self._spent = usage
        self.request = self._again(text)
        return True

    def _learn(self) -> None:
        if self._doubted_force:
            # The tool alone was accepted, so it was the forced choice that was not.
            _refuses_forced.add(self._place)

    def _released(self) -> list[ChatGenerationChunk]:
        held, self._held = self._held, []
        return held

    def _start_over(self) -> None:
        self._held = []
        self._at_end = False
        self._chunks = self._maker()

    def _maker(self) -> ChunkMaker:
        return ChunkMaker(self._place[1], with_usage=self._with_usage, single_call=self._single_call)


def _sum(spent: UsageMetadata | None, usage: UsageMetadata | None) -> UsageMetadata | None:
    return usage if spent is None else add_usage(spent, usage)
