"""Events of a stream: cut from chunks, with the moment at which each was complete, and without secrets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from clova_studio.emulator.recording.secrets import MASK, Secrets
from clova_studio.emulator.server.body import parse
from clova_studio.emulator.server.wire import dumps

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DATA = re.compile(r"^data:( ?)(.*)$", re.MULTILINE)


def split_events(chunks: Iterable[tuple[float, bytes]]) -> list[tuple[float, str]]:
    """The events in the chunks of a stream, each with the time of its last chunk; what follows the last one counts too.

    How chunks were cut on the way is different each time; events are not.
    """
    found: list[tuple[float, str]] = []
    rest, moment = b"", 0.0
    for moment, chunk in chunks:
        rest += chunk
        begin = 0
        for end in _END.finditer(rest):
            found.append((moment, as_text(rest[begin : end.end()])))
            begin = end.end()
        rest = rest[begin:]
    return [*found, (moment, as_text(rest))] if rest else found


def as_text(raw: bytes) -> str:
    """Bytes as text; those that are not UTF-8 survive as lone surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """The bytes of such a text."""
    return text.encode("utf-8", "surrogateescape")


@dataclass
class _Event:
    """An event whose data is JSON."""

    text: str
    data: Any


def mask_events(texts: list[str], secrets: Secrets, *, cut: bool) -> list[str]:
    """Return events without secrets, also those of which each event has a piece.

    Args:
        texts: The events.
        secrets: What is known; secrets of these events are added to it.
        cut: Whether the stream was cut off.
    """
    events = [_Event(text, _data(text)) for text in texts]
    for event in events:
        secrets.learn_json(event.data)
    _mask_pieces(events, secrets, cut=cut)
    masked = []
    for number, event in enumerate(events):
        text = event.text
        if event.data is None:
            masked.append(secrets.mask(text, cut=cut and number == len(events) - 1))
            continue
        clean = secrets.mask_json(event.data)
        if clean != _data(text):
            text = _DATA.sub(lambda found, new=clean: f"data:{found[1]}{dumps(new)}", text, count=1)  # type: ignore[misc]
        masked.append(_mask_around(text, secrets))
    return masked


def _mask_around(text: str, secrets: Secrets) -> str:
    """Mask the lines around the data of an event: its id, its name, comments."""
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    return "".join(line if line.startswith("data:") else secrets.mask(line) for line in lines)


def _data(text: str) -> Any:
    found = _DATA.findall(text)
    # The service writes one data line an event; several would be one text with line breaks.
    return parse(found[0][1].encode("utf-8", "replace")) if len(found) == 1 else None


def _mask_pieces(events: list[_Event], secrets: Secrets, *, cut: bool) -> None:
    """Mask what is a secret only when the same field of successive events is put together."""
    fields: dict[str, list[tuple[dict[str, Any] | list[Any], Any]]] = {}
    for event in events:
        if isinstance(event.data, dict | list):
            for path, place, name in _strings(event.data, ""):
                fields.setdefault(path, []).append((place, name))
    wholes = {path: [place[name] for place, name in places] for path, places in fields.items()}
    for pieces in wholes.values():
        secrets.learn_text("".join(pieces))
    for path, places in fields.items():
        pieces = wholes[path]
        whole = "".join(pieces)
        spans = secrets.spans(whole)
        if cut and (length := secrets.begun(whole)):
            spans.append((len(whole) - length, len(whole)))
        if not spans:
            continue
        begin = 0
        for (place, name), piece in zip(places, pieces, strict=True):
            place[name] = _without(piece, begin, spans)
            begin += len(piece)


def _without(piece: str, begin: int, spans: list[tuple[int, int]]) -> str:
    """A piece without what some spans of the whole text cover of it; a mask stands where a span begins."""
    end = begin + len(piece)
    kept, at = [], begin
    for first, last in sorted(spans):
        if last <= at or first >= end:
            continue
        if first >= at:
            kept += [piece[at - begin : first - begin], MASK]
        at = max(at, min(last, end))
    return "".join([*kept, piece[at - begin :]])


def _strings(value: Any, path: str) -> Iterable[tuple[str, Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        here = f"{path}/{name}"
        if isinstance(item, str):
            yield here, value, name
        elif isinstance(item, dict | list):
            yield from _strings(item, here)
