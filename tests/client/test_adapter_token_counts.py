"""Counting any part of a conversation with the token calculator, which takes only what a chat takes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from clova_studio import AsyncClovaStudio, ClovaStudio, ConfigurationError
from clova_studio.adapters import Conversation, TokenCounting, no_images_for
from clova_studio.emulator import serve

URL = {"type": "image_url", "imageUrl": {"url": "https://example.com/a.png"}}
TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}},
}


def counting(*turns: Any, model: str = "HCX-005", tools: Any = ()) -> TokenCounting:
    """Return what counts a text or parts of the user's, and the results of tools, which are pairs."""
    made = Conversation(no_images_for(model, tools), parse_json=json.loads, is_counted=True)
    for turn in turns:
        if isinstance(turn, tuple):
            made.add_tool_result(*turn)
        else:
            parts = [{"type": "text", "text": turn}] if isinstance(turn, str) else turn
            made.add_user(parts, "", is_last_turn=False)
    return TokenCounting(made.finished(), tools, model=model)


def test_twins_count_the_same() -> None:
    """Sync and async counts are the same, over one request or several, and what was added is not in them."""
    with serve() as server:
        account = {"api_key": server.api_key, "base_url": server.base_url}

        async def count(asked: TokenCounting) -> Any:
            async with AsyncClovaStudio(**account) as client:
                return await asked.arun(client.count_chat_tokens)

        with ClovaStudio(**account) as client:
            alone = counting("가나다").run(client.count_chat_tokens)
            for asked in (counting("가나다"), counting(("c", "맑음"), "가나다", "", *[[URL]] * 7, tools=[TOOL])):
                found = asked.run(client.count_chat_tokens)
                assert found == asyncio.run(count(asked))
                assert found.total == sum(message.count for message in found.messages) + found.tools
            assert [message.role for message in found.messages] == ["tool", *["user"] * 9]
            assert found.messages[1].count == alone.total
            assert found.tools > 0


def test_what_the_calculator_does_not_take_is_estimated() -> None:
    """A conversation of empty messages needs no request; one without messages is refused, as the client does it."""
    with serve() as server, ClovaStudio(api_key=server.api_key, base_url=server.base_url) as client:
        assert counting("", " ").run(client.count_chat_tokens).total == 8 + 1
        assert counting("", tools=[TOOL]).run(client.count_chat_tokens).tools > 0
        assert server.requests == []
        with pytest.raises(ConfigurationError, match="messages is empty"):
            counting().run(client.count_chat_tokens)


def test_images_by_model() -> None:
    """Images are counted as they are sent: not to a model without images, and not together with tools."""
    assert no_images_for("HCX-005") is None
    assert no_images_for("HCX-007") == "HCX-007"
    assert no_images_for("HCX-005", [TOOL]) == "tools"
    assert [len(counting(*[[URL]] * 11, model=name).requests) for name in ("HCX-005", "HCX-007")] == [3, 1]


def test_counts_of_unknown_messages() -> None:
    """If the calculator gives fewer counts than messages, only the total is known."""

    def answer(request: httpx.Request) -> httpx.Response:
        counts = {"messages": [{"role": "user", "content": [{"type": "text", "count": 7}]}]}
        return httpx.Response(200, json={"status": {"code": "20000", "message": "OK"}, "result": counts})

    with httpx.Client(transport=httpx.MockTransport(answer)) as transport:
        client = ClovaStudio(api_key="nv-x", base_url="http://t", http_client=transport)
        assert len(counting("가", "나").run(client.count_chat_tokens).messages) == 1
        found = counting("가", "나", *[[URL]] * 6, "").run(client.count_chat_tokens)
        assert (found.total, found.messages) == (7 + 7 + 4, [])
