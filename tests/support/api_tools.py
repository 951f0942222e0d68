"""Rows of completions and of the API tools."""

from __future__ import annotations

from api_row import FILTERS, PICTURE, SYSTEM, TOOL, USER, VECTOR, Row

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

TOOLS = [
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
]  # fmt: skip
