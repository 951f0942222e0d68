# mypy: disable-error-code="attr-defined"
"""Failures of the service and of the network: the client's classes from every way of asking, and nothing half."""

from __future__ import annotations

import asyncio
import copy
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import ImageBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.llms import ChatMessage, TextBlock
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.tools import FunctionTool
from llama_support import CHAT, COMPLETE, MODELS, QUESTION, STREAMS, STRUCTURED, WITH_TOOLS, asked, run
from pydantic import BaseModel

import clova_studio
from clova_studio.emulator import Fault
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

QUICK = clova_studio.RetryPolicy(initial=0.01)
PREDICT = ["predict_and_call", "apredict_and_call"]
# A 429 without a time closes the quota of its address, which may be a later server's: these have a quota of their own.
REFUSALS = [
    (401, "40104", clova_studio.AuthenticationError),
    (400, "40003", clova_studio.ContextLengthError),
    (400, "40001", clova_studio.BadRequestError),
    (404, "40400", clova_studio.NotFoundError),
    (429, "42901", clova_studio.RateLimitError),
    (500, "50000", clova_studio.ServerError),
]


class Person(BaseModel):
    """사람."""

    age: int


def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음"


WEATHER = FunctionTool.from_defaults(get_weather)


def gather(seen: list[Any], llm: ClovaX, way: str) -> None:
    """Iterate a stream and keep what it gives, also when it fails."""
    if not way.startswith("a"):
        for response in getattr(llm, way)(asked(way)):
            seen.append(response)  # noqa: PERF402  what came before the error is wanted
        return

    async def main() -> None:
        async for response in await getattr(llm, way)(asked(way)):
            seen.append(response)  # noqa: PERF401  what came before the error is wanted

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_busy_service_is_waited_for(server: EmulatorServer, account: Any, busy: None, way: str) -> None:
    """429, 429, 200 is an answer after exactly three requests with one id."""
    last = run(ClovaX(**account), way, asked(way))[-1]
    assert last.text if "complete" in way else last.message.content
    assert [request.status for request in server.requests] == [429, 429, 200]
    assert len({request.headers["x-ncp-clovastudio-request-id"] for request in server.requests}) == 1


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS)
def test_refusals_have_their_class(
    server: EmulatorServer, account: Any, way: str, status: int, code: str, kind: type[Exception]
) -> None:
    """A refusal is the client's error with status, code and request id, after one request."""
    server.add_fault(Fault("status", status=status, code=code))
    llm = ClovaX(max_retries=0, quota_group=f"{way} {code}", **account)
    with pytest.raises(kind) as caught:
        run(llm, way, asked(way))
    error: Any = caught.value
    (request,) = server.requests
    assert type(error) is kind
    assert (error.status_code, error.code) == (status, code)
    assert error.request_id == request.headers["x-ncp-clovastudio-request-id"]


@pytest.mark.slow
@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("html"), clova_studio.ServerError),
        (Fault("html", status=200), clova_studio.InvalidResponseError),
        (Fault("reset"), clova_studio.APIConnectionError),
        (Fault("hang"), clova_studio.APITimeoutError),
        (Fault("ok_error", code="40003"), clova_studio.ContextLengthError),
    ],
    ids=["html-503", "html-200", "reset", "hang", "error-in-200"],
)
def test_broken_answers_have_their_class(
    server: EmulatorServer, account: Any, way: str, fault: Fault, kind: type[Exception]
) -> None:
    """A gateway's page, a reset, silence and an error in a 200 are typed errors, never answers."""
    server.add_fault(fault)
    with pytest.raises(kind):
        run(ClovaX(max_retries=0, timeout=0.2, **account), way, asked(way))


@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_retries_are_one_layer(server: EmulatorServer, account: Any, way: str) -> None:
    """max_retries means that many requests more, and nothing retries on top of it."""
    server.add_fault(Fault("reset"))
    with pytest.raises(clova_studio.APIConnectionError):
        run(ClovaX(max_retries=1, retry=QUICK, **account), way, asked(way))
    assert len(server.requests) == 2


@pytest.mark.slow
@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_retries_and_timeout_of_a_call(server: EmulatorServer, account: Any, way: str) -> None:
    """max_retries and timeout of a call go before the constructor's."""
    llm = ClovaX(max_retries=0, retry=QUICK, **account)
    server.add_fault(Fault("status", status=500, code="50000", times=2))
    with pytest.raises(clova_studio.ServerError):
        run(llm, way, asked(way), max_retries=1)
    assert len(server.requests) == 2
    server.add_fault(Fault("hang"))
    with pytest.raises(clova_studio.APITimeoutError):
        run(llm, way, asked(way), timeout=0.1)


@pytest.mark.each_behaviour
def test_real_refusals(server: EmulatorServer, account: Any) -> None:
    """Too long an input and an unknown model are what the service says they are."""
    llm = ClovaX(model="HCX-DASH-002", **account)
    for way in CHAT:
        with pytest.raises(clova_studio.ContextLengthError):
            run(llm, way, [ChatMessage("대한민국 " * 40_000)])
        with pytest.raises(clova_studio.NotFoundError):
            run(llm, way, [ChatMessage("안녕")], model="HCX-404")


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize(
    ("code", "kind"), [("42901", clova_studio.RateLimitError), ("50000", clova_studio.ServerError)]
)
def test_error_before_the_first_token(
    server: EmulatorServer, account: Any, way: str, code: str, kind: type[Exception]
) -> None:
    """An error event at the start of a stream is the error of its code."""
    server.add_fault(Fault("error_event", after=0, code=code))
    with pytest.raises(kind):
        run(ClovaX(max_retries=0, quota_group=f"{way} {code}", **account), way, asked(way))


