"""Caches of langchain-core: an equal model answers from them, and no other one does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.tools import tool

from clova_studio import ClovaStudio
from clova_studio.emulator import serve
from langchain_clova import ChatClovaX

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer

QUESTION = "대한민국의 수도는 어디인가요?"


@tool
def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음"


@tool
def find_train(start: str) -> str:
    """기차표를 찾습니다."""
    return start


def test_cache_answers_the_same_question_once(chat: Callable[..., ChatClovaX], server: EmulatorServer) -> None:
    """An equal model with the same question and options is answered from the cache, sync and async."""
    cache = InMemoryCache()
    first = chat(cache=cache).invoke(QUESTION)
    again = chat(cache=cache)
    assert again.invoke(QUESTION).content == asyncio.run(again.ainvoke(QUESTION)).content == first.content
    assert len(server.requests) == 1
    assert again.invoke(QUESTION).response_metadata["model_name"] == "HCX-005"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "HCX-DASH-002"},
        {"temperature": 0.1},
        {"top_p": 0.5},
        {"top_k": 7},
        {"max_tokens": 99},
        {"repetition_penalty": 1.3},
        {"stop": ["끝"]},
        {"seed": 3},
        {"include_ai_filters": True},
        {"task_id": "a1b2"},
        {"tool_fallback": "never"},
    ],
)
@pytest.mark.parametrize("where", ["constructor", "call"])
def test_models_never_share_answers(
    chat: Callable[..., ChatClovaX], server: EmulatorServer, change: dict[str, Any], where: str
) -> None:
    """Whatever changes an answer, in the constructor or in the call, keeps it from being another model's."""
    cache = InMemoryCache()
    chat(cache=cache).invoke(QUESTION)
    if where == "constructor":
        chat(cache=cache, **change).invoke(QUESTION)
    else:
        chat(cache=cache).invoke(QUESTION, **change)
    assert len(server.requests) == 2


def test_bound_tools_and_formats_have_answers_of_their_own(
    chat: Callable[..., ChatClovaX], server: EmulatorServer
) -> None:
    """The same model with other tools, another choice or a schema is not answered from the cache."""
    model = chat(model="HCX-007", thinking="none", cache=InMemoryCache())
    schema = {"title": "city", "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    for asking in (
        model,
        model.bind_tools([get_weather]),
        model.bind_tools([get_weather, find_train]),
        model.bind_tools([get_weather], tool_choice="none"),
        model.with_structured_output(schema),
    ):
        before = len(server.requests)
        asking.invoke(QUESTION)
        asking.invoke(QUESTION)
        assert len(server.requests) == before + 1


def test_places_have_answers_of_their_own(server: EmulatorServer) -> None:
    """Two services never share answers, whether they are told apart by base_url or by a client of the caller's."""
    cache = InMemoryCache()
    with serve() as other:
        for running in (server, other):
            place = {"api_key": running.api_key, "base_url": running.base_url}
            with ClovaStudio(**place) as client:
                ChatClovaX(cache=cache, client=client).invoke(QUESTION)
            ChatClovaX(cache=cache, **place).invoke(QUESTION, top_k=3)
        assert len(server.requests) == len(other.requests) == 2
