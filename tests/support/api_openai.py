"""Rows of the OpenAI-compatible API."""

from __future__ import annotations

from api_row import TOOL, USER, VECTOR, Row

OPENAI_TOOL_CALL = {
    "id": "call_0a1B2c3D4e5F6g7H8i9J0kLm",
    "type": "function",
    "function": {"name": "find_train", "arguments": '{"from":"Seoul"}'},
}

OPENAI = [
    Row(
        "OpenAI-compatible chat",
        "openai.chat",
        "POST",
        "/v1/openai/chat/completions",
        {"model": "HCX-005", "messages": [USER], "max_tokens": 1024, "temperature": 0.5, "top_p": 0.8, "top_k": 3,
         "repetition_penalty": 1.1, "stop": ["끝"], "seed": 1, "n": 1, "tools": [TOOL], "tool_choice": "auto",
         "parallel_tool_calls": True},
        {"id": "65caeb0123456789abcdef0123456789", "created": 1744703673, "model": "HCX-005",
         "usage": {"completion_tokens": 85, "prompt_tokens": 161, "total_tokens": 246,
                   "completion_tokens_details": {"reasoning_tokens": 12}},
         "seed": 1,
         "choices": [{"index": 0, "message": {"role": "assistant", "content": "", "reasoning_content": "생각",
                                              "tool_calls": [OPENAI_TOOL_CALL]}, "finish_reason": "tool_calls"}]},
        ([USER],),
        {"max_tokens": 1024, "temperature": 0.5, "top_p": 0.8, "top_k": 3, "repetition_penalty": 1.1, "stop": ["끝"],
         "seed": 1, "n": 1, "tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": True},
        openai=True,
    ),
    Row(
        "OpenAI-compatible embeddings",
        "openai.embed",
        "POST",
        "/v1/openai/embeddings",
        {"model": "bge-m3", "input": "배송이 늦어요", "encoding_format": "float"},
        {"object": "list", "model": "bge-m3", "data": [{"object": "embedding", "index": 0, "embedding": VECTOR}],
         "usage": {"prompt_tokens": 6, "total_tokens": 6}},
        ("배송이 늦어요",),
        openai=True,
    ),
    Row(
        "OpenAI-compatible models",
        "openai.models",
        "GET",
        "/v1/openai/models",
        None,
        {"object": "list", "data": [{"id": "HCX-005", "object": "model", "created": 1744703673, "owned_by": "naver"}]},
        openai=True,
    ),
]  # fmt: skip
