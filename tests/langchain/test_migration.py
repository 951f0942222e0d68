"""A program written for langchain-naver runs here with nothing but its import changed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from clova_studio import ClovaStudio, ConfigurationError
from clova_studio.adapters._fields import _names_of
from clova_studio.emulator import serve
from langchain_clova import ChatClovaX, ClovaXEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

# The documented examples of langchain-naver, one function each. What a function returns is printed as JSON.
PROGRAM = '''
import asyncio
import json
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_naver import ChatClovaX, ClovaXEmbeddings
from pydantic import BaseModel, Field

PLACE = {"base_url": sys.argv[1], "api_key": sys.argv[2]}
MESSAGES = [
    ("system", "You are a helpful assistant that translates English to Korean. Translate the user sentence."),
    ("human", "I love using NAVER AI."),
]
SCHEMA = {
    "name": "city",
    "description": "A city.",
    "schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "population": {"type": "integer"}},
        "required": ["name", "population"],
    },
}


@tool
def get_weather(location: str) -> str:
    """도시의 날씨를 알려 줍니다."""
    return f"{location}: 맑음, 21도"


class Weather(BaseModel):
    """Virtual weather info to tell user."""

    temp_high_c: int = Field(description="The highest temperature in Celsius")
    condition: str = Field(description="The weather condition")


def total(chunks):
    first, *rest = chunks
    for chunk in rest:
        first += chunk
    return first


def invoke():
    chat = ChatClovaX(model="HCX-005", temperature=0.5, max_tokens=None, timeout=None, max_retries=2, **PLACE)
    answer = chat.invoke(MESSAGES)
    tokens = {name: answer.usage_metadata[name] for name in ("input_tokens", "output_tokens", "total_tokens")}
    metadata = answer.response_metadata
    return [answer.content, tokens, metadata["model_name"], metadata["finish_reason"]]


def chain():
    prompt = ChatPromptTemplate.from_messages([("system", "Translate to {language}."), ("human", "{input}")])
    chat = ChatClovaX(model="HCX-DASH-002", max_completion_tokens=256, top_p=0.8, seed=5, **PLACE)
    return (prompt | chat).invoke({"language": "Korean", "input": "I love using NAVER AI."}).content


def old_options():
    chat = ChatClovaX(model_name="HCX-003", repeat_penalty=5.0, top_k=3, max_tokens=64, stop=["END"], **PLACE)
    return chat.invoke(MESSAGES).content


def other_names():
    chat = ChatClovaX(
        model="HCX-005",
        naver_api_base=PLACE["base_url"],
        api_key=PLACE["api_key"],
        request_timeout=30,
        default_headers={"X-Mine": "1"},
        repetition_penalty=1.1,
        stop_sequences=["END"],
    )
    return chat.invoke(MESSAGES).content


def stream():
    chat = ChatClovaX(model="HCX-005", max_tokens=256, **PLACE)
    chunks = list(chat.stream(MESSAGES))
    assert len(chunks) > 3
    return "".join(chunk.content for chunk in chunks)


def streamed_usage():
    chat = ChatClovaX(model="HCX-005", max_tokens=256, stream_usage=True, **PLACE)
    usage = total(chat.stream(MESSAGES)).usage_metadata
    return {name: usage[name] for name in ("input_tokens", "output_tokens", "total_tokens")}


def streaming_field():
    chat = ChatClovaX(model="HCX-005", max_tokens=256, streaming=True, **PLACE)
    return chat.invoke(MESSAGES).content


def asynchronous():
    async def main():
        chat = ChatClovaX(model="HCX-005", max_tokens=256, **PLACE)
        whole = (await chat.ainvoke(MESSAGES)).content
        streamed = "".join([chunk.content async for chunk in chat.astream(MESSAGES)])
        several = [answer.content for answer in await chat.abatch([MESSAGES, "안녕하세요?"])]
        return [whole, streamed, several]

    return asyncio.run(main())


def tools():
    chat = ChatClovaX(model="HCX-005", max_tokens=1024, **PLACE).bind_tools([get_weather])
    messages = [HumanMessage("부산 날씨를 알려 주세요.")]
    asked = chat.invoke(messages)
    calls = [(call["name"], call["args"]) for call in asked.tool_calls]
    assert all(call["id"] for call in asked.tool_calls)
    results = [get_weather.invoke(call) for call in asked.tool_calls]
    assert all(isinstance(result, ToolMessage) for result in results)
    return [calls, chat.invoke([*messages, asked, *results]).content]


def streamed_tools():
    chat = ChatClovaX(model="HCX-005", max_tokens=1024, **PLACE).bind_tools([get_weather])
    asked = total(chat.stream("부산 날씨를 알려 주세요."))
    return [(call["name"], call["args"]) for call in asked.tool_calls]


def tool_of_a_class():
    class GetWeather(BaseModel):
        """Get the current weather in a given location"""

        location: str = Field(..., description="The city, e.g. Bundang-gu")

    chat = ChatClovaX(model="HCX-005", max_tokens=1024, **PLACE).bind_tools([GetWeather])
    calls = chat.invoke("What is the weather like in Bundang-gu?").tool_calls
    return [(call["name"], call["args"]) for call in calls]


def structured():
    chat = ChatClovaX(model="HCX-007", thinking={"effort": "none"}, max_completion_tokens=1024, **PLACE)
    found = chat.with_structured_output(SCHEMA, method="json_schema").invoke("부산의 인구는 330만 명입니다.")
    return sorted(found)


def structured_by_tool():
    chat = ChatClovaX(model="HCX-005", max_tokens=1024, **PLACE)
    found = chat.with_structured_output(Weather, method="function_calling").invoke("21 degrees and sunny")
    assert isinstance(found, Weather)
    return sorted(found.model_dump())


def structured_class():
    chat = ChatClovaX(model="HCX-007", thinking={"effort": "none"}, max_completion_tokens=1024, **PLACE)
    found = chat.with_structured_output(Weather, method="json_schema").invoke("Generate virtual weather info: 21")
    assert isinstance(found, Weather)
    return sorted(found.model_dump())


def thinking():
    chat = ChatClovaX(model="HCX-007", thinking={"effort": "low"}, max_completion_tokens=4096, **PLACE)
    whole = chat.invoke("What is 3^3?")
    streamed = total(chat.stream("What is 3^3?"))
    return [
        whole.content,
        whole.additional_kwargs["thinking_content"],
        streamed.content,
        streamed.additional_kwargs["thinking_content"],
        whole.usage_metadata["output_tokens"],
    ]


def picture():
    chat = ChatClovaX(model="HCX-005", max_tokens=256, **PLACE)
    parts = [
        {"type": "text", "text": "이 그림을 설명해 주세요."},
        {"type": "image_url", "image_url": {"url": "https://example.com/images/cat.png"}},
    ]
    return chat.invoke([HumanMessage(content=parts)]).content


def tuned():
    return ChatClovaX(model="ft:a1b2c3d4", max_tokens=128, **PLACE).invoke(MESSAGES).content


def embeddings():
    vectors = ClovaXEmbeddings(**PLACE)
    several = vectors.embed_documents(["CLOVA Studio는 AI 개발 도구입니다.", "LangChain은 프레임워크입니다."])
    return [several, vectors.embed_query("AI 개발 도구")]


def other_embeddings():
    async def main():
        vectors = ClovaXEmbeddings(model="bge-m3", timeout=30, max_retries=2, **PLACE)
        return [await vectors.aembed_query("AI 개발 도구"), *await vectors.aembed_documents(["하나의 문장", "둘"])]

    return asyncio.run(main())


for name in sys.argv[3].split(","):
    try:
        result = globals()[name]()
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({name: result}, ensure_ascii=False))
'''
SAME = (
    "invoke",
    "chain",
    "old_options",
    "other_names",
    "stream",
    "streaming_field",
    "asynchronous",
    "tools",
    "streamed_tools",
    "tool_of_a_class",
    "structured",
    "thinking",
    "picture",
    "tuned",
    "embeddings",
    "other_embeddings",
)
# What langchain-naver asks for in a way that the emulator refuses: the service names stream_options as unsupported,
# nothing shows that its schemas may have the keywords that langchain-openai adds, and it answers a forced choice 40009.
OURS = ("streamed_usage", "structured_class", "structured_by_tool")
# Prints every name that langchain-naver's constructors take.
NAMES = """
import json
from langchain_naver import ChatClovaX, ClovaXEmbeddings
for kind in (ChatClovaX, ClovaXEmbeddings):
    names = {name for field, info in kind.model_fields.items() for name in (field, info.alias or field)}
    print(json.dumps({kind.__name__: sorted(names)}))
