"""Histories that other providers' models left: each call finds its result, or the message is refused by its index."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from clova_studio import BadRequestError, ConfigurationError
from clova_studio.emulator import Fault
from langchain_clova import ClovaRagReasoning, ClovaRouter, ClovaSlidingWindow
from langchain_clova._messages import has_tool_turns, shows_images, to_clova_messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

NAME = "get_weather"
ARGUMENTS = {"city": "부산"}
TEXT = json.dumps(ARGUMENTS)
NO_ID = {"name": NAME, "args": ARGUMENTS, "id": None}
TOOL_USE: dict[str, Any] = {"type": "tool_use", "id": "c", "name": NAME, "input": ARGUMENTS}
URL = "https://example.com/a.png"


@tool
def get_weather(city: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{city} 맑음"


def in_human(**block: Any) -> HumanMessage:
    """Return a message of the user's with one block."""
    return HumanMessage([block])


HISTORIES: dict[str, tuple[BaseMessage, BaseMessage]] = {
    "no ids, named result": (AIMessage("", tool_calls=[NO_ID]), ToolMessage("맑음", name=NAME, tool_call_id="")),
    "no ids at all": (AIMessage("", tool_calls=[NO_ID]), ToolMessage("맑음", tool_call_id="")),
    "id is the name": (AIMessage("", tool_calls=[NO_ID]), ToolMessage("맑음", tool_call_id=NAME)),
    "openai functions": (
        AIMessage("", additional_kwargs={"function_call": {"name": NAME, "arguments": TEXT}}),
        FunctionMessage("맑음", name=NAME),
    ),
    "openai functions, result by role": (
        AIMessage("", additional_kwargs={"function_call": {"name": NAME, "arguments": TEXT}}),
        ChatMessage("맑음", role="function", name=NAME),
    ),
    "openai responses": (
        AIMessage([{"type": "function_call", "id": "fc", "call_id": "c", "name": NAME, "arguments": TEXT}]),
        ToolMessage("맑음", tool_call_id="c"),
    ),
    "openai responses, result as block": (
        AIMessage([{"type": "function_call", "call_id": "c", "name": NAME, "arguments": TEXT}]),
        in_human(type="function_call_output", call_id="c", output="맑음"),
    ),
    "anthropic": (
        AIMessage([TOOL_USE]),
        in_human(type="tool_result", tool_use_id="c", content=[{"type": "text", "text": "맑음"}]),
    ),
    "bedrock": (
        AIMessage([{"toolUse": {"toolUseId": "c", "name": NAME, "input": ARGUMENTS}}]),
        in_human(toolResult={"toolUseId": "c", "content": [{"text": "맑음"}]}),
    ),
    "gemini": (
        AIMessage([{"functionCall": {"name": NAME, "args": ARGUMENTS}}]),
        in_human(functionResponse={"name": NAME, "response": "맑음"}),
    ),
    "standard blocks": (
        AIMessage([{"type": "tool_call", "id": "c", "name": NAME, "args": ARGUMENTS}]),
        ToolMessage("맑음", tool_call_id="c"),
    ),
    "wrapped block": (
        AIMessage([{"type": "non_standard", "value": TOOL_USE}]),
        ToolMessage("맑음", tool_call_id="c"),
    ),
}


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
@pytest.mark.parametrize("name", HISTORIES)
def test_history_goes_on(chat: Callable[..., ChatClovaX], server: EmulatorServer, name: str, way: str) -> None:
    """The service, which refuses results without calls, answers; it got one call with its arguments, and its result."""
    call, result = HISTORIES[name]
    messages = [HumanMessage("부산 날씨?"), call, result, HumanMessage("고마워요")]
    model = chat().bind_tools([get_weather])
    answer: Any
    if way == "ainvoke":
        answer = asyncio.run(model.ainvoke(messages))
    elif way == "stream":
        answer = list(model.stream(messages))
    else:
        answer = model.invoke(messages)
    assert answer
    _, called, told, _ = server.requests[-1].body["messages"]
    assert [made["function"] for made in called["toolCalls"]] == [{"name": NAME, "arguments": ARGUMENTS}]
    assert told == {"role": "tool", "toolCallId": called["toolCalls"][0]["id"], "content": "맑음"}


