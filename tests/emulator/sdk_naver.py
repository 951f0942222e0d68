"""What NAVER tests of its own client against the service, in words of ours: langchain-naver 0.1.1 on the emulator.

A program of its own, since importing langchain-naver patches another package.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import openai
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.tools import tool
from langchain_naver import ChatClovaX, ClovaXEmbeddings
from pydantic import BaseModel, Field

GREETING = "I'm Clova"
CUBE_ROOT = "What is the cube root of 50.653?"
DOCUMENTS = ["CLOVA Studio는 AI 서비스를 만드는 도구입니다.", "LangChain은 오픈소스입니다."]


class GetWeather(BaseModel):
    """주어진 위치의 현재 날씨를 조회합니다."""

    location: str = Field(description="날씨를 조회할 위치. 예) 경기도 성남시 분당구")


class Formatted(BaseModel):
    """Always use this tool to structure your response to the user."""

    answer: str = Field(description="The answer to the user's question")
    followup_question: str = Field(description="A followup question the user could ask")


@tool
def get_weather(location: str) -> str:
    """도시의 날씨를 알려 준다."""
    return f"{location}은 맑음"


class Service:
    """The models of the client, pointed at the emulator."""

    def __init__(self, base_url: str, key: str) -> None:
        self.place = {"api_key": key, "base_url": f"{base_url}/v1/openai"}

    def chat(self, model: str = "HCX-005", **more: Any) -> ChatClovaX:
        """A chat model."""
        return ChatClovaX(model=model, max_retries=0, **more, **self.place)


def check_answer(answer: Any) -> None:
    """An answer is text, and says its model, how it ended and its tokens."""
    assert isinstance(answer, AIMessage), answer
    assert isinstance(answer.content, str)
    assert answer.response_metadata["model_name"]
    assert answer.response_metadata["finish_reason"]
    used = answer.response_metadata["token_usage"]
    assert used["completion_tokens"]
    assert used["prompt_tokens"]
    assert used["total_tokens"]


def invoke(service: Service) -> None:
    """Invoke and batch, with and without tags, sync and async; and the two fields that only CLOVA has."""
    chat = service.chat()
    check_answer(chat.invoke(GREETING, config={"tags": ["foo"]}))
    for answer in chat.batch([GREETING, "I'm not Clova"], config={"tags": ["foo"]}):
        check_answer(answer)
    asked = [("system", DOCUMENTS[0]), ("human", "CLOVA Studio는 무엇인가요?")]
    answer = service.chat(top_k=30, repetition_penalty=0.5).invoke(asked)
    check_answer(answer)
    assert answer.content == DOCUMENTS[0]

    async def both() -> None:
        check_answer(await service.chat().ainvoke(GREETING))
        for one in await service.chat().abatch([GREETING, "I'm not Clova"]):
            check_answer(one)

    asyncio.run(both())


def stream(service: Service) -> None:
    """Stream, sync and async: chunks of text that join to the whole answer, the last with model and reason."""

    def check(chunks: list[Any]) -> None:
        assert all(isinstance(chunk, AIMessageChunk) and isinstance(chunk.content, str) for chunk in chunks)
        assert "".join(chunk.content for chunk in chunks) == service.chat().invoke(GREETING).content
        assert len(chunks) > 3
        ends = [chunk.response_metadata for chunk in chunks if chunk.response_metadata.get("finish_reason")]
        assert [(end["finish_reason"], end["model_name"]) for end in ends] == [("stop", "HCX-005")]

    async def later() -> list[Any]:
        return [chunk async for chunk in service.chat().astream(GREETING)]

    check(list(service.chat().stream(GREETING)))
    check(asyncio.run(later()))


def tools(service: Service) -> None:
    """Tools that the model may call, that it must call, and that it must not; two places are two calls; an agent."""
    chat = service.chat(max_tokens=2048, top_k=5, repetition_penalty=1.0)
    free = chat.bind_tools([GetWeather]).invoke("분당과 판교 중 어디가 더 덥지?")
    assert [call["args"] for call in free.tool_calls] == [{"location": "분당"}, {"location": "판교"}]
    later = asyncio.run(chat.bind_tools([GetWeather]).ainvoke("부산 날씨는?"))
    assert [call["args"] for call in later.tool_calls] == [{"location": "부산"}]
    streamed = sum(list(chat.bind_tools([GetWeather]).stream("부산 날씨는?"))[1:], AIMessageChunk(""))
    assert [call["args"] for call in streamed.tool_calls] == [{"location": "부산"}]
    for model, more in (("HCX-005", {}), ("HCX-007", {"reasoning_effort": "none"})):
        forced = service.chat(model, max_tokens=1024, **more).bind_tools([GetWeather], tool_choice="GetWeather")
        assert [call["name"] for call in forced.invoke("안녕하세요? 서울입니다.").tool_calls] == ["GetWeather"]
    assert not chat.bind_tools([GetWeather], tool_choice="none").invoke("부산 날씨는?").tool_calls
    agent = create_agent(service.chat(max_tokens=1024, disable_streaming=True), [get_weather])
    assert "맑음" in agent.invoke({"messages": "부산 날씨를 알려 줘"})["messages"][-1].content


def structured_output(service: Service) -> None:
    """A pydantic class by each method: the schema on HCX-007, a tool call, and the JSON mode, which is refused."""
    chat = service.chat("HCX-007", max_completion_tokens=5120, reasoning_effort="none")
    by_call = service.chat(max_tokens=1024, disabled_params={"parallel_tool_calls": None})
    for model, method in ((chat, "json_schema"), (by_call, "function_calling")):
        found = model.with_structured_output(Formatted, method=method).invoke("What is the powerhouse of the cell?")
        assert isinstance(found, Formatted), found
        assert found.answer
        assert found.followup_question
    try:
        chat.with_structured_output(Formatted, method="json_mode").invoke("Answer in JSON.")
    except openai.BadRequestError as error:
        assert "response_format.type" in str(error)  # noqa: PT017 - no pytest here
    else:
        raise AssertionError("json_object was taken")


def thinking(service: Service) -> None:
    """Thinking arrives as the client reads it, whole and streamed, and its tokens are counted."""
    for more in ({"reasoning_effort": "low"}, {"thinking": {"effort": "low"}}):
        chat = service.chat("HCX-007", max_completion_tokens=5120, **more)
        answer = chat.invoke(CUBE_ROOT)
        check_answer(answer)
        assert answer.content
        assert answer.additional_kwargs["thinking_content"]
        assert answer.response_metadata["token_usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
        chunks = list(chat.stream(CUBE_ROOT))
        thought = "".join(chunk.additional_kwargs.get("thinking_content", "") for chunk in chunks)
        assert thought == answer.additional_kwargs["thinking_content"]
        assert "".join(chunk.content for chunk in chunks) == answer.content


def embeddings(service: Service) -> None:
    """Documents and a query, sync and async, with two models."""
    documents = ClovaXEmbeddings(**service.place)
    query = ClovaXEmbeddings(model="bge-m3", **service.place)
    found = [documents.embed_documents(DOCUMENTS), asyncio.run(documents.aembed_documents(DOCUMENTS))]
    assert found[0] == found[1]
    assert [len(vector) for vector in found[0]] == [1024, 1024]
    assert len(query.embed_query(DOCUMENTS[0])) == len(asyncio.run(query.aembed_query(DOCUMENTS[0]))) == 1024


def main(base_url: str, key: str) -> None:
    """Run every check."""
    service = Service(base_url, key)
    for check in (invoke, stream, tools, structured_output, thinking, embeddings):
        check(service)
        print(check.__name__)


if __name__ == "__main__":
    main(*sys.argv[1:])
