# mypy: disable-error-code="attr-defined"
"""Conversations with tools: what of them goes back to the service, and the loops that LlamaIndex builds on them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.base.llms.types import ThinkingBlock, ToolCallBlock
from llama_index.core.llms import ChatMessage, ChatResponse, TextBlock
from llama_index.core.tools import FunctionTool
from llama_support import CHAT, MODELS, WITH_TOOLS, run

from clova_studio import ClovaStudioError, ConfigurationError, UnsupportedFunctionError
from clova_studio.emulator import Fault
from llama_index_clova import ClovaX
from llama_index_clova._messages import to_clova_messages

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

ASK = "서울 날씨는 어때요?"
# LlamaIndex's workflows look at every attribute of an agent, pydantic's deprecated ones included.
agents = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
CITIES = [{"name": "get_weather", "arguments": {"location": city}} for city in ("서울", "부산")]
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": {"location": "서울"}}}


def result_of(call_id: str | None, *texts: str) -> ChatMessage:
    """Return a tool's result as FunctionAgent builds it."""
    blocks = [TextBlock(text=text) for text in texts]
    return ChatMessage(role="tool", blocks=blocks, additional_kwargs={"tool_call_id": call_id})


def called(arguments: Any = None, **more: Any) -> ChatMessage:
    """Return an answer that calls the tool."""
    kwargs = {"location": "서울"} if arguments is None else arguments
    block = ToolCallBlock(tool_call_id="call_1", tool_name="get_weather", tool_kwargs=kwargs)
    return ChatMessage(role="assistant", blocks=[block], **more)


HISTORY = [ChatMessage(ASK), called(), result_of("call_1", "맑음")]


class Weather:
    """A tool that notes what it was called with."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.tool = FunctionTool.from_defaults(self.get_weather, name="get_weather", description="날씨를 알려 줍니다.")

    def get_weather(self, location: str) -> str:
        self.asked.append(location)
        return f"{location}은(는) 맑음 😀"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WITH_TOOLS)
def test_own_answers_go_back(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """What any way of asking gave is replayed as one call each, with objects as arguments, and without thinking."""
    server.script([{"content": "찾아보겠습니다.", "thinking": "비밀스러운 생각", "tool_calls": CITIES}])
    llm, tools = ClovaX(model=model, **account), [Weather().tool]
    given = run(llm, way, tools, user_msg=ASK, allow_parallel_tool_calls=True)[-1].message
    first = ChatMessage.model_validate_json(given.model_dump_json())  # as memories keep it
    assert first == given
    ids = [block.tool_call_id for block in first.blocks if isinstance(block, ToolCallBlock)]
    history = [ChatMessage(ASK), first, *(result_of(call_id, "맑음") for call_id in ids)]
    last = run(llm, way, tools, chat_history=history)[-1]
    assert "맑음" in last.message.content
    assert "비밀스러운" not in server.requests[-1].raw.decode()
    question, answer, *results = server.requests[-1].body["messages"]
    assert question == {"role": "user", "content": ASK}
    assert (answer["role"], answer["content"]) == ("assistant", "찾아보겠습니다.")
    assert [(call["id"], call["function"]) for call in answer["toolCalls"]] == list(zip(ids, CITIES, strict=True))
    assert results == [{"role": "tool", "toolCallId": call_id, "content": "맑음"} for call_id in ids]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", CHAT)
def test_history_without_tools_given(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """A conversation with calls and results is answered by chat too; HCX-007 then does not think."""
    assert "맑음" in run(ClovaX(model=model, **account), way, HISTORY)[-1].message.content
    body = server.requests[-1].body
    assert body["messages"][1] == {"role": "assistant", "content": "", "toolCalls": [CALL]}
    assert body.get("thinking") == ({"effort": "none"} if model == "HCX-007" else None)


@pytest.mark.parametrize(
    "answer",
    [
        called('{"location": "서울"}'),
        called(additional_kwargs={"tool_calls": [CALL]}),
        ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [CALL]}),
        ChatMessage(
            role="assistant",
            content="",
            additional_kwargs={
                "tool_calls": [
                    {**CALL, "function": {"name": "get_weather", "arguments": '{"location": "\\uc11c\\uc6b8"}'}}
                ]
            },
        ),
    ],
    ids=["arguments as text", "both places", "older place", "OpenAI's older place"],
)
def test_every_form_of_call_is_one_call(server: EmulatorServer, account: Any, answer: ChatMessage) -> None:
    """Calls in blocks, in LlamaIndex's older place or in both, with arguments as dict or text, are sent once."""
    assert ClovaX(**account).chat([ChatMessage(ASK), answer, result_of("call_1", "맑음")]).message.content
    assert server.requests[-1].body["messages"][1]["toolCalls"] == [CALL]


