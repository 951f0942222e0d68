"""What adapters share, without any framework: exchanges, conversations, reranked documents, connections."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from clova_studio import (
    AsyncClovaStudio,
    ChatChunk,
    ChatResult,
    ClovaStudio,
    ConfigurationError,
    Message,
    RateLimits,
    RerankResult,
    RetryPolicy,
    ToolCall,
    ToolCallFunction,
    UnsupportedFunctionError,
    Usage,
)
from clova_studio._assembler import ChatAssembler
from clova_studio.adapters import SETTING_NAMES, Connection, Conversation, Exchange, RerankRequest, with_instruction
from clova_studio.emulator import serve
from clova_studio.types import CompletionTokensDetails

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "nv-very-secret-0123456789"
USER = {"role": "user", "content": "서울 날씨는?"}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object"}}}
    for name in ("get_weather", "find_train")
]
CALL = ToolCall(id="call_1", index=0, function=ToolCallFunction(name="get_weather", partial_json="{}"))
REFUSED = UnsupportedFunctionError("Unsupported function", status_code=400, code="40009", request_id="r-1")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CLOVASTUDIO_API_KEY",
        "NCP_CLOVASTUDIO_API_KEY",
        "CLOVASTUDIO_BASE_URL",
        "CLOVASTUDIO_API_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """Return an address that no other test has: what a place refuses is remembered for the process."""
    return f"http://{abs(hash(request.node.nodeid))}.test"


def exchange(
    choice: str | None, place: str | None = None, fallback: str = "after_tool_result", **more: Any
) -> Exchange:
    """Return an exchange about the weather."""
    request = {"model": "HCX-005", "messages": [USER], "tools": TOOLS, **more}
    return Exchange(request, choice=choice, tool_fallback=fallback, base_url=place)


def usage(prompt: int, completion: int, thinking: int | None = None) -> Usage:
    """Return tokens."""
    details = None if thinking is None else CompletionTokensDetails(thinking_tokens=thinking)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        completion_tokens_details=details,
    )


def said(*texts: str) -> list[ChatChunk]:
    """Return the pieces of an answer in text, without its end."""
    return [ChatChunk(message=Message(content=text)) for text in texts]


def called() -> list[ChatChunk]:
    """Return the piece of an answer that calls a tool."""
    return [ChatChunk(message=Message(tool_calls=[CALL]))]


def end(spent: Usage | None = None, reason: str | None = "stop") -> ChatChunk:
    """Return the last piece of an answer."""
    return ChatAssembler("id").finish(ChatResult(message=Message(), finish_reason=reason, usage=spent))


def feed(given: Exchange, *pieces: ChatChunk) -> list[tuple[str, bool]]:
    """Stream one answer into an exchange; returns what is given out: text or tool, and whether it is the last."""
    out = [item for piece in pieces for item in given.streamed(piece)]
    return [("call" if piece.message.tool_calls else piece.message.content, last) for piece, last in out]


def whole(text: str = "", *, call: bool = False, spent: Usage | None = None) -> ChatResult:
    """Return a whole answer."""
    return ChatResult(message=Message(content=text, tool_calls=[CALL] if call else None), usage=spent)


def test_plain_exchange_is_one_request_as_it_was_given() -> None:
    """Without a choice the request is the caller's own, pieces pass as they come, and the last one ends it."""
    given = exchange(None)
    assert given.request == {"model": "HCX-005", "messages": [USER], "tools": TOOLS}
    assert given.model == "HCX-005"
    assert feed(given, *said("맑", "음"), end(usage(3, 2))) == [("맑", False), ("음", False), ("", True)]
    assert given.done
    assert given.marks == {}
    assert given.total_usage(usage(3, 2)) == usage(3, 2)


def test_usage_in_every_piece_does_not_end_the_answer() -> None:
    """Documentation has usage in token events too: only the last piece ends the answer, and its tokens are counted."""
    pieces = [ChatChunk(message=Message(content=text), usage=usage(3, i)) for i, text in enumerate("맑음", 1)]
    given = exchange(None)
    assert feed(given, *pieces, end(usage(3, 2))) == [("맑", False), ("음", False), ("", True)]
    demanding = exchange("any")
    assert feed(demanding, *pieces, end(usage(3, 2))) == []
    assert not demanding.done


