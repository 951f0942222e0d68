"""The ASGI application: from a request to the API that answers it, and from a refusal to its envelope."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from starlette.types import Receive, Scope, Send

from clova_studio.emulator._auth import authenticate, redact
from clova_studio.emulator._chat import chat
from clova_studio.emulator._delivery import Answer, JsonAnswer, deliver
from clova_studio.emulator._exchange import BodyTooLargeError, ClientGoneError, Exchange
from clova_studio.emulator._faults import FAULT_HEADER, Fault
from clova_studio.emulator._negotiation import check_content_type, wants_stream
from clova_studio.emulator._refusals import Refusal, code_for_status
from clova_studio.emulator._routes import Route, find_route
from clova_studio.emulator._state import RecordedRequest, Scripted, Settings, State
from clova_studio.emulator._tools import chat_tokenize, embedding, embedding_tokenize, segmentation
from clova_studio.emulator._wire import failure

_LOG = logging.getLogger("clova_studio.emulator")

Handler = Callable[[State, Route, dict[str, Any], str, bool], Answer]

_HANDLERS: dict[str, Handler] = {
    "chat": chat,
    "chat-tokenize": chat_tokenize,
    "embedding": embedding,
    "embedding-v2": embedding,
    "embedding-tokenize": embedding_tokenize,
    "segmentation": segmentation,
}

# Long texts are split in a thread of their own, so that other requests are answered meanwhile.
_SLOW = frozenset({"segmentation"})


class EmulatorApp:
    """The emulator as an ASGI application."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the server's start and end."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        record = RecordedRequest(exchange.method, exchange.path, redact(exchange.headers), monotonic())

        def remember(status: int) -> None:
            record.status = status

        exchange.on_start = remember
        self.state.arrive(record)
        try:
            await self._answer(exchange, record)
        except ClientGoneError:
            pass
        finally:
            self.state.leave()

    async def _answer(self, exchange: Exchange, record: RecordedRequest) -> None:
        settings = self.state.settings
        fault: Fault | None = None
        try:
            try:
                record.raw = await exchange.read()
            except BodyTooLargeError:
                raise Refusal("41300") from None
            record.body = _parse(record.raw)
            route = find_route(exchange.raw_path)
            fault = self._pick_fault(exchange, record, route)
            if fault is not None and await _strike(exchange, fault, observed=settings.observed):
                return
            await exchange.pause(settings.latency)
            answer = await self._compute(exchange, record, route)
        except Refusal as refusal:
            body = failure(refusal.code, refusal.message, observed=settings.observed)
            answer = JsonAnswer(body, refusal.status, refusal.headers)
        await deliver(exchange, answer, settings, fault)

    async def _compute(self, exchange: Exchange, record: RecordedRequest, route: Route | None) -> Answer:
        # The guide documents no 405, so a wrong method is the documented "Not found" as well.
        if route is None or exchange.method != "POST":
            raise Refusal("40400")
        key = authenticate(exchange.headers, route.prefix, self.state.settings)
        check_content_type(exchange.headers.get("content-type"))
        streamed = wants_stream(exchange.headers.get("accept"), can_stream=route.streams)
        if not isinstance(record.body, dict):
            raise Refusal("40000")
        handler = _HANDLERS[route.api]
        try:
            if route.api in _SLOW:
                return await asyncio.to_thread(handler, self.state, route, record.body, key, streamed)
            return handler(self.state, route, record.body, key, streamed)
        except Refusal:
            raise
        except Exception:  # noqa: BLE001 - a fault of the emulator itself: logged, and told as the service would
            _LOG.exception("The emulator failed to answer %s %s", exchange.method, exchange.path)
            raise Refusal("50000") from None

    def _pick_fault(self, exchange: Exchange, record: RecordedRequest, route: Route | None) -> Fault | None:
        streamed = route is not None and route.streams and "text/event-stream" in exchange.headers.get("accept", "")
        body = record.body if isinstance(record.body, dict) else {}
        with_tools = bool(body.get("tools")) and body.get("toolChoice", body.get("tool_choice")) != "none"
        named = exchange.headers.get(FAULT_HEADER)
        if named is not None:
            try:
                fault = Fault.parse(named)
            except ValueError as error:
                raise Refusal("40000", f"{FAULT_HEADER}: {error}") from error
            if fault.hits(exchange.path, streamed=streamed, with_tools=with_tools):
                return fault
        if route is not None and route.api == "chat":
            scripted = self.state.next_fault()
            if scripted is not None:
                return scripted
        return self.state.pick_fault(exchange.path, streamed=streamed, with_tools=with_tools)


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return None


async def _strike(exchange: Exchange, fault: Fault, *, observed: bool) -> bool:
    """Do what a fault does before the request is looked at.

    Returns:
        Whether the request is answered (or lost) with that.
    """
    if fault.kind == "delay":
        await exchange.pause(fault.pause)
        return False
    if fault.kind == "reset":
        await exchange.drop(reset=True)
    if fault.kind == "hang":
        await exchange.hang()
    if fault.kind == "html":
        status = fault.status or 503
        page = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>\r\n"
        await exchange.answer(status, {"content-type": "text/html", **fault.headers}, page.encode())
        return True
    if fault.kind == "empty":
        await exchange.answer(fault.status or 200, {"content-type": "application/json", **fault.headers}, b"")
        return True
    if fault.kind in {"status", "ok_error", "invented_tool"}:
        default = "40009" if fault.kind == "invented_tool" else "42901"
        code = fault.code or (code_for_status(fault.status) if fault.status else default)
        refusal = Refusal(code, fault.message, status=200 if fault.kind == "ok_error" else fault.status)
        body = failure(refusal.code, refusal.message, observed=observed)
        await exchange.answer(refusal.status, {"content-type": "application/json", **fault.headers}, body)
        return True
    return False


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def create_app(
    settings: Mapping[str, Any] | None = None, *, script: list[Scripted] | None = None, **values: Any
) -> EmulatorApp:
    """Make the bare ASGI application, for a server or a test client of your own.

    Faults that drop the connection need the emulator's own server.

    Args:
        settings: The same settings as in `serve`, as a mapping.
        script: Answers for the first chat requests.
        **values: Settings by name: ``behaviour``, ``api_keys``, ``rate_limits``, ``window``, ``latency``,
            ``token_latency``, ``faults``, ``rate_limit_headers``.
    """
    state = State(Settings(**{**(settings or {}), **values}))
    state.script(script or [])
    return EmulatorApp(state)
