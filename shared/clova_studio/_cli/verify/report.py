"""The reports of a run: a table, JSON, Markdown, and the behaviour for the emulator. None of them has account data."""

from __future__ import annotations

import json
import platform
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clova_studio._cli._terminal import scrub
from clova_studio._cli.verify.words import SIDES, answer_words, what_came
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from clova_studio._cli.verify.outcome import Outcome

__all__ = ["Run", "behaviour_file", "check_target", "markdown", "write"]

_FORMS = (".json", ".md")


@dataclass(frozen=True)
class Run:
    """A finished run."""

    where: str  # public, gov, the emulator or another address; never a host's name
    key_kind: str
    day: str
    requests: int
    tokens: int
    outcomes: list[Outcome]
    left_out: list[str]

    @property
    def behaviour(self) -> str:
        """The behaviour that more of the answers are as."""
        documented = sum(outcome.documented for outcome in self.outcomes)
        observed = sum(outcome.observed for outcome in self.outcomes)
        return "documented" if documented > observed else "observed"

    @property
    def exact(self) -> str | None:
        """The behaviour that every settled answer is as; None if there is none."""
        settled = [outcome for outcome in self.outcomes if outcome.answer is not None]
        for name in ("observed", "documented"):
            if settled and all(getattr(outcome, name) for outcome in settled):
                return name
        return None

    @property
    def counts(self) -> dict[str, int]:
        """How many answers are as which behaviour."""
        found = Counter(outcome.sides for outcome in self.outcomes)
        return {side: found[side] for side in SIDES if found[side]}

    def facts(self) -> dict[str, str]:
        """Return what the emulator can be set to."""
        found = {}
        for outcome in self.outcomes:
            check, answer = outcome.check, outcome.answer
            if answer is not None and check.is_emulated and answer not in check.not_emulated:
                found[check.id] = check.stands_for.get(answer, answer)
        return found

    def unexpressed(self) -> list[str]:
        """Return the checks whose answers the emulator can give in no way."""
        facts = self.facts()
        return [
            outcome.check.id
            for outcome in self.outcomes
            if outcome.sides == "neither" and outcome.check.id not in facts
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "clova_studio": _own_version(),
            "python": platform.python_version(),
            "day": self.day,
            "where": self.where,
            "key": self.key_kind,
            "requests": self.requests,
            "tokens": self.tokens,
            "behaviour": self.exact,
            "counts": self.counts,
            "checks": [_row(outcome) for outcome in self.outcomes],
            "left_out": self.left_out,
            "not_in_the_emulator": self.unexpressed(),
        }


def _row(outcome: Outcome) -> dict[str, Any]:
    check = outcome.check
    return {
        "id": check.id,
        "question": {"en": check.about[0], "ko": check.about[1]},
        "open": check.open,
        "sent": [request.words() for request in check.requests],
        "possible": list(check.answers),
        "documented": check.documented,
        "observed": check.observed,
        "answer": outcome.answer,
        "as": outcome.sides,
        "detail": outcome.detail or None,
        "came": outcome.came,
    }


def _own_version() -> str | None:
    try:
        return version("clova-studio")
    except PackageNotFoundError:
        return None


def markdown(run: Run) -> str:
    """Return the report as Markdown."""
    used = f"{run.requests} requests, {run.tokens} tokens"
    lines = [
        "# clova-studio verify",
        "",
        f"{run.day}, {run.where}, key: {run.key_kind}, clova-studio {_own_version() or '?'}; {used}.",
        "",
        "| Check | Question / 질문 | Came / 결과 | Documented | Observed | |",
        "|---|---|---|---|---|---|",
    ]
    for outcome in run.outcomes:
        check = outcome.check
        expected = [answer_words(word)[0] for word in (check.documented, check.observed)]
        cells = [
            f"`{check.id}`",
            " / ".join(check.about),
            _both(what_came(outcome)),
            *expected,
            _both(SIDES[outcome.sides]),
        ]
        lines.append(f"| {' | '.join(cell.replace('|', ' ') for cell in cells)} |")
    if run.left_out:
        lines += ["", f"Left out / 생략: {', '.join(run.left_out)}"]
    if run.unexpressed():
        lines += ["", f"Not in the emulator / 에뮬레이터로 표현할 수 없음: {', '.join(run.unexpressed())}"]
    lines += ["", "## Sent and came / 요청과 응답", ""]
    for outcome in run.outcomes:
        lines.append(f"### {outcome.check.id}\n")
        for request in outcome.check.requests:
            form = " (stream)" if request.stream else ""
            lines.append(f"`POST {request.path}`{form}\n\n```json\n{request.body}\n```\n")
        answers = [
            " ".join(filter(None, (f"HTTP {item['status']}", item["code"], item["message"]))) for item in outcome.came
        ]
        lines.append(f"Came: {'; '.join(answers) or outcome.detail}\n")
    return "\n".join(lines)


def _both(words: tuple[str, str]) -> str:
    return words[0] if words[0] == words[1] else " / ".join(words)


def behaviour_file(run: Run) -> dict[str, Any]:
    """Return the facts for ``clova-studio emulator --behaviour FILE``."""
    about = f"clova-studio verify, {run.day}, {run.where}"
    if run.unexpressed():
        about += f"; what the emulator cannot be set to: {', '.join(run.unexpressed())}"
    return {"about": about, "behaviour": run.behaviour, "facts": run.facts()}


def check_target(name: str) -> Path:
    """Return the path of a report, or refuse one that cannot be written.

    Raises:
        ConfigurationError: Its name has another ending, or its folder does not exist.
    """
    path = Path(name)
    if path.suffix.lower() not in _FORMS:
        raise ConfigurationError(f"--report: {name} must end in .json or .md")
    return check_folder(path)


def check_folder(path: Path) -> Path:
    """Return a path whose folder exists; a ConfigurationError otherwise."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ConfigurationError(f"{path} cannot be written: it is a folder, or its folder does not exist")
    return path


def write(run: Run, path: Path) -> None:
    """Write a report, as the ending of its name says."""
    text = markdown(run) if path.suffix.lower() == ".md" else json.dumps(run.as_json(), ensure_ascii=False, indent=2)
    path.write_text(f"{scrub(text)}\n", encoding="utf-8")
