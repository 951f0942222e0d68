"""Client of NAVER CLOVA Studio (HyperCLOVA X): every API, sync, async and streamed.

    >>> from clova_studio import ClovaStudio
    >>> client = ClovaStudio()  # the key from CLOVASTUDIO_API_KEY
    >>> client.chat([{"role": "user", "content": "안녕하세요?"}]).message.content  # doctest: +SKIP

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clova_studio._async_client import AsyncClovaStudio
    from clova_studio._catalogue import EMBEDDING_MODELS, MODELS, EmbeddingModelInfo, ModelInfo, model_info
    from clova_studio._client import ClovaStudio
    from clova_studio._config import Timeouts
    from clova_studio._dataset import DatasetProblem, DatasetReport, validate_dataset
    from clova_studio._errors import (
        APIConnectionError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ClovaStudioError,
        ConfigurationError,
        ContextLengthError,
        InvalidResponseError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitError,
        ServerError,
        StreamError,
        StreamInterruptedError,
        TuningTaskError,
        UnsupportedFunctionError,
    )
    from clova_studio._rate_limits.settings import RateLimits
    from clova_studio._rate_limits.status import QuotaStatus
    from clova_studio._requests.chat_options import ChatOptions
    from clova_studio._requests.completions import CompletionOptions
    from clova_studio._requests.openai import OpenAIChatOptions
    from clova_studio._requests.retrieval import ReasoningOptions
    from clova_studio._resources.openai import AsyncOpenAICompatible, OpenAICompatible
    from clova_studio._resources.tuning import AsyncTuning, Tuning
    from clova_studio._retries import RetryPolicy
    from clova_studio._segments import TextSpan, align_segments, segmentation_windows
    from clova_studio._streaming.streams import (
        AsyncChatStream,
        AsyncOpenAIChatStream,
        AsyncSkillsetStream,
        ChatStream,
        OpenAIChatStream,
        SkillsetStream,
    )
    from clova_studio.types import (
        AiFilter,
        ChatChunk,
        ChatResult,
        CompletionResult,
        CompletionTokensDetails,
        Embedding,
        Message,
        MessageTokenCount,
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
        PartTokenCount,
        RateLimit,
        ReasoningResult,
        RerankDocument,
        RerankResult,
        RouteDomain,
        RouteFilter,
        RouteResult,
        Segmentation,
        SelectedSkill,
        SkillApiCall,
        SkillsetChunk,
        SkillsetResult,
        SlidingWindow,
        Summary,
        TokenCount,
        ToolCall,
        ToolCallFunction,
        TuningStatusInfo,
        TuningTask,
        TuningTaskPage,
        Usage,
    )

__all__ = [
    "EMBEDDING_MODELS",
    "MODELS",
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AiFilter",
    "AsyncChatStream",
    "AsyncClovaStudio",
    "AsyncOpenAIChatStream",
    "AsyncOpenAICompatible",
    "AsyncSkillsetStream",
    "AsyncTuning",
    "AuthenticationError",
    "BadRequestError",
    "ChatChunk",
    "ChatOptions",
    "ChatResult",
    "ChatStream",
    "ClovaStudio",
    "ClovaStudioError",
    "CompletionOptions",
    "CompletionResult",
    "CompletionTokensDetails",
    "ConfigurationError",
    "ContextLengthError",
    "DatasetProblem",
    "DatasetReport",
    "Embedding",
    "EmbeddingModelInfo",
    "InvalidResponseError",
    "Message",
    "MessageTokenCount",
    "ModelInfo",
    "NotFoundError",
    "OpenAIChatChunk",
    "OpenAIChatOptions",
    "OpenAIChatResult",
    "OpenAIChatStream",
    "OpenAIChoice",
    "OpenAICompatible",
    "OpenAIEmbedding",
    "OpenAIEmbeddings",
    "OpenAIFunction",
    "OpenAIMessage",
    "OpenAIModel",
    "OpenAIModels",
    "OpenAIToolCall",
    "OpenAIUsage",
    "PartTokenCount",
    "PermissionDeniedError",
    "QuotaStatus",
    "RateLimit",
    "RateLimitError",
    "RateLimits",
    "ReasoningOptions",
    "ReasoningResult",
    "RerankDocument",
    "RerankResult",
    "RetryPolicy",
    "RouteDomain",
    "RouteFilter",
    "RouteResult",
    "Segmentation",
    "SelectedSkill",
    "ServerError",
    "SkillApiCall",
    "SkillsetChunk",
    "SkillsetResult",
    "SkillsetStream",
    "SlidingWindow",
    "StreamError",
    "StreamInterruptedError",
    "Summary",
    "TextSpan",
    "Timeouts",
    "TokenCount",
    "ToolCall",
    "ToolCallFunction",
    "Tuning",
    "TuningStatusInfo",
    "TuningTask",
    "TuningTaskError",
    "TuningTaskPage",
    "UnsupportedFunctionError",
    "Usage",
    "align_segments",
    "model_info",
    "segmentation_windows",
    "validate_dataset",
]

# Errors come from `_errors`, every other name that is not listed from `types`.
_HOMES = {
    "_resources.openai": ("AsyncOpenAICompatible", "OpenAICompatible"),
    "_resources.tuning": ("AsyncTuning", "Tuning"),
    "_requests.openai": ("OpenAIChatOptions",),
    "_requests.retrieval": ("ReasoningOptions",),
    "_requests.completions": ("CompletionOptions",),
    "_dataset": ("DatasetProblem", "DatasetReport", "validate_dataset"),
    "_async_client": ("AsyncClovaStudio",),
    "_catalogue": ("EMBEDDING_MODELS", "MODELS", "EmbeddingModelInfo", "ModelInfo", "model_info"),
    "_requests.chat_options": ("ChatOptions",),
    "_client": ("ClovaStudio",),
    "_config": ("Timeouts",),
    "_rate_limits.settings": ("RateLimits",),
    "_rate_limits.status": ("QuotaStatus",),
    "_retries": ("RetryPolicy",),
    "_segments": ("TextSpan", "align_segments", "segmentation_windows"),
    "_streaming.streams": (
        "AsyncSkillsetStream",
        "SkillsetStream",
        "AsyncOpenAIChatStream",
        "OpenAIChatStream",
        "AsyncChatStream",
        "ChatStream",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME_OF.get(name) or ("_errors" if name.endswith("Error") else "types")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
