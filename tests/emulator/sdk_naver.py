"""A program of langchain-naver's users, in a process of its own: importing it patches another package."""

from __future__ import annotations

import sys

from langchain_core.tools import tool
from langchain_naver import ChatClovaX, ClovaXEmbeddings


@tool
def get_weather(location: str) -> str:
    """도시의 날씨를 알려 준다."""
    return f"{location}은 맑음"


def main(base_url: str, key: str) -> None:
    """Invoke, stream, call a tool, embed."""
    chat = ChatClovaX(model="HCX-005", api_key=key, base_url=f"{base_url}/v1/openai", max_tokens=1024)
    answer = chat.invoke("안녕하세요?")
    assert answer.content, answer
    assert answer.usage_metadata["total_tokens"] > 0
    pieces = [piece.content for piece in chat.stream("안녕하세요?")]
    assert "".join(pieces) == answer.content
    assert len(pieces) > 2
    called = chat.bind_tools([get_weather]).invoke("부산 날씨를 get_weather 도구로 알려줘")
    assert [(call["name"], call["args"]) for call in called.tool_calls] == [("get_weather", {"location": "부산"})], (
        called
    )
    vectors = ClovaXEmbeddings(model="clir-emb-dolphin", api_key=key, base_url=f"{base_url}/v1/openai")
    assert [len(vector) for vector in vectors.embed_documents(["하나", "둘"])] == [1024, 1024]


if __name__ == "__main__":
    main(*sys.argv[1:])
