"""Token counts: an estimate that asks nobody, or the service's own counts, asked for once."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages
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
