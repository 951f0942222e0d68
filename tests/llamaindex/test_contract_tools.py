"""Tool calls of the language model: what is sent for them, and what comes out of every way of asking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_support import MODELS, WITH_TOOLS, calls_of, kinds, replay, run

from clova_studio import ClovaStudioError, ConfigurationError, UnsupportedFunctionError
from clova_studio.emulator import Fault
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

MAGIC = "What is the value of magic_function(3)? Use the tool."
TWO = [{"name": "get_weather", "arguments": {"location": city}} for city in ("서울", "你好啊集团 😀")]
ALL = {"content": "찾아보겠습니다.", "thinking": "도구가 필요하다.", "tool_calls": TWO}
FORCED = {"type": "function", "function": {"name": "get_weather"}}
documented = pytest.mark.parametrize("server", ["documented"], indirect=True)


def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음"


def magic_function(input: int) -> int:  # noqa: A002  the name that langchain-tests has
    """Applies a magic function to an input."""
    return input + 2


def now() -> str:
    """지금 몇 시인지 알려 줍니다."""
    return "12:00"


WEATHER, MAGICIAN, CLOCK = (FunctionTool.from_defaults(function) for function in (get_weather, magic_function, now))


def picked(llm: ClovaX, response: Any, **options: Any) -> list[tuple[str, Any]]:
    """Return name and arguments of the calls that LlamaIndex would carry out."""
    found = llm.get_tool_calls_from_response(response, **options)
    assert all(call.tool_id for call in found)
    return [(call.tool_name, call.tool_kwargs) for call in found]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_call_is_the_wires(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """A call has the wire's name, arguments and id in the block, the selection and LlamaIndex's older place."""
    llm = ClovaX(model=model, seed=7, **account)
    responses = run(llm, way, [WEATHER, MAGICIAN], user_msg=MAGIC)
    last, (wire,) = responses[-1], replay(server)["message"]["toolCalls"]
    assert calls_of(last.message) == picked(llm, last) == [("magic_function", {"input": 3})]
    assert wire["function"] == {"name": "magic_function", "arguments": {"input": 3}}
    assert last.message.blocks[-1].tool_call_id == wire["id"]
    assert len(last.message.additional_kwargs["tool_calls"]) == 1
    assert not last.message.content
    assert last.additional_kwargs["finish_reason"] == "tool_calls"
    assert last.raw["usage"]["prompt_tokens"] == replay(server)["usage"]["promptTokens"]
    assert len(server.requests) == 3
    sent = server.requests[0].body
    assert sent["messages"] == [{"role": "user", "content": MAGIC}]
    assert sent.get("toolChoice") in {None, "auto"}
    assert sent.get("thinking") == ({"effort": "none"} if model == "HCX-007" else None)
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["get_weather", "magic_function"]
    for tool, schema in zip(
        sent["tools"], [{"location": {"type": "string"}}, {"input": {"type": "integer"}}], strict=True
    ):
        assert tool["function"]["parameters"] == {"type": "object", "properties": schema, "required": [*schema]}
        assert tool["function"]["description"]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", ["stream_chat_with_tools", "astream_chat_with_tools"])
def test_streamed_calls_come_whole(server: EmulatorServer, account: Any, way: str) -> None:
    """A call shows up once and whole, with the last response; what arrived of it before is in raw, as fragments."""
    server.script([{"tool_calls": TWO}])
    llm = ClovaX(**account)
    *before, last = run(llm, way, [WEATHER], user_msg="날씨", allow_parallel_tool_calls=True)
    for response in before:
        assert calls_of(response.message) == []
        assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    assert calls_of(last.message) == picked(llm, last) == [(call["name"], call["arguments"]) for call in TWO]
    fragments = [part for response in before for part in response.raw.tool_call_fragments]
    for index, call in enumerate(TWO):
        text = "".join(part.function.partial_json or "" for part in fragments if part.index == index)
        assert json.loads(text) == call["arguments"]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_thinking_text_and_calls_do_not_mix(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """Text, thinking and two calls are four blocks in this order, with ids of their own and real characters."""
    server.script([ALL])
    llm = ClovaX(model=model, **account)
    responses = run(llm, way, [WEATHER], user_msg="서울과 부산?", allow_parallel_tool_calls=True)
    message = responses[-1].message
    assert kinds(message) == ["text", "thinking", "tool_call", "tool_call"]
    assert (message.blocks[1].content, message.content) == (ALL["thinking"], ALL["content"])
    assert picked(llm, responses[-1]) == [(call["name"], call["arguments"]) for call in TWO]
    assert len({block.tool_call_id for block in message.blocks[2:]}) == 2
    assert len(message.additional_kwargs["tool_calls"]) == 2
    if "stream" in way:
        assert "".join(response.delta or "" for response in responses) == ALL["content"]


@pytest.mark.parametrize("way", WITH_TOOLS)
@pytest.mark.parametrize("options", [{}, {"allow_parallel_tool_calls": False}])
def test_one_call_unless_several_are_allowed(
    server: EmulatorServer, account: Any, way: str, options: dict[str, Any]
) -> None:
    """Without parallel calls the first is kept, in both places and in every response of a stream."""
    server.script([{"tool_calls": TWO}])
    llm = ClovaX(**account)
    responses = run(llm, way, [WEATHER], user_msg="날씨", **options)
    assert calls_of(responses[-1].message) == picked(llm, responses[-1]) == [("get_weather", {"location": "서울"})]
    for response in responses:
        assert len(calls_of(response.message)) <= 1
        assert len(response.message.additional_kwargs.get("tool_calls") or []) <= 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_call_without_arguments(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """A tool without arguments is an empty object on the wire, and its call has {}."""
    llm = ClovaX(model=model, **account)
    last = run(llm, way, [CLOCK], user_msg="시각을 알려 주세요.", tool_required=True)[-1]
    assert calls_of(last.message) == picked(llm, last) == [("now", {})]
    parameters = server.requests[-1].body["tools"][0]["function"]["parameters"]
    assert parameters == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, {None, "auto"}),
        (False, {None, "auto"}),
        ("", {None, "auto"}),
        ({}, {None, "auto"}),
        ("auto", {"auto"}),
        ("none", {"none"}),
    ],
)
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_plain_choices(server: EmulatorServer, account: Any, way: str, choice: str | None, sent: set[Any]) -> None:
    """No choice, auto and none reach the wire as they are; what is empty is no choice."""
    last = run(ClovaX(**account), way, [WEATHER, CLOCK], user_msg="안녕", tool_choice=choice)[-1]
    assert server.requests[0].body.get("toolChoice") in sent
    assert last.message.content
    assert len(server.requests) == 1


@pytest.mark.each_behaviour
@pytest.mark.parametrize("choice", ["get_weather", FORCED])
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_named_tool_is_called(server: EmulatorServer, account: Any, way: str, choice: Any) -> None:
    """A tool that is named is called: forced as documented, or, refused as observed, alone and with an instruction."""
    llm = ClovaX(**account)
    for _ in range(3):
        last = run(llm, way, [CLOCK, WEATHER], user_msg="안녕", tool_choice=choice)[-1]
        assert [name for name, _ in picked(llm, last)] == ["get_weather"]
    sent = [request.body["toolChoice"] for request in server.requests]
    # One 40009 says nothing lasting, two with the same request accepted without force do.
    assert sent == ([FORCED, "auto", FORCED, "auto", "auto"] if server.requests[0].status == 400 else [FORCED] * 3)


def test_wrong_choices_are_refused(server: EmulatorServer, account: Any) -> None:
    """A choice that names none of the tools is refused unsent, by name."""
    for wrong in ("other", {"type": "function", "function": {"name": "other"}}):
        with pytest.raises(ConfigurationError, match="other"):
            ClovaX(**account).chat_with_tools([WEATHER], user_msg="안녕", tool_choice=wrong)
    assert server.requests == []


@documented
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_required_with_one_tool_forces_it(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """tool_required with one tool is the service's forced choice, for it has no "required"."""
    llm = ClovaX(model=model, **account)
    last = run(llm, way, [WEATHER], user_msg="안녕", tool_required=True)[-1]
    assert [name for name, _ in picked(llm, last)] == ["get_weather"]
    assert [request.body["toolChoice"] for request in server.requests] == [FORCED]


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_required_of_several_is_asked_once_more(server: EmulatorServer, account: Any, way: str) -> None:
    """A text where a call was demanded leaves no trace: the model is asked again, and both requests are counted."""
    server.script(["글로 답합니다.", {"tool_calls": TWO[:1]}])
    llm = ClovaX(**account)
    responses = run(llm, way, [WEATHER, CLOCK], user_msg="안녕", tool_required=True)
    last = responses[-1]
    assert picked(llm, last) == [("get_weather", {"location": "서울"})]
    assert not any(response.message.content or response.delta for response in responses)
    assert "tool_choice_unmet" not in last.additional_kwargs
    first, second = (request.body for request in server.requests)
    assert (first["toolChoice"], second["toolChoice"]) == ("auto", "auto")
    assert first["messages"][0]["role"] == "system"
    assert "get_weather" in first["messages"][0]["content"]
    assert "now" in first["messages"][0]["content"]
    both = sum(replay(server, number)["usage"]["promptTokens"] for number in (0, 1))
    assert last.raw["usage"]["prompt_tokens"] == both


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_unmet_demand_is_marked(server: EmulatorServer, account: Any, way: str) -> None:
    """When the second answer is text too it is given out, marked, and there is no call to carry out."""
    server.script(["하나", "둘"])
    llm = ClovaX(**account)
    last = run(llm, way, [WEATHER, CLOCK], user_msg="안녕", tool_required=True)[-1]
    assert last.message.content == "둘"
    assert last.additional_kwargs["tool_choice_unmet"]
    assert len(server.requests) == 2
    assert llm.get_tool_calls_from_response(last, error_on_no_tool_call=False) == []
    with pytest.raises((ValueError, ClovaStudioError), match="tool"):
        llm.get_tool_calls_from_response(last)


