"""What Chat Completions v3 accepts (HCX-005, HCX-DASH-002, HCX-007 and tuned models).

Source: the four v3 reference pages (text and image, function calling, thinking, structured outputs). They describe one
URI; the fields of the body decide which of them applies. Messages of refusals follow the recorded ones: ``Invalid
parameter`` with the names of the fields that exclude each other.
"""

from collections.abc import Mapping
from typing import Any

from clova_studio.emulator.language.text import listed
from clova_studio.emulator.language.tokens import count_prompt
from clova_studio.emulator.rules.catalogue import THINKING_DEFAULTS, TOOLS_MIN_OUTPUT, Model
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.checks import MAX_SEED, boolean, check_length, check_sampling, integer, strings
from clova_studio.emulator.rules.facts import TAKEN, Facts
from clova_studio.emulator.rules.messages import check_messages_v3
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.rules.schema import check_response_format
from clova_studio.emulator.rules.tools import check_tool_choice, check_tools

_FIELDS = frozenset(
    listed(
        "includeAiFilters maxCompletionTokens maxTokens messages repetitionPenalty responseFormat seed stop "
        "temperature thinking toolChoice tools topK topP"
    )
)
_V1_FIELDS = frozenset({"repeatPenalty", "stopBefore"})


def check_v3(body: Mapping[str, Any], model: Model, facts: Facts, *, compatible: bool = False) -> ChatRequest:
    """Check a v3 chat request.

    Unknown fields are ignored in both behaviours: the v1 names ``repeatPenalty`` and ``stopBefore``, which the sample
    of the function-calling page sends, and names in snake case, so ``max_tokens`` leaves the default limit in force.
    Fields that the API has but the model does not support are refused.

    ``compatible`` is for a request that was translated from OpenAI's form; whether a tool choice may name a tool and a
    model may have a schema are facts of their own there.
    """
    if not compatible:
        _check_names(body, facts)
    effort = _check_effort(body, model)
    structured = model.structured or (compatible and facts.get(f"compatible-schema.{model.name}") == TAKEN)
    schema = check_response_format(body, facts, structured=structured)
    tools = check_tools(body, facts)
    if tools and not model.tools:
        raise Refusal("40009", "Unsupported function")  # tuned models have no function calling
    stop = strings(body, "stop")
    if tools and schema is not None:
        raise invalid("tools", "responseFormat")
    if effort != "none":
        for name, given in (("tools", tools), ("responseFormat", schema), ("stop", stop)):
            if given:
                raise invalid(name, "thinking")
    check_sampling(body, "repetitionPenalty", 2, zero_temperature=True)
    seed = integer(body, "seed", 0, MAX_SEED) or 0
    limit = _check_limit(body, model, effort, with_tools=bool(tools))
    ai_filters = boolean(body, "includeAiFilters")
    messages = check_messages_v3(body, model, facts, plain=_plain_reason(tools, schema), thinking=effort != "none")
    forced = f"forced-{'compatible' if compatible else 'native'}.{model.name}"
    tool_choice = check_tool_choice(body, tools, can_force=facts.takes(forced))
    prompt_tokens = count_prompt(messages, tools, schema, most=model.max_input)
    check_length(model, prompt_tokens, limit)
    return ChatRequest(
        model=model,
        messages=messages,
        limit=limit,
        stop=stop,
        seed=seed,
        ai_filters=ai_filters,
        prompt_tokens=prompt_tokens,
        tools=tools,
        tool_choice=tool_choice,
        effort=effort,
        schema=schema,
    )


def _check_names(body: Mapping[str, Any], facts: Facts) -> None:
    """Refuse fields that the API does not have, where the emulator is set to; the service is said to ignore them."""
    for name in body:
        if name in _FIELDS:
            continue
        kind = "v1-fields" if name in _V1_FIELDS else "snake-case-fields" if "_" in name else "unknown-fields"
        if facts[kind] == "refused":
            raise invalid(name)


def _plain_reason(tools: list[dict[str, Any]], schema: dict[str, Any] | None) -> str:
    """Why contents must be strings: the function-calling and structured-output pages list no arrays."""
    if tools:
        return "tools"
    return "responseFormat" if schema is not None else ""


def _check_effort(body: Mapping[str, Any], model: Model) -> str:
    thinking = body.get("thinking")
    if not model.thinking:
        if thinking is not None:  # recorded for any value on HCX-005 and HCX-DASH-002
            raise invalid("thinking")
        return "none"
    if thinking is None:
        return "low"
    if not isinstance(thinking, dict):
        raise invalid("thinking")
    effort = thinking.get("effort")
    if effort is None:
        return "low"
    if not isinstance(effort, str) or effort not in THINKING_DEFAULTS:
        raise invalid("thinking.effort")
    return effort


def _check_limit(body: Mapping[str, Any], model: Model, effort: str, *, with_tools: bool) -> int:
    short, whole = body.get("maxTokens"), body.get("maxCompletionTokens")
    if short is not None and whole is not None:
        raise invalid("maxTokens", "maxCompletionTokens")
    if short is not None and model.thinking:  # recorded: HCX-007 accepts only maxCompletionTokens
        raise invalid("maxTokens")
    name = "maxTokens" if short is not None else "maxCompletionTokens"
    limit = integer(body, name, 1, model.max_output)
    if limit is None:
        default = THINKING_DEFAULTS[effort] if model.thinking else model.default_output
        # With tools a missing limit is accepted; the smallest documented one is assumed.
        return max(default, TOOLS_MIN_OUTPUT) if with_tools else default
    if with_tools and limit < TOOLS_MIN_OUTPUT:
        raise invalid("tools", name)
    return limit
