"""Many chats at once through both adapters, from threads and tasks, against one quota: what got through, and when."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage

from clova_studio import RateLimits
from clova_studio.emulator import RecordedRequest, serve
from langchain_clova import ChatClovaX
from llama_index_clova import ClovaX

# Not 400: windows start with a request and are filled at once, so only full ones take as long as the window allows.
CALLS = 420
LIMITS = (60, 60_000)


@dataclass
class Outcome:
    """What a run of the scenario gave.

    Attributes:
        answered: Calls that got an answer.
        calls: Calls in all.
        sent: Requests that reached the server.
        refused: Requests that it answered with 429.
        seconds: From the first call to the last answer.
        marks: When each answered request reached the server, in seconds from the first.
    """

    answered: int
    calls: int
    sent: int
    refused: int
    seconds: float
    marks: list[float]

    @property
    def refused_share(self) -> float:
        """Refused requests of all."""
        return self.refused / self.sent

    def share_of_allowed(self, window: float, a_window: int, *, from_window: int = 0) -> float:
        """Return how much of the rate that the window allows was reached.

        Args:
            window: Seconds of a window.
            a_window: Requests that a window allows.
            from_window: The window to begin with.
        """
        counted = [mark for mark in self.marks if mark >= from_window * window * 0.99]
        ideal = (len(counted) / a_window - 1) * window
        return ideal / (counted[-1] - counted[0])


def run(
    *,
    window: float,
    limits: tuple[int, int],
    calls: int = CALLS,
    threads: int = 20,
    max_tokens: int = 512,
    rate_limits: Any = None,
    headers: bool = True,
    counting: Any = "fixed",
) -> Outcome:
    """Run half of the calls from threads, half from one event loop, each half through both adapters in turn.

    Args:
        window: Seconds of the server's window; the clients are told it.
        limits: Requests and tokens per window at the server.
        calls: Calls in all.
        threads: Threads of the first half.
        max_tokens: Output cap of each call.
        rate_limits: What the clients are told of the limits.
        headers: Whether the server's answers have rate-limit headers.
        counting: How the server counts.
    """
    quota = {"HCX-005": limits}
    with serve(rate_limits=quota, window=window, rate_limit_headers=headers, counting=counting) as server:
        settings: dict[str, Any] = {
            "api_key": server.api_key,
            "base_url": server.base_url,
            "max_wait": None,
            "max_tokens": max_tokens,
            "rate_limits": rate_limits,
            "quota_group": str(uuid.uuid4()),
        }
        chat, llm = ChatClovaX(**settings), ClovaX(**settings)

        def ask(i: int) -> str:
            if i % 2:
                return str(chat.invoke([HumanMessage(f"질문 {i}")]).text)
            return str(llm.chat([ChatMessage(f"질문 {i}")]).message.content)

        async def aask(i: int) -> str:
            if i % 2:
                return str((await chat.ainvoke([HumanMessage(f"질문 {i}")])).text)
            return str((await llm.achat([ChatMessage(f"질문 {i}")])).message.content)

        async def gather() -> list[Any]:
            return await asyncio.gather(*(aask(i) for i in range(calls // 2)), return_exceptions=True)

        seen: list[RecordedRequest] = []  # all of them, also of a run longer than the server's own list
        server.subscribe(lambda event, request: seen.append(request) if event == "arrived" else None)
        answers: list[Any] = []
        started = time.monotonic()
        loop = threading.Thread(target=lambda: answers.extend(asyncio.run(gather())))
        loop.start()
        with ThreadPoolExecutor(threads) as pool:
            futures = [pool.submit(ask, i) for i in range(calls // 2, calls)]
        loop.join()
        seconds = time.monotonic() - started
        answers += [future.exception() or future.result() for future in futures]
        first = min(request.time for request in seen)
        return Outcome(
            answered=sum(isinstance(answer, str) and bool(answer) for answer in answers),
            calls=calls,
            sent=len(seen),
            refused=sum(request.status == 429 for request in seen),
            seconds=seconds,
            marks=sorted(request.time - first for request in seen if request.status == 200),
        )


WINDOW = 6.0
MODES: dict[str, tuple[str, dict[str, Any], int]] = {
    "pacing-limits": ("with limits given", {"rate_limits": RateLimits({"HCX-005": LIMITS}, window=WINDOW)}, 0),
    "pacing-tokens": (
        "with limits given, tokens the scarce ones",
        {"rate_limits": RateLimits({"HCX-005": LIMITS}, window=WINDOW), "max_tokens": 2_000, "calls": 203},
        0,
    ),
    "pacing-headers": ("without limits", {"rate_limits": RateLimits(window=WINDOW)}, 0),
    "pacing-headerless": (
        "without limits and headers, from the third window on",
        {"rate_limits": RateLimits(window=WINDOW), "headers": False},
        2,
    ),
    **{
        f"pacing-{counting}": (
            f"without limits, {title}",
            {"rate_limits": RateLimits(window=WINDOW), "counting": counting},
            0,
        )
        for counting, title in (
            ("sliding", "a sliding window"),
            ("aligned", "windows aligned to the clock"),
            ("bucket", "a token bucket"),
        )
    },
}
"""Row -> what it is, arguments of ``run``, and the window from which on the rate is measured."""
