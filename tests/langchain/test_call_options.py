"""Headers and time limits of one call: sent, kept, and masked where LangChain records what a call was given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.tools import tool
from pydantic import BaseModel, SecretStr

from clova_studio import APITimeoutError, ConfigurationError, Timeouts
from clova_studio.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

SECRET = "gateway-secret-0123456789"
HEADERS = {"X-Gateway-Key": SECRET, "anthropic-beta": "prompt-caching-2024-07-31"}


@tool
def get_weather(city: str) -> str:
    """도시의 날씨."""
    return city


class City(BaseModel):
    """도시."""

    city: str


def run(model: Any, way: str, **options: Any) -> Any:
    """Ask in one of the four ways, to the end of a stream."""
    if way == "invoke":
        return model.invoke("서울 날씨", **options)
    if way == "stream":
        return list(model.stream("서울 날씨", **options))

    async def main() -> Any:
        if way == "ainvoke":
            return await model.ainvoke("서울 날씨", **options)
        return [chunk async for chunk in model.astream("서울 날씨", **options)]

    return asyncio.run(main())


WAYS = ["invoke", "ainvoke", "stream", "astream"]


class Told(BaseCallbackHandler):
    """Keeps all that callbacks are told, as text."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def on_chat_model_start(self, *given: Any, **named: Any) -> None:
        self.texts.append(repr((given, named)))

    def on_chain_start(self, *given: Any, **named: Any) -> None:
        self.texts.append(repr((given, named)))

    def on_llm_end(self, *given: Any, **named: Any) -> None:
        self.texts.append(repr((given, named)))


@pytest.mark.parametrize("name", ["headers", "extra_headers"])
@pytest.mark.parametrize("way", WAYS)
def test_headers_of_a_call_are_sent(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str, name: str
) -> None:
    """They go with the call, per call and bound, also with tools and structured output, before the constructor's."""
    model = chat(headers={"X-Gateway-Key": "the constructor's", "X-Team": "all"})
    run(model, way, **{name: HEADERS})
    run(model.bind(**{name: HEADERS}), way)
    run(model.bind_tools([get_weather], **{name: HEADERS}), way)
    run(model.with_structured_output(City), way, **{name: HEADERS})
    run(model.bind(**{name: HEADERS}).with_structured_output(City), way)
    sent = [(r.headers["x-gateway-key"], r.headers["x-team"], r.headers["anthropic-beta"]) for r in server.requests]
    assert sent == [(SECRET, "all", HEADERS["anthropic-beta"])] * len(server.requests)
    assert len(sent) >= 5
    with pytest.raises(ConfigurationError, match="two names of one option"):
        run(model, way, headers=HEADERS, extra_headers={"X-A": "b"})
    with pytest.raises(ConfigurationError, match="must not set Authorization"):
        run(model, way, **{name: {"Authorization": "Bearer x"}})


@pytest.mark.parametrize("way", WAYS)
def test_headers_of_a_call_are_masked(chat: Callable[..., ChatClovaX], way: str) -> None:
    """No callback, trace, repr, dump or cache key shows a header's value, given as text or as a SecretStr."""
    told, cache = Told(), InMemoryCache()
    model = chat(callbacks=[told], cache=cache)
    shown = []
    for given in (HEADERS, {"X-Gateway-Key": SecretStr(SECRET)}):
        bound = model.bind(headers=given)
        run(bound, way)
        run(model, way, extra_headers=given)
        run(model.bind_tools([get_weather], headers=given), way)
        shown += [repr(bound), str(bound), dumps(bound), repr(bound.with_structured_output(City))]
    assert told.texts
    assert SECRET not in "".join([*shown, *told.texts, repr(cache._cache)])


def test_cached_answers_are_those_of_the_same_headers(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """Another value of a header is another call: it is not answered from the cache."""
    model = chat(cache=InMemoryCache())
    for value in ("tenant-a-0123", "tenant-b-0123", "tenant-a-0123"):
        model.bind(headers={"X-Tenant": value}).invoke("안녕")
        model.invoke("안녕", headers={"X-Tenant": value})
    assert len(server.requests) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timeout", "request_timeout"])
@pytest.mark.parametrize("way", WAYS)
def test_time_limits_of_a_call_hold(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str, name: str
) -> None:
    """A call's own limit ends it, whole and streamed, bound too; the next call has the constructor's."""
    model = chat(max_retries=0)
    server.add_fault(Fault("hang", times=2))
    for ask in (model, model.bind(**{name: 0.1})):
        with pytest.raises(APITimeoutError):
            run(ask, way, **({name: Timeouts(read=0.1, stream=0.1)} if ask is model else {}))
    assert run(model, way)
