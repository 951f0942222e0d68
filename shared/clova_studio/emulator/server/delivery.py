"""Sends an answer, with the faults that happen on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from clova_studio.emulator.rules.refusals import Refusal
from clova_studio.emulator.server.faults import Fault
from clova_studio.emulator.server.http_connection import HttpConnection
from clova_studio.emulator.server.state import Settings
from clova_studio.emulator.server.wire import Frames, OpenAIFrames, success


@dataclass
class JsonAnswer:
    """A whole JSON body."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def success(cls, result: Any, headers: dict[str, str]) -> Self:
        """The envelope of a result; None gives the status alone."""
        return cls(success(result), headers=headers)


@dataclass
class StreamAnswer:
    """An event stream."""

    frames: Frames | OpenAIFrames  # writes the signal and the errors inside the stream
    tokens: Iterator[bytes]
    results: Iterator[bytes]  # end an ordinary stream, before the signal
    headers: dict[str, str] = field(default_factory=dict)
    signal: bool = False


Answer = JsonAnswer | StreamAnswer

_BREAKING = frozenset({"cut", "cut_abrupt", "error_event", "truncate"})


async def deliver(connection: HttpConnection, answer: Answer, settings: Settings, fault: Fault | None) -> None:
    """Send an answer, with the fault that hits the request, if any."""
    kind = fault.kind if fault is not None else ""
    if isinstance(answer, JsonAnswer):
        body = answer.body[: max(1, len(answer.body) // 2)] if kind == "truncate" else answer.body
        await connection.start(answer.status, {"content-type": "application/json", **answer.headers}, len(body))
    else:
        body = b""
        content_type = "text/event-stream"
        if settings.facts["event-content-type"] == "charset":
            content_type += ";charset=UTF-8"
        await connection.start(200, {"content-type": content_type, "cache-control": "no-cache", **answer.headers})
    if kind == "reset_after_headers":
        await connection.write(b"")  # sends the headers before the connection breaks
        await connection.drop(reset=True)
    if isinstance(answer, JsonAnswer):
        await _write(connection, body, fault)
    else:
        await _write_events(connection, answer, settings, fault)
    await connection.write(b"", more=False)


async def _write_events(
    connection: HttpConnection, answer: StreamAnswer, settings: Settings, fault: Fault | None
) -> None:
    kind = fault.kind if fault is not None else ""
    broken = fault if fault is not None and kind in _BREAKING else None
    for number, frame in enumerate(answer.tokens):
        if broken is not None and number >= broken.after:
            if kind == "truncate":  # half a frame
                await connection.write(frame[: len(frame) // 2])
            break
        if number:
            await connection.pause(settings.token_latency)
        await _write(connection, frame, fault)
    if broken is not None:
        await _break_stream(connection, answer, broken)
    else:
        for frame in answer.results:
            await _write(connection, frame, fault)
        if answer.signal and kind != "no_signal":
            await _write(connection, answer.frames.signal(), fault)
        if kind == "hang_after_result":
            await connection.hang()


async def _break_stream(connection: HttpConnection, answer: StreamAnswer, fault: Fault) -> None:
    """End a stream as a fault says, after its first token events."""
    if fault.kind == "error_event":
        # Of the codes inside streams only the rate limit's was recorded, hence the default.
        refusal = Refusal(fault.code or "42901", fault.message)
        await connection.write(answer.frames.error(refusal.code, refusal.message))
    if fault.kind == "cut_abrupt":
        await connection.drop(reset=False)


async def _write(connection: HttpConnection, data: bytes, fault: Fault | None) -> None:
    if fault is None or fault.kind != "trickle":
        await connection.write(data)
        return
    for index in range(len(data)):
        await connection.write(data[index : index + 1])
        await connection.pause(fault.pause)
