"""The page in a real Chromium: a person reads requests, chats, switches faults on, and sees quotas fill."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from browser_support import counted, missing, open_browser, visiting
from emulator_support import connect, user

from clova_studio.emulator import EmulatorServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

H5 = "/v3/chat-completions/HCX-005"
EVIL = '<script>window.stolen = 1</script><img src=x onerror="window.stolen = 2">'

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests here; each opens the page as a visitor of its own."""
    with open_browser() as chromium:
        yield chromium


@pytest.fixture
def server() -> Iterator[EmulatorServer]:
    """A server of the test's own."""
    with serve() as running:
        yield running


@pytest.fixture
def visit(browser: Any, server: EmulatorServer) -> Iterator[Any]:
    """The page of the server."""
    with visiting(browser, server) as page:
        yield page


def line(page: Any, number: int) -> Any:
    """The line of a request in the list."""
    return page.locator(f"#list li[data-number='{number}']")


def test_requests_appear_as_they_arrive(visit: Any, server: EmulatorServer) -> None:
    """A request is in the list at once, with status, tokens and the hint of a refusal; a click shows all of it."""
    with connect(server) as client:
        client.post(H5, json=user("항구 도시는?"), headers={"accept": "text/event-stream"})
        client.post(H5, json=user("가", topK=500))
    line(visit, 2).wait_for()
    assert re.search(r"200.*HCX-005.*\d+ → \d+ tokens · stream", line(visit, 1).inner_text(), re.DOTALL)
    assert re.search(r"400.*40001 Invalid parameter: topK.*topK takes", line(visit, 2).inner_text(), re.DOTALL)
    line(visit, 1).click()
    detail = visit.locator("#panel-detail")
    detail.locator("h2", has_text="Request 1").wait_for()
    assert "항구 도시는?" in detail.locator("pre").first.inner_text()
    rows = detail.locator("table.events tbody tr")
    names = [row.locator("td").nth(1).inner_text() for row in rows.all()]
    assert names[0] == "token"
    assert names[-2:] == ["result", "signal"]
    assert re.match(r"[\d.]+ m?s", rows.first.locator("td").first.inner_text())
    line(visit, 2).click()
    detail.locator("h2", has_text="Request 2").wait_for()
    assert "topK takes" in detail.locator(".advice").inner_text()
    assert "***" in detail.inner_text() or "***" in detail.locator("details").first.text_content()
    assert server.api_key not in visit.locator("#panel-detail").text_content()


def test_values_are_text(visit: Any, server: EmulatorServer) -> None:
    """A prompt, a path, a fault and a message with markup are shown as they are and do nothing."""
    server.script([EVIL])
    with connect(server) as client:
        client.post(H5, json=user(EVIL), headers={"accept": "text/event-stream"})
        client.get("/v1/<script>window.stolen=3</script>")
        client.post("/_emulator/faults", json={"kind": "status", "path": EVIL, "message": EVIL})
    line(visit, 2).wait_for()
    assert "<script>window.stolen=3</script>" in line(visit, 2).inner_text()
    line(visit, 1).click()
    visit.locator("#panel-detail table").wait_for()
    assert "<script>window.stolen = 1</script>" in visit.locator("#panel-detail pre").first.inner_text()
    visit.click("#tab-faults")
    visit.locator("#fault-active li").wait_for()
    assert EVIL in visit.locator("#fault-active").inner_text()
    server.clear_faults()
    server.script([EVIL])
    visit.click("#tab-playground")
    visit.fill("#pg-prompt", EVIL)
    visit.click("#pg-send")
    visit.locator(".turn.assistant small").wait_for()
    assert visit.locator(".turn .content").all_inner_texts() == [EVIL, EVIL]
    assert visit.evaluate("window.stolen") is None
    assert visit.locator("main script, main img").count() == 0


