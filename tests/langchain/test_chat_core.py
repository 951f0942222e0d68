"""What langchain-core gives every chat model works with this one: limiters, fallbacks, batches, counters."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler, get_usage_metadata_callback
from langchain_core.exceptions import ModelAuthenticationError, ModelRateLimitError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool

from clova_studio import AuthenticationError, BadRequestError, RateLimitError, ServerError
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

# Of a 429: the quota is free again soon, so that no test waits for it.
SOON = {"x-ratelimit-reset-requests": "0.05s"}
QUESTION = "대한민국의 수도는 어디인가요?"
WAYS = ("invoke", "ainvoke", "stream", "astream")


@tool
def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음"


@tool
def find_train(start: str) -> str:
    """기차표를 찾습니다."""
    return start


def ask(model: Any, way: str, messages: Any = QUESTION, **options: Any) -> Any:
    """Return the answer of a model, asked in one of four ways."""
    if way == "invoke":
        return model.invoke(messages, **options)
    if way == "ainvoke":
        return asyncio.run(model.ainvoke(messages, **options))
    if way == "stream":
        first, *rest = model.stream(messages, **options)
    else:

        async def gather() -> list[Any]:
            return [chunk async for chunk in model.astream(messages, **options)]

        first, *rest = asyncio.run(gather())
    for chunk in rest:
        first += chunk
    return first


# Limiters and counters.


class Limiter(BaseRateLimiter):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.acquired = 0

    def acquire(self, *, blocking: bool = True) -> bool:  # noqa: ARG002  a counter never blocks
        """Count."""
        self.acquired += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:  # noqa: ARG002  as above
        """Count."""
        return self.acquire()


@pytest.mark.parametrize("way", WAYS)
def test_limiter_is_asked_once_a_call(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """One call acquires once, also when it takes several requests: after a full quota and for a demanded tool call."""
    limiter = Limiter()
    model = chat(rate_limiter=limiter)
    ask(model, way)
    assert limiter.acquired == 1
    server.add_fault(Fault("status", status=429, code="42901", headers=SOON, times=1))
    ask(model, way)
    assert limiter.acquired == 2
    server.script(["글", {"tool_calls": [{"name": "get_weather", "arguments": {"location": "부산"}}]}])
    ask(model.bind_tools([get_weather, find_train], tool_choice="any"), way)
    assert limiter.acquired == 3
    assert len(server.requests) == 5


def test_limiter_counts_batches_and_not_the_cache(chat: Callable[..., ChatClovaX]) -> None:
    """Each question of a batch acquires once; an answer from the cache does not."""
    limiter = Limiter()
    chat(rate_limiter=limiter).batch(["하나", "둘", "셋"])
    assert limiter.acquired == 3
    cached = chat(rate_limiter=limiter, cache=InMemoryCache())
    cached.invoke(QUESTION)
    cached.invoke(QUESTION)
    assert limiter.acquired == 4


@pytest.mark.parametrize("way", WAYS)
def test_usage_callback_counts_every_way(chat: Callable[..., ChatClovaX], way: str) -> None:
    """LangChain's usage callback sums tokens by model, thinking too, in all four ways."""
    handler = UsageMetadataCallbackHandler()
    config = {"callbacks": [handler]}
    answers = [ask(chat(model=name), way, config=config) for name in ("HCX-005", "HCX-007", "HCX-007")]
    assert set(handler.usage_metadata) == {"HCX-005", "HCX-007"}
    assert handler.usage_metadata["HCX-005"]["total_tokens"] == answers[0].usage_metadata["total_tokens"]
    counted = handler.usage_metadata["HCX-007"]
    assert counted["total_tokens"] == sum(answer.usage_metadata["total_tokens"] for answer in answers[1:])
    assert counted["output_token_details"]["reasoning"] > 0


def test_usage_of_a_block_of_calls(chat: Callable[..., ChatClovaX]) -> None:
    """get_usage_metadata_callback sees bound, streamed and batched calls."""
    with get_usage_metadata_callback() as counted:
        answers = [chat().bind_tools([get_weather]).invoke(QUESTION), *chat().batch([QUESTION, "안녕"])]
        answers.append(ask(chat(), "stream"))
    assert counted.usage_metadata["HCX-005"]["total_tokens"] == sum(
        answer.usage_metadata["total_tokens"] for answer in answers
    )


