"""Speed as ratios in one run on one machine: ``make bench``, or one row with ``make bench ARGS=chat``.

Each ratio is the median of interleaved pairs after a warm-up. CPU is the process time of this process; the server runs
in another one and answers fixed bytes.
"""

from __future__ import annotations

import json
import logging
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from clova_studio import ClovaStudio

if TYPE_CHECKING:
    from collections.abc import Callable

PAIRS = 7
CALLS = 200
TOKENS = 5_000
MESSAGES = [{"role": "user", "content": "대한민국의 수도는 어디인가요?"}]


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of this process for some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def wall_of_import(statement: str) -> float:
    """Return the seconds that a fresh interpreter takes for a statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def pairs(ours: Callable[[], float], baseline: Callable[[], float]) -> tuple[float, float, float]:
    """Return the medians of both and of their ratio."""
    ours()
    baseline()
    measured = [(ours(), baseline()) for _ in range(PAIRS)]
    return (
        statistics.median(a for a, _ in measured),
        statistics.median(b for _, b in measured),
        statistics.median(a / b for a, b in measured),
    )


def chat(base_url: str) -> tuple[float, float, float]:
    """CPU of client.chat against a raw httpx POST and json()."""
    body = {"messages": MESSAGES}
    headers = {"Authorization": "Bearer nv-bench"}
    url = f"{base_url}/v3/chat-completions/HCX-005"
    with ClovaStudio("nv-bench", base_url=base_url) as client, httpx.Client() as raw:
        return pairs(
            lambda: cpu(lambda: [client.chat(MESSAGES) for _ in range(CALLS)]) / CALLS,
            lambda: cpu(lambda: [raw.post(url, json=body, headers=headers).json() for _ in range(CALLS)]) / CALLS,
        )


def stream(base_url: str) -> tuple[float, float, float]:
    """CPU a token of client.stream_chat against a raw httpx byte stream and json.loads per event."""
    body = {"messages": MESSAGES}
    headers = {"Authorization": "Bearer nv-bench", "Accept": "text/event-stream"}

    def ours() -> None:
        with client.stream_chat(MESSAGES) as chunks:
            for _ in chunks:
                pass

    def bare() -> None:
        buffer = b""
        with raw.stream("POST", f"{base_url}/sse/{TOKENS}/v3", json=body, headers=headers) as response:
            for piece in response.iter_bytes():
                *events, buffer = (buffer + piece).split(b"\n\n")
                for event in events:
                    json.loads(event[event.index(b"data:") + 5 :])

    with ClovaStudio("nv-bench", base_url=f"{base_url}/sse/{TOKENS}") as client, httpx.Client() as raw:
        return pairs(lambda: cpu(ours) / TOKENS, lambda: cpu(bare) / TOKENS)


def import_client(_: str) -> tuple[float, float, float]:
    """Importing the client against importing its dependencies."""
    return pairs(
        lambda: wall_of_import("from clova_studio import ClovaStudio"),
        lambda: wall_of_import("import httpx, pydantic, tenacity"),
    )


def import_langchain(_: str) -> tuple[float, float, float]:
    """Importing ChatClovaX against importing LangChain's base class."""
    return pairs(
        lambda: wall_of_import("from langchain_clova import ChatClovaX"),
        lambda: wall_of_import("from langchain_core.language_models import BaseChatModel"),
    )


def pacing(name: str) -> bool:
    """Print how much of the rate that a quota allows 420 calls at once reach, and what they lose; return the verdict.

    Not a ratio of CPU: the server's window is the baseline. It has an emulator of its own.
    """
    import pacing_scenario

    title, arguments, first = pacing_scenario.MODES[name]
    window, limits = pacing_scenario.WINDOW, pacing_scenario.LIMITS
    logging.getLogger("clova_studio").setLevel(logging.ERROR)  # a line for each retry
    outcome = pacing_scenario.run(window=window, limits=limits, **arguments)
    a_window = limits[0] if "max_tokens" not in arguments else sum(mark < window * 0.9 for mark in outcome.marks)
    share = outcome.share_of_allowed(window, a_window, from_window=first)
    bar = 0.80 if first else 0.95
    lost = outcome.calls - outcome.answered
    most_refused = 0.01 if "given" in title else 1.0
    passed = share >= bar and not lost and outcome.refused_share <= most_refused
    print(
        f"{'quota, ' + title:<56} {share:>6.1%} of the rate (bar {bar:.0%}), {outcome.refused_share:.1%} refused, "
        f"{lost} lost {'pass' if passed else 'short'}",
        flush=True,
    )
    return passed


PACING = ("pacing-limits", "pacing-tokens", "pacing-headers", "pacing-headerless")

ROWS = {
    "chat": (chat, "CPU of client.chat / raw httpx", 1.4),
    "stream": (stream, "CPU a token of client.stream_chat / raw httpx + json", 1.4),
    "import-client": (import_client, "import ClovaStudio / its dependencies", 1.35),
    "import-langchain": (import_langchain, "import ChatClovaX / BaseChatModel", 1.2),
}


def main(wanted: list[str]) -> None:
    """Print the table of the wanted rows, all without any."""
    unknown = set(wanted) - {*ROWS, *PACING}
    if unknown:
        sys.exit(f"no such row: {', '.join(unknown)}; there are {', '.join([*ROWS, *PACING])}")
    script = Path(__file__).with_name("stand_in.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as server:
        base_url = f"http://127.0.0.1:{(server.stdout or sys.stdin).readline().strip()}"
        print(f"{'work':<56} {'ours':>10} {'baseline':>10} {'ratio':>6} {'bar':>5}")
        for name, (row, title, bar) in ROWS.items():
            if wanted and name not in wanted:
                continue
            ours, baseline, ratio = row(base_url)
            verdict = "pass" if ratio <= bar else "short"
            print(
                f"{title:<56} {ours * 1e6:>8.1f}us {baseline * 1e6:>8.1f}us {ratio:>6.2f} {bar:>5} {verdict}",
                flush=True,
            )
        server.terminate()
    for name in PACING:
        if not wanted or name in wanted:
            pacing(name)


if __name__ == "__main__":
    main(sys.argv[1:])
