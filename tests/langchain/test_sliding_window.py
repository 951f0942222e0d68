"""Sliding window: the very messages that fit."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

from clova_studio import ConfigurationError, InvalidResponseError, Message
from langchain_clova import ClovaSlidingWindow
from langchain_clova.sliding_window import _window

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer


def talk(turns: int) -> list[BaseMessage]:
    """Return a conversation whose turns all say the same."""
    messages: list[BaseMessage] = [SystemMessage("짧게 답한다.")]
    for i in range(turns):
        messages += [HumanMessage("오늘 날씨가 어떤가요? " * 20, id=f"q{i}"), AIMessage("맑습니다. " * 20, id=f"a{i}")]
    return [*messages, HumanMessage("고마워요", id="last")]


def test_the_newest_messages_survive(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """What is left are the same objects in order: the system message and the newest turns, not older ones alike."""
    messages = talk(40)
    before = copy.deepcopy(messages)
    kept = ask(ClovaSlidingWindow(max_tokens=1000, **account), messages)
    assert 3 < len(kept) < len(messages)
    assert all(any(left is message for message in messages) for left in kept)
    assert kept[0] is messages[0]
    assert [message.id for message in kept[1:]] == [message.id for message in messages[-len(kept) + 1 :]]
    assert messages == before


def test_what_fits_stays_as_it_is(account: dict[str, Any], server: EmulatorServer) -> None:
    """A short conversation comes back whole; the model and the cap are those of the chat that follows."""
    messages = talk(1)
    window = ClovaSlidingWindow(**account)
    assert window.invoke(messages) == messages
    assert ClovaSlidingWindow(model="HCX-DASH-001", **account).invoke(messages, max_tokens=7) == messages
    assert [request.path.rsplit("/", 1)[-1] for request in server.requests] == ["HCX-003", "HCX-DASH-001"]
    assert [request.body["maxTokens"] for request in server.requests] == [512, 7]


def test_no_messages_no_request(account: dict[str, Any], server: EmulatorServer, ask: Callable[..., Any]) -> None:
    """An empty list gives an empty list, and nothing is sent."""
    assert ask(ClovaSlidingWindow(**account), []) == []
    assert server.requests == []


def test_blank_messages_go_with_their_neighbours(account: dict[str, Any], server: EmulatorServer) -> None:
    """A blank answer is not sent, and stays or goes with the message before it."""
    blank_old, blank_new = AIMessage(""), AIMessage("")
    messages = talk(40)
    messages.insert(2, blank_old)
    messages.append(blank_new)
    kept = ClovaSlidingWindow(max_tokens=1000, **account).invoke(messages)
    assert kept[-1] is blank_new
    assert not any(message is blank_old for message in kept)
    assert all(message["content"].strip() for message in server.requests[0].body["messages"])


def test_it_stands_in_a_chain(account: dict[str, Any], chat: Callable[..., Any]) -> None:
    """Between a prompt and a v1 model it hands on messages."""
    prompt = ChatPromptTemplate([("system", "짧게 답한다."), MessagesPlaceholder("history")])
    chain = prompt | ClovaSlidingWindow(max_tokens=1000, **account) | chat(model="HCX-003", max_tokens=1000)
    assert chain.invoke({"history": talk(40)[1:]}).text


@pytest.mark.parametrize("model", ["HCX-005", "HCX-007", "HCX-DASH-002"])
def test_v3_models_are_refused(account: dict[str, Any], model: str) -> None:
    """A v3 model has no such API: the error names what does it."""
    with pytest.raises(ConfigurationError, match=f"trim_messages.*{model}"):
        ClovaSlidingWindow(model=model, **account)


@pytest.mark.parametrize(
    "given",
    [[ToolMessage("1", tool_call_id="c")], [HumanMessage([{"type": "image", "url": "https://a.b/c.png"}])], "가"],
)
def test_what_v1_models_do_not_take_is_refused(account: dict[str, Any], server: EmulatorServer, given: Any) -> None:
    """Tool messages, images and a bare string are refused, and nothing is sent."""
    with pytest.raises(ConfigurationError):
        ClovaSlidingWindow(**account).invoke(given)
    assert server.requests == []


def test_a_turn_that_never_fits_is_an_overflow(account: dict[str, Any], ask: Callable[..., Any]) -> None:
    """A newest turn that is too long alone is LangChain's ContextOverflowError."""
    with pytest.raises(ContextOverflowError):
        ask(ClovaSlidingWindow(max_tokens=4000, **account), [HumanMessage("가나다 " * 3000)])


def test_an_answer_with_a_strange_message_is_an_error() -> None:
    """A message that was not among those sent is an error, never silently dropped."""
    window = _window([HumanMessage("가"), HumanMessage("나")])
    assert [message.content for message in window.kept([Message(role="user", content="나 ")])] == ["나"]
    with pytest.raises(InvalidResponseError):
        window.kept([Message(role="user", content="다")])