def test_deep_arguments_of_a_history_are_still_an_object() -> None:
    """Arguments as text, nested deeper than any parser goes, go back to the model as the text that they are."""
    text = '{"a": ' + "[" * 100_000
    wire = to_clova_messages([called(text)])
    assert wire[0]["toolCalls"][0]["function"]["arguments"] == {"invalid_json": text}
    with pytest.raises(ValueError, match="not a JSON object"):
        ClovaX(api_key="nv-x").get_tool_calls_from_response(ChatResponse(message=called(text)))


def test_broken_arguments_are_still_an_object(server: EmulatorServer, account: Any) -> None:
    """A call whose arguments were no JSON is replayed as an object that shows them, so its result finds its call."""
    assert ClovaX(**account).chat([ChatMessage(ASK), called("[서울"), result_of("call_1", "틀림")]).message.content
    (call,) = server.requests[-1].body["messages"][1]["toolCalls"]
    assert "[서울" in call["function"]["arguments"].values()


def test_results_are_text(server: EmulatorServer, account: Any) -> None:
    """Several blocks of a result are one string, and an empty result is an empty one."""
    llm = ClovaX(**account)
    llm.chat([*HISTORY[:2], result_of("call_1", "맑음", "20도")])
    llm.chat([*HISTORY[:2], result_of("call_1")])
    assert [request.body["messages"][2]["content"] for request in server.requests] == ["맑음\n20도", ""]


def test_direct_return_is_a_plain_answer(server: EmulatorServer, account: Any) -> None:
    """The assistant message with a call id that FunctionAgent adds for return_direct is sent as an answer."""
    direct = ChatMessage(role="assistant", content="맑음", additional_kwargs={"tool_call_id": "call_1"})
    ClovaX(**account).chat([*HISTORY, direct, ChatMessage("고마워요")])
    assert server.requests[-1].body["messages"][3] == {"role": "assistant", "content": "맑음"}


def test_thinking_alone_is_left_out(server: EmulatorServer, account: Any) -> None:
    """An answer that was nothing but thinking has nothing to send."""
    thought = ChatMessage(role="assistant", blocks=[ThinkingBlock(content="비밀")])
    ClovaX(model="HCX-007", **account).chat([ChatMessage("안녕"), thought, ChatMessage("다시")])
    assert [message["content"] for message in server.requests[-1].body["messages"]] == ["안녕", "다시"]


@pytest.mark.parametrize("way", WITH_TOOLS)
def test_history_goes_before_the_message(server: EmulatorServer, account: Any, way: str) -> None:
    """The user's message comes last, as a string or a message."""
    for message in ("다시", ChatMessage("다시")):
        run(ClovaX(**account), way, [Weather().tool], user_msg=message, chat_history=HISTORY)
        roles = [(item["role"], item["content"]) for item in server.requests[-1].body["messages"]]
        assert roles == [("user", ASK), ("assistant", ""), ("tool", "맑음"), ("user", "다시")]


@pytest.mark.parametrize("way", WITH_TOOLS)
def test_no_tools_are_an_ordinary_chat(server: EmulatorServer, account: Any, way: str) -> None:
    """An agent without tools gets a text, with thinking as ever."""
    last = run(ClovaX(model="HCX-007", **account), way, [], chat_history=[ChatMessage(ASK)])[-1]
    assert [block.block_type for block in last.message.blocks] == ["text", "thinking"]
    assert set(server.requests[-1].body) == {"messages"}


