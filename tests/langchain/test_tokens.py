"""Token counts: an estimate that asks nobody, or the service's own counts, asked for once."""

from __future__ import annotations

import asyncio
import base64
import socket
import warnings
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
    trim_messages,
)
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool

from clova_studio import ClovaStudio, ConfigurationError
from langchain_clova import ChatClovaX

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

MESSAGES = [
    SystemMessage("짧게 답하세요."),
    HumanMessage("대한민국의 수도는 어디인가요?"),
    AIMessage("", tool_calls=[{"id": "c", "name": "look", "args": {"what": "수도"}}]),
    ToolMessage("서울", tool_call_id="c"),
    AIMessage("서울입니다."),
    HumanMessage("인구는?"),
]


@tool
def look(what: str) -> str:
    """무엇을 찾아봅니다."""
    return what


@pytest.mark.parametrize(
    ("text", "low", "high"), [("가" * 100, 40, 50), ("word " * 40, 36, 44), ("北京" * 50, 115, 135)]
)
def test_estimate_goes_by_script(text: str, low: int, high: int) -> None:
    """Korean, English and Chinese are estimated at what the calculator gives for them."""
    assert low <= ChatClovaX(api_key="nv-x").get_num_tokens(text) <= high


def test_estimate_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting and trimming need no network, no tokenizer and no download."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was opened"))
    model = ChatClovaX(api_key="nv-x")
    whole = model.get_num_tokens_from_messages(MESSAGES)
    kept = trim_messages(MESSAGES, max_tokens=whole - 1, token_counter=model, strategy="last", include_system=True)
    assert 1 < len(kept) < len(MESSAGES)
    assert model.get_num_tokens_from_messages(kept) < whole
    assert model.get_num_tokens_from_messages(MESSAGES, tools=[look]) > whole
    picture = HumanMessage(["무엇?", {"type": "image", "url": "https://example.com/a.png"}])
    assert model.get_num_tokens_from_messages([picture]) > 1_000


def test_own_tokenizer_goes_first() -> None:
    """custom_get_token_ids is used where it is given; without it there are no ids."""
    model = ChatClovaX(api_key="nv-x", custom_get_token_ids=lambda text: [1] * len(text))
    assert model.get_num_tokens("가나다") == 3
    with pytest.raises(ConfigurationError, match="custom_get_token_ids"):
        ChatClovaX(api_key="nv-x").get_token_ids("가")


