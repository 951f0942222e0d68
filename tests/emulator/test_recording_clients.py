"""Clients of this project and of others are recorded and replayed, and notice no difference."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest

import clova_studio as cs
from clova_studio.emulator import EmulatorServer, Fault, serve

KEY = "nv-planted-key-of-the-caller"
BUCKET = {
    "training_dataset_file_path": "train/file.csv",
    "training_dataset_bucket": "bucket",
    "training_dataset_access_key": "planted-access-key",
    "training_dataset_secret_key": "planted-secret-key",
}
QUICK = cs.RetryPolicy(attempts=3, initial=0.001, maximum=0.002)
SHAPE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {
    "type": "function",
    "function": {"name": "get_weather", "description": "도시의 날씨를 알려 준다", "parameters": SHAPE},
}
SCHEMA: Any = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SHAPE}}
ASKED: Any = [{"role": "user", "content": "부산 날씨를 알려 주세요."}]
QUICK_429 = {"x-ratelimit-reset-requests": "0.01s"}


@pytest.fixture(params=["observed", "documented"])
def upstream(request: pytest.FixtureRequest) -> Any:
    """The emulator as the service."""
    with serve(behaviour=request.param) as server:
        yield server


def replayed(upstream: EmulatorServer, file: Path, ask: Any) -> tuple[Any, Any, EmulatorServer]:
    """What a program got while it was recorded, what it got from the replay, and the server of the replay."""
    with serve(record=file, upstream=upstream.base_url) as server:
        recorded = ask(server.base_url, KEY)
    text = file.read_text(encoding="utf-8")
    assert "planted" not in text
    sent = len(upstream.requests)
    with serve(replay=file) as server:
        again = ask(server.base_url, "nv-another-key-altogether")
        assert [
            request.path for request in server.requests if request.status == 404 and "Nearest" in request.hint
        ] == []
    assert len(upstream.requests) == sent
    return recorded, again, server


def outcome(call: Any) -> Any:
    """The result of a call without what is its own each time, or its error in words."""
    try:
        found = call()
    except cs.ClovaStudioError as error:
        return type(error).__name__, getattr(error, "code", None), re.sub(r"request id \S+", "", str(error))
    return plain(found)


def plain(result: Any) -> Any:
    """A result without the id of its request and the time of its answer."""
    if isinstance(result, list):
        return [plain(item) for item in result]
    if not hasattr(result, "model_dump"):
        return result
    return without(result.model_dump())


def without(value: Any) -> Any:
    """A value without ids and times, at any depth."""
    if isinstance(value, dict):
        hidden = {"request_id", "created", "created_date", "updated_date", "end_datetime", "name"}
        return {name: without(item) for name, item in value.items() if name not in hidden}
    return [without(item) for item in value] if isinstance(value, list) else value


def ask_client(base_url: str, key: str) -> list[Any]:
    """Call the sync client: whole, streamed, with tools, many at once, refused, retried, and cut off."""
    settings: dict[str, Any] = {"base_url": base_url, "retry": QUICK, "quota_group": base_url}
    with cs.ClovaStudio(key, **settings) as client:

        def stream(**more: Any) -> str:
            with client.stream_chat(ASKED, model="HCX-005", **more) as opened:
                return "".join(chunk.message.content or "" for chunk in opened) + str(opened.result().usage)

        def train() -> Any:
            task = client.tuning.create(model="HCX-005", name="내 모델", **BUCKET)
            found = client.tuning.get(task.id)
            client.tuning.delete(task.id)
            return [task.status, found.id == task.id, [one.id == task.id for one in client.tuning.list().content]]

        calls = [
            lambda: client.chat(ASKED, model="HCX-005"),
            lambda: client.chat(ASKED, model="HCX-005", tools=[TOOL], max_tokens=1024),
            lambda: client.chat(ASKED, model="HCX-007", thinking="low"),
            lambda: client.chat(ASKED, model="HCX-999"),
            stream,
            lambda: stream(max_tokens=3),
            lambda: client.embed_many([f"글 {number}" for number in range(6)]),
            lambda: client.segment("첫 문장이다. 둘째 문장이다."),
            lambda: client.rerank("항구", ["부산은 항구 도시이다. " * 9, "서울은 수도이다."]),
            lambda: client.route("travel01", 1, "부산 여행 코스"),
            lambda: client.run_skillset("weather1", 1, "부산 날씨"),
            lambda: client.openai.chat(ASKED, model="HCX-005"),
            client.openai.models,
            train,
        ]
        return [outcome(call) for call in calls]


async def ask_async_client(base_url: str, key: str) -> list[Any]:
    """Call the async client, several calls at once."""
    settings: dict[str, Any] = {"base_url": base_url, "retry": QUICK, "quota_group": base_url}
    async with cs.AsyncClovaStudio(key, **settings) as client:

        async def stream(text: str) -> str:
            async with client.stream_chat([{"role": "user", "content": text}], model="HCX-005") as opened:
                return "".join([chunk.message.content or "" async for chunk in opened])

        async def refused() -> Any:
            try:
                return await client.chat([], model="HCX-005", temperature=None, tools=None)
            except cs.ClovaStudioError as error:
                return type(error).__name__

        found = await asyncio.gather(*(stream(f"글 {n}") for n in range(4)), client.embed("글"), refused())
        return [plain(item) for item in found]


def test_client(upstream: EmulatorServer, tmp_path: Path) -> None:
    """The sync client gets the same from a replay: answers, streams, refusals, and the 429 that it retries."""
    upstream.add_fault(Fault("status", code="42901", headers=QUICK_429, path="/embedding", times=2))
    recorded, again, server = replayed(upstream, tmp_path / "client.jsonl", ask_client)
    assert recorded == again
    assert recorded[3][0] in {"BadRequestError", "NotFoundError"}
    assert [request.status for request in server.requests if "/embedding" in request.path].count(429) == 2


def test_async_client(upstream: EmulatorServer, tmp_path: Path) -> None:
    """The async client does, too, with several streams at once."""
    recorded, again, _ = replayed(
        upstream, tmp_path / "async.jsonl", lambda *place: asyncio.run(ask_async_client(*place))
    )
    assert recorded == again
    assert len(recorded) == 6


def test_cut_stream(upstream: EmulatorServer, tmp_path: Path) -> None:
    """A stream that was cut off, and an error inside one, are the same errors in a replay."""
    upstream.script([Fault.parse(kind) for kind in ("cut_abrupt;after=2", "error_event;after=1", "html")])

    def ask(base_url: str, key: str) -> list[str]:
        found = []
        with cs.ClovaStudio(key, base_url=base_url, max_retries=0, quota_group=base_url) as client:
            for _ in range(3):
                with pytest.raises(cs.ClovaStudioError) as caught, client.stream_chat(ASKED, model="HCX-005") as stream:
                    list(stream)
                found.append(type(caught.value).__name__)
        return found

    recorded, again, _ = replayed(upstream, tmp_path / "cut.jsonl", ask)
    assert recorded == again
    assert len(set(recorded)) > 1


def ask_openai(base_url: str, key: str) -> list[Any]:
    """Call the official SDK: whole, streamed, tools, a schema, embeddings, models, and what is refused."""
    found: list[Any] = []
    with openai.OpenAI(api_key=key, base_url=f"{base_url}/v1/openai", max_retries=0) as sdk:
        chat = sdk.chat.completions
        asked: dict[str, Any] = {"model": "HCX-005", "messages": ASKED, "max_tokens": 1024}
        found += [chat.create(**asked), *chat.create(**asked, stream=True), chat.create(**asked, tools=[TOOL])]
        with chat.stream(**asked, tools=[TOOL]) as stream:
            found.append(stream.get_final_completion())
        more: dict[str, Any] = {"response_format": SCHEMA, "reasoning_effort": "none", "max_completion_tokens": 512}
        found.append(chat.create(model="HCX-007", messages=ASKED, **more))
        found.append(sdk.embeddings.create(model="bge-m3", input="부산", encoding_format="float"))
        found.append([model.id for model in sdk.models.list()])
        for refused in ({"presence_penalty": 1}, {"model": "HCX-999"}):
            with pytest.raises(openai.BadRequestError) as caught:
                chat.create(**{**asked, **refused})
            found.append((caught.value.code, caught.value.message))
    return [without(item.model_dump()) if hasattr(item, "model_dump") else item for item in found]


async def ask_async_openai(base_url: str, key: str) -> list[Any]:
    """The same SDK, async."""
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{base_url}/v1/openai", max_retries=0) as sdk:
        asked: dict[str, Any] = {"model": "HCX-005", "messages": ASKED, "max_tokens": 64}
        whole = await sdk.chat.completions.create(**asked)
        chunks = [chunk async for chunk in await sdk.chat.completions.create(**asked, stream=True)]
    return [without(item.model_dump()) for item in (whole, *chunks)]


def test_openai_sdk(upstream: EmulatorServer, tmp_path: Path) -> None:
    """The official openai SDK, sync and async, gets the same from a replay, its own errors included."""

    def ask(*place: str) -> Any:
        return ask_openai(*place) + asyncio.run(ask_async_openai(*place))

    recorded, again, _ = replayed(upstream, tmp_path / "openai.jsonl", ask)
    ids = [[item.pop("id") for item in found if isinstance(item, dict) and "id" in item] for found in (recorded, again)]
    assert recorded == again
    assert list(map(len, ids)) == [len(ids[0])] * 2


NAVER = """
import pathlib, sys
import sdk_naver
from clova_studio.emulator import serve
file = pathlib.Path(sys.argv[1])
with serve() as upstream:
    with serve(record=file, upstream=upstream.base_url) as server:
        sdk_naver.main(server.base_url, "nv-planted-key-of-the-caller")
    sent = len(upstream.requests)
    with serve(replay=file) as server:
        sdk_naver.main(server.base_url, "nv-another-key-altogether")
        assert len(server.requests) == sent == len(upstream.requests)
assert "planted" not in file.read_text(encoding="utf-8")
"""


@pytest.mark.slow
def test_langchain_naver(tmp_path: Path) -> None:
    """langchain-naver does what NAVER's tests of it ask, recorded and replayed."""
    command = [sys.executable, "-c", NAVER, str(tmp_path / "naver.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split().count("embeddings") == 2
