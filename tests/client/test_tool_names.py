"""The caller's names in one request and its answer, and those that are sent."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from clova_studio import ConfigurationError, Message, ToolCall, ToolCallFunction
from clova_studio._requests.messages import ClovaMessage
from clova_studio.adapters import ClovaMessages
from clova_studio.adapters._tool_names import RESPONSE_FORMAT, Fragments, ToolNames, refuse_same_names


def tool(name: str, parameters: dict[str, Any] | None = None, description: str = "찾는다.") -> dict[str, Any]:
    """Return a tool in the wire's form."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters or {}}}


def history(name: str, arguments: dict[str, Any]) -> ClovaMessages:
    """Return a conversation with a call."""
    calls = [{"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}]
    return ClovaMessages(
        [
            ClovaMessage("messages[1]", role="user", content="서울?"),
            ClovaMessage("messages[4]", role="assistant", content="", toolCalls=calls),
            ClovaMessage("messages[5]", role="tool", toolCallId="call_1", content="맑음"),
        ]
    )


def called(name: str, arguments: dict[str, Any], text: str | None = None) -> Message:
    """Return an answer with a call, an invalid one if there is a text."""
    function = ToolCallFunction(name=name, arguments=arguments, partial_json=text)
    call = [ToolCall(id="call_2", index=0, function=function)]
    return Message(tool_calls=None if text else call, invalid_tool_calls=call if text else None)


NESTED = {
    "type": "object",
    "properties": {
        "도시": {"type": "string", "description": "도시의 이름"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"full name": {"type": "string"}}}},
        "either": {
            "anyOf": [
                {"type": "object", "properties": {"도시": {"type": "string"}}, "required": ["도시"]},
                {"type": "string", "enum": ["도시"]},
            ]
        },
        "given": {"enum": [{"도시": "서울"}]},
        "properties": {"type": "string"},
    },
    "required": ["도시", "items"],
    "not": {"required": ["full name"]},
    "if": {"properties": {"도시": {"enum": ["서울"]}}},
    "then": {"required": ["full name"]},
    "dependentRequired": {"도시": ["full name"]},
    "dependentSchemas": {"full name": {"properties": {"도시": {"minLength": 1}}}},
    "patternProperties": {"^도시": {"properties": {"도시": {}}}},
}


def test_schema_with_the_names_that_are_sent() -> None:
    """Properties are renamed wherever a schema has them, values and patterns are not; descriptions tell the name."""
    sent = ToolNames({"tools": [tool("find", NESTED)]}, ascii_only=True).request({"tools": [tool("find", NESTED)]})
    assert sent["tools"][0]["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "dosi": {"type": "string", "description": "도시의 이름"},
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"full_name": {"type": "string", "description": "full name"}},
                },
            },
            "either": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"dosi": {"type": "string", "description": "도시"}},
                        "required": ["dosi"],
                    },
                    {"type": "string", "enum": ["도시"]},
                ]
            },
            "given": {"enum": [{"dosi": "서울"}]},
            "properties": {"type": "string"},
        },
        "required": ["dosi", "items"],
        "not": {"required": ["full_name"]},
        "if": {"properties": {"dosi": {"enum": ["서울"], "description": "도시"}}},
        "then": {"required": ["full_name"]},
        "dependentRequired": {"dosi": ["full_name"]},
        "dependentSchemas": {"full_name": {"properties": {"dosi": {"minLength": 1, "description": "도시"}}}},
        "patternProperties": {"^도시": {"properties": {"dosi": {"description": "도시"}}}},
    }


