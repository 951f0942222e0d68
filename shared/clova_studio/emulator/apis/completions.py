"""Legacy completions: the models before HyperCLOVA X.

Source: the old "Completions" page, which the current guide no longer has (the service is said to answer 40082 today,
which a fault can simulate), and public code for the tokeniser, whose path is not documented any more.
"""

from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.chat_v1 import STOP_REASONS
from clova_studio.emulator.apis.filters import filter_scores
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.answers import compute_reply
from clova_studio.emulator.rules.catalogue import COMPLETION_MODELS, FADED_MODELS, MODELS, TUNED_COMPLETION, Model
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.checks import boolean, check_length, integer, optional_text, strings, text
from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.rules.v1 import check_sampling_v1
from clova_studio.emulator.server.delivery import JsonAnswer


def find_completion_model(call: ApiCall) -> Model:
    """The model that a path names; the base of a task is unknown, so one is assumed."""
    route = call.route
    if route.task:
        if call.state.tuning.base_model(route.task) is not None:  # tasks of current models have no completions
            raise Refusal("40084")
        return TUNED_COMPLETION
    if route.model in FADED_MODELS:
        raise Refusal("40082")
    if route.model in MODELS:
        raise Refusal("40084")
    if route.model not in COMPLETION_MODELS:
        raise Refusal("40080")
    return COMPLETION_MODELS[route.model]


def completions(call: ApiCall) -> JsonAnswer:
    """Continue a text."""
    body = call.body
    model = find_completion_model(call)
    prompt = text(body)
    check_sampling_v1(body)
    stop = strings(body, "stopBefore")
    start, restart = (optional_text(body, name) or "" for name in ("start", "restart"))
    limit = integer(body, "maxTokens", 1, model.max_output) or model.default_output
    with_tokens, with_probs = boolean(body, "includeTokens"), boolean(body, "includeProbs")
    with_filters = boolean(body, "includeAiFilters", default=True)
    given = f"{prompt}{start}"
    size = tokens.count(given, model.max_input)
    check_length(model, size, limit)
    headers = call.charge(model.name, size + limit)
    messages = [{"role": "user", "content": prompt}]
    reply = compute_reply(ChatRequest(model, messages, limit, stop, 0, ai_filters=False, prompt_tokens=size))
    output = reply.content
    result: dict[str, Any] = {
        "text": f"{given}{output}{restart}",
        "outputText": output,
        "stopReason": STOP_REASONS[reply.finish],
        "inputLength": size,
        "outputLength": reply.output_tokens,
    }
    if with_tokens:
        result |= {"inputTokens": tokens.pieces(given), "outputTokens": tokens.pieces(output)}
    if with_probs:
        result["probs"] = []  # no source shows its items
    result["aiFilter"] = filter_scores(call.facts) if with_filters else []
    return JsonAnswer.success(result, headers)