def test_filter_pause_and_clear(visit: Any, server: EmulatorServer) -> None:
    """The list is filtered by path and status, paused while its server goes on, and cleared."""
    with connect(server) as client:
        client.post(H5, json=user("가"))
        client.post(H5, json={})
        client.post("/v1/api-tools/embedding/v2", json={"text": "가"})
        line(visit, 3).wait_for()
        visit.fill("#filter-path", "embedding")
        counted(visit, "#list li", 1)
        assert line(visit, 3).count() == 1
        visit.fill("#filter-path", "")
        visit.select_option("#filter-status", "refused")
        line(visit, 2).wait_for()
        assert visit.locator("#list li").count() == 1
        visit.select_option("#filter-status", "")
        line(visit, 3).wait_for()
        visit.click("#pause")
        client.post(H5, json=user("나"))
        visit.locator("#pause", has_text="Resume (1 new)").wait_for()
        assert visit.locator("#list li").count() == 3
        visit.click("#pause")
        line(visit, 4).wait_for()
        visit.click("#clear")
        counted(visit, "#list li", 0)
        assert server.requests == []


def test_many_requests(visit: Any, server: EmulatorServer) -> None:
    """Of a thousand requests the newest 200 are lines of the page, which draws many of them at once."""
    visit.evaluate(
        "window.draws = 0; new MutationObserver(() => { window.draws += 1; })"
        ".observe(document.getElementById('counts'), { childList: true, characterData: true, subtree: true })"
    )
    with connect(server) as client:
        for _ in range(1_000):
            client.get("/v1/nothing")
    line(visit, 1_000).wait_for()
    assert visit.locator("#list li").count() == 200
    assert visit.locator("#list li").last.get_attribute("data-number") == "801"
    assert visit.evaluate("window.draws") < 200
    assert "200" in visit.locator("#more").inner_text()


def test_the_playground_chats(visit: Any, server: EmulatorServer) -> None:
    """A chat is streamed with the model and parameters that were chosen, and goes on with what was said before."""
    visit.click("#pg-more summary")
    visit.fill("#pg-system", "짧게 답해.")
    visit.fill("#pg-temperature", "0.3")
    visit.fill("#pg-stop", "끝, 그만")
    server.script(["부산입니다.", "서울입니다."])
    for index, said in enumerate(("항구 도시는?", "수도는?"), 1):
        visit.fill("#pg-prompt", said)
        visit.press("#pg-prompt", "Control+Enter")
        counted(visit, ".turn.assistant small", index)
    assert visit.locator(".turn .content").all_inner_texts() == [
        "항구 도시는?",
        "부산입니다.",
        "수도는?",
        "서울입니다.",
    ]
    assert re.search(r"\d+ tokens in, \d+ out · stop", visit.locator(".turn small").last.inner_text())
    first, second = server.requests
    assert (first.path, first.headers["accept"]) == (H5, "text/event-stream")
    assert first.body == {
        "messages": [{"role": "system", "content": "짧게 답해."}, {"role": "user", "content": "항구 도시는?"}],
        "temperature": 0.3,
        "stop": ["끝", "그만"],
    }
    assert [message["content"] for message in second.body["messages"]][1:] == ["항구 도시는?", "부산입니다.", "수도는?"]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("model", "effort"), [("HCX-005", ""), ("HCX-007", "low")])
