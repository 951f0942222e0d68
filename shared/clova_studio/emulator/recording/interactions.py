r"""A request and its answer as lines of a file: three lines of JSON, with sorted names.

    {"recording":"clova-studio","version":1}
    {"accept":"text/event-stream","body":{"json":{...}},"method":"POST","path":"/v3/chat-completions/HCX-005"}
    {"events":["id:...\nevent:token\ndata:{...}\n\n",...],"headers":{...},"status":200}
    {"seconds":[0.21,0.25,...]}

The first line names the format, then come the lines of each request: what was asked, what was answered, and when: the
seconds from the request to each event, or to the end of an answer without events. So a recording of the same answers
differs from an earlier one in the last lines alone. A body is ``json``, or ``text`` when the JSON alone does not give
the same bytes again (bytes that are not UTF-8 are lone surrogates there); the fields of a request body are sorted.
An answer that broke has ``end``: ``unreachable`` (no connection), ``closed`` or ``reset`` (the upstream dropped it) or
``abandoned`` (the caller left, as after a time-out); without ``status`` nothing had arrived.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clova_studio.emulator.recording.events import as_bytes
from clova_studio.emulator.server.wire import dumps

HEAD = {"recording": "clova-studio", "version": 1}
ENDS = ("unreachable", "closed", "reset", "abandoned")


@dataclass
class Request:
    """What was asked, without secrets.

    Attributes:
        method: HTTP method.
        path: Path without the query, percent-encoded.
        query: Names and values of the query, in order.
        accept: The header ``Accept``, which decides about streams on the native paths.
        content_type: The header ``Content-Type``.
        body: ``{"json": ...}``, ``{"text": ...}`` or empty.
    """

    method: str
    path: str
    query: list[list[str]] = field(default_factory=list)
    accept: str = ""
    content_type: str = ""
    body: dict[str, Any] = field(default_factory=dict)


@dataclass
class Reply:
    """What was answered, without secrets.

    Attributes:
        status: HTTP status; None when no answer began.
        headers: Headers with lower-case names.
        body: ``{"json": ...}``, ``{"text": ...}`` or empty.
        events: The events of a stream, in place of a body.
        end: How it broke; empty for a whole answer.
        seconds: When each event was complete, or the body.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    events: list[str] | None = None
    end: str = ""
    seconds: list[float] = field(default_factory=list)

    @property
    def parts(self) -> list[bytes]:
        """The bytes of each event, or of the body."""
        if self.events is not None:
            return [as_bytes(event) for event in self.events]
        return [raw] if (raw := body_bytes(self.body)) else []


@dataclass
class Interaction:
    """A request, its answer, and the number of its first line in the file."""

    request: Request
    reply: Reply
    line: int = 0


def body_bytes(body: Mapping[str, Any]) -> bytes:
    """The bytes of a body."""
    return dumps(body["json"]).encode() if "json" in body else as_bytes(body.get("text", ""))


def sorted_names(value: Any) -> Any:
    """A JSON value with the names of its fields in order."""
    if isinstance(value, dict):
        return {name: sorted_names(value[name]) for name in sorted(value)}
    return [sorted_names(item) for item in value] if isinstance(value, list) else value


def write_lines(request: Request, reply: Reply) -> bytes:
    """The lines of one request and its answer."""
    asked: dict[str, Any] = {"method": request.method, "path": request.path}
    answered: dict[str, Any] = {"headers": {name: reply.headers[name] for name in sorted(reply.headers)}}
    for fields, optional in (
        (asked, {"accept": request.accept, "content-type": request.content_type, "query": request.query}),
        (answered, {"status": reply.status, "end": reply.end, "body": reply.body}),
    ):
        fields.update((name, value) for name, value in optional.items() if value)
    if "json" in request.body:
        asked["body"] = {"json": sorted_names(request.body["json"])}
    elif request.body:
        asked["body"] = request.body
    if reply.events is not None:
        answered["events"] = reply.events
    # Not below the first level: an answer's fields keep the order in which they came.
    rows = [{name: fields[name] for name in sorted(fields)} for fields in (asked, answered)]
    return b"".join(_line(row) for row in (*rows, {"seconds": reply.seconds}))


