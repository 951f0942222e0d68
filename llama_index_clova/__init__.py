"""LlamaIndex integrations of NAVER CLOVA Studio (HyperCLOVA X).

    >>> from llama_index_clova import ClovaX
    >>> ClovaX(model="HCX-005").complete("안녕하세요?").text  # doctest: +SKIP

Names are loaded on first use.
"""

# ruff: noqa: F403, F405  each module says in its own __all__ what it has

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from clova_studio.adapters import lazy_names

if TYPE_CHECKING:
    from llama_index_clova.embeddings import *
    from llama_index_clova.extractors import *
    from llama_index_clova.llms import *
    from llama_index_clova.memory import *
    from llama_index_clova.node_parsers import *
    from llama_index_clova.postprocessors import *
    from llama_index_clova.query_engines import *
    from llama_index_clova.selectors import *
    from llama_index_clova.skillsets import *
    from llama_index_clova.synthesizers import *
    from llama_index_clova.tokenizers import *

__all__ = [
    "ClovaEmbedding",
    "ClovaRagCitation",
    "ClovaRagReasoningQueryEngine",
    "ClovaRagResult",
    "ClovaRerank",
    "ClovaRerankCitation",
    "ClovaRerankEndEvent",
    "ClovaRerankResult",
    "ClovaRouterSelector",
    "ClovaSegmentationNodeParser",
    "ClovaSkillsetQueryEngine",
    "ClovaSkillsetTool",
    "ClovaSlidingWindowMemory",
    "ClovaSummarize",
    "ClovaSummaryExtractor",
    "ClovaX",
    "clova_tokenizer",
]

# The namespace package `llama_index` exists with any part of LlamaIndex, but the core is needed. It is only looked for
# here; the first name that needs it imports it.
if find_spec("llama_index") is None or find_spec("llama_index.core") is None:
    raise ImportError(
        "llama_index_clova needs LlamaIndex: pip install 'clova-studio[llama-index]'", name="llama_index.core"
    )

__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    {
        ".embeddings": ("ClovaEmbedding",),
        ".extractors": ("ClovaSummaryExtractor",),
        ".llms": ("ClovaX",),
        ".memory": ("ClovaSlidingWindowMemory",),
        ".node_parsers": ("ClovaSegmentationNodeParser",),
        ".postprocessors": ("ClovaRerank", "ClovaRerankCitation", "ClovaRerankEndEvent", "ClovaRerankResult"),
        ".query_engines": ("ClovaRagCitation", "ClovaRagReasoningQueryEngine", "ClovaRagResult"),
        ".selectors": ("ClovaRouterSelector",),
        ".skillsets": ("ClovaSkillsetQueryEngine", "ClovaSkillsetTool"),
        ".synthesizers": ("ClovaSummarize",),
        ".tokenizers": ("clova_tokenizer",),
    },
)
