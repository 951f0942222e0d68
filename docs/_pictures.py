"""Takes the pictures of `docs/pictures/` again, from the emulator's real page: ``python docs/_pictures.py``.

Needs the dependency group ``dev``, an installed Chromium, and a font with Hangul (Debian: chromium, fonts-nanum).
"""
# ruff: noqa: INP001  a folder of pages is no package

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from clova_studio.emulator import EmulatorServer, Fault, serve

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "pictures"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from browser_support import counted, open_browser, visiting  # noqa: E402  the tests' own way to open the page

H5 = "/v3/chat-completions/HCX-005"
PORT = "대한민국의 수도는 서울이고, 가장 큰 항구 도시는 부산입니다. 항구 도시는 어디인가요?"
COLOURS = 96
MOST_BYTES = 150_000
STREAM = {"accept": "text/event-stream"}


def main() -> None:
    """Take each picture with a server that has something to show."""
    FOLDER.mkdir(exist_ok=True)
    with open_browser() as browser, serve(rate_limits={"HCX-005": (20, 20_000)}, token_latency=0.02) as server:
        send_requests(server)
        with visiting(browser, server, locale="en-US", color_scheme="light") as page:
            counted(page, "#list li", 5)
            page.click("#list li[data-number='3'] button")
            page.locator("table.events").wait_for()
            save(page, "request")
        with visiting(browser, server, locale="ko-KR", color_scheme="dark") as page:
            page.fill("#pg-prompt", PORT)
            page.click("#pg-send")
            page.locator(".turn.assistant small").wait_for()
            page.click("#pg-code-LangChain")
            save(page, "playground-ko")
        server.add_fault(Fault("status", status=429, code="42901", headers={"x-ratelimit-reset-requests": "5s"}))
        chat(server, "다시", STREAM)
        with visiting(browser, server, viewport={"width": 390, "height": 844}) as page:
            page.click("#tab-faults")
            page.locator("#fault-count", has_text="1").wait_for()
            save(page, "faults-phone")


def send_requests(server: EmulatorServer) -> None:
    """What a program might send: chats, a refused one, an embedding."""
    chat(server, "안녕하세요?")
    chat(server, "가장 큰 항구 도시는?", topK=500)
    chat(server, PORT, STREAM)
    post(server, "/v1/api-tools/embedding/v2", {"text": "항구 도시"})
    chat(server, "한 번 더", {"x-clova-emulator-fault": "html;status=503"})


def chat(server: EmulatorServer, text: str, headers: dict[str, str] | None = None, **more: Any) -> None:
    """Send one chat."""
    post(server, H5, {"messages": [{"role": "user", "content": text}], **more}, headers)


def post(server: EmulatorServer, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    """Send one request."""
    key = {"authorization": f"Bearer {server.api_key}"}
    httpx.post(server.base_url + path, json=body, headers={**key, **(headers or {})})


def save(page: Any, name: str) -> None:
    """Write a picture with few colours, which is a third of the size."""
    path = FOLDER / f"emulator-{name}.png"
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} has {size:,} bytes, more than {MOST_BYTES:,}")


if __name__ == "__main__":
    main()
