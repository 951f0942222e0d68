"""langchain-naver 0.1.1 against the emulator."""

from __future__ import annotations

from typing import Any

from langchain_naver import ChatClovaX
from pydantic import BaseModel
from rows import PERSON, Row, place, run


class Person(BaseModel):
    """사람."""

    name: str


def person(method: str, **more: Any) -> str:
    """Read a person."""
    chat = ChatClovaX(model="HCX-005", max_tokens=1024, max_retries=0, **place(), **more)
    return chat.with_structured_output(Person, method=method).invoke(PERSON).name


WITHOUT = {"parallel_tool_calls": None}
run(
    [
        Row(
            "parallel_tool_calls: false",
            lambda: person("function_calling"),
            lambda: person("function_calling", disabled_params=WITHOUT),
        ),
        Row(
            "response_format: json_object",
            lambda: person("json_mode"),
            lambda: person("function_calling", disabled_params=WITHOUT),
        ),
    ]
)
