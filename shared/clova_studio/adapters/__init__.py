"""What the adapters of frameworks share: connections, options, messages, and work that takes several requests.

Nothing here depends on a framework. ``langchain_clova`` and ``llama_index_clova`` are thin translations on top of it.

Names are loaded on first use.
"""

# ruff: noqa: F403, F405  each module says in its own __all__ what it has

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._lazy import lazy_names

if TYPE_CHECKING:
    from clova_studio._catalogue import *
    from clova_studio._concurrency import *
    from clova_studio._rate_limits.estimates import *
    from clova_studio._requests.chat_options import *
    from clova_studio._requests.messages import *
    from clova_studio._requests.validation import *
    from clova_studio._secrets import *
    from clova_studio.adapters._answer_calls import *
    from clova_studio.adapters._attachments import *
    from clova_studio.adapters._chat_fields import *
    from clova_studio.adapters._citations import *
    from clova_studio.adapters._connection import *
    from clova_studio.adapters._conversation import *
    from clova_studio.adapters._embeddings import *
    from clova_studio.adapters._fields import *
    from clova_studio.adapters._foreign_calls import *
    from clova_studio.adapters._images import *
    from clova_studio.adapters._json_answers import *
    from clova_studio.adapters._named_requests import *
    from clova_studio.adapters._options import *
    from clova_studio.adapters._reasoning import *
    from clova_studio.adapters._reranking import *
    from clova_studio.adapters._schemas import *
    from clova_studio.adapters._segmentation import *
    from clova_studio.adapters._sliding import *
    from clova_studio.adapters._structured_flow import *
    from clova_studio.adapters._summaries import *
    from clova_studio.adapters._threads import *
    from clova_studio.adapters._token_counts import *
    from clova_studio.adapters._tool_choice import *
    from clova_studio.adapters._tool_choice_flow import *
    from clova_studio.adapters._warn_once import *

__all__ = [
    "CHAT_OPTIONS",
    "IMAGE_PLACEHOLDER",
    "MAX_SUMMARIZATION_CHARACTERS",
    "SEARCH_TOOL_DESCRIPTION",
    "SETTING_NAMES",
    "TUNED_MODEL_PREFIX",
    "AnswerCall",
    "ApiKey",
    "Attachment",
    "ChatFields",
    "ChatRequest",
    "Cited",
    "ClovaMessages",
    "Connection",
    "ConnectionFields",
    "Conversation",
    "Correction",
    "ForcedTool",
    "FoundCall",
    "ReasoningAnswer",
    "ReasoningLoop",
    "RerankAnswer",
    "RerankRequest",
    "SlidingMessages",
    "StopStrings",
    "StructuredFlow",
    "TokenCounting",
    "ToolChoiceFlow",
    "TopicSpan",
    "UnfitAnswerError",
    "WarnOnce",
    "WorkQueue",
    "aembed_texts",
    "arequest_named",
    "asegment_texts",
    "asummarize_texts",
    "attachment",
    "call_in",
    "calls_of",
    "chat_options",
    "check_counted_model",
    "check_loop",
    "check_text",
    "check_texts",
    "clean_schema",
    "data_uri",
    "default_output_tokens",
    "embeddable",
    "estimate_message_tokens",
    "estimate_tokens",
    "field_of",
    "fitting",
    "image_part",
    "in_thread",
    "is_tuned",
    "iterate_in_threads",
    "json_instruction",
    "json_text",
    "json_values",
    "key_from_env",
    "lazy_names",
    "listed",
    "mask_headers",
    "no_images_for",
    "options_of_call",
    "parse_citations",
    "read_image",
    "read_json",
    "refuse_tools_with_format",
    "refuse_unknown",
    "request_named",
    "response_schema",
    "run_tasks",
    "run_threads",
    "segment_texts",
    "similar_key_words",
    "structured_methods",
    "summarize_texts",
    "text_part",
    "tool_choice_of",
    "united_calls",
    "unwrapped_root",
    "validation_words",
    "warn_of_raised_cap",
    "wire_function",
    "wire_response_format",
    "with_instruction",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    {
        ".._catalogue": ("TUNED_MODEL_PREFIX", "is_tuned"),
        ".._concurrency": ("WorkQueue", "check_loop", "run_tasks", "run_threads"),
        ".._rate_limits.estimates": ("estimate_message_tokens", "estimate_tokens"),
        ".._requests.chat_options": ("refuse_tools_with_format",),
        ".._requests.messages": ("ClovaMessages",),
        ".._requests.validation": ("check_text", "check_texts", "embeddable", "listed"),
        ".._secrets": ("similar_key_words",),
        "._answer_calls": ("AnswerCall", "calls_of"),
        "._attachments": ("Attachment", "attachment", "json_text"),
        "._chat_fields": ("ChatFields",),
        "._citations": ("Cited", "parse_citations"),
        "._connection": ("SETTING_NAMES", "Connection", "key_from_env"),
        "._conversation": ("Conversation", "text_part", "with_instruction"),
        "._embeddings": ("aembed_texts", "check_counted_model"),
        "._fields": ("ApiKey", "ConnectionFields", "StopStrings", "refuse_unknown"),
        "._foreign_calls": ("FoundCall", "call_in", "field_of", "united_calls"),
        "._images": ("IMAGE_PLACEHOLDER", "data_uri", "image_part", "read_image"),
        "._json_answers": ("UnfitAnswerError", "fitting", "json_values", "read_json", "validation_words"),
        "._named_requests": ("arequest_named", "request_named"),
        "._options": (
            "CHAT_OPTIONS",
            "ChatRequest",
            "chat_options",
            "default_output_tokens",
            "mask_headers",
            "options_of_call",
            "warn_of_raised_cap",
        ),
        "._reasoning": ("SEARCH_TOOL_DESCRIPTION", "ReasoningAnswer", "ReasoningLoop"),
        "._reranking": ("RerankAnswer", "RerankRequest"),
        "._schemas": ("clean_schema", "response_schema", "unwrapped_root", "wire_function", "wire_response_format"),
        "._segmentation": ("TopicSpan", "asegment_texts", "segment_texts"),
        "._sliding": ("SlidingMessages",),
        "._structured_flow": (
            "Correction",
            "StructuredFlow",
            "json_instruction",
            "structured_methods",
        ),
        "._summaries": ("MAX_SUMMARIZATION_CHARACTERS", "asummarize_texts", "summarize_texts"),
        "._threads": ("in_thread", "iterate_in_threads"),
        "._token_counts": ("TokenCounting", "no_images_for"),
        "._tool_choice": ("ForcedTool", "tool_choice_of"),
        "._tool_choice_flow": ("ToolChoiceFlow",),
        "._warn_once": ("WarnOnce",),
    },
)
