"""Chat responses -> completion responses. Pure.

Core's own conversions write the response's kwargs into its message; these leave both as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_index.core.base.llms.types import CompletionResponse

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import (
        ChatResponse,
        ChatResponseAsyncGen,
        ChatResponseGen,
        CompletionResponseAsyncGen,
        CompletionResponseGen,
    )

__all__ = ["acompletion_pieces", "completion_of", "completion_pieces"]


def completion_of(response: ChatResponse) -> CompletionResponse:
    """Return a chat's response as that of a completion."""
    return CompletionResponse(
        text=response.message.content or "",
        additional_kwargs={**response.message.additional_kwargs, **response.additional_kwargs},
        raw=response.raw,
        delta=response.delta,
    )


def completion_pieces(responses: ChatResponseGen) -> CompletionResponseGen:
    """Yield the responses of a streamed chat as those of a completion."""
    for response in responses:
        yield completion_of(response)


async def acompletion_pieces(responses: ChatResponseAsyncGen) -> CompletionResponseAsyncGen:
    """Async variant of ``completion_pieces``."""
    async for response in responses:
        yield completion_of(response)
