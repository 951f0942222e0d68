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
    from clova_studio._chat_body import ChatOptions
    from clova_studio._client import ClovaStudio
    from clova_studio._config import Timeouts
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
        UnsupportedFunctionError,
    )
    from clova_studio._pacing import RateLimits
    from clova_studio._retry import RetryPolicy
    from clova_studio._segments import TextSpan, align_segments, segmentation_windows
    from clova_studio._streams import AsyncChatStream, ChatStream
    from clova_studio.types import (
        AiFilter,
        ChatChunk,
        ChatResult,
        CompletionTokensDetails,
        Embedding,
        Message,
        MessageTokenCount,
        PartTokenCount,
        RateLimit,
        Segmentation,
        TokenCount,
        ToolCall,
        ToolCallFunction,
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
    "AuthenticationError",
    "BadRequestError",
    "ChatChunk",
    "ChatOptions",
    "ChatResult",
    "ChatStream",
    "ClovaStudio",
    "ClovaStudioError",
    "CompletionTokensDetails",
    "ConfigurationError",
    "ContextLengthError",
    "Embedding",
    "EmbeddingModelInfo",
    "InvalidResponseError",
    "Message",
    "MessageTokenCount",
    "ModelInfo",
    "NotFoundError",
    "PartTokenCount",
    "PermissionDeniedError",
    "RateLimit",
    "RateLimitError",
    "RateLimits",
    "RetryPolicy",
    "Segmentation",
    "ServerError",
    "StreamError",
    "StreamInterruptedError",
    "TextSpan",
    "Timeouts",
    "TokenCount",
    "ToolCall",
    "ToolCallFunction",
    "UnsupportedFunctionError",
    "Usage",
    "align_segments",
    "model_info",
    "segmentation_windows",
]

_HOMES = {
    "_async_client": ("AsyncClovaStudio",),
    "_catalogue": ("EMBEDDING_MODELS", "MODELS", "EmbeddingModelInfo", "ModelInfo", "model_info"),
    "_chat_body": ("ChatOptions",),
    "_client": ("ClovaStudio",),
    "_config": ("Timeouts",),
    "_pacing": ("RateLimits",),
    "_retry": ("RetryPolicy",),
    "_segments": ("TextSpan", "align_segments", "segmentation_windows"),
    "_streams": ("AsyncChatStream", "ChatStream"),
    "types": (
        "AiFilter",
        "ChatChunk",
        "ChatResult",
        "CompletionTokensDetails",
        "Embedding",
        "Message",
        "MessageTokenCount",
        "PartTokenCount",
        "RateLimit",
        "Segmentation",
        "TokenCount",
        "ToolCall",
        "ToolCallFunction",
        "Usage",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # What is in no other home is an error class.
    value = getattr(import_module(f"{__name__}.{_HOME_OF.get(name, '_errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
