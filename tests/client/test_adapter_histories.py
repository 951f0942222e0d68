"""Conversations of the adapters: which call a tool's result answers, and what stands for parts that are not text."""

from __future__ import annotations

import base64
import datetime as dt
import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio import ConfigurationError
from clova_studio.adapters import Attachment, Conversation, FoundCall, attachment, call_in, json_text, united_calls

if TYPE_CHECKING:
    from clova_studio.adapters import ClovaMessages

PDF = base64.b64encode(b"%PDF-1.7" + bytes(range(256)) * 1_200).decode()


def conversation(*turns: Any, is_counted: bool = False) -> ClovaMessages:
    """Return the messages for turns: a list of calls is an answer, a pair of id and name is a result."""
    made = Conversation(None, parse_json=json.loads, is_counted=is_counted)
    for i, turn in enumerate(turns):
        if isinstance(turn, list):
            made.add_assistant("", [FoundCall(*call) for call in turn], where=f"m[{i}]")
        else:
            made.add_tool_result(turn[0], f"r{i}", name=turn[1], where=f"m[{i}]")
    return made.finished()


def pairs(wire: ClovaMessages) -> dict[str, tuple[str, Any]]:
    """Return name and arguments of the call that each result answers."""
    calls = {call["id"]: call["function"] for message in wire for call in message.get("toolCalls") or ()}
    ids = [call["id"] for message in wire for call in message.get("toolCalls") or ()]
    assert len(set(ids)) == len(ids)
    results = [message for message in wire if message["role"] == "tool"]
    found = {message["content"]: calls[message["toolCallId"]] for message in results}
    return {text: (function["name"], function["arguments"]) for text, function in found.items()}


F1, F2, G = ("f", {"x": 1}), ("f", {"x": 2}), ("g", {})


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([[("a", *F1), ("b", *G)], ("b", None), ("a", None)], {"r1": G, "r2": F1}),
        ([[(None, *F1), (None, *G)], ("g", None), ("f", None)], {"r1": G, "r2": F1}),
        ([[(None, *F1), (None, *F2)], ("f", None), ("f", None)], {"r1": F1, "r2": F2}),
        ([[("", *F1), ("", *G)], (None, "g"), (None, "f")], {"r1": G, "r2": F1}),
        ([[(None, *F1), (None, *G)], ("", None), ("", None)], {"r1": F1, "r2": G}),
        ([[(None, *F1), (None, *G)], ("x", "g"), ("y", "f")], {"r1": G, "r2": F1}),
        ([[(None, *F1)], ("made-up", None)], {"r1": F1}),
        ([[("a", *F1)], ("f", None)], {"r1": F1}),
        ([[("0", *F1)], ("0", None), [("0", *F2)], ("0", None)], {"r1": F1, "r3": F2}),
        ([[("0", *F1), ("0", *F2)], ("0", None), ("0", None)], {"r1": F1, "r2": F2}),
        ([[("f", *F1)], ("f", None), [("f", *F2)], ("f", None)], {"r1": F1, "r3": F2}),
        ([[(7, *F1)], (7, None)], {"r1": F1}),
        ([[("a", *F1)], ("a", None), ("a", None)], {"r1": F1, "r2": F1}),
        ([[(None, *F1)], [(None, *G)], ("f", None), ("g", None)], {"r2": F1, "r3": G}),
        ([[("call_000000000000000000000001", *F1), (None, *G)], ("g", None)], {"r1": G}),
    ],
    ids=[
        "by id",
        "by name",
        "one tool twice",
        "by the result's name",
        "in order",
        "by name under other ids",
        "the only one",
        "name in place of the id",
        "ids counted anew",
        "ids repeated in an answer",
        "ids that are names",
        "ids that are numbers",
        "answered twice",
        "over several answers",
        "an id like ours",
    ],
)
def test_results_find_their_calls(turns: list[Any], expected: dict[str, Any]) -> None:
    """Each result has the id of its call, and no two calls have the same."""
    assert pairs(conversation(*turns)) == expected


@pytest.mark.parametrize(
    "turns",
    [
        [(None, "f")],
        [("", None), [("a", *F1)]],
        [[(None, *F1), (None, *G)], ("", None)],
        [[(None, *F1)], (None, "g")],
        [[(None, *F1)], ("f", None), (None, "f")],
    ],
    ids=["no call", "call after it", "one of two", "another tool", "answered already"],
)
def test_results_without_a_call_are_refused(turns: list[Any]) -> None:
    """A result that names no open call is refused by the caller's index, unless it is only counted."""
    index = max(i for i, turn in enumerate(turns) if isinstance(turn, tuple))
    index = 0 if isinstance(turns[0], tuple) else index
    with pytest.raises(ConfigurationError, match=rf"m\[{index}\] is the result of a tool"):
        conversation(*turns)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(conversation(*turns, is_counted=True)) == len(turns)


