"""LlamaIndex's decorators have no types: with these what they decorate keeps its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llama_index.core import instrumentation
from llama_index.core.llms import callbacks

__all__ = ["chat_events", "completion_events", "dispatcher", "span"]

F = TypeVar("F", bound=Callable[..., Any])

dispatcher = instrumentation.get_dispatcher("llama_index_clova")  # type: ignore[attr-defined]  # core has no __all__


def chat_events(method: F) -> F:
    """Send the events of a chat around a method, and ask the rate limiter first."""
    return cast("F", callbacks.llm_chat_callback()(method))


def completion_events(method: F) -> F:
    """Send the events of a completion around a method, and ask the rate limiter first."""
    return cast("F", callbacks.llm_completion_callback()(method))


def span(method: F) -> F:
    """Make a method a span of its own in traces."""
    return cast("F", dispatcher.span(method))
