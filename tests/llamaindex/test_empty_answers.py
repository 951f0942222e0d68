"""Thinking that used up the output cap is no silent answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from llama_support import CHAT, COMPLETE, asked, run

from llama_index_clova import ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

QUESTION = "사과 세 개와 배 두 개를 더하면? 자세히 설명해 주세요."


@pytest.mark.each_behaviour
@pytest.mark.parametrize("way", [*CHAT, *COMPLETE])
def test_spent_thinking_is_said_once(server: EmulatorServer, account: dict[str, Any], way: str) -> None:
    """One warning names the cap and the tokens spent; each such answer is marked, and no other one is."""
    llm = ClovaX(model="HCX-007", max_tokens=3, **account)
    with pytest.warns(UserWarning, match=r"max_tokens=3 \(3 tokens spent, 3 of them on thinking\)"):
        last = run(llm, way, asked(way, QUESTION))[-1]
    assert last.additional_kwargs["empty_answer"] == "thinking"
    assert last.raw["finish_reason"] == "length"
    again = run(llm, way, asked(way, QUESTION))[-1]  # without a second warning
    assert again.additional_kwargs["empty_answer"] == "thinking"
    good = run(llm, way, asked(way, QUESTION), max_tokens=2_000)[-1]
    assert "empty_answer" not in good.additional_kwargs