def test_another_id_is_no_match() -> None:
    """A result with the id of no call is left as it is, for the client to refuse, if the open call has an id too."""
    wire = conversation([("a", *F1)], ("x", None))
    assert (wire[0]["toolCalls"][0]["id"], wire[1]["toolCallId"]) == ("a", "x")


def test_ids_are_the_same_each_time() -> None:
    """The same history is the same request, so that it can be cached; ids have the service's form."""
    turns = [[(None, *F1), (None, *G)], ("f", None), ("g", None)]
    first = conversation(*turns)
    assert first == conversation(*turns)
    assert [len(call["id"]) for call in first[0]["toolCalls"]] == [29, 29]


def test_optional_calls_need_an_answer() -> None:
    """A call that only counts if it is answered is left out without one, and so is an answer that was nothing else."""
    optional = [("a", *F1, True)]
    assert pairs(conversation(optional, ("a", None))) == {"r1": F1}
    assert conversation(optional) == []
    assert [call["id"] for call in conversation([*optional, ("b", *G)], ("b", None))[0]["toolCalls"]] == ["b"]


class Held:
    """An object of a provider's client."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


ARGUMENTS = {"city": "부산"}


@pytest.mark.parametrize(
    ("held", "call_id"),
    [
        ({"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps(ARGUMENTS)}}, "c"),
        (Held(id="c", function=Held(name="f", arguments=json.dumps(ARGUMENTS))), "c"),
        ({"id": "c", "type": "custom", "custom": {"name": "f", "input": json.dumps(ARGUMENTS)}}, "c"),
        ({"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": json.dumps(ARGUMENTS)}, "c"),
        ({"type": "tool_use", "id": "c", "name": "f", "input": ARGUMENTS}, "c"),
        (Held(type="tool_use", id="c", name="f", input=ARGUMENTS), "c"),
        ({"toolUseId": "c", "name": "f", "input": ARGUMENTS}, "c"),
        ({"toolUse": {"toolUseId": "c", "name": "f", "input": ARGUMENTS}}, "c"),
        ({"function": {"name": "f", "arguments": ARGUMENTS}}, None),
        (Held(function=Held(name="f", arguments=ARGUMENTS)), None),
        ({"name": "f", "args": ARGUMENTS}, None),
        (Held(id=None, name="f", args=ARGUMENTS), None),
        ({"functionCall": {"name": "f", "args": ARGUMENTS}}, None),
        (Held(text=None, function_call=Held(id=None, name="f", args=ARGUMENTS)), None),
        ({"name": "f", "parameters": ARGUMENTS}, None),
        ({"name": "f", "arguments": json.dumps(ARGUMENTS)}, None),
    ],
)
def test_calls_of_every_provider(held: Any, call_id: str | None) -> None:
    """A call of any provider, as dict or object, is one call with its id, name and arguments."""
    found = call_in(held)
    assert found is not None
    made = Conversation(None, parse_json=json.loads)
    made.add_assistant("", [found])
    (call,) = made.finished()[0]["toolCalls"]
    assert found.id == call_id
    assert call["function"] == {"name": "f", "arguments": ARGUMENTS}


@pytest.mark.parametrize("held", [None, "f", {}, {"id": "c"}, {"function": None}, 7, {"name": ""}])
def test_what_is_no_call(held: Any) -> None:
    """What has no tool's name is no call."""
    assert call_in(held) is None


