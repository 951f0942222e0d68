"""Legacy completions and their tokeniser: the models before HyperCLOVA X.

Source: the old "Completions" page, gone from the current guide (what calls meet today is told as 40082, which a fault
can give), and public code for the tokeniser, whose path stands in no current page.
"""

from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.filters import filter_scores
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.answers import compute_reply
from clova_studio.emulator.rules.catalogue import COMPLETION_MODELS, FADED_MODELS, MODELS, Model
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.checks import boolean, integer, number, strings, text
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.delivery import JsonAnswer
from clova_studio.emulator.server.quota import charge
from clova_studio.emulator.server.routes import Route
from clova_studio.emulator.server.state import State
from clova_studio.emulator.server.wire import success

_STOP_REASONS = {"stop": "stop_before", "length": "length"}


def find_completion_model(state: State, route: Route) -> Model:
    """The model that a path names; a task's id does not tell its base, so it is LK-D2.

    Raises:
        Refusal: 40080, 40082 or 40084.
    """
    if route.task:
        if state.tuning.base_model(route.task) is not None:  # a task of today's models has no completions
            raise Refusal("40084")
        return COMPLETION_MODELS["LK-D2"]
    if route.model in FADED_MODELS:
        raise Refusal("40082")
    if route.model in MODELS:
        raise Refusal("40084")
    if route.model not in COMPLETION_MODELS:
        raise Refusal("40080")
    return COMPLETION_MODELS[route.model]


def completions(state: State, call: ApiCall) -> JsonAnswer:
    """Go on with a text.

    Raises:
        Refusal: 40001, 40003, 40004, or what is wrong with the model.
    """
    body = call.body
    model = find_completion_model(state, call.route)
    prompt = text(body)
    integer(body, "topK", 0, 128)
    number(body, "topP", 0, 1, with_low=False)
    number(body, "temperature", 0, 1, with_low=False)
    number(body, "repeatPenalty", 0, 10, with_low=False)
    stop = strings(body, "stopBefore")
    start, restart = (_optional_text(body, name) for name in ("start", "restart"))
    limit = integer(body, "maxTokens", 1, model.max_output) or model.default_output
    with_tokens, with_probs = boolean(body, "includeTokens"), boolean(body, "includeProbs")
    with_filters = boolean(body, "includeAiFilters", default=True)
    asked = f"{prompt}{start}"
    size = tokens.count(asked)
    if size + limit > model.context:
        raise Refusal("40003")
    headers = charge(state, call.key, model.name, size + limit)
    messages = [{"role": "user", "content": prompt}]
    reply = compute_reply(ChatRequest(model, messages, limit, stop, 0, ai_filters=False, prompt_tokens=size))
    output = reply.content
    result: dict[str, Any] = {
        "text": f"{asked}{output}{restart}",
        "outputText": output,
        "stopReason": _STOP_REASONS[reply.finish],
        "inputLength": size,
        "outputLength": reply.output_tokens,
    }
    if with_tokens:
        result |= {"inputTokens": tokens.pieces(asked), "outputTokens": tokens.pieces(output)}
    if with_probs:
        result["probs"] = []  # no source shows what stands in it
    result["aiFilter"] = filter_scores(observed=state.settings.observed) if with_filters else []
    return JsonAnswer(success(result), headers=headers)


def tokenize(state: State, call: ApiCall) -> JsonAnswer:
    """Count the tokens of a text.

    Raises:
        Refusal: 40001, 40004, or what is wrong with the model.
    """
    find_completion_model(state, call.route)
    content = text(call.body)
    headers = charge(state, call.key, "tokenize", 0)
    return JsonAnswer(success({"numTokens": tokens.count(content)}), headers=headers)


def _optional_text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(name)
    return value
