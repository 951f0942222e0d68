"""Embeddings (reference pages "Embedding" and "Embedding v2")."""

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.language import tokens
from clova_studio.emulator.language.vectors import embed
from clova_studio.emulator.rules.catalogue import EMBEDDING_LIMITS, EMBEDDING_V2_MODEL
from clova_studio.emulator.rules.checks import text
from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.server.delivery import JsonAnswer


def embedding(call: ApiCall) -> JsonAnswer:
    """Answer a request for an embedding, v1 or v2."""
    second = call.route.api == "embedding-v2"
    model = EMBEDDING_V2_MODEL if second else call.route.model
    if model not in EMBEDDING_LIMITS or (model == EMBEDDING_V2_MODEL) != second:
        raise Refusal("40080")
    vector, size, headers = embed_text(call, model, text(call.body))
    return JsonAnswer.success({"embedding": vector, "inputTokens": size}, headers)


def embed_text(call: ApiCall, model: str, content: str) -> tuple[list[float], int, dict[str, str]]:
    """Check the length of a text, charge and embed it; return vector, number of tokens and headers of the answer."""
    size = _size(model, content)
    headers = call.charge(model, size)
    return embed(content, model), size, headers


def embed_texts(call: ApiCall, model: str, contents: list[str]) -> tuple[list[list[float]], int, dict[str, str]]:
    """Do the same with several texts, as one request."""
    size = sum(_size(model, content) for content in contents)
    headers = call.charge(model, size)
    return [embed(content, model) for content in contents], size, headers


def _size(model: str, content: str) -> int:
    size = tokens.count(content, EMBEDDING_LIMITS[model])
    if size > EMBEDDING_LIMITS[model]:
        raise Refusal("40003")
    return size
