"""Legacy completions. Source: the Completions page of the API guide (withdrawn at the end of 2025), and recordings."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from clova_studio.types._base import Result
from clova_studio.types.chat import FINISH_REASONS, AiFilter, Usage

__all__ = ["CompletionResult"]


class CompletionResult(Result):
    """A completed text. Source: the Completions page of the API guide.

    Attributes:
        text: The prompt with its continuation.
        output_text: The continuation alone, None if the service did not send it.
        stop_reason: ``length``, ``end_token`` or ``stop_before``, as sent.
        finish_reason: The stop reason translated to that of a chat: ``stop`` or ``length``.
        input_length: Input tokens.
        output_length: Output tokens.
        usage: The two lengths in the form of a chat's usage.
        input_tokens: The tokens themselves, with ``include_tokens``.
        output_tokens: The tokens themselves, with ``include_tokens``.
        probs: Probabilities, with ``include_probs``.
        ai_filter: Findings of the AI filter.
    """

    text: str = ""
    output_text: str | None = None
    stop_reason: str | None = None
    finish_reason: str | None = None
    input_length: int | None = None
    output_length: int | None = None
    usage: Usage | None = None
    input_tokens: list[Any] | None = None
    output_tokens: list[Any] | None = None
    probs: Any = None
    ai_filter: list[AiFilter] | None = None

    @model_validator(mode="after")
    def _same_words_as_chat(self) -> CompletionResult:
        values = vars(self)
        if values["stop_reason"] is not None and values["finish_reason"] is None:
            reason = values["stop_reason"].lower()
            values["finish_reason"] = FINISH_REASONS.get(reason, reason)
        if values["usage"] is None and values["input_length"] is not None:
            read, written = values["input_length"], values["output_length"] or 0
            values["usage"] = Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)
        return self
