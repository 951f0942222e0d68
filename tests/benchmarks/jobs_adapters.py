"""Making the components of both adapters."""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda

import langchain_clova as lc
import llama_index_clova as li

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 50
# What a constructor that connects, looks a name up or downloads something cannot do without.
REACHING_OUT = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname")
touched: set[str] = set()

PLACE: dict[str, Any] = {"api_key": "nv-bench", "base_url": "http://127.0.0.1:9"}
RETRIEVER: Any = RunnableLambda(lambda _: [Document("문서")])
MAKERS: dict[str, Callable[[], object]] = {
    "ChatClovaX": lambda: lc.ChatClovaX(model="HCX-005", **PLACE),
    "ClovaEmbeddings": lambda: lc.ClovaEmbeddings(**PLACE),
    "ClovaRagReasoning": lambda: lc.ClovaRagReasoning(retriever=RETRIEVER, **PLACE),
    "ClovaReranker": lambda: lc.ClovaReranker(**PLACE),
    "ClovaRouter": lambda: lc.ClovaRouter(router_id="r", version=1, **PLACE),
    "ClovaSegmentationTextSplitter": lambda: lc.ClovaSegmentationTextSplitter(**PLACE),
    "ClovaSkillset": lambda: lc.ClovaSkillset(skillset_id="s", version=1, **PLACE),
    "ClovaSlidingWindow": lambda: lc.ClovaSlidingWindow(**PLACE),
    "ClovaSummarizationChain": lambda: lc.ClovaSummarizationChain(**PLACE),
    "ClovaX": lambda: li.ClovaX(model="HCX-005", **PLACE),
    "ClovaEmbedding": lambda: li.ClovaEmbedding(**PLACE),
    "ClovaRerank": lambda: li.ClovaRerank(**PLACE),
    "ClovaRouterSelector": lambda: li.ClovaRouterSelector(router_id="r", version=1, **PLACE),
    "ClovaSegmentationNodeParser": lambda: li.ClovaSegmentationNodeParser(**PLACE),
    "ClovaSummarize": lambda: li.ClovaSummarize(**PLACE),
    "ClovaSummaryExtractor": lambda: li.ClovaSummaryExtractor(**PLACE),
}


def note(event: str, _: tuple[object, ...]) -> None:
    """Take note of what reaches out of the process."""
    if event in REACHING_OUT:
        touched.add(event)


sys.addaudithook(note)


def construct() -> dict[str, Any]:
    """Return the median seconds of each component, one made before, and what reached out while they were made."""
    found = {}
    for name, make in MAKERS.items():
        kept = [make()]  # the settings' clients live as long as a component that has them
        seconds = []
        for _ in range(TIMES):
            start = time.perf_counter()
            kept.append(make())
            seconds.append(time.perf_counter() - start)
        found[name] = statistics.median(seconds)
    return {"seconds": found, "touched": sorted(touched)}
