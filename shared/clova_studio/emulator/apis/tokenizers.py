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
from clova_studio.emulator.rules.tools import check_tool_choice, check_tools
from clova_studio.emulator.rules.v1 import check_messages_v1
from clova_studio.emulator.server.delivery import JsonAnswer
from clova_studio.emulator.server.quota import charge
from clova_studio.emulator.server.state import State
from clova_studio.emulator.server.wire import success

_MAX_CHARACTERS = 10_000


def chat_tokenize(state: State, call: ApiCall) -> JsonAnswer:
    """Token calculators for chat v1 and v3 (reference pages "Token calculator, HCX" and "... v3")."""
    body = call.body
    model = find_model(state, call.route)
    if not call.route.v3:
        headers = charge(state, call.key, "chat-tokenize", 0)
        counted: list[dict[str, Any]] = [
            {"role": message["role"], "content": message["content"], "count": tokens.count(message["content"])}
            for message in check_messages_v1(body)
        ]
        return JsonAnswer(success({"messages": counted}), headers=headers)
    tools = check_tools(body)
    check_tool_choice(body, tools, observed=False)
    schema = check_response_format(body)
    messages = check_messages_v3(body, model, observed=state.settings.observed)
    headers = charge(state, call.key, "chat-tokenize", 0)
    result: dict[str, Any] = {"messages": [_counted(message) for message in messages]}
    if tools:
        result["tools"] = {"count": tokens.count_json(tools)}
    if schema is not None:
        result["responseFormat"] = {"count": tokens.count_json(body["responseFormat"])}
    return JsonAnswer(success(result), headers=headers)


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


def embedding_tokenize(state: State, call: ApiCall) -> JsonAnswer:
    """Token calculator of Embedding v2 (reference page "Token calculator, embedding v2")."""
    content = text(call.body)
    if len(content) > _MAX_CHARACTERS:
        raise Refusal("40003")
    headers = charge(state, call.key, "embedding-tokenize", 0)
    return JsonAnswer(success({"numTokens": tokens.count(content)}), headers=headers)


def tokenize(state: State, call: ApiCall) -> JsonAnswer:
    """Count the tokens of a text."""
    find_completion_model(state, call.route)
    content = text(call.body)
    headers = charge(state, call.key, "tokenize", 0)
    return JsonAnswer(success({"numTokens": tokens.count(content)}), headers=headers)
