"""A boundary audit: every documented field of every path at its ends, just outside, of a wrong type, null and missing.

The table is written from the reference (`audit_table`, `audit_apis`); the emulator has to agree with each row.
"""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import pytest
from audit_apis import APIS
from audit_fields import INVALID, OK, Probe, extras

from clova_studio.emulator import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_table import Api

KEY = (b"authorization", b"Bearer nv-audit")
JSON = (b"content-type", b"application/json")


def probes(api: Api) -> Iterator[Probe]:
    """All requests of one table: its base, each field's, and one unknown field in each object."""
    yield Probe("base", api.base, OK)
    for row in api.fields:
        yield from row.probes(api.base)
    if api.method == "GET":
        return
    for path, body in extras(api.base):
        if not path:
            yield Probe("unknown field", body, api.extra or OK, "unknownField" if api.extra else "")
        elif api.inner_extras:
            yield Probe(f"unknown field in {path}", body, OK)


async def answer(app: Any, api: Api, body: Any) -> tuple[int, Any]:
    """The HTTP status and the body of an answer, without a socket."""
    query = b""
    if api.method == "GET":
        query = urlencode({name: value for name, value in body.items() if value is not None}).encode()
        body = None
    scope = {
        "type": "http",
        "method": api.method,
        "path": api.path,
        "raw_path": api.path.encode(),
        "query_string": query,
        "headers": [KEY, JSON],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    raw = b"".join(message.get("body", b"") for message in sent[1:])
    if raw.startswith(b"data:"):  # a stream of the compatible path
        return sent[0]["status"], {}
    return sent[0]["status"], json.loads(raw)


def disagreement(probe: Probe, status: int, found: Any) -> str:
    """How an answer differs from what the table says; empty where it agrees."""
    said = found.get("error") or found.get("status") or {"code": OK, "message": "OK"}
    expected = 200 if probe.code == OK else 400
    if (status, said["code"]) == (expected, probe.code) and said["message"].endswith(probe.named):
        return ""
    return f"{probe.about}: the reference has {probe.code} {probe.named}, the emulator {status} {said}"


@pytest.mark.parametrize(
    ("api", "behaviour"),
    [
        pytest.param(api, behaviour, id=f"{api.name} ({behaviour})")
        for api in APIS
        for behaviour in ("observed", "documented")
        if behaviour in api.behaviours
    ],
)
def test_boundaries(api: Api, behaviour: Literal["observed", "documented"]) -> None:
    """Every value of every documented field is taken or refused, with code and name, as the reference has it."""
    app = create_app(behaviour=behaviour)

    async def ask_all() -> list[str]:
        return [disagreement(probe, *await answer(app, api, probe.body)) for probe in probes(api)]

    wrong = [line for line in asyncio.run(ask_all()) if line]
    assert not wrong, "\n".join(wrong)


def test_size_of_the_audit() -> None:
    """The audit is about three thousand requests in each behaviour, and leaves its tables as they are."""
    before = copy.deepcopy([api.base for api in APIS])
    count = 0
    for api in APIS:
        found = [probe.about for probe in probes(api)]
        assert len(found) > len(api.fields)
        count += len(found) * len(api.behaviours)
    assert 6_000 < count < 8_000
    assert before == [api.base for api in APIS]
    assert {INVALID, "40002", "40003", "40004", "40009", "40055"} <= {p.code for api in APIS for p in probes(api)}
