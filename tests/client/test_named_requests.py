"""Requests with names that a place may refuse: once as they are, then with names of ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio import BadRequestError, ChatResult, Message, ToolCall, ToolCallFunction
from clova_studio.adapters import arequest_named, request_named
from clova_studio.adapters._named_requests import _MOST_PLACES, NamedRequests, _refusing

if TYPE_CHECKING:
    from collections.abc import Callable

TOOL = {
    "type": "function",
    "function": {"name": "날씨", "description": "d", "parameters": {"properties": {"도시": {}}}},
}
REQUEST: dict[str, Any] = {"messages": [], "tools": [TOOL]}
NAME = "Invalid parameter: tools[].function.name"


def refusal(message: str = NAME, code: str = "40001") -> BadRequestError:
    """Return a refusal."""
    return BadRequestError(message, status_code=400, code=code)


class Service:
    """Refuses what is not ASCII, and calls the tool that it is given."""

    def __init__(self, message: str = NAME, code: str = "40001", *, always: bool = False) -> None:
        self.names: list[str] = []
        self._error = refusal(message, code)
        self._always = always

    def __call__(self, **request: Any) -> ChatResult:
        """Answer."""
        function = request["tools"][0]["function"]
        self.names.append(function["name"])
        if self._always or not function["name"].isascii():
            raise self._error
        (key,) = function["parameters"]["properties"]
        call = ToolCall(function=ToolCallFunction(name=function["name"], arguments={key: "서울"}))
        return ChatResult(message=Message(tool_calls=[call]))


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., ChatResult]:
    """Send one request, in each of the two ways."""

    def send(service: Service, place: str = "http://a.test") -> ChatResult:
        if request.param == "sync":
            return request_named(service, REQUEST, place=place)

        async def asynchronous(**given: Any) -> ChatResult:
            return service(**given)

        return asyncio.run(arequest_named(asynchronous, REQUEST, place=place))

    return send


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (NAME, "40001"),
        ("Invalid parameter: tools[0].function.parameters", "40001"),
        ("Invalid parameter: messages[2].toolCalls[0].function.name", "40001"),
        ("Invalid 'tools[0].function.name': string does not match pattern", "40000"),
        ("tools.0.function.name: invalid", "40001"),
        ("Invalid response format schema", "40055"),
    ],
)
def test_refused_names_are_sent_once_more(ask: Callable[..., ChatResult], message: str, code: str) -> None:
    """A refusal of a name is followed by the same request with ASCII names; the place is known from then on."""
    service = Service(message, code)
    for _ in range(2):
        (call,) = ask(service).message.tool_calls or ()
        assert (call.function.name, call.function.arguments) == ("날씨", {"도시": "서울"})
    assert service.names == ["날씨", "nalssi", "nalssi"]
    ask(service, "http://b.test")
    assert service.names[3:] == ["날씨", "nalssi"]


@pytest.mark.parametrize("message", ["Invalid parameter: tools[].function.description", "Invalid parameter: maxTokens"])
def test_other_refusals_are_final(ask: Callable[..., ChatResult], message: str) -> None:
    """A refusal of something else is the caller's error, after one request."""
    service = Service(message)
    with pytest.raises(BadRequestError, match=message.rpartition(" ")[2].replace("[", r"\[")):
        ask(service)
    assert service.names == ["날씨"]


def test_refusal_of_ascii_names_is_final_and_teaches_nothing(ask: Callable[..., ChatResult]) -> None:
    """If the names of ours are refused too, that is the error, and the next call begins with the caller's names."""
    service = Service(always=True)
    for _ in range(2):
        with pytest.raises(BadRequestError):
            ask(service)
    assert service.names == ["날씨", "nalssi"] * 2


def test_refusal_after_another_call_has_learnt() -> None:
    """Two calls at once may both be refused: each is sent once more, also when the other was first to learn."""
    first, second = NamedRequests(REQUEST, "http://a.test"), NamedRequests(REQUEST, "http://a.test")
    assert first.refused(refusal())
    first.accepted()
    assert second.refused(refusal())
    assert second.name("날씨") == "nalssi"
    assert not second.refused(refusal())


def test_places_are_bounded() -> None:
    """The newest 1,000 places are remembered."""
    for i in range(_MOST_PLACES + 10):
        request_named(Service(), REQUEST, place=f"http://{i}.test")
    assert len(_refusing) == _MOST_PLACES
    service = Service()
    request_named(service, REQUEST, place="http://9.test")
    request_named(service, REQUEST, place="http://1009.test")
    assert service.names == ["날씨", "nalssi", "nalssi"]
