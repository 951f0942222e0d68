# mypy: disable-error-code="union-attr"
"""Skillsets as a query engine and as a tool: what led to the answer, its pieces as they come, no second run."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import open_sockets
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.schema import MetadataMode

from clova_studio import (
    AsyncClovaStudio,
    ClovaStudio,
    ConfigurationError,
    NotFoundError,
    ServerError,
    StreamInterruptedError,
)
from clova_studio.emulator import Fault
from llama_index_clova import ClovaSkillsetQueryEngine, ClovaSkillsetTool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
QUERY = "내일 부산 날씨 알려 줘"


@pytest.fixture
def engine(account: dict[str, Any]) -> Callable[..., ClovaSkillsetQueryEngine]:
    """Make engines on the emulator's own skillset."""

    def make(**settings: Any) -> ClovaSkillsetQueryEngine:
        return ClovaSkillsetQueryEngine(**{"skillset_id": "weather1", "version": 1, **account, **settings})

    return make


@pytest.fixture
def tool(account: dict[str, Any]) -> Callable[..., ClovaSkillsetTool]:
    """Make tools on the emulator's own skillset."""

    def make(**settings: Any) -> ClovaSkillsetTool:
        given = {"skillset_id": "weather1", "version": 1, "name": "weather", "description": "도시의 날씨를 알려 준다."}
        return ClovaSkillsetTool(**{**given, **account, **settings})

    return make


