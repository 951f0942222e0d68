"""What passes between a store and those who ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Change", "Delta", "Known", "QuotaStoreError"]


class QuotaStoreError(Exception):
    """A store cannot be used. Calls go on without it, so it leaves the client only with ``on_store_error="raise"``."""


class Known(NamedTuple):
    """Up to where a process knows a quota.

    Attributes:
        epoch: The life of the quota's state: another one if it was lost in between.
        version: How many changes it had.
    """

    epoch: str = ""
    version: int = 0


class Delta(NamedTuple):
    """What has changed since then.

    Attributes:
        now: The time of the store, in seconds.
        known: Up to where it leads.
        state: The state of the quota, None if it is as it was, or there is none.
        permits: The permits that have changed, by their ids.
    """

    now: float
    known: Known
    state: str | None
    permits: Sequence[tuple[str, str]]


class Change(NamedTuple):
    """What to write.

    Attributes:
        state: The new state.
        permits: New texts of permits, by their ids.
        keep: Seconds after its last change for which a permit is kept.
        expires: Seconds after which nothing of the quota is kept if nobody asks.
    """

    state: str
    permits: Mapping[str, str]
    keep: float
    expires: float