@pytest.mark.parametrize("reason", ["stop", None])
def test_demand_met_at_the_second_request_is_not_marked(reason: str | None) -> None:
    """Text, asked again, call: the text is taken back, nothing is marked, and the tokens of both are counted."""
    given = exchange("any")
    first = given.request
    spent = [usage(10, 4, thinking=3), usage(20, 6, thinking=5)]
    assert feed(given, *said("글로 ", "답함"), end(spent[0], reason)) == []
    assert not given.done
    assert given.request["messages"][:-2] == first["messages"]
    assert given.request["messages"][-2] == {"role": "assistant", "content": "글로 답함"}
    assert given.request["messages"][-1]["role"] == "user"
    assert "get_weather, find_train" in given.request["messages"][-1]["content"]
    assert feed(given, *called(), end(spent[1], "tool_calls")) == [("call", False), ("", True)]
    assert given.done
    assert given.marks == {}
    assert given.total_usage(spent[1]) == usage(30, 10, thinking=8)


def test_demand_unmet_twice_is_marked() -> None:
    """Text twice: the second text is given out as it comes, and marked."""
    given = exchange("any")
    assert feed(given, *said("하나"), end(usage(10, 4))) == []
    second = said("둘", "셋")
    assert [given.streamed(piece) for piece in second] == [[(piece, False)] for piece in second]
    assert feed(given, end(usage(20, 6))) == [("", True)]
    assert given.done
    assert given.marks == {"tool_choice_unmet": True}
    assert given.total_usage(usage(20, 6)) == usage(30, 10)


def test_demand_met_at_once_keeps_the_words_before_the_call() -> None:
    """What was said before the call is held until the call is there, and then given out in order."""
    given = exchange("any")
    words, call = *said("찾아볼게요."), *called()
    assert given.streamed(words) == []
    assert given.streamed(call) == [(words, False), (call, False)]
    assert feed(given, end(usage(1, 1))) == [("", True)]
    assert (given.done, given.marks) == (True, {})


def test_call_that_only_the_last_piece_brings_is_one() -> None:
    """An answer whose call comes with its end has met the demand."""
    given = exchange("any")
    last = ChatAssembler("id").finish(ChatResult(message=Message(tool_calls=[CALL]), finish_reason="tool_calls"))
    assert feed(given, last) == [("call", True)]
    assert (given.done, given.marks) == (True, {})


def test_stream_without_reason_and_tokens_still_ends() -> None:
    """A service that says neither how an answer ended nor what it cost does not leave the exchange open."""
    given = exchange("any")
    assert feed(given, *said("하나"), end(None, None)) == []
    assert not given.done
    assert feed(given, *said("둘"), end(None, None)) == [("둘", False), ("", True)]
    assert (given.done, given.marks) == (True, {"tool_choice_unmet": True})
    assert given.total_usage(None) is None


@pytest.mark.parametrize(
    ("spent", "total"),
    [
        ([usage(10, 4), usage(20, 6)], usage(30, 10)),
        ([usage(10, 4, thinking=3), usage(20, 6)], usage(30, 10, thinking=3)),
        ([usage(10, 4), usage(20, 6, thinking=0)], usage(30, 10, thinking=0)),
        ([usage(10, 4), None], usage(10, 4)),
        ([None, usage(20, 6)], usage(20, 6)),
    ],
)
def test_tokens_of_both_requests_are_counted(spent: list[Usage | None], total: Usage) -> None:
    """Whole answers: the sum is of what each said, thinking tokens included where one said any."""
    given = exchange("any")
    assert given.answered(whole("글", spent=spent[0])) is False
    assert given.answered(whole(call=True, spent=spent[1])) is True
    assert (given.done, given.marks) == (True, {})
    assert given.total_usage(spent[1]) == total


def test_blank_answer_is_not_sent_back() -> None:
    """An answer without a word is no message of the second request: the service refuses empty ones."""
    given = exchange("any")
    given.answered(whole(" \n"))
    assert [message["role"] for message in given.request["messages"]] == ["system", "user", "user"]


def test_the_given_request_is_never_changed() -> None:
    """Instructions and second questions go into copies."""
    request = {
        "model": "HCX-005",
        "messages": [{"role": "system", "content": "짧게"}, USER],
        "tools": TOOLS,
    }
    before = copy.deepcopy(request)
    given = Exchange(request, choice="any", tool_fallback="always", base_url=None)
    given.answered(whole("글"))
    given.refused(REFUSED)
    assert request == before
    assert given.request == {**before, "tool_choice": "none"}


