"""What the resources need from their client."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import EllipsisType
    from typing import Any, TypeVar

    from clova_studio._base_client import ClosingSignal
    from clova_studio._concurrency import CancelSignal
    from clova_studio._rate_limits.settings import RateLimits
    from clova_studio._rate_limits.waiters import LoopWaiter, ThreadWaiter
    from clova_studio._requests.call import Call
    from clova_studio._streaming.streams import AsyncOpened, Opened
    from clova_studio.types._base import Result

    ResultT = TypeVar("ResultT", bound=Result)

__all__ = ["AsyncSender", "Sender"]


class Sender:
    """Sends calls."""

    if TYPE_CHECKING:
        _waiter: ThreadWaiter
        _closing: ClosingSignal

        def _send(
            self, call: Call[ResultT], max_wait: float | EllipsisType | None = ..., cancel: CancelSignal | None = None
        ) -> ResultT: ...

        _limits: RateLimits | None

        def _open(self, call: Call[Any]) -> Opened[Any, Any]: ...


class AsyncSender:
    """Async variant of ``Sender``."""

    if TYPE_CHECKING:
        _waiter: LoopWaiter
        _closing: ClosingSignal

        async def _send(
            self, call: Call[ResultT], max_wait: float | EllipsisType | None = ..., cancel: CancelSignal | None = None
        ) -> ResultT: ...

        _limits: RateLimits | None

        async def _open(self, call: Call[Any]) -> AsyncOpened[Any, Any]: ...
