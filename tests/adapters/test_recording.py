"""Both adapters are recorded and replayed, and notice no difference."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from llama_index.core.llms import ChatMessage

from clova_studio import ClovaStudioError
from clova_studio.emulator import serve
from langchain_clova import ChatClovaX, ClovaEmbeddings, ClovaSegmentationTextSplitter
from llama_index_clova import ClovaEmbedding, ClovaX

if TYPE_CHECKING:
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

TEXT = "부산은 항구 도시이다. 바다가 넓다. 서울은 수도이다. 궁궐이 많다."


@tool
def get_weather(city: str) -> str:
    """도시의 날씨를 알려 준다."""
    return f"{city}은 맑음"


def ask_langchain(**place: Any) -> list[Any]:
    """Chat whole, streamed and async, call a tool and answer it, embed, split, and be refused."""
    chat = ChatClovaX(model="HCX-005", max_tokens=1024, **place)
    question = HumanMessage("부산 날씨 알려 줘")
    with_tool = chat.bind_tools([get_weather])
    call = with_tool.invoke([question])
    result = [ToolMessage(get_weather.invoke(one["args"]), tool_call_id=one["id"]) for one in call.tool_calls]

    async def later() -> list[str]:
        streamed = [chunk.text async for chunk in chat.astream("안녕")]
        return [(await chat.ainvoke("안녕")).text, "".join(streamed)]

    found = [
        chat.invoke("안녕").text,
        [chunk.text for chunk in chat.stream("안녕")],
        [one["args"] for one in call.tool_calls],
        with_tool.invoke([question, call, *result]).text,
        asyncio.run(later()),
        ClovaEmbeddings(**place).embed_documents(["하나", "둘", "셋"]),
        ClovaSegmentationTextSplitter(**place).split_text(TEXT),
    ]
    with pytest.raises(ClovaStudioError) as caught:
        ChatClovaX(model="HCX-999", **place).invoke("안녕")
    return [*found, type(caught.value).__name__]


def ask_llama_index(**place: Any) -> list[Any]:
    """Chat, complete, stream, async too, embed, and be refused."""
    llm = ClovaX(model="HCX-005", max_tokens=256, **place)

    async def later() -> str:
        stream = await llm.astream_chat([ChatMessage("안녕")])
        return "".join([piece.delta or "" async for piece in stream])

    found = [
        llm.chat([ChatMessage("안녕")]).message.content,
        llm.complete("부산은?").text,
        [piece.delta for piece in llm.stream_chat([ChatMessage("안녕")])],
        asyncio.run(later()),
        ClovaEmbedding(**place).get_text_embedding_batch(["하나", "둘", "셋"]),
    ]
    with pytest.raises(ClovaStudioError) as caught:
        ClovaX(model="HCX-999", **place).complete("안녕")
    return [*found, type(caught.value).__name__]


@pytest.mark.each_behaviour("upstream")
@pytest.mark.parametrize("ask", [ask_langchain, ask_llama_index])
def test_adapters(ask: Any, upstream: EmulatorServer, tmp_path: Path) -> None:
    """An adapter gets the same from a replay, with another key; the key of the recording is not in the file."""
    file = tmp_path / "adapter.jsonl"
    with serve(record=file, upstream=upstream.base_url) as server:
        recorded = ask(api_key="nv-planted-key", base_url=server.base_url)
    sent = len(upstream.requests)
    with serve(replay=file) as server:
        assert ask(api_key="nv-another-key", base_url=server.base_url) == recorded
    assert len(upstream.requests) == sent
    assert "planted" not in file.read_text(encoding="utf-8")


@pytest.fixture
def upstream(request: pytest.FixtureRequest) -> Any:
    """The emulator as the service."""
    with serve(behaviour=request.param) as server:
        yield server
