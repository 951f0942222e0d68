"""OpenAI-compatible embeddings and the list of models ("OpenAI compatibility" page)."""

import base64
import struct
from typing import Any

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.embedding import embed_text, embed_texts
from clova_studio.emulator.apis.openai_request import check_supported
from clova_studio.emulator.language.vectors import DIMENSIONS
from clova_studio.emulator.rules.catalogue import EMBEDDING_LIMITS, MODELS
from clova_studio.emulator.rules.checks import text
from clova_studio.emulator.rules.facts import REFUSED, Facts
from clova_studio.emulator.rules.refusals import Refusal, invalid
from clova_studio.emulator.server.delivery import JsonAnswer
from clova_studio.emulator.server.wire import dumps

_SUPPORTED = frozenset({"dimensions", "encoding_format", "input", "model"})
_RELEASED = 1_744_848_000  # 17 April 2025, the release of the compatible API


def openai_embeddings(call: ApiCall) -> JsonAnswer:
    """Embed one text; lists are refused unless the emulator is set to take them, because no source shows what they do.

    Without ``encoding_format`` the answer has numbers; base64, which OpenAI's SDK requests by default, is refused.
    """
    body = call.body
    check_supported(body, _SUPPORTED)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("model")
    if model not in EMBEDDING_LIMITS:
        raise Refusal("40084" if model in MODELS else "40080")
    encoding = body.get("encoding_format")
    as_base64 = encoding == "base64" and call.facts.takes("compatible-field.encoding_format")
    if encoding is not None and encoding != "float" and not as_base64:
        raise invalid("encoding_format")
    dimensions = body.get("dimensions")
    if dimensions is not None and (not isinstance(dimensions, int) or dimensions != DIMENSIONS):
        raise invalid("dimensions")
    texts = _texts(body, call.facts)
    if call.facts["list-input"] == "one-request" and len(texts) > 1:
        vectors, size, headers = embed_texts(call, model, texts)
    else:
        found = [embed_text(call, model, item) for item in texts]
        vectors, size, headers = [item[0] for item in found], sum(item[1] for item in found), found[-1][2]
    answer = {
        "object": "list",
        "model": model,
        "data": [
            {"object": "embedding", "index": at, "embedding": _base64(vector) if as_base64 else vector}
            for at, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": size, "total_tokens": size},
    }
    return JsonAnswer(dumps(answer).encode(), headers=headers)


def _texts(body: dict[str, Any], facts: Facts) -> list[str]:
    """The texts to embed."""
    given = body.get("input")
    if not isinstance(given, list) or facts["list-input"] == REFUSED:
        return [text(body, "input")]
    if not given:
        raise invalid("input")
    return [text({"input": item}, "input") for item in given]


def _base64(vector: list[float]) -> str:
    """A vector as OpenAI's API writes it: little-endian numbers of 32 bits."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def openai_models(call: ApiCall) -> JsonAnswer:  # noqa: ARG001 - the same for every request
    """List the models in OpenAI's form; the page has no sample."""
    listed = [
        {"id": name, "object": "model", "created": _RELEASED, "owned_by": "NAVER Cloud"}
        for name in [*MODELS, *EMBEDDING_LIMITS]
    ]
    return JsonAnswer(dumps({"object": "list", "data": listed}).encode())
