"""Streams that are left in the middle, in loops that end."""

from __future__ import annotations

import asyncio
import logging

import pytest
from llama_index.core.llms import ChatMessage

from clova_studio.emulator import serve
from llama_index_clova import ClovaX


@pytest.mark.parametrize("way", ["astream_chat", "astream_complete"])
def test_leaving_a_stream_as_the_last_act_of_a_loop_logs_no_error(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """A loop that ends while LlamaIndex's generators around a stream are being closed has nothing to complain of."""

    async def leave(llm: ClovaX) -> None:
        asked = "안녕하세요" if way == "astream_complete" else [ChatMessage("안녕하세요")]
        async for _ in await getattr(llm, way)(asked):
            break

    with serve(token_latency=0.005) as server, caplog.at_level(logging.ERROR):
        llm = ClovaX(api_key=server.api_key, base_url=server.base_url)
        for _ in range(10):
            asyncio.run(leave(llm))
    assert caplog.records == []
