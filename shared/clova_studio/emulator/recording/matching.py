"""Which recording answers a request: the same method, path, query and body, apart from ids, seeds and times.

Left out of the comparison, since they differ each time: seeds; the ids of calls, documents and the like, of which only
the equal ones count as equal; UUIDs and times of day with a date, wherever they stand; fields such as ``created``. What
stands in the arguments of a call, and days without a time, count. On the native paths a request for a stream is another
one than that for a whole answer. Of several recordings one whose ids, seeds and times are the same takes precedence.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from clova_studio.emulator.recording.capture import UUID
from clova_studio.emulator.recording.interactions import Interaction, Request, sorted_names
from clova_studio.emulator.server.wire import dumps

_ID_NAME = re.compile(r"^id$|_id$|[a-z]Id$")
_TIME_NAME = re.compile(r"^(created|updated|sent|expires)(_?at|_?date|_?time)?$|^timestamp$", re.IGNORECASE)
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z\b|[+-]\d\d:?\d\d)?")
_BOUNDARY = re.compile(r"boundary=\"?([^\";,]+)", re.IGNORECASE)
_MOST_FIELDS = 6


def comparable(request: Request) -> dict[str, Any]:
    """What of a request is compared."""
    return {
        "method": request.method,
        "path": UUID.sub("{id}", quote(unquote(request.path, errors="surrogateescape"), errors="surrogateescape")),
        "query": sorted([name, _without_times(value)] for name, value in request.query),
        "accept": "a stream" if "text/event-stream" in request.accept else "a whole answer",
        "body": _body(request),
    }


def key_of(request: Request) -> str:
    """A digest that two requests have in common when one recording answers both."""
    return _digest(comparable(request))


def exact_key_of(request: Request) -> str:
    """A digest of all of a request."""
    return _digest([request.query, request.body])


def _digest(value: Any) -> str:
    text = dumps(sorted_names(value)).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _body(request: Request) -> Any:
    if "json" in request.body:
        return _Comparer().value(request.body["json"])
    text: str = request.body.get("text", "")
    boundary = _BOUNDARY.search(request.content_type)
    return _without_times(text.replace(boundary[1], "{boundary}") if boundary else text)


def _without_times(text: str) -> str:
    return _TIME.sub("{time}", UUID.sub("{id}", text))


class _Comparer:
    """Walks through one body; the first id that it meets is 1, and so on."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def value(self, value: Any, *, with_ids: bool = False) -> Any:
        if isinstance(value, dict):
            # By name, so that the order of fields does not decide which id is the first.
            return {name: self._field(name, value[name], with_ids) for name in sorted(value) if name != "seed"}
        if isinstance(value, list):
            return [self.value(item, with_ids=with_ids) for item in value]
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return _without_times(value) if isinstance(value, str) else value

    def _field(self, name: str, value: Any, with_ids: bool) -> Any:  # noqa: FBT001 - a flag of the walk
        if not with_ids and isinstance(value, str) and _ID_NAME.search(name):
            return f"{{id {self._ids.setdefault(value, len(self._ids) + 1)}}}"
        if isinstance(value, str | int | float) and _TIME_NAME.search(name):
            return "{time}"
        return self.value(value, with_ids=with_ids or name == "arguments")


def nearest(request: Request, recorded: list[Interaction]) -> tuple[Interaction, list[str]] | None:
    """The recording that differs least, and the fields that differ; None without recordings."""
    wanted = comparable(request)
    best: tuple[tuple[bool, bool, int, int], Interaction, list[str]] | None = None
    for interaction in recorded:
        other = comparable(interaction.request)
        fields = list(_differences(wanted, other, ""))
        rank = (wanted["path"] != other["path"], wanted["method"] != other["method"], len(fields), interaction.line)
        if best is None or rank < best[0]:
            best = rank, interaction, fields
    return None if best is None else (best[1], best[2])


def describe(fields: list[str]) -> str:
    """Fields that differ, in a few words."""
    more = len(fields) - _MOST_FIELDS
    return ", ".join(fields[:_MOST_FIELDS]) + (f" and {more} more" if more > 0 else "")


def _differences(wanted: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(other, dict):
        for name in sorted(wanted.keys() | other.keys()):
            here = f"{path}.{name}" if path else name
            if name not in other:
                yield f"{here} (not in the recording)"
            elif name not in wanted:
                yield f"{here} (only in the recording)"
            else:
                yield from _differences(wanted[name], other[name], here)
    elif isinstance(wanted, list) and isinstance(other, list):
        for index, (item, counterpart) in enumerate(zip(wanted, other, strict=False)):
            yield from _differences(item, counterpart, f"{path}[{index}]")
        if len(wanted) != len(other):
            yield f"{path} ({len(wanted)} in the request, {len(other)} in the recording)"
    elif wanted != other or isinstance(wanted, bool) is not isinstance(other, bool):
        yield path
