"""Paths of the emulator's own, which the service does not have: control, and what else is for people and tools."""

import json
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any

from clova_studio.emulator.server.http_connection import HttpConnection

if TYPE_CHECKING:
    from clova_studio.emulator.server.state import State

CONTROL_ROOT = "/_emulator"
PAGE_ROOT = f"{CONTROL_ROOT}/page"
PAGE_FILES = (
    *("style.css", "icon.svg", "main.js", "dom.js", "texts.js", "texts_ko.js", "frame.js", "live.js"),
    *("requests.js", "detail.js", "playground.js", "code.js", "faults.js", "quotas.js", "about.js"),
)
"""What the page at ``/`` loads from below its root."""

LocalHandler = Callable[[HttpConnection, "State"], Awaitable[None]]
"""Answers a request completely; it may keep the connection and write to it as long as the client stays."""


class LocalRoutes:
    """Which handler has a path: the one of the path itself, else of its first part.

    A handler is loaded by its first request, so that a server nobody steers starts without what control needs.
    """

    def __init__(self) -> None:
        self._loaders: dict[str, Callable[[], LocalHandler]] = {}
        self._handlers: dict[str, LocalHandler] = {}
        self._methods: dict[str, Collection[str]] = {}

    def add(self, path: str, load: Callable[[], LocalHandler], methods: Collection[str] = ()) -> None:
        """Add the handler of a path (``/``) or of a path and all below it (``/_emulator``).

        Args:
            path: The path.
            load: Returns the handler.
            methods: Methods of the path that are the emulator's own, where the service may be asked by others; by
                default all of them are.
        """
        self._loaders[path] = load
        self._methods[path] = methods

    def find(self, path: str, method: str = "GET") -> str | None:
        """The path whose handler answers a request; None for a path of the service."""
        if path in self._loaders:
            methods = self._methods[path]
            return path if not methods or method in methods else None
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


def load_page() -> LocalHandler:
    """Read the files of the page."""
    from clova_studio.emulator.page.files import answer

    return answer


def load_events() -> LocalHandler:
    """Import what tells the page of requests."""
    from clova_studio.emulator.page.events import answer

    return answer


def standard_routes() -> LocalRoutes:
    """The paths that every emulator has."""
    routes = LocalRoutes()
    routes.add(CONTROL_ROOT, load_control)
    routes.add(f"{CONTROL_ROOT}/events", load_events)
    routes.add("/", load_page, ("GET", "HEAD"))  # a program that posts to it has lost its path, which is worth a record
    for name in PAGE_FILES:
        routes.add(f"{PAGE_ROOT}/{name}", load_page)
    return routes
