"""Asynchronous work over a synchronous client, cancelled while the service is silent."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from fault_support import Account, Line, RawServer, wait_for

import clova_studio as cs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["left_behind"]


def silent(line: Line) -> None:
    """Answer nothing."""
    line.hold()


def left_behind(work: Callable[[cs.ClovaStudio], Awaitable[Any]]) -> None:
    """Assert that a loop ends at once after its work was cancelled, whatever the service does, and nothing is sent."""

    async def main() -> float:
        task = asyncio.ensure_future(work(client))
        await asyncio.to_thread(wait_for, lambda: bool(server.requests))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return began

    with RawServer(silent) as server:
        client = cs.ClovaStudio(**Account("sync", server.base_url).settings)
        began = asyncio.run(main())
        assert time.monotonic() - began < 1.5
        sent = len(server.requests)
        client.close()
        assert len(server.requests) == sent