@pytest.mark.parametrize("way", STREAMS)
def test_stream_that_fails_at_its_start_is_repeated(server: EmulatorServer, account: Any, way: str) -> None:
    """A stream that fails before its first token is asked for again, and the answer is whole."""
    server.add_fault(Fault("error_event", after=0, code="50000", times=1))
    last = run(ClovaX(seed=7, retry=QUICK, **account), way, asked(way))[-1]
    whole = ClovaX(seed=7, **account).complete(QUESTION).text
    assert (last.text if "complete" in way else last.message.content) == whole
    assert len(server.requests) == 3


@pytest.mark.slow
@pytest.mark.each_behaviour
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("kind", ["cut", "cut_abrupt", "error_event", "truncate"])
def test_interrupted_streams(server: EmulatorServer, account: Any, model: str, way: str, kind: str) -> None:
    """A stream that breaks gives what had arrived, then an error that holds it, and is not asked for again."""
    server.add_fault(Fault(kind, after=2, code="50000"))
    seen: list[Any] = []
    with pytest.raises(clova_studio.StreamInterruptedError) as caught:
        gather(seen, ClovaX(model=model, **account), way)
    assert len(seen) == 2
    partial = caught.value.partial.message
    if "complete" not in way:
        assert partial.content == "".join(response.delta or "" for response in seen)
        thinking = "".join(response.additional_kwargs.get("thinking_delta") or "" for response in seen)
        assert (partial.thinking_content or "") == thinking
        assert partial.content or thinking
    assert caught.value.__cause__ is not None
    assert len(server.requests) == 1


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", ["stream_chat_with_tools", "astream_chat_with_tools"])
def test_interrupted_tool_call(server: EmulatorServer, account: Any, way: str) -> None:
    """A stream that breaks in the middle of a call's arguments is an error, not a call."""
    server.script([{"tool_calls": [{"name": "get_weather", "arguments": {"location": "서울특별시 종로구"}}]}])
    server.add_fault(Fault("cut", after=3))
    with pytest.raises(clova_studio.StreamInterruptedError):
        run(ClovaX(**account), way, [WEATHER], user_msg="날씨")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", STRUCTURED)
def test_failures_of_structured_prediction(server: EmulatorServer, account: Any, model: str, way: str) -> None:
    """Structured prediction raises the service's errors, those in streams too, instead of an object of nothing."""
    prompt = ChatPromptTemplate([ChatMessage("나이는 27입니다.")])
    llm = ClovaX(model=model, max_retries=0, **account)
    server.add_fault(Fault("status", status=500, code="50000", times=1))
    with pytest.raises(clova_studio.ServerError):
        run(llm, way, Person, prompt)
    if "stream" in way:
        server.add_fault(Fault("cut", after=2))
        with pytest.raises(clova_studio.StreamInterruptedError):
            run(llm, way, Person, prompt)


@pytest.mark.parametrize("way", [*CHAT, *WITH_TOOLS, *PREDICT, *STRUCTURED])
def test_what_the_caller_gave_stays_as_it_was(server: EmulatorServer, account: Any, way: str) -> None:
    """Neither the list, nor a message in it, nor an option, nor a tool is changed, when a call fails too."""
    calls = [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": {"location": "서울"}}}
    ]
    messages = [
        ChatMessage("존댓말로", role="system"),
        ChatMessage(blocks=[TextBlock(text="서울 날씨는?"), ImageBlock(url="https://img.example.com/a.png")]),
        ChatMessage(
            role="assistant",
            blocks=[
                ThinkingBlock(content="생각"),
                ToolCallBlock(tool_call_id="call_1", tool_name="get_weather", tool_kwargs='{"location": "서울"}'),
            ],
            additional_kwargs={"tool_calls": calls},
        ),
        ChatMessage(role="tool", blocks=[TextBlock(text="맑음")], additional_kwargs={"tool_call_id": "call_1"}),
        ChatMessage("부산 날씨는? 나이는 27입니다."),
    ]
    tools, options = [WEATHER], {"stop": ["끝"], "seed": 3}
    before, members = copy.deepcopy((messages, options)), list(messages)
    schema = copy.deepcopy(WEATHER.metadata.get_parameters_dict())

    def ask(llm: ClovaX) -> None:
        if way in STRUCTURED:
            run(llm, way, Person, ChatPromptTemplate(messages), llm_kwargs=options)
        elif way in CHAT:
            run(llm, way, messages, **options)
        else:
            lenient = {"error_on_no_tool_call": False} if way in PREDICT else {}
            run(llm, way, tools, chat_history=messages, user_msg="부산은?", **lenient, **options)

    with pytest.warns(UserWarning, match="image") if way not in CHAT else nullcontext():
        ask(ClovaX(system_prompt="짧게", **account))
    server.add_fault(Fault("status", status=500, code="50000"))
    with (
        pytest.raises(clova_studio.ServerError),
        pytest.warns(UserWarning, match="image") if way not in CHAT else nullcontext(),
    ):
        ask(ClovaX(system_prompt="짧게", max_retries=0, **account))
    assert (messages, options) == before
    assert all(one is other for one, other in zip(messages, members, strict=True))
    assert tools == [WEATHER]
    assert WEATHER.metadata.get_parameters_dict() == schema