"""


def lines_of(command: list[Any]) -> dict[str, Any]:
    """Run a program in a process of its own and return the JSON objects that it prints, as one."""
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        found.update(json.loads(line))
    return found


def run(server: EmulatorServer, module: str, path: Path, parts: tuple[str, ...]) -> dict[str, Any]:
    """Run the program with its import from one package, and return what each part found."""
    script = path / f"{module}_program.py"
    script.write_text(PROGRAM.replace("from langchain_naver import", f"from {module} import"), encoding="utf-8")
    return lines_of([script, f"{server.base_url}/v1/openai", server.api_key, ",".join(parts)])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program finds with langchain-naver and with this package, in processes of their own."""
    path = tmp_path_factory.mktemp("programs")
    # As recorded: the guide has the thinking in a field of another name than the one that langchain-naver reads.
    with serve(behaviour="observed") as server:
        theirs = run(server, "langchain_naver", path, SAME)
        ours = run(server, "langchain_clova", path, (*SAME, *OURS))
    return theirs, ours


@pytest.mark.slow
@pytest.mark.parametrize("part", SAME)
def test_same_program_same_findings(results: Any, part: str) -> None:
    """Answers, tokens, tool calls, thinking, structure and vectors are those that langchain-naver gives."""
    theirs, ours = results
    assert "error" not in theirs[part], theirs[part]
    assert ours[part] == theirs[part]


