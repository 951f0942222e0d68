"""Asynchronous calls over a synchronous client, in loops that end while the service is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hang_support import left_behind
from langchain_core.documents import Document

from langchain_clova import (
    ChatClovaX,
    ClovaEmbeddings,
    ClovaReranker,
    ClovaRouter,
    ClovaSegmentationTextSplitter,
    ClovaSkillset,
    ClovaSummarizationChain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio import ClovaStudio

WORKS: dict[str, Callable[[ClovaStudio], Any]] = {
    "chat": lambda client: ChatClovaX(client=client).ainvoke("안녕"),
    "stream": lambda client: anext(ChatClovaX(client=client).astream("안녕")),
    "embedding": lambda client: ClovaEmbeddings(client=client).aembed_query("글"),
    "embeddings": lambda client: ClovaEmbeddings(client=client).aembed_documents(["글", "말"]),
    "segmentation": lambda client: ClovaSegmentationTextSplitter(client=client).asplit_text("환불은 7일 안에 한다."),
    "summary": lambda client: ClovaSummarizationChain(client=client).ainvoke("긴 글 " * 50),
    "rerank": lambda client: ClovaReranker(client=client).acompress_documents([Document("환불은 7일")], "환불"),
    "router": lambda client: ClovaRouter(client=client, router_id="travel01", version=1).ainvoke("여행"),
    "skillset": lambda client: ClovaSkillset(client=client, skillset_id="travel01", version=1).ainvoke("여행"),
    "skillset stream": lambda client: anext(
        ClovaSkillset(client=client, skillset_id="travel01", version=1).astream("여행")
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKS)
def test_a_loop_does_not_wait_for_a_synchronous_client(name: str) -> None:
    """Asynchronous calls over a synchronous client, cancelled while the service is silent, hold no loop."""
    left_behind(WORKS[name])
