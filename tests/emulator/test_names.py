"""Names of tools and properties: all are taken, or ASCII ones only, since nobody knows what the service takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import connect, events, tool, user

from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

H5 = "/v3/chat-completions/HCX-005"
H7 = "/v3/chat-completions/HCX-007"
COUNT = "/v3/api-tools/chat-tokenize/HCX-005"
COMPATIBLE = "/v1/openai/chat/completions"
RAG = "/v1/api-tools/rag-reasoning"
TEXT = {"type": "string"}
NAME, PARAMETERS = "tools[].function.name", "tools[].function.parameters"


@pytest.fixture(scope="module")
def strict() -> Iterator[httpx.Client]:
    """A client of an emulator that takes ASCII names only."""
    with serve(ascii_names=True) as server, connect(server) as client:
        yield client


def asked(name: str, **properties: Any) -> dict[str, Any]:
    """A question with one tool."""
    return user("부산 날씨를 알려 주세요.", tools=[tool(name, "도시의 날씨를 알려 준다.", **properties)])


def replayed(name: str) -> dict[str, Any]:
    """A history with a call."""
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": {"도시": "부산"}}}
    turns = [
        {"role": "assistant", "content": "", "toolCalls": [call]},
        {"role": "tool", "toolCallId": "call_1", "content": "맑음"},
    ]
    return {"messages": [*user("부산 날씨는?")["messages"], *turns]}


def test_any_name_is_taken(either: httpx.Client) -> None:
    """By default, in both behaviours, a name is any text: it comes back in the call, whole and streamed."""
    body = asked("날씨 조회[도시]", 도시=TEXT)
    (call,) = either.post(H5, json=body).json()["result"]["message"]["toolCalls"]
    assert call["function"] == {"name": "날씨 조회[도시]", "arguments": {"도시": "부산"}}
    streamed = events(either.post(H5, json=body, headers={"accept": "text/event-stream"}).text)
    assert "날씨 조회[도시]" in streamed[0][1]
    assert either.post(COUNT, json=body).status_code == 200
    assert either.post(H5, json=replayed("날씨")).status_code == 200


@pytest.mark.parametrize("path", [H5, COUNT, COMPATIBLE, RAG])
@pytest.mark.parametrize(
    ("name", "properties", "field"),
    [
        ("날씨", {"city": TEXT}, NAME),
        ("get weather", {"city": TEXT}, NAME),
        ("Box[int]", {"city": TEXT}, NAME),
        ("a" * 65, {"city": TEXT}, NAME),
        ("get_weather", {"도시": TEXT}, PARAMETERS),
        ("get_weather", {"at": {"anyOf": [{"type": "object", "properties": {"full name": TEXT}}]}}, PARAMETERS),
    ],
)
def test_other_names_are_refused(strict: httpx.Client, path: str, name: str, properties: Any, field: str) -> None:
    """With ascii_names every API with tools refuses such names, and says which field it is; the hint says the rule."""
    answer = strict.post(path, json={"model": "HCX-005", **asked(name, **properties)})
    assert answer.status_code == 400
    told = answer.json().get("status") or answer.json()["error"]
    assert (told["code"], told["message"]) == ("40001", f"Invalid parameter: {field}")
    assert "ascii_names" in answer.headers["x-clova-emulator-hint"]


@pytest.mark.parametrize("path", [H5, COUNT, COMPATIBLE, RAG])
def test_ascii_names_are_taken(strict: httpx.Client, path: str) -> None:
    """Letters, digits, _ and - pass everywhere, with Hangul in every other place."""
    body = asked("Get-weather_2", city={"type": "string", "description": "도시", "enum": ["부산", "서울"]})
    assert strict.post(path, json={"model": "HCX-005", **body}).status_code == 200


def test_names_in_histories_and_response_schemas(strict: httpx.Client) -> None:
    """A replayed call and the schema of an answer are looked at too."""
    refused = strict.post(H5, json=replayed("날씨"))
    assert refused.json()["status"]["message"] == "Invalid parameter: messages[1].toolCalls[0].function.name"
    assert "ascii_names" in refused.headers["x-clova-emulator-hint"]
    assert strict.post(H5, json=replayed("get_weather")).status_code == 200
    for name, code in [("도시", "40055"), ("city", "20000")]:
        schema = {"type": "object", "properties": {name: TEXT}}
        body = user("부산", responseFormat={"type": "json", "schema": schema}, thinking={"effort": "none"})
        assert strict.post(H7, json=body).json()["status"]["code"] == code
