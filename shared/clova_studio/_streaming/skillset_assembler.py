"""Events of a skillset stream -> chunks -> the final result. Pure.

Source: the skillset final answer page of the API guide; no recording is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._responses import parse_payload, refuse_error_event
from clova_studio.types.skillsets import SkillsetChunk, SkillsetResult

if TYPE_CHECKING:
    from clova_studio._streaming.sse import ServerSentEvent

__all__ = ["SkillsetAssembler"]

_EVENTS = frozenset({"planning", "cot", "token", "finalAnswer"})


class SkillsetAssembler:
    """Collects one streamed skillset answer."""

    __slots__ = ("_planned", "_request_id", "_text", "_worked", "result")

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._planned: SkillsetChunk | None = None
        self._worked: SkillsetChunk | None = None
        self._text: list[str] = []
        self.result: SkillsetResult | None = None

    def feed(self, event: ServerSentEvent) -> SkillsetChunk | None:
        """Return the chunk of an event, or None for an event that carries nothing for the caller.

        Raises:
            APIStatusError: The event is an error.
            InvalidResponseError: The event is not readable.
        """
        if event.event not in _EVENTS:
            refuse_error_event(event, self._request_id)
            return None
        chunk = parse_payload(SkillsetChunk, event.data, self._request_id)
        chunk.event = event.event
        chunk.request_id = self._request_id
        if event.event == "planning":
            self._planned = chunk
        elif event.event == "cot":
            self._worked = chunk
        elif event.event == "token":
            self._text.append(chunk.text)
        else:
            result = parse_payload(SkillsetResult, event.data, self._request_id)
            if not result.api_result and self._worked is not None:
                result.api_result = self._worked.api_result or []
            return self._finished(result, chunk)
        return chunk

    def says(self, chunk: SkillsetChunk) -> bool:
        """Return whether a chunk has something for the caller: text, a plan or the result of an API."""
        return bool(chunk.text or chunk.selected_skill or chunk.api_result)

    def finish(self, result: SkillsetResult) -> SkillsetChunk:
        """Take an answer that came whole and return its one chunk."""
        chunk = SkillsetChunk(
            event="finalAnswer",
            final_answer=result.final_answer,
            api_result=result.api_result,
            token_count=result.token_count,
            request_id=self._request_id,
        )
        return self._finished(result, chunk)

    def partial(self) -> SkillsetResult | None:
        """Return what has arrived so far, None for nothing."""
        if self.result is not None:
            return self.result
        if self._planned is None and self._worked is None and not self._text:
            return None
        return SkillsetResult(
            final_answer="".join(self._text),
            api_result=(self._worked.api_result or []) if self._worked else [],
            selected_skill=(self._planned.selected_skill or []) if self._planned else [],
            request_id=self._request_id,
        )

    def end(self) -> None:
        """Do nothing: without its final answer a run is not whole."""

    def _finished(self, result: SkillsetResult, chunk: SkillsetChunk) -> SkillsetChunk:
        if self._planned is not None and not result.selected_skill:
            result.selected_skill = self._planned.selected_skill or []
        result.request_id = self._request_id
        self.result = result
        seen = "".join(self._text)
        chunk.text = result.final_answer[len(seen) :] if result.final_answer.startswith(seen) else ""
        return chunk
