"""Streams: what adds up to the answer, exactly once, in every form that LangChain has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.tools import tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from langchain_core.messages import AIMessage, AIMessageChunk

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

QUESTION = "대한민국의 수도는 어디인가요?"


@tool
def get_weather(location: str) -> str:
    """날씨를 알려 줍니다."""
    return f"{location}: 맑음"


def total(chunks: Iterable[AIMessageChunk]) -> AIMessageChunk:
    """Return the sum of chunks."""
    first, *rest = chunks
    for chunk in rest:
        first += chunk
    return first


async def gather(model: Any, question: str) -> list[AIMessageChunk]:
    """Return the chunks of an asynchronous stream."""
    return [chunk async for chunk in model.astream(question)]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("name", ["HCX-005", "HCX-007", "HCX-DASH-002", "HCX-003"])
def test_stream_is_the_answer(chat: Callable[..., ChatClovaX], name: str) -> None:
    """Text, thinking, usage and metadata of a stream, sync and async, are those of invoke; nothing is doubled."""
    model = chat(model=name, seed=5)
    whole = model.invoke(QUESTION)
    for chunks in (list(model.stream(QUESTION)), asyncio.run(gather(model, QUESTION))):
        summed = total(chunks)
        assert len(chunks) > 2
        assert summed.text == whole.text
        assert summed.additional_kwargs == whole.additional_kwargs
        assert summed.usage_metadata == whole.usage_metadata
        different = {"request_id", "created"}
        assert {k: v for k, v in summed.response_metadata.items() if k not in different} == {
            k: v for k, v in whole.response_metadata.items() if k not in different
        }


@pytest.mark.each_behaviour
def test_metadata_says_what_happened(chat: Callable[..., ChatClovaX]) -> None:
    """The message names model, provider, end, time, seed, request and filter findings."""
    answer = chat(model="HCX-005", include_ai_filters=True, seed=3).invoke(QUESTION)
    metadata = answer.response_metadata
    assert (metadata["model_name"], metadata["model_provider"], metadata["seed"]) == ("HCX-005", "clova", 3)
    assert metadata["finish_reason"] == "stop"
    assert metadata["created"] > 1_700_000_000
    assert metadata["request_id"]
    assert {"group_name", "name", "score"} <= set(metadata["ai_filter"][0])


@pytest.mark.each_behaviour
def test_once_only_facts_stand_on_one_chunk(chat: Callable[..., ChatClovaX]) -> None:
    """Usage, model name and finish reason come once; the provider with every chunk; the last chunk says it is."""
    chunks = list(chat(model="HCX-007").stream(QUESTION))
    assert sum(chunk.usage_metadata is not None for chunk in chunks) == 1
    assert sum("model_name" in chunk.response_metadata for chunk in chunks) == 1
    assert all(chunk.response_metadata["model_provider"] == "clova" for chunk in chunks)
    assert [chunk.chunk_position for chunk in chunks if chunk.chunk_position] == ["last"]
    assert chunks[-1].chunk_position == "last"


@pytest.mark.parametrize("setting", [{"stream_usage": False}, {}])
def test_usage_can_be_left_out_of_streams(chat: Callable[..., ChatClovaX], setting: dict[str, Any]) -> None:
    """stream_usage=False, in the constructor or the call, leaves the usage out of streams alone."""
    model = chat(**setting)
    call = {} if setting else {"stream_usage": False}
    assert total(model.stream(QUESTION, **call)).usage_metadata is None
    assert model.invoke(QUESTION).usage_metadata is not None


def test_usage_callback_counts_streams(chat: Callable[..., ChatClovaX]) -> None:
    """LangChain's usage callback sees streams too, under the model's name."""
    handler = UsageMetadataCallbackHandler()
    summed = total(chat().stream(QUESTION, config={"callbacks": [handler]}))
    assert handler.usage_metadata["HCX-005"]["total_tokens"] == summed.usage_metadata["total_tokens"]


@pytest.mark.each_behaviour
def test_thinking_is_a_reasoning_block(chat: Callable[..., ChatClovaX]) -> None:
    """Thinking is the first block, in langchain-naver's place too, and its tokens are counted."""
    answer = chat(model="HCX-007", thinking={"effort": "low"}).invoke(QUESTION)
    assert [block["type"] for block in answer.content_blocks] == ["reasoning", "text"]
    assert answer.content_blocks[0]["reasoning"] == answer.additional_kwargs["thinking_content"]
    assert 0 < answer.usage_metadata["output_token_details"]["reasoning"] <= answer.usage_metadata["output_tokens"]


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_standard_blocks_in_content(chat: Callable[..., ChatClovaX], way: str) -> None:
    """output_version="v1" puts the blocks into content: one of each kind, whole."""
    model = chat(model="HCX-007", output_version="v1")
    answer: AIMessage = model.invoke(QUESTION) if way == "invoke" else total(model.stream(QUESTION))
    plain = chat(model="HCX-007").invoke(QUESTION)
    assert [block["type"] for block in answer.content] == ["reasoning", "text"]
    assert answer.content[0]["reasoning"] == plain.additional_kwargs["thinking_content"]
    assert answer.text == plain.text


@pytest.mark.each_behaviour
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_thinking_then_text_then_tools_do_not_mix(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, version: str
) -> None:
    """A streamed answer with thinking, text and two tool calls keeps four separate blocks."""
    calls = [
        {"name": "get_weather", "arguments": {"location": "서울"}},
        {"name": "get_weather", "arguments": {"location": "부산"}},
    ]
    server.script([{"content": "찾아보겠습니다.", "thinking": "도구가 필요하다.", "tool_calls": calls}])
    model = chat(model="HCX-005", output_version=version).bind_tools([get_weather])
    answer = total(model.stream("서울과 부산의 날씨는?"))
    kinds = [block["type"] for block in answer.content_blocks]
    assert [kind for kind in kinds if kind != "reasoning"] == ["text", "tool_call", "tool_call"]
    assert answer.text == "찾아보겠습니다."
    assert [call["args"] for call in answer.tool_calls] == [{"location": "서울"}, {"location": "부산"}]
    assert len({call["id"] for call in answer.tool_calls}) == 2


def test_callbacks_hear_each_token_once(chat: Callable[..., ChatClovaX]) -> None:
    """The tokens of the event stream add up to the answer."""

    async def main() -> tuple[str, str]:
        text = ""
        async for event in chat(seed=1).astream_events(QUESTION, version="v2"):
            if event["event"] == "on_chat_model_stream":
                text += event["data"]["chunk"].text
        return text, (await chat(seed=1).ainvoke(QUESTION)).text

    streamed, whole = asyncio.run(main())
    assert streamed == whole


@pytest.mark.each_behaviour
def test_leaving_a_stream_closes_it(chat: Callable[..., ChatClovaX]) -> None:
    """A stream that is left early gives its connection up."""
    model = chat()
    for _ in model.stream(QUESTION):
        break
    http = model._connection.sync._http
    assert all(connection.is_idle() or connection.is_closed() for connection in http._transport._pool.connections)
