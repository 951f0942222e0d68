"""Sliding window: drops the oldest turns of a conversation so that a v1 chat request fits ("Sliding window" page)."""

from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.chat import find_model
from clova_studio.emulator.language.tokens import count_prompt
from clova_studio.emulator.rules.checks import integer
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.rules.v1 import check_messages_v1
from clova_studio.emulator.server.delivery import JsonAnswer

_WINDOW = 4_096  # from the page, although HCX-003 has a larger context today


def slide(call: ApiCall) -> JsonAnswer:
    """Drop the turns that do not fit together with ``maxTokens``."""
    find_model(call)  # refuses models of v3
    limit = integer(call.body, "maxTokens", 1, _WINDOW)
    if limit is None:
        raise invalid("maxTokens")
    messages = check_messages_v1(call.body)
    headers = call.charge("sliding")
    kept = [{"role": message["role"], "content": message["content"]} for message in fit(messages, _WINDOW - limit)]
    return JsonAnswer.success({"messages": kept}, headers)


def fit(messages: list[dict[str, Any]], room: int) -> list[dict[str, Any]]:
    """Drop turns until a conversation fits, oldest first; system messages stay.

    A turn is a user message and the answers that follow it, so the result never begins with an answer. That a newest
    turn which does not fit is refused is not documented.
    """
    turns: list[list[dict[str, Any]]] = [[]]
    for message in messages:
        if message["role"] == "user" and any(item["role"] != "system" for item in turns[-1]):
            turns.append([])
        turns[-1].append(message)
    size = count_prompt(messages)
    for number, turn in enumerate(turns[:-1]):
        if size <= room:
            break
        turns[number] = [message for message in turn if message["role"] == "system"]
        size += count_prompt(turns[number]) - count_prompt(turn)
    if size > room:
        raise Refusal("40003")
    return [message for turn in turns for message in turn]