def test_refused_force_is_remembered_for_its_place_and_model(place: str) -> None:
    """40009 to a forced choice: that tool alone, and once it was accepted so, no force there again."""
    given = exchange("=find_train", place)
    assert given.request["tool_choice"] == {"type": "function", "function": {"name": "find_train"}}
    given.refused(REFUSED)
    assert given.request["tool_choice"] == "auto"
    assert given.request["tools"] == TOOLS[1:]
    # Not before it was accepted: the tool may have been what was refused.
    assert exchange("=find_train", place).request["tool_choice"] != "auto"
    assert given.answered(whole(call=True))
    later = exchange("=get_weather", place)
    assert (later.request["tool_choice"], later.request["tools"]) == ("auto", TOOLS[:1])
    assert exchange("=get_weather", f"{place}/other").request["tool_choice"] != "auto"
    assert exchange("=get_weather", place, model="HCX-007").request["tool_choice"] != "auto"


def test_refused_force_is_remembered_from_a_stream_too(place: str) -> None:
    """A streamed answer teaches the same as a whole one."""
    given = exchange("=find_train", place)
    given.refused(REFUSED)
    assert feed(given, *called(), end()) == [("call", False), ("", True)]
    assert exchange("=find_train", place).request["tool_choice"] == "auto"


def test_a_tool_refused_alone_too_teaches_nothing(place: str) -> None:
    """Where the tool itself is refused, forced or not, the error is raised and nothing is remembered."""
    given = exchange("=find_train", place)
    given.refused(REFUSED)
    with pytest.raises(UnsupportedFunctionError) as caught:
        given.refused(REFUSED)
    assert caught.value is REFUSED
    assert exchange("=find_train", place).request["tool_choice"] != "auto"


def test_going_on_without_tools_drops_what_was_held(caplog: pytest.LogCaptureFixture) -> None:
    """After 40009 the answer without tools is given out alone, marked, and not asked for a call any more."""
    history = [USER, {"role": "assistant", "content": "", "toolCalls": []}, {"role": "tool", "content": "맑음"}]
    given = exchange("any", messages=history)
    assert given.streamed(said("버려질 말")[0]) == []
    with caplog.at_level(logging.WARNING, "clova_studio"):
        given.refused(REFUSED)
    assert "r-1" in caplog.text
    assert given.request == {"model": "HCX-005", "messages": history, "tools": TOOLS, "tool_choice": "none"}
    assert feed(given, *said("맑습니다."), end(usage(1, 1))) == [("맑습니다.", False), ("", True)]
    assert (given.done, given.marks) == (True, {"tool_fallback": True})


@pytest.mark.parametrize(
    ("choice", "fallback", "more"),
    [
        ("auto", "never", {}),
        ("auto", "after_tool_result", {}),
        ("none", "always", {}),
        (None, "always", {"tools": None}),
    ],
)
def test_40009_is_raised_where_nothing_helps(choice: str | None, fallback: str, more: dict[str, Any]) -> None:
    """Without leave, without tools, or when there was no tool to call, the error reaches the caller."""
    with pytest.raises(UnsupportedFunctionError):
        exchange(choice, fallback=fallback, **more).refused(REFUSED)


def test_unknown_fallback_is_refused() -> None:
    """A fourth policy does not exist."""
    with pytest.raises(ConfigurationError, match="tool_fallback"):
        exchange(None, fallback="sometimes")


def test_instructions_of_a_conversation_become_one() -> None:
    """Instructions are joined in front, wherever they stood; an instruction more goes behind them in a copy."""
    conversation = Conversation(None, parse_json=json.loads)
    conversation.add_user([{"type": "text", "text": "가"}, {"type": "text", "text": "나"}], "m0", is_last_turn=True)
    conversation.add_system([{"type": "text", "text": "짧게"}], "m1")
    conversation.add_system([{"type": "text", "text": " "}], "m2")
    conversation.add_system([{"type": "text", "text": "존댓말로"}], "m3")
    wire = conversation.finished()
    assert wire == [{"role": "system", "content": "짧게\n\n존댓말로"}, {"role": "user", "content": "가\n나"}]
    assert with_instruction(wire, "도구로")[0]["content"] == "짧게\n\n존댓말로\n\n도구로"
    assert with_instruction([USER], "도구로") == [{"role": "system", "content": "도구로"}, USER]
    assert wire[0]["content"] == "짧게\n\n존댓말로"
    with pytest.raises(ConfigurationError, match="m4 is a system message"):
        conversation.add_system([{"type": "image_url", "imageUrl": {"url": "https://a.test/b.png"}}], "m4")


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": "서울"}', {"a": "서울"}),
        ("", {}),
        (None, {}),
        ('{"a": ', {"invalid_json": '{"a": '}),
        ("[1]", {"invalid_json": "[1]"}),
    ],
)
def test_arguments_of_calls_are_objects(arguments: Any, sent: dict[str, Any]) -> None:
    """Whatever form arguments have, the wire gets an object; what is no JSON object stays readable."""
    conversation = Conversation(None, parse_json=json.loads)
    conversation.add_assistant("", [("call_1", "f", arguments)])
    conversation.add_assistant(" ")
    conversation.add_tool_result("call_1", "맑음")
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": sent}}
    assert conversation.finished() == [
        {"role": "assistant", "content": "", "toolCalls": [call]},
        {"role": "tool", "toolCallId": "call_1", "content": "맑음"},
    ]


