"""One pure function per API that returns a ``Call``: what to send and what comes back. One module per family.

Modules are loaded on first use: they and the pydantic models of their results would be most of the client's import
time, and no program uses all of them.
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
