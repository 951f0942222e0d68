"""LangChain's middleware reads what this chat model tells it: errors, profile, counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
    ToolCallLimitMiddleware,
)
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool

from clova_studio import AuthenticationError, ContextLengthError, ServerError
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

LIMIT = {"recursion_limit": 12}
LONG = [
    message
    for i in range(8)
    for message in (HumanMessage(f"{i}번째 질문입니다. " * 20), AIMessage(f"{i}번째 답입니다. " * 20))
]
QUESTION = {"messages": [*LONG, HumanMessage("부산 날씨를 알려 주세요.")]}


@tool
def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음, 21도"


def run(agent: Any, way: str, question: Any = QUESTION) -> list[Any]:
    """Return the messages after a run."""
    if way == "invoke":
        return agent.invoke(question, LIMIT)["messages"]
    return asyncio.run(agent.ainvoke(question, LIMIT))["messages"]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_too_long_a_conversation_is_shortened_and_asked_again(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """40003 makes the summarization middleware ask once more for a summary of less; the agent goes on with it."""
    middleware = SummarizationMiddleware(model=chat(), trigger=("messages", 10), keep=("messages", 2))
    server.script([Fault("status", status=400, code="40003", times=1), "앞에서 인사를 나누었습니다."])
    messages = run(create_agent(chat(), [get_weather], middleware=[middleware]), way)
    assert "앞에서 인사를 나누었습니다." in messages[0].text
    assert "21도" in messages[-1].text
    assert [request.status for request in server.requests] == [400, 200, 200, 200]
    whole, shortened, *_ = (len(request.body["messages"][0]["content"]) for request in server.requests)
    assert shortened < whole * 0.8
    assert len(server.requests[2].body["messages"]) == 3


def test_too_long_without_the_middleware_is_the_typed_error(
    chat: Callable[..., ChatClovaX], server: EmulatorServer
) -> None:
    """Without it 40003 ends the agent with the class that is LangChain's ContextOverflowError too."""
    from langchain_core.exceptions import ContextOverflowError

    server.add_fault(Fault("status", status=400, code="40003"))
    with pytest.raises(ContextOverflowError) as caught:
        run(create_agent(chat(), [get_weather]), "invoke")
    assert isinstance(caught.value, ContextLengthError)
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["HCX-005", "HCX-007", "HCX-DASH-002"])
def test_fractional_limits_go_by_the_profile(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, name: str
) -> None:
    """A share of the context is known from the profile: under it nothing is summarised, over it is."""
    most = chat(model=name).profile["max_input_tokens"]
    now = chat(model=name).get_num_tokens_from_messages(QUESTION["messages"])
    for share, summarised in ((now * 0.5 / most, True), (0.9, False)):
        server.reset()
        middleware = SummarizationMiddleware(
            model=chat(model=name),
            trigger=("fraction", share),
            keep=("messages", 2),
            token_counter=chat(model=name).get_num_tokens_from_messages,
        )
        messages = run(create_agent(chat(model=name), [], middleware=[middleware]), "invoke")
        assert (len(messages) < len(LONG)) is summarised
        assert len(server.requests) == (2 if summarised else 1)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_passing_failures_are_retried_by_the_middleware(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str
) -> None:
    """ModelRetryMiddleware retries what says is_retryable; with max_retries=0 the client adds nothing to it."""
    server.script([Fault("status", status=500, code="50000", times=1), "괜찮습니다."])
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0.0, jitter=False, on_failure="error")
    messages = run(create_agent(chat(max_retries=0), [], middleware=[retry]), way)
    assert messages[-1].text == "괜찮습니다."
    assert [request.status for request in server.requests] == [500, 200]


@pytest.mark.parametrize(
    ("status", "code", "error", "asked"),
    [(401, "40104", AuthenticationError, 1), (400, "40003", ContextLengthError, 1), (500, "50000", ServerError, 3)],
)
def test_lasting_failures_are_not_retried(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, status: int, code: str, error: type, asked: int
) -> None:
    """What would fail again ends the agent at once with its own class; what is retryable, after all attempts."""
    server.add_fault(Fault("status", status=status, code=code))
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0.0, jitter=False, on_failure="error")
    with pytest.raises(error):
        run(create_agent(chat(max_retries=0), [], middleware=[retry]), "invoke")
    assert len(server.requests) == asked


def test_fallback_middleware_asks_the_other_model(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """ModelFallbackMiddleware goes to the next model after a failure, tools included."""
    server.add_fault(Fault("status", status=500, code="50000", path="HCX-005"))
    fallback = ModelFallbackMiddleware(chat(model="HCX-DASH-002"))
    messages = run(create_agent(chat(max_retries=0), [get_weather], middleware=[fallback]), "invoke")
    assert "21도" in messages[-1].text
    assert messages[-1].response_metadata["model_name"] == "HCX-DASH-002"


def test_limits_end_an_agent_that_would_go_on(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """Limits on model and tool calls end a model that calls for ever."""
    for_ever = [{"tool_calls": [{"name": "get_weather", "arguments": {"location": "부산"}}]}] * 10
    for limit in (
        ModelCallLimitMiddleware(run_limit=2, exit_behavior="end"),
        ToolCallLimitMiddleware(run_limit=2, exit_behavior="end"),
    ):
        server.reset()
        server.script(for_ever)
        run(create_agent(chat(), [get_weather], middleware=[limit]), "invoke")
        assert 2 <= len(server.requests) <= 3
