"""What Chat Completions v1 accepts (HCX-003, HCX-DASH-001 and their tuned models).

Source: the "Chat Completions" (v1) reference page.
"""

from collections.abc import Mapping
from typing import Any

from clova_studio.emulator.language.tokens import count_prompt
from clova_studio.emulator.rules.catalogue import Model
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.checks import (
    MAX_SEED,
    boolean,
    check_length,
    check_sampling,
    integer,
    is_one_of,
    message_list,
    strings,
)
from clova_studio.emulator.rules.refusals import Refusal, invalid

_ROLES = frozenset({"system", "user", "assistant"})


def check_v1(body: Mapping[str, Any], model: Model) -> ChatRequest:
    """Check a v1 chat request.

    Unknown fields are ignored, as no source shows a refusal. Features that only v3 has are refused by name, because an
    answer without them would hide a mistake of the caller.
    """
    messages = check_messages_v1(body)
    for name in ("tools", "thinking", "responseFormat"):
        if body.get(name) is not None:
            raise invalid(name)
    check_sampling_v1(body)
    limit = integer(body, "maxTokens", 1, model.max_output) or model.default_output
    seed = integer(body, "seed", 0, MAX_SEED) or 0
    prompt_tokens = count_prompt(messages, most=model.max_input)
    check_length(model, prompt_tokens, limit)
    return ChatRequest(
        model=model,
        messages=messages,
        limit=limit,
        stop=strings(body, "stopBefore"),
        seed=seed,
        ai_filters=boolean(body, "includeAiFilters"),
        prompt_tokens=prompt_tokens,
    )


def check_sampling_v1(body: Mapping[str, Any]) -> None:
    """Check the sampling parameters of chat v1 and the legacy completions."""
    check_sampling(body, "repeatPenalty", 10)


def check_messages_v1(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Check the conversation of a v1 request: three roles, and contents that are strings."""
    messages = message_list(body)
    for index, message in enumerate(messages):
        if not is_one_of(message.get("role"), _ROLES):
            raise invalid(f"messages[{index}].role")
        content = message.get("content")
        if not isinstance(content, str):
            raise invalid(f"messages[{index}].content")
        # A replayed answer may be empty; an empty instruction or question is refused.
        if not content and message["role"] != "assistant":
            raise Refusal("40004")
    return messages
