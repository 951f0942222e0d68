"""Thinking that used up the output cap is no silent answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio.emulator import EmulatorServer
    from langchain_clova import ChatClovaX

QUESTION = "사과 세 개와 배 두 개를 더하면? 자세히 설명해 주세요."


def _run(model: Any, way: str, question: str, **options: Any) -> Any:
    if way == "invoke":
        return model.invoke(question, **options)
    if way == "ainvoke":
        return asyncio.run(model.ainvoke(question, **options))
    if way == "stream":
        return _added(list(model.stream(question, **options)))

    async def gather() -> list[Any]:
        return [chunk async for chunk in model.astream(question, **options)]

    return _added(asyncio.run(gather()))


def _added(chunks: list[Any]) -> Any:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_spent_thinking_is_said_once(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """One warning names the cap and the tokens spent; each such answer is marked, and no other one is."""
    model = chat(model="HCX-007", max_tokens=3)
    with pytest.warns(UserWarning, match=r"max_tokens=3 \(3 tokens spent, 3 of them on thinking\)"):
        answer = _run(model, way, QUESTION)
    assert (answer.text, answer.response_metadata["finish_reason"]) == ("", "length")
    assert answer.response_metadata["empty_answer"] == "thinking"
    assert _run(model, way, QUESTION).response_metadata["empty_answer"] == "thinking"  # without a second warning
    good = _run(model, way, QUESTION, max_tokens=2_000)
    assert good.text
    assert "empty_answer" not in good.response_metadata
    with pytest.warns(UserWarning, match="max_tokens=2 "):
        _run(chat(model="HCX-007"), way, QUESTION, max_tokens=2)


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_cap_that_something_else_used_up(chat: Callable[..., ChatClovaX], server: EmulatorServer, way: str) -> None:
    """An answer that is blank up to its cap is marked too, without a word of thinking and without a warning."""
    server.script([{"content": " ", "finish_reason": "length"}])
    answer = _run(chat(max_tokens=9), way, QUESTION)
    assert answer.response_metadata["empty_answer"] == "max_tokens"
