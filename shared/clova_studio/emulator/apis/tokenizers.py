"""Token calculators for chat v1 and v3, embeddings and the legacy completions."""

from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.chat import find_model
from clova_studio.emulator.apis.completions import find_completion_model
from clova_studio.emulator.language import tokens
from clova_studio.emulator.rules.checks import text
from clova_studio.emulator.rules.messages import check_messages_v3
from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.rules.schema import check_response_format
from clova_studio.emulator.rules.tools import check_ascii_names, check_tool_choice, check_tools
from clova_studio.emulator.rules.v1 import check_messages_v1
from clova_studio.emulator.server.delivery import JsonAnswer

_MAX_CHARACTERS = 10_000


def chat_tokenize(call: ApiCall) -> JsonAnswer:
    """Token calculators for chat v1 and v3 (reference pages "Token calculator, HCX" and "... v3")."""
    body = call.body
    model = find_model(call)
    if not call.route.v3:
        headers = call.charge("chat-tokenize")
        counted: list[dict[str, Any]] = [
            {"role": message["role"], "content": message["content"], "count": tokens.count(message["content"])}
            for message in check_messages_v1(body)
        ]
        return JsonAnswer.success({"messages": counted}, headers)
    tools = check_tools(body, call.facts)
    check_tool_choice(body, tools)
    schema = check_response_format(body, call.facts)
    messages = check_messages_v3(body, model, call.facts)
    if not call.facts.takes("hangul-names"):
        check_ascii_names(tools, messages, schema)
    headers = call.charge("chat-tokenize")
    result: dict[str, Any] = {"messages": [_counted(message) for message in messages]}
    if tools:
        result["tools"] = {"count": tokens.count_json(tools)}
    if schema is not None:
        result["responseFormat"] = {"count": tokens.count_json(body["responseFormat"])}
    return JsonAnswer.success(result, headers)


def _counted(message: dict[str, Any]) -> dict[str, Any]:
    """Echo a message with the tokens of its parts; a string becomes a list of one part."""
    content = message["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    echoed = []
    for part in parts:
        kept = {name: part[name] for name in ("type", "text", "imageUrl", "dataUri") if name in part}
        size = tokens.count_parts([part])
        if message.get("toolCalls"):  # no field of replayed calls is documented
            size += tokens.count_json(message["toolCalls"])
        echoed.append({**kept, "count": size})
    return {"role": message["role"], "content": echoed}


def embedding_tokenize(call: ApiCall) -> JsonAnswer:
    """Token calculator of Embedding v2 (reference page "Token calculator, embedding v2")."""
    content = text(call.body)
    if len(content) > _MAX_CHARACTERS:
        raise Refusal("40003")
    return JsonAnswer.success({"numTokens": tokens.count(content)}, call.charge("embedding-tokenize"))


def tokenize(call: ApiCall) -> JsonAnswer:
    """Count the tokens of a text."""
    find_completion_model(call)
    content = text(call.body)
    return JsonAnswer.success({"numTokens": tokens.count(content)}, call.charge("tokenize"))
