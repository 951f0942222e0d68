"""The page for different people: their language and theme, a phone, the keyboard alone, a screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from browser_support import counted, missing, open_browser, visiting
from emulator_support import connect, user

from clova_studio.emulator import EmulatorServer, Fault, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

H5 = "/v3/chat-completions/HCX-005"
TABS = ("requests", "playground", "detail", "faults", "quotas", "about")
PHONE = {"width": 360, "height": 740}
# WCAG 2: how much lighter one colour is than another, for every text that is shown.
CONTRASTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => rgba(colour).slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let place = element; place; place = place.parentElement) {
      const colour = getComputedStyle(place).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return "white";
  };
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    const written = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!written || element.matches(":disabled, :disabled *")) continue;
    if (!element.checkVisibility({ opacityProperty: true })) continue;
    const [one, other] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 4.5) found.push([element.tagName, element.className, element.textContent.slice(0, 30), contrast]);
  }
  return found;
}"""
UNFOLD = "for (const part of document.querySelectorAll('details')) part.open = true"
DOUBLED = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}"""
ROLES = {
    *("button", "combobox", "textbox", "searchbox", "spinbutton", "checkbox", "switch", "tab", "link", "progressbar"),
}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests here."""
    with open_browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    """A server with something to show in each panel."""
    with serve(rate_limits={"HCX-005": (3, 9_000), "*": (60, None)}) as running, connect(running) as client:
        client.post(H5, json=user("항구 도시는?"), headers={"accept": "text/event-stream"})
        client.post(H5, json=user("긴" * 300, topK=500))
        client.post(H5, json=user("가"), headers={"x-clova-emulator-fault": "status;code=42901"})
        client.post("/v1/api-tools/embedding/v2", json={"text": "가"})
        client.get("/v1/" + "long-path/" * 30)
        running.add_fault(Fault("status", path="/nowhere", message="전" * 90))
        yield running


@pytest.mark.parametrize(
    ("locale", "shown", "title"),
    [("ko-KR", "ko", "CLOVA Studio 에뮬레이터"), ("en-GB", "en", "CLOVA Studio emulator"), ("fr-FR", "en", None)],
)
def test_the_language(browser: Any, server: EmulatorServer, locale: str, shown: str, title: str | None) -> None:
    """The page speaks the browser's language, English to those who have neither; a change is kept for later."""
    with visiting(browser, server, locale=locale) as page:
        assert page.get_attribute("html", "lang") == shown
        assert title is None or page.title() == page.inner_text("h1") == title
        other = "en" if shown == "ko" else "ko"
        page.fill("#pg-prompt", "쓰던 글")
        page.select_option("#language", other)
        assert page.get_attribute("html", "lang") == other
        assert page.inner_text("#tab-faults span") == ("장애" if other == "ko" else "Faults")
        assert page.input_value("#pg-prompt") == "쓰던 글"
        page.reload()
        assert page.get_attribute("html", "lang") == other
        assert page.input_value("#language") == other


def test_the_theme(browser: Any, server: EmulatorServer) -> None:
    """The page is light or dark as the system is, until one of them is chosen, which is kept."""
    back = "getComputedStyle(document.body).backgroundColor"
    with visiting(browser, server, color_scheme="dark") as page:
        dark = page.evaluate(back)
        page.emulate_media(color_scheme="light")
        light = page.evaluate(back)
        assert light != dark
        page.select_option("#theme", "dark")
        assert page.evaluate(back) == dark
        page.reload()
        assert page.evaluate(back) == dark
        page.select_option("#theme", "auto")
        assert page.evaluate(back) == light


