"""RAG reasoning. Source: the RAG reasoning page of the API guide."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from clova_studio.types._base import Result
from clova_studio.types._calls import settle_calls
from clova_studio.types.chat import AiFilter, Message, Usage

__all__ = ["ReasoningResult"]


class ReasoningResult(Result):
    """A step of RAG reasoning: calls of the search tool, or the answer with its citations.

    Source: the RAG reasoning page of the API guide.

    Attributes:
        message: In a search step, ``content`` is ``""``, ``tool_calls`` are the searches and ``thinking_content`` says
            why. In the last step, ``content`` is the answer, with citations marked ``<id>...</id>`` by the document's
            id.
        usage: Tokens.
        ai_filter: Findings of the AI filter, None without any.
    """

    message: Message
    usage: Usage | None = None
    ai_filter: list[AiFilter] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_shape(cls, value: Any) -> Any:
        # Some clients also expect `messages`, a list with one message, instead of `message`.
        if isinstance(value, dict) and "message" not in value and value.get("messages"):
            messages = value["messages"]
            return {**value, "message": messages[-1] if isinstance(messages, list) else messages}
        return value

    @model_validator(mode="after")
    def _count_calls(self) -> ReasoningResult:
        settle_calls(self.message)
        return self
