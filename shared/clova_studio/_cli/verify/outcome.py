"""What came of each check, and what of an answer may be shown to others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clova_studio._cli.verify.check import UnsettledError
from clova_studio._errors import APIConnectionError, status_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio._cli.verify.check import Check
    from clova_studio._cli.verify.plan import Plan
    from clova_studio._cli.verify.wire import Reply, Request, Sender

__all__ = ["Outcome", "run_checks"]

# Messages that are shown as they are. Any other may hold anything.
_KNOWN = re.compile(
    r"(Invalid|Unsupported|Missing) (parameter|function|key|Key|response format schema|input format|image \w+)"
    r"|OK|Bad request|Unauthorized|Forbidden|Not found|Model not found|Model fade out|Unsupported API for model"
    r"|Too many requests( - [a-z ]+)?|Text empty|No Service App|Context length exceeded"
)
_NAME = re.compile(r"[A-Za-z_$]+(\[\d*\])?(\.[A-Za-z_$]+(\[\d*\])?)*")
_HEADER = re.compile(r"x-ratelimit-(limit|remaining|reset)-(requests|tokens)")
_LONGEST = 200
_MOST_LOST = 3
_UNAUTHORIZED = 401
# A service key without an app for one API may open another one; these keys open nothing.
_NO_KEY = frozenset({"40101", "40102", "40103", "40104", "40170"})


@dataclass(frozen=True)
class Outcome:
    """What came of one check."""

    check: Check
    answer: str | None  # one of the check's answers; None where it is not settled
    detail: str = ""  # why it is not settled
    came: list[dict[str, Any]] = field(default_factory=list)  # status, code and message of each answer

    @property
    def documented(self) -> bool:
        """Whether the answer is the documented one."""
        return self.answer is not None and self.check.agrees(self.answer, self.check.documented)

    @property
    def observed(self) -> bool:
        """Whether the answer is the observed one."""
        return self.answer is not None and self.check.agrees(self.answer, self.check.observed)

    @property
    def sides(self) -> str:
        """Which behaviours have this answer: ``both``, ``documented``, ``observed`` or ``neither``."""
        if self.answer is None:
            return "unsettled"
        if self.documented and self.observed:
            return "both"
        return "documented" if self.documented else "observed" if self.observed else "neither"


def run_checks(plan: Plan, sender: Sender, outcomes: list[Outcome], on_outcome: Callable[[Outcome], None]) -> None:
    """Run the checks of a plan and add what came of each to ``outcomes``, so that an interrupted run keeps it.

    After three checks in a row without an answer nothing more is sent.

    Raises:
        APIConnectionError: The service cannot be reached: the first check got no answer.
        AuthenticationError: The service refuses the key for the first check of the user's key.
    """
    lost = 0
    for check in plan.checks:
        detail, answer = "", None
        recorder = _Recorder(sender)
        if lost >= _MOST_LOST:
            outcomes.append(Outcome(check, None, "not asked: the connection is lost"))
            continue
        lost += 1
        try:
            answer = check.settle(recorder)  # type: ignore[arg-type]  # it has what decisions use
        except UnsettledError as exc:
            detail = str(exc)
        except APIConnectionError as exc:
            if sender.sent <= 1:
                raise
            detail = type(exc).__name__
        replies = recorder.replies
        lost = 0 if replies else lost
        _check_key(replies, outcomes)
        outcome = Outcome(check, answer, detail, [came(reply, request) for request, reply in replies])
        outcomes.append(outcome)
        on_outcome(outcome)


def _check_key(replies: list[tuple[Request, Reply]], before: list[Outcome]) -> None:
    """Stop where the user's key is refused before it was taken once; checks of prefixes and keys expect refusals."""
    if any(item["ok"] for outcome in before for item in outcome.came):
        return
    for request, reply in replies:
        if reply.status == _UNAUTHORIZED and reply.code in _NO_KEY and request.prefixed and not request.unknown_key:
            raise status_error(shown_message(reply.message, request), status_code=reply.status, code=reply.code or None)


class _Recorder:
    """A sender that keeps what it was asked for."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.limited = sender.limited
        self.replies: list[tuple[Request, Reply]] = []

    def ask(self, request: Request) -> Reply:
        reply = self._sender.ask(request)
        self.replies.append((request, reply))
        return reply

    def ask_again(self, request: Request) -> Reply:
        reply = self._sender.ask_again(request)
        self.replies.append((request, reply))
        return reply


def came(reply: Reply, request: Request) -> dict[str, Any]:
    """Return what of an answer may be shown: no texts, and no message that could hold data of the account."""
    return {
        "status": reply.status,
        "ok": reply.ok,
        "code": reply.code or None,
        "message": shown_message(reply.message, request) or None,
        "headers": sorted(name for name in reply.limits if _HEADER.fullmatch(name)),
    }


def shown_message(message: str, request: Request) -> str:
    """Return a message of the service if it says nothing but known words and names of fields that were sent."""
    head, _, names = message[:_LONGEST].partition(": ")
    if not _KNOWN.fullmatch(head):
        return ""
    words = [name.strip() for name in names.split(",") if name.strip()]
    sent = request.body
    plain = all(_NAME.fullmatch(word) and _is_sent(word, sent) for word in words)
    return message if plain else head


def _is_sent(name: str, body: str) -> bool:
    """Return whether the words of a field's name are in what was sent, or in the form of a tool."""
    parts = re.findall(r"[A-Za-z_$]+", name)
    return all(f'"{part}"' in body or part in {"description", "parameters", "type", "thinking"} for part in parts)