@pytest.mark.parametrize("name", HISTORIES)
def test_tool_turns_are_seen(name: str) -> None:
    """A call and a result in any form make a conversation with tools."""
    assert [has_tool_turns([message]) for message in (*HISTORIES[name], HumanMessage("가"), AIMessage("나"))] == [
        True,
        True,
        False,
        False,
    ]


def test_a_call_in_several_places_is_sent_once() -> None:
    """Gemini keeps its last call in additional_kwargs too, Anthropic each call in the content: each is one."""
    call = {"name": NAME, "args": ARGUMENTS, "id": "c"}
    item = {"type": "function_call", "id": "fc", "call_id": "c", "name": NAME, "arguments": TEXT}
    for message in (
        AIMessage("", tool_calls=[call], additional_kwargs={"function_call": {"name": NAME, "arguments": TEXT}}),
        AIMessage([{**TOOL_USE, "input": {}}], tool_calls=[call]),
        AIMessage([item], tool_calls=[call]),
    ):
        wire = to_clova_messages([message, ToolMessage("맑음", tool_call_id="c")])
        assert [made["function"]["arguments"] for made in wire[0]["toolCalls"]] == [ARGUMENTS]


def test_calls_that_were_taken_out_stay_out() -> None:
    """A call that was removed from tool_calls, as after a rejection, does not come back from the other places."""
    raw = {"id": "c", "type": "function", "function": {"name": NAME, "arguments": TEXT}}
    message = AIMessage("안 할게요.", additional_kwargs={"tool_calls": [raw]})
    assert message.tool_calls
    edited = message.model_copy(update={"tool_calls": []})
    assert to_clova_messages([edited]) == [{"role": "assistant", "content": "안 할게요."}]
    left = {"name": NAME, "args": {}, "id": "d"}
    (wire,) = to_clova_messages([AIMessage([{"type": "text", "text": "하나만요."}, TOOL_USE], tool_calls=[left])])
    assert [call["id"] for call in wire["toolCalls"]] == ["d"]


def test_ids_that_are_counted_anew() -> None:
    """Ids that each answer counts from zero belong to the call before the result, and differ on the wire."""
    turns: list[BaseMessage] = []
    for city in ("서울", "부산"):
        turns += [
            AIMessage("", tool_calls=[{"name": NAME, "args": {"city": city}, "id": "call_0"}]),
            ToolMessage(f"{city} 맑음", tool_call_id="call_0"),
        ]
    wire = to_clova_messages(turns)
    cities = {message["toolCalls"][0]["id"]: message["toolCalls"][0] for message in wire[::2]}
    assert len(cities) == 2
    for result in wire[1::2]:
        assert cities[result["toolCallId"]]["function"]["arguments"]["city"] in result["content"]


HEAD = [SystemMessage("가"), SystemMessage("나"), HumanMessage("다"), AIMessage("")]


@pytest.mark.parametrize(
    "message",
    [
        FunctionMessage("맑음", name=NAME),
        ToolMessage("맑음", tool_call_id=""),
        ToolMessage("맑음", tool_call_id="c"),
        in_human(functionResponse={"name": NAME, "response": "맑음"}),
        HumanMessage(" "),
        HumanMessage(["무엇?", {"type": "image", "url": URL}, {"type": "image", "url": URL}]),
        HumanMessage([{"type": "image", "file_id": "f"}]),
        HumanMessage([{"type": "image", "base64": "QUJD", "mime_type": "image/png"}]),
        HumanMessage([{"type": "image", "url": "file:///etc/passwd"}]),
        HumanMessage([{"type": "file", "base64": "QUJD", "mime_type": "text/csv"}]),
        HumanMessage([{"type": "hologram"}]),
        SystemMessage([{"type": "image", "url": URL}]),
        SystemMessage([{"type": "audio", "base64": "QUJD"}]),
        ChatMessage("라", role="judge"),
    ],
)
def test_errors_count_as_the_caller_does(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, message: BaseMessage
) -> None:
    """What cannot be sent is refused by its index in the caller's list, after joined and dropped messages; unsent."""
    with pytest.raises(ConfigurationError, match=r"messages\[4\]"):
        chat().invoke([*HEAD, message])
    assert server.requests == []


