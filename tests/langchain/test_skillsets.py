# mypy: disable-error-code="attr-defined"
"""Skillsets: an answer with what led to it, and its pieces as they come."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, Field

from clova_studio import ClovaStudio, ConfigurationError, NotFoundError, ServerError, StreamInterruptedError
from clova_studio.emulator import Fault
from langchain_clova import ChatClovaX, ClovaSkillset

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

QUERY = "내일 부산 날씨 알려 줘"


@pytest.fixture
def skillset(account: dict[str, Any]) -> ClovaSkillset:
    """The emulator's own skillset."""
    return ClovaSkillset(skillset_id="weather1", version=1, **account)


@pytest.mark.each_behaviour
def test_answer_is_text_and_more(skillset: ClovaSkillset, ask: Callable[..., Any]) -> None:
    """The answer is a string, which also tells the calls that were made, and survives pickling."""
    answer = ask(skillset, QUERY)
    assert isinstance(answer, str)
    assert answer == answer.final_answer == answer.result.final_answer
    assert answer.startswith("부산의 내일 날씨는")
    assert answer.api_result[0].operation_id == "getWeather"
    assert answer.selected_skill == []
    back = pickle.loads(pickle.dumps(answer))  # noqa: S301
    assert (back, back.result) == (answer, answer.result)


@pytest.mark.each_behaviour
def test_pieces_are_the_answer(skillset: ClovaSkillset, server: EmulatorServer) -> None:
    """Both stream and astream give several pieces that join to what invoke gives, with one request each."""
    answer = skillset.invoke(QUERY)
    pieces = list(skillset.stream(QUERY))
    assert len(pieces) > 3
    assert all(pieces)
    assert "".join(pieces) == answer

    async def main() -> list[str]:
        return [piece async for piece in skillset.astream(QUERY)]

    assert asyncio.run(main()) == pieces
    assert [request.headers["accept"] for request in server.requests][1:] == ["text/event-stream"] * 2
    assert len(server.requests) == 3


def test_chains_go_on_with_text(skillset: ClovaSkillset) -> None:
    """In a chain the next step gets text, whole or streamed, and a parser streams it through."""
    chain = skillset | StrOutputParser()
    assert "".join(chain.stream(QUERY)) == chain.invoke(QUERY)
    assert len(list(chain.stream(QUERY))) > 3
    upper = skillset | RunnableLambda(lambda text: text.replace("부산", "BUSAN"))
    assert upper.invoke(QUERY) == "".join(upper.stream(QUERY))


def test_streaming_with_a_synchronous_client(server: EmulatorServer) -> None:
    """With client= alone astream still gives pieces, from a thread."""

    async def main(client: ClovaStudio) -> list[str]:
        return [piece async for piece in ClovaSkillset(skillset_id="weather1", version=1, client=client).astream(QUERY)]

    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        assert len(asyncio.run(main(client))) > 3


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_conversation_goes_along(skillset: ClovaSkillset, server: EmulatorServer, way: str) -> None:
    """Earlier messages of user and model are the history, system messages are not."""
    history = [SystemMessage("짧게"), HumanMessage("부산 날씨 알려 줘"), AIMessage("맑습니다.")]
    for given in ([*history, HumanMessage("내일은?")], {"query": "내일은?", "chat_history": history}):
        list(getattr(skillset, way)(given))
    for request in server.requests:
        assert request.body["query"] == "내일은?"
        assert request.body["chatHistory"] == [
            {"role": "user", "content": "부산 날씨 알려 줘"},
            {"role": "assistant", "content": "맑습니다."},
        ]


def test_request_override_is_sent_and_never_shown(account: dict[str, Any], server: EmulatorServer) -> None:
    """request_override of constructor or call reaches the service, and stands in no repr and no dump."""
    secret = {"base_operation": {"header": {"X-Key": "very-secret"}}}
    skillset = ClovaSkillset(skillset_id="weather1", version=1, request_override=secret, **account)
    skillset.invoke(QUERY)
    list(skillset.stream(QUERY, request_override={"base_operation": {"query": {"appid": "1"}}}))
    assert [request.body["requestOverride"] for request in server.requests] == [
        {"baseOperation": {"header": {"X-Key": "very-secret"}}},
        {"baseOperation": {"query": {"appid": "1"}}},
    ]
    assert "very-secret" not in f"{skillset!r}{dumps(skillset)}"


def test_wrong_use_is_refused(account: dict[str, Any], skillset: ClovaSkillset, server: EmulatorServer) -> None:
    """A version that cannot be, an empty query and an unknown option are refused, streamed or not."""
    with pytest.raises(ConfigurationError, match="version"):
        ClovaSkillset(skillset_id="weather1", version=0, **account)
    for run in (skillset.invoke, lambda *args, **kwargs: list(skillset.stream(*args, **kwargs))):
        with pytest.raises(ConfigurationError, match="empty"):
            run("")
        with pytest.raises(ConfigurationError, match="'override'"):
            run(QUERY, override={})
    assert server.requests == []


