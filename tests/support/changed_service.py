"""A server that passes requests on to an emulator and changes the answers, for what the emulator cannot be set to."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KEPT = ("content-type", "x-clova-emulator")


@dataclass
class Answer:
    """What the emulator answered, to be changed."""

    path: str
    sent: bytes  # the body of the request
    status: int
    headers: dict[str, str]
    body: bytes
    key: str = field(default="", repr=False)


@contextmanager
def changed(base_url: str, change: Callable[[Answer], None]) -> Iterator[str]:
    """Serve what an emulator answers, changed; gives the address.

    Args:
        base_url: The emulator's address.
        change: Changes status, headers and body of an answer in place.
    """
    upstream = httpx.Client(timeout=10.0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one piece: two would wait for each other's acknowledgement.
        wbufsize = -1

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length", 0)))
            passed = {name: self.headers[name] for name in ("accept", "authorization", "content-type")}
            got = upstream.post(f"{base_url}{self.path}", content=sent, headers=passed)
            headers = {
                name: value for name, value in got.headers.items() if name in _KEPT or name.startswith("x-ratelimit")
            }
            answer = Answer(self.path, sent, got.status_code, headers, got.content, self.headers["authorization"])
            change(answer)
            self.send_response(answer.status)
            for name, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        upstream.close()