@pytest.mark.parametrize("way", WITH_TOOLS)
def test_invented_tool_after_a_result(
    server: EmulatorServer, account: Any, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """40009 after a result is answered by the same request with tool choice none, marked; "never" raises it."""
    server.add_fault(Fault("invented_tool", times=1))
    last = run(ClovaX(**account), way, [Weather().tool], chat_history=HISTORY)[-1]
    assert last.message.content
    assert last.additional_kwargs["tool_fallback"]
    first, second = (request.body for request in server.requests)
    assert second.pop("toolChoice") == "none"
    first.pop("toolChoice", None)
    assert first == second
    assert "40009" in caplog.text
    server.add_fault(Fault("invented_tool", times=1))
    with pytest.raises(UnsupportedFunctionError):
        run(ClovaX(tool_fallback="never", **account), way, [Weather().tool], chat_history=HISTORY)


@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", ["predict_and_call", "apredict_and_call"])
def test_predict_and_call(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """The tool is run with the model's arguments; several calls only where allowed; a text is told, or given out."""
    llm, weather = ClovaX(model=model, **account), Weather()
    (answer,) = run(llm, way, [weather.tool], user_msg=ASK)
    assert (weather.asked, answer.response) == (["서울"], "서울은(는) 맑음 😀")
    server.script([{"tool_calls": CITIES}, {"tool_calls": CITIES}, "글", "글"])
    (one,) = run(llm, way, [weather.tool], user_msg=ASK)
    (both,) = run(llm, way, [weather.tool], user_msg=ASK, allow_parallel_tool_calls=True)
    assert weather.asked[1:] == ["서울", "서울", "부산"]
    assert (len(one.sources), len(both.sources)) == (1, 2)
    with pytest.raises((ValueError, ClovaStudioError)):
        run(llm, way, [weather.tool], user_msg="안녕")
    (text,) = run(llm, way, [weather.tool], user_msg="안녕", error_on_no_tool_call=False)
    assert (text.response, text.sources) == ("글", [])


@pytest.mark.each_behaviour
@agents
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("streaming", [True, False])
def test_function_agent(
    server: EmulatorServer,
    account: Any,
    model: str,
    streaming: bool,  # noqa: FBT001
) -> None:
    """The agent calls the tool once, answers in text from its result, and streams that text."""
    weather = Weather()
    llm = ClovaX(model=model, **account)
    agent = FunctionAgent(tools=[weather.tool], llm=llm, system_prompt="날씨 도우미", streaming=streaming)

    async def main() -> tuple[str, str]:
        handler = agent.run(ASK)
        text = "".join([event.delta async for event in handler.stream_events() if isinstance(event, AgentStream)])
        return text, (await handler).response.content

    streamed, answer = asyncio.run(main())
    assert weather.asked == ["서울"]
    assert "서울은(는) 맑음 😀" in answer
    assert streamed == (answer if streaming else "")
    assert len(server.requests) == 2
    assert [message["role"] for message in server.requests[-1].body["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]


@agents
def test_agent_streams_thinking(server: EmulatorServer, account: Any) -> None:
    """What the model thinks reaches the agent's events as thinking, not as text."""
    server.script([{"content": "맑아요.", "thinking": "날씨를 떠올린다."}])
    agent = FunctionAgent(tools=[Weather().tool], llm=ClovaX(model="HCX-007", **account))

    async def main() -> list[AgentStream]:
        handler = agent.run("안녕")
        events = [event async for event in handler.stream_events() if isinstance(event, AgentStream)]
        await handler
        return events

    events = asyncio.run(main())
    assert "".join(event.thinking_delta or "" for event in events) == "날씨를 떠올린다."
    assert "".join(event.delta for event in events) == "맑아요."


@pytest.mark.parametrize("way", CHAT)
def test_a_result_without_its_call_is_named(server: EmulatorServer, account: Any, way: str) -> None:
    """The index is the caller's, though system messages are joined; nothing is sent. A call without a result warns."""
    head = [ChatMessage("가", role="system"), ChatMessage("나", role="system")]
    orphan = ChatMessage("맑음", role="tool", additional_kwargs={"tool_call_id": "call_1"})
    with pytest.raises(ConfigurationError, match=r"messages\[2\] is the result of a tool .*'call_1'"):
        run(ClovaX(**account), way, [*head, orphan, ChatMessage("다")])
    assert server.requests == []
    block = ToolCallBlock(tool_call_id="call_1", tool_name="f", tool_kwargs={})
    called = ChatMessage(role="assistant", blocks=[block])
    with pytest.warns(UserWarning, match=r"messages\[3\] has a tool call without a result"):
        run(ClovaX(**account), way, [*head, ChatMessage("다"), called, ChatMessage("라")])