@pytest.mark.parametrize("counting", ["local", "api"])
def test_histories_are_trimmed_by_the_model(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, counting: str
) -> None:
    """trim_messages with the model as counter keeps what fits, also inside an event loop and in a chain."""
    model = chat(token_counting=counting)
    messages = [SystemMessage("짧게 답하세요.")]
    for i in range(6):
        messages += [HumanMessage(f"{i}번째 질문입니다."), AIMessage(f"{i}번째 답입니다.")]
    messages.append(HumanMessage(QUESTION))
    cap = model.get_num_tokens_from_messages(messages) // 2
    trimming = {"max_tokens": cap, "token_counter": model, "start_on": "human", "include_system": True}
    kept = trim_messages(messages, **trimming)
    assert kept[0] == messages[0]
    assert kept[-1] == messages[-1]
    assert 2 < len(kept) < len(messages)
    assert model.get_num_tokens_from_messages(kept) <= cap

    async def main() -> list[Any]:
        return trim_messages(messages, **trimming)

    assert asyncio.run(main()) == kept
    assert (trim_messages(**trimming) | model).invoke(messages).text
    assert len(server.requests[-1].body["messages"]) == len(kept)


# Fallbacks, retries, batches.


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_fallbacks_go_by_the_typed_errors(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """with_fallbacks goes on after the errors that it names, by our class or LangChain's, and after no other."""
    other = chat(model="HCX-DASH-002")
    for ours, theirs in ((RateLimitError, ModelRateLimitError), (AuthenticationError, ModelAuthenticationError)):
        status, code = (429, "42901") if ours is RateLimitError else (401, "40104")
        for named in (ours, theirs):
            server.reset()
            server.add_fault(Fault("status", status=status, code=code, headers=SOON, path="HCX-005"))
            model = chat(max_retries=0).with_fallbacks([other], exceptions_to_handle=(named,))
            assert ask(model, way).response_metadata["model_name"] == "HCX-DASH-002"
        with pytest.raises(ours):
            ask(chat(max_retries=0).with_fallbacks([other], exceptions_to_handle=(ServerError,)), way)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_retries_of_langchain_go_by_the_typed_errors(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """with_retry asks again after the errors that it names alone; the client's own retries can be left out."""
    named = {"retry_if_exception_type": (RateLimitError,), "wait_exponential_jitter": False, "stop_after_attempt": 3}
    model = chat(max_retries=0).with_retry(**named)
    server.add_fault(Fault("status", status=429, code="42901", headers=SOON, times=2))
    assert ask(model, way).text
    assert [request.status for request in server.requests] == [429, 429, 200]
    server.add_fault(Fault("status", status=400, code="40002", times=1))
    with pytest.raises(BadRequestError):
        ask(model, way)
    assert len(server.requests) == 4


def test_batches_keep_order_and_errors_in_place(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """batch, abatch and batch_as_completed answer each question at its index, an error at its own."""
    model = chat(max_retries=0)
    questions = [f"숫자 {i}은(는) 무엇인가요?" for i in range(6)]
    whole = model.batch(questions, config={"max_concurrency": 2})
    assert server.peak_in_flight <= 2
    assert [f"숫자 {i}" in answer.text for i, answer in enumerate(whole)] == [True] * 6
    awaited = asyncio.run(model.abatch(questions, config={"max_concurrency": 3}))
    assert [answer.text for answer in awaited] == [answer.text for answer in whole]
    assert sorted((i, answer.text) for i, answer in model.batch_as_completed(questions)) == [
        (i, answer.text) for i, answer in enumerate(whole)
    ]
    server.add_fault(Fault("status", status=500, code="50000", every=3, times=2))
    mixed = model.batch(questions, return_exceptions=True)
    assert sum(isinstance(answer, ServerError) for answer in mixed) == 2
    assert sum(isinstance(answer, AIMessage) for answer in mixed) == 4


# Fields that vary.


@pytest.mark.parametrize("way", WAYS)
def test_fields_can_vary_by_call(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """configurable_fields and configurable_alternatives reach the wire in every way, under bound tools too."""
    model = (
        chat()
        .configurable_fields(
            model=ConfigurableField(id="model"),
            temperature=ConfigurableField(id="temperature"),
            max_tokens=ConfigurableField(id="cap"),
        )
        .configurable_alternatives(ConfigurableField(id="which"), default_key="usual", dash=chat(model="HCX-DASH-002"))
    )
    varied = {"configurable": {"model": "HCX-007", "temperature": 0.1, "cap": 2_000}}
    ask(model, way, config=varied)
    assert server.requests[-1].path.endswith("/HCX-007")
    assert server.requests[-1].body["temperature"] == 0.1
    assert server.requests[-1].body["maxCompletionTokens"] == 2_000
    ask(model, way, config={"configurable": {"which": "dash"}})
    assert server.requests[-1].path.endswith("/HCX-DASH-002")
    ask(model, way)
    assert server.requests[-1].path.endswith("/HCX-005")
    assert "temperature" not in server.requests[-1].body
    # Not bind_tools: langchain-core looks that up on the default alone, whatever the chat model.
    ask(model.bind(tools=[get_weather]), way, config={"configurable": {"model": "HCX-DASH-002"}})
    assert server.requests[-1].path.endswith("/HCX-DASH-002")
    assert server.requests[-1].body["tools"]


# Histories that others have written.


def foreign_history() -> list[Any]:
    """Return a conversation that Anthropic's and OpenAI's models have taken part in."""
    return [
        SystemMessage([{"type": "text", "text": "간결하게 답하세요.", "cache_control": {"type": "ephemeral"}}]),
        HumanMessage("서울 날씨는?"),
        AIMessage(
            [
                {"type": "thinking", "thinking": "도구를 쓰자", "signature": "c2ln"},
                {"type": "text", "text": "찾아볼게요."},
                {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"location": "서울"}},
            ],
            tool_calls=[{"id": "toolu_1", "name": "get_weather", "args": {"location": "서울"}}],
            response_metadata={"model_provider": "anthropic", "stop_reason": "tool_use"},
        ),
        ToolMessage([{"type": "text", "text": "맑음"}], tool_call_id="toolu_1", name="get_weather"),
        AIMessage("맑습니다.", response_metadata={"model_provider": "anthropic"}),
        HumanMessage("부산은?"),
        AIMessage(
            [
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "도구"}]},
                {"type": "function_call", "id": "fc_1", "call_id": "call_2", "name": "get_weather", "arguments": "{}"},
            ],
            tool_calls=[{"id": "call_2", "name": "get_weather", "args": {"location": "부산"}}],
            additional_kwargs={"reasoning": {"id": "rs_1"}, "tool_calls": [{"id": "call_2", "type": "function"}]},
            response_metadata={"model_provider": "openai", "id": "resp_1"},
        ),
        ToolMessage("흐림", tool_call_id="call_2", status="error", artifact={"raw": 1}),
        AIMessage(
            [{"type": "text", "text": "흐립니다.", "annotations": [], "id": "msg_1"}],
            response_metadata={"model_provider": "openai"},
            additional_kwargs={"refusal": None},
        ),
        HumanMessage("제주는?", name="user1"),
    ]


