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
