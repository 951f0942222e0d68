"""The doctor's look at the store of shared quotas: whether it is reached, can be written, and how fast it answers."""

from __future__ import annotations

import os
import statistics
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clova_studio._cli._findings import Finding, finding
from clova_studio._errors import ConfigurationError
from clova_studio._rate_limits.settings import STORE_VARIABLE, store_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["examine_store", "without_store"]

_QUESTIONS = 5
# A tenth of what a client waits for a store.
_SLOW = 0.025


def examine_store() -> tuple[dict[str, Any] | None, list[Finding]]:
    """Return what there is to say of the store that the variable names, None if there is none, and what is wrong."""
    try:
        address: Any = store_of(None)
    except ConfigurationError as error:
        problem = error.message.removeprefix(f"{STORE_VARIABLE}: ").removeprefix(f"{STORE_VARIABLE} ")
        return {"address": None, "ok": False, "milliseconds": None}, [finding("bad_store", problem=problem)]
    if address is None:
        return None, []
    store = address.open()
    facts: dict[str, Any] = {"address": str(address), "ok": True, "milliseconds": None}
    try:
        store.check()
        spent = []
        for _ in range(_QUESTIONS):
            begin = time.perf_counter()
            store.check()
            spent.append(time.perf_counter() - begin)
    except Exception as exc:  # noqa: BLE001  a client goes on without it, too
        facts["ok"] = False
        return facts, [finding("store_fails", store=str(address), problem=str(exc) or type(exc).__name__)]
    finally:
        store.close()
    facts["milliseconds"] = round(statistics.median(spent) * 1_000, 2)
    if facts["milliseconds"] > _SLOW * 1_000:
        return facts, [finding("slow_store", store=str(address), milliseconds=facts["milliseconds"])]
    return facts, []


@contextmanager
def without_store() -> Iterator[None]:
    """Have clients count alone: what the doctor sends is no part of anybody's quota."""
    before = os.environ.pop(STORE_VARIABLE, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[STORE_VARIABLE] = before