@pytest.fixture(params=["sync", "async"])
def query(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Query an engine in each of the two ways."""

    def run(engine: Any, text: Any = QUERY) -> Any:
        return engine.query(text) if request.param == "sync" else asyncio.run(engine.aquery(text))

    return run


@pytest.fixture(params=["sync", "async"])
def pieces(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Stream an answer in each of the two ways; give the response and its pieces."""

    def run(engine: Any) -> Any:
        if request.param == "sync":
            response = engine.query(QUERY)
            assert isinstance(response, StreamingResponse)
            return response, list(response.response_gen)

        async def main() -> Any:
            response = await engine.aquery(QUERY)
            assert isinstance(response, AsyncStreamingResponse)
            return response, [piece async for piece in response.async_response_gen()]

        return asyncio.run(main())

    return run


@pytest.mark.each_behaviour
def test_answer_and_the_calls_behind_it(engine: Callable[..., Any], query: Callable[..., Any]) -> None:
    """The response is the answer, its sources are what the skills' APIs said, and no address stands in it."""
    response = query(engine())
    assert isinstance(response, Response)
    assert str(response).startswith("부산의 내일 날씨는")
    (source,) = response.source_nodes
    assert "temperature" in json.loads(source.text)
    assert source.metadata == {"operation_id": "getWeather", "name_for_human": "날씨", "api_order": 1}
    about = json.loads(json.dumps(response.metadata))["skillset"]
    assert (about["skillset_id"], about["version"], about["token_count"] > 0) == ("weather1", 1, True)
    assert about["request_id"]
    assert "http" not in source.node.get_content(metadata_mode=MetadataMode.ALL) + str(about)


@pytest.mark.each_behaviour
def test_pieces_are_the_answer(engine: Callable[..., Any], pieces: Callable[..., Any], server: EmulatorServer) -> None:
    """A stream gives several pieces that join to the whole answer; sources and metadata are there at its end."""
    whole = engine().query(QUERY)
    response, got = pieces(engine(streaming=True))
    assert len(got) > 3
    assert all(got)
    assert "".join(got) == str(whole)
    assert [source.text for source in response.source_nodes] == [source.text for source in whole.source_nodes]
    assert response.metadata["skillset"]["request_id"]
    assert [request.headers["accept"] for request in server.requests][1:] == ["text/event-stream"]


def test_streams_wait_for_their_reader(engine: Callable[..., Any], server: EmulatorServer) -> None:
    """A stream that nobody reads runs no skill; its errors come with its first piece, wrong use at once."""
    response = engine(streaming=True).query(QUERY)
    assert server.requests == []
    assert str(response).startswith("부산의 내일")
    with pytest.raises(ConfigurationError, match="empty"):
        engine(streaming=True).query(" ")
    unknown = engine(skillset_id="nothing", streaming=True).query(QUERY)
    with pytest.raises(NotFoundError):
        next(unknown.response_gen)


class Bytes(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in one byte after the other."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return (self._body[i : i + 1] for i in range(len(self._body)))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for byte in self:
            yield byte


EVENTS = """id: 1
event: planning
data: {"selectedSkill":[{"nameForHuman":"날씨"}],"tokenCount":4}

id: 2
event: cot
data: {"apiResult":[{"url":"https://a.example/w?appid=k-1","responseBody":"{\\"t\\":21}","apiOrder":1}],"tokenCount":9}

id: 3
event: token
data: {"text":"21도","stopReason":null}

id: 4
event: token
data: {"text":"입니다.","stopReason":"stop_before"}

id: 5
event: finalAnswer
data: {"finalAnswer":"21도입니다.","apiResult":null,"tokenCount":12}

"""


def replying(body: str) -> tuple[dict[str, Any], list[httpx.Request]]:
    """Return the settings for a service that streams these bytes one by one, and the list of what is sent."""
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Bytes(body.encode()))

    transport = httpx.MockTransport(respond)
    clients: dict[str, Any] = {
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }
    return {"api_key": KEY, "base_url": "http://127.0.0.1:1", **clients}, requests


def test_a_stream_byte_by_byte(engine: Callable[..., Any], pieces: Callable[..., Any]) -> None:
    """Bytes that come one by one give the same pieces, and the sources of the event before the answer."""
    settings, _ = replying(EVENTS)
    response, got = pieces(engine(streaming=True, **settings))
    assert got == ["21도", "입니다."]
    assert [(source.text, source.metadata) for source in response.source_nodes] == [('{"t":21}', {"api_order": 1})]


def test_an_answer_without_pieces_is_one(engine: Callable[..., Any], pieces: Callable[..., Any]) -> None:
    """Without token events the answer comes as one piece, and an unfinished run as LlamaIndex's words for that."""
    for answer, expected in (("21도", "21도"), ("", "Empty Response")):
        settings, _ = replying(f'id: 1\nevent: finalAnswer\ndata: {{"finalAnswer":"{answer}","tokenCount":1}}\n\n')
        assert pieces(engine(streaming=True, **settings))[1] == [expected]


@pytest.mark.each_behaviour
def test_broken_streams_are_errors(
    engine: Callable[..., Any], pieces: Callable[..., Any], server: EmulatorServer
) -> None:
    """A stream that ends early raises with what had arrived, and the skillset is not run again."""
    server.add_fault(Fault("cut", after=4))
    with pytest.raises(StreamInterruptedError) as caught:
        pieces(engine(streaming=True))
    assert caught.value.partial is not None
    assert len(server.requests) == 1


def test_no_second_run(engine: Callable[..., Any], query: Callable[..., Any], server: EmulatorServer) -> None:
    """After a failure in which skills may have run, nothing is sent again."""
    server.add_fault(Fault("status", status=500, code="50000"))
    with pytest.raises(ServerError):
        query(engine())
    assert len(server.requests) == 1


@pytest.mark.usefixtures("busy")
def test_full_quota_is_waited_for(
    engine: Callable[..., Any], query: Callable[..., Any], server: EmulatorServer
) -> None:
    """429, 429, 200 is an answer: no skill has run before."""
    assert str(query(engine()))
    assert [request.status for request in server.requests] == [429, 429, 200]


def test_leaving_a_stream_early_closes_it(engine: Callable[..., Any], server: EmulatorServer) -> None:
    """A reader that stops leaves no connection with half a stream, in several event loops."""
    streaming = engine(streaming=True)

    async def main() -> None:
        response = await streaming.aquery(QUERY)
        assert await anext(response.response_gen)
        await response.response_gen.aclose()

    response = streaming.query(QUERY)
    assert next(response.response_gen)
    response.response_gen.close()
    for _ in range(3):
        asyncio.run(main())
    assert open_sockets(server.base_url) <= 1


def test_whole_result_with_history(engine: Callable[..., Any], server: EmulatorServer) -> None:
    """run() and arun() give the service's result, and send earlier messages and overrides of the call."""
    history = [{"role": "user", "content": "부산 날씨"}, {"role": "assistant", "content": "맑습니다."}]
    override = {"base_operation": {"query": {"appid": "1"}}}
    given: dict[str, Any] = {"chat_history": history, "request_override": override}
    asking = engine(request_override={"base_operation": {"header": {"X-Key": "very-secret"}}})
    for result in (asking.run("내일은?", **given), asyncio.run(asking.arun("내일은?", **given))):
        assert result.api_result[0].url.startswith("https://")
    assert str(asking.query(QUERY))
    bodies = [request.body for request in server.requests]
    assert [body.get("chatHistory") for body in bodies] == [history, history, None]
    assert [body["requestOverride"] for body in bodies] == [
        {"baseOperation": {"query": {"appid": "1"}}},
        {"baseOperation": {"query": {"appid": "1"}}},
        {"baseOperation": {"header": {"X-Key": "very-secret"}}},
    ]
    assert "very-secret" not in repr(asking)


def test_callbacks_see_the_query(engine: Callable[..., Any], query: Callable[..., Any]) -> None:
    """A callback manager gets one event for a query, with the response, and none of a model."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    response = query(engine(callback_manager=CallbackManager([debug])))
    ((_, end),) = debug.get_event_pairs(CBEventType.QUERY)
    assert end.payload is not None
    assert end.payload["response"] is response
    assert debug.get_event_pairs(CBEventType.LLM) == []


def test_a_tool_answers_as_the_engine(tool: Callable[..., Any], engine: Callable[..., Any]) -> None:
    """The tool's output is the answer, with the response behind it; the model gives the query as input."""
    weather = tool(return_direct=True)
    assert weather.metadata.get_parameters_dict()["required"] == ["input"]
    assert (weather.metadata.name, weather.metadata.return_direct) == ("weather", True)
    for output in (weather.call(input=QUERY), asyncio.run(weather.acall(input=QUERY)), weather(QUERY)):
        assert output.content == str(engine().query(QUERY))
        assert output.raw_output.source_nodes[0].metadata["operation_id"] == "getWeather"
        assert output.tool_name == "weather"


def test_given_clients_answer(server: EmulatorServer) -> None:
    """client= and async_client= do the work, streamed too, with client= alone in a thread."""
    skillset: dict[str, Any] = {"skillset_id": "weather1", "version": 1}

    async def ask(**clients: Any) -> None:
        assert str(await ClovaSkillsetQueryEngine(**skillset, **clients).aquery(QUERY))
        response: Any = await ClovaSkillsetQueryEngine(**skillset, streaming=True, **clients).aquery(QUERY)
        assert len([piece async for piece in response.async_response_gen()]) > 3

    async def main() -> None:
        async with AsyncClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "async"}) as client:
            await ask(async_client=client)
            for streaming in (False, True):
                with pytest.raises(ConfigurationError, match="client="):
                    ClovaSkillsetQueryEngine(**skillset, streaming=streaming, async_client=client).query(QUERY)

    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        asyncio.run(ask(client=client))
        with pytest.raises(ConfigurationError, match="timeout belongs"):
            ClovaSkillsetQueryEngine(**skillset, client=client, timeout=1)
    asyncio.run(main())
    assert [request.headers["x-who"] for request in server.requests] == ["sync", "sync", "async", "async"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skilset": 1}, "did you mean 'skillset_id'"),
        ({"llm": None}, "'llm': the skillset has a model of its own"),
        ({"version": 0}, "version must be a whole number from 1, or 'latest', got 0"),
        ({"version": True}, "version"),
        ({"skillset_id": " "}, "skillset_id must be a string that is not blank"),
        ({"api_key": None}, "no API key"),
    ],
)
@pytest.mark.parametrize("kind", ["engine", "tool"])
def test_wrong_arguments_are_refused(
    request: pytest.FixtureRequest, kind: str, options: dict[str, Any], message: str
) -> None:
    """An argument that does not exist or is wrong, or no key, is refused by name."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        request.getfixturevalue(kind)(**options)
    if "has no argument" in str(caught.value):
        assert str(caught.value).startswith(f"ClovaSkillset{'QueryEngine' if kind == 'engine' else 'Tool'} has")


def test_a_tool_needs_a_name_and_a_description(tool: Callable[..., Any]) -> None:
    """A tool without them, which the service would refuse, is not made, nor one that would stream."""
    for wrong in ({"name": ""}, {"description": " "}, {"streaming": True}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            tool(**wrong)


def test_no_key_in_any_text(engine: Callable[..., Any], tool: Callable[..., Any]) -> None:
    """Repr shows skillset and name, and no key, header or override."""
    secrets: dict[str, Any] = {"api_key": KEY, "apigw_api_key": KEY, "headers": {"X-Key": KEY}}
    override = {"base_operation": {"header": {"X-Key": KEY}}}
    shown = f"{engine(request_override=override, **secrets)!r} {tool(request_override=override, **secrets)!r}"
    assert "skillset_id='weather1', version=1" in shown
    assert KEY not in shown


def test_copies_and_pickles_answer(engine: Callable[..., Any], tool: Callable[..., Any]) -> None:
    """Copies of an engine and of a tool, and those from another process, answer as they do."""
    asking, weather = engine(), tool()
    expected = str(asking.query(QUERY))
    for made in (copy.copy, copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))):  # noqa: S301
        assert str(made(asking).query(QUERY)) == expected
        assert made(weather).call(QUERY).content == expected
