"""Instances: written down and read back, sent elsewhere, and used from loops and threads."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client_support import open_sockets
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_support import CHAT, COMPLETE, MODELS, QUESTION, STREAMS, STRUCTURED, WITH_TOOLS, asked, run
from pydantic import BaseModel

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError
from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

KEY = "nv-very-secret-0123456789"
SETTINGS: dict[str, Any] = {
    "model": "HCX-007",
    "temperature": 0.3,
    "top_p": 0.7,
    "top_k": 3,
    "max_tokens": 3000,
    "repetition_penalty": 1.2,
    "seed": 5,
    "include_ai_filters": True,
    "thinking": {"effort": "medium"},
    "tool_fallback": "never",
    "system_prompt": "짧게",
    "max_retries": 2,
    "timeout": 20,
}


class Person(BaseModel):
    """사람."""

    age: int


def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return location


WEATHER = FunctionTool.from_defaults(get_weather)


def test_written_down_and_read_back(server: EmulatorServer, account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """to_dict and to_json hold every setting and no key; from_dict and from_json take the key from outside."""
    llm = ClovaX(**SETTINGS, api_key=KEY, base_url=account["base_url"])
    data = llm.to_dict()
    assert KEY not in json.dumps(data, default=str)
    assert KEY not in llm.to_json()
    assert {name: data[name] for name in SETTINGS} == SETTINGS
    first = llm.complete(QUESTION)
    given = copy.deepcopy(data)
    backs = [ClovaX.from_dict(data, api_key=KEY)]
    assert data == given
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", KEY)
    backs += [ClovaX.from_dict(data), ClovaX.from_json(llm.to_json())]
    for back in backs:
        assert back.to_dict() == data
        assert back.complete(QUESTION).text == first.text
        assert server.requests[-1].body == server.requests[0].body


@pytest.mark.parametrize("used", [False, True])
def test_sent_elsewhere(server: EmulatorServer, account: Any, used: bool) -> None:  # noqa: FBT001
    """A pickled or copied instance, used or not, answers alike, sync and async, with its key."""
    llm = ClovaX(**SETTINGS, api_key=KEY, base_url=account["base_url"])
    if used:
        llm.complete("안녕")
        asyncio.run(llm.acomplete("안녕"))
    for back in (pickle.loads(pickle.dumps(llm)), copy.deepcopy(llm), llm.model_copy()):  # noqa: S301
        assert back.to_dict() == llm.to_dict()
        texts = {llm.complete(QUESTION).text, back.complete(QUESTION).text, asyncio.run(back.acomplete(QUESTION)).text}
        assert len(texts) == 1


def test_construction_opens_nothing(server: EmulatorServer, account: Any) -> None:
    """Building an instance and asking for its metadata makes no connection and no request."""
    assert ClovaX(**account).metadata.model_name
    assert open_sockets(server.base_url) == 0
    assert server.requests == []


@pytest.mark.parametrize("model", MODELS)
def test_several_loops(server: EmulatorServer, account: Any, model: str, caplog: pytest.LogCaptureFixture) -> None:
    """One instance works in three asyncio.run calls, all ways at once, and leaves no socket and no complaint."""
    llm = ClovaX(model=model, seed=7, **account)

    async def main() -> set[str]:
        async def stream() -> str:
            return "".join([response.delta or "" async for response in await llm.astream_chat([ChatMessage(QUESTION)])])

        chats = await asyncio.gather(*(llm.achat([ChatMessage(QUESTION)]) for _ in range(4)))
        texts = await asyncio.gather(*(stream() for _ in range(4)))
        person = await llm.astructured_predict(Person, PromptTemplate("나이는 27입니다."))
        assert person.age == 27
        return {*(str(chat.message.content) for chat in chats), *texts, (await llm.acomplete(QUESTION)).text}

    answers = set()
    for _ in range(3):
        answers |= asyncio.run(main())
        assert open_sockets(server.base_url) == 0
    assert len(answers) == 1
    assert not [record for record in caplog.records if record.name == "asyncio" and record.levelno >= logging.ERROR]


async def test_running_loop(account: Any) -> None:
    """Inside a running loop the sync ways work too, and the async ones leave it free for others."""
    llm = ClovaX(seed=7, **account)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    heart = asyncio.create_task(beat())
    whole = await llm.acomplete(QUESTION)
    streamed = [response.text async for response in await llm.astream_complete(QUESTION)]
    assert beats > 5
    heart.cancel()
    assert llm.complete(QUESTION).text == streamed[-1] == whole.text
    assert list(llm.stream_complete(QUESTION))[-1].text == whole.text


def test_several_threads(server: EmulatorServer, account: Any) -> None:
    """One instance serves several threads at once, each with its own answers, sync and in loops of their own."""
    llm = ClovaX(**account)

    def ask(number: int) -> bool:
        way = [*CHAT, *COMPLETE][number % 8]
        last = run(llm, way, asked(way, f"번호 {number}"))[-1]
        return f"번호 {number}”" in (last.text if "complete" in way else last.message.content)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(48)))
    assert len(server.requests) == 48


@pytest.mark.slow
@pytest.mark.parametrize("way", [*STREAMS, "stream_structured_predict", "astream_structured_predict"])
@pytest.mark.parametrize("model", ["HCX-005", "HCX-007"])
def test_leaving_a_stream_closes_it(
    server: EmulatorServer, account: Any, way: str, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream that is left early gives its connection up, in a loop that goes on too, and the next call works."""
    llm = ClovaX(model=model, **account)
    given = (Person, PromptTemplate("나이는 27입니다.")) if way in STRUCTURED else (asked(way),)

    async def main() -> None:
        async for _ in await getattr(llm, way)(*given):
            break
        while open_sockets(server.base_url):  # noqa: ASYNC110  the loop closes what was left at its next turns
            await asyncio.sleep(0.005)
        await llm.acomplete("안녕")

    if way.startswith("a"):
        asyncio.run(main())
    else:
        for _ in getattr(llm, way)(*given):
            break
        gc.collect()
        assert open_sockets(server.base_url) == 0
        llm.complete("안녕")
    assert server.requests[-1].status == 200
    assert not [record for record in caplog.records if record.name == "asyncio" and record.levelno >= logging.ERROR]


