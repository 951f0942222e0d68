"""``clova-studio verify``: asks a service what the documentation leaves open, one small request for each fact."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from clova_studio._cli._parsing import add_connection_options, connect, key_settings
from clova_studio._cli._terminal import is_terminal, note, paint, say, say_json, scrub, table
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from clova_studio import ClovaStudio
    from clova_studio._cli.verify.outcome import Outcome
    from clova_studio._cli.verify.plan import Plan
    from clova_studio._cli.verify.report import Run
    from clova_studio._cli.verify.wire import Sender

__all__ = ["EXIT_CODES", "add_arguments", "run"]

EXIT_CODES = (
    "exit codes: 0 success, whatever was found, 1 the service refused the key or could not be reached, or nothing was\n"
    "            settled, 2 wrong use, 130 interrupted, 141 the reader of the output is gone"
)
_INTERRUPTED = 130
_COLOURS = {"both": "dim", "documented": "green", "observed": "green", "neither": "yellow", "unsettled": "red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clova-studio verify``."""
    parser.description = (
        "Ask a service what its documentation leaves open: each check sends a small request or two and tells which of\n"
        "the possible answers came, and whether that is the documented or the observed one. The cheapest go first.\n"
        "It says how many requests and tokens it will use, and asks before it starts."
    )
    parser.epilog = """\
examples:
  clova-studio verify --list
  clova-studio verify --max-tokens 500 --report report.md
  clova-studio verify --only schema,list-input --yes --write-behaviour seen.json
  clova-studio emulator --behaviour seen.json"""
    parser.add_argument("--list", action="store_true", help="list the checks and what they cost; sends nothing")
    parser.add_argument(
        "--only", action="append", default=[], metavar="ID,...", help="these checks alone (can be repeated)"
    )
    parser.add_argument("--max-tokens", type=int, metavar="N", help="leave out what could use more tokens in all")
    parser.add_argument("--yes", action="store_true", help="do not ask before it starts")
    parser.add_argument(
        "--report", action="append", default=[], metavar="FILE", help="write a report: .json or .md (can be repeated)"
    )
    parser.add_argument(
        "--write-behaviour", metavar="FILE", help="write a file that makes the emulator answer in the same way"
    )
    parser.add_argument(
        "--quota",
        action="store_true",
        help="also use up the quota of embedding v2, several times, to see how it counts; takes six windows, and the "
        "account must be idle",
    )
    parser.add_argument(
        "--quota-window",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="length of that quota's window (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--patience",
        type=float,
        default=90.0,
        metavar="SECONDS",
        help="how long to wait, in all, for a quota that is used up (default: %(default)s)",
    )
    add_connection_options(parser, retries=False)
    parser.set_defaults(timeout=60.0)


def run(arguments: argparse.Namespace) -> int:
    """Run ``clova-studio verify``; return 0 if something was settled."""
    from clova_studio._cli.verify.plan import make_plan
    from clova_studio._cli.verify.report import behaviour_file, check_folder, check_target, write
    from clova_studio._cli.verify.wire import Sender

    plan = make_plan(arguments.only, arguments.max_tokens, quota=arguments.quota)
    if arguments.list:
        _list(plan)
        return 0
    if not 0 <= arguments.patience < float("inf"):
        raise ConfigurationError("--patience must be a number of seconds of at least 0")
    if not 0 < arguments.quota_window < float("inf"):
        raise ConfigurationError("--quota-window must be a number of seconds above 0")
    reports = [check_target(name) for name in arguments.report]
    behaviour = None if arguments.write_behaviour is None else check_folder(Path(arguments.write_behaviour))
    with connect(arguments, max_retries=0) as client:
        if not _agreed(plan, client, yes=arguments.yes):
            return 0
        sender = Sender(client._config, arguments.timeout, arguments.patience, _waiting)  # noqa: SLF001  its key and address
        outcomes: list[Outcome] = []
        is_whole = _ask(plan, sender, arguments.quota_window, outcomes)
        found = _finished(client, plan, sender, outcomes)
    for path in reports:
        write(found, path)
    if behaviour is not None:
        text = json.dumps(behaviour_file(found), ensure_ascii=False, indent=2)
        behaviour.write_text(f"{text}\n", encoding="utf-8")
    if arguments.json:
        say_json(found.as_json())
    else:
        _print(found)
    if not is_whole:
        return _INTERRUPTED
    return 0 if any(outcome.answer is not None for outcome in outcomes) else 1


