"""Replays: answers from a recording, in the order in which it was made."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from clova_studio.emulator.recording.capture import ID_PLACE, read_request
from clova_studio.emulator.recording.interactions import Interaction, Reply, Request, read_recording
from clova_studio.emulator.recording.matching import describe, exact_key_of, key_of, nearest
from clova_studio.emulator.recording.options import keys_of_environment
from clova_studio.emulator.recording.secrets import REQUEST_ID, Secrets
from clova_studio.emulator.recording.shown import refuse, show
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.server.http_connection import HttpConnection
from clova_studio.emulator.server.request_log import RecordedRequest, RequestLog

# In place of an id that the caller did not give.
_NO_ID = "00000000-0000-4000-8000-000000000000"


@dataclass
class _Take:
    """One of several recordings of the same request."""

    interaction: Interaction
    exact: str
    used: bool = False


class Replayer:
    """Answers requests from a recording.

    Args:
        path: The file.
        speed: Factor of the recorded pace; 0 means at once.
        facts: The form of its own refusals.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no recording; the message names the line.
    """

    def __init__(self, path: str | os.PathLike[str], *, speed: float, facts: Facts) -> None:
        self._path = Path(path)
        self._speed = speed
        self._facts = facts
        self._secrets = Secrets()
        for key in keys_of_environment():
            self._secrets.learn(key)
        self._lock = threading.Lock()
        self._takes: dict[str, list[_Take]] = {}
        self._interactions = read_recording(self._path)
        for interaction in self._interactions:
            take = _Take(interaction, exact_key_of(interaction.request))
            self._takes.setdefault(key_of(interaction.request), []).append(take)

    async def answer(self, connection: HttpConnection, record: RecordedRequest, raw: bytes, log: RequestLog) -> None:
        """Answer a request and its body from the recording; with 404 if it has none for it."""
        begin = monotonic()
        request = read_request(connection, raw, self._secrets)
        show(record, log, request, connection, self._secrets)
        interaction = self._take(request)
        if interaction is None:
            record.hint = self._nearest(request)
            await refuse(connection, record, request, self._facts)
            return
        await self._give(connection, interaction.reply, begin)

    def _take(self, request: Request) -> Interaction | None:
        """The next recording of a request; when all were given, the last again."""
        exact = exact_key_of(request)
        with self._lock:
            takes = self._takes.get(key_of(request), [])
            same = [take for take in takes if take.exact == exact]
            for candidates in (same, takes):
                found = next((take for take in candidates if not take.used), None)
                if found is not None:
                    found.used = True
                    return found.interaction
                if candidates:
                    return candidates[-1].interaction
        return None

    def _nearest(self, request: Request) -> str:
        found = nearest(request, self._interactions)
        if found is None:
            return f"{self._path.name} has no requests."
        interaction, fields = found
        other = f"{interaction.request.method} {interaction.request.path}"
        return f"Nearest: {self._path.name}, line {interaction.line}, {other}. What differs: {describe(fields)}"

    async def _give(self, connection: HttpConnection, reply: Reply, begin: float) -> None:
        own_id = connection.headers.get(REQUEST_ID, _NO_ID)
        parts = [part.replace(ID_PLACE.encode(), own_id.encode("latin-1")) for part in reply.parts]
        if reply.status is not None:
            headers = {name: value.replace(ID_PLACE, own_id) for name, value in reply.headers.items()}
            whole = reply.events is None and not reply.end
            if self._speed and whole:
                await self._wait(connection, reply, 0, begin)
            await connection.start(reply.status, headers, sum(map(len, parts)) if whole else None)
            for index, part in enumerate(parts):
                await self._wait(connection, reply, index, begin)
                await connection.write(part)
        if reply.end == "abandoned":
            await connection.hang()
        if reply.end:
            await connection.drop(reset=reply.end != "closed")
        await connection.write(b"", more=False)

    async def _wait(self, connection: HttpConnection, reply: Reply, index: int, begin: float) -> None:
        """Wait until a part was there when it was recorded."""
        if self._speed and index < len(reply.seconds):
            await connection.pause(begin + reply.seconds[index] / self._speed - monotonic())

    async def close(self) -> None:
        """Do nothing: the file was read at the start."""

    def reset(self) -> None:
        """Begin again with the first recording of each request."""
        with self._lock:
            for takes in self._takes.values():
                for take in takes:
                    take.used = False
