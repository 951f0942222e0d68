"""Streams whose fragments of tool calls differ from their result, as bytes, and the calls that are true."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

SEOUL, BUSAN = {"city": "서울"}, {"city": "부산"}
USAGE = {"promptTokens": 9, "completionTokens": 47, "totalTokens": 56}


def text_of(arguments: Any) -> str:
    """Return arguments as the service writes them."""
    return json.dumps(arguments, ensure_ascii=False)


def whole(call_id: str | None, arguments: Any, name: str | None = "get_weather") -> dict[str, Any]:
    """Return a call of a result."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def opened(call_id: str | None = None, name: str | None = "get_weather", **more: Any) -> dict[str, Any]:
    """Return the fragment that opens a call."""
    function = {} if name is None else {"name": name}
    return {**({} if call_id is None else {"id": call_id}), "type": "function", "function": function, **more}


def part(text: str, **more: Any) -> dict[str, Any]:
    """Return a fragment with a piece of the arguments."""
    return {"type": "function", "function": {"partialJson": text}, **more}


def named(text: str, call_id: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a fragment that has the tool's name again."""
    call = opened(call_id, **more)
    call["function"]["partialJson"] = text
    return call


@dataclass(frozen=True)
class Scenario:
    """A streamed answer.

    Attributes:
        tokens: What the tokens bring: a text, a list of fragments, or anything else to stand as ``toolCalls``.
        calls: The calls of the result; None for a result without the key.
        true: Id (None for any), name and arguments of each call that may be carried out.
        invalid: Id (None for any) and text of each call that may not.
        finish: The finish reason.
        content: The text of the result.
    """

    tokens: tuple[Any, ...]
    calls: tuple[dict[str, Any], ...] | None
    true: tuple[tuple[str | None, str, dict[str, Any]], ...]
    invalid: tuple[tuple[str | None, str], ...] = ()
    finish: str = "tool_calls"
    content: str = field(default="", kw_only=True)

    @property
    def knows_more(self) -> bool:
        """Whether the stream has a call that the whole answer has not: the output cap cut it before it was one."""
        return len(self.true) + len(self.invalid) > len(self.calls or ())

    @property
    def result(self) -> dict[str, Any]:
        """The result on the wire."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.calls is not None:
            message["toolCalls"] = list(self.calls)
        return {"message": message, "finishReason": self.finish, "created": 1755269271, "seed": 7, "usage": USAGE}

    @property
    def stream(self) -> bytes:
        """The answer as a stream."""
        return sse(*[("token", {"message": message_of(token)}) for token in self.tokens], ("result", self.result))

    @property
    def broken_off(self) -> bytes:
        """The stream without its result."""
        return self.stream.split(b"event:result")[0].rsplit(b"id:", 1)[0]

    @property
    def whole(self) -> bytes:
        """The answer as it comes when no stream was asked for."""
        return json.dumps({"status": {"code": "20000", "message": "OK"}, "result": self.result}).encode()


def message_of(token: Any) -> dict[str, Any]:
    """Return the message of a token event."""
    if isinstance(token, str):
        return {"role": "assistant", "content": token}
    return {"role": "assistant", "content": "", "toolCalls": token}


def sse(*events: tuple[str, Any]) -> bytes:
    """Return a stream of events."""
    lines = [f"id:{n}\nevent:{name}\ndata:{text_of(data)}\n\n" for n, (name, data) in enumerate(events)]
    # Half a surrogate pair is written as the escape that JSON has for it.
    return "".join(lines).encode(errors="backslashreplace")


A, B = ("a", "get_weather", SEOUL), ("b", "get_weather", BUSAN)
ONE, TWO = (whole("a", SEOUL),), (whole("a", SEOUL), whole("b", BUSAN))
SEOUL_PARTS = [part('{"city'), part('": "서'), part('울"}')]
BUSAN_PARTS = [part('{"city'), part('": "부'), part('산"}')]
GOOD = ([opened("a")], *[[piece] for piece in SEOUL_PARTS])

SCENARIOS = {
    "as observed": Scenario(GOOD, ONE, (A,)),
    "result alone": Scenario((), TWO, (A, B)),
    "cut in the middle": Scenario(
        ([opened("a")], [part('{"city":"서')]), (whole("a", {"city": "서울특별시"}),),
        (("a", "get_weather", {"city": "서울특별시"}),),
    ),
    "cut after the opening": Scenario(([opened("a")],), ONE, (A,)),
    "cut where it looks whole": Scenario(
        ([opened("a")], [part('{"city": "서울"}')]), (whole("a", {"city": "서울", "unit": "C"}),),
        (("a", "get_weather", {"city": "서울", "unit": "C"}),),
    ),
    "a broken escape": Scenario(([opened("a")], [part('{"city": "\\uc11')], [part('울"}')]), ONE, (A,)),
    "half a character": Scenario(([opened("a")], [part('{"city": "\ud83d"}')]), ONE, (A,)),
    "an escape for another": Scenario(([opened("a")], [part('{"city": "\\ud83d"}')]), ONE, (A,)),
    "nothing but white space": Scenario(([opened("a")], [part("  \n")]), ONE, (A,)),
    "other arguments": Scenario(([opened("a")], [part(text_of(BUSAN))]), ONE, (A,)),
    "arguments that the result has not": Scenario(
        ([opened("a")], [part(text_of(SEOUL))]), (whole("a", {}),), (("a", "get_weather", {}),)
    ),
    "id with each fragment": Scenario(
        ([named('{"ci', "a")], [named('ty": "서울"}', "a")]), ONE, (A,)
    ),
    "id in the result only": Scenario(([opened()], *[[piece] for piece in SEOUL_PARTS]), ONE, (A,)),
    "id in the fragments only": Scenario(GOOD, (whole(None, SEOUL),), ((None, "get_weather", SEOUL),)),
    "another id": Scenario(([opened("x")], [part(text_of(SEOUL))]), ONE, (A,)),
    "empty ids": Scenario(
        ([opened("")], [part('{"city": ', id="")]), (whole("", SEOUL),), ((None, "get_weather", SEOUL),)
    ),
    "the same empty id twice": Scenario(
        ([opened("")], [opened("")]), (whole("", SEOUL), whole("", BUSAN)),
        ((None, "get_weather", SEOUL), (None, "get_weather", BUSAN)),
    ),
    "one id for two calls": Scenario(
        (), (whole("a", SEOUL), whole("a", BUSAN)), (A, (None, "get_weather", BUSAN))
    ),
    "one call twice in the result": Scenario(GOOD, (*ONE, *ONE), (A,)),
    "name in the result only": Scenario(([opened("a", None)], [part(text_of(SEOUL))]), ONE, (A,)),
    "name with each fragment": Scenario(([named('{"city": ')], [named('"서울"}')]), ONE, (A,)),
    "another name": Scenario(([opened("a", "find_train")], [part(text_of(SEOUL))]), ONE, (A,)),
    "an index with each fragment": Scenario(
        ([opened("a", index=0)], [opened("b", index=1)], [part(text_of(BUSAN), index=1)], [part('{"ci', index=0)]),
        TWO, (A, B),
    ),
    "the same index for all": Scenario(
        ([opened("a", index=0)], [part('{"ci', index=0)], [opened("b", index=0)], [part(text_of(BUSAN), index=0)]),
        TWO, (A, B),
    ),
    "one call after the other": Scenario(
        (*GOOD, [opened("b")], *[[piece] for piece in BUSAN_PARTS]), TWO, (A, B)
    ),
    "both opened first": Scenario(
        ([opened("a"), opened("b")], *[[piece] for piece in SEOUL_PARTS + BUSAN_PARTS]), TWO, (A, B)
    ),
    "in turns": Scenario(
        ([opened("a")], [opened("b")], *[[x, y] for x, y in zip(SEOUL_PARTS, BUSAN_PARTS, strict=True)]), TWO, (A, B)
    ),
    "the second one first": Scenario(
        ([opened("b")], [part(text_of(BUSAN))], [opened("a")], [part(text_of(SEOUL))]), TWO, (A, B)
    ),
    "the same call twice, as it was meant": Scenario(
        ([opened("a")], [opened("b")]), (whole("a", SEOUL), whole("b", SEOUL)), (A, ("b", "get_weather", SEOUL))
    ),
    "more calls in the result": Scenario(GOOD, TWO, (A, B)),
    "fewer calls in the result": Scenario((*GOOD, [opened("b")], [part(text_of(BUSAN))]), ONE, (A,)),
    "no calls in the result": Scenario(GOOD, None, (), finish="stop"),
    "an empty list in the result": Scenario(GOOD, (), (), finish="stop"),
    "arguments as an object": Scenario(([{**opened("a"), "function": {"name": "f", "arguments": BUSAN}}],), ONE, (A,)),
    "arguments as pieces of text": Scenario(
        ([opened("a")], [{"function": {"arguments": '{"ci'}}], [{"function": {"arguments": 'ty": "서울"}'}}]), ONE, (A,)
    ),
    "arguments as text in the result": Scenario(GOOD, (whole("a", text_of(SEOUL)),), (A,)),
    "arguments as fragments in the result": Scenario(GOOD, (named(text_of(SEOUL), "a"),), (A,)),
    "no arguments": Scenario(([opened("a")],), (whole("a", None),), (("a", "get_weather", {}),)),
    "empty arguments": Scenario(([opened("a")],), (whole("a", ""),), (("a", "get_weather", {}),)),
    "each fragment twice": Scenario(tuple(token for token in GOOD for _ in range(2)), ONE, (A,)),
    "each fragment with all before it": Scenario(
        ([opened("a")], [part('{"city')], [part('{"city": "서')], [part(text_of(SEOUL))]), ONE, (A,)
    ),
    "the whole call after its pieces": Scenario((*GOOD, [named(text_of(SEOUL), "a")]), ONE, (A,)),
    "between words": Scenario(
        ("잠시만 ", [opened("a")], [part('{"ci')], "기다려 ", [part('ty": ')], "주세요."), ONE, (A,),
        content="잠시만 기다려 주세요.",
    ),
    "unreadable fragments": Scenario(
        ({"id": "a"}, [None], [{"id": 7}], [{"function": None}], [{"function": {"name": ["f"]}}], "네", 7), ONE, (A,),
        content="네",
    ),
    "arguments that are no JSON": Scenario(
        ([opened("a")], [part("{'city': ")]), (whole("a", "{'city': '서울'}"),), (), (("a", "{'city': '서울'}"),)
    ),
    "arguments that are a list": Scenario((), (whole("a", "[1]"), whole("b", BUSAN)), (B,), (("a", "[1]"),)),
    "arguments that are a list, as JSON": Scenario((), (whole("a", [1]),), (), (("a", "[1]"),)),
    "arguments that are cut": Scenario(
        GOOD, (whole("a", '{"city": "서'), whole("b", '{"city": '), whole("c", "[{")), (),
        (("a", '{"city": "서'), ("b", '{"city": '), ("c", "[{")),
    ),
    "arguments that are no JSON, and no partialJson": Scenario(
        (),
        ({"id": "a", "function": {"name": "get_weather", "arguments": "[1]", "partialJson": None}},),
        (),
        (("a", "[1]"),),
    ),
    "a call without a name": Scenario(
        (), (whole("a", SEOUL, None), whole("b", BUSAN)), (B,), (("a", text_of(SEOUL)),)
    ),
    "cut at the cap": Scenario(GOOD[:3], None, (), (("a", '{"city": "서'),), "length"),
    "cut at the cap after the name": Scenario(GOOD[:1], None, (), (("a", ""),), "length"),
    "cut at the cap, with what could be read": Scenario(
        GOOD[:3], (whole("a", {"city": "서"}),), (), (("a", text_of({"city": "서"})),), "length"
    ),
    "cut at the cap, with another id": Scenario(
        (*GOOD, [opened("x")], [part("{")]), (*ONE, whole("b", BUSAN)), (A,), (("b", text_of(BUSAN)),), "length"
    ),
    "cut at the cap in a third": Scenario(
        (*GOOD, [opened("b")], [part(text_of(BUSAN))], [opened("c")], [part('{"')]),
        TWO,
        (A,),
        (("b", text_of(BUSAN)), ("c", '{"')),
        "length",
    ),
    "cut at the cap in the second": Scenario(
        (*GOOD, [opened("b")], [part('{"city": "부')]), (*ONE, whole("b", {})), (A,), (("b", "{}"),), "length"
    ),
}  # fmt: skip
SCENARIO_NAMES = list(SCENARIOS)


def are(expected: tuple[tuple[Any, ...], ...], found: list[tuple[Any, ...]]) -> bool:
    """Return whether calls are the expected ones; an expected id that is None stands for any."""
    ids = [item[0] for item in found]
    return (
        len(found) == len(expected)
        and all(ids)
        and len(set(ids)) == len(ids)
        and all(
            item[1:] == other[1:] and other[0] in {None, item[0]} for item, other in zip(found, expected, strict=True)
        )
    )
