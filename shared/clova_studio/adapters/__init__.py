"""What adapters of frameworks are made of: connections, options, messages, and the work that takes several requests.

Everything here is the same for each framework and knows none. ``langchain_clova`` and ``llama_index_clova`` are thin
translations on top of it, and a third adapter would be.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clova_studio._catalogue import TUNED_MODEL_PREFIX, is_tuned
    from clova_studio._concurrency import WorkQueue, run_tasks, run_threads
    from clova_studio._rate_limits.estimates import estimate_message_tokens, estimate_tokens
    from clova_studio._requests.chat_options import refuse_tools_with_format
    from clova_studio._requests.messages import ClovaMessages
    from clova_studio.adapters._chat_fields import ChatFields
    from clova_studio.adapters._citations import Cited, parse_citations
    from clova_studio.adapters._connection import SETTING_NAMES, Connection, key_from_env
    from clova_studio.adapters._conversation import Conversation, json_text, text_part, with_instruction
    from clova_studio.adapters._embeddings import aembed_texts
    from clova_studio.adapters._fields import ConnectionFields, refuse_unknown
    from clova_studio.adapters._images import IMAGE_PLACEHOLDER, data_uri, image_part
    from clova_studio.adapters._options import (
        CHAT_OPTIONS,
        ChatRequest,
        chat_options,
        default_output_tokens,
        options_of_call,
        warn_of_raised_cap,
    )
    from clova_studio.adapters._reranking import RerankAnswer, RerankRequest
    from clova_studio.adapters._schemas import clean_schema, response_schema, wire_function, wire_response_format
    from clova_studio.adapters._segmentation import TopicSpan, asegment_texts, segment_texts
    from clova_studio.adapters._summaries import MAX_SUMMARIZATION_CHARACTERS, asummarize_texts, summarize_texts
    from clova_studio.adapters._tool_choice import ForcedTool, tool_choice_of
    from clova_studio.adapters._tool_choice_flow import ToolChoiceFlow
    from clova_studio.adapters._warn_once import WarnOnce

_HOMES = {
    "clova_studio._catalogue": ("TUNED_MODEL_PREFIX", "is_tuned"),
    "clova_studio._concurrency": ("WorkQueue", "run_tasks", "run_threads"),
    "clova_studio._rate_limits.estimates": ("estimate_message_tokens", "estimate_tokens"),
    "clova_studio._requests.chat_options": ("refuse_tools_with_format",),
    "clova_studio._requests.messages": ("ClovaMessages",),
    "clova_studio.adapters._chat_fields": ("ChatFields",),
    "clova_studio.adapters._citations": ("Cited", "parse_citations"),
    "clova_studio.adapters._connection": ("SETTING_NAMES", "Connection", "key_from_env"),
    "clova_studio.adapters._conversation": ("Conversation", "json_text", "text_part", "with_instruction"),
    "clova_studio.adapters._tool_choice": ("ForcedTool", "tool_choice_of"),
    "clova_studio.adapters._tool_choice_flow": ("ToolChoiceFlow",),
    "clova_studio.adapters._warn_once": ("WarnOnce",),
    "clova_studio.adapters._embeddings": ("aembed_texts",),
    "clova_studio.adapters._fields": ("ConnectionFields", "refuse_unknown"),
    "clova_studio.adapters._images": ("IMAGE_PLACEHOLDER", "data_uri", "image_part"),
    "clova_studio.adapters._options": (
        "CHAT_OPTIONS",
        "ChatRequest",
        "chat_options",
        "default_output_tokens",
        "options_of_call",
        "warn_of_raised_cap",
    ),
    "clova_studio.adapters._reranking": ("RerankAnswer", "RerankRequest"),
    "clova_studio.adapters._schemas": ("clean_schema", "response_schema", "wire_function", "wire_response_format"),
    "clova_studio.adapters._segmentation": ("TopicSpan", "asegment_texts", "segment_texts"),
    "clova_studio.adapters._summaries": ("MAX_SUMMARIZATION_CHARACTERS", "asummarize_texts", "summarize_texts"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CHAT_OPTIONS",
    "IMAGE_PLACEHOLDER",
    "MAX_SUMMARIZATION_CHARACTERS",
    "SETTING_NAMES",
    "TUNED_MODEL_PREFIX",
    "ChatFields",
    "ChatRequest",
    "Cited",
    "ClovaMessages",
    "Connection",
    "ConnectionFields",
    "Conversation",
    "ForcedTool",
    "RerankAnswer",
    "RerankRequest",
    "ToolChoiceFlow",
    "TopicSpan",
    "WarnOnce",
    "WorkQueue",
    "aembed_texts",
    "asegment_texts",
    "asummarize_texts",
    "chat_options",
    "clean_schema",
    "data_uri",
    "default_output_tokens",
    "estimate_message_tokens",
    "estimate_tokens",
    "image_part",
    "is_tuned",
    "json_text",
    "key_from_env",
    "options_of_call",
    "parse_citations",
    "refuse_tools_with_format",
    "refuse_unknown",
    "response_schema",
    "run_tasks",
    "run_threads",
    "segment_texts",
    "summarize_texts",
    "text_part",
    "tool_choice_of",
    "warn_of_raised_cap",
    "wire_function",
    "wire_response_format",
    "with_instruction",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
