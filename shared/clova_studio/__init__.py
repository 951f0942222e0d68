"""Client of NAVER CLOVA Studio (HyperCLOVA X): every API, sync, async and streamed.

    >>> from clova_studio import ClovaStudio
    >>> client = ClovaStudio()  # the key from CLOVASTUDIO_API_KEY
    >>> client.chat([{"role": "user", "content": "안녕하세요?"}]).message.content  # doctest: +SKIP

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

# ruff: noqa: F403, F405  each module says in its own __all__ what it has

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._lazy import lazy_names

if TYPE_CHECKING:
    from clova_studio._async_client import *
    from clova_studio._catalogue import *
    from clova_studio._client import *
    from clova_studio._config import *
    from clova_studio._dataset import *
    from clova_studio._errors import *
    from clova_studio._rate_limits.settings import *
    from clova_studio._rate_limits.status import *
    from clova_studio._rate_limits.stores.interface import *
    from clova_studio._rate_limits.stores.memory import *
    from clova_studio._rate_limits.stores.redis import *
    from clova_studio._rate_limits.stores.sqlite import *
    from clova_studio._requests.chat_options import *
    from clova_studio._requests.completions import *
    from clova_studio._requests.openai import *
    from clova_studio._requests.retrieval import *
    from clova_studio._resources.openai import *
    from clova_studio._resources.tuning import *
    from clova_studio._retries import *
    from clova_studio._segments import *
    from clova_studio._streaming.streams import *
    from clova_studio.types import *

__all__ = [
    "EMBEDDING_MODELS",
    "MODELS",
    "MODEL_USES",
    "MODEL_USE_SOURCES",
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
    "MemoryQuotaStore",
    "Message",
    "MessageTokenCount",
    "ModelInfo",
    "ModelUse",
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
    "QuotaStore",
    "RateLimit",
    "RateLimitError",
    "RateLimits",
    "ReasoningOptions",
    "ReasoningResult",
    "RedisQuotaStore",
    "RerankDocument",
    "RerankResult",
    "RetryPolicy",
    "RouteDomain",
    "RouteFilter",
    "RouteResult",
    "SQLiteQuotaStore",
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

__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    {
        "._async_client": ("AsyncClovaStudio",),
        "._catalogue": (
            "EMBEDDING_MODELS",
            "MODELS",
            "MODEL_USES",
            "MODEL_USE_SOURCES",
            "EmbeddingModelInfo",
            "ModelInfo",
            "ModelUse",
            "model_info",
        ),
        "._client": ("ClovaStudio",),
        "._config": ("Timeouts",),
        "._dataset": ("DatasetProblem", "DatasetReport", "validate_dataset"),
        "._errors": [name for name in __all__ if name.endswith("Error")],
        "._rate_limits.settings": ("RateLimits",),
        "._rate_limits.status": ("QuotaStatus",),
        "._rate_limits.stores.interface": ("QuotaStore",),
        "._rate_limits.stores.memory": ("MemoryQuotaStore",),
        "._rate_limits.stores.redis": ("RedisQuotaStore",),
        "._rate_limits.stores.sqlite": ("SQLiteQuotaStore",),
        "._requests.chat_options": ("ChatOptions",),
        "._requests.completions": ("CompletionOptions",),
        "._requests.openai": ("OpenAIChatOptions",),
        "._requests.retrieval": ("ReasoningOptions",),
        "._resources.openai": ("AsyncOpenAICompatible", "OpenAICompatible"),
        "._resources.tuning": ("AsyncTuning", "Tuning"),
        "._retries": ("RetryPolicy",),
        "._segments": ("TextSpan", "align_segments", "segmentation_windows"),
        "._streaming.streams": [name for name in __all__ if name.endswith("Stream")],
    },
    rest=".types",
)
