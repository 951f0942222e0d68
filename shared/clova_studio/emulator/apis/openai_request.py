"""Translates an OpenAI-compatible chat request into the native one, which the native rules check.

Source: the "OpenAI compatibility" page: supported and unsupported fields, and limits of values.
"""

import re
from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.chat import check_chat, tuned_model
from clova_studio.emulator.language.text import listed
from clova_studio.emulator.rules.catalogue import MODELS, THINKING_DEFAULTS, TUNED_V3, Model
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.checks import is_one_of
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.body import parse

_DEFAULT_OUTPUT = 512
_TUNED = "ft:"
_STEP = re.compile(r"[A-Za-z]+")

# OpenAI's name -> native name, where the value needs no translation.
_SAME = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "repetition_penalty": "repetitionPenalty",
    "repeat_penalty": "repeatPenalty",
    "tools": "tools",
    "tool_choice": "toolChoice",
}
_SUPPORTED = frozenset(_SAME) | frozenset(
    listed(
        "max_completion_tokens max_tokens messages model n parallel_tool_calls reasoning reasoning_effort "
        "response_format stop stream"
    )
)

# Native names that appear in refusals -> OpenAI's; the recorded refusals name the fields that were sent.
_NAMES = {
    **{native: sent for sent, native in _SAME.items()},
    "stopBefore": "stop",
    "maxTokens": "max_tokens",
    "maxCompletionTokens": "max_completion_tokens",
    "responseFormat": "response_format",
    "thinking": "reasoning",  # as recorded for "tools, reasoning"
    "toolCalls": "tool_calls",
    "toolCallId": "tool_call_id",
    "imageUrl": "image_url",
    "dataUri": "image_url",
}


def read_request(call: ApiCall) -> ChatRequest:
    """The native request; what the native API refuses is refused with OpenAI's names of the fields."""
    body = _without_taken(call.body, call.facts)
    check_supported(body, _SUPPORTED)
    model = _find_model(call, body.get("model"))
    _check_values(body)
    native = _translate(body, model)
    try:
        request = check_chat(native, model, call.facts, compatible=True)
        call.check_names(request)
    except Refusal as refusal:
        raise _renamed(refusal, body) from None
    return request