def test_images_that_cannot_be_sent() -> None:
    """One in the last turn is refused by its place; older ones are replaced with a warning, the parts unchanged."""
    image = {"type": "image_url", "imageUrl": {"url": "https://a.test/b.png"}}
    parts = [image, {"type": "text", "text": "이것은?"}]
    conversation = Conversation("tools", parse_json=json.loads)
    with pytest.raises(ConfigurationError, match=r"m2 has an image.*tools"):
        conversation.add_user(parts, "m2", is_last_turn=True)
    conversation.add_user(parts, "m0", is_last_turn=False)
    conversation.add_tool_result("call_1", "[image]", images=1)
    with pytest.warns(UserWarning, match=r"2 image\(s\)"):
        wire = conversation.finished()
    assert wire[0] == {"role": "user", "content": "[image]\n이것은?"}
    assert parts == [image, {"type": "text", "text": "이것은?"}]
    able = Conversation(None, parse_json=json.loads)
    able.add_user(parts, "m0", is_last_turn=True)
    assert able.finished() == [{"role": "user", "content": parts}]


def test_reranked_documents_are_known_by_their_places() -> None:
    """Blank texts are not sent; unknown and repeated ids add nothing; passages lie where the tags were."""
    request = RerankRequest(["가", " ", "나", "다"])
    assert request.documents == [{"id": "doc1", "doc": "가"}, {"id": "doc2", "doc": "나"}, {"id": "doc3", "doc": "다"}]
    raw = "답변: 처음 <doc2>둘째</doc2>와 <doc9>없는 것</doc9>과 <doc1>첫째</doc1>."
    answer = request.answer(
        RerankResult.model_validate(
            {
                "result": raw,
                "citedDocuments": [{"id": name, "doc": ""} for name in ("doc2", "doc9", "doc1", "doc2", "a1")],
                "suggestedQueries": ["다른 질문"],
            }
        )
    )
    assert (answer.cited, answer.uncited) == ([2, 0], [1, 3])
    assert (answer.raw, answer.text) == (raw, "처음 둘째와 없는 것과 첫째.")
    assert [(place, answer.text[cited.start : cited.end]) for place, cited in answer.passages] == [
        (2, "둘째"),
        (0, "첫째"),
    ]
    assert answer.suggested_queries == ["다른 질문"]


def test_nothing_to_rerank() -> None:
    """Where there is nothing to send, nothing is cited and every text is left over."""
    request = RerankRequest(["", "\n"])
    assert request.documents == []
    assert request.answer(None) == ([], [0, 1], "", "", [], [])
    assert RerankRequest([]).answer(None).uncited == []


@pytest.fixture
def account() -> Iterator[dict[str, Any]]:
    """Key and address of an emulator."""
    with serve() as server:
        yield {"api_key": server.api_key, "base_url": server.base_url}


def test_every_setting_tells_connections_apart() -> None:
    """Equal settings share clients, and no two that differ in anything do."""
    other: dict[str, Any] = {
        "api_key": KEY + "2",
        "apigw_api_key": KEY,
        "region": "gov",
        "base_url": "http://127.0.0.1:1",
        "path_prefix": "testapp",
        "timeout": 7,
        "max_retries": 1,
        "retry": RetryPolicy(attempts=2),
        "rate_limits": RateLimits(window=9),
        "max_wait": None,
        "quota_group": "team",
        "headers": {"X-A": "1"},
    }
    assert set(other) == set(SETTING_NAMES) - {"http_client", "http_async_client"}
    base = Connection.of(api_key=KEY)
    assert Connection.of(api_key=KEY).sync is base.sync
    assert Connection.of(api_key=KEY).asynchronous is base.asynchronous
    different = [Connection.of(**{"api_key": KEY, name: value}) for name, value in other.items()]
    assert len({id(connection.sync) for connection in [base, *different]}) == len(other) + 1
    again = [Connection.of(**{"api_key": KEY, name: value}) for name, value in other.items()]
    assert [connection.sync for connection in again] == [connection.sync for connection in different]


