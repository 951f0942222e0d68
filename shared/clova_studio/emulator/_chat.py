"""Chat Completions: from a checked request to the answer's wire form, whole or streamed."""

import time
from typing import Any

from clova_studio.emulator import _chat_v1 as v1
from clova_studio.emulator import _chat_v3 as v3
from clova_studio.emulator._answers import compute_reply, scripted_reply
from clova_studio.emulator._delivery import Answer, JsonAnswer, StreamAnswer
from clova_studio.emulator._models import MODELS, TUNED_V1, TUNED_V3, Model
from clova_studio.emulator._quota import charge
from clova_studio.emulator._refusals import Refusal
from clova_studio.emulator._routes import Route
from clova_studio.emulator._rules_v1 import check_v1
from clova_studio.emulator._rules_v3 import check_v3
from clova_studio.emulator._state import State
from clova_studio.emulator._wire import Frames, dumps, fingerprint, random_seed, success

_V3 = 3


def find_model(route: Route) -> Model:
    """The model that a path names.

    Raises:
        Refusal: 40080 for an unknown model, 40084 for one that another API version serves.
    """
    if route.task:
        return TUNED_V3 if route.version == _V3 else TUNED_V1
    model = MODELS.get(route.model)
    if model is None:
        raise Refusal("40080")
    if model.version != route.version:
        raise Refusal("40084")
    return model


def chat(state: State, route: Route, body: dict[str, Any], key: str, streamed: bool) -> Answer:  # noqa: FBT001
    """Answer a chat request of either version.

    Raises:
        Refusal: What the service would refuse.
    """
    observed = state.settings.observed
    model = find_model(route)
    request = check_v3(body, model, observed=observed) if route.version == _V3 else check_v1(body, model)
    headers = charge(state, key, model.name, request.prompt_tokens + request.limit)
    scripted = state.next_answer()
    reply = compute_reply(request) if scripted is None else scripted_reply(scripted)
    mark = fingerprint(route.version, model.name, route.task, dumps(body))
    seed = request.seed or random_seed(mark)
    if route.version == _V3:
        shape: v1.Shape | v3.Shape = v3.Shape(
            request, reply, seed=seed, created=time.time(), mark=mark, observed=observed
        )
    else:
        shape = v1.Shape(request, reply, seed=seed, observed=observed)
    if not streamed:
        return JsonAnswer(success(shape.result()), headers=headers)
    frames = Frames(mark, observed=observed)
    return StreamAnswer(
        frames,
        tokens=(frames.frame("token", data) for data in shape.tokens()),
        results=(frames.frame("result", data) for data in [shape.final()]),
        headers=headers,
    )