def test_both_ways_of_counting_give_the_same(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """acount_chat_tokens sends what count_chat_tokens sends, also over a synchronous client alone."""
    model = chat()
    exact = model.count_chat_tokens(MESSAGES, tools=[look])
    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        for counting in (model, ChatClovaX(client=client)):
            assert asyncio.run(counting.acount_chat_tokens(MESSAGES, tools=[look])).total == exact.total
    assert [request.body for request in server.requests] == [server.requests[0].body] * 3


def test_counts_of_the_service_are_asked_for_once(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """token_counting="api" gives the calculator's numbers, and keeps them for each message."""
    model = chat(token_counting="api")
    exact = model.count_chat_tokens(MESSAGES, tools=[look])
    assert model.get_num_tokens_from_messages(MESSAGES, tools=[look]) == exact.total
    asked = len(server.requests)
    for end in range(2, len(MESSAGES) + 1):
        model.get_num_tokens_from_messages(MESSAGES[:end])
    assert len(server.requests) == asked
    assert model.get_num_tokens_from_messages([]) == 0
    assert model.get_num_tokens("") == 0
    counted: Any = model.get_num_tokens("대한민국의 수도는 어디인가요?")
    assert counted == model.count_chat_tokens("대한민국의 수도는 어디인가요?").total


def every_form(png: bytes) -> list[BaseMessage]:
    """Return messages of every kind, more than one request may have, and some that no request may."""
    encoded = base64.b64encode(png).decode()
    image = {"type": "image", "base64": encoded, "mime_type": "image/png"}
    older = {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": encoded}
    return [
        SystemMessage("짧게"),
        HumanMessage(["무엇?", older]),
        AIMessage("", tool_calls=[{"id": "c", "name": "look", "args": {}}, {"id": None, "name": "look", "args": {}}]),
        ToolMessage([{"type": "text", "text": "맑음"}, {"type": "file", "base64": encoded}], tool_call_id="c"),
        ToolMessage("흐림", tool_call_id="look"),
        AIMessage([{"type": "tool_use", "id": "t", "name": "look", "input": {}}]),
        HumanMessage([{"type": "tool_result", "tool_use_id": "t", "content": "초록"}]),
        SystemMessage("존댓말로"),
        AIMessage([{"type": "text", "text": "답"}, image]),
        HumanMessage([{"type": "text", "text": "읽어 주세요"}, {"type": "file", "base64": encoded}]),
        HumanMessage(""),
        HumanMessage([image, image]),
        HumanMessage([{"type": "image", "file_id": "f"}]),
        *(HumanMessage([f"{i}", image]) for i in range(7)),
        FunctionMessage("r", name="f"),
        ChatMessage("가", role="judge"),
        HumanMessage("끝"),
    ]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("counting", ["local", "api"])
@pytest.mark.parametrize("model", ["HCX-005", "HCX-007", "HCX-DASH-002", "HCX-003"])
def test_every_part_of_a_conversation_counts(
    chat: Callable[..., ChatClovaX], png: bytes, model: str, counting: str
) -> None:
    """Any messages in any order have a count, without an error or a warning: core counts them reversed and cut."""
    counted = chat(model=model, token_counting=counting)
    messages = every_form(png)
    whole = counted.get_num_tokens_from_messages(messages)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert counted.get_num_tokens_from_messages(messages[::-1]) == whole
        for start in range(len(messages)):
            assert 0 < counted.get_num_tokens_from_messages(messages[start:]) <= whole
        assert counted.count_chat_tokens(messages[3:]).total > 0
    # Only HCX-005 takes images: to the others none is sent.
    assert (whole > 10_000) == (model == "HCX-005")


@pytest.mark.parametrize("counting", ["local", "api"])
def test_trimming_takes_every_form(chat: Callable[..., ChatClovaX], png: bytes, counting: str) -> None:
    """trim_messages keeps what fits, whichever end it starts from, and whole or in part."""
    model, messages = chat(token_counting=counting), every_form(png)
    for options in (
        {"strategy": "last"},
        {"strategy": "first"},
        {"strategy": "last", "allow_partial": True, "include_system": True},
        {"strategy": "last", "start_on": "human", "end_on": ("human", "tool")},
    ):
        for limit in (30, 300, 4_000):
            kept = trim_messages(messages, max_tokens=limit, token_counter=model, **options)  # type: ignore[call-overload]
            assert model.get_num_tokens_from_messages(kept) <= limit
        assert trim_messages(messages, max_tokens=1_000_000, token_counter=model, strategy="first") == messages


@pytest.mark.parametrize("counting", ["local", "api"])
def test_counting_takes_what_asking_takes(chat: Callable[..., ChatClovaX], counting: str) -> None:
    """A string, tuples, dicts and a prompt value count as the messages that they stand for."""
    model = chat(token_counting=counting)
    given: list[Any] = [
        "안녕하세요?",
        ["안녕하세요?"],
        [("user", "안녕하세요?")],
        [{"role": "user", "content": "안녕하세요?"}],
        ChatPromptTemplate([("user", "{text}")]).invoke({"text": "안녕하세요?"}),
    ]
    counts = {model.get_num_tokens_from_messages(form) for form in given}
    assert counts == {model.get_num_tokens_from_messages([HumanMessage("안녕하세요?")])}


def test_the_exact_count_of_a_part(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """A result without its call has the calculator's count, as with its call, and the call is not counted."""
    model = chat()
    whole = model.count_chat_tokens(MESSAGES)
    cut = model.count_chat_tokens(MESSAGES[3:])
    assert [counted.count for counted in cut.messages] == [counted.count for counted in whole.messages[3:]]
    assert cut.total == sum(counted.count for counted in cut.messages)
    assert cut.request_id
    assert [message["role"] for message in server.requests[-1].body["messages"]][:2] == ["assistant", "tool"]
    with pytest.raises(ConfigurationError, match="messages is empty"):
        model.count_chat_tokens([])


def test_images_are_counted_in_several_requests(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, png: bytes
) -> None:
    """More images than a request may have are counted by as many requests as it takes."""
    image = {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}
    one = chat().count_chat_tokens([HumanMessage([image])])
    count = chat().count_chat_tokens([HumanMessage([image])] * 12)
    assert (count.total, len(count.messages), len(server.requests)) == (12 * one.total, 12, 1 + 3)
