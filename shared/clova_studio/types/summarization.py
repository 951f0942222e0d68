"""Summarization. Source: the summarization page of the API guide."""

from __future__ import annotations

from clova_studio.types._base import Result
from clova_studio.types.chat import AiFilter

__all__ = ["Summary"]


class Summary(Result):
    """A summary of one or several texts. Source: the summarization page of the API guide.

    Attributes:
        text: The summary, mostly lines that start with ``- ``.
        input_tokens: Tokens of the texts; None in older answers.
        ai_filter: Findings of the AI filter, None where it was off. The guide does not say where an answer has them.
    """

    text: str
    input_tokens: int | None = None
    ai_filter: list[AiFilter] | None = None
