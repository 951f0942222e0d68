"""Embeddings (reference pages "Embedding" and "Embedding v2")."""

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.vectors import embed
from clova_studio.emulator.rules.catalogue import EMBEDDING_LIMITS, EMBEDDING_V2_MODEL
from clova_studio.emulator.rules.checks import text
from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.server.delivery import JsonAnswer
from clova_studio.emulator.server.quota import charge
from clova_studio.emulator.server.state import State
from clova_studio.emulator.server.wire import success


def embedding(state: State, call: ApiCall) -> JsonAnswer:
    """Answer a request for an embedding, v1 or v2."""
    second = call.route.api == "embedding-v2"
    model = EMBEDDING_V2_MODEL if second else call.route.model
    if model not in EMBEDDING_LIMITS or (model == EMBEDDING_V2_MODEL) != second:
        raise Refusal("40080")
    vector, size, headers = embed_text(state, call.key, model, text(call.body))
    return JsonAnswer(success({"embedding": vector, "inputTokens": size}), headers=headers)


def embed_text(state: State, key: str, model: str, content: str) -> tuple[list[float], int, dict[str, str]]:
    """Check the length of a text, charge and embed it.

    Returns:
        The vector, the number of tokens, and the headers of the answer.

    Raises:
        Refusal: 40003, or 42901 of the quota.
    """
    size = tokens.count(content)
    if size > EMBEDDING_LIMITS[model]:
        raise Refusal("40003")
    headers = charge(state, key, model, size)
    return embed(content, model), size, headers