def _without_taken(body: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """The request without the fields of OpenAI's API that the emulator is set to take, though they do nothing here."""

    def is_taken(name: str) -> bool:
        return facts.takes(f"compatible-field.{name}")

    found = dict(body)
    if is_taken("stream_options"):
        found.pop("stream_options", None)
    if body.get("parallel_tool_calls") is False and is_taken("parallel_tool_calls"):
        del found["parallel_tool_calls"]
    if body.get("tool_choice") == "required" and is_taken("tool_choice"):
        found["tool_choice"] = "auto"
    messages = body.get("messages")
    if isinstance(messages, list) and is_taken("content-null"):
        found["messages"] = [
            {**item, "content": ""}
            if isinstance(item, dict) and item.get("tool_calls") and item.get("content") is None
            else item
            for item in messages
        ]
    return found


def check_supported(body: dict[str, Any], supported: frozenset[str]) -> None:
    """Refuse fields that the page does not list as supported: 40002 with the name of the first one."""
    for name, value in body.items():
        if name not in supported and value is not None:
            raise Refusal("40002", f"Unsupported parameter: {name}")


def _find_model(call: ApiCall, name: Any) -> Model:
    """The model that a request names: a chat model, or ``ft:`` and the id of a task."""
    if not isinstance(name, str) or not name:
        raise invalid("model")
    if name.startswith(_TUNED) and len(name) > len(_TUNED):
        return tuned_model(call, name.removeprefix(_TUNED), TUNED_V3)
    # The pages write upper case; NAVER's own demo sends lower case.
    known = MODELS.get(name.upper() if call.facts.takes("lower-case-model") and name.islower() else name)
    if known is None:
        raise Refusal("40080")
    return known


def _check_values(body: dict[str, Any]) -> None:
    """Check the fields that have a narrower range than in OpenAI's own API."""
    if body.get("n") is not None and (body["n"] != 1 or isinstance(body["n"], bool)):
        raise invalid("n")
    if body.get("stream") is not None and not isinstance(body["stream"], bool):
        raise invalid("stream")
    if body.get("parallel_tool_calls") is not None and body["parallel_tool_calls"] is not True:
        raise invalid("parallel_tool_calls")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise invalid("max_tokens", "max_completion_tokens")


def _translate(body: dict[str, Any], model: Model) -> dict[str, Any]:
    native = {name: body[sent] for sent, name in _SAME.items() if body.get(sent) is not None}
    native["messages"] = _messages(body.get("messages"))
    stop = body.get("stop")
    if stop is not None:
        native["stop" if model.v3 else "stopBefore"] = [stop] if isinstance(stop, str) else stop
    effort = _effort(body)
    if effort is not None:
        native["thinking"] = {"effort": effort}
    schema = _schema(body)
    if schema is not None:
        native["responseFormat"] = schema
    limit = body.get("max_completion_tokens")
    limit = body.get("max_tokens") if limit is None else limit
    if limit is None and not native.get("tools"):
        limit = _DEFAULT_OUTPUT  # with tools a missing cap is accepted by the native API, as recorded
    if limit is not None:
        native["maxCompletionTokens" if model.thinking else "maxTokens"] = limit
    return native


def _effort(body: dict[str, Any]) -> str | None:
    """The effort of either field."""
    plain, nested = body.get("reasoning_effort"), body.get("reasoning")
    if plain is not None and nested is not None:
        raise invalid("reasoning_effort", "reasoning")
    if nested is not None:
        if not isinstance(nested, dict) or not is_one_of(nested.get("effort"), THINKING_DEFAULTS):
            raise invalid("reasoning.effort")
        return str(nested["effort"])
    if plain is not None and not is_one_of(plain, THINKING_DEFAULTS):
        raise invalid("reasoning_effort")
    return None if plain is None else str(plain)


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """The native response format; ``name`` and ``strict`` mean nothing to the service."""
    wanted = body.get("response_format")
    if wanted is None:
        return None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise invalid("response_format.type")
    described = wanted.get("json_schema")
    if not isinstance(described, dict):
        raise invalid("response_format.json_schema")
    return {"type": "json", "schema": described.get("schema")}


def _messages(messages: Any) -> Any:
    """The conversation in the native form; items that are not messages are left for the native rules to refuse."""
    if not isinstance(messages, list):
        return messages
    return [_message(item, f"messages[{at}]") if isinstance(item, dict) else item for at, item in enumerate(messages)]


def _message(message: dict[str, Any], where: str) -> dict[str, Any]:
    native: dict[str, Any] = {"role": message.get("role"), "content": message.get("content")}
    if isinstance(native["content"], list):
        native["content"] = [_part(part) if isinstance(part, dict) else part for part in native["content"]]
    if message.get("tool_call_id") is not None:
        native["toolCallId"] = message["tool_call_id"]
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        calls = [_call(call, f"{where}.tool_calls[{at}]") for at, call in enumerate(calls)]
    if calls is not None:
        native["toolCalls"] = calls
    return native


def _part(part: dict[str, Any]) -> dict[str, Any]:
    """A content part in the native form; an image URL may also be a data URI."""
    if part.get("type") != "image_url":
        return part
    image = part.get("image_url")
    address = image.get("url") if isinstance(image, dict) else None
    if isinstance(address, str) and address.startswith("data:"):
        return {"type": "image_url", "dataUri": {"data": address}}
    return {"type": "image_url", "imageUrl": image}


def _call(call: Any, where: str) -> Any:
    """A replayed tool call: its arguments are a JSON string here, and an object in the native form."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise invalid(where)
    written = function.get("arguments")
    if not isinstance(written, str):
        raise invalid(f"{where}.function.arguments")
    arguments = parse(written.encode()) if written else {}
    if not isinstance(arguments, dict):
        raise invalid(f"{where}.function.arguments")
    return {**call, "function": {**function, "arguments": arguments}}


def _renamed(refusal: Refusal, body: dict[str, Any]) -> Refusal:
    """The refusal with OpenAI's names of the fields."""
    title, colon, names = refusal.message.partition(": ")
    if refusal.code != "40001" or not colon:
        return refusal
    listed_names = names.split(", ")
    if listed_names == ["thinking"] and body.get("reasoning_effort") is not None:
        return Refusal(refusal.code, f"{title}: reasoning_effort", headers=refusal.headers)
    sent = (_as_sent(_STEP.sub(lambda step: _NAMES.get(step[0], step[0]), name), body) for name in listed_names)
    return Refusal(refusal.code, f"{title}: {', '.join(dict.fromkeys(sent))}", headers=refusal.headers)


def _as_sent(name: str, body: dict[str, Any]) -> str:
    """The name that the request uses, where two fields mean the same."""
    if name in {"max_tokens", "max_completion_tokens"}:
        return next((sent for sent in ("max_tokens", "max_completion_tokens") if body.get(sent) is not None), name)
    return name
