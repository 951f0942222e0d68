"""LlamaIndex's decorators, which are untyped, with types: a decorated method keeps its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llama_index.core import instrumentation
from llama_index.core.llms import callbacks

__all__ = ["chat_events", "completion_events", "dispatcher", "span"]

F = TypeVar("F", bound=Callable[..., Any])

dispatcher = instrumentation.get_dispatcher("llama_index_clova")  # type: ignore[attr-defined]  # core has no __all__


def chat_events(method: F) -> F:
    """Send the events of a chat around a method, after waiting for LlamaIndex's rate limiter."""
    return cast("F", callbacks.llm_chat_callback()(method))


def completion_events(method: F) -> F:
    """Send the events of a completion around a method, after waiting for LlamaIndex's rate limiter."""
    return cast("F", callbacks.llm_completion_callback()(method))


def span(method: F) -> F:
    """Give a method its own span in traces."""
    return cast("F", dispatcher.span(method))
