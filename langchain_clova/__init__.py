"""LangChain integrations of NAVER CLOVA Studio (HyperCLOVA X).

    >>> from langchain_clova import ChatClovaX
    >>> ChatClovaX(model="HCX-005").invoke("안녕하세요?").text  # doctest: +SKIP

Names are loaded when they are first used, each from a module of its own.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_clova._citations import ClovaCitation
    from langchain_clova.chat_models import ChatClovaX
    from langchain_clova.embeddings import ClovaEmbeddings, ClovaXEmbeddings
    from langchain_clova.rag_reasoning import ClovaRagReasoning, ClovaRagResult
    from langchain_clova.rerank import ClovaReranker, ClovaRerankResult, ClovaRerankRetriever
    from langchain_clova.routing import ClovaRouter, ClovaRouterBranch
    from langchain_clova.skillsets import ClovaSkillset, ClovaSkillsetAnswer
    from langchain_clova.sliding_window import ClovaSlidingWindow
    from langchain_clova.summarization import ClovaSummarizationChain
    from langchain_clova.text_splitters import ClovaSegmentationTextSplitter

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
    # Looked for, not imported: that is left to the first name that needs it.
    if find_spec(_package) is None:
        raise ImportError(
            f"langchain_clova needs the package {_package!r}: pip install 'clova-studio[langchain]'", name=_package
        )
del _package

_HOMES = {
    "ChatClovaX": "chat_models",
    "ClovaCitation": "_citations",
    "ClovaEmbeddings": "embeddings",
    "ClovaRagReasoning": "rag_reasoning",
    "ClovaRagResult": "rag_reasoning",
    "ClovaRerankResult": "rerank",
    "ClovaRerankRetriever": "rerank",
    "ClovaReranker": "rerank",
    "ClovaRouter": "routing",
    "ClovaRouterBranch": "routing",
    "ClovaSegmentationTextSplitter": "text_splitters",
    "ClovaSkillset": "skillsets",
    "ClovaSkillsetAnswer": "skillsets",
    "ClovaSlidingWindow": "sliding_window",
    "ClovaSummarizationChain": "summarization",
    "ClovaXEmbeddings": "embeddings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
