"""Answers the requests under ``/_emulator``: finds the endpoint, checks what it takes, and says what is wrong."""

import asyncio
import logging
import re
from typing import Any

from pydantic import BaseModel, ValidationError

from clova_studio.emulator.control.endpoints import ENDPOINTS, Endpoint, Inputs, NotThereError
from clova_studio.emulator.control.openapi import describe_api
from clova_studio.emulator.server.access_log import LOG, one_line
from clova_studio.emulator.server.body import parse
from clova_studio.emulator.server.http_connection import BodyTooLargeError, HttpConnection
from clova_studio.emulator.server.local_routes import CONTROL_ROOT, failure_of, send_json
from clova_studio.emulator.server.sections import broken_rules, describe
from clova_studio.emulator.server.state import NoEffectError, State

_DESCRIPTION = "/openapi.json"
_PATTERNS = tuple(
    (endpoint, re.compile(re.escape(endpoint.path).replace(r"\{number\}", r"(?P<number>[0-9]{1,15})") + r"/?\Z"))
    for endpoint in ENDPOINTS
)
_FIRST_REFUSED = 400


class _RefusedError(Exception):
    """The request is refused."""

    def __init__(
        self,
        status: int,
        message: str,
        fields: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.value = failure_of(message, fields)
        self.headers = headers or {}


async def answer(connection: HttpConnection, state: State) -> None:
    """Answer a request."""
    headers: dict[str, str] = {}
    try:
        try:
            raw = await connection.read(state.settings.idle_timeout)
        except BodyTooLargeError:
            raise _RefusedError(413, "The body is over 50 MB.") from None
        except TimeoutError:
            raise _RefusedError(408, "The body did not end.") from None
        # In a thread: the bodies of a thousand requests take a moment to write.
        status, value = await asyncio.to_thread(_run, connection, state, raw)
    except _RefusedError as refused:
        status, value, headers = refused.status, refused.value, refused.headers
    except Exception:  # noqa: BLE001 - a bug of the emulator: logged, and said
        LOG.exception("Control failed to answer %s %s", connection.method, connection.path)
        status, value = 500, failure_of("The emulator failed; its log says more.")
    level = logging.DEBUG if connection.method == "GET" else logging.INFO
    if LOG.isEnabledFor(level):
        said = value["error"]["message"] if status >= _FIRST_REFUSED else ""
        LOG.log(level, "%s", one_line(f"{connection.method} {connection.path[:300]} {status} {said[:200]}".rstrip()))
    await send_json(connection, status, value, headers)


def _run(connection: HttpConnection, state: State, raw: bytes) -> tuple[int, Any]:
    path = connection.path.removeprefix(CONTROL_ROOT)
    if path == _DESCRIPTION and connection.method == "GET":
        return 200, describe_api(ENDPOINTS)
    endpoint, number = _find(connection.method, path)
    asked = Inputs(
        body=_check(endpoint.body, _json(raw), "The body") if endpoint.body is not None else None,
        query=_check(endpoint.query, connection.query, "The query") if endpoint.query is not None else None,
        number=number,
    )
    try:
        result = endpoint.run(state, asked)
    except NotThereError as error:
        raise _RefusedError(404, str(error)) from None
    except NoEffectError as error:
        raise _RefusedError(409, str(error)) from None
    return endpoint.status, result.model_dump(mode="json")


def _find(method: str, path: str) -> tuple[Endpoint, int]:
    allowed: list[str] = ["GET"] if path == _DESCRIPTION else []
    for endpoint, pattern in _PATTERNS:
        found = pattern.match(path)
        if found is None:
            continue
        if endpoint.method == method:
            return endpoint, int(found.groupdict().get("number") or 0)
        allowed.append(endpoint.method)
    if allowed:
        headers = {"allow": ", ".join(allowed)}
        raise _RefusedError(405, f"{CONTROL_ROOT}{path} takes {' and '.join(allowed)}, not {method}.", headers=headers)
    known = dict.fromkeys(
        f"{CONTROL_ROOT}{path}" for path in (*(endpoint.path for endpoint in ENDPOINTS), _DESCRIPTION)
    )
    raise _RefusedError(404, f"There is no {CONTROL_ROOT}{path}. There are {', '.join(known)}.")


def _json(raw: bytes) -> Any:
    value = parse(raw)
    if value is None and raw.strip() != b"null":
        said = "is not valid JSON" if raw.strip() else "is empty: it must be JSON"
        raise _RefusedError(400, f"The body {said}.", [{"field": "", "rule": said}])
    return value


def _check(model: type[BaseModel], value: Any, whole: str) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fields = [{"field": broken.field, "rule": broken.rule} for broken in broken_rules(error)]
        raise _RefusedError(400, describe(error, whole, "; "), fields) from None
