"""Chat Completions: checks a request, answers it, and writes the answer as JSON or as a stream."""

import time
from typing import Any

from clova_studio.emulator.apis import chat_v1 as v1
from clova_studio.emulator.apis import chat_v3 as v3
from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.language.answers import Reply, compute_reply, scripted_reply
from clova_studio.emulator.rules.catalogue import MODELS, TUNED_V1, TUNED_V3, Model, as_tuned
from clova_studio.emulator.rules.chat_request import ChatRequest
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.rules.v1 import check_v1
from clova_studio.emulator.rules.v3 import check_v3
from clova_studio.emulator.server.delivery import Answer, JsonAnswer, StreamAnswer
from clova_studio.emulator.server.wire import Frames, dumps, fingerprint, random_seed

LONG_NAMES = ("ft:", "tuning-")
"""How the name of a tuned model on the OpenAI-compatible path begins; paths have the short id of the task instead."""


def find_model(call: ApiCall) -> Model:
    """The model that a path names: 40080 for an unknown one, 40084 for one of another API version."""
    route = call.route
    if route.task:
        if route.task.startswith(LONG_NAMES):
            raise Refusal("40080")
        model = tuned_model(call, route.task, TUNED_V3 if route.v3 else TUNED_V1)
    elif route.model in MODELS:
        model = MODELS[route.model]
    else:
        raise Refusal("40080")
    if model.v3 != route.v3:
        raise Refusal("40084")
    return model


def tuned_model(call: ApiCall, task: str, assumed: Model) -> Model:
    """The model of a training task, ``assumed`` if it was not created here; 40080 if it cannot be called."""
    base = call.state.tuning.base_model(task)
    if base is None:
        return assumed
    if not base:
        raise Refusal("40080")
    return as_tuned(MODELS[base])


def check_chat(body: dict[str, Any], model: Model, facts: Facts, *, compatible: bool = False) -> ChatRequest:
    """Check a native chat request by the rules of the version that serves the model; see `check_v3`."""
    return check_v3(body, model, facts, compatible=compatible) if model.v3 else check_v1(body, model)


def converse(call: ApiCall, request: ChatRequest) -> tuple[Reply, dict[str, str]]:
    """Charge a checked request; return its answer, the next scripted one if there is one, and the headers."""
    headers = call.charge(request.model.name, request.prompt_tokens + request.limit)
    scripted = call.state.next_answer()
    return (compute_reply(request) if scripted is None else scripted_reply(scripted)), headers


def chat(call: ApiCall) -> Answer:
    """Answer a chat request of either version."""
    route, body, facts = call.route, call.body, call.facts
    model = find_model(call)
    request = check_chat(body, model, facts)
    call.check_names(request)
    reply, headers = converse(call, request)
    mark = fingerprint(route.version, model.name, route.task, dumps(body))
    seed = request.seed or random_seed(mark)
    if model.v3:
        shape: v1.Shape | v3.Shape = v3.Shape(request, reply, seed=seed, created=time.time(), mark=mark, facts=facts)
    else:
        shape = v1.Shape(request, reply, seed=seed, facts=facts)
    if not call.streamed:
        return JsonAnswer.success(shape.result(), headers)
    frames = Frames(mark, facts)
    return StreamAnswer(
        frames,
        tokens=(frames.frame("token", data) for data in shape.tokens()),
        results=(frames.frame("result", data) for data in [shape.final()]),
        headers=headers,
        signal=facts["event-signal"]
        == "sent",  # recorded streams end with a signal, the guide's examples with the result
    )
