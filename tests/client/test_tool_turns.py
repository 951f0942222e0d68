"""Histories whose tool calls and results do not fit together are named before they are sent."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from client_support import Both, answer, sample

from clova_studio import ConfigurationError
from clova_studio._requests.messages import ClovaMessage
from clova_studio.emulator import serve

USER = {"role": "user", "content": "서울 날씨는?"}
SEARCH = {
    "type": "function",
    "function": {"name": "search", "description": "찾는다", "parameters": {"type": "object", "properties": {}}},
}
KINDS = pytest.mark.parametrize("kind", ["sync", "async"])
COMPATIBLE = b'{"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"\xea\xb0\x80"}}],"usage":null}'
VERBS = ["chat", "stream_chat", "openai.chat", "reason"]


def call(call_id: str, *others: str) -> dict[str, Any]:
    """Return an answer that calls tools."""
    function = {"name": "search", "arguments": "{}"}
    calls = [{"id": each, "type": "function", "function": function} for each in (call_id, *others)]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def result(call_id: str) -> dict[str, Any]:
    """Return the result of a call."""
    return {"role": "tool", "tool_call_id": call_id, "content": '{"search_result": []}'}


def client_for(kind: str, verb: str) -> Both:
    """Return a client whose service answers the method."""
    return Both(kind, lambda: answer(COMPATIBLE if verb == "openai.chat" else sample("v3_chat.json")))


def options(verb: str) -> dict[str, Any]:
    """Return what a method needs beside messages."""
    return {"tools": [SEARCH]} if verb == "reason" else {}


@KINDS
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("messages", "index"),
    [
        ([result("a")], 0),
        ([result("a"), USER], 0),
        ([{"role": "system", "content": "짧게"}, result("a"), USER], 1),
        ([USER, call("a"), result("a"), result("b")], 3),
        ([USER, result("a"), call("a"), result("a")], 1),
    ],
)
def test_a_result_without_its_call(kind: str, verb: str, messages: list[Any], index: int) -> None:
    """It is refused unsent, with its index, its id and the way out."""
    client = client_for(kind, verb)
    with pytest.raises(ConfigurationError, match=rf"messages\[{index}\] is the result of a tool .*'[ab]'.*keep the"):
        client.call(verb, messages, **options(verb))
    assert client.requests == []


@KINDS
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("messages", "index", "call_id"),
    [
        ([USER, call("a"), USER], 1, "a"),
        ([USER, call("a", "b"), result("b"), USER], 1, "a"),
        ([USER, call("a"), result("a"), call("b"), USER], 3, "b"),
    ],
)
def test_a_call_without_its_result(kind: str, verb: str, messages: list[Any], index: int, call_id: str) -> None:
    """It is named in a warning and sent: no page says that the service refuses it."""
    client = client_for(kind, verb)
    with pytest.warns(UserWarning, match=rf"messages\[{index}\] has a tool call without a result \(id '{call_id}'\)"):
        client.call(verb, messages, **options(verb))
    assert len(json.loads(client.requests[0].content)["messages"]) == len(messages)


@KINDS
@pytest.mark.parametrize("verb", VERBS)
def test_histories_that_fit(kind: str, verb: str) -> None:
    """Several calls, their results in any order, and what follows are sent without a word."""
    client = client_for(kind, verb)
    client.call(verb, [USER, call("a", "b"), result("b"), result("a"), USER], **options(verb))
    assert len(client.requests) == 1


@pytest.mark.parametrize("behaviour", ["observed", "documented"])
def test_the_service_refuses_what_is_refused_here(behaviour: Any) -> None:
    """A result without a call is refused on the wire too, by the reference: a result's id links to a call."""
    import httpx

    messages = [{"role": "tool", "toolCallId": "a", "content": "맑음"}, USER]
    with serve(behaviour=behaviour) as server:
        headers = {"authorization": f"Bearer {server.api_key}"}
        url = f"{server.base_url}/v3/chat-completions/HCX-005"
        refused = httpx.post(url, json={"messages": messages}, headers=headers)
    assert refused.status_code == 400
    assert "messages[0]" in refused.json()["status"]["message"]


def test_a_message_with_its_name_is_a_dict() -> None:
    """What an adapter makes is written, compared, copied and pickled like the dict that it is."""
    message = ClovaMessage("messages[3]", role="user", content="가")
    assert message == {"role": "user", "content": "가"}
    assert json.loads(json.dumps(message)) == message
    again = pickle.loads(pickle.dumps(message))  # noqa: S301
    assert (again, again.where) == (message, "messages[3]")
