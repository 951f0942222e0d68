"""What a developer can do about a refusal: a sentence for the header ``X-Clova-Emulator-Hint`` and for the log.

The service itself says only which field it refuses. Most refused fields are sent by a client library, not by its user,
so a hint names the libraries that send the field by default, and the switch that stops them.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clova_studio.emulator.rules.catalogue import COMPLETION_MODELS, EMBEDDING_LIMITS, MODELS
from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.server.local_routes import CONTROL_ROOT
from clova_studio.emulator.server.routes import Route

HINT_HEADER = "x-clova-emulator-hint"
_LONGEST = 400


@dataclass(frozen=True)
class Habit:
    """A field that client libraries send by default and the service refuses.

    Attributes:
        clients: The libraries.
        sends: What they send.
        switch: What to do about it.
        api: The API that refuses it.
        named: How the refusal names it.
        sent: Whether a body has it.
    """

    clients: str
    sends: str
    switch: str
    api: str
    named: str
    sent: Callable[[Mapping[str, Any]], bool]

    @property
    def hint(self) -> str:
        """The hint as a sentence."""
        return f"{self.clients}: by default they send {self.sends}, which the service refuses. {self.switch}"


def _has_null_content(body: Mapping[str, Any]) -> bool:
    messages = body.get("messages")
    return isinstance(messages, list) and any(
        isinstance(message, dict) and message.get("content") is None for message in messages
    )


def _asks_for_any_json(body: Mapping[str, Any]) -> bool:
    wanted = body.get("response_format")
    return isinstance(wanted, dict) and wanted.get("type") == "json_object"


HABITS = (
    Habit(
        "openai-python, openai-node, langchain-openai, llama-index openai-like (embeddings)",
        "encoding_format: base64",
        'Pass encoding_format="float".',
        "openai-embeddings",
        "encoding_format",
        lambda body: body.get("encoding_format") == "base64",
    ),
    Habit(
        "langchain-openai, litellm, llama-index openai-like (embeddings)",
        "a list as input",
        "Send one text a call, as a string: litellm takes one, the other two always send a list.",
        "openai-embeddings",
        "input",
        lambda body: isinstance(body.get("input"), list),
    ),
    Habit(
        "langchain-openai, pydantic-ai, Vercel AI SDK, llama-index openai-like (tool loops)",
        "content: null with tool calls",
        'There is no switch: write "" in its place on the way, as langchain-naver does.',
        "openai-chat",
        ".content",
        _has_null_content,
    ),
    Habit(
        "LangChain.js, litellm, pydantic-ai (streams)",
        "stream_options",
        "LangChain.js: streamUsage: false; litellm: no include_usage; pydantic-ai: run() in place of run_stream().",
        "openai-chat",
        "stream_options",
        lambda body: body.get("stream_options") is not None,
    ),
    Habit(
        "langchain-naver (function_calling), llama-index openai-like",
        "parallel_tool_calls: false",
        'langchain-naver: disabled_params={"parallel_tool_calls": None}; openai-like: allow_parallel_tool_calls=True.',
        "openai-chat",
        "parallel_tool_calls",
        lambda body: body.get("parallel_tool_calls") is False,
    ),
    Habit(
        "pydantic-ai (ToolOutput), langchain-openai (tool_choice any)",
        'tool_choice: "required"',
        "pydantic-ai: a profile with supports_forced_tool_choice=False, or NativeOutput; LangChain: name the tool.",
        "openai-chat",
        "tool_choice",
        lambda body: body.get("tool_choice") == "required",
    ),
    Habit(
        "instructor (JSON), pydantic-ai (PromptedOutput), langchain-naver and langchain-openai (json_mode)",
        "response_format: json_object",
        "instructor: Mode.TOOLS or Mode.MD_JSON; pydantic-ai: a profile with supports_json_object_output=False; "
        "LangChain: another method of structured output.",
        "openai-chat",
        "response_format",
        _asks_for_any_json,
    ),
)

_THINKS = 'HCX-007 thinks by default: send thinking {"effort": "none"}, on the OpenAI path reasoning_effort "none".'
_NAMES = "A tool has a name and a schema of an object; with ascii_names, names are up to 64 of A-Z, 0-9, _ and -."
_NO_NULL = 'A content is a text, never null: send "".'

# Code, how the message goes on, hint. The first that fits is given.
_GENERAL: tuple[tuple[str, str, str], ...] = (
    ("40001", r"tools, max", "With tools the output limit is at least 1,024 tokens: raise it or leave it out."),
    ("40001", r"(tools|stop|messages|response_?[fF]ormat), (thinking|reasoning)", _THINKS),
    ("40001", r"maxTokens, maxC|max_tokens, max_c", "Both fields mean the same limit: send one of them."),
    ("40001", r"(thinking|reasoning_effort|reasoning)$", "Only HCX-007 thinks: leave the field out."),
    ("40001", r"response_?[fF]ormat$", "Only HCX-007 has structured output; take a tool call with other models."),
    ("40001", r"tools, response_?[fF]ormat", "Tools and structured output cannot be combined: send one of them."),
    (
        "40001",
        r"tools\[\]\.function\.description",
        "Every tool needs a description that is not empty; LangChain sends an empty one for a class without docstring.",
    ),
    ("40001", r"tools\[\]\.function\.(name|parameters)", _NAMES),
    ("40001", r"messages\[\d+\]\.(tool_calls|toolCalls)\[\d+\]\.function\.name", _NAMES),
    ("40001", r"tools\[\]\.type", 'Each tool needs "type": "function".'),
    ("40001", r"tool_?[cC]hoice", 'The service has "auto", "none" and an object that names one tool.'),
    (
        "40001",
        r"tool_?[cC]all_?[iI]d",
        "A tool message answers a call of an assistant message before it, by the same id.",
    ),
    (
        "40001",
        r"messages\[\d+\]\.(tool_calls|toolCalls)\[",
        "A replayed call has id, name and arguments: an object on the native path, a JSON string on the OpenAI path.",
    ),
    ("40001", r"messages\[\d+\]\.content$", _NO_NULL),
    ("40001", r"messages\[\d+\]\.role", "Roles are system, user and assistant, and tool in v3; there is no developer."),
    ("40001", r"messages$", "A request has at most one system message, and its messages are a list of objects."),
    ("40001", r"model$", "The body names the model."),
    ("40002", r"", "The OpenAI path does not have this field: leave it out."),
    ("40003", r"Context", "The prompt, or the prompt and the output limit together, are longer than the model takes."),
    (
        "40009",
        r"Unsupported function",
        'The model cannot do this with tools; where the tool choice names one, send "auto" with that tool alone.',
    ),
    ("40009", r"Unsupported input", "Only HCX-005 takes images."),
    (
        "40055",
        r"",
        "The schema has a keyword that the service does not list, such as pattern or allOf, or its root is no object.",
    ),
    ("40084", r"", "HCX-003 and HCX-DASH-001 are on the v1 paths, the other models on the v3 paths."),
    ("40100", r"", "Send the key as Authorization: Bearer nv-...; a test key does not open /serviceapp."),
    ("40102", r"", "Send the key as Authorization: Bearer nv-..."),
    (
        "40104",
        r"",
        'Keys begin with "nv-"; the emulator takes any such key unless it was started with keys of its own.',
    ),
    ("40600", r"", "Accept names neither application/json nor, where the API streams, text/event-stream."),
    (
        "40800",
        r"",
        "The body did not end, and no byte came for the idle timeout: is Content-Length right?",
    ),
    ("41500", r"", "Content-Type must be application/json."),
    ("40000", r"", "The body must be a JSON object, and messages a list with at least one message."),
)
_RANGES = {
    "temperature": "0 to 1, in v1 above 0",
    "topP": "above 0, to 1",
    "topK": "a whole number from 0 to 128",
    "repetitionPenalty": "above 0, to 2",
    "repeatPenalty": "above 0, to 10",
    "seed": "a whole number from 0 to 4294967295",
    "stop": "a list of strings",
    "stopBefore": "a list of strings",
    "maxTokens": "a whole number from 1 to the model's output limit; HCX-007 has maxCompletionTokens in its place",
    "maxCompletionTokens": "a whole number from 1 to the model's output limit",
    "includeAiFilters": "true or false",
    "n": "1",
    "stream": "true or false",
    "dimensions": "1024",
    "alpha": "-100, or -1.5 to 1.5",
    "segCnt": "-1, or at least 1",
    "segCount": "-1, or at least 1",
    "effort": "none, low, medium or high",
}
_NATIVE = {"top_p": "topP", "top_k": "topK", "max_tokens": "maxTokens", "max_completion_tokens": "maxCompletionTokens"}
_NATIVE |= {"repetition_penalty": "repetitionPenalty", "repeat_penalty": "repeatPenalty"}
_NO_HINT = frozenset({"42901", "50000"})

# Names on the OpenAI path -> names on the native one, which ignores the former.
_IGNORED = {
    "max_tokens": "maxTokens",
    "max_completion_tokens": "maxCompletionTokens",
    "top_p": "topP",
    "top_k": "topK",
    "repetition_penalty": "repetitionPenalty",
    "tool_choice": "toolChoice",
    "response_format": "responseFormat",
    "reasoning_effort": "thinking",
    "include_ai_filters": "includeAiFilters",
    "stream": "the header Accept: text/event-stream",
}


def hint_for(refusal: Refusal, route: Route | None, body: Any, path: str) -> str:
    """What to do about a refusal; empty when nothing is to be said."""
    if refusal.code in _NO_HINT:
        return ""
    fields: Mapping[str, Any] = body if isinstance(body, dict) else {}
    if route is None:
        return printable(_about_path(path))
    for habit in HABITS:
        if route.api == habit.api and habit.named in refusal.message and habit.sent(fields):
            return habit.hint
    if refusal.code in {"40080", "40082"}:
        return printable(_about_model(str(fields.get("model") or route.model or route.task)))
    _, _, detail = refusal.message.partition(": ")
    for code, pattern, hint in _GENERAL:
        if code == refusal.code and re.match(pattern, detail or refusal.message):
            return hint
    allowed = _RANGES.get(_NATIVE.get(detail, detail.rpartition(".")[2])) if refusal.code == "40001" else None
    return f"{detail} takes {allowed}." if allowed else ""


def ignored_fields(route: Route, body: Mapping[str, Any]) -> str:
    """What a native chat request says in vain; empty if nothing."""
    if route.api != "chat" or not route.v3:
        return ""
    found = [f"{name} (here: {native})" for name, native in _IGNORED.items() if name in body]
    return f"Ignored on this path: {', '.join(found)}." if found else ""


def _about_path(path: str) -> str:
    if path == CONTROL_ROOT or path.startswith(CONTROL_ROOT + "/"):
        return "Control over HTTP is off: beyond loopback the emulator has it only with --control (control=True)."
    if "chat/completions" in path or path.endswith(("/embeddings", "/models")):
        return f"The base URL of OpenAI clients ends with /v1/openai and has no prefix; this path is {path}."
    return "No API has this path and method; the tables of the API guide list them."


def _about_model(name: str) -> str:
    if name.startswith(("ft:", "tuning-")):
        return "A path has the short id of a task; the long name of a tuned model is for the OpenAI path."
    known = [*MODELS, *EMBEDDING_LIMITS, *COMPLETION_MODELS]
    near = difflib.get_close_matches(name.upper(), known, 1) or difflib.get_close_matches(name.lower(), known, 1)
    return f"Did you mean {near[0]}?" if near else f"The emulator has {', '.join(known)}."


def printable(text: str) -> str:
    """A text that a header can have."""
    return re.sub(r"[^\x20-\x7e]", "?", text)[:_LONGEST]
