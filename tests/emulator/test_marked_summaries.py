"""Prompts that mark what is to be summarised, as memories of agents write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from emulator_support import user

if TYPE_CHECKING:
    import httpx

ENGLISH = """Your sole objective is to extract the most relevant context. Respond ONLY with the extracted context.

## NEXT STEPS

What should you do next?

<messages>
Messages to summarize:
<message type="human">부산 날씨를 알려 주세요.</message>
<message type="tool">부산은 맑고 21도입니다.</message>
</messages>"""
KOREAN = "중요한 것만 남기세요.\n\n요약할 대화:\n부산은 맑고 21도입니다."


@pytest.mark.parametrize("prompt", [ENGLISH, KOREAN], ids=["English", "Korean"])
def test_what_is_marked_is_summarised(either: httpx.Client, prompt: str) -> None:
    """The answer has what was said in the marked part, and nothing of the instructions or the marks."""
    answer = either.post("/v3/chat-completions/HCX-005", json=user(prompt, maxTokens=500)).json()["result"]
    assert answer["message"]["content"] == "부산은 맑고 21도입니다."
