"""The line between processes: who is next, and which limits each of them was given. No I/O and no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from clova_studio._rate_limits.stores.operations import Member

__all__ = ["PATIENCE", "Line", "Peer"]

PATIENCE = 1.0
"""Seconds after which a process that is next and does not ask is passed over."""

# Windows, and seconds at least, after which a process that asks nothing is forgotten.
_FORGOTTEN, _LEAST = 2.0, 3.0
# Seconds between two processes that wait for the same moment, so that the first of them asks first.
_APART = 0.001
# Seconds after it was due for which nobody overtakes a process, however much there is.
_PROMPT = 0.05
# Of the time that somebody is late: when the others look again.
_LATE = 0.25


class Peer:
    """A process that shares a quota.

    Attributes:
        requests: Requests per window that it was given.
        tokens: Tokens per window that it was given.
        window: Seconds of a window that it was given.
        seen: When it asked last, as far as that was written down.
        turn: Its turn, None while it does not wait.
        due: When it asks again.
        waiting: Calls that wait in it.
    """

    __slots__ = ("due", "requests", "seen", "tokens", "turn", "waiting", "window")

    def __init__(self) -> None:
        self.requests: float | None = None
        self.tokens: float | None = None
        self.window = 60.0
        self.seen = self.due = 0.0
        self.turn: int | None = None
        self.waiting = 0

    @classmethod
    def read(cls, values: list[Any]) -> Self:
        """Return the entry that was written."""
        peer = cls()
        peer.requests, peer.tokens, peer.window, peer.seen, peer.turn, peer.due, peer.waiting = values
        return peer

    def written(self) -> list[Any]:
        """Return it as a list."""
        return [
            self.requests,
            self.tokens,
            self.window,
            round(self.seen, 3),
            self.turn,
            round(self.due, 3),
            self.waiting,
        ]


class Line:
    """All processes that share a quota, and the order of those that wait.

    Attributes:
        peers: The processes by their ids.
    """

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}
        self._turns = 0

    def load(self, values: list[Any]) -> None:
        """Take a line that was written."""
        turns, peers = values
        self._turns = int(turns)
        self.peers = {str(name): Peer.read(peer) for name, peer in peers.items()}

    def written(self) -> list[Any]:
        """Return the line as plain values."""
        return [self._turns, {name: peer.written() for name, peer in self.peers.items()}]

    def meet(self, name: str, member: Member, now: float) -> Peer:
        """Return the entry of a process that asks, and forget those that have not asked for long."""
        for other in [other for other, peer in self.peers.items() if self._gone(peer, now)]:
            del self.peers[other]
        peer = self.peers.setdefault(name, Peer())
        (peer.requests, peer.tokens), peer.window, peer.waiting = member.limit, member.window, member.waiting
        peer.seen = max(peer.seen, now)
        return peer

    def stand(self, peer: Peer) -> None:
        """Put a process at the end of the line, unless it is in it."""
        if peer.turn is None:
            self._turns += 1
            peer.turn = self._turns

    def ahead_of(self, peer: Peer, now: float) -> list[Peer]:
        """Return the processes whose turn comes before that of another, the first one first."""
        ahead = [
            other
            for other in self.peers.values()
            if other is not peer
            and other.turn is not None
            and (peer.turn is None or other.turn < peer.turn)
            and other.due + PATIENCE >= now
        ]
        return sorted(ahead, key=lambda other: other.turn or 0)

    def is_prompt(self, ahead: list[Peer], now: float) -> bool:
        """Return whether one of several processes asks when it is due."""
        return any(peer.due + _PROMPT >= now for peer in ahead)

    def nap(self, ahead: list[Peer], now: float) -> float:
        """Return how long those behind others wait before they ask again."""
        first = ahead[0].due - now
        return max(first, -first * _LATE, 0.0) + _APART * len(ahead)

    def limits(self) -> tuple[float | None, float | None, float]:
        """Return the strictest limits, and the longest window, of all processes."""
        peers = self.peers.values()
        requests = min((peer.requests for peer in peers if peer.requests is not None), default=None)
        tokens = min((peer.tokens for peer in peers if peer.tokens is not None), default=None)
        return requests, tokens, max((peer.window for peer in peers), default=60.0)

    def _gone(self, peer: Peer, now: float) -> bool:
        return peer.seen + max(_LEAST, _FORGOTTEN * peer.window) < now
