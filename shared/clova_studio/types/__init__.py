"""The typed results of the service, one module for each API family.

Names are loaded on first use: building a pydantic model takes time, and no program uses all of them.
"""

# ruff: noqa: F403, F405  each module says in its own __all__ what it has

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._lazy import lazy_names

if TYPE_CHECKING:
    from clova_studio.types._base import *
    from clova_studio.types.chat import *
    from clova_studio.types.completions import *
    from clova_studio.types.embeddings import *
    from clova_studio.types.openai import *
    from clova_studio.types.reasoning import *
    from clova_studio.types.reranking import *
    from clova_studio.types.routing import *
    from clova_studio.types.segmentation import *
    from clova_studio.types.skillsets import *
    from clova_studio.types.sliding import *
    from clova_studio.types.summarization import *
    from clova_studio.types.tokens import *
    from clova_studio.types.tuning import *

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

__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    {
        "._base": ("RateLimit", "Result", "WireModel"),
        ".chat": (
            "AiFilter",
            "ChatChunk",
            "ChatResult",
            "CompletionTokensDetails",
            "Message",
            "ToolCall",
            "ToolCallFunction",
            "Usage",
        ),
        ".completions": ("CompletionResult",),
        ".embeddings": ("Embedding",),
        ".openai": (
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
        ".reasoning": ("ReasoningResult",),
        ".reranking": ("RerankDocument", "RerankResult"),
        ".routing": ("RouteDomain", "RouteFilter", "RouteResult"),
        ".segmentation": ("Segmentation",),
        ".skillsets": ("SelectedSkill", "SkillApiCall", "SkillsetChunk", "SkillsetResult"),
        ".sliding": ("SlidingWindow",),
        ".summarization": ("Summary",),
        ".tokens": ("MessageTokenCount", "PartTokenCount", "TokenCount"),
        ".tuning": ("TuningStatusInfo", "TuningTask", "TuningTaskPage"),
    },
)
