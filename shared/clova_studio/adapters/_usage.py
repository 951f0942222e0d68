"""Sums of tokens. Pure."""

from __future__ import annotations

from clova_studio.types import CompletionTokensDetails, Usage

__all__ = ["sum_of_usage"]


def sum_of_usage(spent: Usage, usage: Usage | None) -> Usage:
    """Return the tokens of two requests together.

    Args:
        spent: Those of the first.
        usage: Those of the second; None if the service did not report them.
    """
    if usage is None:
        return spent
    thinking = [
        details.thinking_tokens
        for details in (spent.completion_tokens_details, usage.completion_tokens_details)
        if details is not None and details.thinking_tokens is not None
    ]
    return Usage(
        prompt_tokens=spent.prompt_tokens + usage.prompt_tokens,
        completion_tokens=spent.completion_tokens + usage.completion_tokens,
        total_tokens=spent.total_tokens + usage.total_tokens,
        completion_tokens_details=CompletionTokensDetails(thinking_tokens=sum(thinking)) if thinking else None,
    )