def test_clients_of_http_clients_and_with_httpx_timeouts_are_not_shared() -> None:
    """What cannot be compared is never taken for the same."""
    with httpx.Client() as http:
        for settings in ({"http_client": http}, {"timeout": httpx.Timeout(3)}):
            first, second = (Connection.of(api_key=KEY, **settings) for _ in range(2))
            assert first.sync is not second.sync


def test_shared_clients_end_with_their_last_connection(account: dict[str, Any]) -> None:
    """As long as one connection is left the clients work, and then they are closed."""
    first, second = Connection.of(**account), Connection.of(**account)
    first.sync.embed("가")
    http = first.sync._http
    del first
    gc.collect()
    assert second.sync.embed("나")
    del second
    gc.collect()
    assert http.is_closed


def test_another_number_of_retries_is_one_more_shared_connection() -> None:
    """with_max_retries gives the same connection each time, but not of a caller's clients."""
    base = Connection.of(api_key=KEY, timeout=3)
    none = base.with_max_retries(0)
    assert none is base.with_max_retries(0)
    assert none == Connection.of(api_key=KEY, timeout=3, max_retries=0)
    assert none.sync is not base.sync
    with ClovaStudio(KEY) as client, pytest.raises(ConfigurationError, match="max_retries belongs"):
        Connection.of(client=client).with_max_retries(0)


def test_pickled_connection_is_the_same_one(account: dict[str, Any]) -> None:
    """A copy from another process equals the original and works, keys in no text; http clients are refused by name."""
    given = Connection.of(**account, timeout=5.0, headers={"X-A": KEY})
    given.sync.embed("가")
    back = pickle.loads(pickle.dumps(given))  # noqa: S301
    assert back == given
    assert back != Connection.of(**account)
    assert back.sync.embed("가").embedding == given.sync.embed("가").embedding
    assert asyncio.run(back.needed_async.embed("가")).embedding
    assert account["api_key"] not in repr(back) + str(given._settings)
    assert KEY not in repr(back) + str(given._settings)
    assert copy.copy(given) is copy.deepcopy(given) is given
    with httpx.Client() as http, pytest.raises(ConfigurationError, match="http_client") as caught:
        pickle.dumps(Connection.of(api_key=KEY, http_client=http))
    assert type(caught.value) is ConfigurationError


def test_wrong_use_is_the_client_s_error() -> None:
    """Without a framework every refusal is the client's ConfigurationError itself, and says what to do."""

    def refusal(**given: Any) -> str:
        with pytest.raises(ConfigurationError) as caught:
            _ = Connection.of(**given).needed_async
        assert type(caught.value) is ConfigurationError
        assert KEY not in str(caught.value)
        return str(caught.value)

    assert "CLOVASTUDIO_API_KEY" in refusal()
    assert "a key must be a string" in refusal(api_key=[KEY])
    with ClovaStudio(KEY) as client:
        assert "async_client must be" in refusal(async_client=client)
        assert "needs async_client=" in refusal(client=client)
    other = AsyncClovaStudio(KEY)
    assert "client must be a ClovaStudio" in refusal(client=other)
    alone = Connection.of(async_client=other)
    assert alone.asynchronous is other
    with pytest.raises(ConfigurationError, match="only async_client="):
        _ = alone.sync
    asyncio.run(other.aclose())


def test_key_and_address_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not given is looked up when the connection is made; a client of the caller's needs neither."""
    monkeypatch.setenv("NCP_CLOVASTUDIO_API_KEY", f" {KEY} ")
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", "http://127.0.0.1:1")
    found = Connection.of()
    assert found == Connection.of(api_key=KEY, base_url="http://127.0.0.1:1")
    assert found.base_url == "http://127.0.0.1:1"
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-first")
    assert Connection.of() == Connection.of(api_key="nv-first")
    with ClovaStudio(KEY, base_url="http://127.0.0.1:2") as client:
        assert Connection.of(client=client).base_url == "http://127.0.0.1:2"
