"""Answers that ended before they began: how they are known, and what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clova_studio import ChatResult, ClovaStudio, Message, ToolCall, Usage
from clova_studio.adapters._empty_answers import why_empty
from clova_studio.emulator import serve
from clova_studio.types import CompletionTokensDetails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

QUESTION = [{"role": "user", "content": "사과 세 개와 배 두 개를 더하면? 자세히 설명해 주세요."}]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """An emulator in one of its behaviours."""
    with serve(behaviour=request.param) as running:
        yield running


@pytest.mark.each_behaviour
@pytest.mark.parametrize(("cap", "empty"), [(3, True), (2_000, False)])
def test_thinking_that_used_up_the_cap(server: EmulatorServer, cap: int, *, empty: bool) -> None:
    """A result says that there is no answer, whole and streamed; one with an answer does not."""
    with ClovaStudio(server.api_key, base_url=server.base_url) as client:
        whole = client.chat(QUESTION, model="HCX-007", max_tokens=cap)
        with client.stream_chat(QUESTION, model="HCX-007", max_tokens=cap) as stream:
            for _ in stream:
                pass
        options: Any = {"model": "HCX-007", "max_completion_tokens": cap, "reasoning_effort": "low"}
        compatible = client.openai.chat(QUESTION, **options)
        with client.openai.stream_chat(QUESTION, **options) as other:
            for _ in other:
                pass
    results = (whole, stream.result(), compatible, other.result())
    assert [result.is_empty for result in results] == [empty] * 4


@pytest.mark.parametrize(
    ("content", "calls", "reason", "empty"),
    [
        ("", None, "length", True),
        (" \n", None, "length", True),
        ("글", None, "length", False),
        ("", [ToolCall(id="c")], "length", False),
        ("", None, "stop", False),
        ("", None, None, False),
    ],
)
def test_what_is_empty(content: str, calls: list[ToolCall] | None, reason: str | None, *, empty: bool) -> None:
    """Only an answer that was cut, without text and without a call, is one that ended before it began."""
    result = ChatResult(message=Message(content=content, tool_calls=calls), finish_reason=reason)
    assert result.is_empty is empty


def test_why() -> None:
    """The words name the cap, the tokens spent, those of thinking, and the way out; by the caller's names."""
    details = CompletionTokensDetails(thinking_tokens=2_047)
    usage = Usage(completion_tokens=2_048, completion_tokens_details=details)
    assert why_empty("HCX-007", 2_048, usage, thought=True) == (
        "HCX-007 gave no answer: thinking used up max_tokens=2048 (2048 tokens spent, 2047 of them on thinking). Raise "
        "max_tokens, up to 32768, or lower thinking"
    )
    assert "the service's default of --max-tokens" in why_empty(
        "HCX-007", None, usage, thought=True, names=("--max-tokens", "--thinking")
    )
    assert why_empty("HCX-005", 1, Usage(completion_tokens=1), thought=False) == (
        "HCX-005 gave no answer: max_tokens=1 was used up (1 token spent). Raise max_tokens, up to 4096"
    )
