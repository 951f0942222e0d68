"""pydantic-ai against the emulator."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider
from rows import PERSON, WEATHER, Row, place, run


class Person(BaseModel):
    """사람."""

    name: str


def agent(name: str = "HCX-005", output: Any = str, profile: Any = None, **settings: Any) -> Agent[None, Any]:
    """An agent on a model."""
    model = OpenAIChatModel(name, provider=OpenAIProvider(**place()), profile=profile, settings=settings)
    return Agent(model, output_type=output)


async def stream() -> str:
    """Read a stream."""
    async with agent().run_stream("안녕") as answer:
        return await answer.get_output()


def loop() -> str:
    """Call a tool and answer its result."""
    asked = agent()

    @asked.tool_plain
    def get_weather(city: str) -> str:
        """도시의 날씨를 알려 준다."""
        return f"{city}은 맑음"

    return asked.run_sync(WEATHER).output


def person(output: Any, name: str = "HCX-005", **more: Any) -> str:
    """Read a person."""
    asked = f"{PERSON}. final_result 도구를 호출해 주세요."
    return agent(name, output, **more).run_sync(asked).output.name


THINKS_NOT = {"name": "HCX-007", "openai_reasoning_effort": "none"}

run(
    [
        Row("stream_options", lambda: asyncio.run(stream()), lambda: agent().run_sync("안녕").output),
        Row("content: null with tool calls", loop),
        Row(
            'tool_choice: "required"',
            lambda: person(ToolOutput(Person)),
            lambda: person(ToolOutput(Person), profile=OpenAIModelProfile(supports_forced_tool_choice=False)),
        ),
        Row(
            'tool_choice: "required"',
            lambda: person(ToolOutput(Person), **THINKS_NOT),
            lambda: person(NativeOutput(Person), **THINKS_NOT),
        ),
        Row(
            "response_format: json_object",
            lambda: person(PromptedOutput(Person), **THINKS_NOT),
            lambda: person(
                PromptedOutput(Person), profile=OpenAIModelProfile(supports_json_object_output=False), **THINKS_NOT
            ),
        ),
    ]
)
