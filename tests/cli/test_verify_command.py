"""The command ``clova-studio verify``: what it asks before it starts, its reports, and answers that nobody expects."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from changed_service import changed

from clova_studio._cli.verify.plan import CHECKS
from clova_studio._cli.verify.words import SIDES, answer_words
from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from changed_service import Answer

    from clova_studio.emulator import EmulatorServer, RecordedRequest

KEY = "nv-cli-test-key"
ACCOUNT = "account-4711"
HANGUL = re.compile("[가-힣]")


@pytest.fixture
def changing(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> Iterator[Any]:
    """The command against the emulator behind a server that changes answers; its report."""

    def run(change: Callable[[Answer], None], *arguments: str) -> dict[str, Any]:
        with changed(server.base_url, change) as base_url:
            monkeypatch.setenv("CLOVASTUDIO_BASE_URL", base_url)
            ran = cli("verify", "--yes", "--json", *arguments)
        report: dict[str, Any] = json.loads(ran.out)
        return report

    return run


def row(report: dict[str, Any], name: str) -> dict[str, Any]:
    """What a report has of a check."""
    found: dict[str, Any] = next(check for check in report["checks"] if check["id"] == name)
    return found


def test_it_asks_before_it_starts(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """Where nobody can be asked it names --yes; it says its requests and tokens first, and sends nothing."""
    ran = cli("verify")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert re.search(r"at most \d+ requests and about [\d,]+ tokens / 검사 \d+개", ran.err)
    assert not server.requests


@pytest.mark.slow
def test_the_answer_of_a_person(server: EmulatorServer, spawn: Callable[..., Any]) -> None:
    """On a terminal it starts with a yes in either language, and with nothing else."""
    import pty

    for said, starts in (("n", False), ("예", True)):
        ours, theirs = pty.openpty()
        process = spawn("verify", "--only", "error-result", stdin=theirs)
        os.write(ours, f"{said}\n".encode())
        out, err = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert "시작할까요?" in err
        assert (process.returncode, "error-result" in out, bool(server.requests)) == (0, starts, starts)


def test_the_list_sends_nothing(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """``--list`` names every check with its cost, the cheapest first, without a request and without a key."""
    ran = cli("verify", "--list")
    assert ran.code == 0
    assert all(check.id in ran.out for check in CHECKS)
    early = [check.tokens for check in CHECKS if not check.late]
    assert early == sorted(early)
    assert not server.requests


def test_only_and_a_bound(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """``--only`` takes ids and groups, an unknown one is refused with a guess; ``--max-tokens`` leaves the rest out."""
    some = json.loads(cli("verify", "--yes", "--json", "--only", "schema,error-result").out)
    assert {check["id"].partition(".")[0] for check in some["checks"]} == {"schema", "error-result"}
    wrong = cli("verify", "--yes", "--only", "list-inputs")
    assert wrong.code == 2
    assert "did you mean list-input?" in wrong.err
    before = server.requests_received
    cheap = json.loads(cli("verify", "--yes", "--json", "--max-tokens", "60").out)
    assert cheap["left_out"]
    assert cheap["checks"]
    assert server.requests_received - before == cheap["requests"]
    assert cli("verify", "--yes", "--only", "reranker-4096", "--max-tokens", "60").code == 2


def test_the_cost_is_not_exceeded(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """No run sends more requests or uses more tokens than it said, and no request holds a text of the user's."""
    ran = cli("verify", "--yes", "--json")
    said = re.search(r"at most (\d+) requests and about ([\d,]+) tokens", ran.err)
    assert said
    report = json.loads(ran.out)
    assert server.requests_received == report["requests"] <= int(said[1])
    assert report["tokens"] <= int(said[2].replace(",", ""))