def head_line() -> bytes:
    """The first line of a file."""
    return _line(HEAD)


def _line(value: Any) -> bytes:
    text = dumps(value)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:  # lone surrogates, which only escapes can write
        return f"{json.dumps(value, separators=(',', ':'))}\n".encode()


def read_recording(path: str | os.PathLike[str]) -> list[Interaction]:
    """Read a recording; a ValueError names the line that is wrong."""
    with Path(path).open("rb") as file:
        rows = [_Row(path, number, line) for number, line in enumerate(file, 1)]
    if not rows or rows[0].value.get("recording") != HEAD["recording"]:
        raise ValueError(f"{path} is not a recording: its first line must be {dumps(HEAD)}")
    if rows[0].value.get("version") != HEAD["version"]:
        raise rows[0].wrong(f"has the version {rows[0].value.get('version')!r}; this program reads {HEAD['version']}")
    interactions = []
    for at in range(1, len(rows), 3):
        asked, answered, timed = (*rows[at : at + 3], None, None)[:3]
        assert asked is not None  # noqa: S101 - for type checkers: the range ends before the rows do
        request = asked.request()
        if answered is None or timed is None:
            raise (answered or asked).wrong("is the last one: a request, its answer and its times are three lines")
        interactions.append(Interaction(request, timed.timed(answered.reply()), asked.number))
    return interactions


class _Row:
    """A line of a file."""

    def __init__(self, path: str | os.PathLike[str], number: int, line: bytes) -> None:
        self._path = path
        self.number = number
        try:
            self.value: dict[str, Any] = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self.wrong(f"is not JSON ({error})") from error
        if not isinstance(self.value, dict):
            raise self.wrong("is not a JSON object")

    def wrong(self, what: str) -> ValueError:
        """The error that says what is wrong with this line."""
        return ValueError(f"{self._path}, line {self.number} {what}")

    def take(self, name: str, kind: type, default: Any = None) -> Any:
        """A field of a certain type; without a default it has to be there."""
        value = self.value.get(name, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.wrong(f"needs the field {name!r} as {_KINDS[kind]}")
        return value

    def body(self) -> dict[str, Any]:
        """The field ``body``."""
        body: dict[str, Any] = self.take("body", dict, {})
        if body and (len(body) > 1 or not ("json" in body or isinstance(body.get("text"), str))):
            raise self.wrong("needs the field 'body' as an object with 'json' or 'text'")
        return body

    def request(self) -> Request:
        """What was asked."""
        query = self.take("query", list, [])
        if not all(isinstance(pair, list) and list(map(type, pair)) == [str, str] for pair in query):
            raise self.wrong("needs the field 'query' as a list of pairs of strings")
        names = (self.take("method", str), self.take("path", str))
        return Request(*names, query, self.take("accept", str, ""), self.take("content-type", str, ""), self.body())

    def reply(self) -> Reply:
        """What was answered."""
        status, end = self.value.get("status"), self.take("end", str, "")
        if end and end not in ENDS:
            raise self.wrong(f"has the end {end!r}; known are {', '.join(ENDS)}")
        if not (end and status is None) and not 200 <= self.take("status", int) <= 599:  # noqa: PLR2004 - HTTP
            raise self.wrong("needs the field 'status' from 200 to 599")
        headers, events = self.take("headers", dict, {}), self.value.get("events")
        if not all(isinstance(value, str) and _HEADER.fullmatch(name + value) for name, value in headers.items()):
            raise self.wrong("needs the field 'headers' as an object of strings that a header can have")
        if events is not None and not (isinstance(events, list) and all(isinstance(text, str) for text in events)):
            raise self.wrong("needs the field 'events' as a list of strings")
        return Reply(status, headers, self.body(), events, end)

    def timed(self, reply: Reply) -> Reply:
        """An answer with its times."""
        seconds = self.take("seconds", list)
        if not all(isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 for value in seconds):
            raise self.wrong("needs the field 'seconds' as a list of numbers")
        reply.seconds = seconds
        return reply


_HEADER = re.compile(r"[^\r\n\0\u0100-\U0010ffff]+")
_KINDS = {str: "a string", dict: "an object", list: "a list", int: "a whole number"}
