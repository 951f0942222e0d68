"""What the headers of an answer say about the quota.

Observed: ``x-ratelimit-{limit,remaining,reset}-{requests,tokens}``; resets are ``42s``, ``2.5s``, ``600ms``, sometimes
negative; ``Retry-After`` is nearly never sent.
"""

from __future__ import annotations

import math
import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from clova_studio.types._base import RateLimit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse_duration", "parse_rate_limit", "parse_retry_after"]

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NAMES = tuple(f"{kind}_{what}" for kind in ("limit", "remaining", "reset") for what in ("requests", "tokens"))


def parse_duration(text: str | None) -> float | None:
    """Return the seconds of ``42s``, ``2.5s``, ``600ms``, ``1m30s``, ``-2s`` or a bare number; None for the rest."""
    text = (text or "").strip().lower()
    sign = -1.0 if text.startswith("-") else 1.0
    bare = text.lstrip("+-")
    try:
        value = float(bare) if bare[:1].isdigit() else math.inf
        return sign * value if math.isfinite(value) else None
    except ValueError:
        pass
    parts = _PART.findall(bare)
    if not parts or "".join(number + unit for number, unit in parts) != bare:
        return None
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def parse_rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """Return the rate-limit headers of an answer, or None if there are none."""
    # Each look-up goes through all headers of an answer, and most answers have none of these.
    if not any(name.startswith("x-ratelimit-") for name in headers):
        return None
    found: dict[str, float | int] = {}
    for name in _NAMES:
        text = headers.get("x-ratelimit-" + name.replace("_", "-"))
        if text is None:
            continue
        value = parse_duration(text)
        if value is not None:
            found[name] = value if name.startswith("reset") else int(value)
    return RateLimit.model_validate(found) if found else None


def parse_retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Return how long to wait, in seconds, or None where no header says anything usable.

    The larger of ``Retry-After`` (seconds or a date) and the ``x-ratelimit-reset-*`` headers; values of zero or less
    are as if missing.

    Args:
        headers: The headers of the answer.
        now: Unix time, for a ``Retry-After`` that is a date.
    """
    text = headers.get("retry-after")
    seconds = parse_duration(text)
    if text and seconds is None:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now)
        except (TypeError, ValueError):
            seconds = None
    waits = [seconds]
    waits += [parse_duration(headers.get(f"x-ratelimit-reset-{what}")) for what in ("requests", "tokens")]
    usable = [wait for wait in waits if wait is not None and wait > 0]
    return max(usable) if usable else None