def test_the_code_sends_the_same(visit: Any, server: EmulatorServer, model: str, effort: str, streamed: Any) -> None:
    """curl, LangChain and LlamaIndex as printed send the body that the playground sends, quotation marks and all."""
    said = '그는 "it\'s" 라고 했다.\n\\끝'
    visit.select_option("#pg-model", model)
    visit.click("#pg-more summary")
    visit.fill("#pg-system", "짧게.")
    for name, value in (("temperature", "0.2"), ("topP", "0.9"), ("topK", "3"), ("maxTokens", "200"), ("seed", "7")):
        visit.fill(f"#pg-{name}", value)
    visit.fill("#pg-repetition", "1.2")
    if effort:
        visit.select_option("#pg-effort", effort)
    visit.set_checked("#pg-stream", streamed)
    visit.fill("#pg-prompt", said)
    codes = {}
    for name in ("curl", "LangChain", "LlamaIndex"):
        visit.click(f"#pg-code-{name}")
        codes[name] = visit.locator("#pg-code code").text_content()
    visit.click("#pg-send")
    visit.locator(".turn.assistant small").wait_for()
    for name, code in codes.items():
        command = ["sh", "-c", code] if name == "curl" else [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
    sent = server.requests
    assert len(sent) == 4
    assert {request.status for request in sent} == {200}
    assert {request.answer.streamed for request in sent} == {streamed}
    assert sent[0].body["messages"][-1]["content"] == said
    for request in sent[1:]:
        assert plain(request.body) == plain(sent[0].body)


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """A body with contents as texts, however they were written."""
    contents = [item["content"] for item in body["messages"]]
    texts = [content if isinstance(content, str) else content[0]["text"] for content in contents]
    return {**body, "messages": [{**item, "content": text} for item, text in zip(body["messages"], texts, strict=True)]}


def test_a_refused_chat(visit: Any, server: EmulatorServer) -> None:
    """A refusal shows status, code, message and hint; the text can be sent again and is in no later conversation."""
    visit.click("#pg-more summary")
    visit.fill("#pg-topK", "500")
    visit.fill("#pg-prompt", "가")
    visit.click("#pg-send")
    note = visit.locator(".turn.bad small")
    note.wait_for()
    assert re.search(r"HTTP 400\n40001 Invalid parameter: topK\n→ topK takes", note.inner_text())
    assert visit.input_value("#pg-prompt") == "가"
    visit.fill("#pg-topK", "")
    visit.click("#pg-send")
    visit.locator(".turn.assistant:not(.bad) small").wait_for()
    assert len(server.requests[-1].body["messages"]) == 1


def test_faults_are_switched(visit: Any, server: EmulatorServer) -> None:
    """A switch makes the next requests fail for every program, counts what it hit, and goes off again."""
    visit.click("#tab-faults")
    visit.fill("#fault-path", "chat")
    visit.get_by_role("switch", name=re.compile("^429")).check()
    visit.locator("#fault-active li").wait_for()
    with connect(server) as client:
        refused = client.post(H5, json=user("가"))
        assert (refused.status_code, refused.headers["x-ratelimit-reset-requests"]) == (429, "5s")
        assert client.post("/v1/api-tools/embedding/v2", json={"text": "가"}).status_code == 200
        visit.locator("#fault-active", has_text="matched 1, hit 1").wait_for()
        assert visit.locator("#fault-count").inner_text() == "1"
        assert "Fault status" in line(visit, 1).inner_text()
        visit.get_by_role("switch", name=re.compile("^429")).uncheck()
        visit.locator("#fault-active", has_text="Nothing goes wrong").wait_for()
        assert client.post(H5, json=user("가")).status_code == 200
    visit.locator("summary", has_text="Any other fault").click()
    visit.select_option("#fault-kind", "empty")
    visit.fill("#fault-times", "2")
    visit.locator("#panel-faults button[type=submit]").click()
    visit.locator("#fault-active", has_text="empty times=2 · path=chat").wait_for()
    assert [fault.kind for fault in server.faults] == ["empty"]


def test_quotas_fill(visit: Any, server: EmulatorServer) -> None:
    """A limit that is set in the page holds, and its windows fill as requests come."""
    visit.click("#tab-quotas")
    visit.fill("#quota-requests", "2")
    visit.fill("#quota-tokens", "5000")
    visit.locator("#panel-quotas button[type=submit]").click()
    visit.locator("#quota-limits", has_text="HCX-005 2 requests, 5,000 tokens").wait_for()
    with connect(server) as client:
        assert [client.post(H5, json=user("가")).status_code for _ in range(3)] == [200, 200, 429]
    visit.locator("#quota-usage", has_text="2 / 2").wait_for()
    assert visit.get_by_role("progressbar", name="HCX-005: Requests").get_attribute("class") == "full"
    assert re.search(r"reset in [\d.]+ s", visit.locator("#quota-usage").inner_text())
    visit.click("#quota-forget")
    visit.locator("#quota-usage", has_text="Nothing is used yet").wait_for()


def test_the_server_panel(visit: Any, server: EmulatorServer) -> None:
    """It names behaviour, address and key, with lines that point a program at the server."""
    visit.click("#tab-about")
    said = visit.locator("#panel-about").inner_text()
    assert f"export CLOVASTUDIO_BASE_URL={server.base_url} CLOVASTUDIO_API_KEY={server.api_key}" in said
    assert "observed: answers as traffic was recorded" in said
