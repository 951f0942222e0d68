"""LlamaIndex's decorators, which are untyped, with types: a decorated method keeps its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from llama_index.core import instrumentation
from llama_index.core.llms import callbacks

from clova_studio.adapters import mask_headers

__all__ = ["chat_events", "completion_events", "dispatcher", "span"]

F = TypeVar("F", bound=Callable[..., Any])

dispatcher = instrumentation.get_dispatcher("llama_index_clova")  # type: ignore[attr-defined]  # core has no __all__


def chat_events(method: F) -> F:
    """Send the events of a chat around a method, after waiting for LlamaIndex's rate limiter."""
    return cast("F", _recorded(callbacks.llm_chat_callback()(method)))


def completion_events(method: F) -> F:
    """Send the events of a completion around a method, after waiting for LlamaIndex's rate limiter."""
    return cast("F", _recorded(callbacks.llm_completion_callback()(method)))


def span(method: F) -> F:
    """Give a method its own span in traces."""
    return cast("F", dispatcher.span(method))


def _recorded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Give a method its span, with the headers of a call masked in what its span and its events record.

    Core gives each method of an LLM a span, around everything else, unless it is marked as one that has its own.
    """
    spanned: Any = dispatcher.span(method)

    # functools.wraps copies the mark, too.
    @functools.wraps(method)
    def masked(self: Any, *args: Any, **kwargs: Any) -> Any:
        return spanned.__get__(self, type(self))(*args, **mask_headers(kwargs))

    @functools.wraps(method)
    async def amasked(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await spanned.__get__(self, type(self))(*args, **mask_headers(kwargs))

    return amasked if inspect.iscoroutinefunction(method) else masked
