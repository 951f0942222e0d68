"""langchain-openai against the emulator."""

from __future__ import annotations

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel
from rows import PERSON, WEATHER, Row, place, run


class Person(BaseModel):
    """사람."""

    name: str


@tool
def get_weather(city: str) -> str:
    """도시의 날씨를 알려 준다."""
    return f"{city}은 맑음"


CHAT = ChatOpenAI(model="HCX-005", max_retries=0, **place())
WITH_TOOLS = CHAT.bind_tools([get_weather])


def loop(content: str | None = None) -> AIMessage:
    """Answer a tool's result; with a content the turn of the call has it."""
    called = WITH_TOOLS.invoke(WEATHER)
    if content is not None:
        called = AIMessage(content, tool_calls=called.tool_calls)
    result = ToolMessage("맑음", tool_call_id=called.tool_calls[0]["id"])
    return WITH_TOOLS.invoke([HumanMessage(WEATHER), called, result])


def embed(**more: object) -> list[float]:
    """Embed a text, without the tokeniser that the client would download."""
    embeddings = OpenAIEmbeddings(
        model="bge-m3", max_retries=0, check_embedding_ctx_length=False, model_kwargs=more, **place()
    )
    return embeddings.embed_query("부산")


run(
    [
        Row("content: null with tool calls", loop, lambda: loop(" ")),
        Row(
            'tool_choice: "required"',
            lambda: CHAT.bind_tools([get_weather], tool_choice="any").invoke(WEATHER),
            lambda: CHAT.bind_tools([get_weather], tool_choice="get_weather").invoke(WEATHER).tool_calls,
        ),
        Row("encoding_format: base64", embed),
        Row("a list as input", lambda: embed(encoding_format="float")),
        Row(
            "response_format: json_object",
            lambda: CHAT.with_structured_output(Person, method="json_mode").invoke(f"{PERSON} JSON"),
        ),
    ]
)
