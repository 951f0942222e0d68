"""What a store of shared quotas has to do: keep text by name, and change it in one atomic step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from clova_studio._rate_limits.stores.operations import Drop, Land, Leave, Refuse, Settle, Take
from clova_studio._rate_limits.stores.records import Change, Delta, Known
from clova_studio._rate_limits.stores.view import QuotaView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clova_studio._rate_limits.status import QuotaStatus
    from clova_studio._rate_limits.stores.operations import Answer, Member, Operation
    from clova_studio.types._base import RateLimit

__all__ = ["QuotaStore"]


class QuotaStore(ABC):
    """Keeps what several processes use of one quota: the base class of stores.

    A store implements ``update``, and ``close`` if there is something to close. What is counted, and how, is decided
    here, in one place for all stores. One thread per process asks; questions may take long, and may fail.

    Attributes:
        kind: How ``client.quota`` names it.
    """

    kind = "custom"

    def __init__(self) -> None:
        self._views: dict[tuple[str, str], QuotaView] = {}

    @abstractmethod
    def update(self, quota: str, known: Known, change: Callable[[Delta], Change | None]) -> Known:
        """Change the state of a quota in one atomic step.

        Args:
            quota: The name of the quota, a hash.
            known: Up to where the caller knows it.
            change: Is called with what has changed since then, and returns what to write, None for nothing. It may be
                called again, with what had changed in the meantime: then only what it returned last is written.

        Returns:
            Up to where the caller knows it now.
        """

    def check_machine(self, name: str = "store") -> None:  # noqa: B027  most work everywhere
        """Refuse what can never work on this machine, before anything is sent.

        Args:
            name: The parameter or variable that the store comes from.

        Raises:
            ConfigurationError: It cannot.
        """

    def close(self) -> None:  # noqa: B027  there may be nothing to close
        """Close connections; another question opens them again."""

    def check(self) -> None:
        """Try to read and to write; any exception says that it does not work."""
        self.update("check", Known(), lambda _: Change("[]", {}, keep=1.0, expires=60.0))

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        raise TypeError(f"{type(self).__name__} belongs to its process and cannot be pickled: give store= an address")

    # One question each.

    def take(
        self, quota: str, process: str, permit: str, tokens: int, *, output: int = 0, member: Member | None = None
    ) -> float:
        """Ask for a permit.

        Args:
            quota: The name of the quota.
            process: Who asks. In the line between processes each has one place.
            permit: The id of the permit.
            tokens: Estimated tokens of the input.
            output: The requested maximum output.
            member: What the process says of itself; as before without it.

        Returns:
            Seconds to wait before asking again, 0 if it is granted.
        """
        return self.ask(quota, process, [Take(permit, tokens, output)], member)[0].wait

    def land(self, quota: str, process: str, permit: str, took: float, reported: RateLimit | None = None) -> None:
        """Note that a request got through.

        Args:
            quota: The name of the quota.
            process: Who asks.
            permit: The id of the permit.
            took: Seconds from sending to the answer.
            reported: What the headers said.
        """
        self.ask(quota, process, [Land(permit, took, 0.0, reported)])

    def settle(self, quota: str, process: str, permit: str, tokens: int) -> None:
        """Take the service's count of a request's input.

        Args:
            quota: The name of the quota.
            process: Who asks.
            permit: The id of the permit.
            tokens: Tokens of the input.
        """
        self.ask(quota, process, [Settle(permit, tokens)])

    def drop(self, quota: str, process: str, permit: str) -> None:
        """Note that a request ended in a way that says nothing of the quota.

        Args:
            quota: The name of the quota.
            process: Who asks.
            permit: The id of the permit.
        """
        self.ask(quota, process, [Drop(permit)])

    def refuse(self, quota: str, process: str, permit: str, seconds: float, reported: RateLimit | None = None) -> None:
        """Take a refusal: the permit goes back, and the quota is closed for everybody.

        Args:
            quota: The name of the quota.
            process: Who asks.
            permit: The id of the permit.
            seconds: How long it is closed.
            reported: What the headers said.
        """
        self.ask(quota, process, [Refuse(permit, seconds, reported)])

    def leave(self, quota: str, process: str, permit: str | None = None) -> None:
        """Leave the line between processes; a permit that is named is given back unused.

        Args:
            quota: The name of the quota.
            process: Who asks.
            permit: The id of the permit.
        """
        self.ask(quota, process, [Leave(permit)])

    def status(self, quota: str, process: str) -> QuotaStatus:
        """Return what all processes together use.

        Args:
            quota: The name of the quota.
            process: Who asks.
        """
        self.ask(quota, process, [])
        return self.view(quota, process).status()

    # Several in one.

    def ask(
        self, quota: str, process: str, operations: Sequence[Operation], member: Member | None = None
    ) -> Sequence[Answer]:
        """Ask and tell several things in one atomic step.

        Args:
            quota: The name of the quota.
            process: Who asks.
            operations: What there is to tell and to ask, in this order.
            member: What the process says of itself; as before without it.

        Returns:
            One answer per operation. After a permit that has to wait, no other is granted.
        """
        view = self.view(quota, process)
        try:
            known = self.update(quota, view.known, lambda delta: view.change(delta, operations, member))
        except BaseException:
            view.revert()
            raise
        view.accept(known)
        return view.answers

    def view(self, quota: str, process: str) -> QuotaView:
        """Return what a process knows of a quota.

        Args:
            quota: The name of the quota.
            process: Who asks.
        """
        key = quota, process
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = QuotaView(process)
        return view

    def forget(self, quota: str, process: str) -> None:
        """Forget what a process knows of a quota that it no longer uses.

        Args:
            quota: The name of the quota.
            process: Who asks.
        """
        self._views.pop((quota, process), None)
