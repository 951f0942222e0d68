"""The ASGI application: passes a request to its API and writes the answer or the refusal."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.handlers import HANDLERS, SCRIPTED, SLOW
from clova_studio.emulator.rules.refusals import Refusal, code_for_status
from clova_studio.emulator.server.access_log import LOG, log_request
from clova_studio.emulator.server.auth import authenticate, redact, redact_query
from clova_studio.emulator.server.body import parse
from clova_studio.emulator.server.browsers import cors_headers, foreign_page, preflight_headers
from clova_studio.emulator.server.delivery import Answer, JsonAnswer, deliver
from clova_studio.emulator.server.faults import FAULT_HEADER, Fault
from clova_studio.emulator.server.hints import HINT_HEADER, hint_for, ignored_fields
from clova_studio.emulator.server.http_connection import BodyTooLargeError, ClientGoneError, HttpConnection
from clova_studio.emulator.server.local_routes import failure_of, send_json, standard_routes
from clova_studio.emulator.server.negotiation import check_content_type, wants_stream
from clova_studio.emulator.server.request_log import RecordedRequest
from clova_studio.emulator.server.routes import Route, find_route, is_openai_path
from clova_studio.emulator.server.scripted import Scripted
from clova_studio.emulator.server.state import Settings, State
from clova_studio.emulator.server.wire import failure, openai_failure

# Bytes of a body whose reading and counting may take so long that it runs in a thread, beside the other requests.
_LARGE_BODY = 65_536


class EmulatorApp:
    """The emulator as an ASGI application."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.local_routes = standard_routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one start and stop of the server (the lifespan protocol)."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        if scope["type"] != "http":
            return
        connection = HttpConnection(scope, receive, send)
        origins = self.state.settings.cors
        if origins:
            preflight = preflight_headers(connection.method, connection.headers, origins)
            if preflight is not None:
                await connection.answer(204, preflight, b"")
                return
            connection.extra_headers = cors_headers(connection.headers, origins)
        local = self.local_routes.find(connection.path, connection.method) if self.state.control else None
        if local is not None:
            await self._answer_locally(connection, local)
            return
        record = RecordedRequest(
            connection.method, connection.path, redact(connection.headers), query=redact_query(connection.query)
        )

        def remember(status: int) -> None:
            record.status = status

        connection.on_start = remember
        connection.recorded = record.answer
        self.state.log.arrive(record)
        try:
            await self._answer(connection, record)
        except ClientGoneError:
            pass
        finally:
            self.state.log.leave(record)
            log_request(record)

    async def _answer_locally(self, connection: HttpConnection, path: str) -> None:
        """Answer a request for the emulator itself; it is not recorded."""
        refused = foreign_page(connection.headers, self.state.settings.cors)
        try:
            if refused:
                await send_json(connection, 403, failure_of(f"Control is not for other pages: {refused}"))
                return
            routes = self.local_routes
            handler = routes.load(path) if routes.is_loaded(path) else await asyncio.to_thread(routes.load, path)
            await handler(connection, self.state)
        except ClientGoneError:
            pass

    async def _answer(self, connection: HttpConnection, record: RecordedRequest) -> None:
        settings = self.state.settings
        fault: Fault | None = None
        route = find_route(connection.method, connection.raw_path)
        body: Any = None
        try:
            try:
                raw = await connection.read(settings.idle_timeout)
            except BodyTooLargeError:
                raise Refusal("41300") from None
            except TimeoutError:
                raise Refusal("40800") from None
            if self.state.tape is not None:
                await self.state.tape.answer(connection, record, raw, self.state.log)
                return
            self.state.log.complete(record, raw)
            large = len(raw) > _LARGE_BODY
            body = await asyncio.to_thread(parse, raw) if large else parse(raw)
            fault = self._pick_fault(connection, body, route)
            if fault is not None:
                record.fault = fault.kind
                if await self._strike(connection, fault, record):
                    return
            await connection.pause(settings.latency)
            answer = await self._compute(connection, body, route, large=large)
            record.code = "20000"
            if route is not None:
                record.hint = ignored_fields(route, body)
        except Refusal as refusal:
            record.code, record.message = refusal.code, refusal.message
            record.hint = hint_for(refusal, route, body, connection.path)
            answer = JsonAnswer(self._refusal_body(connection, refusal), refusal.status, refusal.headers)
        if record.hint:
            answer.headers = {**answer.headers, HINT_HEADER: record.hint}
        await deliver(connection, answer, settings, fault)

    async def _compute(self, connection: HttpConnection, value: Any, route: Route | None, *, large: bool) -> Answer:
        if route is None:
            raise Refusal("40400")
        settings = self.state.settings
        key = authenticate(connection.headers, route.prefix, settings, with_pair=not route.openai)
        body: Any = connection.query
        if connection.method == "POST":
            as_multipart = route.api == "tuning-create" and not settings.facts.observed
            check_content_type(connection.headers.get("content-type"), multipart=as_multipart)
            body = value
        if not isinstance(body, dict):
            raise Refusal("40000")
        if route.openai:  # as in OpenAI's API the body decides: the SDK's Accept names JSON even for streams
            streamed = route.streams and body.get("stream") is True
        else:
            streamed = wants_stream(connection.headers.get("accept"), can_stream=route.streams)
        handler = HANDLERS[route.api]
        call = ApiCall(self.state, route, body, key, streamed)
        try:
            if large or route.api in SLOW:
                return await asyncio.to_thread(handler, call)
            return handler(call)
        except Refusal:
            raise
        except Exception:  # noqa: BLE001 - a bug of the emulator: logged, and answered as the service would
            LOG.exception("The emulator failed to answer %s %s", connection.method, connection.path)
            raise Refusal("50000") from None

    def _pick_fault(self, connection: HttpConnection, value: Any, route: Route | None) -> Fault | None:
        body = value if isinstance(value, dict) else {}
        streamed = route is not None and route.streams and _asks_for_stream(connection, route, body)
        with_tools = bool(body.get("tools")) and body.get("toolChoice", body.get("tool_choice")) != "none"
        named = connection.headers.get(FAULT_HEADER)
        if named is not None:
            try:
                fault = Fault.parse(named)
            except ValueError as error:
                raise Refusal("40000", f"{FAULT_HEADER}: {error}") from error
            if fault.hits(connection.path, streamed=streamed, with_tools=with_tools):
                return fault
        if route is not None and route.api in SCRIPTED:
            scripted = self.state.next_fault()
            if scripted is not None:
                return scripted
        return self.state.pick_fault(connection.path, streamed=streamed, with_tools=with_tools)

    async def _strike(self, connection: HttpConnection, fault: Fault, record: RecordedRequest) -> bool:
        """Apply a fault that happens before the request is checked; return whether it answered the request."""
        if fault.kind == "delay":
            await connection.pause(fault.pause)
            return False
        if fault.kind == "reset":
            await connection.drop(reset=True)
        if fault.kind == "hang":
            await connection.hang()
        if fault.kind == "html":
            status = fault.status or 503
            page = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"
            await connection.answer(status, {"content-type": "text/html", **fault.headers}, f"{page}\r\n".encode())
            return True
        if fault.kind == "empty":
            await connection.answer(fault.status or 200, {"content-type": "application/json", **fault.headers}, b"")
            return True
        if fault.kind in {"status", "ok_error", "invented_tool"}:
            default = "40009" if fault.kind == "invented_tool" else "42901"
            code = fault.code or (code_for_status(fault.status) if fault.status else default)
            refusal = Refusal(code, fault.message, status=200 if fault.kind == "ok_error" else fault.status)
            record.code, record.message = refusal.code, refusal.message
            headers = {"content-type": "application/json", **fault.headers}
            await connection.answer(refusal.status, headers, self._refusal_body(connection, refusal))
            return True
        return False

    def _refusal_body(self, connection: HttpConnection, refusal: Refusal) -> bytes:
        if is_openai_path(connection.raw_path):
            return openai_failure(refusal.code, refusal.message)
        return failure(refusal.code, refusal.message, self.state.settings.facts)


def _asks_for_stream(connection: HttpConnection, route: Route, body: Mapping[str, Any]) -> bool:
    """Whether a request wants a stream, judged before it is checked."""
    if route.openai:
        return body.get("stream") is True
    return "text/event-stream" in connection.headers.get("accept", "")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def create_app(
    settings: Mapping[str, Any] | None = None, *, script: list[Scripted] | None = None, **values: Any
) -> EmulatorApp:
    """Create the bare ASGI application, for a server or a test client of your own.

    Faults that drop the connection work only with the emulator's own server.

    Args:
        settings: The same settings as in `serve`, as a mapping.
        script: Answers for the first chat requests.
        **values: Settings by name: all of `serve` but ``host`` and ``port``. Control over HTTP is off unless
            ``control`` is true, since the application does not know who can reach it.

    Raises:
        ValueError: A setting is wrong, or is ``record``, which needs `serve`.
    """
    state = State(Settings(**{**(settings or {}), **values}))
    if state.settings.record is not None:
        raise ValueError("record needs the emulator's own server, which ends the file when it stops: use serve().")
    state.script(script or [])
    return EmulatorApp(state)
