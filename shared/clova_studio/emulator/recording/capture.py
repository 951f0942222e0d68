"""Turns what passed by into what is written: readable, without secrets, and without ids that differ each time."""

import hashlib
import json
import re
import uuid
import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import parse_qsl

from clova_studio.emulator.recording.events import as_text, mask_events, split_events
from clova_studio.emulator.recording.interactions import Reply, Request
from clova_studio.emulator.recording.secrets import MASK, Secrets, is_secret_header, is_secret_name
from clova_studio.emulator.server.body import parse
from clova_studio.emulator.server.wire import dumps

HOP_BY_HOP = frozenset(
    [
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    ]
)
"""Headers of one connection, which are neither passed on nor written."""

READABLE = frozenset({"gzip", "deflate", "identity"})
"""Codings of a body that can be read, as its secrets have to be found."""

ID_PLACE = "{request-id}"
"""What stands in a recording where the service repeats the id that the caller gave its request."""

UUID = re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b")
_ID_FIELD = re.compile(r'^id: ?\S+$|"(?:id|\w+_id|\w*[a-z]Id)" ?: ?"[^"\\]*"', re.MULTILINE)
# Of a shorter one it cannot be said where it is repeated.
_SHORTEST_ID = 8
_MOST_IDS = 10_000
_STAMP = re.compile(r'("created" ?: ?)(\d{13}|\d{10})\b')
_FIXED_TIME = "1700000000000"
_DATE = re.compile(
    r'("(?:created|updated|end)(?:Date|DateTime|Datetime|_at|At)" ?: ?")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?'
)
_FIXED_DATE = "2023-11-15T07:13:20"
# They say when and how the bytes travelled, or are of the recorder's own connection.
_UNWRITTEN = HOP_BY_HOP | {"content-encoding", "content-length", "date", "vary", "via", "server", "age", "set-cookie"}


class Arrived(Protocol):
    """What is read of a request that arrived."""

    method: str
    raw_path: str
    raw_query: str
    headers: dict[str, str]


class Ids:
    """Ids that stay the same from one recording to the next, in place of those that the service makes up."""

    def __init__(self) -> None:
        self._steady: dict[str, str] = {}

    def known(self, text: str) -> str:
        """Replace the ids in a text that were replaced before."""
        return UUID.sub(lambda found: self._steady.get(found[0], found[0]), text)

    def replace(self, text: str, seed: str) -> str:
        """Replace every id in a text; a new one by one that is made of a seed."""

        def steady(found: re.Match[str]) -> str:
            if found[0] not in self._steady:
                digest = hashlib.blake2b(seed.encode(), digest_size=16).digest()
                self._steady[found[0]] = str(uuid.UUID(bytes=digest, version=4))
                if len(self._steady) > _MOST_IDS:
                    del self._steady[next(iter(self._steady))]
            return self._steady[found[0]]

        return UUID.sub(steady, text)


class Steadier:
    """Makes one request and its answer the same in each recording: ids, and the times that the service stamps.

    Args:
        ids: The ids of the whole recording, as one request may have an id from the answer to another.
        seed: What the new ids are made of.
        own_id: The id that the caller gave its request; empty if none.
    """

    def __init__(self, ids: Ids, seed: str, own_id: str) -> None:
        self._ids = ids
        self._seed = seed
        self._own_id = own_id if len(own_id) >= _SHORTEST_ID else ""
        self._count = 0

    def header(self, text: str) -> str:
        """The value of a header."""
        return self._replace(self._without_own_id(text))

    def body(self, text: str) -> str:
        """A body, or an event: fields that hold ids and times, not what a model says."""
        text = _ID_FIELD.sub(lambda field: self._replace(field[0]), self._without_own_id(text))
        text = _STAMP.sub(lambda field: f"{field[1]}{_FIXED_TIME[: len(field[2])]}", text)
        return _DATE.sub(lambda field: f"{field[1]}{_FIXED_DATE}", text)

    def path(self, text: str) -> str:
        """A path: ids of earlier answers alone."""
        return self._ids.known(text)

    def _replace(self, text: str) -> str:
        self._count += 1
        return self._ids.replace(text, f"{self._seed}/{self._count}")

    def _without_own_id(self, text: str) -> str:
        return text.replace(self._own_id, ID_PLACE) if self._own_id else text