def refuse(server: EmulatorServer, index: int) -> None:
    """Have the next request refused for one of its messages."""
    server.add_fault(
        Fault("status", status=400, code="40001", message=f"Invalid parameter: messages[{index}].content", times=1)
    )


def test_refusals_of_the_service_are_translated(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """The service counts the messages of the request: the hint says which message of the caller's list it means."""
    refuse(server, 1)
    with pytest.raises(BadRequestError, match=r"messages\[1\] of the request is your messages\[2\]") as refused:
        chat().invoke(HEAD[:3])
    assert "목록의 messages[2]" in str(refused.value)
    refuse(server, 1)
    with pytest.raises(BadRequestError) as plain:
        chat().invoke([HumanMessage("가"), AIMessage("나"), HumanMessage("다")])
    assert "of the request" not in str(plain.value)


def test_refusals_of_rewritten_messages_are_translated(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """That holds where tool turns are sent as text and where an instruction is added, and says what was added."""
    turns = [*HISTORIES["standard blocks"], SystemMessage("가"), HumanMessage("나")]
    schema = {"type": "json_schema", "json_schema": {"schema": {"type": "object", "properties": {}}}}
    for number, index in enumerate((2, 0, 1)):
        refuse(server, number)
        with pytest.raises(BadRequestError, match=rf"messages\[{number}\] of the request is your messages\[{index}\]"):
            chat(model="HCX-007").invoke(turns, response_format=schema)
    words = {"type": "json_object"}
    refuse(server, 0)
    with pytest.raises(BadRequestError, match=r"messages\[0\] of the request is your messages\[1\]"):
        chat().invoke([HumanMessage("나"), SystemMessage("가")], response_format=words)
    refuse(server, 0)
    with pytest.raises(BadRequestError, match=r"messages\[0\] of the request is not in your list"):
        chat().invoke([HumanMessage("나")], response_format=words)


def test_other_components_count_as_the_caller_does(account: dict[str, Any], server: EmulatorServer) -> None:
    """A router and RAG reasoning name chat_history and query, a sliding window the message of its list."""
    image = HumanMessage([{"type": "image", "url": URL}])
    router = ClovaRouter(router_id="travel01", version=1, **account)
    with pytest.raises(ConfigurationError, match=r"^query has an image"):
        router.invoke({"query": image, "chat_history": [HumanMessage("가")]})
    rag = ClovaRagReasoning(retriever=RunnableLambda(lambda _: []), **account)
    with pytest.raises(ConfigurationError, match=r"^chat_history\[1\] is a role 'judge'"):
        rag.invoke({"query": "가", "chat_history": [HumanMessage("나"), ChatMessage("다", role="judge")]})
    with pytest.raises(ConfigurationError, match=r"^messages\[2\] has an image"):
        ClovaSlidingWindow(**account).invoke([SystemMessage("가"), HumanMessage("나"), image])
    assert server.requests == []


def test_queries_leave_tools_out(account: dict[str, Any], server: EmulatorServer) -> None:
    """Calls and results of any form are no part of a query's history."""
    history = [message for pair in HISTORIES.values() for message in pair]
    ClovaRouter(router_id="travel01", version=1, **account).invoke([*history, HumanMessage("부산 여행")])
    assert server.requests[-1].body["query"] == "부산 여행"
    assert "chatHistory" not in server.requests[-1].body


def test_pictures_of_the_last_turn_are_seen() -> None:
    """A picture in any form in the user's last message is one, elsewhere it is none."""
    encoded = base64.b64encode(b"\x89PNG").decode()
    for block in ({"type": "media", "mime_type": "image/png", "data": encoded}, {"type": "image", "url": URL}):
        assert shows_images([HumanMessage([block]), AIMessage("가")])
        assert not shows_images([HumanMessage([block]), HumanMessage("가")])
    assert not shows_images([AIMessage("가")])
