"""Every API as a pure function that returns one ``Call``: what to send, and what comes back. One module a family.

Modules are loaded when they are first used: they and the pydantic models of their results are most of what importing
the client would cost, and no program uses all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clova_studio._requests import chat, completions, openai, retrieval, routing, text, tuning

__all__ = ["chat", "completions", "openai", "retrieval", "routing", "text", "tuning"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