@pytest.mark.parametrize("locale", ["ko-KR", "en-US"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_panel_can_be_read(browser: Any, server: EmulatorServer, locale: str, scheme: str) -> None:
    """On a screen of 360 px nothing is wider than it, and every text stands out from what is behind it."""
    with visiting(browser, server, locale=locale, color_scheme=scheme, viewport=PHONE) as page:
        page.click("#tab-requests")
        counted(page, "#list li", 5)
        page.click("#list li[data-number='2'] button")
        page.locator("#panel-detail pre").first.wait_for()
        for tab in TABS:
            page.click(f"#tab-{tab}")
            page.evaluate(UNFOLD)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], tab
            assert page.evaluate(CONTRASTS) == [], tab
            shown = [name for name in TABS if page.locator(f"#panel-{name}").is_visible()]
            assert shown == [tab]


def test_everything_has_a_name(browser: Any, server: EmulatorServer) -> None:
    """A screen reader finds a name for whatever can be pressed, chosen or written into, and no id twice."""
    with visiting(browser, server) as page:
        counted(page, "#list li", 5)
        tools = page.context.new_cdp_session(page)
        seen: set[str] = set()
        for tab in TABS[1:]:
            page.click(f"#tab-{tab}")
            page.evaluate(UNFOLD)
            for node in tools.send("Accessibility.getFullAXTree")["nodes"]:
                role = node.get("role", {}).get("value", "").lower()
                if role in ROLES and not node["ignored"]:
                    seen.add(role)
                    assert node["name"]["value"].strip(), (tab, node)
        assert seen >= ROLES - {"link", "textbox"}
        assert page.evaluate(DOUBLED) == []


def test_the_keyboard_is_enough(browser: Any, server: EmulatorServer) -> None:
    """Keys lead through the page: tabs, the list, the filter, the message; ``?`` lists them, and fields keep theirs."""
    with visiting(browser, server) as page:
        counted(page, "#list li", 5)
        page.keyboard.press("?")
        listed = page.locator("#shortcut-list")
        listed.wait_for()
        assert {"?", "j ↓", "k ↑", "/", "p", "n", "l", "t"} <= set(listed.locator("dt").all_inner_texts())
        page.keyboard.press("Escape")
        listed.wait_for(state="hidden")
        page.keyboard.press("3")
        assert page.evaluate("document.activeElement.id") == "tab-faults"
        page.keyboard.press("ArrowRight")
        assert page.locator("#panel-quotas").is_visible()
        page.keyboard.press("Home")
        assert page.locator("#panel-playground").is_visible()
        page.keyboard.press("j")
        page.locator("#panel-detail h2", has_text="Request 5").wait_for()
        page.keyboard.press("ArrowDown")
        page.locator("#panel-detail h2", has_text="Request 4").wait_for()
        page.keyboard.press("k")
        page.locator("#panel-detail h2", has_text="Request 5").wait_for()
        assert page.locator("#list button[tabindex='0']").count() == 1
        page.keyboard.press("/")
        page.keyboard.type("p?nt1")
        assert page.input_value("#filter-path") == "p?nt1"
        page.keyboard.press("Escape")
        page.fill("#filter-path", "")
        page.locator("#filter-path").blur()
        page.keyboard.press("p")
        page.locator("#pause[aria-pressed='true']").wait_for()
        page.keyboard.press("p")
        page.locator("#pause[aria-pressed='false']").wait_for()
        page.keyboard.press("n")
        assert page.evaluate("document.activeElement.id") == "pg-prompt"


def test_tab_reaches_everything_in_order(browser: Any, server: EmulatorServer) -> None:
    """The Tab key goes from the top to the bottom, once through the tabs and once through the list."""
    with visiting(browser, server) as page:
        counted(page, "#list li", 5)
        reached = []
        for _ in range(30):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id || document.activeElement.className || 'line'"))
        wanted = [
            "skip",
            "language",
            "theme",
            "help",
            "tab-playground",
            "pause",
            "clear",
            "filter-path",
            "filter-status",
        ]
        order = [name for name in reached if name in wanted]
        assert order[: len(wanted)] == wanted
        assert {"pg-model", "pg-key", "pg-prompt", "pg-send", "pg-code-curl"} <= set(reached)


def test_a_page_that_lost_its_server_finds_the_next(browser: Any) -> None:
    """When the server is gone the page says so, and it shows the requests of the one that comes after it."""
    with serve() as first:
        port = int(first.base_url.rpartition(":")[2])
        with visiting(browser, first) as page:
            with connect(first) as client:
                client.get("/v1/a")
                client.get("/v1/b")
            counted(page, "#list li", 2)
            first.stop()
            page.locator("#connection.lost").wait_for()
            with serve(port=port) as second, connect(second) as client:
                client.get("/v1/c")
                page.locator("#list", has_text="/v1/c").wait_for()
                counted(page, "#list li", 1)