def read_request(arrived: Arrived, raw: bytes, secrets: Secrets) -> Request:
    """A request without secrets; those of its headers, query and body are learnt."""
    headers = list(arrived.headers.items())
    query = parse_qsl(arrived.raw_query, keep_blank_values=True)
    text = as_text(decoded(raw, arrived.headers.get("content-encoding", "")) or b"")
    content_type = arrived.headers.get("content-type", "")
    body = parse(text.encode("utf-8", "surrogateescape"))
    secrets.learn_headers(headers)
    secrets.learn_fields(query)
    secrets.learn_form(arrived.raw_query)
    if body is not None:
        secrets.learn_json(body)
    else:
        secrets.learn_form(text)
        secrets.learn_text(text)
    return Request(
        arrived.method,
        secrets.mask(arrived.raw_path),
        [[secrets.mask(name), MASK if is_secret_name(name) else secrets.mask(value)] for name, value in query],
        secrets.mask(arrived.headers.get("accept", "")),
        secrets.mask(content_type),
        {"json": secrets.mask_json(body)} if body is not None else _text_body(secrets.mask_form(text)),
    )


def settled(request: Request, secrets: Secrets, steadier: Steadier) -> Request:
    """A request as it is written: without secrets that were learnt since it came, and with steady ids."""
    body = request.body
    if "json" in body:
        body = {"json": json.loads(steadier.body(dumps(secrets.mask_json(body["json"]))))}
    elif body:
        body = {"text": steadier.body(secrets.mask(body["text"]))}
    query = [[secrets.mask(name), secrets.mask(value)] for name, value in request.query]
    return replace(request, path=steadier.path(secrets.mask(request.path)), query=query, body=body)


def _text_body(text: str) -> dict[str, Any]:
    return {"text": text} if text else {}


def read_reply(
    status: int | None,
    headers: Iterable[tuple[str, str]],
    chunks: list[tuple[float, bytes]],
    end: str,
    secrets: Secrets,
    steadier: Steadier,
) -> Reply:
    """An answer without secrets; those of its headers and body are learnt.

    Args:
        status: HTTP status; None when no answer began.
        headers: Its headers.
        chunks: What came of the body, with the seconds since the request.
        end: How it broke; empty for a whole answer.
        secrets: What is known of the request and of earlier ones.
        steadier: Replaces ids and times.

    Raises:
        ValueError: The body has a coding that cannot be read.
    """
    headers = list(headers)
    secrets.learn_headers(headers)
    coding = next((value for name, value in headers if name.lower() == "content-encoding"), "")
    chunks = decoded_chunks(chunks, coding)
    kept: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in _UNWRITTEN or (is_secret_header(lower) and lower.startswith("x-ncp-")):
            continue
        shown = MASK if is_secret_header(lower) else steadier.header(secrets.mask(value))
        kept[lower] = f"{kept[lower]}, {shown}" if lower in kept else shown
    reply = Reply(status, kept, end=end)
    if kept.get("content-type", "").startswith("text/event-stream"):
        events = split_events(chunks)
        reply.events = [
            steadier.body(text) for text in mask_events([text for _, text in events], secrets, cut=bool(end))
        ]
        reply.seconds = [round(moment, 2) for moment, _ in events]
    else:
        reply.body = _reply_body(as_text(b"".join(chunk for _, chunk in chunks)), secrets, steadier, cut=bool(end))
        reply.seconds = [round(moment, 2) for moment, _ in chunks[-1:]]
    return reply


def _reply_body(text: str, secrets: Secrets, steadier: Steadier, *, cut: bool) -> dict[str, Any]:
    value = parse(text.encode("utf-8", "surrogateescape"))
    if value is None:
        secrets.learn_text(text)
        return _text_body(steadier.body(secrets.mask(secrets.mask_form(text), cut=cut)))
    secrets.learn_json(value)
    masked = secrets.mask_json(value)
    if masked != value:
        text = dumps(masked)
    text = steadier.body(text)
    value = parse(text.encode("utf-8", "surrogateescape"))
    return {"json": value} if dumps(value) == text else {"text": text}


def decoded(raw: bytes, coding: str) -> bytes | None:
    """The bytes of a body without its coding; None when that cannot be read."""
    try:
        return b"".join(chunk for _, chunk in decoded_chunks([(0.0, raw)], coding))
    except ValueError:
        return None


def decoded_chunks(chunks: list[tuple[float, bytes]], coding: str) -> list[tuple[float, bytes]]:
    """The chunks of a body without its coding; a ValueError says that it cannot be read."""
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return chunks
    if coding not in READABLE:
        raise ValueError(f"a body with the coding {coding!r} cannot be read")
    # 32 and more: gzip and zlib are told apart by their first bytes.
    reader = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        return [(moment, reader.decompress(chunk)) for moment, chunk in chunks]
    except zlib.error as error:
        raise ValueError(f"a body that claims the coding {coding!r} cannot be read: {error}") from error
