"""Finds out how a quota counts: sliding, fixed, aligned with the clock, or refilled all the time.

It needs a whole quota of a model, several windows of time, and an account that does nothing else meanwhile. All times
come from the clock that is given, so that this is a matter of counting and not of waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clova_studio._cli.verify.check import Check, UnsettledError, failed, post
from clova_studio._cli.verify.outcome import Outcome, came
from clova_studio._errors import APIConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio._cli.verify.wire import Reply, Sender

__all__ = ["COUNTING_ID", "MOST_REQUESTS", "Measured", "measure", "quota_outcomes", "quota_tokens"]

COUNTING_ID = "counting"
MOST_REQUESTS = 600
"""Requests after which it gives up."""

# The cheapest call that has a quota of its own in requests: an embedding of one syllable.
_REQUEST = post("/v1/api-tools/embedding/v2", {"text": "가"})
_TOO_MANY = 429
# Fewer than these cannot be told apart.
_FEWEST = 6
_POLLS = 60
_NEARLY = 0.75
_FEW = 0.3


@dataclass(frozen=True)
class Measured:
    """How a quota counts, and what its reset header means."""

    counting: str
    reset: str


class _Meter:
    """Sends requests and remembers what the last refusal said."""

    def __init__(
        self,
        send: Callable[[], tuple[bool, float | None]],
        window: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._send = send
        self._sent = 0
        self.window = window
        self.pause = window / _POLLS
        self.tolerance = max(3 * self.pause, window / 20)
        self.clock = clock
        self.sleep = sleep
        self.refused_at = 0.0
        self.wait: float | None = None

    def passes(self) -> bool:
        """Send one request and return whether it passed."""
        self._sent += 1
        if self._sent > MOST_REQUESTS:
            raise UnsettledError(f"no answer after {MOST_REQUESTS} requests")
        passed, wait = self._send()
        if not passed:
            self.refused_at, self.wait = self.clock(), wait
        return passed

    def fill(self) -> int:
        """Send until one is refused, and return how many passed."""
        count, end = 0, self.clock() + self.window * 1.2
        while self.passes():
            count += 1
            if self.clock() > end:
                raise UnsettledError(f"the limit is above {count} requests, more than one connection can send")
        return count

    def until_open(self) -> float:
        """Ask again and again until one passes, and return when."""
        end = self.clock() + 1.5 * self.window
        while self.clock() < end:
            self.sleep(self.pause)
            if self.passes():
                return self.clock()
        raise UnsettledError("the quota did not open within one and a half windows")

    def sleep_until(self, moment: float) -> None:
        """Sleep until a moment of the clock."""
        self.sleep(max(0.0, moment - self.clock()))


def measure(
    send: Callable[[], tuple[bool, float | None]],
    window: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Measured:
    """Find out how a quota counts.

    Args:
        send: Sends one request; returns whether it passed, and the seconds that a refusal asks to wait, if it does.
        window: The length of the window, in seconds.
        clock: Seconds of a clock.
        sleep: Waits for some seconds of that clock.

    Raises:
        UnsettledError: What came is none of the four ways, or too much or too little to tell.
    """
    meter = _Meter(send, window, clock, sleep)
    # What was sent before must no longer count.
    meter.sleep(window * 1.05)
    start = clock()
    limit = meter.fill()
    if limit < _FEWEST:
        raise UnsettledError(f"only {limit} requests passed: too few to tell")
    refused_at, wait = meter.refused_at, meter.wait
    opened = meter.until_open()
    again = 1 + meter.fill()
    early = opened < refused_at + window / 2
    if early and again <= max(2, _FEW * limit):
        return Measured("bucket", _reset(wait, opened - refused_at, meter, everything=False))
    if abs(opened - start - window) > meter.tolerance:  # a window from the first request on ends after its length
        return Measured("aligned", _reset(wait, opened - refused_at, meter, everything=True))
    return _halves(meter, limit, opened)


def _halves(meter: _Meter, limit: int, opened: float) -> Measured:
    """Tell the rest apart: with half of a quota used half a window later, a sliding window opens by halves.

    It starts a quarter of a window after a moment when the quota opened: one that follows the clock then opens early.
    """
    window = meter.window
    start = opened + 1.25 * window
    meter.sleep_until(start if start > meter.clock() + window else start + window)
    start, half = meter.clock(), limit // 2
    if not all(meter.passes() for _ in range(half)):
        raise UnsettledError("a fresh quota was used up: something else uses it")
    meter.sleep_until(start + window / 2)
    limit = half + meter.fill()  # the one before may have been that of two windows
    refused_at, wait = meter.refused_at, meter.wait
    opened = meter.until_open()
    again = 1 + meter.fill()
    if again < _NEARLY * limit:
        return Measured("sliding", _reset(wait, opened - refused_at, meter, everything=False))
    counting = "fixed" if abs(opened - start - window) <= meter.tolerance else "aligned"
    return Measured(counting, _reset(wait, opened - refused_at, meter, everything=True))


def _reset(wait: float | None, waited: float, meter: _Meter, *, everything: bool) -> str:
    """Return what the reset header of a refusal meant, by how long it took and what passed then."""
    if wait is None:
        return "missing"
    if wait < waited - meter.tolerance:
        return "wrong"
    return "all-may-pass" if everything else "one-may-pass"


def _unasked(_sender: Sender) -> str:
    raise UnsettledError("only with --quota")


_COUNTING = Check(
    COUNTING_ID,
    ("How does a window count?", "한도의 창은 어떻게 세는가?"),
    ("sliding", "fixed", "aligned", "bucket"),
    "fixed",
    "fixed",
    (_REQUEST,),
    _unasked,
    open=True,
)
_RESET = Check(
    "reset-meaning",
    ("What does the reset header of a refusal say?", "거부 응답의 reset 헤더는 무엇을 뜻하는가?"),
    ("missing", "one-may-pass", "all-may-pass", "wrong"),
    "missing",
    "all-may-pass",
    (_REQUEST,),
    _unasked,
    open=True,
    is_emulated=False,
)


def quota_tokens() -> int:
    """About how many tokens it can use."""
    return MOST_REQUESTS * _REQUEST.tokens


def quota_outcomes(
    sender: Sender, window: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> list[Outcome]:
    """Measure the quota of embedding v2 and return what came."""
    last: list[Reply] = []

    def send() -> tuple[bool, float | None]:
        reply = sender.ask_again(_REQUEST)
        if not reply.ok and reply.status != _TOO_MANY:
            raise UnsettledError(failed(reply))
        if not reply.ok:
            last[:] = [reply]
            if reply not in sender.limited[-1:]:
                sender.limited.append(reply)
        return reply.ok, None if reply.ok else reply.wait

    try:
        found = measure(send, window, clock, sleep)
    except (UnsettledError, APIConnectionError) as exc:
        detail = str(exc) if isinstance(exc, UnsettledError) else type(exc).__name__
        return [Outcome(check, None, detail) for check in (_COUNTING, _RESET)]
    shown = [came(reply, _REQUEST) for reply in last]
    return [Outcome(_COUNTING, found.counting, came=shown), Outcome(_RESET, found.reset, came=shown)]
