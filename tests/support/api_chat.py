"""Rows of chat on the native API."""

from __future__ import annotations

from typing import Any

from api_row import CALL, FILTERS, PICTURE, SYSTEM, TOOL, USER, Row


def v1_result(**extra: Any) -> dict[str, Any]:
    """Return a chat v1 result."""
    return {
        "message": {"role": "assistant", "content": "맑습니다."},
        "stopReason": "stop_before",
        "inputLength": 12,
        "outputLength": 3,
        "seed": 1867422411,
        "aiFilter": [],
        **extra,
    }


def v3_result(message: dict[str, Any], finish: str = "stop", **usage: Any) -> dict[str, Any]:
    """Return a chat v3 result."""
    return {
        "message": {"role": "assistant", **message},
        "finishReason": finish,
        "created": 1755269271,
        "seed": 77,
        "usage": {"promptTokens": 58, "completionTokens": 631, "totalTokens": 689, **usage},
        "aiFilter": FILTERS,
    }


SAMPLING = {
    "temperature": 0.5,
    "top_p": 0.8,
    "top_k": 0,
    "max_tokens": 128,
    "stop": ["끝"],
    "seed": 3,
    "include_ai_filters": True,
}
V1_BODY = {
    "messages": [SYSTEM, USER],
    "temperature": 0.5,
    "topP": 0.8,
    "topK": 0,
    "repeatPenalty": 5.0,
    "stopBefore": ["끝"],
    "maxTokens": 128,
    "seed": 3,
    "includeAiFilters": True,
}
V3_BODY = {
    "messages": [SYSTEM, USER],
    "temperature": 0.5,
    "topP": 0.8,
    "topK": 0,
    "repetitionPenalty": 1.1,
    "stop": ["끝"],
    "maxTokens": 128,
    "seed": 3,
    "includeAiFilters": True,
}
V1_CALL = {"model": "HCX-003", "repetition_penalty": 5.0, **SAMPLING}
V3_CALL = {"model": "HCX-005", "repetition_penalty": 1.1, **SAMPLING}
ROUND = [
    USER,
    {"role": "assistant", "content": "", "toolCalls": [CALL]},
    {"role": "tool", "toolCallId": CALL["id"], "content": '{"depart":"19:30"}'},
]
SCHEMA = {
    "type": "json",
    "schema": {
        "type": "object",
        "properties": {"high": {"type": "number", "description": "max temp"}, "rain": {"type": "number", "minimum": 0}},
        "required": ["high", "rain"],
    },
}

CHAT = [
    Row("chat v1", "chat", "POST", "/v1/chat-completions/HCX-003", V1_BODY, v1_result(), ([SYSTEM, USER],), V1_CALL),
    Row(
        "chat v1, tuned",
        "chat",
        "POST",
        "/v1/tasks/ab12cd34/chat-completions",
        V1_BODY,
        v1_result(),
        ([SYSTEM, USER],),
        {**V1_CALL, "task_id": "ab12cd34"},
    ),
    Row(
        "chat v2, tuned",
        "chat",
        "POST",
        "/v2/tasks/ab12cd34/chat-completions",
        V1_BODY,
        v1_result(),
        ([SYSTEM, USER],),
        {**V1_CALL, "task_id": "ab12cd34", "api_version": "v2"},
    ),
    Row(
        "chat v3",
        "chat",
        "POST",
        "/v3/chat-completions/HCX-005",
        V3_BODY,
        v3_result({"content": "맑습니다."}),
        ([SYSTEM, USER],),
        V3_CALL,
    ),
    Row(
        "chat v3, image",
        "chat",
        "POST",
        "/v3/chat-completions/HCX-005",
        {**V3_BODY, "messages": PICTURE},
        v3_result({"content": "바닷가의 개입니다."}, "length"),
        (PICTURE,),
        V3_CALL,
    ),
    Row(
        "chat v3, tuned",
        "chat",
        "POST",
        "/v3/tasks/ab12cd34/chat-completions",
        V3_BODY,
        v3_result({"content": "맑습니다."}),
        ([SYSTEM, USER],),
        {**V3_CALL, "task_id": "ab12cd34"},
    ),
    Row(
        "chat v3, tools",
        "chat",
        "POST",
        "/v3/chat-completions/HCX-005",
        {"messages": [USER], "maxTokens": 1024, "tools": [TOOL], "toolChoice": "auto"},
        v3_result({"content": "", "toolCalls": [CALL]}, "tool_calls"),
        ([USER],),
        {"max_tokens": 1024, "tools": [TOOL], "tool_choice": "auto"},
    ),
    Row(
        "chat v3, tool result",
        "chat",
        "POST",
        "/v3/chat-completions/HCX-DASH-002",
        {"messages": ROUND, "maxTokens": 1024, "temperature": 0},
        v3_result({"content": "19시 30분에 있습니다."}),
        (ROUND,),
        {"model": "HCX-DASH-002", "max_tokens": 1024, "temperature": 0},
    ),
    Row(
        "chat v3, thinking",
        "chat",
        "POST",
        "/v3/chat-completions/HCX-007",
        {"messages": [USER], "maxCompletionTokens": 2048, "thinking": {"effort": "medium"}},
        v3_result(
            {"content": "일곱.", "thinkingContent": "세어 보자 …"}, completionTokensDetails={"thinkingTokens": 366}
        ),
        ([USER],),
        {"model": "HCX-007", "max_completion_tokens": 2048, "thinking": {"effort": "medium"}},
    ),
    Row(
        "chat v3, structured output",
        "chat",
        "POST",
        "/v3/chat-completions/HCX-007",
        {
            "messages": [SYSTEM, USER],
            "maxCompletionTokens": 256,
            "thinking": {"effort": "none"},
            "responseFormat": SCHEMA,
        },
        v3_result({"content": '{\n  "high": 32,\n  "rain": 30\n}'}),
        ([SYSTEM, USER],),
        {"model": "HCX-007", "max_tokens": 256, "response_format": SCHEMA},
    ),
]  # fmt: skip