def test_request_and_answer_in_both_directions() -> None:
    """Tools, choice and history are sent with our names, a call comes back with the caller's; nothing is changed."""
    arguments = {"도시": "서울", "items": [{"full name": "김"}], "rest": {"other key": 1}}
    request: dict[str, Any] = {
        "model": "HCX-005",
        "tools": [tool("Box[int]", NESTED), tool("Box_int")],
        "tool_choice": {"type": "function", "function": {"name": "Box[int]"}},
        "messages": history("Box[int]", arguments),
    }
    before = copy.deepcopy(request)
    names = ToolNames(request, ascii_only=True)
    sent = names.request(request)
    assert request == before
    ours = names.sent("Box[int]")
    assert ours.startswith("Box_int_")
    assert [found["function"]["name"] for found in sent["tools"]] == [ours, "Box_int"]
    assert sent["tools"][0]["function"]["description"] == "Box[int]: 찾는다."
    assert sent["tool_choice"]["function"] == {"name": ours}
    wired = {"dosi": "서울", "items": [{"full_name": "김"}], "rest": {"other key": 1}}
    assert sent["messages"][1]["toolCalls"][0]["function"] == {"name": ours, "arguments": wired}
    assert isinstance(sent["messages"], ClovaMessages)
    assert getattr(sent["messages"][1], "where", None) == "messages[4]"
    answer = called(ours, wired)
    (call,) = names.answer(answer).tool_calls or ()
    assert (call.function.name, call.function.arguments) == ("Box[int]", arguments)
    assert answer == called(ours, wired)


def test_calls_of_tools_that_are_not_declared() -> None:
    """The name of a tool that is gone is sent like any other; one that the model invents stays."""
    names = ToolNames({"messages": history("옛 도구", {"도시": "서울"})}, ascii_only=False)
    sent = names.request({"messages": history("옛 도구", {"도시": "서울"})})
    assert sent["messages"][1]["toolCalls"][0]["function"] == {"name": "yet_dogu", "arguments": {"도시": "서울"}}
    message = called("invented", {"dosi": 1})
    assert names.answer(message) == message


def test_invalid_call_has_the_callers_keys() -> None:
    """The text of a call that is broken has the caller's names as far as it goes."""
    names = ToolNames({"tools": [tool("날씨", NESTED)]}, ascii_only=True)
    (call,) = names.answer(called("nalssi", {}, '{"dosi": "서울", "items": [{"full_na')).invalid_tool_calls or ()
    assert (call.function.name, call.function.partial_json) == ("날씨", '{"도시": "서울", "items": [{"full_na')


def test_fragments_of_two_calls() -> None:
    """Fragments have the caller's names, each call by its own tool, in pieces of any size."""
    names = ToolNames({"tools": [tool("날씨", NESTED), tool("환율", {"properties": {"도 시": {}}})]}, ascii_only=True)
    fragments = Fragments(names)
    found: dict[int, str] = {0: "", 1: ""}
    seen = []
    for index, name, text in [
        (0, "nalssi", '{"dosi": "do_si", "full_name": {"do_si": 1}}'),
        (1, "hwanyul", '{"do_si": 2}'),
    ]:
        for piece in [None, *text]:
            function = ToolCallFunction(name=name if piece is None else None, partial_json=piece)
            (call,) = fragments.named([ToolCall(index=index, function=function)])
            seen.append(call.function.name)
            found[index] += call.function.partial_json or ""
    assert found == {0: '{"도시": "do_si", "full name": {"do_si": 1}}', 1: '{"도 시": 2}'}
    assert [name for name in seen if name] == ["날씨", "환율"]


def test_response_format() -> None:
    """The schema of a response format is sent with our names, and the JSON of its answer has the caller's."""
    request = {"response_format": {"type": "json", "schema": NESTED}}
    names = ToolNames(request, ascii_only=False)
    sent = names.request(request)["response_format"]["schema"]
    assert "full_name" in json.dumps(sent)
    assert "도시" in sent["properties"]
    said = Message(content='{"도시": "서울", "items": [{"full_name": "김"}]}')
    found = names.answer(said, text_of=RESPONSE_FORMAT)
    assert json.loads(found.content) == {"도시": "서울", "items": [{"full name": "김"}]}
    assert names.answer(said) is said


def test_nothing_to_replace() -> None:
    """Where every name is sent as it is, that is known."""
    request = {"tools": [tool("날씨", {"properties": {"도시": {}}})], "messages": history("날씨", {"도시": "서울"})}
    assert ToolNames(request, ascii_only=False).is_plain
    assert not ToolNames(request, ascii_only=True).is_plain
    assert ToolNames({"messages": []}, ascii_only=True).is_plain


def test_same_name_twice() -> None:
    """Two tools with one name are refused by that name."""
    refuse_same_names([tool("날씨"), tool("환율")])
    with pytest.raises(ConfigurationError, match="two tools have the name '날씨'"):
        refuse_same_names([tool("환율"), tool("날씨"), tool("날씨")])
