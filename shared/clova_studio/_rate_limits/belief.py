"""Decides which numbers of an answer reach a rate limiter: a number from the wire may be anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clova_studio.types._base import RateLimit, Result

__all__ = ["believed_input", "believed_limits"]

# More input than any model takes.
_MOST_TOKENS = 1_000_000


def believed_limits(reported: RateLimit, cost: int) -> RateLimit:
    """Return what headers said, without a limit that is lower than what the request costs.

    Args:
        reported: What the headers said.
        cost: Tokens of the request: its input and the output that it asks for.
    """
    if reported.limit_tokens is None or reported.limit_tokens >= cost:
        return reported
    return reported.model_copy(update={"limit_tokens": None})


def believed_input(result: Result) -> int | None:
    """Return the service's count of the input, None where there is none that can be true.

    Args:
        result: An answer, or a chunk of it.
    """
    usage = getattr(result, "usage", None)
    tokens = getattr(result, "input_tokens", None) if usage is None else usage.prompt_tokens
    return tokens if isinstance(tokens, int) and 0 <= tokens <= _MOST_TOKENS else None