def test_the_reports_hold_no_data_of_the_account(
    changing: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, account ids, texts and hosts that a service puts into messages, headers and answers are in no report."""

    def plant(answer: Answer) -> None:
        answer.headers |= {f"x-ratelimit-{ACCOUNT}": ACCOUNT, "x-ncp-account": ACCOUNT, "x-ratelimit-limit-tokens": "9"}
        if answer.status != 200:
            body = json.loads(answer.body)
            holder = body.get("status") or body["error"]
            holder["message"] = f"Invalid parameter: {ACCOUNT}, {answer.key}"
            answer.body = json.dumps(body).encode()
        answer.body = answer.body.replace("수도".encode(), ACCOUNT.encode())

    files = [tmp_path / "report.json", tmp_path / "report.md", tmp_path / "seen.json"]
    arguments = ("--report", str(files[0]), "--report", str(files[1]), "--write-behaviour", str(files[2]))
    printed = json.dumps(changing(plant, *arguments))
    for text in (printed, *(file.read_text(encoding="utf-8") for file in files)):
        assert ACCOUNT not in text
        assert KEY not in text
        assert "127.0.0.1" not in text
        assert "unknown-key" not in text
    assert json.loads(files[0].read_text(encoding="utf-8"))["where"] == "the emulator"
    marked = files[1].read_text(encoding="utf-8")
    assert all(f"### {check.id}\n" in marked for check in CHECKS)
    assert json.loads(files[2].read_text(encoding="utf-8"))["facts"]


def test_the_file_is_one_for_the_emulator_command(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path
) -> None:
    """What --write-behaviour wrote --behaviour takes; other files are refused by name before anything starts."""
    file = tmp_path / "seen.json"
    assert cli("verify", "--yes", "--only", "error-result", "--write-behaviour", str(file)).code == 0
    with serve(behaviour=file) as second:
        assert "observed" in repr(second)
    for text, what in (("{", "not JSON"), ('{"facts": {"colour": "blue"}}', "colour"), ('{"fact": {}}', "'fact'")):
        file.write_text(text, encoding="utf-8")
        refused = cli("emulator", "--behaviour", str(file))
        assert refused.code == 2
        assert what in refused.err
    before = server.requests_received
    for arguments in (("--report", "a.txt"), ("--report", "/no/folder/a.md"), ("--write-behaviour", str(tmp_path))):
        assert cli("verify", "--yes", *arguments).code == 2
    assert server.requests_received == before


def forced_is_ignored(answer: Answer) -> None:
    """A forced choice is taken, but no tool is called."""
    if b'"toolChoice"' in answer.sent:
        result = {"message": {"role": "assistant", "content": "맑음"}, "finishReason": "stop"}
        answer.status, answer.body = 200, json.dumps({"status": {"code": "20000"}, "result": result}).encode()


def snake_case_is_obeyed(answer: Answer) -> None:
    """``max_tokens`` works on the native path."""
    if b'"max_tokens": 1' in answer.sent and answer.path.startswith("/v3/"):
        body = json.loads(answer.body)
        body["result"]["usage"]["completionTokens"] = 1
        answer.body = json.dumps(body).encode()


def resets_are_numbers(answer: Answer) -> None:
    """Reset headers without a unit."""
    answer.headers["x-ratelimit-reset-requests"] = "6"


def lines_are_mixed(answer: Answer) -> None:
    """A space in some lines of a stream."""
    answer.body = answer.body.replace(b"data:{", b"data: {")


def list_counts_as_two(answer: Answer) -> None:
    """A list is taken, and no header says how it counts."""
    if "embeddings" in answer.path:
        data = [{"embedding": [0.1], "index": index} for index in range(3)]
        answer.status, answer.body = 200, json.dumps({"data": data}).encode()


def counts_are_lower(answer: Answer) -> None:
    """The usage is below what the token calculator says."""
    body = json.loads(answer.body)
    if "usage" in body.get("result", {}):
        body["result"]["usage"]["promptTokens"] = 0
        answer.body = json.dumps(body).encode()


@pytest.mark.parametrize(
    ("change", "name", "answer"),
    [
        (forced_is_ignored, "forced-native.HCX-005", "ignored"),
        (snake_case_is_obeyed, "snake-case-fields", "obeyed"),
        (resets_are_numbers, "reset-form", "number"),
        (lines_are_mixed, "event-space", "mixed"),
        (list_counts_as_two, "list-input", "taken-uncounted"),
        (counts_are_lower, "message-count", "usage-lower"),
        (counts_are_lower, "tool-count", "not-counted"),
    ],
)
def test_answers_that_the_emulator_has_not(
    change: Callable[[Answer], None], name: str, answer: str, changing: Callable[..., Any]
) -> None:
    """A possible answer that no behaviour has is named as new, and whether the emulator can be set to it."""
    report = changing(change, "--only", name)
    assert (row(report, name)["answer"], row(report, name)["as"]) == (answer, "neither")
    assert report["behaviour"] is None
    assert report["not_in_the_emulator"] == ([] if answer == "taken-uncounted" else [name])


def test_one_refusal_does_not_settle_a_forced_choice(changing: Callable[..., Any]) -> None:
    """A 40009 that the same request without the force meets too, or that is gone the next time, settles nothing."""
    refused = json.dumps({"status": {"code": "40009", "message": "Unsupported function"}}).encode()

    def always(answer: Answer) -> None:
        answer.status, answer.body = 400, refused

    found = row(changing(always, "--only", "forced-native.HCX-005"), "forced-native.HCX-005")
    assert (found["answer"], found["detail"]) == (None, "HTTP 400, 40009, also without the force")

    seen: list[bytes] = []

    def once(answer: Answer) -> None:
        forced = b'"get_weather"}}' in answer.sent.replace(b" ", b"")
        if forced and answer.sent not in seen:
            seen.append(answer.sent)
            answer.status, answer.body = 400, refused
        elif forced:
            answer.status, answer.body = 200, b'{"status": {"code": "20000"}, "result": {}}'

    found = row(changing(once, "--only", "forced-native.HCX-005"), "forced-native.HCX-005")
    assert (found["answer"], found["detail"]) == (None, "once refused, once taken")


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[" * 5_000, b'{"result": {"usage": 3, "messages": 3}, "choices": [3], "data": 3}'),
        b'{"status": 3, "result": {"messages": [{"content": [{"count": "x"}]}], "usage": {"promptTokens": []}}}',
        b"event:token\ndata:{\n\n",
    ],
    ids=range(6),
)
def test_any_answer_is_survived(body: bytes, changing: Callable[..., Any]) -> None:
    """Whatever stands in an answer, each check ends with one of its answers or says that it is not settled."""

    def change(answer: Answer) -> None:
        answer.status, answer.body = 200, body

    report = changing(change)
    assert len(report["checks"]) == len(CHECKS)
    assert all(check["answer"] in check["possible"] or check["detail"] for check in report["checks"])


def test_a_used_up_quota_is_waited_for(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """A 429 is waited for as the header says and asked again; without patience the check is not settled."""
    server.add_fault(Fault("status", code="42901", times=1, headers={"x-ratelimit-reset-requests": "50ms"}))
    ran = cli("verify", "--yes", "--json", "--only", "error-result")
    assert row(json.loads(ran.out), "error-result")["answer"] == "null"
    assert "한도" in ran.err
    server.add_fault(Fault("status", code="42901", times=1))
    ran = cli("verify", "--yes", "--json", "--only", "embedding-count", "--patience", "0")
    assert row(json.loads(ran.out), "embedding-count")["detail"] == "HTTP 429, 42901"
    assert ran.code == 1


def test_a_refused_key_and_a_dead_address(
    server: EmulatorServer, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key that the service does not know ends the run with a pointer to the doctor, a dead address too; no report."""
    report = tmp_path / "report.md"
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-unknown-key")
    ran = cli("verify", "--yes", "--report", str(report))
    assert ran.code == 1
    assert "clova-studio doctor" in ran.err
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", "http://127.0.0.1:9")
    assert cli("verify", "--yes", "--report", str(report)).code == 1
    monkeypatch.delenv("CLOVASTUDIO_API_KEY")
    assert cli("verify", "--yes").code == 2
    assert not report.exists()


@pytest.mark.slow
def test_an_interrupted_run_is_reported(server: EmulatorServer, spawn: Callable[..., Any], tmp_path: Path) -> None:
    """Ctrl-C in the middle: exit code 130, and what was settled until then is in the report."""
    report = tmp_path / "report.json"
    server.add_fault(Fault("hang", path="/v1/openai/"))
    arrived = threading.Event()
    server.subscribe(lambda _, request: arrived.set() if "/openai/" in request.path else None)
    process = spawn("verify", "--yes", "--report", str(report))
    assert arrived.wait(30)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    settled = [check["id"] for check in json.loads(report.read_text(encoding="utf-8"))["checks"] if check["answer"]]
    assert "error-result" in settled
    assert "error-result" in out


def test_a_lost_connection_ends_the_asking(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """After three checks without an answer nothing more is sent, and the rest is not settled."""

    def cut(what: str, request: RecordedRequest) -> None:
        if (what, request.number) == ("answered", 4):
            server.add_fault(Fault("reset"))

    server.subscribe(cut)
    report = json.loads(cli("verify", "--yes", "--json").out)
    details = [check["detail"] for check in report["checks"]]
    asked = details.index("not asked: the connection is lost")
    assert details[asked - 3 : asked] == ["APIConnectionError"] * 3
    assert set(details[asked:]) == {"not asked: the connection is lost"}
    assert report["requests"] == server.requests_received < len(CHECKS)


def test_the_table(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """The table has a line for each check, and both languages say which behaviour all of it is."""
    server.set_quotas({"*": (1_000, None)})
    ran = cli("verify", "--yes")
    assert all(re.search(rf"^{re.escape(check.id)} ", ran.out, re.MULTILINE) for check in CHECKS)
    assert "Every settled answer is as observed. / 확인된 답이 모두 observed와 같습니다." in ran.out
    assert "NEW" not in ran.out


def test_every_answer_has_words() -> None:
    """Each possible answer has its words in Korean, but for codes, names and messages of the wire."""
    for check in CHECKS:
        assert HANGUL.search(check.about[1])
        for answer in check.answers:
            assert HANGUL.search(answer_words(answer)[1]) or re.fullmatch(r"\d+|Invalid [kK]ey|\w+_content", answer)
    assert all(HANGUL.search(words[1]) for words in SIDES.values())
