"""A service that embeds, counts requests and tokens in one of four ways, and costs next to nothing: for shared quotas.

What it counts is in ``tests/support/quota_service.py``; here are the bytes around it, the same ones for every text.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from quota_service import QuotaService

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CountingService", "Seen"]

_VECTOR = [round(((i * 7919) % 1_000) / 1_000 - 0.5, 3) for i in range(1_024)]
_REFUSED = b'{"status":{"code":"42901","message":"Too many requests - rate exceeded"},"result":null}'
# Seconds until an answer.
_LATENCY = 0.03


class Seen(NamedTuple):
    """A request that arrived: when, for which model, its tokens, and whether it got through."""

    time: float
    model: str
    tokens: int
    passed: bool


class CountingService:
    """The service, in a thread; a context manager.

    Args:
        counting: ``"sliding"``, ``"fixed"``, ``"aligned"`` or ``"bucket"``.
        window: Seconds.
        limits: Path -> requests and tokens per window; others have no limit.
        tokens: Text -> how many it is.
    """

    def __init__(
        self,
        counting: str,
        window: float,
        limits: Mapping[str, tuple[int | None, int | None]],
        tokens: Mapping[str, int],
    ) -> None:
        phase = time.monotonic() + random.uniform(0.2, 0.8) * window  # noqa: S311  a schedule, no secret
        self._quotas = {
            path: QuotaService(counting, "none", window=window, requests=requests, tokens=most, phase=phase)
            for path, (requests, most) in limits.items()
        }
        self._tokens = tokens
        self.seen: list[Seen] = []
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._ready = threading.Event()
        self._port = 0

    @property
    def base_url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, backlog=1_024)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                lines = head.lower().split(b"\r\n")
                length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
                body = json.loads(await reader.readexactly(length))
                tokens = self._tokens.get(body.get("text"), 1)
                writer_status, content = self._count(path, tokens)
                await asyncio.sleep(_LATENCY)
                writer.write(
                    b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                    % (writer_status, len(content), content)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _count(self, path: str, tokens: int) -> tuple[bytes, bytes]:
        quota = self._quotas.get(path)
        if quota is not None:
            now = time.monotonic()
            passed, _, _ = quota.arrive(now, tokens, None)
            self.seen.append(Seen(now, path, tokens, passed))
            if not passed:
                return b"429 Too Many Requests", _REFUSED
        result: dict[str, Any] = {"embedding": _VECTOR, "inputTokens": tokens, "numTokens": tokens}
        answer = {"status": {"code": "20000", "message": "OK"}, "result": result}
        return b"200 OK", json.dumps(answer).encode()