@pytest.mark.each_behaviour
def test_broken_streams_are_errors(skillset: ClovaSkillset, server: EmulatorServer, recorder: Any) -> None:
    """A stream that ends early raises with what had arrived, as LangChain's error too, and the trace has it."""
    from langchain_core.exceptions import ModelAPIError

    server.add_fault(Fault("cut", after=4))

    async def main() -> None:
        async for _ in skillset.astream(QUERY, {"callbacks": [recorder]}):
            pass

    with pytest.raises(StreamInterruptedError) as caught:
        list(skillset.stream(QUERY, {"callbacks": [recorder]}))
    assert isinstance(caught.value, ModelAPIError)
    with pytest.raises(StreamInterruptedError):
        asyncio.run(main())
    assert len(recorder.errors) == 2


def test_leaving_a_stream_early_closes_it(skillset: ClovaSkillset, server: EmulatorServer) -> None:
    """After break or aclose no connection is left with half a stream."""
    from client_support import open_sockets

    async def main() -> str:
        stream = skillset.astream(QUERY)
        piece: str = await anext(stream)
        await stream.aclose()
        return piece

    for piece in skillset.stream(QUERY):
        assert piece
        break
    assert asyncio.run(main())
    skillset.invoke(QUERY)
    assert open_sockets(server.base_url) <= 1


def test_unknown_skillsets_are_not_found(account: dict[str, Any]) -> None:
    """The error says what the service said."""
    with pytest.raises(NotFoundError):
        ClovaSkillset(skillset_id="nothing", version=1, **account).invoke(QUERY)


def test_a_tool_answers_as_the_skillset(
    skillset: ClovaSkillset, server: EmulatorServer, recorder: Any, ask: Callable[..., Any]
) -> None:
    """The tool's content is the answer and its artifact the whole result, by one request within the tool's trace."""
    weather = skillset.as_tool(name="weather", description="도시의 날씨를 알려 준다.")
    call = {"name": "weather", "args": {"query": QUERY}, "id": "call_1", "type": "tool_call"}
    message = ask(weather, call, {"callbacks": [recorder]})
    assert len(server.requests) == 1
    assert (message.tool_call_id, message.name) == ("call_1", "weather")
    assert message.content == message.artifact.final_answer == skillset.invoke(QUERY)
    assert message.artifact.api_result[0].operation_id == "getWeather"
    assert recorder.parents["ClovaSkillset"] == "weather"
    assert ask(weather, {"query": QUERY}) == message.content


def test_what_a_tool_needs(skillset: ClovaSkillset, server: EmulatorServer) -> None:
    """A description is needed, the name is the skillset's id by default, and a schema has to have a query."""

    class Asked(BaseModel):
        """A question with what was said before."""

        query: str = Field(description="도시와 날")
        chat_history: list[tuple[str, str]]

    class Other(BaseModel):
        """Something else."""

        query: str
        city: str

    assert skillset.as_tool(description="날씨").name == "weather1"
    tool = skillset.as_tool(Asked, description="날씨")
    assert tool.args["query"]["description"] == "도시와 날"
    tool.invoke({"query": "내일은?", "chat_history": [("user", "부산 날씨"), ("assistant", "맑습니다.")]})
    assert [message["content"] for message in server.requests[0].body["chatHistory"]] == ["부산 날씨", "맑습니다."]
    for wrong, rule in (
        ({}, "description is needed"),
        ({"description": " "}, "description is needed"),
        ({"description": "날씨", "args_schema": Other}, "'city'"),
        ({"description": "날씨", "arg_types": {"query": str}}, "arg_types"),
    ):
        given: dict[str, Any] = wrong
        with pytest.raises(ConfigurationError, match=rule):
            skillset.as_tool(**given)


def test_an_agent_runs_a_skillset(skillset: ClovaSkillset, account: dict[str, Any]) -> None:
    """An agent calls the tool once and answers from it."""
    from langchain.agents import create_agent

    agent = create_agent(ChatClovaX(**account), [skillset.as_tool(name="weather", description="도시의 날씨")])
    *_, result, answer = agent.invoke({"messages": [HumanMessage(QUERY)]})["messages"]
    assert result.artifact.final_answer == result.content
    assert "부산" in answer.text


def test_a_failed_run_is_no_second_one(skillset: ClovaSkillset, server: EmulatorServer) -> None:
    """After a failure in which skills may have run, neither the runnable nor the tool sends anything again."""
    server.add_fault(Fault("status", status=500, code="50000", times=2))
    with pytest.raises(ServerError):
        skillset.invoke(QUERY)
    with pytest.raises(ServerError):
        skillset.as_tool(description="날씨").invoke({"query": QUERY})
    assert len(server.requests) == 2
