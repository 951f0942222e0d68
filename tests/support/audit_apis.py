"""The paths of the boundary audit, each with its table; the tables of the tools of the explorer are here too."""

from __future__ import annotations

from typing import Any

import audit_table as t
from audit_fields import INVALID, Field, anything, enum, flag, number, refused, strings, text, whole
from audit_table import Api

COMPATIBLE = "/v1/openai/chat/completions"
OFF = {"reasoning_effort": "none"}
OPENAI_UNSUPPORTED = (
    "audio",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "metadata",
    "modalities",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "top_logprobs",
    "user",
    "web_search_options",
)
UNSUPPORTED = tuple(
    refused(name, 1, "a", True, [], {}, code="40002", named=f"Unsupported parameter: {name}")
    for name in OPENAI_UNSUPPORTED
)
OPENAI_SAMPLING = (
    number("temperature", 0, 1, with_low=True),
    number("top_p", 0, 1),
    whole("top_k", 0, 128),
    number("repetition_penalty", 0, 2),
    t.SEED,
    Field("stop", ("끝", [], ["끝"], ["a", "b"]), ([1], {}, 1, True)),
)
OPENAI_COMMON = (
    t.MESSAGES,
    t.roles("user", "system", "assistant"),
    anything("messages[].name", "kim"),
    Field("model", ("HCX-005",), ("", 1, [], {}), required=True, special=(("gpt-4o", "40080", "Model not found"),)),
    Field("n", (1,), (0, 2, "1", True, [])),
    flag("stream"),
    Field("parallel_tool_calls", (True,), (False, "true", 1, [])),
    *UNSUPPORTED,
)
OPENAI_LIMITS = (
    whole("max_tokens", 1, 4_096),
    whole("max_completion_tokens", 1, 4_096),
    refused("max_tokens", 9, named="max_tokens, max_completion_tokens", needs={"max_completion_tokens": 9}),
)
SCHEMA_FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": t.OBJECT}}
JSON_SCHEMA = (
    enum("response_format.type", "json_schema", required=True),
    Field("response_format.json_schema", ({"schema": t.OBJECT},), ("a", 1, []), required=True),
    anything("response_format.json_schema.name", "a", 1),
    anything("response_format.json_schema.strict", True, False, "a"),
    Field(
        "response_format.json_schema.schema", t.SCHEMA.good, t.SCHEMA.bad, required=True, code="40055",
        named=t.SCHEMA.named,
    ),
)  # fmt: skip
# Seen: tool choices that name a tool, on two models; by the page on each.
TOOL_CHOICE = Field(
    "tool_choice", ("auto", "none", t.FORCED), ("required", "any", "", 1, True, [], {"type": "function"})
)
OPENAI_CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": "b"}'}}
OPENAI_REPLAY = {
    "model": "HCX-005",
    "messages": [
        {"role": "assistant", "content": "", "tool_calls": [OPENAI_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "맑음"},
    ],
}
REPLAYED = "messages[0].tool_calls[0]"
FORCED_NOT = refused("tool_choice", t.FORCED, code="40009", named="Unsupported function")
OPENAI = (
    Api(
        "compatible, HCX-005",
        COMPATIBLE,
        {**t.USER, "model": "HCX-005"},
        (*OPENAI_COMMON, *OPENAI_SAMPLING, *OPENAI_LIMITS, t.PARTS, refused("reasoning_effort", "none", "low"),
         refused("response_format", SCHEMA_FORMAT)),
        extra="40002",
    ),
    Api(
        "compatible, HCX-007",
        COMPATIBLE,
        {**t.USER, "model": "HCX-007"},
        (
            enum("reasoning_effort", "none", *t.LOW_EFFORTS),
            enum("reasoning.effort", "none", *t.LOW_EFFORTS, required=True),
            refused("reasoning_effort", "low", named="reasoning_effort, reasoning", needs={"reasoning.effort": "low"}),
            whole("max_completion_tokens", 1, 32_768),
            refused("tools", [t.TOOL], named="tools, reasoning"),
            refused("stop", ["끝"], named="stop, reasoning"),
            refused("response_format", SCHEMA_FORMAT, named="response_format, reasoning"),
        ),
        extra="40002",
    ),
    Api(
        "compatible, HCX-003",
        COMPATIBLE,
        {**t.USER, "model": "HCX-003"},
        (number("temperature", 0, 1), number("repeat_penalty", 0, 10, step=0.1), whole("max_tokens", 1, 4_096),
         refused("messages[].content", [{"type": "text", "text": "가"}], required=True)),
        extra="40002",
    ),
    Api(
        "compatible, tools",
        COMPATIBLE,
        {**t.USER, "model": "HCX-005", "tools": [t.TOOL]},
        (*t.tools(), TOOL_CHOICE,
         whole("max_tokens", 1_024, 4_096, bad=(4_097, "1024"), special=((1_023, INVALID, "tools, max_tokens"),))),
        extra="40002",
    ),
    *(
        Api(
            f"compatible, forced, {model}",
            COMPATIBLE,
            {**t.USER, "model": model, "tools": [t.TOOL], **more},
            (choice,),
            behaviours=behaviours,
            extra="40002",
        )
        for model, more, choice, behaviours in (
            ("HCX-007", OFF, Field("tool_choice", (t.FORCED,), ()), ("observed", "documented")),
            ("HCX-DASH-002", {}, Field("tool_choice", (t.FORCED,), ()), ("documented",)),
            ("HCX-DASH-002", {}, FORCED_NOT, ("observed",)),
        )
    ),
    Api("compatible, structured", COMPATIBLE, {**t.USER, "model": "HCX-007", **OFF, "response_format": SCHEMA_FORMAT},
        JSON_SCHEMA, inner_extras=False, extra="40002"),
    Api(
        "compatible, replayed calls",
        COMPATIBLE,
        OPENAI_REPLAY,
        (
            Field("messages[].content", ("", "가"), (1, True), required=True),
            Field("messages[].tool_calls[].id", ("call_1",), ("", 1, []), required=True, named=REPLAYED),
            Field("messages[].tool_calls[].function.arguments", ("{}", '{"a": 1}'), ({}, 1, "[]", "{"), required=True,
                  named=f"{REPLAYED}.function.arguments"),
        ),
        extra="40002",
    ),
    Api(
        "compatible embeddings",
        "/v1/openai/embeddings",
        {"model": "bge-m3", "input": "가"},
        (
            text("input", required=True, bad=(1, True, ["가"], [1], {})),
            Field("model", ("bge-m3", "clir-emb-dolphin", "clir-sts-dolphin"), ("", 1, []), required=True,
                  special=(("ada", "40080", "Model not found"),)),
            Field("dimensions", (1_024,), (1_023, 1_025, 0, "1024", True, [])),
            Field("encoding_format", ("float",), ("base64", "FLOAT", "", 1, [])),
            refused("user", "kim", code="40002", named="Unsupported parameter: user"),
        ),
        extra="40002",
    ),
)  # fmt: skip

TUNED_V1 = tuple(f"/{version}/tasks/abcd1234/chat-completions" for version in ("v1", "v2"))
CHAT = (
    *(Api(f"v1, {path}", path, t.USER, (*t.CHAT_V1, whole("maxTokens", 1, 4_096)))
      for path in ("/v1/chat-completions/HCX-003", *TUNED_V1)),
    # Input and output together are 4,096 here, so the largest limit leaves no room for a prompt.
    Api("v1, HCX-DASH-001", "/v1/chat-completions/HCX-DASH-001", t.USER, (
        *t.CHAT_V1, whole("maxTokens", 1, good=(4_000,), bad=(0, 4_097, "1", 1.5), special=((4_096, "40003", ""),)))),
    Api("v3, HCX-005", "/v3/chat-completions/HCX-005", t.USER,
        (*t.CHAT_V3, t.PARTS, t.IMAGES, *t.LIMITS_V3, *t.NOT_HERE)),
    Api("v3, HCX-DASH-002", "/v3/chat-completions/HCX-DASH-002", t.USER,
        (*t.CHAT_V3, t.PARTS, t.NO_IMAGES, *t.LIMITS_V3, *t.NOT_HERE)),
    Api("v3, tuned", "/v3/tasks/abcd1234/chat-completions", t.USER,
        (*t.CHAT_V3, t.PARTS, t.NO_IMAGES, *t.LIMITS_V3, *t.NOT_HERE,
         refused("tools", [t.TOOL], code="40009", named="Unsupported function"))),
    Api("v3, HCX-007", "/v3/chat-completions/HCX-007", t.USER,
        (*(row for row in t.CHAT_V3 if row.path != "stop"), *t.THINKING)),
    Api("v3, HCX-007 without thinking", "/v3/chat-completions/HCX-007", {**t.USER, **t.NONE}, (strings("stop"),)),
    Api("v3, tools", "/v3/chat-completions/HCX-005", {**t.USER, "tools": [t.TOOL]}, t.TOOLS_V3),
    Api("v3, tools, HCX-007", "/v3/chat-completions/HCX-007", {**t.USER, **t.NONE, "tools": [t.TOOL]}, (
        whole("maxCompletionTokens", 1_024, 32_768, bad=(32_769,),
              special=((1_023, INVALID, "tools, maxCompletionTokens"),)), t.CHOICE)),
    Api("v3, forced", "/v3/chat-completions/HCX-005", {**t.USER, "tools": [t.TOOL]}, (t.FORCES,), ("documented",)),
    Api("v3, forced", "/v3/chat-completions/HCX-005", {**t.USER, "tools": [t.TOOL]}, (t.FORCES_NOT,), ("observed",)),
    Api("v3, replayed calls", "/v3/chat-completions/HCX-005", t.REPLAY, t.REPLAYED),
    Api("v3, structured", "/v3/chat-completions/HCX-007", t.STRUCTURED_BASE, t.STRUCTURED, inner_extras=False),
    # References and null types are open: the page does not list them.
    Api("v3, open schemas", "/v3/chat-completions/HCX-007", t.STRUCTURED_BASE,
        (Field(t.OPEN_FIELD, (*t.OPEN_SCHEMAS, t.REFERENCE), (), required=True, code="40055",
               named=t.SCHEMA.named),), ("observed",), inner_extras=False),
    Api("v3, open schemas", "/v3/chat-completions/HCX-007", t.STRUCTURED_BASE,
        (refused(t.OPEN_FIELD, *t.OPEN_SCHEMAS, t.REFERENCE, required=True, code="40055", named=t.SCHEMA.named),),
        ("documented",), inner_extras=False),
    Api("v3, bare base64", "/v3/chat-completions/HCX-005", t.USER,
        (Field("messages[].content", (t.image(dataUri={"data": t.PIXEL.partition(",")[2]}),), (), required=True),),
        ("documented",)),
    Api("v3, bare base64", "/v3/chat-completions/HCX-005", t.USER,
        (Field("messages[].content", (), (), required=True,
               special=((t.image(dataUri={"data": t.PIXEL.partition(",")[2]}), INVALID, "Invalid parameter"),)),),
        ("observed",)),
    Api("completions", "/v1/completions/LK-D2", {"text": "가"}, (
        text("text", required=True), *t.SAMPLING_V1, whole("maxTokens", 1, 2_048),
        *(flag(name) for name in ("includeTokens", "includeProbs", "includeAiFilters")),
        *(text(name, empty="20000") for name in ("start", "restart")))),
)  # fmt: skip

DOCUMENTS: list[dict[str, Any]] = [{"id": "a", "doc": "환불은 7일 안에 신청한다."}]
HISTORY = [{"role": "user", "content": "안녕"}]
OVERRIDE: dict[str, Any] = {"baseOperation": {"header": {}}, "operations": [{"operationId": "weatherAPI"}]}
OPERATION = ("header", "query", "requestBody")
TASK = {
    "model": "HCX-005",
    "trainingDatasetFilePath": "a.csv",
    "trainingDatasetBucket": "b",
    "trainingDatasetAccessKey": "c",
    "trainingDatasetSecretKey": "d",
}


def query(code: str = "61002") -> Field:
    """The query of a router or skillset: a missing one has a code of its own."""
    return text("query", required=True, absent=code, empty=code)


def table(path: str) -> Field:
    """An object whose content is free."""
    return Field(path, ({}, {"a": "b"}), ("a", 1, True, []))


def history(*names: str) -> tuple[Field, ...]:
    """The earlier messages of a router or skillset."""
    return (
        Field("chatHistory", ([], HISTORY), ("a", 1, True, {}), special=((["a"], INVALID, "chatHistory[0]"),)),
        enum("chatHistory[].role", *names, required=True, needs={"chatHistory": HISTORY}),
        text("chatHistory[].content", empty="20000", required=True, needs={"chatHistory": HISTORY}),
    )


TOOLS = (
    Api("segmentation", "/v1/api-tools/segmentation", {"text": "가."}, (
        text("text", required=True, good=("가", "가" * 120_000),
             special=(("가" * 120_001, "40003", ""), ("", "40004", ""))),
        number("alpha", -1.5, 1.5, with_low=True, more_good=(-100, 0), more_bad=(-99, -101)),
        whole("segCnt", 1, more_good=(-1,), bad=(0, -2, 1.5, "1", True, [])),
        flag("postProcess"),
        whole("postProcessMaxSize", 1, needs={"postProcessMinSize": 1}),
        whole("postProcessMinSize", -1, 1_000))),
    Api("summarization", "/v1/api-tools/summarization/v2", {"texts": ["가."]}, (
        Field("texts", (["가"], ["가", "나"], ["가" * 35_000]), ("가", 1, [1], [None], {}), required=True,
              special=((["가" * 35_001], "40003", ""), ([""], "40004", ""), ([], "40004", ""))),
        flag("autoSentenceSplitter"),
        whole("segCount", 1, more_good=(-1,), bad=(0, -2, 1.5, "1", True, [])),
        whole("segMaxSize", 1, 3_000, needs={"segMinSize": 0}),
        whole("segMinSize", 0, 1_000),
        flag("includeAiFilters"))),
    Api("sliding window", "/v1/api-tools/sliding/chat-messages/HCX-003", {**t.USER, "maxTokens": 9}, (
        *t.PLAIN, t.roles("user", "system", "assistant"),
        whole("maxTokens", 1, good=(1, 4_000), bad=(0, 4_097, "1", 1.5, True), required=True,
              special=((4_096, "40003", ""),)))),
    Api("embedding", "/v1/api-tools/embedding/clir-emb-dolphin", {"text": "가"}, (text("text", required=True),)),
    Api("embedding v2", "/v1/api-tools/embedding/v2", {"text": "가"}, (text("text", required=True),)),
    Api("embedding v2, tokens", "/v1/api-tools/embedding/v2/tokenize", {"text": "가"}, (
        text("text", required=True, good=("가", "가" * 10_000),
             special=(("", "40004", ""), ("가" * 10_001, "40003", ""))),)),
    Api("tokens, v1", "/v1/api-tools/chat-tokenize/HCX-003", t.USER,
        (*t.PLAIN, t.roles("user", "system", "assistant"))),
    Api("tokens, v3", "/v3/api-tools/chat-tokenize/HCX-005", {**t.USER, "tools": [t.TOOL]},
        (t.MESSAGES, t.roles("user", "system", "assistant"), t.PARTS, t.IMAGES, *t.tools(), t.CHOICE, t.FORCES)),
    Api("tokens, v3, response format", "/v3/api-tools/chat-tokenize/HCX-007",
        {**t.USER, "responseFormat": {"type": "json", "schema": t.OBJECT}}, t.STRUCTURED[:3], inner_extras=False),
    Api("tokens, completions", "/v1/api-tools/tokenize/LK-D2", {"text": "가"}, (text("text", required=True),)),
    Api("router", "/v1/routers/travel01/versions/1/route", {"query": "안녕"}, (query(), *history("user"))),
    Api("skillset", "/v1/skillsets/weather1/versions/1/final-answer",
        {"query": "서울 날씨", "requestOverride": OVERRIDE}, (
        query(), flag("tokenStream"), *history("user", "assistant"),
        table("requestOverride"), table("requestOverride.baseOperation"),
        *(table(f"requestOverride.baseOperation.{part}") for part in OPERATION),
        *(table(f"requestOverride.operations[].{part}") for part in OPERATION),
        Field("requestOverride.operations", ([], [{"operationId": "a"}]), ("a", 1, {}, True)),
        text("requestOverride.operations[].operationId", empty=INVALID, required=True))),
    # Two clients send 4,096, although the page says "< 4096".
    Api("reranker", "/v1/api-tools/reranker", {"query": "환불은?", "documents": DOCUMENTS}, (
        text("query", required=True),
        Field("documents", (DOCUMENTS,), ([], "a", 1, {}), required=True),
        text("documents[].id", empty=INVALID, required=True), text("documents[].doc", required=True),
        whole("maxTokens", 1, 4_096))),
    Api("RAG reasoning", "/v1/api-tools/rag-reasoning", {**t.USER, "tools": [t.TOOL]}, (
        t.MESSAGES, t.roles("user", "system", "assistant"), text("messages[].content", required=True),
        number("temperature", 0, 1), number("topP", 0, 1), whole("topK", 0, 128), number("repetitionPenalty", 0, 2),
        strings("stop"), t.SEED, flag("includeAiFilters"), whole("maxTokens", 1_024, 4_095),
        Field("tools", ([t.TOOL],), ([], "f", 1, {}), required=True),
        *t.tools(complete=True), t.CHOICE, t.FORCES)),
    Api("training", "/tuning/v2/tasks", TASK, (
        text("name", empty="20000"),
        Field("model", ("HCX-005", "HCX-DASH-002", "HCX-003", "HCX-DASH-001"), (1, [], True), required=True,
              special=(("HCX-007", "40084", ""), ("HCX-009", "40080", ""))),
        Field("tuningType", ("PEFT",), ("peft", "", 1, [], "LoRA"), code="40009", named="Unsupported function"),
        # A string in the table, a number in every sample.
        whole("trainEpochs", 1, 20, more_good=("1", "20"), bad=(0, 21, "0", "21", 1.5, True, [], "a")),
        Field("learningRate", (1e-4, 1e-6, "1.0E-4"), (0, -1, True, [], "a")),
        number("validationSplitRatio", 0, 0.1, with_low=True),
        whole("loraR", 2, 64), whole("loraAlpha", 2, 512),
        *(text(name, empty=INVALID, required=True, good=("a.csv", "b")) for name in TASK if name != "model"))),
    Api("list of training", "/tuning/v2/tasks", {}, (
        Field("page", ("0", "1"), ("-1", "1.5", "a", "")),
        Field("size", ("1", "100"), ("0", "101", "-1", "a", "1.5"))), method="GET"),
)  # fmt: skip

APIS = (*CHAT, *OPENAI, *TOOLS)