def _ask(plan: Plan, sender: Sender, window: float, outcomes: list[Outcome]) -> bool:
    """Run what was planned; return whether it came to its end. What was paid for until Ctrl-C is reported."""
    from clova_studio._cli.verify.outcome import run_checks
    from clova_studio._cli.verify.quota import quota_outcomes

    try:
        run_checks(plan, sender, outcomes, _progress)
        if plan.quota:
            outcomes += quota_outcomes(sender, window, time.monotonic, time.sleep)
    except KeyboardInterrupt:
        if not outcomes:
            raise
        return False
    finally:
        sender.close()
    return True


def _list(plan: Plan) -> None:
    rows = [[check.id, f"{check.tokens:,}", "open" if check.open else "", check.about[0]] for check in plan.checks]
    say(table(["check", "tokens", "", "question"], rows))
    say(f"\n{_cost(plan)}")


def _cost(plan: Plan) -> str:
    return (
        f"{len(plan.checks)} checks: at most {plan.requests} requests and about {plan.tokens:,} tokens / "
        f"검사 {len(plan.checks)}개: 요청 최대 {plan.requests}건, 토큰 약 {plan.tokens:,}개"
    )


def _agreed(plan: Plan, client: ClovaStudio, *, yes: bool) -> bool:
    """Say what it will cost, and ask."""
    note(f"{_cost(plan)}\n{urlsplit(client.base_url).netloc}")
    if plan.left_out:
        note(f"left out / 생략: {', '.join(check.id for check in plan.left_out)}")
    if yes:
        return True
    if not is_terminal(sys.stdin):
        raise ConfigurationError("stdin is not a terminal, so nobody can be asked: give --yes")
    note("Start? / 시작할까요? [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in {"y", "yes", "예", "네"}


def _waiting(seconds: float) -> None:
    note(f"the quota is used up: waiting {seconds:.0f} s / 한도를 모두 써서 {seconds:.0f}초 기다립니다", colour="dim")


def _progress(outcome: Outcome) -> None:
    if is_terminal(sys.stderr):
        note(f"{outcome.check.id}: {outcome.answer or outcome.detail}", colour="dim")


def _finished(client: ClovaStudio, plan: Plan, sender: Sender, outcomes: list[Outcome]) -> Run:
    from clova_studio._cli.verify.report import Run
    from clova_studio._config import BASE_URLS

    where = next((f"{name} cloud" for name, url in BASE_URLS.items() if url == client.base_url), "another address")
    if sender.emulated:
        where = "the emulator"
    keys = key_settings()
    kind = "old pair" if "apigw_api_key" in keys else "nv-..." if keys["api_key"].startswith("nv-") else "old"
    day = datetime.now(UTC).date().isoformat()
    return Run(where, kind, day, sender.sent, sender.tokens, outcomes, [check.id for check in plan.left_out])


def _print(run: Run) -> None:
    from clova_studio._cli.verify.words import SIDES, what_came

    rows = [[outcome.check.id, what_came(outcome)[0], SIDES[outcome.sides][0]] for outcome in run.outcomes]
    head, *lines = table(["check", "came", "which is"], rows).splitlines()
    say(head)
    for outcome, line in zip(run.outcomes, lines, strict=True):
        say(scrub(paint(line, _COLOURS[outcome.sides], sys.stdout)))
    for outcome in run.outcomes:
        if outcome.sides in {"neither", "unsettled"}:
            english, korean = what_came(outcome)
            side = SIDES[outcome.sides]
            say(scrub(f"\n{outcome.check.id}: {side[0]} / {side[1]}"))
            say(scrub(f"  {outcome.check.about[0]} {english}\n  {outcome.check.about[1]} {korean}"))
    counts = ", ".join(f"{number} {SIDES[side][0]}" for side, number in run.counts.items())
    korean = ", ".join(f"{SIDES[side][1]} {number}" for side, number in run.counts.items())
    say(f"\n{len(run.outcomes)} checks: {counts} / 검사 {len(run.outcomes)}개: {korean}")
    say(f"{run.requests} requests, {run.tokens:,} tokens / 요청 {run.requests}건, 토큰 {run.tokens:,}개")
    if run.exact is not None:
        say(f"Every settled answer is as {run.exact}. / 확인된 답이 모두 {run.exact}와 같습니다.")
    if run.unexpressed():
        say(
            f"The emulator cannot be set to: {', '.join(run.unexpressed())} / "
            f"에뮬레이터로 표현할 수 없는 것: {', '.join(run.unexpressed())}"
        )
