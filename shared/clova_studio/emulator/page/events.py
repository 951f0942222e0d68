"""What the page hears: requests as they arrive and are answered, and what quotas, faults and counts have become.

It is an event stream. ``about`` comes first, then ``requests`` with the newest ones; afterwards what has changed,
several requests in one event and at most five events per second, so that neither side works for each request.
"""

import asyncio
import json
from dataclasses import asdict
from typing import Any

from clova_studio.emulator.control.endpoints import package_version
from clova_studio.emulator.rules.catalogue import MODELS
from clova_studio.emulator.server.faults import KINDS
from clova_studio.emulator.server.http_connection import HttpConnection
from clova_studio.emulator.server.local_routes import failure_of, send_json
from clova_studio.emulator.server.request_log import MOST_REQUESTS, Event, RecordedRequest
from clova_studio.emulator.server.state import State
from clova_studio.emulator.server.windows import QUOTA_NAMES

_STEP = 0.2  # seconds between two looks at what has happened
_STATE_STEPS = 4  # every so many looks the quotas are read
_QUIET_STEPS = 75  # after so many looks without news a comment keeps the connection
_FIRST_ROWS = 300
_MOST_USAGE = 50
_LONGEST = 300


class Feed:
    """The requests of which one page has not heard yet: each once, the newest thousand."""

    def __init__(self, most: int = MOST_REQUESTS) -> None:
        self._most = most
        self._waiting: dict[int, RecordedRequest] = {}

    def hear(self, _: Event, request: RecordedRequest) -> None:
        """Remember a request; called in the loop of the server, at its arrival and its end."""
        self._waiting[request.number] = request
        if len(self._waiting) > self._most:
            del self._waiting[next(iter(self._waiting))]

    def take(self) -> list[RecordedRequest]:
        """The requests since the last time."""
        waiting, self._waiting = self._waiting, {}
        return list(waiting.values())


async def answer(connection: HttpConnection, state: State) -> None:
    """Send events as long as the page listens."""
    if connection.method != "GET":
        said = failure_of(f"{connection.path} takes GET, not {connection.method}.")
        await send_json(connection, 405, said, {"allow": "GET"})
        return
    feed = Feed()
    stop = state.log.subscribe(feed.hear)
    try:
        await connection.start(200, {"content-type": "text/event-stream", "cache-control": "no-store"})
        await connection.write(_event("about", about(state)))
        known = state.log.kept[-_FIRST_ROWS:]
        feed.take()
        await connection.write(_event("requests", [row(request) for request in known]))
        await _follow(connection, state, feed)
    finally:
        stop()


async def _follow(connection: HttpConnection, state: State, feed: Feed) -> None:
    said: Any = None
    step = quiet = 0
    while True:
        requests = feed.take()
        if requests:
            await connection.write(_event("requests", [row(request) for request in requests]))
        changed = False
        if step % _STATE_STEPS == 0:
            now = overview(state)
            # The seconds until a reset run by themselves, also in the page.
            told = json.dumps(_without_clocks(now))
            changed = told != said
            if changed:
                said = told
                await connection.write(_event("state", now))
        quiet = 0 if requests or changed else quiet + 1
        if quiet >= _QUIET_STEPS:
            quiet = 0
            await connection.write(b": still here\n\n")
        step += 1
        await connection.pause(_STEP)
        # A page that reads slowly hears less often: its next event waits until the last one is gone.
        await asyncio.sleep(0)


def about(state: State) -> dict[str, Any]:
    """What does not change while the server runs.

    A key that is accepted is among it where only this machine can ask, or where every key is accepted. While it records
    there is none: that is the user's own.
    """
    settings = state.settings
    told = settings.record is None and (state.loopback or settings.api_keys is None)
    mode = "record" if settings.record is not None else "replay" if settings.replay is not None else "compute"
    return {
        "version": package_version(),
        "behaviour": settings.facts.behaviour,
        "facts_changed": settings.facts.changed,
        "mode": mode,
        "upstream": settings.upstream,
        "key": settings.api_key if told else None,
        "any_key": told and settings.api_keys is None,
        "latency": settings.latency,
        "token_latency": settings.token_latency,
        "models": [asdict(model) for model in sorted(MODELS.values(), key=lambda model: -model.version)],
        "fault_kinds": sorted(KINDS),
        "quota_names": list(QUOTA_NAMES),
    }


def overview(state: State) -> dict[str, Any]:
    """Counts, quotas and faults at this moment."""
    log, windows = state.log, state.windows
    kept = log.kept
    return {
        "received": log.received,
        "kept": len(kept),
        "first": kept[0].number if kept else log.received + 1,
        "dropped": log.dropped,
        "in_flight": log.in_flight,
        "scripted": len(state.scripted),
        "faults": [
            {"number": item.number, "seen": item.seen, "hit": item.hit, "fault": asdict(item.fault)}
            for item in state.faults
        ],
        "limits": {name: {"requests": most[0], "tokens": most[1]} for name, most in windows.limits.items()},
        "window": windows.window,
        "counting": windows.counting,
        "usage": windows.usage()[-_MOST_USAGE:],
    }


def _without_clocks(value: dict[str, Any]) -> dict[str, Any]:
    usage = [
        {name: {**part, "reset_seconds": 0} if isinstance(part, dict) else part for name, part in line.items()}
        for line in value["usage"]
    ]
    return {**value, "usage": usage}


def row(request: RecordedRequest) -> dict[str, Any]:
    """One line of the list of requests."""
    sent = request.answer
    tokens = sent.tokens
    return {
        "number": request.number,
        "received": request.received,
        "method": request.method,
        "path": request.path[:_LONGEST],
        "status": request.status,
        "code": request.code,
        "message": request.message[:_LONGEST],
        "fault": request.fault,
        "hint": request.hint[:_LONGEST],
        "seconds": request.seconds,
        "streamed": sent.streamed,
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
        "size": len(request.raw),
        "answer_size": sent.size,
    }


def _event(name: str, value: Any) -> bytes:
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {data}\n\n".encode(errors="replace")
