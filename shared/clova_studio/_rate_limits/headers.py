"""What the headers of an answer say about the quota.

Observed: ``x-ratelimit-{limit,remaining,reset}-{requests,tokens}``; resets are ``42s``, ``2.5s``, ``600ms``, sometimes
negative; ``Retry-After`` is nearly never sent. A header may hold anything: what cannot be read is as if missing.
"""

from __future__ import annotations

import math
import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from clova_studio.types._base import RateLimit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse_duration", "parse_rate_limit", "parse_retry_after"]

# Longer values are not read: none that means anything is.
_LONGEST = 64
# Counts beyond it are not believed.
_MOST = 10**12
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NAMES = tuple(f"{kind}_{what}" for kind in ("limit", "remaining", "reset") for what in ("requests", "tokens"))


def parse_duration(text: str | None) -> float | None:
    """Return the seconds of ``42s``, ``2.5s``, ``600ms``, ``1m30s``, ``-2s`` or a bare number; None for the rest."""
    if not text or len(text) > _LONGEST:
        return None
    text = text.strip().lower()
    sign = -1.0 if text.startswith("-") else 1.0
    bare = text.lstrip("+-")
    if _SECONDS.fullmatch(bare):
        seconds = float(bare)
    else:
        parts = _PART.findall(bare)
        if not parts or "".join(number + unit for number, unit in parts) != bare:
            return None
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return sign * seconds if math.isfinite(seconds) else None


def parse_rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """Return the rate-limit headers of an answer, or None if there are none that can be read."""
    # Each look-up goes through all headers of an answer, and most answers have none of these.
    if not any(name.startswith("x-ratelimit-") for name in headers):
        return None
    found: dict[str, float | int] = {}
    for name in _NAMES:
        text = headers.get("x-ratelimit-" + name.replace("_", "-"))
        value = parse_duration(text)
        if text is None or value is None:
            continue
        if name.startswith("reset"):
            found[name] = value
        elif abs(value) <= _MOST and text.strip()[-1].isdigit():
            found[name] = int(value)
    return RateLimit.model_validate(found) if found else None


def parse_retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Return how long to wait, in seconds, or None where no header says anything usable.

    The larger of ``Retry-After`` (seconds or a date) and the ``x-ratelimit-reset-*`` headers; values of zero or less
    are as if missing. A date counts from the answer's own ``Date``: the clock of this machine may be wrong.

    Args:
        headers: The headers of the answer.
        now: Unix time, for a date in an answer without ``Date``.
    """
    text = headers.get("retry-after")
    seconds = parse_duration(text)
    if seconds is None and (date := _parse_date(text)) is not None:
        sent = _parse_date(headers.get("date"))
        seconds = date - (sent if sent is not None else time.time() if now is None else now)
    waits = [seconds]
    waits += [parse_duration(headers.get(f"x-ratelimit-reset-{what}")) for what in ("requests", "tokens")]
    usable = [wait for wait in waits if wait is not None and wait > 0]
    return max(usable) if usable else None


def _parse_date(text: str | None) -> float | None:
    """Return the Unix time of a date as HTTP has it, None for anything else."""
    if not text or len(text) > _LONGEST:
        return None
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
