"""Every row of the API tables of the reference: how it is called, what goes out, what comes back.

Bodies are those of the reference pages, put in full. ``result`` is what stands in the envelope, or the whole body on
the OpenAI-compatible paths.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

USER = {"role": "user", "content": "오늘 부산 날씨 어때요?"}
SYSTEM = {"role": "system", "content": "짧게 답한다."}
CALL = {
    "id": "call_0a1B2c3D4e5F6g7H8i9J0kLm",
    "type": "function",
    "function": {"name": "find_train", "arguments": {"from": "Seoul", "to": "Busan"}},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "find_train",
        "description": "기차를 찾는다",
        "parameters": {
            "type": "object",
            "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
            "required": ["from", "to"],
        },
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "cs_search",
        "description": "고객센터 문서를 찾는다",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string", "description": "검색어"}},
            "required": ["query"],
        },
    },
}
FILTERS = [
    {"groupName": "curse", "name": "insult", "score": "2", "result": "OK"},
    {"groupName": "unsafeContents", "name": "sexualHarassment", "score": "2", "result": "OK"},
]
TASK = {
    "id": "k3m9x2qa",
    "name": "cs-v1",
    "model": "HCX-005",
    "taskType": "GENERATION",
    "trainEpochs": 8,
    "learningRate": 1.0e-4,
    "status": "WAIT",
    "statusInfo": {
        "label": None,
        "dataRows": 400,
        "numOfTokens": 91234,
        "currStep": 7,
        "totalTrainSteps": 80,
        "currEpoch": 1,
        "totalTrainEpochs": 8,
        "estimatedTime": 1200,
        "trainLoss": 1.25,
        "sendWeightSuccess": None,
        "failureReason": None,
        "message": None,
        "endDatetime": None,
    },
    "createdClientType": "API",
    "createdDate": "2026-03-02T09:15:00+0900",
    "updatedDate": "2026-03-02T09:15:00+0900",
}
VECTOR = [round(((i * 37) % 199 - 99) / 64, 6) for i in range(1024)]


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


@dataclass(frozen=True)
class Row:
    """One API: the method and its arguments, the request that must go out, the answer that must not lose a field."""

    name: str
    verb: str
    method: str
    path: str
    body: dict[str, Any] | None
    result: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    openai: bool = False


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
PICTURE = [
    SYSTEM,
    {
        "role": "user",
        "content": [
            {"type": "image_url", "imageUrl": {"url": "https://img.example.com/dog.png"}},
            {"type": "text", "text": "무엇이 보이나요?"},
        ],
    },
]
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
SEARCH_CALL = {
    "id": "call_AbCdEf123",
    "type": "function",
    "function": {"name": "cs_search", "arguments": {"query": "환불 방법"}},
}
FOUND = '{"search_result": [{"id": "doc-7", "doc": "환불은 7일 안에 신청합니다."}]}'
DOCUMENTS = [
    {"id": "a1", "doc": "환불은 구매 후 7일 안에 신청할 수 있습니다."},
    {"id": "b2", "doc": "배송 조회는 주문 내역에서 할 수 있습니다."},
]
SKILL_CALLS = [
    {
        "url": "http://api.example.com/w?location=부산",
        "requestBody": "string",
        "responseBody": "string",
        "apiOrder": 1,
        "operationId": "weatherAPI",
        "nameForHuman": "날씨",
    }
]
HISTORY = [{"role": "user", "content": "오늘 부산 날씨 알려줘"}, {"role": "assistant", "content": "맑습니다."}]
CREATE = {
    "name": "cs-v1",
    "model": "HCX-005",
    "tuningType": "PEFT",
    "trainEpochs": 8,
    "learningRate": 1.0e-4,
    "trainingDatasetFilePath": "train/cs.csv",
    "trainingDatasetBucket": "my-bucket",
    "trainingDatasetAccessKey": "ak",
    "trainingDatasetSecretKey": "sk",
    "validationSplitRatio": 0,
    "loraR": 8,
    "loraAlpha": 64,
}
OPENAI_TOOL_CALL = {
    "id": "call_0a1B2c3D4e5F6g7H8i9J0kLm",
    "type": "function",
    "function": {"name": "find_train", "arguments": '{"from":"Seoul"}'},
}

TABLE = [
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
    Row(
        "completions",
        "complete",
        "POST",
        "/v1/completions/LK-D2",
        {"text": "옛날 옛적에", "topK": 0, "topP": 0.8, "temperature": 0.5, "repeatPenalty": 5.0, "stopBefore": ["끝"],
         "start": "", "restart": "", "maxTokens": 32, "includeTokens": True, "includeAiFilters": True},
        {"text": "옛날 옛적에 어느", "outputText": " 어느", "stopReason": "length", "inputLength": 3, "outputLength": 1,
         "inputTokens": ["옛날"], "outputTokens": [" 어느"], "aiFilter": FILTERS},
        ("옛날 옛적에",),
        {"top_k": 0, "top_p": 0.8, "temperature": 0.5, "repeat_penalty": 5.0, "stop": ["끝"], "start": "",
         "restart": "", "max_tokens": 32, "include_tokens": True, "include_ai_filters": True},
    ),
    Row(
        "completions, tuned",
        "complete",
        "POST",
        "/v1/tasks/ab12cd34/completions",
        {"text": "옛날"},
        {"text": "옛날 옛적", "stopReason": "stop_before", "inputLength": 1, "outputLength": 1},
        ("옛날",),
        {"task_id": "ab12cd34"},
    ),
    Row(
        "segmentation",
        "segment",
        "POST",
        "/v1/api-tools/segmentation",
        {"text": "커피는 어떻게 내리나요?\n드립입니다.\n원두는 어디에 두나요?", "alpha": -100, "segCnt": -1,
         "postProcess": False, "postProcessMaxSize": 2000, "postProcessMinSize": 500},
        {"topicSeg": [["커피는 어떻게 내리나요?", "드립입니다."], ["원두는 어디에 두나요?"]], "span": [[0, 1], [2]],
         "inputTokens": 41},
        ("커피는 어떻게 내리나요?\n드립입니다.\n원두는 어디에 두나요?",),
        {"alpha": -100, "seg_cnt": -1, "post_process": False, "post_process_max_size": 2000,
         "post_process_min_size": 500},
    ),
    Row(
        "summarization",
        "summarize",
        "POST",
        "/v1/api-tools/summarization/v2",
        {"texts": ["이 제품은 사진의 배경을 지워 준다. 결과는 PNG로 저장된다."], "autoSentenceSplitter": True,
         "segCount": -1, "segMaxSize": 1000, "segMinSize": 300, "includeAiFilters": False},
        {"text": "- 사진의 배경을 한꺼번에 지워 PNG로 저장하는 제품임", "inputTokens": 46},
        ("이 제품은 사진의 배경을 지워 준다. 결과는 PNG로 저장된다.",),
    ),
    Row(
        "sliding window",
        "slide",
        "POST",
        "/v1/api-tools/sliding/chat-messages/HCX-003",
        {"maxTokens": 200, "messages": [SYSTEM, USER]},
        {"messages": [SYSTEM, USER]},
        ([SYSTEM, USER],),
        {"max_tokens": 200},
    ),
    *[
        Row(
            f"embedding {model}",
            "embed",
            "POST",
            path,
            {"text": "내일 눈이 올까요"},
            {"embedding": VECTOR, "inputTokens": 5},
            ("내일 눈이 올까요",),
            {"model": model},
        )
        for model, path in (
            ("clir-emb-dolphin", "/v1/api-tools/embedding/clir-emb-dolphin"),
            ("clir-sts-dolphin", "/v1/api-tools/embedding/clir-sts-dolphin"),
            ("bge-m3", "/v1/api-tools/embedding/v2"),
        )
    ],
    Row(
        "token calculator, chat v1",
        "count_chat_tokens",
        "POST",
        "/v1/api-tools/chat-tokenize/HCX-003",
        {"messages": [SYSTEM, USER]},
        {"messages": [{**SYSTEM, "count": 11}, {**USER, "count": 7}]},
        ([SYSTEM, USER],),
        {"model": "HCX-003"},
    ),
    Row(
        "token calculator, chat v3",
        "count_chat_tokens",
        "POST",
        "/v3/api-tools/chat-tokenize/HCX-005",
        {"messages": PICTURE, "tools": [TOOL]},
        {"messages": [
            {"role": "system", "content": [{"type": "text", "text": "짧게 답한다.", "count": 14}]},
            {"role": "user", "content": [
                {"type": "image_url", "imageUrl": {"url": "https://img.example.com/dog.png"}, "count": 1478},
                {"type": "text", "text": "무엇이 보이나요?", "count": 9}]}],
         "tools": {"count": 118}},
        (PICTURE,),
        {"tools": [TOOL]},
    ),
    Row(
        "token calculator, embedding v2",
        "count_embedding_tokens",
        "POST",
        "/v1/api-tools/embedding/v2/tokenize",
        {"text": "내일 눈이 올까요"},
        {"numTokens": 5},
        ("내일 눈이 올까요",),
    ),
    Row(
        "token calculator, completions",
        "count_completion_tokens",
        "POST",
        "/v1/api-tools/tokenize/LK-D2",
        {"text": "내일 눈이 올까요"},
        {"numTokens": 5},
        ("내일 눈이 올까요",),
    ),
    Row(
        "router",
        "route",
        "POST",
        "/v1/routers/travel01/versions/1/route",
        {"query": "거기 주차도 되나요?", "chatHistory": [{"role": "user", "content": "강릉 바닷가 카페 알려줘"}]},
        {"domain": {"result": "지역 검색", "called": True},
         "blockedContent": {"result": ["UnsupportedRegion"], "called": True},
         "safety": {"result": ["unethical"], "called": True},
         "usage": {"promptTokens": 418, "completionTokens": 60, "totalTokens": 478}},
        ("travel01", 1, "거기 주차도 되나요?"),
        {"chat_history": [{"role": "user", "content": "강릉 바닷가 카페 알려줘"}]},
    ),
    Row(
        "skillset",
        "run_skillset",
        "POST",
        "/v1/skillsets/weather1/versions/1/final-answer",
        {"query": "주말에는 어때?", "chatHistory": HISTORY,
         "requestOverride": {"baseOperation": {"query": {"appid": "app-0001"}},
                             "operations": [{"operationId": "weatherAPI", "header": {"X-Trace": "1"}}]}},
        {"finalAnswer": "주말 부산은 흐리겠습니다.", "tokenCount": 987, "useTask": False, "apiResult": SKILL_CALLS},
        ("weather1", 1, "주말에는 어때?"),
        {"chat_history": HISTORY,
         "request_override": {"base_operation": {"query": {"appid": "app-0001"}},
                              "operations": [{"operation_id": "weatherAPI", "header": {"X-Trace": "1"}}]}},
    ),
    Row(
        "reranker",
        "rerank",
        "POST",
        "/v1/api-tools/reranker",
        {"documents": DOCUMENTS, "query": "환불은 언제까지 되나요", "maxTokens": 1024},
        {"result": "답변: 환불은 <doc1>구매 후 7일 안에</doc1> 신청할 수 있습니다.", "citedDocuments": DOCUMENTS[:1],
         "suggestedQueries": ["휴무일 안내"],
         "usage": {"promptTokens": 233, "completionTokens": 31, "totalTokens": 264}},
        ("환불은 언제까지 되나요", DOCUMENTS),
        {"max_tokens": 1024},
    ),
    Row(
        "RAG reasoning, search",
        "reason",
        "POST",
        "/v1/api-tools/rag-reasoning",
        {"messages": [{"role": "user", "content": "환불 방법 알려줘"}], "tools": [SEARCH], "toolChoice": "auto",
         "maxTokens": 1024, "topP": 0.8, "topK": 0, "temperature": 0.5, "repetitionPenalty": 1.1, "stop": ["끝"],
         "seed": 7, "includeAiFilters": False},
        {"message": {"role": "assistant", "content": "", "thinkingContent": "찾아야 한다.", "toolCalls": [SEARCH_CALL]},
         "usage": {"promptTokens": 131, "completionTokens": 70, "totalTokens": 201}},
        ([{"role": "user", "content": "환불 방법 알려줘"}],),
        {"tools": [SEARCH], "tool_choice": "auto", "max_tokens": 1024, "top_p": 0.8, "top_k": 0, "temperature": 0.5,
         "repetition_penalty": 1.1, "stop": ["끝"], "seed": 7, "include_ai_filters": False},
    ),
    Row(
        "RAG reasoning, answer",
        "reason",
        "POST",
        "/v1/api-tools/rag-reasoning",
        {"messages": [
            {"role": "user", "content": "환불 방법 알려줘"},
            {"role": "assistant", "content": "", "toolCalls": [SEARCH_CALL]},
            {"role": "tool", "toolCallId": "call_AbCdEf123", "content": FOUND}],
         "tools": [SEARCH]},
        {"message": {"role": "assistant", "content": "<doc-7>환불은 7일 안에 신청</doc-7>하시면 됩니다."},
         "usage": {"promptTokens": 240, "completionTokens": 38, "totalTokens": 278}},
        ([
            {"role": "user", "content": "환불 방법 알려줘"},
            {"role": "assistant", "content": "", "tool_calls": [SEARCH_CALL]},
            {"role": "tool", "tool_call_id": "call_AbCdEf123",
             "content": [{"id": "doc-7", "doc": "환불은 7일 안에 신청합니다."}]},
        ],),
        {"tools": [SEARCH]},
    ),
    Row(
        "tuning, create",
        "tuning.create",
        "POST",
        "/tuning/v2/tasks",
        CREATE,
        TASK,
        (),
        {"name": "cs-v1", "model": "HCX-005", "tuning_type": "PEFT", "train_epochs": 8, "learning_rate": 1.0e-4,
         "training_dataset_file_path": "train/cs.csv", "training_dataset_bucket": "my-bucket",
         "training_dataset_access_key": "ak", "training_dataset_secret_key": "sk", "validation_split_ratio": 0,
         "lora_r": 8, "lora_alpha": 64},
    ),
    Row("tuning, get", "tuning.get", "GET", "/tuning/v2/tasks/k3m9x2qa", None, TASK, ("k3m9x2qa",)),
    Row(
        "tuning, list",
        "tuning.list",
        "GET",
        "/tuning/v2/tasks?page=2&size=5",
        None,
        {"totalPages": 3, "totalElements": 11, "size": 5, "number": 2, "content": [{**TASK, "method": "LoRA"}]},
        (),
        {"page": 2, "size": 5},
    ),
    Row("tuning, delete", "tuning.delete", "DELETE", "/tuning/v2/tasks/k3m9x2qa", None, None, ("k3m9x2qa",)),
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