def test_calls_in_two_places_are_one() -> None:
    """A call that a framework keeps twice is one; its id is kept where one place has none; two calls stay two."""
    a, b = FoundCall("a", "f", {"x": 1}), FoundCall(None, "f", '{"x": 1}')
    assert united_calls([a], [b]) == [a]
    assert united_calls([b], [a]) == [b._replace(id="a")]
    assert united_calls([a], [a._replace(arguments={})]) == [a]
    assert united_calls([b, b], [b, b]) == [b, b]
    assert united_calls([a], [FoundCall("b", "f", {"x": 1})]) == [a, FoundCall("b", "f", {"x": 1})]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (None, {}),
        ("", {}),
        ([1], {"invalid_json": "[1]"}),
        ("[1]", {"invalid_json": "[1]"}),
        (3, {"invalid_json": "3"}),
        ({"when": dt.date(2026, 1, 2)}, {"when": "2026-01-02"}),
        ({"raw": b"12", 3: (1, 2)}, {"raw": "[bytes: 2 bytes]", "3": [1, 2]}),
        ({"n": float("inf")}, {"n": "inf"}),
    ],
)
def test_arguments_are_always_an_object(arguments: Any, expected: dict[str, Any]) -> None:
    """Whatever a history has as arguments, the request has an object that JSON can represent."""
    made = Conversation(None, parse_json=json.loads)
    made.add_assistant("", [("a", "f", arguments)])
    function = made.finished()[0]["toolCalls"][0]["function"]
    assert function["arguments"] == expected
    json.dumps(function, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'[{{"url": "data:image/png;base64,{PDF}"}}]', '[{"url": "[file: image/png, 307 kB]"}]'),
        (f"blob='{PDF}' mime='x'", "blob='[file: application/pdf, 307 kB]' mime='x'"),
        ("앞 " + "iVBORw0KGgo" + "A" * 89 + " 뒤", "앞 [file: image/png, 75 bytes] 뒤"),
        ("aB3/" * 256, "[file: 768 bytes]"),
        ("\n".join(["aB3/" * 19] * 20) + "\naB3=\n끝", "[file: 1 kB]\n끝"),
    ],
)
def test_base64_in_a_result_becomes_a_line(text: str, expected: str) -> None:
    """A file as base64 inside the text of a result is replaced there, with one warning that names the message."""
    made = Conversation(None, parse_json=json.loads)
    made.add_assistant("", [("a", "f", {})], where="m[0]")
    made.add_tool_result("a", text, where="m[1]")
    with pytest.warns(UserWarning, match=r"m\[1\] has a part that is sent as") as caught:
        assert made.finished()[1]["content"] == expected
    assert len(caught) == 1


@pytest.mark.parametrize(
    "text",
    [
        "0123456789abcdef" * 500,
        "ACGT" * 2_000,
        "-" * 3_000,
        "eyJhbGciOiJIUzI1NiJ9" * 10,
        "가나다 " * 5_000,
        "a/b" * 200,
    ],
    ids=["hex", "letters", "line", "token", "korean", "path"],
)
def test_other_long_texts_stay(text: str) -> None:
    """Text of a tool that is no file is sent as it is."""
    made = Conversation(None, parse_json=json.loads)
    made.add_assistant("", [("a", "f", {})])
    made.add_tool_result("a", text)
    assert made.finished()[1]["content"] == text


def test_what_is_said_of_an_attachment() -> None:
    """Name, type, size and address stand on one line, whatever a tool put there, and no data does."""
    assert attachment("file", data=PDF).placeholder == "[file: application/pdf, 307 kB]"
    assert attachment("file", data="data:text/csv;base64,QUJD").placeholder == "[file: text/csv, 3 bytes]"
    assert attachment("file", url=f"data:audio/wav;base64,{PDF}").placeholder == "[audio: audio/wav, 307 kB]"
    assert attachment("video", data=b"1" * 2_500_000).placeholder == "[video: 2.5 MB]"
    assert (
        attachment("file", url="https://a.test/b.pdf", name="b\nc").placeholder == "[file: b c, https://a.test/b.pdf]"
    )
    assert len(Attachment("file", name="가" * 10_000).placeholder) < 200
    assert Attachment("").placeholder == "[file]"


def test_values_of_tools_are_readable() -> None:
    """Any value becomes text: bytes are named, what JSON cannot represent is written as Python would."""
    assert json_text({"값": b"123"}) == '{"값": "[bytes: 3 bytes]"}'
    assert json_text({(1, 2): 3}) == "{(1, 2): 3}"
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert json_text(deep) == "[list]"


def test_attachments_of_a_conversation() -> None:
    """One is refused in the last turn and in instructions, named in earlier turns, and never refused when counted."""
    file = attachment("file", data=PDF, label="m[0].content[1] has type 'file'")
    for is_counted in (False, True):
        made = Conversation("tools", parse_json=json.loads, is_counted=is_counted)
        made.add_user([{"type": "text", "text": "가"}, file], "m[0]", is_last_turn=False)
        if not is_counted:
            with pytest.raises(ConfigurationError, match=r"m\[0\]\.content\[1\] has type 'file'"):
                made.add_user([file], "m[1]", is_last_turn=True)
            with pytest.raises(ConfigurationError, match=r"m\[0\]\.content\[1\]"):
                made.add_system([file], "m[1]")
            with pytest.warns(UserWarning, match=r"m\[0\] has a part"):
                assert made.finished()[0]["content"] == "가\n[file: application/pdf, 307 kB]"
        else:
            made.add_user([file, {"type": "image_url"}], "m[1]", is_last_turn=True)
            made.add_system([file, {"type": "image_url"}], "m[2]")
            assert [message["role"] for message in made.finished()] == ["system", "user", "user"]
