"""The typed results of the service, one module for each API family."""

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
from clova_studio.types.embeddings import Embedding
from clova_studio.types.segmentation import Segmentation
from clova_studio.types.tokens import MessageTokenCount, PartTokenCount, TokenCount

__all__ = [
    "AiFilter",
    "ChatChunk",
    "ChatResult",
    "CompletionTokensDetails",
    "Embedding",
    "Message",
    "MessageTokenCount",
    "PartTokenCount",
    "RateLimit",
    "Result",
    "Segmentation",
    "TokenCount",
    "ToolCall",
    "ToolCallFunction",
    "Usage",
    "WireModel",
]
