"""What tests of RAG reasoning in LlamaIndex share: a retriever that finds the same nodes for every query."""

from __future__ import annotations

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

REFUND = "환불은 구매 후 7일 안에 신청할 수 있습니다."
DELIVERY = "배송 조회는 주문 내역에서 할 수 있습니다."
QUESTION = "환불은 언제까지 되나요?"
TWO_QUESTIONS = "환불은 언제까지 되나요? 배송 조회는 어디서 하나요?"


class Documents(BaseRetriever):
    """A retriever that finds the same nodes for every query, and keeps the bundles."""

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self.found = [
            NodeWithScore(node=TextNode(text=text, id_=f"n{i}", metadata={"source": f"{i}.md"}), score=1 - i / 10)
            for i, text in enumerate(texts or (DELIVERY, "  ", REFUND))
        ]
        for each in self.found:
            each.node.excluded_llm_metadata_keys = ["source"]
        self.asked: list[QueryBundle] = []

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        self.asked.append(query_bundle)
        return list(self.found)
