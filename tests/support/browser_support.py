"""A real Chromium without a window, for tests of the emulator's page."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clova_studio.emulator import EmulatorServer

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


def missing() -> str:
    """What a test with a browser lacks here; empty when it can run."""
    if find_program() is None:
        return f"no browser: none of {', '.join(PROGRAMS)} is installed (Debian: apt-get install chromium)"
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "no driver: playwright is not installed (it is in the dependency group dev)"
    return ""


def find_program() -> str | None:
    """The path of an installed Chromium."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextlib.contextmanager
def open_browser() -> Iterator[Any]:
    """A browser with a new, empty profile."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, sync_playwright() as playwright:
        # HOME, too: what Chromium keeps beside its profile is new and goes again.
        browser = playwright.chromium.launch(
            executable_path=find_program(), headless=True, args=list(FLAGS), env={"HOME": home, "LANG": "C.UTF-8"}
        )
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def visiting(browser: Any, server: EmulatorServer, **options: Any) -> Iterator[Any]:
    """The page as a new visitor sees it; what its scripts complain of fails the test."""
    context = browser.new_context(**{"locale": "en-US", "viewport": {"width": 1280, "height": 860}, **options})
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "Policy" in message.text else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.base_url}/")
    page.wait_for_selector("#connection.open")
    page.locator("#pg-model option").first.wait_for(state="attached")
    try:
        yield page
        assert complaints == []
        assert [url for url in asked if not url.startswith(server.base_url)] == []
    finally:
        context.close()


def counted(page: Any, selector: str, count: int) -> None:
    """Wait until so many elements are there."""
    for _ in range(500):
        if page.locator(selector).count() == count:
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{page.locator(selector).count()} of {selector}, not {count}")