def test_given_clients_answer(server: EmulatorServer) -> None:
    """client= and async_client= do the work; with client= alone, a thread does the async part."""

    async def with_async(client: ClovaStudio) -> None:
        address: dict[str, Any] = {"base_url": server.base_url, "headers": {"X-Who": "async"}}
        async with AsyncClovaStudio(server.api_key, **address) as other:
            llm = ClovaX(client=client, async_client=other)
            assert (await llm.achat([ChatMessage("안녕")])).message.content
            assert [response async for response in await llm.astream_complete("안녕")][-1].text

    with ClovaStudio(server.api_key, base_url=server.base_url, headers={"X-Who": "sync"}) as client:
        for way in [*CHAT, *COMPLETE]:
            last = run(ClovaX(client=client), way, asked(way))[-1]
            assert last.text if "complete" in way else last.message.content
        for way in WITH_TOOLS:
            assert run(ClovaX(client=client), way, [WEATHER], user_msg="서울 날씨는?")[-1].message.blocks
        asyncio.run(with_async(client))
    assert [request.headers["x-who"] for request in server.requests] == ["sync"] * 12 + ["async"] * 2


def test_http_clients_of_the_caller(server: EmulatorServer, account: Any) -> None:
    """http_client and http_async_client carry the requests, stay open, and refuse pickling by name."""
    seen = []

    def note(request: httpx.Request) -> None:
        seen.append(request.url.path)

    async def note_too(request: httpx.Request) -> None:
        seen.append(request.url.path)

    async def main(http: httpx.Client) -> None:
        async with httpx.AsyncClient(event_hooks={"request": [note_too]}) as other:
            llm = ClovaX(http_client=http, http_async_client=other, **account)
            await llm.acomplete("안녕")
            llm.complete("안녕")
            assert not other.is_closed
            with pytest.raises(ConfigurationError, match="http_client"):
                pickle.dumps(llm)

    with httpx.Client(event_hooks={"request": [note]}) as http:
        asyncio.run(main(http))
        assert not http.is_closed
    assert len(seen) == 2
