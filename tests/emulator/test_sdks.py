"""Other people's clients against the OpenAI-compatible paths: the official openai SDK and langchain-naver."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from clova_studio.emulator import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

MESSAGES: Any = [{"role": "user", "content": "부산 날씨를 알려 주세요."}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "도시의 날씨를 알려 준다",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "weather",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module", params=["observed", "documented"])
def server(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """One emulator of each behaviour."""
    with serve(behaviour=request.param) as running:
        yield running


@pytest.fixture
def sdk(server: EmulatorServer) -> Iterator[openai.OpenAI]:
    """The official SDK, pointed at the emulator."""
    url = f"{server.base_url}/v1/openai/"
    with openai.OpenAI(api_key=server.api_key, base_url=url, max_retries=0) as client:
        yield client


def test_chat_and_stream(sdk: openai.OpenAI) -> None:
    """The SDK reads a whole and a streamed answer, and they are the same text."""
    answer = sdk.chat.completions.create(model="HCX-005", messages=MESSAGES, max_tokens=200)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    chunks = list(sdk.chat.completions.create(model="HCX-005", messages=MESSAGES, max_tokens=200, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == answer.choices[0].message.content
    assert len(chunks) > 3
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]


def test_tools(sdk: openai.OpenAI) -> None:
    """The SDK reads a tool call, whole and from fragments, and gets a text for its result."""
    asked: dict[str, Any] = {"model": "HCX-005", "messages": MESSAGES, "tools": TOOLS, "max_tokens": 1024}
    answer = sdk.chat.completions.create(**asked)
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "부산"})
    assert answer.choices[0].finish_reason == "tool_calls"
    with sdk.chat.completions.stream(**asked) as stream:
        final = stream.get_final_completion()
    (streamed,) = final.choices[0].message.tool_calls
    assert json.loads(streamed.function.arguments) == {"city": "부산"}
    turn = {"role": "assistant", "content": "", "tool_calls": [call.model_dump()]}
    result = {"role": "tool", "tool_call_id": call.id, "content": "맑음"}
    ended = sdk.chat.completions.create(**{**asked, "messages": [*MESSAGES, turn, result]})
    assert ended.choices[0].finish_reason == "stop"
    assert ended.choices[0].message.content


def test_structured_output(sdk: openai.OpenAI) -> None:
    """The SDK reads JSON of the schema that it asked for."""
    answer = sdk.chat.completions.create(
        model="HCX-007", messages=MESSAGES, response_format=SCHEMA, reasoning_effort="none", max_completion_tokens=512
    )
    assert set(json.loads(answer.choices[0].message.content)) == {"city"}


def test_embeddings(sdk: openai.OpenAI) -> None:
    """With encoding_format="float" the SDK gets a vector; without it, it asks for base64 and is refused."""
    vector = sdk.embeddings.create(model="bge-m3", input="부산", encoding_format="float").data[0].embedding
    assert len(vector) == 1024
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.embeddings.create(model="bge-m3", input="부산")
    assert str(caught.value.code).startswith("4000")


def test_models(sdk: openai.OpenAI) -> None:
    """The SDK lists the models."""
    assert {"HCX-005", "HCX-007", "HCX-DASH-002"} <= {model.id for model in sdk.models.list()}


def test_errors(sdk: openai.OpenAI) -> None:
    """The SDK raises its own class with the service's code for an unsupported field and a wrong model."""
    with pytest.raises(openai.BadRequestError, match="presence_penalty") as caught:
        sdk.chat.completions.create(model="HCX-005", messages=MESSAGES, presence_penalty=1)
    assert caught.value.code == "40002"
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model="HCX-999", messages=MESSAGES)
    assert caught.value.code == "40080"


@pytest.mark.slow
def test_rows_of_the_table() -> None:
    """What these two clients send by default is refused with a hint that names them, and its switch helps."""
    script = Path(__file__).parents[1] / "clients" / "run.py"
    command = [sys.executable, str(script), "--here", "openai-python", "langchain-naver"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4


@pytest.mark.slow
def test_langchain_naver(server: EmulatorServer) -> None:
    """langchain-naver 0.1.1 does what NAVER's tests of it ask: six groups of checks."""
    script = Path(__file__).with_name("sdk_naver.py")
    done = subprocess.run(
        [sys.executable, str(script), server.base_url, server.api_key], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["invoke", "stream", "tools", "structured_output", "thinking", "embeddings"]
