"""Paths of the emulator's own, which the service does not have: control, and what else is for people and tools."""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from clova_studio.emulator.server.http_connection import HttpConnection

if TYPE_CHECKING:
    from clova_studio.emulator.server.state import State

CONTROL_ROOT = "/_emulator"

LocalHandler = Callable[[HttpConnection, "State"], Awaitable[None]]
"""Answers a request completely; it may keep the connection and write to it as long as the client stays."""


class LocalRoutes:
    """Which handler has a path: the one of the path itself, else of its first part.

    A handler is loaded by its first request, so that a server nobody steers starts without what control needs.
    """

    def __init__(self) -> None:
        self._loaders: dict[str, Callable[[], LocalHandler]] = {}
        self._handlers: dict[str, LocalHandler] = {}

    def add(self, path: str, load: Callable[[], LocalHandler]) -> None:
        """Add the handler of a path (``/``) or of a path and all below it (``/_emulator``)."""
        self._loaders[path] = load

    def find(self, path: str) -> str | None:
        """The path whose handler answers a request; None for a path of the service."""
        if path in self._loaders:
            return path
        first = "/" + path.lstrip("/").partition("/")[0]
        return first if first in self._loaders and first != "/" else None

    def load(self, path: str) -> LocalHandler:
        """Load the handler of a path that `find` returned; the first time, that takes a moment."""
        if path not in self._handlers:
            self._handlers[path] = self._loaders[path]()
        return self._handlers[path]

    def is_loaded(self, path: str) -> bool:
        """Whether `load` returns at once."""
        return path in self._handlers


async def send_json(connection: HttpConnection, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
    """Answer with JSON."""
    body = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    fields = {"content-type": "application/json", "cache-control": "no-store", **(headers or {})}
    await connection.answer(status, fields, body)


def failure_of(message: str, fields: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """The form of every error under ``/_emulator``: a message, and which field breaks which rule."""
    return {"error": {"message": message, "fields": fields or []}}


def load_control() -> LocalHandler:
    """Import what control needs, pydantic among it."""
    from clova_studio.emulator.control.router import answer

    return answer


def standard_routes() -> LocalRoutes:
    """The paths that every emulator has."""
    routes = LocalRoutes()
    routes.add(CONTROL_ROOT, load_control)
    return routes
