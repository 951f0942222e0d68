"""LangChain integrations of NAVER CLOVA Studio (HyperCLOVA X).

    >>> from langchain_clova import ChatClovaX
    >>> ChatClovaX(model="HCX-005").invoke("안녕하세요?").text  # doctest: +SKIP

Names are loaded on first use, each from its own module.
"""

# ruff: noqa: F403, F405  each module says in its own __all__ what it has

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from clova_studio.adapters import lazy_names

if TYPE_CHECKING:
    from langchain_clova._citations import *
    from langchain_clova.chat_models import *
    from langchain_clova.embeddings import *
    from langchain_clova.rag_reasoning import *
    from langchain_clova.rerank import *
    from langchain_clova.routing import *
    from langchain_clova.skillsets import *
    from langchain_clova.sliding_window import *
    from langchain_clova.summarization import *
    from langchain_clova.text_splitters import *

__all__ = [
    "ChatClovaX",
    "ClovaCitation",
    "ClovaEmbeddings",
    "ClovaRagReasoning",
    "ClovaRagResult",
    "ClovaRerankResult",
    "ClovaRerankRetriever",
    "ClovaReranker",
    "ClovaRouter",
    "ClovaRouterBranch",
    "ClovaSegmentationTextSplitter",
    "ClovaSkillset",
    "ClovaSkillsetAnswer",
    "ClovaSlidingWindow",
    "ClovaSummarizationChain",
    "ClovaXEmbeddings",
]

for _package in ("langchain_core", "langchain_text_splitters"):
    # Only looked for: the first name that needs it imports it.
    if find_spec(_package) is None:
        raise ImportError(
            f"langchain_clova needs the package {_package!r}: pip install 'clova-studio[langchain]'", name=_package
        )
del _package

__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    {
        "._citations": ("ClovaCitation",),
        ".chat_models": ("ChatClovaX",),
        ".embeddings": ("ClovaEmbeddings", "ClovaXEmbeddings"),
        ".rag_reasoning": ("ClovaRagReasoning", "ClovaRagResult"),
        ".rerank": ("ClovaRerankResult", "ClovaRerankRetriever", "ClovaReranker"),
        ".routing": ("ClovaRouter", "ClovaRouterBranch"),
        ".skillsets": ("ClovaSkillset", "ClovaSkillsetAnswer"),
        ".sliding_window": ("ClovaSlidingWindow",),
        ".summarization": ("ClovaSummarizationChain",),
        ".text_splitters": ("ClovaSegmentationTextSplitter",),
    },
)
