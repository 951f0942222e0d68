"""Event streams: what applications and tracers see of an answer as it arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

from clova_studio import StreamInterruptedError
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

CALLS = [{"name": "get_weather", "arguments": {"location": city}} for city in ("서울", "부산")]
WITH_ALL = {"content": "찾아보겠습니다.", "thinking": "도구가 필요하다.", "tool_calls": CALLS}

# LangChain's third event protocol is beta and says so at each use.
beta = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")


@tool
def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음"


def events_of(model: Any, question: str, *, asynchronous: bool) -> tuple[list[Any], Any]:
    """Return the events of the third protocol, and the message that they end in."""
    if not asynchronous:
        stream = model.stream_events(question, version="v3")
        return list(stream), stream.output

    async def main() -> tuple[list[Any], Any]:
        stream = await model.astream_events(question, version="v3")
        return [event async for event in stream], await stream.output

    return asyncio.run(main())


@beta
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_third_protocol_with_thinking(
    chat: Callable[..., ChatClovaX],
    version: str,
    asynchronous: bool,  # noqa: FBT001
) -> None:
    """Thinking and text are two blocks with a valid life each, and the message at the end is that of invoke."""
    model = chat(model="HCX-007", seed=1, output_version=version)
    events, message = events_of(model, "1부터 10까지 더하면?", asynchronous=asynchronous)
    assert_valid_event_stream(events)
    started = [event["content"]["type"] for event in events if event["event"] == "content-block-start"]
    assert started == ["reasoning", "text"]
    whole = model.invoke("1부터 10까지 더하면?")
    assert [block["type"] for block in message.content] == ["reasoning", "text"]
    assert message.content[0]["reasoning"] == whole.additional_kwargs["thinking_content"]
    assert message.text == whole.text
    assert message.usage_metadata == whole.usage_metadata
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.response_metadata["model_name"] == "HCX-007"


@pytest.mark.each_behaviour
@beta
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_third_protocol_with_thinking_text_and_tools(
    chat: Callable[..., ChatClovaX],
    server: EmulatorServer,
    version: str,
    asynchronous: bool,  # noqa: FBT001
) -> None:
    """Thinking, text and two tool calls are four blocks that do not mix."""
    server.script([WITH_ALL])
    model = chat(output_version=version).bind_tools([get_weather])
    events, message = events_of(model, "서울과 부산 날씨는?", asynchronous=asynchronous)
    assert_valid_event_stream(events)
    finished = [event["content"]["type"] for event in events if event["event"] == "content-block-finish"]
    assert finished == ["reasoning", "text", "tool_call", "tool_call"]
    assert message.text == "찾아보겠습니다."
    assert message.content[0]["reasoning"] == "도구가 필요하다."
    assert [call["args"] for call in message.tool_calls] == [{"location": "서울"}, {"location": "부산"}]
    assert len({call["id"] for call in message.tool_calls}) == 2


@pytest.mark.each_behaviour
@beta
@pytest.mark.parametrize("asynchronous", [False, True])
def test_third_protocol_with_an_instruction_to_call(
    chat: Callable[..., ChatClovaX],
    server: EmulatorServer,
    asynchronous: bool,  # noqa: FBT001
) -> None:
    """A text that is taken back for a demanded tool call leaves no trace among the events."""
    server.script(["글로 답합니다.", {"tool_calls": CALLS[:1]}])
    model = chat().bind_tools([get_weather, {"title": "f", "description": "f", "type": "object"}], tool_choice="any")
    events, message = events_of(model, "안녕", asynchronous=asynchronous)
    assert_valid_event_stream(events)
    assert message.text == ""
    assert [call["name"] for call in message.tool_calls] == ["get_weather"]


@pytest.mark.each_behaviour
@beta
@pytest.mark.parametrize("asynchronous", [False, True])
def test_third_protocol_ends_with_the_typed_error(
    chat: Callable[..., ChatClovaX],
    server: EmulatorServer,
    asynchronous: bool,  # noqa: FBT001
) -> None:
    """A stream that breaks is an error of our class here too, and half an answer never looks whole."""
    server.add_fault(Fault("cut_abrupt", after=3))
    with pytest.raises(StreamInterruptedError):
        events_of(chat(max_retries=0), "안녕하세요? 자기소개를 해 주세요.", asynchronous=asynchronous)


def test_second_protocol_in_a_chain(chat: Callable[..., ChatClovaX]) -> None:
    """astream_events v2 tells start, every piece and the end, with thinking, usage and the chain's name."""
    model = chat(model="HCX-007", seed=1)
    chain = (ChatPromptTemplate.from_template("{number}부터 10까지 더하면?") | model).with_config(run_name="sums")

    async def main() -> list[Any]:
        return [event async for event in chain.astream_events({"number": 1}, version="v2")]

    events = asyncio.run(main())
    ours = [event for event in events if event["event"].startswith("on_chat_model")]
    assert ours[0]["event"] == "on_chat_model_start"
    assert ours[-1]["event"] == "on_chat_model_end"
    assert ours[0]["metadata"]["ls_provider"] == "clova"
    assert ours[0]["metadata"]["ls_model_name"] == "HCX-007"
    pieces = [event["data"]["chunk"] for event in ours[1:-1]]
    whole = model.invoke("1부터 10까지 더하면?")
    assert "".join(piece.text for piece in pieces) == whole.text
    thinking = "".join(piece.additional_kwargs.get("thinking_content", "") for piece in pieces)
    assert thinking == whole.additional_kwargs["thinking_content"]
    assert ours[-1]["data"]["output"].text == whole.text
    assert ours[-1]["data"]["output"].usage_metadata == whole.usage_metadata
    assert events[-1]["name"] == "sums"


@pytest.mark.each_behaviour
@pytest.mark.parametrize("behind", ["ainvoke", "astream"])
def test_second_protocol_with_tools(chat: Callable[..., ChatClovaX], server: EmulatorServer, behind: str) -> None:
    """The pieces of tool calls add up to the calls at the end, also where a chain only invokes the model."""
    server.script([WITH_ALL])
    bound = chat().bind_tools([get_weather])

    async def only_invoked(question: str) -> Any:
        return await bound.ainvoke(question)

    asked = bound if behind == "astream" else RunnableLambda(only_invoked)

    async def main() -> list[Any]:
        return [event async for event in asked.astream_events("서울과 부산 날씨는?", version="v2")]

    events = asyncio.run(main())
    first, *rest = [event["data"]["chunk"] for event in events if event["event"] == "on_chat_model_stream"]
    assert len(rest) > 5
    for piece in rest:
        first += piece
    (end,) = [event["data"]["output"] for event in events if event["event"] == "on_chat_model_end"]
    assert first.tool_calls == end.tool_calls
    assert [call["args"] for call in end.tool_calls] == [{"location": "서울"}, {"location": "부산"}]
    assert end.text == "찾아보겠습니다."
