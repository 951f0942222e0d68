"""Serves the files of the page, with headers under which it can load and send nothing elsewhere."""

from importlib.resources import files

from clova_studio.emulator.server.http_connection import HttpConnection
from clova_studio.emulator.server.local_routes import PAGE_FILES, PAGE_ROOT, failure_of, send_json
from clova_studio.emulator.server.state import State

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
# Trusted types make the browser refuse to read a text as HTML, whatever a script tries.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_FOLDER = files("clova_studio.emulator.page") / "static"
_FILES = {name: (_FOLDER / name).read_bytes() for name in ("index.html", *PAGE_FILES)}


async def answer(connection: HttpConnection, _: State) -> None:
    """Answer with the file of a path."""
    if connection.method not in {"GET", "HEAD"}:
        said = failure_of(f"{connection.path} takes GET, not {connection.method}.")
        await send_json(connection, 405, said, {"allow": "GET, HEAD"})
        return
    name = connection.path.removeprefix(PAGE_ROOT).lstrip("/") or "index.html"
    content_type = f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    await connection.answer(200, {"content-type": content_type, **_HEADERS}, _FILES[name])