@pytest.mark.slow
def test_what_only_works_here(results: Any) -> None:
    """Usage in streams and structured output by a class, which langchain-naver documents too, work."""
    _, ours = results
    assert all(any(vector) for vector in (*ours["other_embeddings"], ours["embeddings"][1]))
    assert ours["streamed_usage"]["total_tokens"] > ours["streamed_usage"]["output_tokens"] > 0
    assert ours["structured_class"] == ours["structured_by_tool"] == ["condition", "temp_high_c"]


@pytest.mark.slow
def test_every_name_is_taken_or_refused_with_a_hint() -> None:
    """Each argument of langchain-naver's constructors works here, or the refusal says what to do instead."""
    taken = {}
    named = lines_of(["-c", NAMES])
    for kind in (ChatClovaX, ClovaXEmbeddings):
        names = named[kind.__name__]
        assert len(names) > 20
        taken[kind] = set(names) & set(_names_of(kind)[0])
        for name in set(names) - taken[kind]:
            with pytest.raises(ConfigurationError, match=rf"has no argument '{name}': \w+"):
                kind(api_key="nv-x", **{name: None})
    assert {"model", "model_name", "api_key", "base_url", "naver_api_base", "timeout", "request_timeout"} < taken[
        ChatClovaX
    ]
    assert {"max_tokens", "max_completion_tokens", "repeat_penalty", "stop_sequences", "thinking"} < taken[ChatClovaX]
    assert {"model", "api_key", "base_url", "naver_api_base", "request_timeout", "default_headers"} < taken[
        ClovaXEmbeddings
    ]


def test_names_of_langchain_naver_reach_the_wire(server: EmulatorServer) -> None:
    """naver_api_base, request_timeout and default_headers are base_url, timeout and headers, of the embeddings too."""
    given: dict[str, Any] = {
        "naver_api_base": f"{server.base_url}/v1/openai",
        "request_timeout": 7,
        "default_headers": {"X-Mine": "1"},
    }
    model = ChatClovaX(api_key=server.api_key, **given)
    model.invoke("안녕")
    ClovaXEmbeddings(api_key=server.api_key, **given).embed_query("안녕")
    assert [request.headers["x-mine"] for request in server.requests] == ["1", "1"]
    assert model.timeout == 7
    with pytest.raises(ConfigurationError, match="base_url and naver_api_base"):
        ChatClovaX(api_key="nv-x", base_url="https://a.example.com", naver_api_base="https://b.example.com")
    with ClovaStudio(api_key="nv-x") as client, pytest.raises(ConfigurationError, match="naver_api_base belongs to"):
        ChatClovaX(client=client, naver_api_base="https://b.example.com")


@pytest.mark.parametrize("where", ["constructor", "call"])
def test_name_of_a_tuned_model(chat: Callable[..., ChatClovaX], server: EmulatorServer, where: str) -> None:
    """Behind "ft:" is the id of a task, whose answers are not cut at 100 tokens; two tasks contradict each other."""
    if where == "constructor":
        chat(model="ft:a1b2c3d4").invoke("안녕")
    else:
        chat().invoke("안녕", model="ft:a1b2c3d4")
    (request,) = server.requests
    assert request.path == "/v3/tasks/a1b2c3d4/chat-completions"
    assert request.body["maxTokens"] == 512
    with pytest.raises(ConfigurationError, match="two tuned models"):
        chat(model="ft:a1b2c3d4", task_id="other").invoke("안녕")


@pytest.mark.each_behaviour
@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("framed", [False, True])
def test_schemas_in_openais_frame(
    chat: Callable[..., ChatClovaX],
    server: EmulatorServer,
    method: Any,
    framed: bool,  # noqa: FBT001
) -> None:
    """A schema with OpenAI's frame around it is the schema in it, whichever way it is asked for."""
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    frame: dict[str, Any] = {"name": "city", "strict": True, "schema": schema}
    if framed:
        frame = {"type": "json_schema", "json_schema": frame}
    found = chat(model="HCX-007").with_structured_output(frame, method=method).invoke("도시의 이름은 부산입니다.")
    assert set(found) == {"name"}
    body = server.requests[-1].body
    sent = body["tools"][0]["function"]["parameters"] if "tools" in body else body["responseFormat"]["schema"]
    assert sent == schema


def test_http_clients_of_the_caller(server: EmulatorServer) -> None:
    """http_client and http_async_client, as langchain-naver takes them, carry the requests."""
    with httpx.Client(headers={"X-Mine": "sync"}) as sync:
        place = {"api_key": server.api_key, "base_url": f"{server.base_url}/v1/openai"}
        ChatClovaX(http_client=sync, **place).invoke("안녕")

    async def main() -> None:
        async with httpx.AsyncClient(headers={"X-Mine": "async"}) as asynchronous:
            await ChatClovaX(http_async_client=asynchronous, **place).ainvoke("안녕")

    asyncio.run(main())
    assert [request.headers["x-mine"] for request in server.requests] == ["sync", "async"]
