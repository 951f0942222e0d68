"""Answers byte for byte, as they were observed or may be: what the emulator does not send is sent here by hand."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from client_support import KEY, Wire, answer, bytewise, sample, sse
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_support import CHAT, STRUCTURED, WITH_TOOLS, calls_of, kinds, run
from pydantic import BaseModel

from clova_studio import ClovaStudioError
from llama_index_clova import ClovaX

OF_STREAM = ["stream_chat_with_tools", "astream_chat_with_tools"]
USAGE = {"promptTokens": 134, "completionTokens": 48, "totalTokens": 315}
CITIES = ["서울", "부산"]


class Note(BaseModel):
    """쪽지."""

    location: str = ""
    unit: str | None = None


def get_weather(location: str = "어디든", unit: str | None = None) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location} {unit}"


WEATHER = FunctionTool.from_defaults(get_weather)


def over(wire: Wire, **settings: Any) -> ClovaX:
    """Return a language model whose requests are answered by hand."""
    transport = httpx.MockTransport(wire)
    clients = {
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }
    return ClovaX(**{"api_key": KEY, "base_url": "http://127.0.0.1:1", "max_retries": 0, **clients, **settings})


def call(number: int, arguments: Any) -> dict[str, Any]:
    """Return a whole call on the wire."""
    return {"id": f"call_{number}", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


def opening(number: int) -> dict[str, Any]:
    """Return the message of a token event that opens a call."""
    opened = {"id": f"call_{number}", "type": "function", "function": {"name": "get_weather"}}
    return {"role": "assistant", "content": "", "toolCalls": [opened]}


def fragment(text: str) -> dict[str, Any]:
    """Return the message of a token event with a piece of arguments."""
    piece = {"type": "function", "function": {"partialJson": text}}
    return {"role": "assistant", "content": "", "toolCalls": [piece]}


def stream(tokens: list[dict[str, Any]], message: dict[str, Any], finish: str | None = "stop", **more: Any) -> Wire:
    """Return a streamed answer."""
    frames = [("token", {"message": token, "finishReason": None, "usage": None}) for token in tokens]
    result = {"message": message, "finishReason": finish, "created": 1755269271, "seed": 7, "usage": USAGE, **more}
    frames.append(("result", result))
    lines = [f"id:{n}\nevent:{name}\ndata:{json.dumps(data)}\n\n" for n, (name, data) in enumerate(frames)]
    return Wire([lambda: sse("".join(lines).encode())])


def whole(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> Wire:
    """Return an answer that comes at once."""
    result = {"message": message, "finishReason": finish, "created": 1755269271, "seed": 7, "usage": USAGE, **more}
    body = {"status": {"code": "20000", "message": "OK"}, "result": result}
    return Wire([lambda: answer(json.dumps(body).encode())])


def sent(way: str, tokens: list[dict[str, Any]], message: dict[str, Any], finish: str | None, **more: Any) -> Wire:
    """Return an answer as the way of asking needs it."""
    return stream(tokens, message, finish, **more) if "stream" in way else whole(message, finish, **more)


@pytest.mark.parametrize("name", ["v3_chat", "v3_thinking", "v3_tools"])
@pytest.mark.parametrize("way", CHAT)
def test_observed_answers(name: str, way: str) -> None:
    """Answers as observed are given out once and whole, also when they arrive byte by byte."""
    expected = json.loads(sample(f"{name}.json"))["result"]
    body = sample(f"{name}.sse") if "stream" in way else sample(f"{name}.json")
    llm = over(Wire([lambda: sse(bytewise(body)) if "stream" in way else answer(body)]), model="HCX-007")
    responses = run(llm, way, [ChatMessage("안녕")])
    last, message = responses[-1], expected["message"]
    assert (last.message.content or "") == message["content"]
    assert [b.content for b in last.message.blocks if b.block_type == "thinking"] == [
        text for text in [message.get("thinkingContent")] if text
    ]
    functions = [item["function"] for item in message.get("toolCalls", [])]
    assert calls_of(last.message) == [(function["name"], function["arguments"]) for function in functions]
    assert last.raw["usage"]["total_tokens"] == expected["usage"]["totalTokens"]
    assert last.additional_kwargs["finish_reason"] == expected["finishReason"]
    if "stream" in way:
        assert "".join(response.delta or "" for response in responses) == message["content"]


@pytest.mark.parametrize("way", CHAT)
def test_counts_are_the_services_own(way: str) -> None:
    """The counts are given as they were sent: observed sums do not always add up."""
    text = {"role": "assistant", "content": "네"}
    last = run(over(sent(way, [text], text, "stop")), way, [ChatMessage("안녕")])[-1]
    assert last.raw["usage"]["total_tokens"] == last.additional_kwargs["total_tokens"] == 315
    assert (last.raw["usage"]["prompt_tokens"], last.raw["usage"]["completion_tokens"]) == (134, 48)


@pytest.mark.parametrize("way", CHAT)
def test_what_may_be_missing(way: str) -> None:
    """No usage, no finish reason, no content: the answer is given all the same."""
    message = {"role": "assistant", "content": None, "thinkingContent": "생각만"}
    thought = {"role": "assistant", "thinkingContent": "생각만"}
    llm = over(sent(way, [thought], message, None, usage=None, aiFilter=None), model="HCX-007")
    last = run(llm, way, [ChatMessage("안녕")])[-1]
    assert kinds(last.message) == ["text", "thinking"]
    assert not last.message.content
    assert not last.raw.get("usage")


@pytest.mark.parametrize("way", ["stream_chat", "astream_chat"])
def test_result_without_tokens(way: str) -> None:
    """A stream that has its text in the result alone gives that text, once."""
    message = {"role": "assistant", "content": "모두 한 번에"}
    responses = run(over(stream([], message)), way, [ChatMessage("안녕")])
    assert "".join(response.delta or "" for response in responses) == "모두 한 번에"
    assert responses[-1].message.content == "모두 한 번에"


@pytest.mark.parametrize("way", OF_STREAM)
@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("order", ["one after the other", "both opened first", "result alone"])
def test_calls_come_from_the_result(way: str, parallel: bool, order: str) -> None:  # noqa: FBT001
    """Fragments do not say whose they are: at the end the calls are those of the result."""
    texts = [json.dumps({"location": city}, ensure_ascii=False) for city in CITIES]
    tokens = {
        "one after the other": [opening(0), fragment(texts[0]), opening(1), fragment(texts[1])],
        "both opened first": [opening(0), opening(1), fragment(texts[0]), fragment(texts[1])],
        "result alone": [],
    }[order]
    calls = [call(number, {"location": city}) for number, city in enumerate(CITIES)]
    message = {"role": "assistant", "content": "", "toolCalls": calls}
    llm = over(stream(tokens, message, "tool_calls"))
    last = run(llm, way, [WEATHER], user_msg="날씨", allow_parallel_tool_calls=parallel)[-1]
    expected = [("call_0", {"location": "서울"}), ("call_1", {"location": "부산"})][: 2 if parallel else 1]
    picked = llm.get_tool_calls_from_response(last)
    assert [(item.tool_id, item.tool_kwargs) for item in picked] == expected
    assert [(b.tool_call_id, b.tool_kwargs) for b in last.message.blocks if b.block_type == "tool_call"] == expected


@pytest.mark.parametrize("way", ["chat_with_tools", "achat_with_tools"])
def test_other_forms_of_calls(way: str) -> None:
    """Arguments as JSON text are a dict too, and a call without an id gets one, the same in both places."""
    calls = [{"type": "function", "function": {"name": "get_weather", "arguments": '{"location": "서울"}'}}]
    llm = over(whole({"role": "assistant", "content": "", "toolCalls": calls}, "tool_calls"))
    last = run(llm, way, [WEATHER], user_msg="날씨")[-1]
    (picked,) = llm.get_tool_calls_from_response(last)
    assert picked.tool_kwargs == {"location": "서울"}
    assert picked.tool_id
    assert picked.tool_id == last.message.blocks[-1].tool_call_id
    assert picked.tool_id == last.message.additional_kwargs["tool_calls"][0]["id"]


# What a stream may end with after the cap cut a call; none of it is recorded.
CUT = [opening(0), fragment('{"location": "서울'), fragment("특별")]
ENDS: dict[str, dict[str, Any]] = {
    "no calls": {"role": "assistant", "content": ""},
    "empty arguments": {"role": "assistant", "content": "", "toolCalls": [call(0, {})]},
    "what could be read": {"role": "assistant", "content": "", "toolCalls": [call(0, {"location": "서울특별"})]},
}


# An answer that comes at once and has no call has nothing to carry out.
CUTS = [(way, name) for way in WITH_TOOLS for name in ENDS if "stream" in way or name != "no calls"]


@pytest.mark.parametrize(("way", "end"), CUTS)
def test_cut_call_is_never_carried_out(way: str, end: str) -> None:
    """A call that the output cap cut is an error when it is to be carried out, however the answer ended."""
    llm = over(sent(way, CUT, ENDS[end], "length"))
    last = run(llm, way, [WEATHER], user_msg="날씨")[-1]
    assert last.additional_kwargs["finish_reason"] == "length"
    for strict in (True, False):
        with pytest.raises((ValueError, ClovaStudioError), match=r"max_tokens|cut|length"):
            llm.get_tool_calls_from_response(last, error_on_no_tool_call=strict)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_cut_object_is_an_error(way: str, end: dict[str, Any]) -> None:
    """An object that the output cap cut is an error in every form, though its fields are all optional."""
    with pytest.raises((ValueError, ClovaStudioError)):
        run(over(sent(way, CUT, end, "length")), way, Note, PromptTemplate("날씨"))


@pytest.mark.parametrize("way", ["predict_and_call", "apredict_and_call"])
def test_cut_call_runs_no_tool(way: str) -> None:
    """predict_and_call does not run a tool with half of its arguments."""
    ran: list[str] = []

    def note(location: str = "어디든") -> str:
        """도시의 날씨를 알려 줍니다."""
        ran.append(location)
        return location

    tool = FunctionTool.from_defaults(note, name="get_weather")
    with pytest.raises((ValueError, ClovaStudioError)):
        run(over(whole(ENDS["empty arguments"], "length")), way, [tool], user_msg="날씨")
    assert ran == []


def test_calls_with_the_same_client_twice() -> None:
    """One instance over the caller's clients serves both worlds, one after the other."""
    text = {"role": "assistant", "content": "네"}
    llm = over(whole(text))
    assert llm.complete("안녕").text == asyncio.run(llm.acomplete("안녕")).text == "네"