@pytest.mark.parametrize("name", ["HCX-005", "HCX-007", "HCX-DASH-002"])
@pytest.mark.parametrize("way", WAYS)
def test_conversations_of_other_providers_go_on(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, name: str, way: str
) -> None:
    """A history with others' thinking, tool and reasoning blocks is answered, and comes through without them."""
    answer = ask(chat(model=name).bind_tools([get_weather]), way, foreign_history())
    assert answer.text or answer.tool_calls
    (request,) = server.requests
    messages = request.body["messages"]
    assert [message["role"] for message in messages] == [
        *("system", "user", "assistant", "tool", "assistant", "user", "assistant", "tool", "assistant", "user")
    ]
    assert messages[2]["content"] == "찾아볼게요."
    assert [call["id"] for message in messages for call in message.get("toolCalls", [])] == ["toolu_1", "call_2"]
    assert [message["function"]["arguments"] for i in (2, 6) for message in messages[i]["toolCalls"]] == [
        {"location": "서울"},
        {"location": "부산"},
    ]
    assert messages[6]["content"] == ""
    sent = str(messages)
    assert not any(word in sent for word in ("signature", "thinking", "cache_control", "rs_1", "annotations", "user1"))


@pytest.mark.parametrize("way", WAYS)
def test_what_the_caller_gave_is_not_changed(chat: Callable[..., ChatClovaX], way: str) -> None:
    """Messages, tools and options of the caller are after a call what they were before it."""
    history = foreign_history()
    schema = {
        "type": "function",
        "function": {
            "name": "f",
            "description": "x",
            "parameters": {"title": "F", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
        },
    }
    options = {"stop": ["끝"], "tools": [schema], "tool_choice": {"type": "function", "function": {"name": "f"}}}
    before = copy.deepcopy((history, options))
    ask(chat(), way, history, **options)
    chat().get_num_tokens_from_messages(history, tools=[schema])
    assert (history, options) == before
    thinking = {"effort": "low"}
    ask(chat(model="HCX-007", thinking=thinking), way)
    assert thinking == {"effort": "low"}


@pytest.mark.each_behaviour
def test_own_answers_go_back_in_any_form(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """An answer with thinking goes back as history, as content or as blocks, and its thinking stays behind."""
    for version in ("v0", "v1"):
        model = chat(model="HCX-007", output_version=version)
        for way in WAYS:
            answer = ask(model, way)
            ask(model, way, [HumanMessage(QUESTION), answer, HumanMessage("인구는?")])
            assert server.requests[-1].body["messages"][1] == {"role": "assistant", "content": answer.text}
