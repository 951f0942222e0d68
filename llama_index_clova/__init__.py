"""LlamaIndex integrations of NAVER CLOVA Studio (HyperCLOVA X).

    >>> from llama_index_clova import ClovaX
    >>> ClovaX(model="HCX-005").complete("안녕하세요?").text  # doctest: +SKIP

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llama_index_clova.embeddings import ClovaEmbedding
    from llama_index_clova.extractors import ClovaSummaryExtractor
    from llama_index_clova.llms import ClovaX
    from llama_index_clova.node_parsers import ClovaSegmentationNodeParser
    from llama_index_clova.postprocessors import (
        ClovaRerank,
        ClovaRerankCitation,
        ClovaRerankEndEvent,
        ClovaRerankResult,
    )
    from llama_index_clova.selectors import ClovaRouterSelector
    from llama_index_clova.synthesizers import ClovaSummarize

__all__ = [
    "ClovaEmbedding",
    "ClovaRerank",
    "ClovaRerankCitation",
    "ClovaRerankEndEvent",
    "ClovaRerankResult",
    "ClovaRouterSelector",
    "ClovaSegmentationNodeParser",
    "ClovaSummarize",
    "ClovaSummaryExtractor",
    "ClovaX",
]

# The namespace package `llama_index` exists with any part of LlamaIndex, but its core is needed. It is only looked for
# here: the first name that needs it imports it.
if find_spec("llama_index") is None or find_spec("llama_index.core") is None:
    raise ImportError(
        "llama_index_clova needs LlamaIndex: pip install 'clova-studio[llama-index]'", name="llama_index.core"
    )

_HOMES = {
    "ClovaEmbedding": "embeddings",
    "ClovaRerank": "postprocessors",
    "ClovaRerankCitation": "postprocessors",
    "ClovaRerankEndEvent": "postprocessors",
    "ClovaRerankResult": "postprocessors",
    "ClovaRouterSelector": "selectors",
    "ClovaSegmentationNodeParser": "node_parsers",
    "ClovaSummarize": "synthesizers",
    "ClovaSummaryExtractor": "extractors",
    "ClovaX": "llms",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
