"""Records: passes each request on to the upstream and its answer back, and writes both."""

import asyncio
import contextlib
import logging
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import httpx

from clova_studio.emulator.recording.capture import (
    Ids,
    Steadier,
    read_reply,
    read_request,
    settled,
)
from clova_studio.emulator.recording.interactions import Request, write_lines
from clova_studio.emulator.recording.matching import key_of
from clova_studio.emulator.recording.options import keys_of_environment
from clova_studio.emulator.recording.secrets import REQUEST_ID, Secrets
from clova_studio.emulator.recording.shown import show
from clova_studio.emulator.recording.upstream import Upstream, UpstreamError, end_to_end
from clova_studio.emulator.recording.writer import RecordingWriter
from clova_studio.emulator.server.http_connection import ClientGoneError, HttpConnection
from clova_studio.emulator.server.recorded_answer import RecordedAnswer
from clova_studio.emulator.server.request_log import RecordedRequest, RequestLog

_LOG = logging.getLogger("clova_studio.emulator")


@dataclass
class _Taken:
    """What came of an answer.

    Attributes:
        seed: What its new ids are made of.
        path: The path of the request, without secrets.
        shown: What the request log shows of the answer.
        begin: When the request was sent, on the monotonic clock.
        response: Its status and headers; None when no answer began.
        chunks: The chunks of its body, with the seconds since the request.
        whole: Whether all of it came.
        end: How it broke.
        on_answered: To be called before the caller can know that it has the answer.
    """

    seed: str
    path: str
    shown: RecordedAnswer
    begin: float = 0.0
    response: httpx.Response | None = None
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    whole: bool = False
    end: str = ""
    on_answered: Callable[[], None] = lambda: None


class Recorder:
    """Passes requests on and writes them with their answers.

    Args:
        path: The file to write.
        url: The upstream's address.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], url: str) -> None:
        self._writer = RecordingWriter(Path(path))
        self._upstream = Upstream(url)
        self._url = url
        self._secrets = Secrets()
        for key in keys_of_environment():
            self._secrets.learn(key)
        self._ids = Ids()
        self._times: Counter[str] = Counter()

    async def answer(self, connection: HttpConnection, record: RecordedRequest, raw: bytes, log: RequestLog) -> None:
        """Pass a request and its body on, and the answer back."""
        request = read_request(connection, raw, self._secrets)
        show(record, log, request, connection, self._secrets)
        key = key_of(request)
        self._times[key] += 1
        connection.recorded = None  # what passes by has secrets; the log gets what is written
        taken = _Taken(f"{key}/{self._times[key]}", request.path, record.answer)
        place = self._writer.begin(key)
        taken.on_answered = lambda: self._writer.answered(place)
        try:
            await self._relay(connection, raw, taken)
        finally:
            lines = b""
            try:
                lines = self._lines(request, connection.headers.get(REQUEST_ID, ""), taken)
            finally:
                self._writer.end(place, lines)
        if taken.end in {"closed", "reset", "unreachable"}:
            await connection.drop(reset=taken.end != "closed")

    async def _relay(self, connection: HttpConnection, raw: bytes, taken: "_Taken") -> None:
        """Wait for the answer's end, but not longer than the caller does."""
        passing = asyncio.ensure_future(self._pass_on(connection, raw, taken))
        leaving = asyncio.ensure_future(connection.hang())
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                passing.result()
            elif not taken.whole:
                taken.end = "abandoned"
        finally:
            for task in (passing, leaving):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ClientGoneError):
                await asyncio.gather(passing, leaving, return_exceptions=True)

    async def _pass_on(self, connection: HttpConnection, raw: bytes, taken: "_Taken") -> None:
        taken.begin = monotonic()
        target = connection.raw_path + (f"?{connection.raw_query}" if connection.raw_query else "")
        try:
            async with self._upstream.send(connection.method, target, connection.raw_headers, raw) as response:
                taken.response = response
                await connection.relay(response.status_code, end_to_end(response.headers.raw))
                if _is_stream(response):  # a caller need not read it to its end before it asks again
                    taken.on_answered()
                left = int(response.headers.get("content-length", -1))
                async for chunk in self._upstream.chunks(response):
                    taken.chunks.append((monotonic() - taken.begin, chunk))
                    left -= len(chunk)
                    if not left:
                        taken.on_answered()
                    await connection.write(chunk)
                taken.whole = True
            taken.on_answered()
            await connection.write(b"", more=False)
        except UpstreamError as error:
            taken.end = error.end
            words = self._secrets.mask(str(error))
            _LOG.warning("%s gave %s %s no whole answer: %s", self._url, connection.method, taken.path, words)

    def _lines(self, request: Request, own_id: str, taken: "_Taken") -> bytes:
        """What is written of a request; nothing if its answer cannot be read, which is logged."""
        steadier = Steadier(self._ids, taken.seed, own_id)
        response = taken.response
        headers = [] if response is None else response.headers.raw
        try:
            reply = read_reply(
                None if response is None else response.status_code,
                [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers],
                taken.chunks,
                taken.end,
                self._secrets,
                steadier,
            )
        except ValueError as error:
            _LOG.warning("Not recorded: the answer to %s %s: %s", request.method, request.path, error)
            return b""
        taken.shown.keep(reply.headers, reply.parts, reply.seconds)
        # The answer may have shown what in the request is a secret.
        return write_lines(settled(request, self._secrets, steadier), reply)

    async def close(self) -> None:
        """Close the connections, and write what is not written."""
        await self._upstream.aclose()
        await asyncio.to_thread(self._writer.close)

    def reset(self) -> None:
        """Keep on: what was recorded stays."""


def _is_stream(response: httpx.Response) -> bool:
    return bool(response.headers.get("content-type", "").startswith("text/event-stream"))
