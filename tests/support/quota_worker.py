"""A process that uses a store of shared quotas, as the store sees it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx
from client_support import KEY, answer, embedded

from clova_studio import ClovaStudio, RateLimits
from clova_studio._rate_limits.stores.operations import Member, Take

if TYPE_CHECKING:
    from clova_studio._rate_limits.stores.interface import QuotaStore

__all__ = ["Worker", "other_process", "shared_client"]


class Worker:
    """A process that asks for permits."""

    def __init__(self, store: QuotaStore, quota: str, name: str, member: Member) -> None:
        self.store, self.quota, self.name, self.member = store, quota, name, member
        self.taken = 0

    def ask(self, *operations: Any) -> Any:
        return self.store.ask(self.quota, self.name, operations, self.member)

    def take(self, tokens: int = 0, *, output: int = 0) -> float:
        """Ask for the next permit; return the wait."""
        wait = self.ask(Take(f"{self.name}-{self.taken}", tokens, output))[0].wait
        self.taken += not wait
        return float(wait)

    @property
    def last(self) -> str:
        return f"{self.name}-{self.taken - 1}"

    def status(self) -> Any:
        self.ask()
        return self.store.view(self.quota, self.name).status()


def shared_client(make: Any, store: Any, requests: int | None = 5, *, window: float = 60.0, **settings: Any) -> Any:
    """Return a client whose requests are answered at once, with a quota of its own that it shares through a store.

    Args:
        make: ``ClovaStudio`` or ``AsyncClovaStudio``.
        store: The address, or a ``QuotaStore``.
        requests: Requests per window.
        window: Seconds.
        **settings: Of the client; ``on_store_error`` and ``answer``, which returns the answer to a request.
    """
    respond = settings.pop("answer", lambda _: answer(embedded()))
    kind = httpx.Client if make is ClovaStudio else httpx.AsyncClient
    limits = RateLimits(
        {"bge-m3": (requests, None)},
        window=window,
        store=store,
        on_store_error=settings.pop("on_store_error", "alone"),
    )
    settings = {"quota_group": str(uuid.uuid4()), "max_wait": 30.0, **settings}
    return make(KEY, http_client=kind(transport=httpx.MockTransport(respond)), rate_limits=limits, **settings)


def other_process(client: Any, store: QuotaStore, name: str = "other") -> Worker:
    """Return another process that shares the quota of a client."""
    limiter = client._limiter("bge-m3")
    requests = limiter._limits[0]
    return Worker(
        store, limiter.quota, name, Member((None if requests is None else int(requests), None), limiter.window)
    )
