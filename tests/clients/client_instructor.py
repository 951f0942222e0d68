"""instructor against the emulator."""

from __future__ import annotations

import instructor
import openai
from pydantic import BaseModel
from rows import PERSON, Row, place, run


class Person(BaseModel):
    """사람."""

    name: str


def person(mode: instructor.Mode) -> str:
    """Read a person."""
    client = instructor.from_openai(openai.OpenAI(max_retries=0, **place()), mode=mode)
    asked = [{"role": "user", "content": PERSON}]
    return client.chat.completions.create(model="HCX-005", response_model=Person, max_retries=0, messages=asked).name


run(
    [
        Row(
            "response_format: json_object", lambda: person(instructor.Mode.JSON), lambda: person(instructor.Mode.TOOLS)
        ),
        Row(
            "response_format: json_object",
            lambda: person(instructor.Mode.JSON),
            lambda: person(instructor.Mode.MD_JSON),
        ),
    ]
)
