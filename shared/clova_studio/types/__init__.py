"""The typed results of the service, one module for each API family.

Names are loaded when they are first used: each model costs a program that does not need it as much as one that does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clova_studio.types._base import RateLimit, Result, WireModel
    from clova_studio.types.chat import (
        AiFilter,
        ChatChunk,
        ChatResult,
        CompletionTokensDetails,
        Message,
        ToolCall,
        ToolCallFunction,
        Usage,
    )
    from clova_studio.types.completions import CompletionResult
    from clova_studio.types.embeddings import Embedding
    from clova_studio.types.openai import (
        OpenAIChatChunk,
        OpenAIChatResult,
        OpenAIChoice,
        OpenAIEmbedding,
        OpenAIEmbeddings,
        OpenAIFunction,
        OpenAIMessage,
        OpenAIModel,
        OpenAIModels,
        OpenAIToolCall,
        OpenAIUsage,
    )
    from clova_studio.types.reasoning import ReasoningResult
    from clova_studio.types.reranking import RerankDocument, RerankResult
    from clova_studio.types.routing import RouteDomain, RouteFilter, RouteResult
    from clova_studio.types.segmentation import Segmentation
    from clova_studio.types.skillsets import SelectedSkill, SkillApiCall, SkillsetChunk, SkillsetResult
    from clova_studio.types.sliding import SlidingWindow
    from clova_studio.types.summarization import Summary
    from clova_studio.types.tokens import MessageTokenCount, PartTokenCount, TokenCount
    from clova_studio.types.tuning import TuningStatusInfo, TuningTask, TuningTaskPage

__all__ = [
    "AiFilter",
    "ChatChunk",
    "ChatResult",
    "CompletionResult",
    "CompletionTokensDetails",
    "Embedding",
    "Message",
    "MessageTokenCount",
    "OpenAIChatChunk",
    "OpenAIChatResult",
    "OpenAIChoice",
    "OpenAIEmbedding",
    "OpenAIEmbeddings",
    "OpenAIFunction",
    "OpenAIMessage",
    "OpenAIModel",
    "OpenAIModels",
    "OpenAIToolCall",
    "OpenAIUsage",
    "PartTokenCount",
    "RateLimit",
    "ReasoningResult",
    "RerankDocument",
    "RerankResult",
    "Result",
    "RouteDomain",
    "RouteFilter",
    "RouteResult",
    "Segmentation",
    "SelectedSkill",
    "SkillApiCall",
    "SkillsetChunk",
    "SkillsetResult",
    "SlidingWindow",
    "Summary",
    "TokenCount",
    "ToolCall",
    "ToolCallFunction",
    "TuningStatusInfo",
    "TuningTask",
    "TuningTaskPage",
    "Usage",
    "WireModel",
]

_HOMES = {
    "_base": (
        "RateLimit",
        "Result",
        "WireModel",
    ),
    "chat": (
        "AiFilter",
        "ChatChunk",
        "ChatResult",
        "CompletionTokensDetails",
        "Message",
        "ToolCall",
        "ToolCallFunction",
        "Usage",
    ),
    "completions": ("CompletionResult",),
    "embeddings": ("Embedding",),
    "openai": (
        "OpenAIChatChunk",
        "OpenAIChatResult",
        "OpenAIChoice",
        "OpenAIEmbedding",
        "OpenAIEmbeddings",
        "OpenAIFunction",
        "OpenAIMessage",
        "OpenAIModel",
        "OpenAIModels",
        "OpenAIToolCall",
        "OpenAIUsage",
    ),
    "reasoning": ("ReasoningResult",),
    "reranking": (
        "RerankDocument",
        "RerankResult",
    ),
    "routing": (
        "RouteDomain",
        "RouteFilter",
        "RouteResult",
    ),
    "segmentation": ("Segmentation",),
    "skillsets": (
        "SelectedSkill",
        "SkillApiCall",
        "SkillsetChunk",
        "SkillsetResult",
    ),
    "sliding": ("SlidingWindow",),
    "summarization": ("Summary",),
    "tokens": (
        "MessageTokenCount",
        "PartTokenCount",
        "TokenCount",
    ),
    "tuning": (
        "TuningStatusInfo",
        "TuningTask",
        "TuningTaskPage",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
