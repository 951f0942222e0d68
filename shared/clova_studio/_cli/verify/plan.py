"""Which checks are run, in which order, and what they can cost."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clova_studio._cli.verify.chat_checks import CHAT_CHECKS
from clova_studio._cli.verify.field_checks import FIELD_CHECKS
from clova_studio._cli.verify.key_checks import KEY_CHECKS
from clova_studio._cli.verify.other_checks import OTHER_CHECKS
from clova_studio._cli.verify.quota import MOST_REQUESTS, quota_tokens
from clova_studio._cli.verify.tool_checks import TOOL_CHECKS
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clova_studio._cli.verify.check import Check
    from clova_studio._cli.verify.wire import Request

__all__ = ["CHECKS", "Plan", "make_plan"]

# The cheapest first, and of two that cost the same the one that nobody knows the answer of; last those that look
# back at all answers.
CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (*KEY_CHECKS, *CHAT_CHECKS, *FIELD_CHECKS, *TOOL_CHECKS, *OTHER_CHECKS),
        key=lambda check: (check.late, check.tokens, not check.open),
    )
)


@dataclass(frozen=True)
class Plan:
    """The checks that are run, and those that would cost too much."""

    checks: tuple[Check, ...]
    left_out: tuple[Check, ...]
    requests: int  # at most
    tokens: int  # about, at most: input and the largest output
    quota: bool = False  # whether a quota is used up to see how it counts


def make_plan(only: Sequence[str], max_tokens: int | None, *, quota: bool = False) -> Plan:
    """Return what to run.

    Args:
        only: Ids of checks, or their beginnings up to a dot; empty for all.
        max_tokens: The checks that fit are run, the cheapest first; None for no bound.
        quota: Whether to use up a quota too; its tokens count.

    Raises:
        ConfigurationError: An id is unknown, or nothing fits.
    """
    if max_tokens is not None and max_tokens < 0:
        raise ConfigurationError("--max-tokens must be a number of tokens of at least 0")
    chosen, left_out = [], []
    seen: set[Request] = set()
    requests, tokens = (MOST_REQUESTS, quota_tokens()) if quota else (0, 0)
    if max_tokens is not None and tokens > max_tokens:
        raise ConfigurationError(f"--quota can use {tokens:,} tokens: give --max-tokens more, or leave it out")
    for check in _wanted(only):
        new = set(check.requests) - seen
        cost = sum(request.tokens for request in new) + check.repeated_tokens
        if max_tokens is not None and tokens + cost > max_tokens:
            left_out.append(check)
            continue
        chosen.append(check)
        seen |= new
        requests += len(new) + check.repeats
        tokens += cost
    if not chosen:
        raise ConfigurationError(f"no check costs as little as {max_tokens} tokens: give --max-tokens more, or --only")
    return Plan(tuple(chosen), tuple(left_out), requests, tokens, quota)


def _wanted(only: Iterable[str]) -> list[Check]:
    names = [name.strip() for item in only for name in item.split(",") if name.strip()]
    known = {check.id for check in CHECKS} | {check.id.partition(".")[0] for check in CHECKS}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise ConfigurationError(f"--only: there is no check {name!r}{guess} ('clova-studio verify --list')")
    return [check for check in CHECKS if not names or {check.id, check.id.partition(".")[0]} & set(names)]
