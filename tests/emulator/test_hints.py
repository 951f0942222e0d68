"""What a refusal tells a developer, beside the service's own words: a header, a log line, a field of the record."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from emulator_support import connect, tool, user

from clova_studio.emulator import Fault, serve
from clova_studio.emulator.server.hints import HABITS

CHAT = "/v1/openai/chat/completions"
EMBED = "/v1/openai/embeddings"
H5 = "/v3/chat-completions/HCX-005"
H7 = "/v3/chat-completions/HCX-007"
HEADER = "x-clova-emulator-hint"
WEATHER = tool("get_weather", "Get the weather.", city={"type": "string"})
TURN = {"role": "assistant", "content": None, "tool_calls": []}
DOCS = Path(__file__).parents[2] / "docs" / "api" / "emulator.md"


def ask(**more: Any) -> dict[str, Any]:
    """A request of the OpenAI-compatible path."""
    return user("안녕", model="HCX-005", **more)


# Path, body, what the hint names: the client that sends this and the switch.
FOREIGN: list[tuple[str, Any, tuple[str, ...]]] = [
    (
        EMBED,
        {"model": "bge-m3", "input": "a", "encoding_format": "base64"},
        ("openai-python", 'encoding_format="float"'),
    ),
    (EMBED, {"model": "bge-m3", "input": ["a"]}, ("langchain-openai", "one text a call")),
    (CHAT, {"model": "HCX-005", "messages": [{"role": "user", "content": "a"}, TURN]}, ("pydantic-ai", 'write ""')),
    (CHAT, ask(stream=True, stream_options={"include_usage": True}), ("LangChain.js", "streamUsage: false")),
    (CHAT, ask(tools=[WEATHER], parallel_tool_calls=False), ("langchain-naver", "disabled_params")),
    (CHAT, ask(tools=[WEATHER], tool_choice="required"), ("pydantic-ai", "supports_forced_tool_choice")),
    (CHAT, ask(response_format={"type": "json_object"}), ("instructor", "Mode.TOOLS")),
]
# What users of any client run into.
GENERAL: list[tuple[str, Any, tuple[str, ...]]] = [
    (H7, user("a", tools=[WEATHER]), ("HCX-007 thinks by default", "effort")),
    (CHAT, {**ask(tools=[WEATHER]), "model": "HCX-007"}, ("reasoning_effort",)),
    (H5, user("a", tools=[WEATHER], maxTokens=9), ("1,024",)),
    (H5, user("a", tools=[tool("f", "")]), ("docstring",)),
    (H5, user("a", tools=[tool("", "d")]), ("has a name",)),
    (H5, {"messages": [{"role": "assistant", "content": "", "toolCalls": [{}]}]}, ("an object on the native path",)),
    (H7, user("a", maxTokens=9), ("maxCompletionTokens",)),
    (H5, user("a", thinking={"effort": "low"}), ("Only HCX-007",)),
    (H5, user("a", topK=200), ("0 to 128",)),
    (CHAT, ask(top_p=0), ("above 0, to 1",)),
    (CHAT, ask(presence_penalty=1), ("leave it out",)),
    (H5, {"messages": [{"role": "user", "content": None}]}, ('send ""',)),
    ("/v3/chat-completions/HCX-05", user("a"), ("Did you mean HCX-005?",)),
    (CHAT, {**ask(), "model": "gpt-4o"}, ("HCX-007",)),
    ("/v3/tasks/tuning-1-2/chat-completions", user("a"), ("short id",)),
    ("/v3/chat-completions/HCX-003", user("a"), ("v1 paths",)),
    ("/v1/chat/completions", ask(), ("/v1/openai",)),
    ("/testapp/v1/openai/chat/completions", ask(), ("no prefix",)),
    (H5, [], ("JSON object",)),
]


@pytest.mark.parametrize("behaviour", ["observed", "documented"])
@pytest.mark.parametrize(("path", "body", "named"), [*FOREIGN, *GENERAL])
def test_hints(behaviour: Any, path: str, body: Any, named: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    """A refusal says what helps, in a header, in one line of the log, and in the record of the request."""
    with serve(behaviour=behaviour) as server, connect(server) as client:
        with caplog.at_level(logging.WARNING, logger="clova_studio.emulator"):
            answer = client.post(path, json=body)
        hint = answer.headers[HEADER]
        assert 400 <= answer.status_code < 500
        assert all(word in hint for word in named), hint
        assert server.requests[0].hint == hint
    (line,) = [record.getMessage() for record in caplog.records if record.name == "clova_studio.emulator"]
    assert hint in line
    assert str(answer.status_code) in line


def test_keys_in_hints(caplog: pytest.LogCaptureFixture) -> None:
    """The refusal of a key says what a key looks like, and neither header nor log has the key."""
    with serve() as server, connect(server) as client:
        for header, word in (("Bearer sk-secret", "nv-"), ("Basic sk-secret", "Bearer"), ("", "Bearer")):
            answer = client.post(H5, json=user("a"), headers={"authorization": header})
            assert word in answer.headers[HEADER]
            assert "sk-secret" not in answer.headers[HEADER]
    assert "sk-secret" not in caplog.text


def test_what_has_no_hint(caplog: pytest.LogCaptureFixture) -> None:
    """Answers, used-up quotas and faults that were asked for have none."""
    with serve(rate_limits={"HCX-005": (1, None)}) as server, connect(server) as client:
        answers = [client.post(H5, json=user("a")) for _ in range(2)]
        server.add_fault(Fault("status", code="40001"))
        answers.append(client.post(H5, json=user("a")))
    assert [answer.status_code for answer in answers] == [200, 429, 400]
    assert not any(HEADER in answer.headers for answer in answers)
    assert not [record for record in caplog.records if record.name == "clova_studio.emulator"]


def test_ignored_fields() -> None:
    """Names of the OpenAI path are ignored on the native one, and the header of the answer says so."""
    with serve() as server, connect(server) as client:
        for headers in ({}, {"accept": "text/event-stream"}):
            answer = client.post(H5, json=user("a", max_tokens=9, stream=True), headers=headers)
            assert answer.status_code == 200
            assert "max_tokens (here: maxTokens)" in answer.headers[HEADER]
            assert "text/event-stream" in answer.headers[HEADER]


def test_hints_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a request has in its names, header and log line stay one line of plain text."""
    with serve() as server, connect(server) as client:
        client.post(CHAT, json=ask(**{"a\nb\u2028가": 1}))
        answer = client.post(CHAT, json={**ask(), "model": "HCX-가\r\nX: y"})
        assert answer.headers[HEADER].isascii()
        assert client.post("/v3/x%0Ay", json={}).status_code == 404
    assert all(len(record.getMessage().splitlines()) == 1 for record in caplog.records)


def test_the_table_of_the_documentation() -> None:
    """The documentation's table has the habits that the hints know, with their clients and switches."""
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    for habit in HABITS:
        row = next(line for line in rows if f"`{habit.sends}`" in line)
        clients = habit.clients.replace("(", ",").replace(")", "").replace(" and ", ",").split(",")
        assert all(name.strip() in row.replace("`", "") for name in clients), row