@pytest.mark.parametrize("way", WITH_TOOLS)
def test_invented_tool_is_an_error_of_its_own(server: EmulatorServer, account: Any, way: str) -> None:
    """40009 without a tool's result before it is raised with a hint; the policy can have it answered instead."""
    server.add_fault(Fault("invented_tool", times=1))
    with pytest.raises(UnsupportedFunctionError) as caught:
        run(ClovaX(**account), way, [WEATHER], user_msg="안녕")
    assert caught.value.hint
    server.add_fault(Fault("invented_tool", times=1))
    last = run(ClovaX(tool_fallback="always", **account), way, [WEATHER], user_msg="안녕")[-1]
    assert last.message.content
    assert last.additional_kwargs["tool_fallback"]
    assert [request.body.get("toolChoice") for request in server.requests][-1] == "none"


def test_small_caps(server: EmulatorServer, account: Any) -> None:
    """With tools a constructor's cap under 1,024 is raised with a warning; a call's is refused."""
    with pytest.warns(UserWarning, match="1024"):
        ClovaX(max_tokens=100, **account).chat_with_tools([WEATHER], user_msg=ChatMessage("안녕"))
    assert server.requests[0].body["maxTokens"] == 1024
    with pytest.raises(ConfigurationError, match="1024"):
        ClovaX(**account).chat_with_tools([WEATHER], user_msg="안녕", max_tokens=100)
    with pytest.raises(ConfigurationError, match="thinking"):
        ClovaX(model="HCX-007", thinking="low", **account).chat_with_tools([WEATHER], user_msg="안녕")
    assert len(server.requests) == 1


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", ["chat", "stream_chat", "achat", "astream_chat"])
def test_tools_as_options_of_a_chat(server: EmulatorServer, account: Any, way: str) -> None:
    """Tools and a choice can be given to chat itself, as OpenAI's dicts, and no tools are none."""
    llm, given = ClovaX(**account), [WEATHER.metadata.to_openai_tool()]
    last = run(llm, way, [ChatMessage("서울 날씨는?")], tools=given, tool_choice="auto")[-1]
    assert picked(llm, last) == [("get_weather", {"location": "서울"})]
    assert given == [WEATHER.metadata.to_openai_tool()]
    assert run(llm, way, [ChatMessage("안녕")], tools=[])[-1].message.content
    assert "tools" not in server.requests[-1].body
