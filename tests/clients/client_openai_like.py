"""LlamaIndex's openai-like packages against the emulator."""

from __future__ import annotations

from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from rows import WEATHER, Row, place, run

WHERE = {"api_base": place()["base_url"], "api_key": place()["api_key"], "max_retries": 0}
LLM = OpenAILike(model="HCX-005", is_chat_model=True, is_function_calling_model=True, context_window=128_000, **WHERE)


def get_weather(city: str) -> str:
    """도시의 날씨를 알려 준다."""
    return f"{city}은 맑음"


TOOLS = [FunctionTool.from_defaults(get_weather)]


def call(**more: Any) -> Any:
    """Call a tool."""
    return LLM.chat_with_tools(TOOLS, user_msg=WEATHER, **more).message


def loop() -> Any:
    """Call a tool and answer its result."""
    called = call(allow_parallel_tool_calls=True)
    (name,) = [block.tool_call_id for block in called.blocks if hasattr(block, "tool_call_id")]
    result = ChatMessage("맑음", role="tool", additional_kwargs={"tool_call_id": name})
    return LLM.chat_with_tools(
        TOOLS, chat_history=[ChatMessage(WEATHER), called, result], allow_parallel_tool_calls=True
    )


def embed(**more: Any) -> list[float]:
    """Embed a text."""
    return OpenAILikeEmbedding(model_name="bge-m3", additional_kwargs=more, **WHERE).get_text_embedding("부산")


run(
    [
        Row("parallel_tool_calls: false", call, lambda: call(allow_parallel_tool_calls=True)),
        Row("content: null with tool calls", loop),
        Row("encoding_format: base64", embed),
        Row("a list as input", lambda: embed(encoding_format="float")),
    ]
)
