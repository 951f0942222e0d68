"""What adapters share, without any framework: conversations, reranked documents, connections."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import pickle
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from clova_studio import (
    AsyncClovaStudio,
    ClovaStudio,
    ConfigurationError,
    RateLimits,
    RerankResult,
    RetryPolicy,
)
from clova_studio.adapters import SETTING_NAMES, Connection, Conversation, RerankRequest, with_instruction
from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "nv-very-secret-0123456789"
USER = {"role": "user", "content": "서울 날씨는?"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CLOVASTUDIO_API_KEY",
        "NCP_CLOVASTUDIO_API_KEY",
        "CLOVASTUDIO_BASE_URL",
        "CLOVASTUDIO_API_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)


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
    """Whatever form arguments have, the wire gets an object; what is not a JSON object stays readable."""
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
    """One in the last turn is refused by its index; older ones are replaced with a warning, the parts unchanged."""
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
    assert request.answer(None) == ([], [0, 1], "", "", [], [], None, None, {0, 1}, None)
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


@pytest.mark.slow
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
    assert "api_key must be a string" in refusal(api_key=[KEY])
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
    monkeypatch.setenv("NCP_CLOVASTUDIO_API_KEY", KEY)
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", "http://127.0.0.1:1")
    found = Connection.of()
    assert found == Connection.of(api_key=KEY, base_url="http://127.0.0.1:1")
    assert found.base_url == "http://127.0.0.1:1"
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-first")
    assert Connection.of() == Connection.of(api_key="nv-first")
    with ClovaStudio(KEY, base_url="http://127.0.0.1:2") as client:
        assert Connection.of(client=client).base_url == "http://127.0.0.1:2"
