"""The sliding window as a memory: the very messages that fit, with room for what the chat engine adds."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from client_support import open_sockets
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import ChatMessage
from llama_index.core.storage.chat_store import SimpleChatStore
from pydantic import ValidationError

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError, ContextLengthError
from llama_index_clova import ClovaSlidingWindowMemory, ClovaX, clova_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"


def talk(turns: int) -> list[ChatMessage]:
    """Return a conversation whose turns all say the same."""
    messages = [ChatMessage(role="system", content="짧게 답한다.")]
    for i in range(turns):
        messages += [
            ChatMessage(role="user", content="오늘 날씨가 어떤가요? " * 20, additional_kwargs={"id": f"q{i}"}),
            ChatMessage(role="assistant", content="맑습니다. " * 20, additional_kwargs={"id": f"a{i}"}),
        ]
    return [*messages, ChatMessage(role="user", content="고마워요", additional_kwargs={"id": "last"})]


@pytest.fixture
def memory(account: dict[str, Any]) -> Callable[..., ClovaSlidingWindowMemory]:
    """Make memories of a conversation that talk to the emulator."""

    def make(messages: list[ChatMessage] | None = None, **settings: Any) -> ClovaSlidingWindowMemory:
        return ClovaSlidingWindowMemory.from_defaults(messages, **{**account, **settings})

    return make


@pytest.fixture(params=["sync", "async"])
def get(request: pytest.FixtureRequest) -> Callable[..., list[ChatMessage]]:
    """Get the history in each of the two ways."""

    def run(memory: ClovaSlidingWindowMemory, *given: Any, **options: Any) -> list[ChatMessage]:
        if request.param == "sync":
            return memory.get(*given, **options)
        return asyncio.run(memory.aget(*given, **options))

    return run


def test_the_newest_turns_are_given(memory: Callable[..., Any], get: Callable[..., Any]) -> None:
    """What fits is the system message and the newest turns, as they were put, and the memory keeps them all."""
    messages = talk(40)
    before = copy.deepcopy(messages)
    remembering = memory(messages, max_tokens=1_000)
    kept = get(remembering)
    assert 3 < len(kept) < len(messages)
    assert kept == [messages[0], *messages[-len(kept) + 1 :]]
    assert remembering.get_all() == messages == before
    remembering.put(ChatMessage(role="assistant", content="네"))
    assert messages == before


def test_what_fits_stays_as_it_is(memory: Callable[..., Any], get: Callable[..., Any], server: EmulatorServer) -> None:
    """A short history is given whole, by one request with the model and the cap of the chat; none for no message."""
    assert get(memory(talk(1), model="HCX-DASH-001", max_tokens=7)) == talk(1)
    (request,) = server.requests
    assert request.path.endswith("/HCX-DASH-001")
    assert request.body["maxTokens"] == 7
    assert get(memory()) == get(memory([])) == []
    assert len(server.requests) == 1


def test_room_is_left_for_the_rest(memory: Callable[..., Any], get: Callable[..., Any], server: EmulatorServer) -> None:
    """Prefix and following message count as estimated; a message that is already there does not count twice."""
    remembering = memory(talk(1), max_tokens=100)
    following = "다음 질문입니다. " * 10
    get(remembering, following, initial_token_count=50)
    get(remembering, "고마워요", initial_token_count=50)
    caps = [request.body["maxTokens"] for request in server.requests]
    assert caps == [150 + len(clova_tokenizer(following)), 150]
    with pytest.raises(ConfigurationError, match=r"beside the history .* max_tokens is 100"):
        get(remembering, initial_token_count=4_000)
    assert len(server.requests) == 2


def test_blank_messages_go_with_their_neighbours(
    memory: Callable[..., Any], get: Callable[..., Any], server: EmulatorServer
) -> None:
    """A blank answer is not sent, and stays or goes with the message before it."""
    messages = talk(40)
    blanks = [ChatMessage(role="assistant", content="", additional_kwargs={"id": name}) for name in ("old", "new")]
    messages.insert(2, blanks[0])
    messages.append(blanks[1])
    kept = get(memory(messages, max_tokens=1_000))
    assert kept[-1] == blanks[1]
    assert blanks[0] not in kept
    assert all(message["content"].strip() for message in server.requests[0].body["messages"])


def test_in_a_chat_engine(account: dict[str, Any], memory: Callable[..., Any], server: EmulatorServer) -> None:
    """A chat engine of a v1 model answers with it, whole and streamed, sync and async, and counts its prefix."""
    llm = ClovaX(model="HCX-003", max_tokens=256, **account)
    remembering = memory(talk(40)[1:-1], llm=llm)
    assert (remembering.model, remembering.max_tokens) == ("HCX-003", 256)
    engine: Any = SimpleChatEngine.from_defaults(llm=llm, memory=remembering, system_prompt="짧게 답한다.")
    assert engine.chat("내일은?").response
    window, chat = server.requests
    assert window.body["maxTokens"] == 256 + len(clova_tokenizer("짧게 답한다."))
    assert chat.body["messages"][0]["content"] == "짧게 답한다."
    assert chat.body["messages"][-1]["content"] == "내일은?"
    assert 3 < len(chat.body["messages"]) < len(remembering.get_all())
    assert "".join(engine.stream_chat("모레는?").response_gen)
    assert asyncio.run(engine.achat("글피는?")).response
    assert [message.content for message in remembering.get_all() if message.role == "user"][-3:] == [
        "내일은?",
        "모레는?",
        "글피는?",
    ]


def test_as_the_memory_class_of_an_engine(account: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A chat engine that makes its memory by the class passes its own limit, which does no harm."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", account["api_key"])
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", account["base_url"])
    engine: Any = SimpleChatEngine.from_defaults(
        llm=ClovaX(model="HCX-003"), memory_cls=ClovaSlidingWindowMemory, chat_history=talk(1)
    )
    assert engine.chat("내일은?").response
    assert len(engine.chat_history) == len(talk(1)) + 2


def test_what_is_too_long_alone_is_an_error(memory: Callable[..., Any], get: Callable[..., Any]) -> None:
    """If not even the newest turn fits, the service says so."""
    with pytest.raises(ContextLengthError):
        get(memory([ChatMessage(role="user", content="가나다라 " * 4_000)]))


@pytest.mark.parametrize(
    "message",
    [
        ChatMessage(role="tool", content="서울", additional_kwargs={"tool_call_id": "c"}),
        ChatMessage(
            role="assistant",
            content="",
            additional_kwargs={"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
        ),
    ],
    ids=["result", "call"],
)
def test_tools_are_refused(
    memory: Callable[..., Any], get: Callable[..., Any], server: EmulatorServer, message: ChatMessage
) -> None:
    """Tool calls and results, which v1 models do not take, are refused by their index before anything is sent."""
    with pytest.raises(ConfigurationError, match=r"messages\[1\] is a tool call or its result"):
        get(memory([ChatMessage(role="user", content="가"), message]))
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_token": 1}, "did you mean 'max_tokens'"),
        ({"model": "HCX-005"}, "for v1 models .* not HCX-005.*clova_tokenizer"),
        ({"max_tokens": 4_097}, "4096"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"api_key": None}, "no API key"),
    ],
)
def test_wrong_arguments_are_refused(memory: Callable[..., Any], options: dict[str, Any], message: str) -> None:
    """An argument that does not exist or is wrong, a v3 model, or no key is refused by name."""
    with pytest.raises((ConfigurationError, ValidationError), match=message):
        memory(**options)


def test_given_clients_answer(server: EmulatorServer) -> None:
    """client= and async_client= do the work, with client= alone in a thread."""

    async def main() -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as client:
            remembering = ClovaSlidingWindowMemory.from_defaults(talk(1), async_client=client)
            assert await remembering.aget() == talk(1)
            with pytest.raises(ConfigurationError, match="client="):
                remembering.get()

    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        assert asyncio.run(ClovaSlidingWindowMemory.from_defaults(talk(1), client=client).aget()) == talk(1)
    asyncio.run(main())
    assert [request.headers["x-who"] for request in server.requests] == ["sync", "async"]


def test_three_event_loops_leave_no_socket(memory: Callable[..., Any], server: EmulatorServer) -> None:
    """One memory in three asyncio.run calls works in each, and no socket is left open."""
    remembering = memory(talk(1))
    for _ in range(3):
        assert asyncio.run(remembering.aget()) == talk(1)
        assert open_sockets(server.base_url) == 0


def test_dumps_hold_the_chat_and_no_key(memory: Callable[..., Any], account: dict[str, Any]) -> None:
    """A memory comes back from its dict and its JSON with all messages, and neither they nor repr have a key."""
    remembering = memory(talk(2), model="HCX-DASH-001", max_tokens=300, headers={"X-Key": KEY}, apigw_api_key=KEY)
    shown = f"{remembering!r} {remembering} {remembering.to_json()} {remembering.to_dict()}"
    assert KEY not in shown
    assert account["api_key"] not in shown
    for back in (
        ClovaSlidingWindowMemory.from_dict(remembering.to_dict(), api_key=account["api_key"]),
        ClovaSlidingWindowMemory.from_dict(json.loads(remembering.to_json()), api_key=account["api_key"]),
        ClovaSlidingWindowMemory.from_json(remembering.to_json(), api_key=account["api_key"]),
    ):
        assert (back.model, back.max_tokens) == ("HCX-DASH-001", 300)
        assert back.get() == back.get_all() == talk(2)


def test_copies_and_pickles_answer(memory: Callable[..., Any]) -> None:
    """Copies of a memory and one from another process give what it gives; a store may be shared under other keys."""
    remembering = memory(talk(2), max_tokens=300)
    for other in (
        remembering.model_copy(),
        copy.deepcopy(remembering),
        pickle.loads(pickle.dumps(remembering)),  # noqa: S301
    ):
        assert (other.max_tokens, other.get()) == (300, talk(2))
    store = SimpleChatStore()
    first, second = (memory(talk(i), chat_store=store, chat_store_key=str(i)) for i in (1, 2))
    first.put(ChatMessage(role="assistant", content="네"))
    assert (len(first.get()), len(second.get())) == (len(talk(1)) + 1, len(talk(2)))
    second.reset()
    assert second.get() == []
